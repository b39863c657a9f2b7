//! `casefile diff`: what a case changed, as a patch.
//!
//! git makes it inside the jail, since the files are an agent's. What comes out is
//! the agent's word too, and is shown as such: on a terminal without its power over
//! the terminal.

use std::io::{self, IsTerminal, Read, Seek, Write};
use std::process::ExitCode;

use clap::Args;

use super::entered::Entered;
use super::inside::{Answer, Asking, ask};
use super::plain::{plain, plain_lines};
use super::report::{Failure, Turn, note};
use super::surroundings::Surroundings;
use crate::case::{Repo, RepoName, inside};
use crate::hint::Hint;
use crate::repos::{Mirror, Store};

/// Print what a case changed in its code, as a patch
///
/// Committed or not, new files too, save what the repository's `.gitignore` files name.
#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// Its id, or the beginning of it
    case: String,
    /// One of its repos [default: all]
    repo: Option<String>,
}

/// A `.git` of its own over the same files: the index that the case began with (to be
/// read), the mirror's objects, and nothing of the case's. What an agent has set for
/// git (filters, programs that compare, files that are to pass for unchanged) or has
/// broken there does not count, and asking changes nothing in the case.
const SCRIPT: &str = r#"set -eu
base=$1 prefix=$2 objects=$3 changed=$4
scratch=$(mktemp -d)
mkdir -p "$scratch/objects/info" "$scratch/refs"
cat >"$scratch/index"
# Without one every file is read.
[ -s "$scratch/index" ] || rm "$scratch/index"
printf '%s\n' "$base" >"$scratch/HEAD"
IFS='
'
# A pattern, or a line for each.
printf '%s\n' $objects >"$scratch/objects/info/alternates"
export GIT_DIR="$scratch" GIT_WORK_TREE=. GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
# Not by `git config`, which gives files modes, and not every jail may.
{
    printf '[core]\n\trepositoryformatversion = 0\n\tautocrlf = false\n\ttrustctime = false\n'
    if [ -n "$changed" ]; then
        printf '\tuntrackedCache = true\n\tfsmonitor = %s\n' "$changed"
        printf '\tfsmonitorHookVersion = 2\n'
    fi
    printf '[diff]\n\tignoreSubmodules = dirty\n[advice]\n\taddEmbeddedRepo = false\n'
} >"$scratch/config"
# What cannot be read is told, and is no reason to be silent on the rest.
git add --all --ignore-errors >/dev/null || true
exec git --no-pager diff --cached --binary --full-index --no-color --no-ext-diff --no-textconv \
    --no-renames --ignore-submodules=none --src-prefix="a/$prefix" --dst-prefix="b/$prefix" "$base"
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
        let (objects, changed) = if entered.is_copied() {
            (lent(repo, around)?, "")
        } else {
            (format!("{}/*", inside::all_objects(&repo.name).display()), inside::CHANGED)
        };
        let asking = Asking {
            script: SCRIPT,
            args: &[repo.commit.as_str(), &prefix, &objects, changed],
            cwd: entered.place(repo),
            input: entered.index(repo),
            what: "comparing",
        };
        let Answer { given, said } = ask(&entered, &asking)?;
        for line in said.lines() {
            note(&format!("`{}`: {}", repo.name, plain(line)));
        }
        show(given).map_err(|error| Failure::new(Turn::User, Unshown(error)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The directories with the objects of a repo, as the host names them, a line each.
fn lent(repo: &Repo, around: &Surroundings) -> Result<String, Failure> {
    let store = Store::of(&around.home()?);
    let mirror = Mirror::open(&store, repo.mirror()).map_err(Failure::user)?;
    let all = mirror.objects().map_err(Failure::user)?;
    Ok(all.iter().map(|dir| dir.to_string_lossy()).collect::<Vec<_>>().join("\n"))
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
