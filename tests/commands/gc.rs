//! `casefile close` and `casefile gc`: what nobody needs goes, and nothing else does.

use std::process::Stdio;

use insta::assert_snapshot;

use crate::common::{World, users};
use crate::ground::{checkout, fork, git, git_at, open, plain, said, shell};

/// Everything in the store that could be collected.
fn stored(world: &World) -> Vec<String> {
    let store = world.state().join("store");
    let mut found = Vec::new();
    for kind in ["snapshots/app", "wirings/app", "layers", "publishing", ".trash"] {
        let Ok(entries) = std::fs::read_dir(store.join(kind)) else { continue };
        found.extend(entries.flatten().map(|it| format!("{kind}/{}", it.file_name().display())));
    }
    // What was asked before is no more than remembered, for as long as it is true.
    if found.iter().any(|path| path.starts_with("wirings/app/") && !path.contains("/.")) {
        found.retain(|path| !path.contains("/.asked-"));
    }
    found.sort();
    found
}

#[test]
fn what_no_open_case_needs_goes_and_comes_again_for_a_fork() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        insta::allow_duplicates! { assert_snapshot!(world.run(&["gc"]), @"removed 0 snapshots, 0 wirings, 0 layers, 0 leftovers") }
        let first = open(&world, &["--repo", "./app"]);
        let second = open(&world, &["--repo", "./app@HEAD~1"]);
        let _ = shell(&world, &first, "echo more >> one.txt").success();
        let whole = stored(&world);
        assert_eq!(whole.len(), 4, "{whole:?}");
        insta::allow_duplicates! { assert_snapshot!(world.run(&["gc"]), @"removed 0 snapshots, 0 wirings, 0 layers, 0 leftovers") }
        assert_eq!(stored(&world), whole);

        let closed = world.run(&["close", &first, &second]).success();
        insta::allow_duplicates! { assert_snapshot!(plain(&closed, &[&first, &second]), @r"
        <case 1> is closed
        <case 2> is closed
        ") }
        let again = world.run(&["close", &first]).success();
        insta::allow_duplicates! { assert_snapshot!(plain(&again, &[&first]), @"<case 1> was closed already") }
        insta::allow_duplicates! { assert_snapshot!(world.run(&["gc", "--dry-run"]), @"would remove 2 snapshots, 2 wirings, 0 layers, 0 leftovers") }
        assert_eq!(stored(&world), whole);
        insta::allow_duplicates! { assert_snapshot!(world.run(&["gc"]), @"removed 2 snapshots, 2 wirings, 0 layers, 0 leftovers") }
        assert_eq!(stored(&world), [""; 0]);
        // All of the closed case is still there for a fork.
        let third = fork(&world, &first);
        assert_eq!(
            said(&world, &third, "git status --short; cat one.txt"),
            " M one.txt\none\nmore\n"
        );
    }
}

#[test]
fn layers_stay_for_as_long_as_a_fork_lies_on_them() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let first = open(&world, &["--repo", "./app"]);
        let _ = shell(&world, &first, "echo more >> one.txt; echo n > /case/notes/n").success();
        let second = fork(&world, &first);
        let _ = shell(&world, &second, "echo two > new").success();
        let third = fork(&world, &second);
        let _ = world.run(&["rm", "--yes", &first, &second]).success();
        let _ = world.run(&["gc"]).success();
        assert_eq!(
            said(&world, &third, "git status --short; cat one.txt new /case/notes/n"),
            " M one.txt\n?? new\none\nmore\ntwo\nn\n"
        );
        let _ = world.run(&["rm", "--yes", &third]).success();
        insta::allow_duplicates! { assert_snapshot!(world.run(&["gc"]), @"removed 1 snapshot, 1 wiring, 2 layers, 0 leftovers") }
        assert_eq!(stored(&world), [""; 0]);
    }
}

