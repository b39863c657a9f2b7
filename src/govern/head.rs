//! The head of a journal: how many lines it had when it was last synced, and the
//! hash of the last one. Without it, a journal whose last lines are gone would look
//! whole.

use std::path::{Path, PathBuf};

use super::entry::Hash;
use crate::disk::{self, DiskError};

/// Beside the journal.
const HEAD: &str = "journal.head";
const HEAD_BYTES_MAX: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) lines: u64,
    pub(super) hash: Hash,
}

impl Head {
    /// The head of a journal without a line.
    pub(super) const EMPTY: Self = Self { lines: 0, hash: Hash::NOTHING };

    pub(super) fn path(case: &Path) -> PathBuf {
        case.join(HEAD)
    }

    /// What was noted last. `None` if that cannot be understood.
    pub(super) fn read(case: &Path) -> Result<Option<Self>, DiskError> {
        let Some(bytes) = disk::read_small(&Self::path(case), HEAD_BYTES_MAX)? else {
            return Ok(Some(Self::EMPTY));
        };
        let text = String::from_utf8_lossy(&bytes);
        let head = text.trim_end().split_once(' ').and_then(|(lines, hash)| {
            Some(Self { lines: lines.parse().ok()?, hash: Hash::parse(hash)? })
        });
        Ok(head)
    }

    pub(super) fn note(&self, case: &Path) -> Result<(), DiskError> {
        disk::replace(&Self::path(case), format!("{} {}\n", self.lines, self.hash).as_bytes())
    }
}
