//! A store and a repository to try things on.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use casefile::case::{CommitId, Home, RepoName};
use casefile::disk::Holder;
use casefile::repos::snapshot::{self, Snapshot, SnapshotError};
use casefile::repos::wiring::{self, Wires};
use casefile::repos::{Shared, Silent, Store};

use crate::common::World;

/// A repository that `git` works in, and a store that knows it as `it`.
pub struct Ground {
    pub world: World,
    pub store: Shared,
}

/// All there is to compare of a file: its mode, and its bytes or where it leads.
pub type Tree = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

impl Ground {
    pub fn new() -> Self {
        let world = World::new();
        let home = Home::new(world.path("state/casefile"));
        let ground = Self { store: Store::of(&home).share().unwrap(), world };
        ground.git(&["init", "-q", "-b", "main", "."]);
        ground
    }

    pub fn work(&self) -> PathBuf {
        self.world.path("work")
    }

    /// Runs git in the repository, and returns what it says.
    pub fn git(&self, args: &[&str]) -> String {
        let mut command = self.world.program("git");
        command.args(args);
        let out = command.output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
    }

    /// Writes a file, with the directories that it needs.
    pub fn put(&self, path: &[u8], bytes: &[u8]) {
        let path = self.work().join(OsStr::from_bytes(path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn commit(&self) -> CommitId {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "a step"]);
        self.head()
    }

    pub fn head(&self) -> CommitId {
        CommitId::parse(&self.git(&["rev-parse", "HEAD"])).unwrap()
    }

    pub fn mirror(&self) -> PathBuf {
        self.world.path("work/.git")
    }

    pub fn make(&self, commit: &CommitId) -> Result<Snapshot, SnapshotError> {
        snapshot::make(&self.store, &name(), &self.mirror(), commit, &holder(), &Silent)
    }

    /// A wiring as a world of these directories would have it.
    pub fn wire(&self, snapshot: &Snapshot, commit: &CommitId, hook: Option<&Path>) -> PathBuf {
        let wires = Wires {
            head: commit.clone(),
            refs: vec![("refs/heads/main".into(), commit.clone(), None)],
            objects: vec![self.mirror().join("objects")],
            worktree: PathBuf::from("/mnt/case"),
            changed: hook.map(Path::to_path_buf),
            shallow: vec![],
            origin: Some("https://example.com/it.git".into()),
        };
        wiring::make(&self.store, &name(), snapshot, &wires, &holder(), &Silent).unwrap()
    }

    /// What `git worktree add` makes of a commit.
    pub fn checked_out(&self, commit: &CommitId) -> Tree {
        let place = self.world.path("plain");
        let place_text = place.to_str().unwrap();
        let args = ["-c", "core.autocrlf=false", "worktree", "add", "-q", "--detach", "-f"];
        self.git(&[&args[..], &[place_text, commit.as_str()]].concat());
        let mut tree = Tree::new();
        read(&place, &[], &mut tree);
        tree.remove(&b".git"[..]);
        self.git(&["worktree", "remove", "-f", place_text]);
        tree
    }
}

pub fn name() -> RepoName {
    RepoName::parse("it").unwrap()
}

pub fn holder() -> Holder {
    Holder {
        pid: std::process::id(),
        command: "a test".into(),
        since: "2026-03-01T03:12:00Z".parse().unwrap(),
    }
}

/// The tree that an overlay of these layers shows.
pub fn merged(snapshot: &Snapshot) -> Tree {
    let mut tree = Tree::new();
    for layer in snapshot.layers.iter().rev() {
        let mut above = Tree::new();
        read(layer, &[], &mut above);
        for (path, (mode, bytes)) in above {
            let below = [&path[..], b"/"].concat();
            if mode & libc::S_IFMT != libc::S_IFDIR {
                tree.retain(|old, _| !old.starts_with(&below));
            }
            if mode & libc::S_IFMT == libc::S_IFCHR {
                tree.remove(&path);
            } else {
                tree.insert(path, (mode, bytes));
            }
        }
    }
    tree
}

/// Everything below `dir`, by path. Goes down step by step, as a path may be too long
/// for the kernel.
pub fn read(dir: &Path, path: &[u8], into: &mut Tree) {
    let mut names: Vec<Vec<u8>> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_vec())
        .collect();
    names.sort();
    for name in names {
        let place = dir.join(OsStr::from_bytes(&name));
        let path = if path.is_empty() { name } else { [path, b"/", &name].concat() };
        let about = std::fs::symlink_metadata(&place).unwrap();
        let bytes = match about.mode() & libc::S_IFMT {
            libc::S_IFREG => std::fs::read(&place).unwrap(),
            libc::S_IFLNK => std::fs::read_link(&place).unwrap().into_os_string().into_vec(),
            libc::S_IFDIR => {
                read(&place, &path, into);
                Vec::new()
            }
            _ => Vec::new(),
        };
        into.insert(path, (about.mode(), bytes));
    }
}

/// Only the names and modes, for a message.
pub fn names(tree: &Tree) -> Vec<String> {
    tree.iter()
        .map(|(path, (mode, bytes))| format!("{mode:o} {} {}", bytes.len(), path.escape_ascii()))
        .collect()
}

pub fn same(got: &Tree, want: &Tree) {
    assert_eq!(names(got), names(want));
    for (path, (_, bytes)) in want {
        assert_eq!(
            got[path].1.escape_ascii().to_string(),
            bytes.escape_ascii().to_string(),
            "{}",
            path.escape_ascii()
        );
    }
}

/// Runs a shell in a mount and user namespace of its own, as that user.
pub fn shell(world: &World, script: &str) -> Command {
    let mut command = world.program("unshare");
    command.args(["-Urm", "--propagation", "private", "sh", "-euc", script]);
    command
}
