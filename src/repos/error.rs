//! What can go wrong with a mirror, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::case::RepoName;
use crate::disk::{self, DiskError};
use crate::hint::Hint;
use crate::yaml::{Located, Unwritable};

/// Why a repository could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    #[error("there is no repo `{given}`")]
    NoSuch { given: String, nearest: Option<String> },
    #[error("there is a repo `{0}` already")]
    Exists(RepoName),
    #[error("`{given}` cannot be fetched from: {why}")]
    Source { given: String, why: &'static str },
    #[error("`{}` is no git repository", .0.display())]
    NotARepository(PathBuf),
    /// What git calls dubious ownership.
    #[error("`{}` belongs to somebody else, and git would not read it either", .0.display())]
    Owner(PathBuf),
    #[error("`{name}` has no branch `{branch}`")]
    NoBranch { name: RepoName, branch: String, nearest: Option<String> },
    #[error("`{from}` cannot be taken in: {why}")]
    Unsupported { from: String, why: &'static str, way_out: &'static str },
    #[error("the objects of `{name}` are gone: they were in `{}`", path.display())]
    Gone { name: RepoName, path: PathBuf },
    #[error("the mirror of `{name}` is broken: {why}")]
    Broken { name: RepoName, why: String },
    #[error("`{name}` lacks {count} files of commit {commit}, such as `{sample}`")]
    Missing {
        name: RepoName,
        count: usize,
        commit: String,
        sample: String,
        /// Why they could not be fetched.
        #[source]
        cause: Option<Box<RepoError>>,
    },
    #[error("git could not {act}")]
    Git {
        act: String,
        #[source]
        said: Said,
    },
    #[error("there is no `git` program")]
    NoGit,
    #[error("cannot start `git`")]
    Start(#[source] io::Error),
    #[error("git was told to stop before it could {act}; nothing has changed")]
    Interrupted { act: String },
    #[error("cannot read {what} of `{name}`")]
    Read { name: String, what: String, source: git2::Error },
    #[error(transparent)]
    About(#[from] Located),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The last words of git.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

impl From<String> for Said {
    fn from(said: String) -> Self {
        Self(said)
    }
}

impl RepoError {
    /// For `map_err`: what of which repository could not be read.
    pub(super) fn read(
        name: impl std::fmt::Display,
        what: impl Into<String>,
    ) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Read { name: name.to_string(), what: what.into(), source }
    }
}

impl Hint for RepoError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoSuch { nearest: Some(nearest), .. } => format!("Did you mean `{nearest}`?"),
            Self::NoBranch { nearest, .. } => {
                return nearest.as_ref().map(|nearest| format!("Did you mean `{nearest}`?"));
            }
            Self::NoSuch { .. } => {
                "Run `casefile repo list` to see which there are, or `casefile repo add`.".into()
            }
            Self::Exists(name) => format!(
                "Run `casefile repo fetch {name}` to bring it up to date, or choose another name."
            ),
            Self::Source { .. } => {
                "Give a URL that git can fetch, or the path of a checkout.".into()
            }
            Self::NotARepository(_) => {
                "Give the path of a checkout or of a bare repository, or a URL.".into()
            }
            Self::Owner(path) => format!(
                "If you trust it, run `git config --global --add safe.directory {}`.",
                path.display()
            ),
            Self::Unsupported { way_out, .. } => (*way_out).into(),
            Self::Gone { name, .. } => format!(
                "Put the checkout back where it was, or `casefile repo rm {name}` and add it anew."
            ),
            Self::Broken { name, .. } => {
                format!("Run `casefile repo rm {name}` and add it anew.")
            }
            Self::Missing { name, .. } => format!(
                "Run `git fetch --refetch` in the checkout that `{name}` is taken from, or add its URL instead."
            ),
            Self::Git { said: Said(said), .. } => return Some(after(said).into()),
            Self::NoGit => "Install git, or add it to PATH.".into(),
            Self::Start(error) => return disk::io_hint(error).map(Into::into),
            Self::Interrupted { .. } | Self::Read { .. } => return None,
            Self::About(error) => return Hint::hint(error),
            Self::Unwritable(error) => return error.hint(),
            Self::Disk(error) => return error.hint(),
        };
        Some(text)
    }
}

/// What to do after git said this.
fn after(said: &str) -> &'static str {
    const TABLE: &[(&[&str], &str)] = &[
        (
            &[
                "Authentication failed",
                "could not read Username",
                "could not read Password",
                "(publickey",
            ],
            "Let git log in by itself first: `git ls-remote` of the URL has to work in this shell.",
        ),
        (
            &["Host key verification failed"],
            "Connect to the host once with `ssh`, and check the key that it shows.",
        ),
        (
            &["Could not resolve host", "Connection refused", "timed out", "unable to connect"],
            "Check the network and the host's name, and try again.",
        ),
        (&["transport '"], "git does not allow this transport here; use https or ssh."),
        (&["No space left"], "Free some space on the file system of the store and try again."),
        (
            &["not found", "does not exist", "does not appear to be a git repository"],
            "Check the URL, and that you may read what it leads to.",
        ),
    ];
    TABLE
        .iter()
        .find(|(signs, _)| signs.iter().any(|sign| said.contains(sign)))
        .map_or("Run `git ls-remote` with that URL to see what git says by itself.", |(_, hint)| {
            hint
        })
}
