//! `casefile repo`: the repositories that cases are opened with.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::plain::{plain, plain_json};
use super::progress::Line;
use super::report::{Failure, print};
use super::surroundings::Surroundings;
use super::table::Table;
use super::time;
use crate::case::{self, Home, RepoName};
use crate::hint::Hint;
use crate::repos::{
    Asked, Deploys, Known, Mirror, New, Origin, RepoError, Resolved, Shared, Source, Store, resolve,
};

/// Add, list, fetch and remove the repositories that cases are made of
#[derive(Args, Debug)]
pub(crate) struct Repo {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Take in a repository, and its submodules with it
    Add {
        /// What it is called in cases
        name: String,
        /// A URL that git can fetch, or a checkout on this machine, whose objects are
        /// then used where they are
        from: String,
        /// The branch that counts, if not the one that it is on
        #[arg(long)]
        branch: Option<String>,
        /// What deploy records call it, if not by its name
        #[arg(long)]
        service: Option<String>,
    },
    /// List them
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring one up to date, or all of them
    Fetch {
        /// The one; without a name, all
        name: Option<String>,
    },
    /// Remove one; a checkout that it was taken from stays as it is
    Rm {
        name: String,
        /// Also if cases need it
        #[arg(long)]
        force: bool,
    },
    /// Say which commit was live, and why that one
    Resolve {
        name: String,
        /// Any revision that git knows
        #[arg(long, value_name = "REVISION")]
        commit: Option<String>,
        /// When: `2026-03-01T03:12:00Z`, `2026-03-01 03:12 Europe/Paris`, `-2h`
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        at: Option<String>,
        /// Where, for deploy records
        #[arg(long, value_name = "ENVIRONMENT")]
        env: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What was not done to a repository.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("`{name}` is needed by {what}")]
    Needed { name: RepoName, what: String },
    #[error("{failed} of {of} could not be fetched")]
    Fetched { failed: usize, of: usize },
}

impl Hint for NotDone {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Needed { .. } => {
                Some("Close or remove what needs it first, or pass `--force`.".into())
            }
            Self::Fetched { .. } => None,
        }
    }
}

pub(crate) fn run(repo: Repo, around: &Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    let store = Store::of(&home);
    if let Act::List { json } = repo.act {
        return list(&store, json);
    }
    let shared = store.share().map_err(Failure::user)?;
    match repo.act {
        Act::Add { name, from, branch, service } => {
            let name = RepoName::parse(&name).map_err(Failure::user)?;
            let from = Source::parse(&from, &around.given.working_directory);
            add(New { name, from: from.map_err(Failure::user)?, branch, service }, &shared, around)
        }
        Act::List { json } => list(&store, json),
        Act::Fetch { name } => fetch(name.as_deref(), &shared, around),
        Act::Rm { name, force } => rm(&name, force, &home, &shared, around),
        Act::Resolve { name, commit, at, env, json } => {
            let mirror = open(&store, &name)?;
            let resolved =
                which(&mirror, commit.as_deref(), at.as_deref(), env.as_deref(), around)?;
            print(&told(&mirror, &resolved, json))
        }
    }
}

fn add(new: New, shared: &Shared, around: &Surroundings) -> Result<ExitCode, Failure> {
    let progress = Line::new();
    let holder = around.holder("casefile repo add");
    let mirror = Mirror::add(shared, &new, &around.git(), &holder, &progress);
    drop(progress);
    let mirror = mirror.map_err(Failure::user)?;
    let parts = match mirror.about.submodules.len() {
        0 => String::new(),
        1 => ", with 1 submodule".into(),
        count => format!(", with {count} submodules"),
    };
    print(&format!("added {} from {}{parts}\n", mirror.name, plain(&mirror.about.source().shown())))
}

fn fetch(name: Option<&str>, shared: &Shared, around: &Surroundings) -> Result<ExitCode, Failure> {
    let store = &shared.store;
    let mirrors = match name {
        Some(name) => vec![open(store, name)?],
        None => {
            let all = Mirror::list(store).map_err(Failure::user)?;
            all.into_iter()
                .map(|known| known.mirror)
                .collect::<Result<_, _>>()
                .map_err(Failure::user)?
        }
    };
    let of = mirrors.len();
    let holder = around.holder("casefile repo fetch");
    let git = around.git();
    let mut failed = 0;
    for mut mirror in mirrors {
        let progress = Line::new();
        let outcome = mirror
            .fetch(shared, &git, &holder, &progress)
            .and_then(|()| mirror.add_submodules(shared, &git, &holder, &progress));
        drop(progress);
        match outcome {
            Ok(()) => drop(print(&format!("fetched {}\n", mirror.name))?),
            // One that is gone must not keep the others from being fetched.
            Err(error) if 1 < of && !matches!(error, RepoError::Interrupted { .. }) => {
                failed += 1;
                super::report::warn(&error);
            }
            Err(error) => return Err(Failure::user(error)),
        }
    }
    match failed {
        0 => Ok(ExitCode::SUCCESS),
        failed => Err(Failure::user(NotDone::Fetched { failed, of })),
    }
}

