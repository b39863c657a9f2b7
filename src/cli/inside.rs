//! Asking something in a case: a script that runs in its jail, whose answer is kept
//! in a file of the host that has no name.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use super::command::To;
use super::entered::Entered;
use super::report::{Failure, Turn};
use crate::hint::Hint;
use crate::jail::wire::Status;

/// What is asked.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    /// For `sh`.
    pub(super) script: &'a str,
    pub(super) args: &'a [&'a str],
    pub(super) cwd: PathBuf,
    /// In the words of a message: `comparing` failed.
    pub(super) what: &'static str,
}

/// So much of what went wrong is repeated.
const SAID_BYTES_MAX: u64 = 2_000;

/// The jail did not answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("{what} in the case failed: {said}")]
    Failed { what: &'static str, said: String },
    #[error("the answer could not be kept")]
    Kept(#[source] io::Error),
}

impl Hint for NoAnswer {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Failed { .. } => "Look at it with `casefile shell`.".into(),
            Self::Kept(_) => "Free some space for temporary files and try again.".into(),
        })
    }
}

/// Asks, and gives what was answered.
pub(super) fn ask(entered: &Entered, asking: &Asking<'_>) -> Result<File, Failure> {
    let kept = |error| Failure::new(Turn::User, NoAnswer::Kept(error));
    let answer = unnamed().map_err(kept)?;
    let mut said = unnamed().map_err(kept)?;
    let mut command: Vec<OsString> =
        ["sh", "-c", asking.script, "sh"].into_iter().map(OsString::from).collect();
    command.extend(asking.args.iter().map(OsString::from));
    let to = To::These(answer.as_fd(), said.as_fd());
    let came = entered.conduct(&command, asking.cwd.clone(), None, &to)?;
    let is_good =
        came.end().is_some_and(|end| end.status == Status::Exited(0) && end.passed.is_none());
    if is_good {
        return Ok(answer);
    }
    let mut bytes = Vec::new();
    let read = said.rewind().and_then(|()| said.take(SAID_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(kept)?;
    let said = String::from_utf8_lossy(&bytes).trim().to_owned();
    if came.end().is_none_or(|end| end.passed.is_some()) {
        // That has its own words.
        let code = came.exit()?;
        if said.is_empty() && code == ExitCode::SUCCESS {
            return Ok(answer);
        }
    }
    let said = if said.is_empty() { "it said nothing".into() } else { said };
    Err(Failure::user(NoAnswer::Failed { what: asking.what, said }))
}

#[expect(clippy::disallowed_methods, reason = "a file without a name, which only this process has")]
fn unnamed() -> io::Result<File> {
    tempfile::tempfile()
}
