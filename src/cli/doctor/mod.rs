//! `casefile doctor`: what jails this host can give, whether they hold, and what is
//! wrong with the repositories.

mod attack;
mod host;
mod repos;

use std::process::ExitCode;

use serde_json::{Value, json};

use super::plain::{plain, plain_json};
use super::prepared::{Prepared, Shows, jail};
use super::report::{Failure, print};
use super::surroundings::Surroundings;
use super::table::Table;
use crate::config::Settings;
use crate::hint::Hint;
use crate::jail::policy::{Library, Policy, Strength};
use crate::jail::wire::{End, Means, Spec, Status, WallKey};
use crate::jail::{JailError, Streams, Zygote};
use host::Finding;
use repos::Looked;

/// See what jails this host can give, and attack one
///
/// Looks at what the kernel and its settings give, opens a jail for each policy,
/// looks at each mirror, and says what is missing and how to mend it. The exit code is 0 if the policy
/// that is set can run in full.
///
/// With `--attack` it tries to get out of a jail that it makes for this alone:
/// each attempt is made outside too, where it has to succeed, and what comes of
/// it is looked at from the host. Nothing of yours is touched. The exit code is 0
/// if nothing went through.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Try to get out of a jail, in every way that is known
    #[arg(long)]
    attack: bool,
    /// Attack this policy [default: the one that is set, and one of the other strength]
    #[arg(long, value_name = "NAME", requires = "attack")]
    policy: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, around: &Surroundings) -> Result<ExitCode, Failure> {
    if args.attack {
        return attack::run(args.policy.as_deref(), args.json, around);
    }
    let (settings, library) = around.trusted()?;
    let findings = host::look();
    let mut trials = Vec::new();
    for name in library.names().map_err(Failure::user)? {
        if Library::is_included_only(&name) {
            continue;
        }
        let is_set = settings.policy().value == name;
        let (strength, got) = match library.load(&name) {
            Ok(policy) => {
                (word(policy.least.value), try_out(&policy, &settings, around).map_err(told))
            }
            Err(error) => ("-", Err((error.to_string(), error.hint()))),
        };
        trials.push(Trial { name: name.to_string(), is_set, strength, got });
    }
    // A policy that is set and is not there is none that can run.
    let is_ready = trials.iter().any(|trial| trial.is_set && trial.got.is_ok());
    let looked = repos::look(around)?;
    let text = match args.json {
        true => plain_json(&answer(is_ready, &findings, &trials, &looked)),
        false => page(&findings, &trials, &looked),
    };
    print(&text)?;
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What one policy would get on this host.
#[derive(Debug)]
struct Trial {
    name: String,
    is_set: bool,
    strength: &'static str,
    /// By which means the limits are held, or what is in the way and how out.
    got: Result<Means, (String, Option<String>)>,
}

fn word(strength: Strength) -> &'static str {
    match strength {
        Strength::Namespaces => "namespaces",
        Strength::Landlock => "landlock",
    }
}

fn told(failure: Failure) -> (String, Option<String>) {
    (failure.told(), failure.hint())
}

/// Opens a jail of this policy and runs a command in it that does nothing.
fn try_out(policy: &Policy, settings: &Settings, around: &Surroundings) -> Result<Means, Failure> {
    // Where a policy shows the directory that a command is started in, any will do.
    let somewhere = tempfile::Builder::new()
        .prefix("casefile-")
        .tempdir_in(around.temporary_directory())
        .map_err(|error| jail(JailError::Start(error)))?;
    let shown = policy.shown(somewhere.path(), &[]).map_err(Failure::user)?;
    let prepared = Prepared::new(policy, settings, Shows { shown, ..Shows::default() }, around)?;
    run_nothing(&prepared).map_err(jail)
}

