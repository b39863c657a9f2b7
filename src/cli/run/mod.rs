//! `casefile run`: one command in a jail of its own.

mod pump;
mod terminal;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use super::prepared::{Prepared, jail};
use super::report::{Failure, Turn};
use super::surroundings::Surroundings;
use crate::config::limits::{Bounds, Limit, Limits, TABLE};
use crate::hint::Hint;
use crate::jail::policy::{Mode, Mount, Policy, Verdict};
use crate::jail::wire::{End, Means, Passed, Spec, Status, WallKey};
use crate::jail::{JailError, Zygote};
use pump::{Allowance, Done};

/// Run one command in a jail
///
/// The command starts in the current directory if the jail shows it, else in an
/// empty home. What it prints, its exit code and the signals sent to casefile are
/// passed on. Its own exit code is 128 and the number of the signal where one
/// killed it; 125 says that the jail could not be built.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the jail allows [default: the policy of casefile.yaml, else `offline`]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Show a file or directory, at its own place or as TO (can be repeated)
    #[arg(long, value_name = "PATH[:TO]")]
    read: Vec<OsString>,
    /// The same, and let the command change it
    #[arg(long, value_name = "PATH[:TO]")]
    write: Vec<OsString>,
    /// End the command after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Write how it ended, and by which means it was limited, to a file as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Nothing was run, or it ran into a limit.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("the policy `{policy}` refuses `{}`: {why}", command.join(" "))]
    Refused { policy: String, command: Vec<String>, why: String },
    #[error(
        "the command was ended at the limit `{}` of {} (held by {})",
        passed.limit.limit().bounds().key, passed.value, means.of(passed.limit.limit())
    )]
    Passed { passed: Passed, means: Means, timeout: bool },
    #[error("cannot write the report to `{}`", file.display())]
    Report { file: PathBuf, source: crate::disk::DiskError },
    #[error("the streams of the command broke")]
    Streams(#[source] std::io::Error),
}

impl Hint for RunError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Refused { .. } => {
                "Run it outside the jail yourself, if that is what you want.".into()
            }
            Self::Passed { timeout: true, .. } => "Give it more time with `--timeout`.".into(),
            Self::Passed { passed, .. } => format!(
                "Raise `limits: {{{}: ...}}` in casefile.yaml or in the policy.",
                passed.limit.limit().bounds().key
            ),
            Self::Report { .. } => "Name a file in a directory that you may write to.".into(),
            Self::Streams(_) => "Run it again.".into(),
        })
    }
}

pub(super) fn run(args: Args, around: &Surroundings) -> Result<ExitCode, Failure> {
    let (settings, library) = around.trusted()?;
    let policy = match &args.policy {
        Some(name) => library.named(name),
        None => library.load(&settings.policy().value),
    };
    let policy = policy.map_err(Failure::user)?;
    judge(&policy, &args.command)?;
    let here = &around.given.working_directory;
    let shown = policy.shown(here, &asked(&args, around)?).map_err(Failure::user)?;
    let prepared = Prepared::new(&policy, &settings, shown, around)?;
    let Prepared { plan, limits, home, env, .. } = &prepared;
    let terminal = terminal::size_if_interactive();
    let (wall, wall_key) = match terminal {
        Some(_) => (Limit::Session, WallKey::Session),
        None => (Limit::Wall, WallKey::Wall),
    };
    let wall_s = args.timeout.unwrap_or(limits.get(wall));
    let cwd = if plan.shows(here) { here.clone() } else { home.clone() };
    let spec = Spec {
        args: args.command.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        env: env.clone(),
        cwd: cwd.into_os_string().into_vec(),
        terminal,
        wall_ms: wall_s.saturating_mul(1000),
        wall_key,
    };
    let began = Instant::now();
    let zygote = Zygote::start_for_one().map_err(jail)?;
    let opened = zygote.open(plan).map_err(jail)?;
    let value = limits.get(Limit::Output);
    let allowed = Allowance { bytes: value.saturating_mul(1024 * 1024), value };
    let done = if terminal.is_some() {
        terminal::converse(&opened, &spec, allowed)
    } else {
        pump::carry(&opened, &spec, allowed)
    };
    let end = match done {
        Ok(Done::Ended(end)) => end,
        Ok(Done::NotStarted(fault)) => return not_started(fault.into()),
        Err(pump::Broken::Jail(error)) => return Err(jail(error)),
        Err(pump::Broken::Streams(error)) => {
            return Err(Failure::new(Turn::Ours, RunError::Streams(error)));
        }
    };
    if let Some(file) = &args.report {
        report(file, &end, limits, opened.means(), began)?;
    }
    if let Some(passed) = end.passed {
        let timeout = wall == passed.limit.limit();
        Failure::user(RunError::Passed { passed, means: opened.means(), timeout }).report();
    }
    Ok(exit_code(&end))
}

