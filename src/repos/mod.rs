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
mod deploys;
mod error;
mod git;
mod index;
mod loose;
mod mirror;
mod objects;
mod progress;
mod publish;
mod resolve;
pub mod snapshot;
mod source;
mod store;
mod submodules;
pub mod wiring;

use std::path::PathBuf;

use crate::case::{CommitId, TreeId};
use crate::disk::{DiskError, list};

pub use deploys::{Deploy, DeployError, Deploys};
pub use error::{RepoError, Said};
pub use git::Git;
pub use index::BadIndex;
pub use mirror::{
    About, Fault, Known, Mirror, Missing, New, Origin, Seen, Submodule, Until, sweep,
};
pub use objects::ObjectError;
pub use progress::{Progress, Silent};
pub use publish::{Commits, PublishError};
pub use resolve::{Asked, ResolveError, Resolved, recorded, resolve};
pub use source::Source;
pub use store::{Alone, Shared, Store};
pub use submodules::{Part, submodules_at};

/// What those have left in the store that were killed. The caller has it alone, so
/// that nobody is at work there.
pub fn leftovers(store: &Store) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = snapshot::leftovers(store)?;
    found.extend(wiring::leftovers(store)?);
    found.extend(list(&publish::place(store))?);
    Ok(found)
}

/// An id of libgit2's, as the rest of the program has it.
fn commit_id(id: git2::Oid) -> CommitId {
    CommitId::of_sha1(std::array::from_fn(|at| id.as_bytes()[at]))
}

fn tree_id(id: git2::Oid) -> TreeId {
    TreeId::of_sha1(std::array::from_fn(|at| id.as_bytes()[at]))
}
