//! How a failure reaches a person: `error:`, `cause:` lines, `hint:`, and the
//! exit code that tells a script whose turn it is.

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use super::plain::plain;
use crate::case::CaseError;
use crate::hint::Hint;

/// Whose turn it is after a failure. The numbers are part of the interface, and
/// so is 2 for a command line that makes no sense, which clap gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The user can mend it.
    User = 1,
    /// The jail could not be built, so nothing was run.
    Jail = 125,
    /// Our fault.
    Ours = 255,
}

/// A failure on its way to stderr.
#[derive(Debug)]
pub(crate) struct Failure {
    turn: Turn,
    error: Box<dyn Hint + Send + Sync>,
}

impl Failure {
    pub(crate) fn new(turn: Turn, error: impl Hint + Send + Sync + 'static) -> Self {
        Self { turn, error: Box::new(error) }
    }

    /// A failure that the user can mend.
    pub(crate) fn user(error: impl Hint + Send + Sync + 'static) -> Self {
        Self::new(Turn::User, error)
    }

    /// A case that cannot be had as asked. Only what cannot be written down is
    /// our own doing.
    pub(crate) fn case(error: CaseError) -> Self {
        match error {
            CaseError::Unwritable(_) => Self::new(Turn::Ours, error),
            _ => Self::user(error),
        }
    }

    /// What happened, for one who has other words for it.
    pub(crate) fn error(&self) -> &(dyn Error + 'static) {
        &*self.error
    }

    pub(crate) fn turn(&self) -> Turn {
        self.turn
    }

    /// What happened and why, in one line.
    pub(crate) fn told(&self) -> String {
        with_causes(&*self.error)
    }

    /// The way out, if there is one.
    pub(crate) fn hint(&self) -> Option<String> {
        self.error.hint()
    }

    /// Prints the three parts, in colour only on a terminal, and says how to exit.
    pub(crate) fn report(&self) -> ExitCode {
        // stderr may be closed or full; there is nobody left to tell.
        let _ = self.write(&mut anstream::stderr());
        ExitCode::from(self.turn as u8)
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        line(out, AnsiColor::Red, "error", &self.error.to_string())?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            line(out, AnsiColor::Yellow, "cause", &error.to_string())?;
            cause = error.source();
        }
        if let Some(hint) = self.error.hint() {
            line(out, AnsiColor::Cyan, "hint", &hint)?;
        }
        Ok(())
    }
}

/// Says what went wrong beside the main thing, which was done.
pub(crate) fn warn(error: &dyn Hint) {
    let mut err = anstream::stderr();
    let _ = line(&mut err, AnsiColor::Yellow, "warning", &with_causes(error));
    if let Some(hint) = error.hint() {
        let _ = line(&mut err, AnsiColor::Cyan, "hint", &hint);
    }
}

/// Says something beside the main thing that a person may want to know.
pub(crate) fn note(text: &str) {
    let _ = line(&mut anstream::stderr(), AnsiColor::Blue, "note", text);
}

/// An error and its causes in one line.
pub(crate) fn with_causes<E: Error + ?Sized>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Prints an answer, whole, on stdout.
pub(crate) fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::user(Unprinted(error))),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// The answer did not reach stdout.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout")]
struct Unprinted(#[source] std::io::Error);

impl Hint for Unprinted {}

/// Prints a failure that has its words already, of which nothing acts on a terminal.
pub(crate) fn print_error(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

fn line(out: &mut impl Write, colour: AnsiColor, label: &str, text: &str) -> std::io::Result<()> {
    let style = Style::new().bold().fg_color(Some(colour.into()));
    writeln!(out, "{style}{label}:{style:#} {}", plain(text))
}
