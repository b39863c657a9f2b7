//! `casefile run`: one command in a jail of its own.

mod pump;
mod scratch;
mod terminal;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use super::report::{Failure, Turn};
use super::surroundings::Surroundings;
use crate::config::limits::{Bounds, Limit, Limits, TABLE};
use crate::hint::Hint;
use crate::jail::plan::{HOME, Plan, USER};
use crate::jail::policy::{Library, Mode, Mount, Policy, Strength, Verdict};
use crate::jail::wire::{End, Means, Passed, Spec, Status, WallKey};
use crate::jail::{JailError, Zygote};
use pump::Done;
use scratch::Scratch;

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
    let settings = around.trusted_settings()?;
    let library = Library::new(settings.policy_dir());
    let policy = match &args.policy {
        Some(name) => library.named(name),
        None => library.load(&settings.policy().value),
    };
    let policy = policy.map_err(Failure::user)?;
    judge(&policy, &args.command)?;
    let here = &around.given.working_directory;
    let shown = policy.shown(here, &asked(&args, around)?).map_err(Failure::user)?;
    let limits = policy.limits(settings.limits());
    let scratch = match policy.least.value {
        Strength::Namespaces => None,
        Strength::Landlock => Some(Scratch::make().map_err(|error| jail(JailError::Start(error)))?),
    };
    let home = scratch.as_ref().map_or(PathBuf::from(HOME), |scratch| scratch.path().to_owned());
    let wanted = crate::jail::plan::Wanted {
        strength: policy.least.value,
        network: policy.network.value,
        limits: &limits,
        kept: around.given.kept(),
        shown,
        scratch: scratch.is_some().then(|| home.clone()),
    };
    let plan = Plan::new(&wanted).map_err(Failure::user)?;
    let terminal = terminal::size_if_interactive();
    let (wall, wall_key) = match terminal {
        Some(_) => (Limit::Session, WallKey::Session),
        None => (Limit::Wall, WallKey::Wall),
    };
    let wall_s = args.timeout.unwrap_or(limits.get(wall));
    let cwd = if plan.shows(here) { here.clone() } else { home.clone() };
    let spec = Spec {
        args: args.command.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        env: environment(&policy, around, &home),
        cwd: cwd.into_os_string().into_vec(),
        terminal,
        wall_ms: wall_s.saturating_mul(1000),
        wall_key,
    };
    let began = Instant::now();
    let zygote = Zygote::start_for_one().map_err(jail)?;
    let opened = zygote.open(&plan).map_err(jail)?;
    let output_bytes = limits.get(Limit::Output).saturating_mul(1024 * 1024);
    let done = if terminal.is_some() {
        terminal::converse(&opened, &spec)
    } else {
        pump::carry(&opened, &spec, output_bytes, limits.get(Limit::Output))
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
        report(file, &end, &limits, opened.means(), began)?;
    }
    if let Some(passed) = end.passed {
        let timeout = wall == passed.limit.limit();
        Failure::user(RunError::Passed { passed, means: opened.means(), timeout }).report();
    }
    Ok(exit_code(&end))
}

fn jail(error: JailError) -> Failure {
    Failure::new(Turn::Jail, error)
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

/// The policy's variables and nothing else, beside those that name the jail's
/// own user and home.
fn environment(policy: &Policy, around: &Surroundings, home: &Path) -> Vec<Vec<u8>> {
    let mut vars: Vec<(OsString, OsString)> = vec![
        ("HOME".into(), home.into()),
        ("USER".into(), USER.into()),
        ("LOGNAME".into(), USER.into()),
    ];
    if home != OsStr::new(HOME) {
        vars.push(("TMPDIR".into(), home.into()));
    }
    let passed = policy
        .env_pass
        .iter()
        .filter_map(|name| Some((OsString::from(&name.value), around.variable(&name.value)?)));
    let set = policy.env_set.iter().map(|(name, value)| (name.into(), (&value.value).into()));
    for (name, value) in passed.chain(set) {
        vars.retain(|(known, _)| *known != name);
        vars.push((name, value));
    }
    vars.into_iter()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
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
