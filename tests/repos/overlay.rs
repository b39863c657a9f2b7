//! `git status` in an overlay of a wiring and a snapshot, against a plain clone.

use std::path::PathBuf;

use crate::ground::{Ground, shell};
use casefile::repos::snapshot::Snapshot;

/// As the real one will: every path that the upper layer has, or a directory of it.
const HOOK: &str = "#!/bin/sh
printf 'casefile\\0'
cd \"$UPPER\" && find . -mindepth 1 ! -path ./.git ! -path './.git/*' -printf '%P\\0'
";

/// What is compared after each script.
const ASK: &str = "git status -s --branch; git status -s; git diff --stat; \
    git stash list; git log --oneline | wc -l";

/// Mounts a world, runs `script` in it, and returns what it printed.
pub(crate) fn in_world(ground: &Ground, layers: &[PathBuf], script: &str) -> String {
    let dir =
        tempfile::Builder::new().prefix("case-").tempdir_in(ground.world.path("state")).unwrap();
    let case = dir.path();
    for name in ["upper", "work"] {
        std::fs::create_dir(case.join(name)).unwrap();
    }
    let lower: Vec<_> = layers.iter().map(|layer| layer.to_str().unwrap()).collect();
    let mount = format!(
        "mount -t tmpfs none /mnt && mkdir /mnt/case && \
         mount -t overlay none -o userxattr,volatile,lowerdir={},upperdir={case}/upper,workdir={case}/work /mnt/case && \
         cd /mnt/case && export UPPER={case}/upper && {script}",
        lower.join(":"),
        case = case.display(),
    );
    ground.world.finish(shell(&ground.world, &mount)).success().stdout
}

/// The same script in a plain clone.
fn in_clone(ground: &Ground, script: &str) -> String {
    let place = ground.world.path("clone");
    ground.git(&["clone", "-q", ".", place.to_str().unwrap()]);
    let mut command = ground.world.program("sh");
    command.args(["-euc", &format!("git checkout -q --detach && {script}")]).current_dir(&place);
    let out = ground.world.finish(command).success().stdout;
    std::fs::remove_dir_all(place).unwrap();
    out
}

fn a_repo() -> Ground {
    a_repo_with("")
}

fn a_repo_with(attributes: &str) -> Ground {
    let ground = Ground::new();
    if !attributes.is_empty() {
        ground.put(b".gitattributes", attributes.as_bytes());
    }
    ground.put(b".gitignore", b"*.o\n");
    ground.put(b"sub/.gitignore", b"*.tmp\n!keep.tmp\n");
    for at in 0..300 {
        ground.put(format!("sub/dir{}/f{at}", at % 7).as_bytes(), format!("{at}\n").as_bytes());
    }
    ground.put(b"sub-x/a", b"x");
    ground.put(b"top", b"top\n");
    ground.commit();
    ground.put(b"sub/dir1/f1", b"changed once\n");
    std::fs::remove_file(ground.work().join("sub/dir2/f2")).unwrap();
    ground.put(b"sub/new/file", b"new\n");
    ground.commit();
    ground
}

/// The layers of a world at HEAD. `delta` is whether that is a delta over HEAD~1.
fn layers(ground: &Ground, delta: bool) -> (Snapshot, Vec<PathBuf>) {
    if delta {
        let before = ground.git(&["rev-parse", "HEAD~1"]);
        ground.make(&casefile::case::CommitId::parse(&before).unwrap()).unwrap();
    }
    let snapshot = ground.make(&ground.head()).unwrap();
    assert_eq!(snapshot.layers.len(), 1 + usize::from(delta));
    let hook = ground.world.path("hook");
    std::fs::write(&hook, HOOK).unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let wiring = ground.wire(&snapshot, &ground.head(), Some(&hook));
    let layers = std::iter::once(wiring).chain(snapshot.layers.clone()).collect();
    (snapshot, layers)
}

