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

/// Takes the object that a path stands for out of the repository.
fn lose(ground: &Ground, path: &str) {
    let id = ground.git(&["rev-parse", path]);
    let object = ground.mirror().join("objects").join(&id[..2]).join(&id[2..]);
    std::fs::remove_file(object).unwrap();
}

#[test]
fn a_few_missing_blobs_are_left_out_and_named() {
    // Alone, and over a tree that has another file in that place.
    for over in [false, true] {
        left_out(over);
    }
}

fn left_out(over: bool) {
    let ground = Ground::new();
    for at in 0..400 {
        ground.put(format!("dir/f{at}").as_bytes(), format!("{at}\n").as_bytes());
    }
    ground.put(b"dir/gone", b"there at first\n");
    let base = ground.commit();
    ground.put(b"dir/gone", b"gone\n");
    ground.put(b"link", b"also gone\n");
    let commit = ground.commit();
    lose(&ground, "HEAD:dir/gone");
    lose(&ground, "HEAD:link");
    if over {
        ground.make(&base).unwrap();
    }
    let snapshot = ground.make(&commit).unwrap();
    assert_eq!(snapshot.layers.len(), 1 + usize::from(over));
    let tree = merged(&snapshot);
    assert!(tree.contains_key(&b"dir/f399"[..]));
    assert!(!tree.contains_key(&b"dir/gone"[..]) && !tree.contains_key(&b"link"[..]));
    let want = "2 files are not there, since the mirror lacks them: `dir/gone`, `link`";
    assert_eq!(snapshot.notes, [want]);
    // git does not take them for deleted, and does not commit that they are.
    let layers: Vec<_> =
        [ground.wire(&snapshot, &commit, None)].into_iter().chain(snapshot.layers).collect();
    let script = "git status -s; git add -A; git status -s; echo x > dir/f1; git status -s";
    assert_eq!(crate::overlay::in_world(&ground, &layers, script), " M dir/f1\n");
}

#[test]
fn many_missing_blobs_are_named_and_nothing_is_left() {
    let ground = Ground::new();
    for at in 0..30 {
        ground.put(format!("dir/f{at:02}").as_bytes(), format!("{at}\n").as_bytes());
    }
    let commit = ground.commit();
    for at in 0..21 {
        lose(&ground, &format!("HEAD:dir/f{at:02}"));
    }
    let error = ground.make(&commit).unwrap_err();
    assert!(error.to_string().starts_with("the mirror lacks 21 objects, first "), "{error}");
    let missing = casefile::repos::snapshot::missing(&ground.mirror(), &commit).unwrap();
    assert_eq!((missing.len(), &missing[20].path[..]), (21, &b"dir/f20"[..]));
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

#[test]
fn a_corrupt_object_is_named() {
    let ground = Ground::new();
    ground.put(b"dir/bad", b"some text that will be damaged\n");
    let commit = ground.commit();
    let id = ground.git(&["rev-parse", "HEAD:dir/bad"]);
    let object = ground.mirror().join("objects").join(&id[..2]).join(&id[2..]);
    std::fs::set_permissions(&object, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut bytes = std::fs::read(&object).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&object, bytes).unwrap();
    let error = ground.make(&commit).unwrap_err().to_string();
    assert_eq!(error, format!("cannot read {id}, which is `dir/bad`"));
    let left = std::fs::read_dir(ground.store.store.snapshots(&crate::ground::name())).unwrap();
    assert_eq!(left.count(), 0);
}

/// Longer than the kernel takes a path, and deeper than a process has files.
#[test]
fn a_tree_may_be_deeper_than_any_path() {
    let ground = Ground::new();
    let name = "a-directory-of-a-long-name";
    let depth = 1500;
    let path = [vec![name; depth].join("/"), "file".into()].join("/");
    let stream = format!(
        "commit refs/heads/main\ncommitter a <a@example.com> 1700000000 +0000\ndata 1\nx\n\
         M 100644 inline {path}\ndata 5\ndeep\n\n"
    );
    std::fs::write(ground.work().join("stream"), stream).unwrap();
    let mut import = ground.world.program("sh");
    import.args(["-c", "git fast-import --quiet --force < stream"]);
    let _ = ground.world.finish(import).success();
    let snapshot = ground.make(&ground.head()).unwrap();
    let script = format!(
        "ulimit -n 256; i=0; while [ $i -lt {depth} ]; do cd -P {name} 2>/dev/null || cd {name}; i=$((i+1)); done; cat file"
    );
    let mut shell = ground.world.program("sh");
    shell.args(["-ec", &script]).current_dir(&snapshot.layers[0]);
    assert_eq!(ground.world.finish(shell).success().stdout, "deep\n");
    // It can be removed again, with its index.
    std::fs::remove_dir_all(snapshot.layers[0].parent().unwrap()).unwrap();
}

/// Two processes that want the same snapshot, and one that is killed at any moment.
#[test]
fn makers_meet_and_die_and_nothing_is_torn() {
    let ground = Ground::new();
    for at in 0..3000 {
        ground.put(format!("d{}/f{at}", at % 50).as_bytes(), format!("{at}\n").as_bytes());
    }
    let commit = ground.commit();
    let want = ground.checked_out(&commit);
    let dir = ground.store.store.snapshots(&crate::ground::name());
    let maker = || {
        let mut command = ground.world.program(crate::common::this_program());
        command.args(["--exact", "strange::makes_one_for_another_test", "--nocapture"]);
        command.env(MAKE, format!("{}\n{commit}", ground.world.path("").display()));
        command.spawn().unwrap()
    };
    for turn in 0..24 {
        let mut child = maker();
        std::thread::sleep(std::time::Duration::from_millis(5 * turn));
        child.kill().unwrap();
        child.wait().unwrap();
        let tree = ground.git(&["rev-parse", "HEAD^{tree}"]);
        if dir.join(&tree).exists() {
            same(&merged(&ground.make(&commit).unwrap()), &want);
            std::fs::remove_dir_all(dir.join(&tree)).unwrap();
        }
    }
    let mut makers: Vec<_> = (0..3).map(|_| maker()).collect();
    for child in &mut makers {
        assert!(child.wait().unwrap().success());
    }
    same(&merged(&ground.make(&commit).unwrap()), &want);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1, "something was left");
}

