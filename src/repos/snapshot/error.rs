//! Why a snapshot could not be had.

use std::path::{Path, PathBuf};

use crate::case::{CommitId, TreeId};
use crate::disk::DiskError;
use crate::hint::Hint;
use crate::repos::index::BadIndex;
use crate::repos::objects::ObjectError;

/// A snapshot could not be made or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("cannot read the mirror `{}`", path.display())]
    Mirror { path: Box<Path>, source: git2::Error },
    #[error("cannot read the commit {}", commit.short())]
    Commit { commit: CommitId, source: git2::Error },
    #[error("cannot read {id}, which is `{path}`")]
    Object { id: String, path: String, source: ObjectError },
    #[error("{}", lacks(objects))]
    Missing { objects: Vec<MissingObject> },
    #[error("git does not check out `{path}`: {why}")]
    Refused { path: String, why: &'static str },
    #[error("cannot use the index `{}`", path.display())]
    Index { path: PathBuf, source: BadIndex },
    #[error("{id} is not the id of an object")]
    Id { id: String, source: git2::Error },
    #[error("the snapshot of {} went away while it was made", tree.as_str())]
    Vanished { tree: TreeId },
    #[error("a thread that writes files ended early")]
    Thread,
}

/// An object that a mirror should have and has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingObject {
    pub id: String,
    /// Where it belongs in the tree.
    pub path: Vec<u8>,
}

impl Hint for SnapshotError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Disk(error) => return error.hint(),
            Self::Mirror { .. } | Self::Commit { .. } => {
                "Fetch it again with `casefile repo fetch`."
            }
            Self::Missing { .. } => {
                "Fetch it again with `casefile repo fetch`, or complete the checkout it is of."
            }
            Self::Object { .. } => {
                "See what is damaged with `git fsck` in the mirror, then remove and add it again."
            }
            Self::Index { .. } => "Remove its directory; the next case makes it anew.",
            Self::Refused { .. } => "Open the case at another commit.",
            Self::Vanished { .. } => "Try again.",
            Self::Id { .. } | Self::Thread => return None,
        };
        Some(text.into())
    }
}

/// A path of a tree as a message shows it.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn lacks(objects: &[MissingObject]) -> String {
    let first =
        objects.first().map(|first| format!("{}, which is `{}`", first.id, shown(&first.path)));
    let first = first.unwrap_or_default();
    match objects.len() {
        0 | 1 => format!("the mirror lacks {first}"),
        count => format!("the mirror lacks {count} objects, first {first}"),
    }
}
