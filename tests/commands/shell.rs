//! `casefile shell`: one command in a case, and what stays of it.

use std::process::Stdio;

use insta::assert_snapshot;

use crate::common::{World, users};
use crate::ground::{checkout, open, plain, said, shell};

#[test]
fn what_is_written_stays_and_what_is_the_hosts_does_not_change() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        let _ =
            shell(&world, &id, "echo x > new; echo y > /case/notes/y; echo z > /tmp/z").success();
        assert_eq!(said(&world, &id, "cat new /case/notes/y; ls /tmp"), "x\ny\n");
        let seen = said(
            &world,
            &id,
            "id -u; id -g; for place in /case /case/repos /case/evidence /case/outputs /run/casefile /run/casefile/objects/app/0 /run/casefile/changes/app/0; do touch $place/x 2>/dev/null && echo $place; done; echo end",
        );
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
        1000
        1000
        end
        ") }
        // Another case over the same snapshot sees nothing of it.
        let other = open(&world, &["--repo", "./app"]);
        let _ = shell(&world, &id, "rm -rf one.txt deep .git; chmod 0 two.txt .").success();
        assert_eq!(
            said(&world, &other, "git status --short; cat one.txt deep/er/file"),
            "one\ndeep\n"
        );
    }
}

#[test]
fn its_exit_code_and_streams_are_those_of_the_command() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        insta::allow_duplicates! {
            assert_snapshot!(shell(&world, &id, "echo out; echo err >&2; exit 7"), @r"
            out
            --- stderr
            err
            --- exit status: 7
            ");
            assert_snapshot!(world.run(&["shell", &id, "--", "no-such-program"]), @r"
            --- stderr
            error: the command could not be started: starting `no-such-program`: No such file or directory
            hint: Name a program that the jail can see; `casefile policy show` lists the directories.
            --- exit status: 127
            ");
            assert_snapshot!(world.run(&["shell", &id, "--timeout", "1", "--", "sleep", "60"]), @r"
            --- stderr
            error: the command was ended at the limit `wall_s` of 1 (held by the warden's clock)
            hint: Give it more time with `--timeout`.
            --- exit status: 137
            ");
        }
        let mut command = world.command(&["shell", &id]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"echo hello; pwd\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n/case/repos/app\n");
    }
}

#[test]
fn a_case_that_cannot_be_entered_says_why() {
    let world = World::new();
    checkout(&world, "work/app");
    assert_snapshot!(world.run(&["shell", "nope"]), @r"
    --- stderr
    error: there is no case `nope`
    hint: Run `casefile list` to see which cases there are.
    --- exit status: 1
    ");
    let id = open(&world, &["--repo", "./app"]);
    let other = open(&world, &["--repo", "./app"]);
    let both = world.run(&["shell", "app"]).code(1);
    let told = both.stderr.replace(&id, "<case>").replace(&other, "<case>");
    assert_snapshot!(told, @r"
    error: `app` could be any of 2 cases
    hint: Name one of `<case>`, `<case>`.
    ");
    let _ = world.run(&["close", &id]).success();
    let closed = plain(&shell(&world, &id, "true").code(1), &[&id]);
    let lines: Vec<&str> = closed.lines().collect();
    assert!(lines[1].starts_with("error: case `<case 1>` was closed on "), "{closed}");
    assert_eq!(lines[2], "hint: Go on in a fork of it: `casefile fork <case 1>`.");
}

#[test]
fn a_mirror_that_is_gone_is_named_and_all_is_well_when_it_is_back() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        let _ = shell(&world, &id, "echo more >> one.txt; git commit -qam cure; echo x > new")
            .success();
        let _ = world.run(&["repo", "rm", "app"]);
        let _ = std::fs::remove_dir_all(world.state().join("store/mirrors/app.git"));
        insta::allow_duplicates! { assert_snapshot!(plain(&shell(&world, &id, "true"), &[&id]), @r"
        --- stderr
        error: the mirror of `app` is not there any more
        hint: Bring it back with `casefile repo add app <world>/work/app/`.
        --- exit status: 1
        ") }
        insta::allow_duplicates! { assert_snapshot!(plain(&world.run(&["gc"]), &[&id]), @"removed 0 snapshots, 0 wirings, 0 layers, 0 leftovers") }
        let doctor = world.run(&["doctor"]).stdout.replace(&id, "<case>");
        let from_repos = faults(&doctor);
        insta::allow_duplicates! { assert_snapshot!(from_repos, @r"
        case <case> missing the mirror of `app` is not there any more
        case <case>: Bring it back with `casefile repo add app <world>/work/app/`.
        ") }
        let _ = world.run(&["repo", "add", "app", "app"]).success();
        let seen = said(&world, &id, "git status --short; git log --format=%s; cat one.txt new");
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
        ?? new
        cure
        two
        one
        one
        more
        x
        ") }
    }
}

#[test]
fn a_pack_that_is_corrupt_is_named_and_what_the_case_wrote_stays() {
    let world = World::new();
    checkout(&world, "work/app");
    let url = format!("file://{}", world.path("work/app").display());
    let _ = world.run(&["repo", "add", "app", &url]).success();
    let id = open(&world, &["--repo", "app"]);
    let _ = shell(&world, &id, "echo mine > new").success();
    let packs = world.state().join("store/mirrors/app.git/objects/pack");
    for file in std::fs::read_dir(packs).unwrap().flatten() {
        if file.path().extension().is_some_and(|kind| kind == "pack") {
            let mut bytes = std::fs::read(file.path()).unwrap();
            let end = bytes.len() - 20;
            bytes[20..end].fill(0x5a);
            let _ = std::fs::remove_file(file.path());
            std::fs::write(file.path(), bytes).unwrap();
        }
    }
    // The tree is there, so the files are; git says what it misses.
    assert_eq!(said(&world, &id, "cat one.txt new"), "one\nmine\n");
    assert_ne!(shell(&world, &id, "git log -p").status.code(), Some(0));
    // A commit whose tree is not there yet cannot be had, and no half of it stays.
    let refused = world.run(&["open", "--repo", "app@HEAD~1"]).code(1);
    assert!(refused.stderr.contains("\nhint: "), "{refused}");
    let left = std::fs::read_dir(world.state().join("store/snapshots/app")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let doctor = world.run(&["doctor"]);
    let from_repos = faults(&doctor.stdout);
    assert_snapshot!(from_repos, @r"
    mirror app missing `refs/heads/main` leads to what is not there
    mirror app: Fetch it again: `casefile repo fetch app`.
    ");
}

/// A case of the future, as after a clock that jumped back, is a case like any other.
#[test]
fn a_clock_that_jumps_back_is_no_reason_to_refuse() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app"]);
    let _ = shell(&world, &id, "echo x > new").success();
    let manifest = world.state().join("cases").join(&id).join("case.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let opened = text.lines().find(|line| line.contains("opened: ")).unwrap();
    std::fs::write(&manifest, text.replace(opened, "  opened: 2099-01-01T00:00:00Z")).unwrap();
    // So are the files of the store.
    let far = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
    for kind in ["snapshots/app", "wirings/app"] {
        let dir = world.state().join("store").join(kind);
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            std::fs::File::open(entry.path()).unwrap().set_modified(far).unwrap();
        }
    }
    assert_eq!(said(&world, &id, "git status --short; cat new"), "?? new\nx\n");
    let other = open(&world, &["--repo", "./app", "--at", "2026-03-02T12:00:00Z"]);
    assert_eq!(said(&world, &other, "git status --short; cat one.txt"), "one\n");
    let _ = world.run(&["fork", &id]).success();
    let _ = world.run(&["close", &id]).success();
    let _ = world.run(&["gc"]).success();
    assert!(world.run(&["list"]).success().stdout.contains("2099-01-01 00:00"));
}

/// What a doctor finds wrong with cases and what they share, in few words.
fn faults(doctor: &str) -> String {
    let found = doctor.split("\ncases and what they share\n").nth(1).unwrap_or_default();
    let words = found.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words
        .filter(|line| line.contains(" missing ") || line.contains(": "))
        .collect::<Vec<_>>()
        .join("\n")
}
