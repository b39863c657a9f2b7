//! The code of an investigation: mirrors, the commit that was live, its tree on
//! disk, and the `.git` that makes git work over it.
//!
//! ```text
//! a URL or a checkout ──mirror──► a bare repository of ours
//!                                    │
//!     a time, a deploy, a revision ──resolve──► a commit
//!                                    │
//!                                 snapshot──► its tree on disk, shared, never changed
//!                                    │
//!                                  wiring──► a `.git` over it, for one world
//! ```
//!
//! Everything here is the host's own: nothing that a jail can write is ever looked
//! at, and nothing here knows of jails. Whatever is made is made beside its place
//! and renamed into it, so that a kill leaves the whole or nothing.

mod beside;
mod index;
mod loose;
mod objects;
mod progress;
pub mod snapshot;
mod store;
pub mod wiring;

pub use index::BadIndex;
pub use objects::ObjectError;
pub use progress::{Progress, Silent};
pub use store::{Alone, Shared, Store};
