//! What is written down of every call in a case, and how one finds out whether it
//! still says what it said.
//!
//! ```text
//! Entry ──append──► one line of journal.jsonl, which names the hash of the line before
//!                     └── every second, and at the end: synced, and its head noted
//! ```

mod check;
mod entry;
mod head;
mod journal;

pub use check::{Fault, Finding, check};
pub use entry::{Entry, KeptAs, Line, Verdict};
pub use journal::{Journal, JournalError};
