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
use crate::tools::Code;
use crate::tools::diff::SCRIPT;

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
        let Code { base, at, objects, changed, index, .. } =
            code(&entered, repo, objects(&entered, repo, around)?);
        let asking = Asking {
            script: SCRIPT,
            args: &[&base, &prefix, &objects, changed],
            cwd: at,
            input: index.as_deref(),
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

/// A repo of a case, as it is compared with these objects.
pub(super) fn code(entered: &Entered, repo: &Repo, objects: String) -> Code {
    Code {
        name: repo.name.to_string(),
        base: repo.commit.to_string(),
        at: entered.place(repo),
        objects,
        changed: if entered.is_copied() { "" } else { inside::CHANGED },
        index: entered.index(repo).map(Into::into),
    }
}

/// Where the objects of a repo are, for one who compares.
pub(super) fn objects(
    entered: &Entered,
    repo: &Repo,
    around: &Surroundings,
) -> Result<String, Failure> {
    match entered.is_copied() {
        true => lent(repo, around),
        false => Ok(format!("{}/*", inside::all_objects(&repo.name).display())),
    }
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
