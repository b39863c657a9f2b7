//! Whatever a jail has left in a directory, removing it takes all of that and
//! nothing else.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};

use super::{finish, remove};

/// A directory with one thing in it, and something outside that must survive.
struct World {
    dir: tempfile::TempDir,
    things: PathBuf,
}

const NAME: &str = "checkout-5xx-k7f2qa";

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let things = dir.path().join("home/cases");
        fs::create_dir_all(things.join(NAME).join("upper")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("outside/precious"), "kept").unwrap();
        Self { dir, things }
    }

    fn upper(&self) -> PathBuf {
        self.thing().join("upper")
    }

    fn thing(&self) -> PathBuf {
        self.things.join(NAME)
    }

    fn trash(&self) -> PathBuf {
        self.things.join(".trash")
    }

    #[track_caller]
    fn removes_it_and_nothing_else(self) {
        remove(&self.trash(), &self.thing()).unwrap();
        assert_eq!(names(&self.things), [".trash"]);
        assert_eq!(names(&self.trash()), [""; 0]);
        assert_eq!(fs::read(self.dir.path().join("outside/precious")).unwrap(), b"kept");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A chain of directories so deep that no path names its end, with a file there.
fn dig(top: &Path, depth: usize) {
    let dir = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let mut here = OwnedFd::from(fs::File::open(top).unwrap());
    for level in 0..depth {
        mkdirat(&here, "a-directory", Mode::S_IRWXU).unwrap();
        if level % 500 == 0 {
            openat(&here, "file", OFlag::O_CREAT, Mode::S_IRUSR).unwrap();
        }
        here = openat(&here, "a-directory", dir, Mode::empty()).unwrap();
    }
    openat(&here, "file", OFlag::O_CREAT, Mode::S_IRUSR).unwrap();
}

#[test]
fn names_and_kinds_of_every_sort() {
    let world = World::new();
    for name in [&b"new\nline"[..], b"caf\xe9", b"-rf", b" ", b"*", b"\x1b[2J", &[b'n'; 255]] {
        fs::write(world.upper().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    nix::unistd::mkfifo(&world.upper().join("fifo"), Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.upper().join("socket")).unwrap();
    world.removes_it_and_nothing_else();
}

#[test]
fn symlinks_are_removed_and_never_followed() {
    let world = World::new();
    let outside = world.dir.path().join("outside");
    symlink(&outside, world.upper().join("absolute")).unwrap();
    symlink("../../../../outside", world.upper().join("relative")).unwrap();
    symlink(outside.join("precious"), world.upper().join("file")).unwrap();
    symlink("loop", world.upper().join("loop")).unwrap();
    symlink("/", world.thing().join("work")).unwrap();
    world.removes_it_and_nothing_else();
}

#[test]
fn directories_that_nobody_may_enter() {
    let world = World::new();
    for (name, mode) in [("none", 0o000), ("read", 0o400), ("enter", 0o100), ("no-write", 0o500)] {
        let dir = world.upper().join(name);
        fs::create_dir_all(dir.join("deeper/deepest")).unwrap();
        fs::write(dir.join("deeper/file"), "x").unwrap();
        for dir in [dir.join("deeper/deepest"), dir.join("deeper"), dir] {
            fs::set_permissions(dir, PermissionsExt::from_mode(mode)).unwrap();
        }
    }
    fs::set_permissions(world.upper(), PermissionsExt::from_mode(0o000)).unwrap();
    world.removes_it_and_nothing_else();
}

#[test]
fn a_tree_that_is_deeper_than_any_path_is_long() {
    let world = World::new();
    dig(&world.upper(), 5_000);
    world.removes_it_and_nothing_else();
}

#[test]
fn a_directory_that_is_wide_at_every_level() {
    let world = World::new();
    for at in 0..3_000 {
        fs::create_dir(world.upper().join(format!("dir-{at}"))).unwrap();
        fs::write(world.upper().join(format!("file-{at}")), "").unwrap();
    }
    // More levels than stay open, each with siblings that are found again.
    let mut here = world.upper();
    for _ in 0..100 {
        for side in ["a", "b", "c"] {
            fs::create_dir(here.join(side)).unwrap();
        }
        here.push("b");
    }
    world.removes_it_and_nothing_else();
}

#[test]
fn a_hundred_thousand_entries() {
    let world = World::new();
    let file = world.upper().join("file");
    fs::write(&file, "x").unwrap();
    for at in 0..100_000 {
        // A link costs no inode. One file bears 65,000 of them.
        if at % 50_000 == 0 {
            fs::remove_file(&file).unwrap();
            fs::write(&file, "x").unwrap();
        }
        fs::hard_link(&file, world.upper().join(at.to_string())).unwrap();
    }
    world.removes_it_and_nothing_else();
}

#[test]
fn a_directory_is_emptied_and_stays() {
    let world = World::new();
    dig(&world.upper(), 50);
    super::empty(&world.thing()).unwrap();
    assert_eq!(names(&world.thing()), [""; 0]);
    super::empty(&world.things.join("nowhere")).unwrap();
    symlink(world.dir.path().join("outside"), world.things.join("link")).unwrap();
    super::empty(&world.things.join("link")).unwrap_err();
    assert_eq!(fs::read(world.dir.path().join("outside/precious")).unwrap(), b"kept");
}

#[test]
fn what_a_killed_removal_left_is_finished() {
    let world = World::new();
    fs::create_dir_all(world.trash().join("pay-abcdef/upper/deep")).unwrap();
    fs::create_dir_all(world.trash().join("not-an-id")).unwrap();
    fs::write(world.trash().join("a-file"), "x").unwrap();
    symlink(world.dir.path().join("outside"), world.trash().join("a-link")).unwrap();
    finish(&world.trash()).unwrap();
    assert_eq!(names(&world.trash()), [""; 0]);
    assert!(world.upper().is_dir(), "what is not in the trash was touched");
    world.removes_it_and_nothing_else();
}

#[test]
fn what_an_earlier_case_of_the_same_id_left_is_not_in_the_way() {
    let world = World::new();
    fs::create_dir_all(world.trash().join(NAME).join("upper")).unwrap();
    world.removes_it_and_nothing_else();
}

#[test]
fn what_somebody_is_taking_apart_is_left_to_them() {
    let world = World::new();
    let theirs = world.trash().join("pay-abcdef");
    fs::create_dir_all(theirs.join("upper")).unwrap();
    let held = Flock::lock(fs::File::open(&theirs).unwrap(), FlockArg::LockExclusive).unwrap();
    finish(&world.trash()).unwrap();
    assert!(theirs.join("upper").is_dir());
    drop(held);
    finish(&world.trash()).unwrap();
    assert!(!theirs.exists());
}

#[test]
fn no_trash_is_made_to_find_nothing_in_it() {
    let world = World::new();
    finish(&world.trash()).unwrap();
    finish(&world.dir.path().join("nowhere")).unwrap();
    assert_eq!(names(&world.things), [NAME]);
}
