//! The `.git` of a world: plain files that make git work over a snapshot.
//!
//! ```text
//! HOME/store/wirings/<repo>/<key>/.git/HEAD                      the commit, on no branch
//!                                     /config                    quick, and without surprises
//!                                     /index                     the snapshot's own
//!                                     /packed-refs               the names that the case sees
//!                                     /objects/info/alternates   the mirror, as the world shows it
//!                                     /shallow                   where the history ends
//! ```
//!
//! It is a layer of its own, over the snapshot and under what the case writes, and it
//! is shared by all cases that want the same: its key is a digest of all that is in it.
//! The index is a hard link, because it is large. It is the one file that is written
//! for one place of the working tree; elsewhere (a submodule's) a wiring has its own.
//!
//! There is no `info/exclude`. The index says that there was none, and git would
//! otherwise read every directory again.

#![expect(clippy::disallowed_methods, reason = "the store is the host's own; no jail can write it")]

mod files;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::beside::{self, Beside};
use super::index::{self, BadIndex};
use super::snapshot::{Snapshot, place};
use super::{Progress, Shared, Store};
use crate::case::{CommitId, RepoName};
use crate::disk::{self, DiskError, Holder};
use crate::hint::Hint;

/// Counted up when the same wires are laid otherwise.
const FORMAT: u32 = 2;

/// All that differs between the `.git` of one world and of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wires {
    pub head: CommitId,
    /// Full names, what they are, and what an annotated tag leads to.
    pub refs: Vec<(String, CommitId, Option<CommitId>)>,
    /// Directories of objects, as the world names them.
    pub objects: Vec<PathBuf>,
    /// The working tree, as the world names it.
    pub worktree: PathBuf,
    /// The program that says what has changed, as the world names it.
    pub changed: Option<PathBuf>,
    /// Commits whose parents are not there.
    pub shallow: Vec<CommitId>,
    /// Where the repository was fetched from, for whoever reads `git remote -v`.
    pub origin: Option<String>,
}

/// A wiring as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub path: PathBuf,
    pub repo: RepoName,
    pub key: String,
}

/// A wiring could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WiringError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("cannot use the index `{}`", path.display())]
    Index { path: PathBuf, source: BadIndex },
    #[error("a name or place for git has a line break in it: `{}`", text.escape_debug())]
    LineBreak { text: String },
}

impl Hint for WiringError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Disk(error) => error.hint(),
            Self::Index { .. } => {
                Some("Remove the snapshot that it belongs to; the next case makes it anew.".into())
            }
            Self::LineBreak { .. } => None,
        }
    }
}

/// The directory with the `.git` of `wires` over `snapshot`. Finds it, if it is there.
pub fn make(
    store: &Shared,
    name: &RepoName,
    snapshot: &Snapshot,
    wires: &Wires,
    holder: &Holder,
    progress: &dyn Progress,
) -> Result<PathBuf, WiringError> {
    let dir = store.store.wirings(name);
    let key = key(snapshot, wires);
    let found = dir.join(&key);
    // The index of a snapshot that was made anew is another file.
    if is_of(&found, name, snapshot, &wires.worktree) {
        return Ok(found);
    }
    let beside = Beside::begin(&dir, &key, holder, progress)?;
    if is_of(&found, name, snapshot, &wires.worktree) {
        return Ok(found);
    }
    let building = beside.make()?;
    open_to_all(building)?;
    lay(&building.join(".git"), name, snapshot, wires)?;
    if found.exists() {
        let trash = store.store.trash();
        disk::directory(&trash)?;
        let into = tempfile::Builder::new().prefix("wiring-").tempdir_in(&trash);
        let into = into.map_err(DiskError::io("create", &trash))?.keep();
        fs::rename(&found, into.join(&key)).map_err(DiskError::io("move", &found))?;
    }
    beside.place()?;
    Ok(found)
}

/// The wiring called `key`, if it is there and of this snapshot, as it is now.
pub fn find(
    store: &Store,
    name: &RepoName,
    key: &str,
    snapshot: &Snapshot,
    worktree: &Path,
) -> Option<PathBuf> {
    let found = store.wirings(name).join(key);
    is_of(&found, name, snapshot, worktree).then_some(found)
}

/// What this question came to when it was asked before.
pub fn recall(store: &Store, name: &RepoName, question: &str) -> Option<String> {
    let key = fs::read_to_string(store.wirings(name).join(asked(question))).ok()?;
    // It becomes a part of a path.
    key.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(key)
}

/// Remembers it. Nothing is lost but time if that fails.
pub fn remember(store: &Store, name: &RepoName, question: &str, key: &str) {
    let _ = disk::replace(&store.wirings(name).join(asked(question)), key.as_bytes());
}

