//! Keeping what is too large to show: whole, in a file of the case.
//!
//! ```text
//! HOME/cases/<id>/outputs/0007-shell.log      the host writes it
//! /case/outputs/0007-shell.log                the jail reads it
//! ```
//!
//! A file gets its name when it is whole, and is never changed again. Together they
//! stay within a quota; the oldest that nobody has named goes first, and that is said.
//! Nothing is synced: after a power cut the digest in the journal tells whether a file
//! is still what it was.
//!
//! Whoever has these holds the lock of the case, so there is no second who keeps.

#![expect(clippy::disallowed_methods, reason = "the host's own; no jail can write it")]

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::kind::{Kind, kind};
use super::spool::Spool;
use super::{About, Budget, preview};
use crate::case::inside;
use crate::disk::{self, DiskError};
use crate::hint::Hint;

/// For everybody who comes as far: the directories above it decide who that is. The
/// jail of root is another user, and it must be able to read.
const MODE: u32 = 0o444;

/// What the name of a tool may have in the name of a file.
const TOOL_BYTES_MAX: usize = 40;

/// A name may be taken, as by a file that somebody else put there.
const NAMES_TRIED_MAX: u64 = 1_000;

/// The kept outputs of one case.
#[derive(Debug)]
pub struct Outputs {
    dir: PathBuf,
    shown_at: PathBuf,
    quota_bytes: u64,
    next: u64,
    /// The oldest is the first.
    kept: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    name: String,
    bytes: u64,
}

/// One output that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptFile {
    pub number: u64,
    pub name: String,
    /// Where the jail has it.
    pub path: String,
    pub kind: Kind,
    pub bytes: u64,
    pub lines: u64,
    pub sha256: String,
    /// What had to go for it, by name.
    pub dropped: Vec<String>,
    host: PathBuf,
}

/// Which of its two streams a command wrote to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    #[default]
    Out,
    Err,
}

/// An output could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputsError {
    #[error("one output is over {quota_bytes} bytes, the most that a case may keep")]
    TooLarge { quota_bytes: u64 },
    #[error(
        "no room for an output of {bytes} bytes: {named_bytes} of {quota_bytes} are in files that were named"
    )]
    NoRoom { bytes: u64, named_bytes: u64, quota_bytes: u64 },
    #[error("an output was lost where it could not be written")]
    Torn,
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for OutputsError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::TooLarge { .. } => "Have it filtered or cut down before it is printed.",
            Self::NoRoom { .. } => {
                "Filter it before it is printed, or work on in a fork with another quota."
            }
            Self::Torn => "Free some space and run it again.",
            Self::Disk(error) => return error.hint(),
        };
        Some(text.into())
    }
}

impl Outputs {
    /// The outputs in this directory, which may have so many bytes together. Takes
    /// away what a keeper left that was killed.
    pub fn open(dir: &Path, quota_bytes: u64) -> Result<Self, OutputsError> {
        disk::directory(dir)?;
        disk::sweep(dir)?;
        let mut kept = Vec::new();
        for path in disk::list(dir)? {
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((name, number)) = name.and_then(|name| Some((name, number(name)?))) else {
                continue;
            };
            let about = path.symlink_metadata().map_err(DiskError::io("open", &path))?;
            if about.is_file() {
                kept.push(Entry { number, name: name.into(), bytes: about.len() });
            }
        }
        kept.sort_by(|one, other| (one.number, &one.name).cmp(&(other.number, &other.name)));
        let next = kept.last().map_or(1, |last| last.number.saturating_add(1));
        Ok(Self { dir: dir.into(), shown_at: inside::OUTPUTS.into(), quota_bytes, next, kept })
    }

    /// The same, where the jail has them at another place.
    pub fn shown_at(self, shown_at: impl Into<PathBuf>) -> Self {
        Self { shown_at: shown_at.into(), ..self }
    }

    /// Where the next output can gather.
    pub fn spool(&self) -> Spool {
        Spool::new(&self.dir, self.quota_bytes)
    }

