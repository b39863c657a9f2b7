//! The names in a world: where a jail shows what a case holds.
//!
//! ```text
//! /case/repos/<name>/                 the code; writable
//! /case/notes/                        the agent's own; writable
//! /case/evidence/                     what came with the incident
//! /case/outputs/                      kept outputs
//! /run/casefile/objects/<name>/<n>/   the objects that git reads, of a mirror and of
//!                                     what a mirror borrows from
//! /run/casefile/changes/<name>/<n>/   what the case changed in a repository, to look at
//! /run/casefile/changed               tells git which files those are
//! ```

use std::path::{Path, PathBuf};

use super::RepoName;

/// The world itself.
pub const WORLD: &str = "/case";
pub const NOTES: &str = "/case/notes";
pub const EVIDENCE: &str = "/case/evidence";
pub const OUTPUTS: &str = "/case/outputs";

/// The program that git asks which files a case has changed. Its working directory
/// tells it the repository.
pub const CHANGED: &str = "/run/casefile/changed";

/// Where a repository is.
pub fn repo(name: &RepoName) -> PathBuf {
    Path::new(WORLD).join("repos").join(name.as_str())
}

/// Where the objects of a repository are. There are several places if its mirror
/// borrows from others.
pub fn objects(name: &RepoName, nth: usize) -> PathBuf {
    Path::new("/run/casefile/objects").join(name.as_str()).join(nth.to_string())
}

/// Where the layers that a case has written can be looked at, the latest first.
pub fn changes(name: &RepoName, nth: usize) -> PathBuf {
    Path::new("/run/casefile/changes").join(name.as_str()).join(nth.to_string())
}