#[test]
fn status_says_what_it_says_in_a_plain_clone() {
    #[rustfmt::skip]
    let table = [
        "true",
        "echo more >> top",
        "echo tot > top",
        "rm top sub/dir3/f3",
        "echo x > untracked; echo x > sub/dir1/also; echo x > ignored.o; echo x > sub/keep.tmp; echo x > sub/x.tmp",
        "rm -rf sub/dir4 && mkdir sub/dir4",
        "rm -rf sub/dir4 && mkdir sub/dir4 && echo x > sub/dir4/f4",
        "rm -rf sub && echo x > sub",
        "mv sub moved",
        "mv sub/dir1 sub/dir9; mkdir empty",
        "chmod +x top; touch sub/dir1/f8",
        "rm top; ln -s sub top",
        "echo '*.txt' > .gitignore; echo x > a.txt; echo x > b.o",
        "echo '*' > sub/dir5/.gitignore; echo x > sub/dir5/y",
        "rm sub/.gitignore; echo x > sub/x.tmp",
        "git checkout -q HEAD~1",
        "git checkout -q HEAD~1; echo x > sub/dir2/f2; echo y > y",
        "git checkout -q -b mine; echo x > new; git add new; git commit -qm new; echo y >> new",
        "echo x >> top; echo x > stashed; git stash -uq; git status -s; echo y >> sub/dir1/f1; git stash pop -q",
        "git rm -rq sub/dir1; mkdir -p sub/dir1; echo x > sub/dir1/f1",
        "echo x > top; git reset -q --hard; git clean -fdq",
        "echo x > top; git add top; echo y > top",
        "git status -s -uall; echo x > sub/dir1/q; mkdir -p sub/u/v; echo x > sub/u/v/w; git status -s -uall",
        "echo x >> .git/info/exclude 2>/dev/null || { mkdir -p .git/info; echo x > .git/info/exclude; }; echo q > x; echo r > z",
    ];
    let ground = a_repo();
    let scripts = table.map(|script| format!("{script}\n{ASK}"));
    let plain = scripts.each_ref().map(|script| in_clone(&ground, script));
    for delta in [false, true] {
        let (_, layers) = layers(&ground, delta);
        for (script, plain) in scripts.iter().zip(&plain) {
            let ours = in_world(&ground, &layers, script);
            assert_eq!(&ours, plain, "delta {delta}: {script}");
        }
        // The same layers, as if new.
        let clean = in_world(
            &ground,
            &layers,
            "git status -s; git fsck --connectivity-only; git diff --cached --stat",
        );
        assert_eq!(clean, "");
        if !delta {
            std::fs::remove_dir_all(ground.store.store.snapshots(&crate::ground::name())).unwrap();
        }
    }
}

/// What git counts while it works: files that it looked at, directories that it read.
#[test]
fn a_first_status_looks_at_nothing() {
    // git knows a list of ignored files by other bytes where it may convert them.
    for attributes in ["", "* text=auto\n", "* text eol=crlf\n", "sub/.gitignore ident\n"] {
        for delta in [false, true] {
            looks_at_nothing(attributes, delta);
        }
    }
}

fn looks_at_nothing(attributes: &str, delta: bool) {
    let ground = a_repo_with(attributes);
    let (_, layers) = layers(&ground, delta);
    let script = "GIT_TRACE2_PERF=1 git status --porcelain=v2 2>&1";
    let trace = in_world(&ground, &layers, script);
    let count = |what: &str| -> Option<u64> {
        trace
            .lines()
            .find_map(|line| line.split_once(what)?.1.trim_start_matches([':', ' ']).parse().ok())
    };
    for what in ["sum_lstat", "opendir", "gitignore-invalidation", "directory-invalidation"] {
        assert_eq!(count(what), Some(0), "{what}: {trace}");
    }
    // Nor is there anything that it wants to remember: 500 cases cost nothing.
    assert!(!trace.contains("do_write_index"), "{trace}");
}
