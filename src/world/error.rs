//! Why a world cannot be laid out.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::case::{CaseError, CaseId, RepoName};
use crate::config::PolicyName;
use crate::disk::{DiskError, TrashError};
use crate::hint::Hint;
use crate::repos::RepoError;
use crate::repos::snapshot::SnapshotError;
use crate::repos::wiring::WiringError;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    #[error("case `{id}` was closed on {since}")]
    Closed { id: CaseId, since: Timestamp },
    #[error("the mirror of `{name}` is not there any more")]
    NoMirror { name: RepoName, from: String },
    #[error(
        "`{id}` was worked in with the strength `{was}`, and its policy `{policy}` has the other now"
    )]
    OtherStrength { id: CaseId, was: &'static str, policy: PolicyName },
    #[error("the jail of root is another user, who may not enter or read `{}`", path.display())]
    NoWay { path: PathBuf, home: PathBuf },
    #[error("not all cases can be read, so what they need is not known")]
    Unknown { id: String, source: Box<CaseError> },
    #[error(transparent)]
    Case(#[from] CaseError),
    #[error(transparent)]
    Repo(#[from] RepoError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Wiring(#[from] WiringError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Trash(#[from] TrashError),
}

impl Hint for WorldError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Closed { id, .. } => {
                Some(format!("Go on in a fork of it: `casefile fork {id}`."))
            }
            Self::NoMirror { name, from } => {
                Some(format!("Bring it back with `casefile repo add {name} {from}`."))
            }
            Self::OtherStrength { id, was, .. } => Some(format!(
                "Name a policy with `least: {was}` in the `case.yaml` of {id}, or open another case."
            )),
            Self::NoWay { path, home } if home.starts_with(path) => Some(
                "Set `home` in casefile.yaml to a directory that everybody may enter, such as \
                 `/var/lib/casefile`."
                    .into(),
            ),
            Self::NoWay { path, .. } => Some(format!(
                "Open it with `chmod o+rx {}`, or take the repo in by a URL.",
                path.display()
            )),
            Self::Unknown { id, .. } => {
                Some(format!("Mend its `case.yaml`, or remove it with `casefile rm {id}`."))
            }
            Self::Case(error) => error.hint(),
            Self::Repo(error) => error.hint(),
            Self::Snapshot(error) => error.hint(),
            Self::Wiring(error) => error.hint(),
            Self::Disk(error) => error.hint(),
            Self::Trash(error) => error.hint(),
        }
    }
}
