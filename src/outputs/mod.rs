//! What leaves a jail: without secrets, kept whole, and shown in part.
//!
//! ```text
//! Raw ──redact──► Clean ──keep──► Kept, in files of the case ──preview──► Shown
//! ```
//!
//! Each of these takes the one before, and only the last can be read: see `steps.rs`.

mod budget;
mod keep;
mod kind;
mod preview;
pub mod redact;
mod spool;
mod steps;
mod visible;

pub use budget::{Budget, tokens};
pub use keep::{KeptFile, Outputs, OutputsError, Stream};
pub use kind::{KIND_BYTES, Kind, kind};
pub use preview::{About, preview};
pub use redact::{Known, RedactError, Redactor, Secrets};
pub use spool::Spool;
pub use steps::{Clean, Keeping, Kept, Raw, Shown, Told};
pub use visible::visible;