    /// Gives a spool its name. What was `referenced`, as in a finding, is not dropped
    /// for it; asked is by name.
    pub fn keep(
        &mut self,
        spool: Spool,
        tool: &str,
        stream: Stream,
        referenced: &dyn Fn(&str) -> bool,
    ) -> Result<KeptFile, OutputsError> {
        let filled = spool.fill()?;
        let kind = kind(&filled.head);
        let going = self.going(filled.bytes, referenced)?;
        let file = filled.file.as_file();
        let readable = file.set_permissions(Permissions::from_mode(MODE));
        readable.map_err(DiskError::io("write an output to", &self.dir))?;
        let ending = match stream {
            Stream::Out => kind.extension(),
            Stream::Err => "err.txt",
        };
        let (number, name) = self.name(filled.file, &word(tool), ending)?;
        // Only now: had it failed, they would be gone for nothing.
        let dropped = self.drop_all(&going);
        self.kept.push(Entry { number, name: name.clone(), bytes: filled.bytes });
        Ok(KeptFile {
            number,
            path: self.shown_at.join(&name).to_string_lossy().into_owned(),
            host: self.dir.join(&name),
            name,
            kind,
            bytes: filled.bytes,
            lines: filled.lines,
            sha256: filled.sha256,
            dropped,
        })
    }

    /// What must go so that so many bytes have room: the oldest that nobody named.
    fn going(
        &self,
        bytes: u64,
        referenced: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<u64>, OutputsError> {
        let quota_bytes = self.quota_bytes;
        let mut all: u64 =
            self.kept.iter().map(|entry| entry.bytes).fold(bytes, u64::saturating_add);
        let mut going = Vec::new();
        for entry in &self.kept {
            if all <= quota_bytes {
                break;
            }
            if !referenced(&entry.name) {
                all -= entry.bytes;
                going.push(entry.number);
            }
        }
        if quota_bytes < all {
            let named_bytes = all - bytes;
            return Err(OutputsError::NoRoom { bytes, named_bytes, quota_bytes });
        }
        Ok(going)
    }

    fn name(
        &mut self,
        mut file: NamedTempFile,
        tool: &str,
        ending: &str,
    ) -> Result<(u64, String), OutputsError> {
        for _ in 0..NAMES_TRIED_MAX {
            let number = self.next;
            let name = format!("{number:04}-{tool}.{ending}");
            let path = self.dir.join(&name);
            match file.persist_noclobber(&path) {
                Ok(_) => {
                    self.next = number.saturating_add(1);
                    return Ok((number, name));
                }
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    self.next = number.saturating_add(1);
                    file = error.file;
                }
                Err(error) => return Err(DiskError::io("write", &path)(error.error).into()),
            }
        }
        let taken = io::Error::from(io::ErrorKind::AlreadyExists);
        Err(DiskError::io("write an output to", &self.dir)(taken).into())
    }

    /// Removes these, and says which are gone. One that cannot be removed still counts,
    /// and is tried again the next time.
    fn drop_all(&mut self, going: &[u64]) -> Vec<String> {
        let mut dropped = Vec::new();
        let dir = &self.dir;
        self.kept.retain(|entry| {
            let goes =
                going.contains(&entry.number) && disk::remove_file(&dir.join(&entry.name)).is_ok();
            if goes {
                dropped.push(entry.name.clone());
            }
            !goes
        });
        dropped
    }
}

impl KeptFile {
    /// Its bytes, for a preview.
    pub fn open(&self) -> Result<File, OutputsError> {
        Ok(disk::open(&self.host)?)
    }

    /// What is shown of it.
    pub fn preview(&self, budget: Budget) -> Result<String, OutputsError> {
        let about = About { path: &self.path, facts: "", sha256: &self.sha256, lines: self.lines };
        let text = preview(&mut self.open()?, self.bytes, self.kind, &about, budget);
        Ok(text.map_err(DiskError::io("read", &self.host))?)
    }
}

/// The number that the name of a kept output begins with.
fn number(name: &str) -> Option<u64> {
    let (number, _) = name.split_once('-')?;
    (4 <= number.len() && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| number.parse().ok())
        .flatten()
}

/// The name of a tool as a part of a file's: a tool of another server may be called
/// anything.
fn word(tool: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let word: String = tool.chars().take(TOOL_BYTES_MAX).map(plain).collect();
    if word.is_empty() { "tool".into() } else { word }
}

#[cfg(test)]
mod tests;
