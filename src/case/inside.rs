//! The names in a world: where a jail shows what a case holds.
//!
//! ```text
//! /case/repos/<name>/                 the code; writable
//! /case/notes/                        the agent's own; writable
//! /case/evidence/                     what came with the incident
//! /case/outputs/                      kept outputs
//! /run/casefile/objects/<name>/<n>/   the objects that git reads, of a mirror and of
//!                                     what a mirror borrows from
//! /run/casefile/changes/<name>/<n>/   what the case changed in a repository, to look at:
//!                                     its own layer, and those of what it was forked from
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

/// The repository that a directory of the world is in, and where in it.
pub fn repo_of(path: &Path) -> Option<(RepoName, PathBuf)> {
    let mut parts = path.strip_prefix(WORLD).ok()?.strip_prefix("repos").ok()?.components();
    let name = RepoName::parse(parts.next()?.as_os_str().to_str()?).ok()?;
    Some((name, parts.as_path().to_owned()))
}

/// Where the layers can be looked at that a case wrote: the one that it writes into
/// is the first, and then come those that it was forked from.
pub fn changes(name: &RepoName, nth: usize) -> PathBuf {
    Path::new("/run/casefile/changes").join(name.as_str()).join(nth.to_string())
}
