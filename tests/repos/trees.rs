//! What a snapshot has on disk, against what `git worktree add` writes.

use std::os::unix::fs::symlink;

use casefile::case::CommitId;
use casefile::repos::snapshot;

use crate::ground::{Ground, merged, name, same};

/// Each step is a commit; each commit is made anew, and as a delta over those before.
fn check(steps: &[&dyn Fn(&Ground)]) {
    let (fresh, grown) = (Ground::new(), Ground::new());
    for (at, step) in steps.iter().enumerate() {
        for ground in [&fresh, &grown] {
            step(ground);
        }
        let commit = grown.commit();
        let want = grown.checked_out(&commit);
        let snapshot = grown.make(&commit).unwrap();
        same(&merged(&snapshot), &want);
        index_is_gits(&grown, &commit);
        assert_eq!(snapshot.layers.len(), if at == 0 { 1 } else { 2 }, "step {at}");
    }
    let commit = fresh.commit();
    let snapshot = fresh.make(&commit).unwrap();
    assert_eq!(snapshot.layers.len(), 1);
    same(&merged(&snapshot), &fresh.checked_out(&commit));
    index_is_gits(&fresh, &commit);
}

/// git reads the index, finds it sound, and has the same in it.
fn index_is_gits(ground: &Ground, commit: &CommitId) {
    let snapshot = ground.make(commit).unwrap();
    let ask = |args: &[&str]| {
        let mut command = ground.world.program("git");
        let out = command.args(args).env("GIT_INDEX_FILE", &snapshot.index).output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    let tree = ask(&["write-tree"]);
    assert_eq!(String::from_utf8(tree).unwrap().trim(), snapshot.tree.as_str());
    let ours = ask(&["ls-files", "-s", "-z"]);
    ground.git(&["read-tree", "--index-output=.git/plain", commit.as_str()]);
    let mut command = ground.world.program("git");
    let plain = command.args(["ls-files", "-s", "-z"]).env("GIT_INDEX_FILE", ".git/plain");
    assert_eq!(ours, plain.output().unwrap().stdout);
    // A cache of trees that is wrong would not be believed: this reads the objects too.
    ask(&["fsck", "--cache", "--no-dangling"]);
}

fn many(ground: &Ground) {
    for at in 0..200 {
        ground.put(format!("many/{at}").as_bytes(), format!("{at}\n").as_bytes());
    }
}

#[test]
fn every_kind_of_file() {
    check(&[
        &|ground| {
            many(ground);
            ground.put(b"a", b"one\n");
            ground.put(b"dir/b", b"two\n");
            ground.put(b"dir/deep/er/c", b"");
            ground.put(b"dir-more/x", b"between `dir` and `dir/`\n");
            ground.put(b"dir.c", b"before `dir/`\n");
            ground.put(b"run", b"#!/bin/sh\n");
            let run = ground.work().join("run");
            std::fs::set_permissions(run, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
            symlink("dir/b", ground.work().join("link")).unwrap();
            symlink("/nowhere/\u{e9}", ground.work().join("dangling")).unwrap();
            ground.put(b"not-\xff-utf8\xfe/\xf0", b"bytes");
            ground.put(b"Makefile", b"upper");
            ground.put(b"makefile", b"lower");
            ground.put("\u{e9}".as_bytes(), b"composed");
            ground.put("e\u{301}".as_bytes(), b"decomposed");
            ground.put(b"new\nline", b"x");
            ground.put(b"sub/.gitignore", b"*.o\n");
            ground.put(b"back\\slash", b"x");
        },
        &|ground| {
            ground.put(b"a", b"changed\n");
            std::fs::remove_file(ground.work().join("dir/b")).unwrap();
            // A link that now leads nowhere; a program that is none any more.
            let run = ground.work().join("run");
            std::fs::set_permissions(run, std::os::unix::fs::PermissionsExt::from_mode(0o644))
                .unwrap();
            std::fs::remove_dir_all(ground.work().join("dir-more")).unwrap();
            ground.put(b"dir/deep/new", b"new");
        },
        &|ground| {
            // A directory becomes a file, and a file a directory.
            std::fs::remove_dir_all(ground.work().join("dir")).unwrap();
            ground.put(b"dir", b"a file now");
            std::fs::remove_file(ground.work().join("a")).unwrap();
            ground.put(b"a/b/c", b"a directory now");
            std::fs::remove_file(ground.work().join("link")).unwrap();
            ground.put(b"link", b"no link");
        },
        &|ground| {
            std::fs::remove_dir_all(ground.work().join("many")).unwrap();
            for at in 0..150 {
                ground.put(format!("many/{at}").as_bytes(), format!("{at}\n").as_bytes());
            }
        },
    ]);
}

#[test]
fn line_ends_and_ids_are_as_the_tree_says() {
    check(&[
        &|ground| {
            many(ground);
            ground.put(b".gitattributes", b"[attr]dos text eol=crlf\n*.bat dos\n*.id ident\n*.auto text=auto eol=crlf\n*.png binary\n");
            for name in
                ["a.bat", "sub/b.bat", "c.auto", "d.png", "e.txt", "sub/f.id", "sub/deep/g.bat"]
            {
                ground.put(name.as_bytes(), b"one\ntwo $Id$\n");
            }
            ground.put(b"zero.auto", b"one\n\0two\n");
            ground.put(b"sub/.gitattributes", b"b.bat -text\n\"f.id\" eol=crlf\n");
        },
        // No blob changes, but what the rules say of it does.
        &|ground| ground.put(b"sub/deep/.gitattributes", b"*.bat eol=lf\n"),
        &|ground| ground.put(b".gitattributes", b"*.txt eol=crlf\n"),
        &|ground| std::fs::remove_file(ground.work().join(".gitattributes")).unwrap(),
        &|ground| {
            ground.put(b".gitattributes", b"sub/**/g.bat text eol=crlf\n/e.* text=auto eol=crlf\n");
        },
    ]);
}

#[test]
fn filters_are_not_run_and_that_is_said() {
    let ground = Ground::new();
    many(&ground);
    ground.put(b".gitattributes", b"*.bin filter=lfs -text\n*.u working-tree-encoding=UTF-16\n");
    ground.put(b"a.bin", b"version https://git-lfs.github.com/spec/v1\n");
    ground.put(b"b.bin", b"version https://git-lfs.github.com/spec/v1\n");
    let first = ground.make(&ground.commit()).unwrap();
    insta::assert_debug_snapshot!(first.notes, @r#"
    [
        "2 files of git-lfs as stored: the filter `lfs` is not run",
    ]
    "#);
    // A delta that touches none of them says it all the same.
    ground.put(b"many/0", b"changed");
    let second = ground.make(&ground.commit()).unwrap();
    assert_eq!((second.layers.len(), &second.notes), (2, &first.notes));
}

#[test]
fn submodules_are_empty_directories_with_a_commit() {
    let ground = Ground::new();
    many(&ground);
    ground.put(b"was/a/file", b"x");
    let first = ground.commit();
    let module = |path: &str| {
        ground.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{first},{path}")]);
        ground.git(&["commit", "-q", "-m", "a submodule"]);
        ground.head()
    };
    let second = module("modules/one");
    ground.git(&["rm", "-rq", "--cached", "was"]);
    let third = module("was");
    for (commit, want) in
        [(&first, vec![]), (&second, vec!["modules/one"]), (&third, vec!["modules/one", "was"])]
    {
        let snapshot = ground.make(commit).unwrap();
        let got: Vec<_> = snapshot
            .submodules
            .iter()
            .map(|(path, id)| (String::from_utf8(path.clone()).unwrap(), id.clone()))
            .collect();
        assert_eq!(
            got,
            want.iter().map(|path| ((*path).to_owned(), first.clone())).collect::<Vec<_>>()
        );
        same(&merged(&snapshot), &ground.checked_out(commit));
        index_is_gits(&ground, commit);
    }
}

#[test]
fn an_empty_tree_and_a_wide_one() {
    let ground = Ground::new();
    let empty = ground.commit();
    let snapshot = ground.make(&empty).unwrap();
    assert_eq!(merged(&snapshot).len(), 0);
    index_is_gits(&ground, &empty);

    let mut stream = String::from(
        "commit refs/heads/main\ncommitter a <a@example.com> 1700000000 +0000\ndata 1\nx\n",
    );
    for at in 0..100_000 {
        stream += &format!("M 100644 inline wide/{at:x}\ndata 1\n{}\n", at % 10);
    }
    std::fs::write(ground.work().join("stream"), stream).unwrap();
    ground.git(&["symbolic-ref", "HEAD", "refs/heads/other"]);
    let mut import = ground.world.program("sh");
    import.args(["-c", "git fast-import --quiet --force < stream"]);
    let _ = ground.world.finish(import).success();
    let wide = CommitId::parse(&ground.git(&["rev-parse", "main"])).unwrap();
    let snapshot = ground.make(&wide).unwrap();
    assert_eq!(std::fs::read_dir(snapshot.layers[0].join("wide")).unwrap().count(), 100_000);
    index_is_gits(&ground, &wide);
}

#[test]
fn a_snapshot_is_found_and_its_base_is_named() {
    let ground = Ground::new();
    many(&ground);
    let first = ground.make(&ground.commit()).unwrap();
    ground.put(b"many/1", b"changed");
    let second = ground.make(&ground.commit()).unwrap();
    let store = &ground.store.store;
    assert_eq!(snapshot::find(store, &name(), &second.tree).unwrap(), Some(second.clone()));
    let listed = snapshot::list(store).unwrap();
    let base = |tree| listed.iter().find(|stored| stored.tree == tree).unwrap().base.clone();
    assert_eq!(base(first.tree.clone()), None);
    assert_eq!(base(second.tree.clone()), Some(first.tree.clone()));
    assert_eq!(snapshot::leftovers(store).unwrap(), Vec::<std::path::PathBuf>::new());

    // Without its base a delta is nothing, and is made anew.
    std::fs::remove_dir_all(first.layers[0].parent().unwrap()).unwrap();
    assert_eq!(snapshot::find(store, &name(), &second.tree).unwrap(), None);
    let again = ground.make(&ground.head()).unwrap();
    assert_eq!(again.layers.len(), 1);
    same(&merged(&again), &ground.checked_out(&ground.head()));
}

/// For a jail without an overlay: of a full snapshot and of a delta, in a place of its
/// own, where git finds nothing changed and reads no file again.
#[test]
fn a_copy_is_the_same_and_git_believes_it() {
    let ground = Ground::new();
    many(&ground);
    ground.put(b"dir/a", b"one\n");
    symlink("dir/a", ground.work().join("link")).unwrap();
    let first = ground.commit();
    std::fs::remove_dir_all(ground.work().join("dir")).unwrap();
    ground.put(b"dir", b"a file now\n");
    ground.put(b"many/1", b"changed\n");
    let second = ground.commit();
    for (commit, layers) in [(first, 1), (second, 2)] {
        let snapshot = ground.make(&commit).unwrap();
        assert_eq!(snapshot.layers.len(), layers);
        let into = ground.world.path(&format!("copy-{layers}"));
        std::fs::create_dir(&into).unwrap();
        let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        let place = snapshot::Place { worktree: into.clone(), uid, gid };
        let copied = snapshot::copy(&snapshot, &into, &place, &casefile::repos::Silent).unwrap();
        let mut tree = crate::ground::Tree::new();
        crate::ground::read(&into, &[], &mut tree);
        same(&tree, &ground.checked_out(&commit));

        let wires = casefile::repos::wiring::Wires {
            head: commit.clone(),
            refs: vec![],
            objects: vec![ground.mirror().join("objects")],
            worktree: into.clone(),
            changed: None,
            shallow: vec![],
            origin: None,
        };
        casefile::repos::wiring::alone(&into.join(".git"), &wires, &copied.index).unwrap();
        // `diff-files` believes the index or does not, and reads no file to find out.
        for args in [&["diff-files"][..], &["status", "--porcelain"]] {
            let mut git = ground.world.program("git");
            git.args(args).current_dir(&into);
            assert_eq!(ground.world.finish(git).success().stdout, "", "{args:?}");
        }
    }
}
