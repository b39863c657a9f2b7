//! Why the hands did not do what they were asked.

use std::time::Duration;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::wire::{Kind, WRITE_BYTES_MAX};
use crate::hint::Hint;
use crate::jail::error::JailError;
use crate::jail::wire::{End, Passed};

/// No answer, or one that says no. After any but [`HandsError::Refused`] and
/// [`HandsError::TooLarge`] the hands are gone, and new ones must be asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandsError {
    #[error("{0}")]
    Refused(Refusal),
    #[error("{bytes} bytes are more than the {WRITE_BYTES_MAX} that can be written at once")]
    TooLarge { bytes: usize },
    #[error("no answer from the jail within {} ms", after.as_millis())]
    Late { after: Duration },
    #[error("the process that reads and writes in the jail was ended{}", passed(.0))]
    Ended(End),
    #[error(transparent)]
    Jail(#[from] JailError),
}

fn passed(end: &End) -> String {
    end.passed.map_or(String::new(), |Passed { limit, value }| {
        format!(": `{}` of {value} was passed", limit.limit().bounds().key)
    })
}

/// What the hands say when they cannot do what they are asked. It is about a path
/// that whoever asked knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    #[error("there is no such file or directory")]
    Missing,
    #[error("a part of the path before its last is not a directory")]
    NotADirectory,
    /// It is there, and something else than what was asked for.
    #[error("it is {0}")]
    Is(Kind),
    #[error("it exists already")]
    Exists,
    /// It belongs to what the jail only shows.
    #[error("it is read-only in the jail")]
    ReadOnly,
    #[error("the jail may not do this to it")]
    Denied,
    #[error("links lead in a circle")]
    Circle,
    #[error("the name is too long")]
    LongName,
    #[error("there is no room left for it")]
    Full,
    #[error("the file would become larger than a file may be")]
    LongFile,
    #[error("the directory has too many entries to be listed")]
    TooMany,
    /// The pattern is not one, and why, over several lines.
    #[error("the pattern cannot be used: {0}")]
    Pattern(String),
    #[error("no search has begun")]
    NoSearch,
    #[error("{}", Errno::from_raw(*errno).desc())]
    Other { errno: i32 },
    #[error("somebody changed it at the same time")]
    Changed,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOENT => Self::Missing,
            Errno::ENOTDIR => Self::NotADirectory,
            Errno::EISDIR => Self::Is(Kind::Directory),
            Errno::EEXIST => Self::Exists,
            Errno::EROFS => Self::ReadOnly,
            Errno::EACCES | Errno::EPERM => Self::Denied,
            Errno::ELOOP => Self::Circle,
            Errno::ENAMETOOLONG => Self::LongName,
            Errno::ENOSPC | Errno::EDQUOT => Self::Full,
            Errno::EFBIG => Self::LongFile,
            errno => Self::Other { errno: errno as i32 },
        }
    }
}

impl Hint for HandsError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Refused(refusal) => return refusal.hint(),
            Self::TooLarge { .. } => "Write it in parts, the later ones appended.",
            Self::Late { .. } => "Ask for less at a time: a smaller directory, a simpler pattern.",
            Self::Ended(_) => "Ask again; it is started anew.",
            Self::Jail(error) => return error.hint(),
        };
        Some(text.into())
    }
}

impl Hint for Refusal {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Missing | Self::NotADirectory => "List the directory to see what is there.",
            Self::Is(Kind::Directory) => "List it instead.",
            Self::Is(Kind::Link) => "Name the file that it leads to.",
            Self::Exists => "Replace it, or choose another name.",
            Self::ReadOnly | Self::Denied => "Choose a place that the jail may write to.",
            Self::Changed => "Read it again; nothing was written.",
            Self::Full => "Remove something that is no longer needed.",
            Self::Pattern(_) => "Mend the pattern, or escape what is meant literally.",
            _ => return None,
        };
        Some(text.into())
    }
}
