//! Publishing: the commits of a case become a new branch of where its mirror came
//! from, or a patch.
//!
//! They come out of the jail as a bundle, which is an agent's and may be anything. So
//! it is taken in beside the mirror, never into it: git checks every object, the
//! result has to grow out of the commit that the case began with, and only then does
//! it go anywhere. No branch that is there is ever moved.

#![expect(clippy::disallowed_methods, reason = "a repository that this process makes for itself")]

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};
use tempfile::TempDir;

use super::git::{Answer, Git, Wish};
use super::mirror::{Mirror, bare};
use super::{Progress, RepoError, Source, Store};
use crate::case::{CommitId, RepoName};
use crate::disk::{self, DiskError};
use crate::hint::Hint;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    #[error("`{branch}` is not a name for a branch")]
    Name { branch: String },
    #[error("what the case gave is no history that git accepts")]
    Bundle { source: Box<RepoError> },
    #[error("the commits of the case do not grow out of {}, with which it began", base.short())]
    Stranger { base: CommitId },
    #[error("`{name}` has nowhere to be published to: `{from}` is gone")]
    Nowhere { name: RepoName, from: String },
    #[error("`{branch}` is at `{to}` already")]
    Exists { branch: String, to: String },
    #[error("`{branch}` was not made at `{to}`")]
    Push { branch: String, to: String, source: Box<RepoError> },
    #[error("`{}` is there already", file.display())]
    Taken { file: PathBuf },
    #[error("the case has merged, which no patch can tell")]
    Merged,
    #[error("the patch could not be made")]
    Patch { source: Box<RepoError> },
    #[error("the commits of the case cannot be read")]
    Read(#[source] git2::Error),
    #[error(transparent)]
    Repo(#[from] RepoError),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for PublishError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Name { .. } => "Use a name such as `fix/checkout-timeout`.",
            Self::Bundle { .. } => "Look at the history in `casefile shell`.",
            Self::Stranger { .. } => {
                "Begin a branch at that commit in `casefile shell`, and commit there."
            }
            Self::Nowhere { .. } => "Make a patch with `--patch FILE`.",
            Self::Exists { .. } => "Choose another name, or make a patch with `--patch FILE`.",
            Self::Push { .. } => {
                "Choose another name if that branch exists, or make a patch with `--patch FILE`."
            }
            Self::Merged => "Publish a branch, or rebase in `casefile shell`.",
            Self::Taken { .. } => "Name a file that is not there.",
            Self::Patch { .. } | Self::Read(_) => return None,
            Self::Repo(error) => return error.hint(),
            Self::Disk(error) => return error.hint(),
        };
        Some(text.into())
    }
}

/// Commits of a case, checked, in a repository that is gone when this is.
#[derive(Debug)]
pub struct Commits {
    dir: TempDir,
    base: CommitId,
    pub tip: CommitId,
    pub count: usize,
    /// Whether one of them has several parents.
    merges: bool,
}

const REF: &str = "refs/heads/published";
/// More commits than a case makes.
const COMMITS_MAX: usize = 100_000;

/// Where they are taken in.
pub(super) fn place(store: &Store) -> PathBuf {
    store.path().join("publishing")
}

impl Commits {
    /// Takes in the bundle that a case made of the commits after `base`.
    pub fn take_in(
        store: &Store,
        mirror: &Mirror,
        base: &CommitId,
        bundle: &mut File,
        git: &Git,
        progress: &dyn Progress,
    ) -> Result<Self, PublishError> {
        let place = place(store);
        disk::directory(&place)?;
        let dir = tempfile::Builder::new()
            .prefix(mirror.name.as_str())
            .tempdir_in(&place)
            .map_err(DiskError::io("create", &place))?;
        bare::lay_out(dir.path(), None)?;
        bare::borrow(dir.path(), &mirror.path.join("objects"))?;
        let file = dir.path().join("case.bundle");
        let copied = File::create_new(&file).and_then(|mut copy| io::copy(bundle, &mut copy));
        copied.map_err(DiskError::io("write", &file))?;
        let refspec = format!("HEAD:{REF}");
        let args = ["-c", "fetch.fsckObjects=true", "fetch", "--no-tags", "--no-write-fetch-head"];
        let args: Vec<&OsStr> = args
            .iter()
            .map(OsStr::new)
            .chain([OsStr::new("--"), file.as_os_str(), OsStr::new(&refspec)])
            .collect();
        // Nothing in it is secret, and nothing of it is asked for.
        let source = Source::Checkout(file.clone());
        git.run(dir.path(), &args, Wish::Users, progress, None)
            .and_then(|answer| answer.good("take in what the case gave", &source))
            .map_err(|source| PublishError::Bundle { source: source.into() })?;
        let (tip, count, merges) = {
            let repo = Repository::open_bare(dir.path()).map_err(PublishError::Read)?;
            let tip = repo.refname_to_id(REF).map_err(PublishError::Read)?;
            let root = Oid::from_str(base.as_str()).map_err(PublishError::Read)?;
            let grows = repo.graph_descendant_of(tip, root).map_err(PublishError::Read)?;
            if !grows {
                return Err(PublishError::Stranger { base: base.clone() });
            }
            let mut walk = repo.revwalk().map_err(PublishError::Read)?;
            walk.push(tip).and_then(|()| walk.hide(root)).map_err(PublishError::Read)?;
            let (mut count, mut merges) = (0, false);
            for id in walk.take(COMMITS_MAX) {
                let commit = id.and_then(|id| repo.find_commit(id)).map_err(PublishError::Read)?;
                count += 1;
                merges |= 1 < commit.parent_count();
            }
            (super::commit_id(tip), count, merges)
        };
        Ok(Self { dir, base: base.clone(), tip, count, merges })
    }

