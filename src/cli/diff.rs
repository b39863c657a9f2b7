//! `casefile diff`: what a case changed, as a patch.
//!
//! git makes it inside the jail, since the files are an agent's. What comes out is
//! the agent's word too, and is shown as such: on a terminal without its power over
//! the terminal.

use std::io::{self, IsTerminal, Read, Seek, Write};
use std::process::ExitCode;

use clap::Args;

use super::entered::Entered;
use super::inside::{Asking, ask};
use super::plain::plain_lines;
use super::report::{Failure, Turn};
use super::surroundings::Surroundings;
use crate::case::{Repo, RepoName};
use crate::hint::Hint;

/// Print what a case changed in its code, as a patch
///
/// Committed or not, new files too, save what the repository ignores.
#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// Its id, or the beginning of it
    case: String,
    /// One of its repos [default: all]
    repo: Option<String>,
}

/// An index and objects of its own, so that asking changes nothing in the case. What
/// an agent has set for git (filters of text, programs that compare) is left aside.
const SCRIPT: &str = r#"set -eu
base=$1 prefix=$2
git_dir=$(git rev-parse --absolute-git-dir)
scratch=$(mktemp -d)
mkdir "$scratch/objects"
[ -e "$git_dir/index" ] && cp "$git_dir/index" "$scratch/index"
export GIT_INDEX_FILE="$scratch/index"
export GIT_OBJECT_DIRECTORY="$scratch/objects" GIT_ALTERNATE_OBJECT_DIRECTORIES="$git_dir/objects"
git add --all --ignore-errors >/dev/null
exec git --no-pager diff --cached --binary --full-index --no-color --no-ext-diff --no-textconv \
    --no-renames --src-prefix="a/$prefix" --dst-prefix="b/$prefix" "$base"
"#;

pub(crate) fn run(diff: Diff, around: &Surroundings) -> Result<ExitCode, Failure> {
    let entered = Entered::enter(&diff.case, around, "casefile diff")?;
    let wanted = diff.repo.as_deref().map(RepoName::parse).transpose().map_err(Failure::user)?;
    let repos = &entered.manifest.repos;
    let repos: Vec<Repo> = match &wanted {
        Some(name) => vec![one(repos, name)?.clone()],
        None => repos.clone(),
    };
    let is_one = repos.len() == 1;
    for repo in &repos {
        // Of several, each has its name before its paths.
        let prefix = if is_one { String::new() } else { format!("{}/", repo.name) };
        let asking = Asking {
            script: SCRIPT,
            args: &[repo.commit.as_str(), &prefix],
            cwd: entered.place(repo),
            what: "comparing",
        };
        let patch = ask(&entered, &asking)?;
        show(patch).map_err(|error| Failure::new(Turn::User, Unshown(error)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The repo of a case that is called so.
pub(super) fn one<'a>(repos: &'a [Repo], name: &RepoName) -> Result<&'a Repo, Failure> {
    repos.iter().find(|repo| repo.name == *name).ok_or_else(|| {
        let names = repos.iter().map(|repo| repo.name.to_string()).collect();
        Failure::user(NoSuchRepo { name: name.clone(), names })
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the case has no repo `{name}`")]
struct NoSuchRepo {
    name: RepoName,
    names: Vec<String>,
}

impl Hint for NoSuchRepo {
    fn hint(&self) -> Option<String> {
        Some(match self.names.as_slice() {
            [] => "It was opened without one.".into(),
            names => format!("It has {}.", names.join(", ")),
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the patch could not be shown")]
struct Unshown(#[source] io::Error);

impl Hint for Unshown {}

#[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
fn show(mut patch: std::fs::File) -> io::Result<()> {
    patch.rewind()?;
    let mut out = io::stdout().lock();
    if !out.is_terminal() {
        return io::copy(&mut patch, &mut out).map(drop);
    }
    let mut bytes = Vec::new();
    patch.read_to_end(&mut bytes)?;
    out.write_all(plain_lines(&String::from_utf8_lossy(&bytes)).as_bytes())
}
