//! Why no commit can be told, and what is nearest to it.

use jiff::Timestamp;

use super::super::RepoError;
use crate::case::{CommitId, RepoName};
use crate::hint::Hint;

/// Why the commit that was live cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    #[error("`{name}` has no commit yet")]
    Empty { name: RepoName },
    #[error("`{name}` is on no branch that it has")]
    Head { name: RepoName, branches: Vec<String> },
    #[error("`{name}` knows no revision `{given}`")]
    Unknown { name: RepoName, given: String, nearest: Option<String> },
    /// It looks like an id, and may be one elsewhere.
    #[error("`{name}` has no commit {commit}")]
    Lacks { name: RepoName, commit: String },
    #[error("`{given}` could be several objects of `{name}`")]
    Ambiguous { name: RepoName, given: String, candidates: Vec<String> },
    #[error("{at} is before the first commit on {branch} of `{name}`")]
    Before {
        name: RepoName,
        branch: String,
        at: Timestamp,
        first: CommitId,
        time: Timestamp,
        /// Whether there may be earlier ones elsewhere.
        is_shallow: bool,
    },
    #[error("`{name}` has no commit {commit}, which was deployed at {time}")]
    DeployLacks {
        name: RepoName,
        commit: String,
        time: Timestamp,
        /// The newest deploy before it whose commit is there.
        earlier: Option<(String, Timestamp)>,
    },
    #[error("`{name}` is deployed to several environments, and none is named")]
    Environment { name: RepoName, environments: Vec<String> },
    #[error(transparent)]
    Repo(#[from] RepoError),
}

impl ResolveError {
    /// Whether a fetch may bring what is missing.
    pub fn may_be_fetched(&self) -> bool {
        matches!(
            self,
            Self::Empty { .. }
                | Self::Unknown { .. }
                | Self::Lacks { .. }
                | Self::DeployLacks { .. }
                | Self::Repo(RepoError::NoBranch { .. })
        )
    }
}

impl Hint for ResolveError {
    fn hint(&self) -> Option<String> {
        let list = |names: &[String]| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let text = match self {
            Self::Empty { name } => {
                format!("Push to its origin first, then run `casefile repo fetch {name}`.")
            }
            Self::Head { name, branches } => {
                format!("Name one with `{name}@BRANCH`, such as {}.", list(branches))
            }
            Self::Unknown { nearest: Some(nearest), .. } => format!("Did you mean `{nearest}`?"),
            Self::Unknown { name, .. } | Self::Lacks { name, .. } => {
                format!("Run `casefile repo fetch {name}` if it is new, or correct it.")
            }
            Self::Ambiguous { candidates, .. } => format!("Name one of {}.", list(candidates)),
            Self::Before { first, time, is_shallow: false, .. } => {
                format!(
                    "The first is {} of {time}; ask for that time or a later one.",
                    first.short()
                )
            }
            Self::Before { first, time, is_shallow: true, .. } => format!(
                "Its history here begins with {} of {time}; `git fetch --unshallow` there brings the rest.",
                first.short()
            ),
            Self::DeployLacks { name, earlier: Some((commit, time)), .. } => format!(
                "Run `casefile repo fetch {name}`; the deploy before it whose commit is here is {commit} of {time}."
            ),
            Self::DeployLacks { name, earlier: None, .. } => {
                format!("Run `casefile repo fetch {name}`, or name a commit with `{name}@COMMIT`.")
            }
            Self::Environment { environments, .. } => {
                format!("Name one with `--env`, of {}.", list(environments))
            }
            Self::Repo(error) => return error.hint(),
        };
        Some(text)
    }
}