/// As shells have it: 127 for a program that is not there, 126 for one that
/// cannot be run. All else means that the jail is not what it should be.
fn not_started(error: JailError) -> Result<ExitCode, Failure> {
    if !error.is_of_the_program() {
        return Err(jail(error));
    }
    let code = if error.is_missing() { 127 } else { 126 };
    Failure::user(error).report();
    Ok(ExitCode::from(code))
}

fn exit_code(end: &End) -> ExitCode {
    const KILLED: u8 = 128 | 9;
    ExitCode::from(match (end.status, end.passed) {
        // It was as good as ended: what it did or printed is not all there is.
        (Status::Exited(0), Some(_)) => KILLED,
        (Status::Exited(code), _) => code,
        (Status::Killed(signal), _) => 128 | signal,
    })
}

fn judge(policy: &Policy, command: &[OsString]) -> Result<(), Failure> {
    match policy.judge(command) {
        Verdict::Allow => Ok(()),
        Verdict::Refuse(rule) => Err(Failure::user(RunError::Refused {
            policy: rule.by.policy.to_string(),
            command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            why: rule.why.clone(),
        })),
    }
}

fn asked(args: &Args, around: &Surroundings) -> Result<Vec<Mount>, Failure> {
    let here = &around.given.working_directory;
    let read = args.read.iter().map(|given| (given, Mode::Read));
    let write = args.write.iter().map(|given| (given, Mode::Write));
    read.chain(write)
        .map(|(given, mode)| Mount::parse(given, mode, here).map_err(Failure::user))
        .collect()
}

/// What `--report` writes.
#[derive(Debug, Serialize)]
struct Report {
    exit_code: Option<u8>,
    signal: Option<u8>,
    passed: Option<&'static str>,
    cpu_ms: u64,
    wall_ms: u64,
    limits: BTreeMap<&'static str, Held>,
}

/// A limit that was in force.
#[derive(Debug, Serialize)]
struct Held {
    value: u64,
    by: &'static str,
}

fn report(
    file: &Path,
    end: &End,
    limits: &Limits,
    means: Means,
    began: Instant,
) -> Result<(), Failure> {
    let (exit_code, signal) = match end.status {
        Status::Exited(code) => (Some(code), None),
        Status::Killed(signal) => (None, Some(signal)),
    };
    let held = |row: &Bounds| Held { value: limits.get(row.limit), by: means.of(row.limit) };
    let report = Report {
        exit_code,
        signal,
        passed: end.passed.map(|passed| passed.limit.limit().bounds().key),
        cpu_ms: end.cpu_ms,
        wall_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        limits: TABLE.iter().map(|row| (row.key, held(row))).collect(),
    };
    let mut text = serde_json::to_vec_pretty(&report).unwrap_or_default();
    text.push(b'\n');
    crate::disk::replace(file, &text)
        .map_err(|source| Failure::user(RunError::Report { file: file.into(), source }))
}
