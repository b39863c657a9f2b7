//! Snapshots: the tree of a commit on disk, made once, shared, never changed.
//!
//! ```text
//! HOME/store/snapshots/<repo>/<tree id>/files/   the tree, or what differs from a base
//!                                      /index    git's index of the whole tree
//!                                      /about    what this is; written last
//! ```
//!
//! A snapshot is full, or a delta over one full snapshot of the same repository: the
//! files that differ, and whiteouts for those that are gone. An overlay puts the two
//! together. Chains are never longer, so that looking a file up stays cheap and what
//! needs what is plain: [`list`] says it, for whoever collects garbage.
//!
//! A file is what `git checkout` writes with no configuration: line ends as the tree's
//! own `.gitattributes` say, and no filter is run. What that leaves undone is in
//! [`Snapshot::notes`].
//!
//! Nothing is synced. What a kill leaves is never taken for a snapshot, because the
//! directory has its name only when all is written; what a power cut can take from one
//! is found before it is used again (`about.rs`).

#![expect(clippy::disallowed_methods, reason = "the store is the host's own; no jail can write it")]

mod about;
mod attributes;
mod build;
mod compare;
mod copy;
mod error;
mod finish;
mod names;
mod pattern;
mod reach;
mod write;

use std::path::{Path, PathBuf};

use about::{About, FILES, INDEX};
pub use build::make;
pub use copy::{Copied, How, Place, copy};
pub use error::{MissingObject, SnapshotError};

use super::Store;
use super::beside;
use super::objects::{self, Objects};
use crate::case::{CommitId, RepoName, TreeId};
use crate::disk::DiskError;

/// A tree that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub tree: TreeId,
    /// The directories that make it up, the topmost first.
    pub layers: Vec<PathBuf>,
    /// git's index of it, for a working tree at [`place`].
    pub index: PathBuf,
    /// What its reader should know: files that a filter would have changed, say.
    pub notes: Vec<String>,
    /// Where submodules belong, and at which commit.
    pub submodules: Vec<(Vec<u8>, CommitId)>,
}

/// A snapshot as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub path: PathBuf,
    pub repo: RepoName,
    pub tree: TreeId,
    /// The full snapshot that it needs, if it is a delta.
    pub base: Option<TreeId>,
    /// What it takes up, about.
    pub bytes: u64,
    pub files: u64,
}

/// Where the working tree of a repository is in a world, unless it is a submodule.
pub fn place(name: &RepoName) -> PathBuf {
    Path::new("/case/repos").join(name.as_str())
}

/// The snapshot of `tree`, if it is there and whole.
pub fn find(
    store: &Store,
    name: &RepoName,
    tree: &TreeId,
) -> Result<Option<Snapshot>, SnapshotError> {
    let all = store.snapshots(name);
    let dir = all.join(tree.as_str());
    let Some(about) = About::read(&dir)? else { return Ok(None) };
    let base = about.base.as_ref().map(|base| all.join(base.as_str()));
    if let Some(base) = &base {
        let Some(below) = About::read(base)? else { return Ok(None) };
        if below.base.is_some() || !below.holds(base, None)? {
            return Ok(None);
        }
    }
    let base = base.map(|base| base.join(FILES));
    if about.tree != *tree || !about.holds(&dir, base.as_deref())? {
        return Ok(None);
    }
    Ok(Some(Snapshot {
        tree: about.tree,
        layers: std::iter::once(dir.join(FILES)).chain(base).collect(),
        index: dir.join(INDEX),
        notes: about.notes,
        submodules: about
            .modules
            .into_iter()
            .map(|module| (module.path.into_bytes(), module.commit))
            .collect(),
    }))
}

/// The tree of a commit.
pub fn tree_of(mirror: &Path, commit: &CommitId) -> Result<TreeId, SnapshotError> {
    let repo = open(mirror)?;
    let unreadable = |source| SnapshotError::Commit { commit: commit.clone(), source };
    let id = git2::Oid::from_str(commit.as_str()).map_err(unreadable)?;
    let tree = repo.find_commit(id).map_err(unreadable)?.tree_id();
    build::tree_id(tree)
}

/// What the mirror lacks of a commit's tree, as a partial clone does. A tree that is
/// lacking is the only one named, since nobody knows what is below it.
pub fn missing(mirror: &Path, commit: &CommitId) -> Result<Vec<MissingObject>, SnapshotError> {
    let tree = tree_of(mirror, commit)?;
    let repo = open(mirror)?;
    let objects = Objects::of(&repo).map_err(unreadable(mirror))?;
    match compare::compare(&objects, build::oid(tree.as_str())?, None) {
        Ok(plan) => Ok(plan.iter().flat_map(|plan| write::missing(&objects, &plan.acts)).collect()),
        Err(SnapshotError::Missing { objects }) => Ok(objects),
        Err(error) => Err(error),
    }
}

/// Every snapshot of the store.
pub fn list(store: &Store) -> Result<Vec<Stored>, DiskError> {
    let mut found = Vec::new();
    for (repo, dir) in repos(store)? {
        for tree in beside::names(&dir)? {
            let path = dir.join(&tree);
            let Ok(tree) = TreeId::parse(&tree) else { continue };
            let about = About::read(&path)?;
            found.push(Stored {
                repo: repo.clone(),
                tree,
                base: about.as_ref().and_then(|about| about.base.clone()),
                bytes: about.as_ref().map_or(0, |about| about.bytes),
                files: about.as_ref().map_or(0, |about| about.files),
                path,
            });
        }
    }
    Ok(found)
}

/// What builds that were killed have left. The caller has the store alone.
pub fn leftovers(store: &Store) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = Vec::new();
    for (_, dir) in repos(store)? {
        found.extend(beside::leftovers(&dir)?);
    }
    Ok(found)
}

fn repos(store: &Store) -> Result<Vec<(RepoName, PathBuf)>, DiskError> {
    let names = beside::names(&store.path().join("snapshots"))?;
    let repos = names.iter().filter_map(|name| RepoName::parse(name).ok());
    Ok(repos
        .map(|name| {
            let dir = store.snapshots(&name);
            (name, dir)
        })
        .collect())
}

fn open(mirror: &Path) -> Result<git2::Repository, SnapshotError> {
    objects::open(mirror).map_err(unreadable(mirror))
}

fn unreadable(mirror: &Path) -> impl Fn(git2::Error) -> SnapshotError + '_ {
    move |source| SnapshotError::Mirror { path: mirror.into(), source }
}
