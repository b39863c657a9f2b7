//! `casefile branch`: what a case committed leaves it, as a new branch or a patch.

use std::io::Seek;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::diff::one;
use super::entered::Entered;
use super::inside::{Asking, ask};
use super::plain::plain;
use super::progress::Line;
use super::report::{Failure, note, print};
use super::surroundings::Surroundings;
use crate::case::RepoName;
use crate::hint::Hint;
use crate::repos::{Commits, Mirror, Store};

/// Publish the commits of a case as a new branch, or as a patch
///
/// The branch is made where the repo came from, and no branch that is there is moved.
/// With `--patch` they go to a file, and nothing is published.
#[derive(Args, Debug)]
pub(crate) struct Branch {
    /// Its id, or the beginning of it
    case: String,
    /// One of its repos
    repo: String,
    /// What the branch is to be called
    #[arg(required_unless_present = "patch")]
    name: Option<String>,
    /// Write a patch, as `git am` takes it
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    patch: Option<PathBuf>,
}

/// Made where the agent's settings count, and believed nowhere: the host checks it.
const BUNDLE: &str = r#"set -eu
export GIT_NO_REPLACE_OBJECTS=1
[ "$(git rev-list --count "$1..HEAD")" != 0 ] || exit 0
exec git bundle create --quiet - "^$1" HEAD
"#;
const CHANGES: &str = "git status --porcelain --untracked-files=all | head -c 1";

#[derive(Debug, thiserror::Error)]
enum NotPublished {
    #[error("the case has committed nothing in `{repo}`")]
    Nothing { repo: RepoName },
    #[error("the answer of the case cannot be read")]
    Unread(#[source] std::io::Error),
}

impl Hint for NotPublished {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Nothing { .. } => {
                Some("Commit in `casefile shell`, or take `casefile diff` as it is.".into())
            }
            Self::Unread(_) => None,
        }
    }
}

pub(crate) fn run(branch: Branch, around: &Surroundings) -> Result<ExitCode, Failure> {
    let entered = Entered::enter(&branch.case, around, "casefile branch")?;
    let name = RepoName::parse(&branch.repo).map_err(Failure::user)?;
    let repo = one(&entered.manifest.repos, &name)?.clone();
    let mut answers = Vec::new();
    for (script, what) in [(BUNDLE, "bundling the commits"), (CHANGES, "looking at the files")] {
        let args = &[repo.commit.as_str()];
        let asking = Asking { script, args, cwd: entered.place(&repo), input: None, what };
        answers.push(ask(&entered, &asking)?.given);
    }
    let unread = |error| Failure::user(NotPublished::Unread(error));
    let length = |file: &std::fs::File| file.metadata().map(|about| about.len()).map_err(unread);
    if length(&answers[0])? == 0 {
        return Err(Failure::user(NotPublished::Nothing { repo: name }));
    }
    if length(&answers[1])? != 0 {
        note("what the case changed and did not commit is left out");
    }
    answers[0].rewind().map_err(unread)?;
    let store = Store::of(&around.home()?).share().map_err(Failure::user)?;
    let mirror = Mirror::open(&store.store, repo.mirror()).map_err(Failure::user)?;
    let (git, progress) = (around.git(), Line::new());
    let bundle = &mut answers[0];
    let commits = Commits::take_in(&store.store, &mirror, &repo.commit, bundle, &git, &progress);
    let commits = commits.map_err(Failure::user)?;
    let count = match commits.count {
        1 => "1 commit".into(),
        count => format!("{count} commits"),
    };
    let said = match (&branch.patch, &branch.name) {
        (Some(file), _) => {
            let file = around.given.working_directory.join(file);
            commits.patch(&file, &git, &progress).map_err(Failure::user)?;
            format!("wrote {count} to {}\n", plain(&file.to_string_lossy()))
        }
        (None, name) => {
            let branch = name.as_deref().unwrap_or_default();
            commits.push(&mirror, branch, &git, &progress).map_err(Failure::user)?;
            let to = mirror.about.source().shown();
            format!("published {count} as {} of {}\n", plain(branch), plain(&to))
        }
    };
    drop(progress);
    print(&said)
}
