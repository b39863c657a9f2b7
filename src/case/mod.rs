//! Cases on disk: their ids, their manifest, and how they are found, changed and
//! removed.
//!
//! ```text
//! text ──find──► CaseId ──Held::take──► Held ──write──► a new manifest
//!                   │                     └───remove──► nothing
//!                   └──show──► Summary
//! ```
//!
//! **A lock for every change.** Only a [`Held`] can write or remove, and only
//! taking the lock makes one.
//!
//! **One door.** A case holds what an agent wrote, so the host opens its files
//! through [`CaseDir`], with a [`CasePath`], and nothing else.
//!
//! **Whole or gone.** A manifest is replaced in one step, and a case leaves in
//! one (`disk::trash`); a kill at any moment shows one side of the step or the other.

mod begin;
mod door;
mod evidence;
mod fork;
mod held;
mod id;
pub mod inside;
mod layer;
mod layout;
mod list;
mod manifest;
mod path;
mod repo;

pub use begin::{Begun, clear, leftovers};
pub use door::{CaseDir, DoorError};
pub use evidence::{EvidenceError, share, take_in};
pub use fork::needed_layers;
pub use held::Held;
pub use id::{BadId, CaseId};
pub use layer::{BadLayerId, LayerId};
pub use layout::{Home, LOCK, MANIFEST};
pub use list::{Listed, Summary, Usage, find, find_seen, list, owner, show, usage};
pub use manifest::{BadTitle, FORMAT, Incident, Manifest, Opener, Origin};
pub use path::{BadPath, CasePath};
pub use repo::{BadObjectId, BadRepoName, CommitId, History, Repo, RepoName, Rule, TreeId, Within};

use crate::disk::{self, DiskError, Holder, TrashError, trash};
use crate::hint::Hint;
use crate::yaml::{Located, Unwritable};

/// Takes apart what removals that were killed have left.
pub fn finish(home: &Home) -> Result<(), CaseError> {
    Ok(trash::finish(&home.trash())?)
}

/// Why something could not be done to a case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    #[error("there is no case `{given}`")]
    NoSuch { given: String, nearest: Option<String> },
    #[error("`{given}` could be any of {count} cases")]
    Ambiguous { given: String, count: usize, candidates: Vec<CaseId> },
    #[error("case `{id}` is in use by {}", disk::name(holder.as_ref()))]
    InUse { id: CaseId, holder: Option<Holder> },
    #[error("case `{id}` was forked too often: it lies on {} layers", fork::LAYERS_MAX)]
    Deep { id: CaseId },
    /// Its manifest cannot be read.
    #[error("case `{id}` is broken")]
    Broken {
        id: CaseId,
        #[source]
        why: Box<CaseError>,
    },
    #[error(transparent)]
    Id(#[from] BadId),
    #[error(transparent)]
    Path(#[from] BadPath),
    #[error(transparent)]
    Title(#[from] BadTitle),
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error(transparent)]
    Manifest(#[from] Located),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Trash(#[from] TrashError),
}

impl CaseError {
    /// A case that was there a moment ago.
    fn gone(id: &CaseId) -> Self {
        Self::NoSuch { given: id.to_string(), nearest: None }
    }
}

impl Hint for CaseError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuch { nearest: Some(nearest), .. } => {
                Some(format!("Did you mean `{nearest}`?"))
            }
            Self::NoSuch { nearest: None, .. } => {
                Some("Run `casefile list` to see which cases there are.".into())
            }
            Self::Deep { id } => {
                Some(format!("Open a new case, and apply what `casefile diff {id}` prints."))
            }
            Self::Ambiguous { count, candidates, .. } => {
                let names: Vec<String> = candidates.iter().map(|id| format!("`{id}`")).collect();
                let more = if names.len() < *count { ", ..." } else { "" };
                Some(format!("Name one of {}{more}.", names.join(", ")))
            }
            Self::InUse { holder, .. } => Some(disk::way_out(holder.as_ref())),
            Self::Broken { why, .. } => why.hint(),
            Self::Id(error) => error.hint(),
            Self::Path(error) => error.hint(),
            Self::Title(error) => error.hint(),
            Self::Door(error) => error.hint(),
            Self::Manifest(error) => Hint::hint(error),
            Self::Unwritable(error) => error.hint(),
            Self::Disk(error) => error.hint(),
            Self::Trash(error) => error.hint(),
        }
    }
}
