//! What leaves a jail: without secrets, kept whole, and shown in part.
//!
//! ```text
//! bytes ──redact──► Clean ──keep──► a file of the case ──preview──► text
//! ```

pub mod redact;
