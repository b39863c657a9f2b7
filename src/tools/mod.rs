//! The tools that work in a case: what each is asked, and what it answers.
//!
//! ```text
//! arguments ──► a tool ──► the jail's hands, or a command ──► Answer
//! ```
//!
//! A tool asks the jail and puts the answer into words. It does not cut, redact,
//! log or ask whether it may: that is the line's, around it.

mod amount;
mod background;
mod call;
mod compare;
pub mod diff;
mod ended;
pub mod find;
mod follow;
pub mod grep;
mod judge;
mod line;
mod missing;
mod named;
mod older;
mod place;
mod places;
mod process;
pub mod read_file;
mod repeats;
mod session;
mod shell;
mod stop;
mod write_file;

use crate::govern::JournalError;
use crate::hint::Hint;
use crate::jail::{HandsError, JailError, Refusal};
use crate::outputs::OutputsError;

pub use background::{Background, Wanted};
pub use call::Call;
pub use diff::{Code, Diff};
pub use find::{Find, find};
pub use grep::{Grep, grep};
pub use line::Reply;
pub use place::Place;
pub use read_file::{Part, ReadFile, read_file};
pub use session::{Clock, Ground, Open, Opened, Session, Unopened};
pub use shell::{Shell, Start, TIMEOUT_S};
pub use stop::Stop;
pub use write_file::{WriteFile, WriteMode, write_file};

/// What a tool has to say, before anybody redacted, kept or cut it.
#[derive(Debug, Default)]
pub struct Answer {
    /// How it went, in one line: what was looked at, how much there is.
    pub facts: String,
    pub body: Vec<u8>,
    /// The call that shows more, if there is more.
    pub next: Option<String>,
}

/// A tool did not do what it was asked. Every one of these can be mended by whoever
/// asked, or was not theirs to begin with and says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// About one path.
    #[error("`{path}`")]
    Path {
        path: String,
        #[source]
        error: HandsError,
        /// Names that are there and look like it.
        nearest: Vec<String>,
    },
    /// A place that is only shown.
    #[error("`{path}` is read-only: {why}")]
    ReadOnly { path: String, why: &'static str },
    /// An argument makes no sense.
    #[error("`{argument}`: {why}")]
    Argument { argument: &'static str, why: String, way_out: String },
    /// A rule of the policy is against it.
    #[error("the policy `{policy}` refuses this: {why}")]
    Refused { policy: String, why: String },
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Unopened(#[from] Unopened),
    #[error("the streams of the command broke")]
    Streams(#[source] std::io::Error),
    #[error(transparent)]
    Hands(#[from] HandsError),
    #[error(transparent)]
    Jail(#[from] JailError),
    #[error(transparent)]
    Outputs(#[from] OutputsError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What kind of failure it was, for whoever acts on it without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was named is not there.
    Missing,
    /// An argument makes no sense, or does not fit what is there.
    Argument,
    /// A place that is only shown.
    ReadOnly,
    /// A rule of the policy is against it.
    Refused,
    /// There is no jail, or it went away.
    Jail,
    /// Whoever asked did not want it any more.
    Cancelled,
    /// The host could not do its part.
    Host,
}

impl ToolError {
    pub fn kind(&self) -> Kind {
        let of_hands = |error: &HandsError| match error {
            HandsError::Refused(Refusal::Missing) => Kind::Missing,
            HandsError::Refused(Refusal::ReadOnly) => Kind::ReadOnly,
            HandsError::Refused(_) | HandsError::TooLarge { .. } => Kind::Argument,
            _ => Kind::Jail,
        };
        match self {
            Self::Path { error, .. } | Self::Hands(error) => of_hands(error),
            Self::ReadOnly { .. } => Kind::ReadOnly,
            Self::Argument { argument: "handle", .. } => Kind::Missing,
            Self::Argument { .. } => Kind::Argument,
            Self::Refused { .. } => Kind::Refused,
            Self::Cancelled => Kind::Cancelled,
            Self::Unopened(_) | Self::Jail(_) => Kind::Jail,
            Self::Streams(_) | Self::Outputs(_) | Self::Journal(_) => Kind::Host,
        }
    }
}

impl Hint for ToolError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Path { nearest, .. } if !nearest.is_empty() => {
                let names: Vec<_> = nearest.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("Did you mean {}?", names.join(" or ")))
            }
            Self::Path { error, .. } | Self::Hands(error) => error.hint(),
            Self::ReadOnly { .. } => Some("Write below `repos/` or `notes/` instead.".to_owned()),
            Self::Argument { way_out, .. } => Some(way_out.clone()),
            Self::Refused { .. } => Some("Do it in another way, or leave it to a person.".into()),
            Self::Cancelled => None,
            Self::Unopened(error) => error.hint(),
            Self::Streams(_) => Some("Run it again.".into()),
            Self::Jail(error) => error.hint(),
            Self::Outputs(error) => error.hint(),
            Self::Journal(error) => error.hint(),
        }
    }
}
