//! Why a jail or a command in it did not come to be, and the way out.

use std::io;

use super::gives::Gives;
use super::stage::{Fault, Stage};
use crate::hint::Hint;

/// Nothing was run, or what ran is gone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JailError {
    #[error("cannot start the process that jails are forked from")]
    Start(#[source] io::Error),
    #[error("{}", describe(.0))]
    Fault(Fault),
    #[error("the jail is gone")]
    Gone,
    #[error("the jail sent what makes no sense")]
    Garbage(#[source] io::Error),
}

impl From<Fault> for JailError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for JailError {
    fn from(error: io::Error) -> Self {
        Self::Garbage(error)
    }
}

fn describe(fault: &Fault) -> String {
    match fault.stage {
        Stage::Exec | Stage::Directory => {
            format!("the command could not be started: {}: {}", fault.detail, fault.errno().desc())
        }
        // The host is the jail's own, and has not changed since.
        _ => match Gives::look().explain(fault).refused_by {
            Some(by) => format!("the jail could not be built: {fault} (refused by {by})"),
            None => format!("the jail could not be built: {fault}"),
        },
    }
}

impl JailError {
    /// Whether there is no such program in the jail.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Fault(Fault { stage: Stage::Exec, errno: libc::ENOENT, .. }))
    }

    /// Whether the jail stood, and only the program could not be started in it.
    pub fn is_of_the_program(&self) -> bool {
        matches!(self, Self::Fault(fault) if matches!(fault.stage, Stage::Exec | Stage::Directory))
    }
}

impl Hint for JailError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Fault(fault) => way_out(fault),
            Self::Start(_) | Self::Gone => {
                Some("Run `casefile doctor` to see what this host gives.".into())
            }
            Self::Garbage(_) => Some("Run the command again in a new jail.".into()),
        }
    }
}

/// What to do about a stage that could not be taken.
fn way_out(fault: &Fault) -> Option<String> {
    let text = match (fault.stage, fault.errno) {
        (Stage::Exec, libc::ENOENT) => {
            "Name a program that the jail can see; `casefile policy show` lists the directories."
        }
        (Stage::Exec, libc::EACCES) => "Check that the file is a program that anybody may run.",
        (Stage::Directory, _) => "Show the directory with `--read` or `--write`.",
        (Stage::Place, libc::ENOENT) => "Name a file or directory that exists.",
        (Stage::Place, libc::EINVAL) => {
            "Run casefile as the owner of the directory: its filesystem cannot show root's files \
             as another user's."
        }
        (Stage::Place, libc::EROFS) => {
            "Show it at a place that exists there, or outside every other directory that is shown."
        }
        _ => return Some(Gives::look().explain(fault).way_out),
    };
    Some(text.into())
}
