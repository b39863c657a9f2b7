//! `casefile run`: one command in a jail of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use super::command::{Command, To};
use super::prepared::{Prepared, Shows};
use super::report::Failure;
use super::surroundings::Surroundings;
use crate::config::limits::{Bounds, Limits, TABLE};
use crate::hint::Hint;
use crate::jail::policy::{Mode, Mount};
use crate::jail::wire::{End, Means, Status};

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

/// The report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report to `{}`", file.display())]
struct Unreported {
    file: PathBuf,
    source: crate::disk::DiskError,
}

impl Hint for Unreported {
    fn hint(&self) -> Option<String> {
        Some("Name a file in a directory that you may write to.".into())
    }
}

pub(super) fn run(args: Args, around: &Surroundings) -> Result<ExitCode, Failure> {
    let (settings, library) = around.trusted()?;
    let policy = match &args.policy {
        Some(name) => library.named(name),
        None => library.load(&settings.policy().value),
    };
    let policy = policy.map_err(Failure::user)?;
    let here = &around.given.working_directory;
    let shown = policy.shown(here, &asked(&args, around)?).map_err(Failure::user)?;
    let prepared = Prepared::new(&policy, &settings, Shows { shown, ..Shows::default() }, around)?;
    let cwd = if prepared.plan.shows(here) { here.clone() } else { prepared.home.clone() };
    let command = Command { policy: &policy, args: &args.command, cwd, timeout_s: args.timeout };
    let came = command.conduct(&prepared, &To::Caller)?;
    if let (Some(file), Some(end)) = (&args.report, came.end()) {
        report(file, end, &prepared.limits, came.means, came.began)?;
    }
    came.exit()
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
        .map_err(|source| Failure::user(Unreported { file: file.into(), source }))
}
