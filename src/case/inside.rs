//! The names in a world: where a jail shows what a case holds.
//!
//! ```text
//! /case/repos/<name>/                 the code; writable
//! /case/notes/                        the agent's own; writable
//! /case/evidence/                     what came with the incident
//! /case/outputs/                      kept outputs
//! /run/casefile/objects/<name>/<n>/   the objects that git reads, of a mirror and of
//!                                     what a mirror borrows from
//! /run/casefile/changes/<place>/<n>/  what the case changed in a repository, to look at:
//!                                     its own layer, and those of what it was forked from
//! /run/casefile/changed               tells git which files those are
//! ```

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::RepoName;

/// The world itself.
pub const WORLD: &str = "/case";
pub const REPOS: &str = "/case/repos";
pub const NOTES: &str = "/case/notes";
pub const EVIDENCE: &str = "/case/evidence";
pub const OUTPUTS: &str = "/case/outputs";

/// The program that git asks which files a case has changed. Its working directory
/// tells it the repository.
pub const CHANGED: &str = "/run/casefile/changed";

/// Where a repository is.
pub fn repo(name: &RepoName) -> PathBuf {
    Path::new(REPOS).join(name.as_str())
}

/// Where the objects of a repository are. There are several places if its mirror
/// borrows from others.
pub fn objects(name: &RepoName, nth: usize) -> PathBuf {
    all_objects(name).join(nth.to_string())
}

/// What holds all of these places, and nothing else.
pub fn all_objects(name: &RepoName) -> PathBuf {
    Path::new("/run/casefile/objects").join(name.as_str())
}

/// Where the layers can be looked at that a case wrote of the repository at `place`:
/// the one that it writes into is the first, and then come those that it was forked
/// from. A repository may be in another, so the whole of its place is one name here.
pub fn changes(place: &Path, nth: usize) -> PathBuf {
    let mut name = Vec::new();
    for byte in place.strip_prefix(REPOS).unwrap_or(place).as_os_str().as_bytes() {
        match byte {
            b'/' => name.extend(b"%2F"),
            b'%' => name.extend(b"%25"),
            byte => name.push(*byte),
        }
    }
    Path::new("/run/casefile/changes").join(OsStr::from_bytes(&name)).join(nth.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::changes;

    #[test]
    fn each_place_has_one_name_among_the_changes() {
        #[rustfmt::skip]
        let table = [
            ("/case/repos/app",            "/run/casefile/changes/app/0"),
            ("/case/repos/app/vendor/lib", "/run/casefile/changes/app%2Fvendor%2Flib/0"),
            ("/case/repos/app%2Flib",      "/run/casefile/changes/app%252Flib/0"),
        ];
        for (place, want) in table {
            assert_eq!(changes(Path::new(place), 0), Path::new(want));
        }
    }
}
