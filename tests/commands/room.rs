//! How much room cases take, and what becomes of them when there is none.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use insta::assert_snapshot;

use crate::common::{Outcome, World, am_root};
use crate::ground::{checkout, git, open, said};

/// What the disk gives for all that is below a directory.
fn bytes(dir: &Path) -> u64 {
    let own = dir.symlink_metadata().unwrap().blocks() * 512;
    if !dir.is_dir() || dir.is_symlink() {
        return own;
    }
    // What the kernel keeps beside a layer is nobody's to read; there is next to nothing.
    let Ok(entries) = std::fs::read_dir(dir) else { return own };
    own + entries.flatten().map(|entry| bytes(&entry.path())).sum::<u64>()
}

#[test]
fn five_hundred_cases_over_one_snapshot_take_next_to_no_room() {
    const CASES: usize = 500;
    const BYTES_MAX: u64 = 100 * 1000;
    let world = World::new();
    checkout(&world, "work/app");
    // The index alone is larger than a case may be.
    for nth in 0..2_000 {
        world.put(&format!("work/app/many/{}/a-file-with-a-longer-name-{nth}", nth % 40), "x\n");
    }
    git(&world, "work/app", &["add", "."]);
    git(&world, "work/app", &["commit", "-qm", "many"]);
    let first = open(&world, &["--repo", "./app"]);
    let store = bytes(&world.state().join("store"));
    assert!(BYTES_MAX < store);
    for _ in 1..CASES {
        let _ = open(&world, &["--repo", "app"]);
    }
    let cases = world.state().join("cases");
    let all = bytes(&cases) + bytes(&world.state().join("store")) - store;
    let each = all / CASES as u64;
    println!("{each} bytes for each of {CASES} cases");
    assert!(each < BYTES_MAX, "{each} bytes each");
    // Entered and looked at, nothing is written yet.
    assert_eq!(said(&world, &first, "ls | wc -l; git log -1 --format=%s"), "5\nmany\n");
    let entered = bytes(&cases.join(&first));
    println!("{entered} bytes for one that was entered");
    assert!(entered < BYTES_MAX, "{entered} bytes once it was entered");
}

/// Runs a script with `casefile` as `$0` in a world whose state is on a disk of `size`.
fn on_a_small_disk(world: &World, size: &str, script: &str) -> Outcome {
    let mut command = world.program("unshare");
    let state = world.state();
    let user = if am_root() { "-m" } else { "-Urm" };
    let mount = format!(
        "mkdir -p {0} && mount -t tmpfs -o size={size} none {0} && {script}",
        state.display()
    );
    command.args([user, "sh", "-euc", &mount]).arg(crate::common::binary());
    world.finish(command)
}

/// Fills what is left of the disk, and makes room again.
const FILL: &str = "fill() { dd if=/dev/zero of=\"$XDG_STATE_HOME/casefile/ballast\" bs=4k 2>/dev/null || true; }; \
     free() { rm -f \"$XDG_STATE_HOME/casefile/ballast\"; }; \
     id() { sed -n 's/^case *//p'; };";

#[test]
fn a_full_disk_is_named_and_costs_nothing_that_was_there() {
    let world = World::new();
    checkout(&world, "work/app");
    world.put("work/large.log", vec![b'x'; 3_000_000]);
    let script = format!(
        "{FILL}
        id=$(\"$0\" open --repo ./app | id)
        \"$0\" shell $id -- sh -c 'echo mine > new; git commit -q --allow-empty -m mine'
        echo '# from inside'
        \"$0\" shell $id -- sh -c 'dd if=/dev/zero of=big bs=64k count=256 2>&1 | grep -o \"No space.*\"; rm big; cat new' 2>&1
        bye=$(\"$0\" open --title Bye | id)
        fill
        for what in 'open --repo ./app' 'open --repo ./app@HEAD~1' \"open --evidence large.log\" \"fork $id\" \"close $id\" \"rename $id other\" \"rm --yes $bye\" gc; do
            echo \"# $what\"; \"$0\" $what 2>&1 || echo \"code $?\"
        done
        echo '# shell'
        \"$0\" shell $id -- true 2>&1 || echo \"code $?\"
        free
        echo '# after'
        \"$0\" gc
        \"$0\" shell $id -- sh -c 'cat new; git status --short; git log --format=%s'
        f=$(\"$0\" fork $id | id)
        \"$0\" shell $f -- cat new
        \"$0\" close $id | sed 's/.* is/is/'
        find \"$XDG_STATE_HOME\" -name '.*ing-*' -o -name '.unfinished*' -o -name '.casefile-*' -o -path '*.trash/*'
        "
    );
    let outcome = on_a_small_disk(&world, "8m", &script).success();
    let mut text = outcome.to_string();
    while let Some(at) = text.find("app-") {
        text.replace_range(at..at + "app-xxxxxx".len(), "<case>");
    }
    while let Some(at) = text.find("bye-") {
        text.replace_range(at..at + "bye-xxxxxx".len(), "<bye>");
    }
    assert_snapshot!(text, @r"
    # from inside
    No space left on device
    mine
    # open --repo ./app
    error: cannot write `<world>/state/casefile/store/mirrors/app.git/packed-refs`
    cause: No space left on device (os error 28)
    hint: Free some space on that file system and try again.
    code 1
    # open --repo ./app@HEAD~1
    error: cannot write `<world>/state/casefile/store/mirrors/app.git/packed-refs`
    cause: No space left on device (os error 28)
    hint: Free some space on that file system and try again.
    code 1
    # open --evidence large.log
    error: cannot take in `<world>/work/large.log`
    cause: No space left on device (os error 28)
    hint: Free some space on that file system and try again.
    code 1
    # fork <case>
    error: cannot write `<world>/state/casefile/cases/<case>/case.yaml`
    cause: No space left on device (os error 28)
    hint: Free some space on that file system and try again.
    code 1
    # close <case>
    error: cannot write `<world>/state/casefile/cases/<case>/case.yaml`
    cause: No space left on device (os error 28)
    hint: Free some space on that file system and try again.
    code 1
    # rename <case> other
    error: cannot write `<world>/state/casefile/cases/<case>/case.yaml`
    cause: No space left on device (os error 28)
    hint: Free some space on that file system and try again.
    code 1
    # rm --yes <bye>
    removed <bye>
    # gc
    removed 0 snapshots, 0 wirings, 0 layers, 0 leftovers
    # shell
    error: cannot write `<world>/state/casefile/cases/<case>/in-use`
    cause: No space left on device (os error 28)
    hint: Free some space on that file system and try again.
    code 1
    # after
    removed 0 snapshots, 0 wirings, 0 layers, 0 leftovers
    mine
    ?? new
    mine
    two
    one
    mine
    is closed
    ");
}
