//! What a snapshot says of itself, and whether that can be believed.
//!
//! A directory with a snapshot's name was renamed there when all of it was written. But
//! nothing is synced, which would cost more than the writing, and a machine that loses
//! its power may keep the name and lose the bytes. So a snapshot names the run of the
//! machine (its boot id) that made it. In that run it is believed. Later it is held
//! against its index once, file by file: a file whose bytes were lost is shorter or
//! gone, because a file system gives a file its size after its bytes. What has passed
//! gets a mark, and what has not is made anew.

use std::fs;
use std::path::Path;

use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat};
use serde::{Deserialize, Serialize};

use super::reach::Reach;
use crate::case::{CommitId, TreeId};
use crate::disk::{self, DiskError};
use crate::repos::index::{Index, MODE_MODULE};

/// Counted up when a snapshot is made otherwise; one of another format is made anew.
pub(super) const FORMAT: u32 = 1;

pub(super) const ABOUT: &str = "about";
pub(super) const FILES: &str = "files";
pub(super) const INDEX: &str = "index";
/// It has outlived the run of the machine that made it, whole.
const PASSED: &str = "passed";

const ABOUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    pub(super) format: u32,
    pub(super) tree: TreeId,
    /// The full snapshot that this one lies over.
    pub(super) base: Option<TreeId>,
    pub(super) boot: String,
    pub(super) files: u64,
    /// Of its own, without the base's.
    pub(super) bytes: u64,
    pub(super) modules: Vec<Module>,
    /// Whether some of it depends on filters.
    pub(super) filtered: bool,
    pub(super) notes: Vec<String>,
}

/// A submodule: an empty directory, and the commit that belongs there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Module {
    pub(super) path: Name,
    pub(super) commit: CommitId,
}

/// A path, as text where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Name {
    Text(String),
    Bytes(Vec<u8>),
}

impl Name {
    pub(super) fn new(path: Vec<u8>) -> Self {
        String::from_utf8(path).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl About {
    /// What the snapshot in `dir` says. None, if there is none that we understand.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, DiskError> {
        use std::io::Read;
        let path = dir.join(ABOUT);
        let mut bytes = Vec::new();
        match fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            outcome => outcome
                .and_then(|file| file.take(ABOUT_BYTES_MAX).read_to_end(&mut bytes))
                .map_err(DiskError::io("read", &path))?,
        };
        // One that was cut short by a power cut says nothing.
        let about: Option<Self> = serde_json::from_slice(&bytes).ok();
        Ok(about.filter(|about| about.format == FORMAT))
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), DiskError> {
        let path = dir.join(ABOUT);
        let bytes =
            serde_json::to_vec(self).map_err(|error| DiskError::io("write", &path)(error))?;
        fs::write(&path, bytes).map_err(DiskError::io("write", &path))
    }

    /// Whether the snapshot in `dir` is whole. Looks at its files only where a run of
    /// the machine has ended since it was made, and then once.
    pub(super) fn holds(&self, dir: &Path, base: Option<&Path>) -> Result<bool, DiskError> {
        if self.boot == boot()? || dir.join(PASSED).exists() {
            return Ok(true);
        }
        let path = dir.join(INDEX);
        let Ok(bytes) = fs::read(&path) else { return Ok(false) };
        let Ok(index) = Index::parse(bytes) else { return Ok(false) };
        if !is_whole(&index, &dir.join(FILES), base)? {
            return Ok(false);
        }
        disk::replace(&dir.join(PASSED), b"")?;
        Ok(true)
    }
}

/// Whether each file is as the index says, in `files` or else in the base.
fn is_whole(index: &Index, files: &Path, base: Option<&Path>) -> Result<bool, DiskError> {
    let layers: Vec<&Path> = std::iter::once(files).chain(base).collect();
    let mut reaches = Vec::new();
    for layer in layers {
        let Ok(reach) = Reach::new(layer, None) else { return Ok(false) };
        reaches.push(reach);
    }
    Ok(index.entries().filter(|entry| !entry.stat.absent).all(|entry| {
        reaches.iter_mut().any(|reach| {
            let Ok((dir, name)) = reach.to(entry.path) else { return false };
            let Ok(about) = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) else { return false };
            let kind = SFlag::from_bits_truncate(about.st_mode) & SFlag::S_IFMT;
            if entry.mode == MODE_MODULE {
                return kind == SFlag::S_IFDIR;
            }
            about.st_size as u32 == entry.stat.size
                && about.st_ino as u32 == entry.stat.inode
                && kind.bits() == entry.mode & SFlag::S_IFMT.bits()
        })
    }))
}

/// Which run of the machine this is.
pub(super) fn boot() -> Result<String, DiskError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let text = fs::read_to_string(path).map_err(DiskError::io("read", path))?;
    Ok(text.trim().to_owned())
}