/// Set for a child that is to make a snapshot: where, and of which commit.
const MAKE: &str = "CASEFILE_TEST_MAKE";

#[test]
fn makes_one_for_another_test() {
    let Ok(what) = std::env::var(MAKE) else { return };
    let (world, commit) = what.split_once('\n').unwrap();
    let world = std::path::Path::new(world);
    let home = casefile::case::Home::new(world.join("state/casefile"));
    let store = casefile::repos::Store::of(&home).share().unwrap();
    let commit = casefile::case::CommitId::parse(commit).unwrap();
    let (name, holder) = (crate::ground::name(), crate::ground::holder());
    let mirror = world.join("work/.git");
    let silent = casefile::repos::Silent;
    casefile::repos::snapshot::make(&store, &name, &mirror, &commit, &holder, &silent).unwrap();
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left_half() {
    let ground = Ground::new();
    for at in 0..200 {
        ground.put(format!("f{at}").as_bytes(), &vec![b'x'; 20_000]);
    }
    let commit = ground.commit();
    let program = crate::common::this_program().display();
    // A store on a file system of a megabyte, in which the same program makes one.
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=755 none {0}/state; mkdir {0}/state/casefile; \
         {program} --exact strange::makes_one_for_another_test --nocapture 2>&1 || true; \
         echo LEFT; find {0}/state/casefile -name '.building*' -o -name '.lock-*'",
        ground.world.path("").display(),
    );
    let mut shell = crate::ground::shell(&ground.world, &script);
    shell.env(MAKE, format!("{}\n{commit}", ground.world.path("").display()));
    let said = ground.world.finish(shell).success().stdout;
    assert!(said.contains("StorageFull"), "{said}");
    assert_eq!(said.split_once("LEFT\n").unwrap().1, "", "{said}");
}

/// A power cut is a later run of the machine, and files that have lost their bytes.
#[test]
fn what_a_power_cut_took_is_noticed() {
    let ground = Ground::new();
    ground.put(b"dir/f", b"precious");
    ground.put(b"g", b"g");
    let commit = ground.commit();
    let want = ground.checked_out(&commit);
    let snapshot = ground.make(&commit).unwrap();
    let dir = snapshot.layers[0].parent().unwrap();
    let about = std::fs::read_to_string(dir.join("about")).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let earlier = about.replace(boot.trim(), "an earlier run");
    assert_ne!(about, earlier);

    std::fs::write(dir.join("about"), &earlier).unwrap();
    let find = || {
        let store = &ground.store.store;
        casefile::repos::snapshot::find(store, &crate::ground::name(), &snapshot.tree).unwrap()
    };
    assert_eq!(find(), Some(snapshot.clone()));
    assert!(dir.join("passed").exists(), "it is looked through once");

    std::fs::remove_file(dir.join("passed")).unwrap();
    std::fs::write(snapshot.layers[0].join("dir/f"), "").unwrap();
    assert_eq!(find(), None);
    same(&merged(&ground.make(&commit).unwrap()), &want);
}
