//! The tools that work in a case: what each is asked, and what it answers.
//!
//! ```text
//! arguments ──► a tool ──► the jail's hands, or a command ──► Answer
//! ```
//!
//! A tool asks the jail and puts the answer into words. It does not cut, redact,
//! log or ask whether it may: that is the line's, around it.

pub mod find;
pub mod grep;
mod place;
mod places;

use crate::hint::Hint;
use crate::jail::{HandsError, JailError};

pub use find::{Find, find};
pub use grep::{Grep, grep};
pub use place::Place;

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
    /// An argument makes no sense.
    #[error("`{argument}`: {why}")]
    Argument { argument: &'static str, why: String, way_out: String },
    #[error(transparent)]
    Hands(#[from] HandsError),
    #[error(transparent)]
    Jail(#[from] JailError),
}

impl Hint for ToolError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Path { nearest, .. } if !nearest.is_empty() => {
                let names: Vec<_> = nearest.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("Did you mean {}?", names.join(" or ")))
            }
            Self::Path { error, .. } | Self::Hands(error) => error.hint(),
            Self::Argument { way_out, .. } => Some(way_out.clone()),
            Self::Jail(error) => error.hint(),
        }
    }
}
