//! Asking something in a case: a script that runs in its jail, whose answer is kept
//! in a file of the host that has no name.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::command::To;
use super::entered::Entered;
use super::report::{Failure, Turn};
use crate::disk;
use crate::hint::Hint;
use crate::jail::wire::Status;

/// What is asked.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    /// For `sh`.
    pub(super) script: &'a str,
    pub(super) args: &'a [&'a str],
    pub(super) cwd: PathBuf,
    /// What it reads, if there is anything to tell it: a file of the host's own.
    pub(super) input: Option<&'a Path>,
    /// In the words of a message: `comparing` failed.
    pub(super) what: &'static str,
}

/// So much of what went wrong is repeated.
const SAID_BYTES_MAX: u64 = 2_000;

/// The jail did not answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("{what} in the case failed")]
    Failed {
        what: &'static str,
        #[source]
        said: Said,
    },
    #[error("the answer could not be kept")]
    Kept(#[source] io::Error),
}

/// What the jail said of it, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl Said {
    fn of(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
        Self(if lines.is_empty() { "it said nothing".into() } else { lines.join("; ") })
    }
}

impl Hint for NoAnswer {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Failed { .. } => "Look at it with `casefile shell`.".into(),
            Self::Kept(_) => "Free some space for temporary files and try again.".into(),
        })
    }
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) given: File,
    /// What there was to say beside it.
    pub(super) said: String,
}

/// Asks, and gives what was answered.
pub(super) fn ask(entered: &Entered, asking: &Asking<'_>) -> Result<Answer, Failure> {
    let kept = |error| Failure::new(Turn::User, NoAnswer::Kept(error));
    let input = asking.input.map_or_else(disk::nothing, disk::open).map_err(Failure::user)?;
    let given = unnamed().map_err(kept)?;
    let mut said = unnamed().map_err(kept)?;
    let mut command: Vec<OsString> =
        ["sh", "-c", asking.script, "sh"].into_iter().map(OsString::from).collect();
    command.extend(asking.args.iter().map(OsString::from));
    let to = To::These([input.as_fd(), given.as_fd(), said.as_fd()]);
    let came = entered.conduct(&command, asking.cwd.clone(), None, &to)?;
    let is_good =
        came.end().is_some_and(|end| end.status == Status::Exited(0) && end.passed.is_none());
    let mut bytes = Vec::new();
    let read = said.rewind().and_then(|()| said.take(SAID_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(kept)?;
    let said = String::from_utf8_lossy(&bytes).trim().to_owned();
    if is_good {
        return Ok(Answer { given, said });
    }
    if came.end().is_none_or(|end| end.passed.is_some()) {
        // That has its own words.
        let code = came.exit()?;
        if said.is_empty() && code == ExitCode::SUCCESS {
            return Ok(Answer { given, said });
        }
    }
    Err(Failure::user(NoAnswer::Failed { what: asking.what, said: Said::of(&said) }))
}

#[expect(clippy::disallowed_methods, reason = "a file without a name, which only this process has")]
fn unnamed() -> io::Result<File> {
    tempfile::tempfile()
}