fn rm(
    name: &str,
    force: bool,
    home: &Home,
    shared: &Shared,
    around: &Surroundings,
) -> Result<ExitCode, Failure> {
    let mirror = open(&shared.store, name)?;
    if !force && let Some(what) = needed_by(&mirror.name, home, &shared.store)? {
        return Err(Failure::user(NotDone::Needed { name: mirror.name, what }));
    }
    let name = mirror.name.clone();
    mirror.remove(shared, &around.holder("casefile repo rm")).map_err(Failure::user)?;
    print(&format!("removed {name}\n"))
}

/// Who would miss a repository.
fn needed_by(name: &RepoName, home: &Home, store: &Store) -> Result<Option<String>, Failure> {
    let cases = case::list(home).map_err(Failure::case)?;
    let case = cases.iter().filter_map(|listed| listed.case.as_ref().ok()).find(|case| {
        let is_open = case.manifest.closed.is_none();
        is_open && case.manifest.repos.iter().any(|repo| repo.name == *name)
    });
    if let Some(case) = case {
        return Ok(Some(format!("case `{}`", case.id)));
    }
    let parent = Mirror::list(store).map_err(Failure::user)?.into_iter().find(|known| {
        let parts = known.mirror.as_ref().map(|mirror| mirror.about.submodules.as_slice());
        parts.unwrap_or_default().iter().any(|part| part.repo == *name)
    });
    Ok(parent.map(|parent| format!("repo `{}`, whose submodule it is", parent.name)))
}

fn open(store: &Store, name: &str) -> Result<Mirror, Failure> {
    let name = RepoName::parse(name).map_err(Failure::user)?;
    Mirror::open(store, &name).map_err(Failure::user)
}

fn list(store: &Store, json: bool) -> Result<ExitCode, Failure> {
    let all = Mirror::list(store).map_err(Failure::user)?;
    let rows = all.into_iter().map(|Known { name, mirror }| {
        let branch = mirror.and_then(|mirror| {
            // Also whether its objects are there at all.
            mirror.objects()?;
            let branch = mirror.branch()?;
            Ok((mirror, branch))
        });
        (name, branch)
    });
    if json {
        let rows = rows.map(|(name, row)| match row {
            Ok((mirror, branch)) => json!({
                "name": name.as_str(),
                "from": mirror.about.source().shown(),
                "origin": match mirror.about.origin {
                    Origin::Remote => "remote",
                    Origin::Checkout => "checkout",
                },
                "branch": branch,
                "service": mirror.service(),
                "submodules": mirror.about.submodules.iter().map(|part| {
                    json!({"path": part.path, "repo": part.repo.as_str()})
                }).collect::<Vec<_>>(),
            }),
            Err(error) => {
                json!({"name": name.as_str(), "state": "broken", "why": error.to_string()})
            }
        });
        return print(&plain_json(&Value::Array(rows.collect())));
    }
    let mut table = Table::default();
    table.row(["REPO", "BRANCH", "FROM"]);
    let mut is_empty = true;
    for (name, row) in rows {
        is_empty = false;
        match row {
            Ok((mirror, branch)) => {
                let branch = branch.map_or_else(|| "(detached)".into(), |branch| plain(&branch));
                table.row([name.to_string(), branch, plain(&mirror.about.source().shown())]);
            }
            Err(error) => {
                table.row([name.to_string(), "broken".into(), plain(&error.to_string())]);
            }
        }
    }
    if is_empty {
        return print("There are no repos; `casefile repo add` takes one in.\n");
    }
    print(&table.to_string())
}

/// The commit that was live, by what was typed and what the settings say.
fn which(
    mirror: &Mirror,
    commit: Option<&str>,
    at: Option<&str>,
    environment: Option<&str>,
    around: &Surroundings,
) -> Result<Resolved, Failure> {
    let now = around.now();
    let at =
        at.map(|at| time::parse(at, now, &around.zone())).transpose().map_err(Failure::user)?;
    if let Some(told) = at.as_ref().and_then(|moment| moment.told.as_ref()) {
        let _ = std::io::Write::write_fmt(&mut anstream::stderr(), format_args!("at {told}\n"));
    }
    let settings = around.settings()?;
    let deploys = settings.deploys().map(|file| Deploys::read(&file.value)).transpose();
    let deploys = deploys.map_err(Failure::user)?;
    let environment =
        environment.or(settings.environment().map(|environment| environment.value.as_str()));
    let at: Option<Timestamp> = at.map(|moment| moment.at);
    let asked = Asked {
        commit,
        at,
        deploys: deploys.as_ref(),
        environment,
        service: None,
        branch: None,
        now,
    };
    resolve(mirror, &asked).map_err(Failure::user)
}

fn told(mirror: &Mirror, resolved: &Resolved, json: bool) -> String {
    if json {
        return plain_json(&json!({
            "repo": mirror.name.as_str(),
            "commit": resolved.commit.as_str(),
            "tree": resolved.tree.as_str(),
            "rule": resolved.rule,
            "before": resolved.before.as_ref().map(case::CommitId::as_str),
            "after": resolved.after.as_ref().map(case::CommitId::as_str),
            "why": resolved.told,
        }));
    }
    let mut text = format!("{}\n{}\n", resolved.commit, plain(&resolved.told));
    for (what, other) in [("before", &resolved.before), ("after", &resolved.after)] {
        if let Some(other) = other {
            text.push_str(&format!("{what} it: {other}\n"));
        }
    }
    text
}
