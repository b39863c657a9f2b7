//! Clean bytes on their way to being kept: in memory while they are few, and in a file
//! beside the others, without a name of its own yet, once they are many.
//!
//! They are counted and digested as they come, so that nobody has to read them again.
//! A spool that is dropped takes its file with it; what a kill leaves is swept when the
//! outputs are next opened.

#![expect(clippy::disallowed_methods, reason = "the host's own; no jail can write it")]

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::keep::OutputsError;
use super::kind::KIND_BYTES;
use crate::disk::{DiskError, LEFTOVER};

/// So much is held in memory, before there is a file and before each write to it.
const MEMORY_BYTES_MAX: usize = 64 * 1024;

/// What a call gave, as far as it has come.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    bytes_max: u64,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    file: Option<NamedTempFile>,
    bytes: u64,
    line_ends: u64,
    ends_in_line: bool,
    digest: Sha256,
    /// Something is missing from it, so it must never pass for the whole.
    torn: Option<Torn>,
}

#[derive(Clone, Copy, Debug)]
enum Torn {
    TooLarge,
    Unwritten,
}

/// A spool that is whole, and in its file.
pub(super) struct Filled {
    pub(super) file: NamedTempFile,
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) sha256: String,
    /// As much of its beginning as tells its kind.
    pub(super) head: Vec<u8>,
}

impl Spool {
    pub(super) fn new(dir: &Path, bytes_max: u64) -> Self {
        Self {
            dir: dir.into(),
            bytes_max,
            buffer: Vec::new(),
            file: None,
            bytes: 0,
            line_ends: 0,
            ends_in_line: false,
            digest: Sha256::new(),
            torn: None,
        }
    }

    /// Takes what comes next. After an error it takes nothing more.
    pub(super) fn push(&mut self, clean: &[u8]) -> Result<(), OutputsError> {
        let bytes = self.bytes.saturating_add(clean.len() as u64);
        if self.torn.is_none() && self.bytes_max < bytes {
            self.torn = Some(Torn::TooLarge);
        }
        self.whole()?;
        if MEMORY_BYTES_MAX < self.buffer.len() + clean.len() {
            self.torn = Some(Torn::Unwritten);
            self.write(clean)?;
            self.torn = None;
        } else {
            self.buffer.extend_from_slice(clean);
        }
        self.bytes = bytes;
        self.line_ends += line_ends(clean);
        if let Some(last) = clean.last() {
            self.ends_in_line = *last != b'\n';
        }
        self.digest.update(clean);
        Ok(())
    }

    /// All of it, if it is still in memory.
    pub fn small(&self) -> Option<&[u8]> {
        (self.file.is_none() && self.torn.is_none()).then_some(&*self.buffer)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A last line without an end counts.
    pub fn lines(&self) -> u64 {
        self.line_ends + u64::from(self.ends_in_line)
    }

    /// The digest of what has come so far, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        base16ct::lower::encode_string(&self.digest.clone().finalize())
    }

    /// How it begins, whatever became of the rest.
    pub(super) fn beginning(&self) -> Vec<u8> {
        match &self.file {
            Some(file) => head(file.as_file()).unwrap_or_default(),
            None => self.buffer[..self.buffer.len().min(KIND_BYTES)].to_vec(),
        }
    }

    /// All of it in its file.
    pub(super) fn fill(mut self) -> Result<Filled, OutputsError> {
        self.whole()?;
        self.write(&[])?;
        let (bytes, lines, sha256) = (self.bytes, self.lines(), self.sha256());
        let file = match self.file.take() {
            Some(file) => file,
            None => beside(&self.dir)?,
        };
        let head = head(file.as_file()).map_err(DiskError::io("read", &self.dir))?;
        Ok(Filled { file, bytes, lines, sha256, head })
    }

    fn whole(&self) -> Result<(), OutputsError> {
        match self.torn {
            None => Ok(()),
            Some(Torn::TooLarge) => Err(OutputsError::TooLarge { quota_bytes: self.bytes_max }),
            Some(Torn::Unwritten) => Err(OutputsError::Torn),
        }
    }