fn run_nothing(prepared: &Prepared) -> Result<Means, JailError> {
    let zygote = Zygote::start_for_one()?;
    let opened = zygote.open(&prepared.plan)?;
    let spec = Spec {
        args: vec![b"true".to_vec()],
        env: prepared.env.clone(),
        cwd: b"/".to_vec(),
        terminal: None,
        wall_ms: TRIAL_MS_MAX,
        wall_key: WallKey::Wall,
    };
    let (null, _) = std::io::pipe().map_err(JailError::Start)?;
    let null = std::os::fd::AsFd::as_fd(&null);
    let running = opened.start(&spec, &Streams::Three([null, null, null]))?;
    match running.wait()? {
        End { status: Status::Exited(0), .. } => Ok(opened.means()),
        End { status, .. } => {
            let text = format!("a command that does nothing ended with {status:?}");
            Err(JailError::Start(std::io::Error::other(text)))
        }
    }
}

const TRIAL_MS_MAX: u64 = 10_000;

fn limits_by(means: Means) -> &'static str {
    means.of(crate::config::limits::Limit::Memory)
}

fn page(findings: &[Finding], trials: &[Trial], looked: &[Looked]) -> String {
    let mut host = Table::default();
    for finding in findings {
        host.row(["  ", finding.name, finding.state.word(), &plain(&finding.value)]);
    }
    let mut policies = Table::default();
    let mut mend = Vec::new();
    for finding in findings {
        mend.extend(finding.way_out.as_ref().map(|way| format!("{}: {way}", finding.name)));
    }
    for trial in trials {
        let mark = if trial.is_set { " *" } else { "  " };
        let (word, detail) = match &trial.got {
            Ok(means) => ("in full", format!("memory and processes by {}", limits_by(*means))),
            Err((error, _)) => ("not", plain(error)),
        };
        policies.row([mark, &trial.name, trial.strength, word, &detail]);
        if let Err((_, Some(way))) = &trial.got {
            let line = format!("{}: {way}", trial.name);
            // Said once for the host is enough.
            if !mend.iter().any(|said| said.ends_with(way.as_str())) {
                mend.push(line);
            }
        }
    }
    let mut page = format!("host\n{host}\npolicies (* is set)\n{policies}");
    let mut repos = Table::default();
    for repo in looked {
        if repo.faults.is_empty() {
            repos.row(["  ", repo.name.as_str(), "ok", ""]);
        }
        for (fault, way) in &repo.faults {
            repos.row(["  ", repo.name.as_str(), "not", &plain(fault)]);
            let line = way.as_ref().map(|way| format!("{}: {way}", repo.name));
            mend.extend(line.filter(|line| !mend.contains(line)));
        }
    }
    if !looked.is_empty() {
        page += &format!("\nrepos\n{repos}");
    }
    if !mend.is_empty() {
        page += "\nto mend\n";
        mend.iter().for_each(|line| page += &format!("   {}\n", plain(line)));
    }
    page
}

fn answer(is_ready: bool, findings: &[Finding], trials: &[Trial], looked: &[Looked]) -> Value {
    let host = findings.iter().map(|finding| {
        json!({
            "name": finding.name, "state": finding.state.word(), "value": finding.value,
            "way_out": finding.way_out,
        })
    });
    let policies = trials.iter().map(|trial| {
        let (fault, way_out) = match &trial.got {
            Ok(_) => (None, None),
            Err((fault, way_out)) => (Some(fault), way_out.as_ref()),
        };
        json!({
            "name": trial.name, "set": trial.is_set, "strength": trial.strength,
            "in_full": trial.got.is_ok(), "limits_by": trial.got.as_ref().ok().copied().map(limits_by),
            "fault": fault, "way_out": way_out,
        })
    });
    let repos = looked.iter().map(|repo| {
        let faults = repo.faults.iter();
        let faults = faults.map(|(fault, way_out)| json!({"fault": fault, "way_out": way_out}));
        json!({"name": repo.name, "faults": faults.collect::<Vec<_>>()})
    });
    json!({
        "ready": is_ready,
        "host": host.collect::<Vec<_>>(),
        "policies": policies.collect::<Vec<_>>(),
        "repos": repos.collect::<Vec<_>>(),
    })
}