    /// Makes them a new branch of where the mirror came from.
    pub fn push(
        &self,
        mirror: &Mirror,
        branch: &str,
        git: &Git,
        progress: &dyn Progress,
    ) -> Result<(), PublishError> {
        let name = format!("refs/heads/{branch}");
        if !git2::Reference::is_valid_name(&name) || branch.starts_with('-') {
            return Err(PublishError::Name { branch: branch.into() });
        }
        let source = mirror.about.source();
        let to = match &source {
            Source::Url(url) => OsStr::new(url).to_owned(),
            Source::Checkout(path) if path.is_dir() => path.clone().into_os_string(),
            Source::Checkout(_) => {
                let (name, from) = (mirror.name.clone(), source.shown());
                return Err(PublishError::Nowhere { name, from });
            }
        };
        // Expecting nothing there: one who made it meanwhile keeps it.
        let lease = format!("--force-with-lease={name}:");
        let refspec = format!("{REF}:{name}");
        let args = ["push", "--porcelain", "--progress", "--no-verify", "--no-follow-tags"];
        let args: Vec<&OsStr> = args
            .iter()
            .map(OsStr::new)
            .chain([OsStr::new(&lease), OsStr::new("--"), &to, OsStr::new(&refspec)])
            .collect();
        let (branch, to) = (branch.to_owned(), source.shown());
        let answer = git.run(self.dir.path(), &args, Wish::Users, progress, None);
        // Git is content with a branch that is there and the same.
        let exists = |answer: &Answer| match answer.is_good() {
            true => !lines(&answer.stdout).any(|line| line.starts_with(b"*\t")),
            false => lines(&answer.stdout).any(|line| line.ends_with(b"(stale info)")),
        };
        match answer {
            Ok(answer) if exists(&answer) => return Err(PublishError::Exists { branch, to }),
            answer => answer,
        }
        .and_then(|answer| answer.good("publish", &source))
        .map(drop)
        .map_err(|error| PublishError::Push { branch, to, source: error.into() })
    }

    /// Writes them to a file as a patch, which `git am` takes.
    pub fn patch(
        &self,
        file: &Path,
        git: &Git,
        progress: &dyn Progress,
    ) -> Result<(), PublishError> {
        if disk::stands(file) {
            return Err(PublishError::Taken { file: file.into() });
        }
        if self.merges {
            return Err(PublishError::Merged);
        }
        let made = self.dir.path().join("case.patch");
        let mut output = std::ffi::OsString::from("--output=");
        output.push(&made);
        let range = format!("{}..{REF}", self.base);
        let args = ["format-patch", "--no-ext-diff", "--no-textconv", "--binary", "--full-index"];
        let args: Vec<&OsStr> =
            args.iter().map(OsStr::new).chain([output.as_os_str(), OsStr::new(&range)]).collect();
        let source = Source::Checkout(made.clone());
        git.run(self.dir.path(), &args, Wish::Users, progress, None)
            .and_then(|answer| answer.good("make the patch", &source))
            .map_err(|source| PublishError::Patch { source: source.into() })?;
        let mut from = File::open(&made).map_err(DiskError::io("read", &made))?;
        let copied = File::create_new(file).and_then(|mut to| io::copy(&mut from, &mut to));
        copied.map_err(DiskError::io("write", file))?;
        Ok(())
    }
}

/// What `git push --porcelain` says of each ref: `*` was not there before.
fn lines(stdout: &[u8]) -> impl Iterator<Item = &[u8]> {
    stdout.split(|byte| *byte == b'\n')
}