/// Forgets what came to wirings that are gone.
pub fn forget(store: &Store) -> Result<(), DiskError> {
    for (_, dir) in repos(store)? {
        for name in beside::names(&dir)?.iter().filter(|name| name.starts_with(ASKED)) {
            let path = dir.join(name);
            let key = fs::read_to_string(&path).unwrap_or_default();
            if key.is_empty() || !disk::stands(&dir.join(key)) {
                disk::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

/// How the name of a file begins that holds an answer.
const ASKED: &str = ".asked-";

fn asked(question: &str) -> String {
    let digest = Sha256::digest(question.as_bytes());
    format!("{ASKED}{}", base16ct::lower::encode_string(&digest[..20]))
}

/// Lays the same files for one case alone: for a working tree that is a copy, with
/// `index` its own.
pub fn alone(git: &Path, wires: &Wires, index: &[u8]) -> Result<(), WiringError> {
    files::write(git, wires)?;
    let path = git.join("index");
    fs::write(&path, index).map_err(DiskError::io("write", &path))?;
    Ok(())
}

/// Every wiring of the store.
pub fn list(store: &Store) -> Result<Vec<Stored>, DiskError> {
    let mut found = Vec::new();
    for (repo, dir) in repos(store)? {
        for key in beside::names(&dir)?.into_iter().filter(|key| !key.starts_with('.')) {
            found.push(Stored { path: dir.join(&key), repo: repo.clone(), key });
        }
    }
    Ok(found)
}

/// What was being made when its maker was killed. The caller has the store alone.
pub fn leftovers(store: &Store) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = Vec::new();
    for (_, dir) in repos(store)? {
        found.extend(beside::leftovers(&dir)?);
    }
    Ok(found)
}

fn repos(store: &Store) -> Result<Vec<(RepoName, PathBuf)>, DiskError> {
    let names = beside::names(&store.path().join("wirings"))?;
    let names = names.iter().filter_map(|name| RepoName::parse(name).ok());
    Ok(names.map(|name| (name.clone(), store.wirings(&name))).collect())
}

fn lay(git: &Path, name: &RepoName, snapshot: &Snapshot, wires: &Wires) -> Result<(), WiringError> {
    files::write(git, wires)?;
    let path = git.join("index");
    if wires.worktree == place(name) && fs::hard_link(&snapshot.index, &path).is_ok() {
        return Ok(());
    }
    // A file has only so many links on some file systems, and another place its own.
    let bytes = fs::read(&snapshot.index).map_err(DiskError::io("read", &snapshot.index))?;
    let moved = index::moved(&bytes, wires.worktree.as_os_str().as_bytes())
        .map_err(|source| WiringError::Index { path: snapshot.index.clone(), source })?;
    fs::write(&path, moved).map_err(DiskError::io("write", &path))?;
    Ok(())
}

/// Whether the wiring at `found` is there, with the index that the snapshot has now.
fn is_of(found: &Path, name: &RepoName, snapshot: &Snapshot, worktree: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(there) = fs::symlink_metadata(found.join(".git/index")) else { return false };
    let Ok(index) = fs::symlink_metadata(&snapshot.index) else { return false };
    if worktree == place(name) && there.ino() == index.ino() {
        return true;
    }
    // Its own: made later than the snapshot's, of the same length but for the place.
    let place = place(name).as_os_str().len() as u64;
    (index.mtime(), index.mtime_nsec()) <= (there.mtime(), there.mtime_nsec())
        && there.len().abs_diff(index.len())
            <= place.abs_diff(worktree.as_os_str().len() as u64) + 8
}

fn key(snapshot: &Snapshot, wires: &Wires) -> String {
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add(&FORMAT.to_le_bytes());
    add(snapshot.tree.as_str().as_bytes());
    add(wires.head.as_str().as_bytes());
    add(&(wires.refs.len() as u64).to_le_bytes());
    for (name, id, peeled) in &wires.refs {
        add(name.as_bytes());
        add(id.as_str().as_bytes());
        add(peeled.as_ref().map_or("", CommitId::as_str).as_bytes());
    }
    add(&(wires.objects.len() as u64).to_le_bytes());
    for dir in &wires.objects {
        add(dir.as_os_str().as_bytes());
    }
    add(wires.worktree.as_os_str().as_bytes());
    add(wires.changed.as_ref().map_or(&b""[..], |path| path.as_os_str().as_bytes()));
    add(&(wires.shallow.len() as u64).to_le_bytes());
    for id in &wires.shallow {
        add(id.as_str().as_bytes());
    }
    add(wires.origin.as_deref().unwrap_or_default().as_bytes());
    base16ct::lower::encode_string(&digest.finalize()[..20])
}

fn open_to_all(dir: &Path) -> Result<(), DiskError> {
    let mode: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(dir, mode).map_err(DiskError::io("write", dir))
}
