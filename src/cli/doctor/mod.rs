//! `casefile doctor`: what jails this host can give, and whether they hold.

mod attack;
mod host;
mod store;

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

/// See what jails this host can give, and attack one
///
/// Looks at what the kernel and its settings give, opens a jail for each policy,
/// and says what is missing and how to mend it. Where there are cases, they and what
/// they share are looked at too. The exit code is 0 if the policy that is set can run
/// in full, whatever the cases are like.
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
    let (mut trials, mut set) = (Vec::new(), None);
    for name in library.names().map_err(Failure::user)? {
        if Library::is_included_only(&name) {
            continue;
        }
        let is_set = settings.policy().value == name;
        let (strength, got) = match library.load(&name) {
            Ok(policy) => {
                let got = try_out(&policy, &settings, around).map_err(told);
                let strength = word(policy.least.value);
                if is_set && got.is_ok() {
                    set = Some(policy);
                }
                (strength, got)
            }
            Err(error) => ("-", Err((error.to_string(), error.hint()))),
        };
        trials.push(Trial { name: name.to_string(), is_set, strength, got });
    }
    // A policy that is set and is not there is none that can run.
    let is_ready = trials.iter().any(|trial| trial.is_set && trial.got.is_ok());
    let kept = store::look(set.as_ref(), &settings, around)?;
    let text = match args.json {
        true => plain_json(&answer(is_ready, &findings, &trials, &kept)),
        false => page(&findings, &trials, &kept),
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

fn table(findings: &[Finding]) -> Table<4> {
    let mut table = Table::default();
    for Finding { name, state, value, .. } in findings {
        table.row(["  ", &plain(name), state.word(), &plain(value)]);
    }
    table
}

fn page(findings: &[Finding], trials: &[Trial], kept: &[Finding]) -> String {
    let mut policies = Table::default();
    let ways = |findings: &[Finding]| {
        let ways = findings.iter().filter_map(|it| Some((it.name.clone(), it.way_out.clone()?)));
        ways.map(|(name, way)| format!("{name}: {way}")).collect::<Vec<_>>()
    };
    let mut mend = ways(findings);
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
    mend.extend(ways(kept));
    let mut page = format!("host\n{}\npolicies (* is set)\n{policies}", table(findings));
    if !kept.is_empty() {
        page += &format!("\ncases and what they share\n{}", table(kept));
    }
    if !mend.is_empty() {
        page += "\nto mend\n";
        mend.iter().for_each(|line| page += &format!("   {}\n", plain(line)));
    }
    page
}

fn answer(is_ready: bool, findings: &[Finding], trials: &[Trial], kept: &[Finding]) -> Value {
    let list = |findings: &[Finding]| {
        let list = findings.iter().map(|finding| {
            json!({
                "name": finding.name, "state": finding.state.word(), "value": finding.value,
                "way_out": finding.way_out,
            })
        });
        list.collect::<Vec<_>>()
    };
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
    json!({
        "ready": is_ready,
        "host": list(findings),
        "policies": policies.collect::<Vec<_>>(),
        "store": list(kept),
    })
}
