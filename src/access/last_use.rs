//! When a token was used last: the time of an empty file for each. So it is written
//! without reading anything, and no other can be lost by it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::secret::Digest;
use crate::disk::{self, DiskError};

/// It is not written more often.
const EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Writes the uses of tokens down.
#[derive(Debug)]
pub(super) struct LastUse {
    dir: PathBuf,
    written: Mutex<HashMap<Digest, Timestamp>>,
}

impl LastUse {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, written: Mutex::default() }
    }

    /// One was used. A disk that cannot take it keeps nobody out.
    pub(super) fn note(&self, digest: &Digest, now: Timestamp) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was put back counts as long ago.
        let is_fresh = |last: &Timestamp| {
            let since = now.duration_since(*last);
            !since.is_negative() && since < EVERY
        };
        if !written.get(digest).is_some_and(is_fresh) {
            written.insert(digest.clone(), now);
            let _ = disk::touch(&self.dir.join(digest.short()), now.into());
        }
    }
}

/// When one was used last, if it ever was.
pub(super) fn of(dir: &Path, digest: &Digest) -> Option<Timestamp> {
    Timestamp::try_from(disk::touched(&dir.join(digest.short()))?).ok()
}

/// Forgets all tokens but these.
pub(super) fn forget_others(dir: &Path, digests: &[&Digest]) -> Result<(), DiskError> {
    let names: Vec<String> = digests.iter().map(|digest| digest.short()).collect();
    let is_kept = |path: &Path| {
        path.file_name().is_some_and(|name| names.iter().any(|kept| name == kept.as_str()))
    };
    for path in disk::list(dir)?.iter().filter(|path| !is_kept(path)) {
        disk::remove_file(path)?;
    }
    Ok(())
}