    /// Writes what waits, and then this.
    fn write(&mut self, next: &[u8]) -> Result<(), OutputsError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(beside(&self.dir)?),
        };
        let file = file.as_file_mut();
        let written = file.write_all(&self.buffer).and_then(|()| file.write_all(next));
        // Whoever reads this knows the directory, and not the name of the file beside.
        written.map_err(DiskError::io("write an output to", &self.dir))?;
        self.buffer.clear();
        Ok(())
    }
}

/// A file in this directory that nobody knows yet.
fn beside(dir: &Path) -> Result<NamedTempFile, DiskError> {
    let open = |path: &Path| {
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
    };
    let made = tempfile::Builder::new().prefix(LEFTOVER).make_in(dir, open);
    // Of the path beside, which the error names, nobody has heard.
    let cause = |error: io::Error| match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => error.kind().into(),
    };
    made.map_err(|error| DiskError::io("write an output to", dir)(cause(error)))
}

fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; KIND_BYTES];
    let mut length = 0;
    while length < head.len() {
        match file.read_at(&mut head[length..], length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(length);
    Ok(head)
}

fn line_ends(bytes: &[u8]) -> u64 {
    // Small sums, which the compiler makes many at a time.
    bytes
        .chunks(255)
        .map(|few| u64::from(few.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>()))
        .sum()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{MEMORY_BYTES_MAX, Spool};
    use crate::outputs::OutputsError;

    #[test]
    fn it_counts_whatever_the_pieces_and_goes_to_disk_when_there_is_much() {
        let dir = tempfile::tempdir().unwrap();
        let files = || fs::read_dir(dir.path()).unwrap().count();
        let text: Vec<u8> = (0..40_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let mut sums = Vec::new();
        for piece in [1_000, 4_096, 70_000, text.len()] {
            let mut spool = Spool::new(dir.path(), u64::MAX);
            for piece in text.chunks(piece) {
                spool.push(piece).unwrap();
            }
            spool.push(b"no end").unwrap();
            assert_eq!((spool.bytes(), spool.lines()), (text.len() as u64 + 6, 40_001));
            assert!(spool.small().is_none());
            sums.push(spool.sha256());
            assert_eq!(files(), 1);
            let filled = spool.fill().unwrap();
            let whole = fs::read(filled.file.path()).unwrap();
            assert!(whole.starts_with(&text) && whole.ends_with(b"no end"));
            assert!(whole.starts_with(&filled.head) && !filled.head.is_empty());
        }
        assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
        assert_eq!(files(), 0, "a spool that is dropped leaves nothing");

        let mut spool = Spool::new(dir.path(), u64::MAX);
        spool.push(&text[..MEMORY_BYTES_MAX]).unwrap();
        assert_eq!(spool.small(), Some(&text[..MEMORY_BYTES_MAX]));
        assert_eq!(files(), 0, "little needs no file");
        // sha256 of nothing, as everybody knows it.
        let empty = Spool::new(dir.path(), 0);
        assert!(empty.sha256().starts_with("e3b0c44298fc1c14"));
        assert_eq!((empty.bytes(), empty.lines()), (0, 0));
    }

    #[test]
    fn a_part_never_passes_for_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path(), 10);
        spool.push(b"12345678").unwrap();
        assert!(matches!(spool.push(b"9ab"), Err(OutputsError::TooLarge { .. })));
        assert!(spool.push(b"9").is_err(), "it would have a hole");
        assert!(spool.small().is_none());
        assert!(spool.fill().is_err());
    }

    #[test]
    fn what_cannot_be_written_is_said_and_nothing_follows_it() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let mut spool = Spool::new(&gone, u64::MAX);
        let error = spool.push(&[b'x'; MEMORY_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write an output to `{}`", gone.display()));
        fs::create_dir(&gone).unwrap();
        assert!(matches!(spool.push(b"more"), Err(OutputsError::Torn)));
        assert!(matches!(spool.fill(), Err(OutputsError::Torn)));
    }
}