#[test]
fn what_another_snapshot_is_a_delta_of_stays() {
    let world = World::new();
    checkout(&world, "work/app");
    for nth in 0..300 {
        world.put(&format!("work/app/many/{nth}"), format!("{nth}\n").repeat(20));
    }
    git(&world, "work/app", &["add", "."]);
    git_at(&world, "work/app", "2026-03-04T00:00:00Z", &["commit", "-qm", "many"]);
    let base = open(&world, &["--repo", "./app"]);
    world.put("work/app/one.txt", "another\n");
    git_at(&world, "work/app", "2026-03-05T00:00:00Z", &["commit", "-qam", "one"]);
    let delta = open(&world, &["--repo", "./app"]);
    let snapshots =
        |world: &World| stored(world).iter().filter(|it| it.starts_with("snapshots")).count();
    assert_eq!(snapshots(&world), 2);
    let _ = world.run(&["close", &base]).success();
    let _ = world.run(&["gc"]).success();
    assert_eq!(snapshots(&world), 2, "the base of a delta went");
    assert_eq!(
        said(&world, &delta, "git status --short; cat one.txt; ls many | wc -l"),
        "another\n300\n"
    );
    let _ = world.run(&["close", &delta]).success();
    let _ = world.run(&["gc"]).success();
    assert_eq!(snapshots(&world), 0);
}

#[test]
fn a_manifest_that_cannot_be_read_stops_it() {
    let world = World::new();
    checkout(&world, "work/app");
    let broken = open(&world, &["--title", "Broken"]);
    let id = open(&world, &["--repo", "./app"]);
    let _ = world.run(&["close", &id]).success();
    let manifest = world.state().join("cases").join(&broken).join("case.yaml");
    let text = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, "format: 1\ntitle: [\n").unwrap();
    let before = stored(&world);
    assert_snapshot!(plain(&world.run(&["gc"]), &[&broken]), @r"
    --- stderr
    error: not all cases can be read, so what they need is not known
    cause: case `<case 1>` is broken
    cause: case.yaml:2:8: not valid YAML: unclosed bracket '['
    hint: Mend its `case.yaml`, or remove it with `casefile rm <case 1>`.
    --- exit status: 1
    ");
    assert_eq!(stored(&world), before);
    std::fs::write(&manifest, text).unwrap();
    let _ = world.run(&["gc"]).success();
    assert_eq!(stored(&world), [""; 0]);
}

#[test]
fn nothing_goes_that_a_shell_in_another_process_uses() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        // Its wiring is another one by the time it is entered.
        let _ = std::fs::remove_dir_all(world.state().join("store/wirings/app"));
        let _ = world.run(&["repo", "rm", "app"]);
        let _ = std::fs::remove_dir_all(world.state().join("store/mirrors/app.git"));
        let url = format!("file://{}", world.path("work/app").display());
        let _ = world.run(&["repo", "add", "app", &url]).success();
        let mut command = world.command(&[
            "shell",
            &id,
            "--",
            "sh",
            "-c",
            "echo in; read line; git status; git log --format=%s; cat one.txt",
        ]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 3];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        assert_eq!(&first, b"in\n");
        let before = stored(&world);
        insta::allow_duplicates! { assert_snapshot!(world.run(&["gc"]), @"removed 0 snapshots, 0 wirings, 0 layers, 0 leftovers") }
        assert_eq!(stored(&world), before);
        let refused = plain(&world.run(&["close", &id]).code(1), &[&id]);
        assert!(
            refused.contains("error: case `<case 1>` is in use by `casefile shell`"),
            "{refused}"
        );
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let seen = String::from_utf8_lossy(&output.stdout);
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
        Not currently on any branch.
        nothing to commit, working tree clean
        two
        one
        one
        ") }
    }
}

#[test]
fn what_killed_commands_left_goes() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app"]);
    for left in [
        "store/snapshots/app/.building-x/tree/file",
        "store/snapshots/app/.lock-x",
        "store/wirings/app/.building-y/.git/HEAD",
        "store/layers/gone-aaaaaa.3/repos/app/upper/file",
        "store/publishing/appXXXX/case.bundle",
        "store/mirrors/.incoming/app/fetch-1/objects/pack/tmp_1",
        "store/.trash/old/file",
        "cases/.unfinished-010203040506/evidence/file",
        "cases/.trash/old/file",
    ] {
        world.put(&format!("state/casefile/{left}"), "x");
    }
    assert_snapshot!(world.run(&["gc", "--dry-run"]), @"would remove 0 snapshots, 0 wirings, 1 layer, 4 leftovers");
    assert_snapshot!(world.run(&["gc"]), @"removed 0 snapshots, 0 wirings, 1 layer, 4 leftovers");
    let tree = world.tree();
    for left in [".building-", ".lock-", "gone-", "appXXXX", "fetch-1", "old/", ".unfinished-"] {
        assert!(!tree.contains(left), "{left}\n{tree}");
    }
    assert_eq!(said(&world, &id, "git status --short; cat one.txt"), "one\n");
}
