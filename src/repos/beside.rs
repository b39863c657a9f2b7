//! Making a directory of the store beside its place, and renaming it there when it is
//! whole. Two who want the same one do the work once: the second waits for the first.
//!
//! ```text
//! .lock-KEY        held by whoever makes KEY, gone after
//! .building-KEY    what it makes; a leftover, if nobody holds the lock
//! KEY              whole
//! ```

#![expect(clippy::disallowed_methods, reason = "the store is the host's own; no jail can write it")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::disk::{self, DiskError, Holder, Lock};

use super::Progress;

/// How the name of a directory begins that is not whole.
pub(super) const BUILDING: &str = ".building-";
const LOCK: &str = ".lock-";

/// The right to make one directory, and the place to make it in.
#[derive(Debug)]
pub(super) struct Beside {
    place: PathBuf,
    building: PathBuf,
    lock_path: PathBuf,
    _lock: Lock,
}

impl Beside {
    /// Waits until nobody else makes the directory `key` of `dir`, and removes what one
    /// who was killed has left of it. It may be there by then.
    pub(super) fn begin(
        dir: &Path,
        key: &str,
        holder: &Holder,
        progress: &dyn Progress,
    ) -> Result<Self, DiskError> {
        disk::directory(dir)?;
        let lock_path = dir.join(format!("{LOCK}{key}"));
        let lock = Lock::wait(&lock_path, holder, |who| {
            let who = who.map_or_else(|| "another process".into(), Holder::to_string);
            progress.note(&format!("waiting for {who}, which makes the same"));
        })?;
        let building = dir.join(format!("{BUILDING}{key}"));
        let beside = Self { place: dir.join(key), building, lock_path, _lock: lock };
        remove(&beside.building)?;
        Ok(beside)
    }

    /// The directory that will be renamed, empty.
    pub(super) fn make(&self) -> Result<&Path, DiskError> {
        remove(&self.building)?;
        disk::directory(&self.building)?;
        Ok(&self.building)
    }

    /// It is whole.
    pub(super) fn place(self) -> Result<(), DiskError> {
        fs::rename(&self.building, &self.place).map_err(DiskError::io("create", &self.place))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // What cannot be removed now is removed by whoever comes next.
        let _ = remove(&self.building);
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// What builds that were killed have left in `dir`. The caller has the store alone, so
/// that nobody builds.
pub(super) fn leftovers(dir: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = Vec::new();
    for name in names(dir)? {
        if name.starts_with(BUILDING) || name.starts_with(LOCK) {
            found.push(dir.join(name));
        }
    }
    Ok(found)
}

/// The names in a directory of the store; none, if it is not there.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, DiskError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        outcome => outcome.map_err(DiskError::io("list", dir))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(DiskError::io("list", dir))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn remove(path: &Path) -> Result<(), DiskError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DiskError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
