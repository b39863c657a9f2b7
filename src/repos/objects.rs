//! Reading objects of a mirror: trees and blobs by their id, for one thread.

use std::path::Path;
use std::sync::Once;

use super::loose::Loose;
use git2::{ErrorCode, Odb, OdbLookupFlags, Oid, Repository};

/// An object could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    #[error("it is not in the mirror")]
    Missing,
    #[error("it cannot be read")]
    Damaged { source: git2::Error },
    #[error("it is not what a tree looks like")]
    NotATree,
    #[error("its file is damaged")]
    Cut { source: std::io::Error },
}

/// A line of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TreeLine {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) id: Oid,
}

/// What a line of a tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Program,
    Link,
    Tree,
    /// The commit of a submodule.
    Module,
}

/// The objects of a mirror and of what it borrows from.
pub(super) struct Objects<'repo> {
    odb: Odb<'repo>,
    loose: Loose,
}

/// Opens a mirror, and nothing around it.
pub(super) fn open(mirror: &Path) -> Result<Repository, git2::Error> {
    // The digest of every object would be as dear as all the rest, and is git's work
    // when it fetches. What a bad disk does is found by the sums of the packing.
    git2::opts::strict_hash_verification(false);
    WINDOWS.call_once(small_windows);
    Repository::open_bare(mirror)
}

static WINDOWS: Once = Once::new();

/// How much of the packs is in sight at once. libgit2 would otherwise have all of a
/// pack mapped, and all of it counts as this process's memory.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;
const WINDOWS_BYTES: usize = 64 * 1024 * 1024;

#[expect(unsafe_code, reason = "the bindings have no other way to say it")]
fn small_windows() {
    // SAFETY: these set two numbers, which libgit2 reads while it holds a lock. They are
    // not atomic, so nobody may open a pack meanwhile: this runs once, before the first
    // repository is opened for its blobs, and whoever opens one waits for it.
    let outcome = unsafe {
        git2::opts::set_mwindow_size(WINDOW_BYTES)
            .and_then(|()| git2::opts::set_mwindow_mapped_limit(WINDOWS_BYTES))
    };
    // It works without, and takes more memory.
    drop(outcome);
}

impl<'repo> Objects<'repo> {
    pub(super) fn of(repo: &'repo Repository) -> Result<Self, git2::Error> {
        Ok(Self { odb: repo.odb()?, loose: Loose::of(&repo.path().join("objects")) })
    }

    pub(super) fn has(&self, id: Oid) -> bool {
        self.odb.exists_ext(id, OdbLookupFlags::NO_REFRESH)
    }

    /// Hands the bytes of an object to `take`.
    pub(super) fn blob<T>(&self, id: Oid, take: impl FnOnce(&[u8]) -> T) -> Result<T, ObjectError> {
        if let Some(bytes) = self.loose.read(id) {
            return bytes.map(|bytes| take(&bytes)).map_err(|source| ObjectError::Cut { source });
        }
        let object = self.odb.read(id).map_err(explain)?;
        Ok(take(object.data()))
    }

    /// The lines of a tree, in their order.
    pub(super) fn tree(&self, id: Oid) -> Result<Vec<TreeLine>, ObjectError> {
        self.blob(id, lines)?.ok_or(ObjectError::NotATree)
    }
}

fn explain(error: git2::Error) -> ObjectError {
    if error.code() == ErrorCode::NotFound {
        return ObjectError::Missing;
    }
    ObjectError::Damaged { source: error }
}

fn lines(mut bytes: &[u8]) -> Option<Vec<TreeLine>> {
    let mut lines: Vec<TreeLine> = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let mode = std::str::from_utf8(&bytes[..space]).ok()?;
        let mode = u32::from_str_radix(mode, 8).ok()?;
        let rest = &bytes[space + 1..];
        let end = rest.iter().position(|byte| *byte == 0)?;
        let id = rest.get(end + 1..end + 21)?;
        bytes = &rest[end + 21..];
        let line = TreeLine {
            name: rest[..end].into(),
            kind: Kind::of(mode)?,
            id: Oid::from_bytes(id).ok()?,
        };
        // Out of order, git could not find a name in it, nor could we.
        if lines.last().is_some_and(|last| !last.order().lt(line.order())) {
            return None;
        }
        lines.push(line);
    }
    Some(lines)
}

impl TreeLine {
    /// Directories are ordered as if their names ended with a slash.
    fn order(&self) -> impl Iterator<Item = u8> {
        self.name.iter().copied().chain((self.kind == Kind::Tree).then_some(b'/'))
    }
}

impl Kind {
    fn of(mode: u32) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o100_000 if mode & 0o100 != 0 => Self::Program,
            0o100_000 => Self::File,
            0o120_000 => Self::Link,
            0o040_000 => Self::Tree,
            0o160_000 => Self::Module,
            _ => return None,
        })
    }

    /// The mode that an index has for it.
    pub(super) fn mode(self) -> u32 {
        match self {
            Self::File => 0o100_644,
            Self::Program => 0o100_755,
            Self::Link => 0o120_000,
            Self::Tree => 0o040_000,
            Self::Module => super::index::MODE_MODULE,
        }
    }
}
