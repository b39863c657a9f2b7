//! Trees that git refuses, mirrors that are damaged, makers that are killed.

use crate::ground::{Ground, merged, same};

#[test]
fn trees_that_git_refuses_are_refused() {
    let ground = Ground::new();
    ground.put(b"f", b"x");
    ground.commit();
    let blob = ground.git(&["rev-parse", "HEAD:f"]);
    #[rustfmt::skip]
    let table = [
        // mode     name
        ("100644",  ".git"),
        ("100644",  ".GIT"),
        ("100644",  ".."),
        ("100644",  "git~1"),
        ("100644",  ".git "),
        ("120000",  ".gitmodules"),
    ];
    for (mode, name) in table {
        let raw = [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &hex(&blob)].concat();
        std::fs::write(ground.work().join("raw"), raw).unwrap();
        let tree = ground.git(&["hash-object", "-t", "tree", "-w", "--literally", "raw"]);
        let commit = ground.git(&["commit-tree", "-m", "x", &tree]);
        let commit = casefile::case::CommitId::parse(&commit).unwrap();
        let error = ground.make(&commit).unwrap_err().to_string();
        assert!(error.starts_with("git does not check out"), "{name}: {error}");
        let mut git = ground.world.program("git");
        git.args(["read-tree", "--index-output=.git/x", commit.as_str()]);
        assert!(!git.status().unwrap().success(), "git takes {name}");
    }
}

#[test]
fn a_missing_blob_is_named_and_nothing_is_left() {
    let ground = Ground::new();
    ground.put(b"dir/gone", b"gone\n");
    ground.put(b"other", b"also gone\n");
    ground.put(b"here", b"here\n");
    let commit = ground.commit();
    for path in ["HEAD:dir/gone", "HEAD:other"] {
        let id = ground.git(&["rev-parse", path]);
        let object = ground.mirror().join("objects").join(&id[..2]).join(&id[2..]);
        std::fs::remove_file(object).unwrap();
    }
    let error = ground.make(&commit).unwrap_err();
    assert!(error.to_string().starts_with("the mirror lacks 2 objects, first "), "{error}");
    let missing = casefile::repos::snapshot::missing(&ground.mirror(), &commit).unwrap();
    assert_eq!(
        missing.iter().map(|object| &object.path[..]).collect::<Vec<_>>(),
        [&b"dir/gone"[..], b"other"]
    );
    let left = std::fs::read_dir(ground.store.store.snapshots(&crate::ground::name())).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn what_a_killed_build_left_is_cleared_by_the_next() {
    let ground = Ground::new();
    ground.put(b"f", b"x");
    let commit = ground.commit();
    let tree = ground.git(&["rev-parse", "HEAD^{tree}"]);
    let dir = ground.store.store.snapshots(&crate::ground::name());
    let left = dir.join(format!(".building-{tree}/files/old"));
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(dir.join(format!(".lock-{tree}")), "").unwrap();
    assert_eq!(casefile::repos::snapshot::leftovers(&ground.store.store).unwrap().len(), 2);
    let snapshot = ground.make(&commit).unwrap();
    same(&merged(&snapshot), &ground.checked_out(&commit));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
}

fn hex(id: &str) -> Vec<u8> {
    (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect()
}
