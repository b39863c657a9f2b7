//! What leaves a jail: without secrets, kept whole, and shown in part.
//!
//! ```text
//! bytes ──redact──► Clean ──keep──► a file of the case ──preview──► text
//! ```

mod budget;
mod keep;
mod kind;
mod preview;
pub mod redact;
mod spool;
mod visible;

pub use budget::{Budget, tokens};
pub use keep::{KeptFile, Outputs, OutputsError, Stream};
pub use kind::{KIND_BYTES, Kind, kind};
pub use preview::{About, preview};
pub use spool::Spool;
pub use visible::visible;
