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
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::{KeptFile, Outputs, OutputsError, Stream, number, word};
    use crate::disk::LEFTOVER;
    use crate::outputs::Kind;

    fn keep(outputs: &mut Outputs, tool: &str, bytes: &[u8]) -> Result<KeptFile, OutputsError> {
        keep_but(outputs, tool, bytes, &|_| false)
    }

    fn keep_but(
        outputs: &mut Outputs,
        tool: &str,
        bytes: &[u8],
        referenced: &dyn Fn(&str) -> bool,
    ) -> Result<KeptFile, OutputsError> {
        let mut spool = outputs.spool();
        spool.push(bytes)?;
        outputs.keep(spool, tool, Stream::Out, referenced)
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_output_is_kept_whole_under_the_next_name_by_its_kind() {
        let dir = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::open(dir.path(), 1_000_000).unwrap();
        let kept = keep(&mut outputs, "shell", b"some text\nof two lines").unwrap();
        assert_eq!(kept.path, "/case/outputs/0001-shell.txt");
        assert_eq!((kept.bytes, kept.lines, kept.kind), (22, 2, Kind::Text));
        assert_eq!(kept.sha256.len(), 64);
        let path = dir.path().join(&kept.name);
        assert_eq!(fs::read(&path).unwrap(), b"some text\nof two lines");
        // Whatever the umask: the jail of root is another user.
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o444);
        assert_eq!(std::io::read_to_string(kept.open().unwrap()).unwrap().len(), 22);

        let kept = keep(&mut outputs, "datadog/logs", b"{\"a\": [1, 2]}").unwrap();
        assert_eq!(kept.name, "0002-datadog_logs.json");
        let spool = outputs.spool();
        let kept = outputs.keep(spool, "shell", Stream::Err, &|_| false).unwrap();
        assert_eq!((&*kept.name, kept.bytes), ("0003-shell.err.txt", 0));
        // The next one goes on, and takes no name that somebody has.
        fs::write(dir.path().join("0004-shell.txt"), "taken").unwrap();
        let kept = keep(&mut outputs, "shell", b"x").unwrap();
        assert_eq!(kept.name, "0005-shell.txt");
        drop(outputs);
        let mut outputs = Outputs::open(dir.path(), 1_000_000).unwrap().shown_at("/elsewhere");
        let kept = keep(&mut outputs, "grep", b"x").unwrap();
        assert_eq!(kept.path, "/elsewhere/0006-grep.txt");
        assert_eq!(fs::read(dir.path().join("0004-shell.txt")).unwrap(), b"taken");
    }

    #[test]
    fn a_killed_keepers_rest_is_swept_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(format!("{LEFTOVER}x7Yq")), "half").unwrap();
        fs::write(dir.path().join("README"), "not ours").unwrap();
        fs::create_dir(dir.path().join("0009-dir")).unwrap();
        let outputs = Outputs::open(dir.path(), 10).unwrap();
        assert_eq!(names(dir.path()), ["0009-dir", "README"]);
        assert_eq!(outputs.next, 1);
        // A spool that is given up leaves nothing either.
        let mut spool = Outputs::open(dir.path(), 1 << 20).unwrap().spool();
        spool.push(&[b'x'; 100_000]).unwrap();
        assert_eq!(names(dir.path()).len(), 3);
        drop(spool);
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn the_oldest_that_nobody_named_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::open(dir.path(), 100).unwrap();
        for _ in 0..4 {
            assert!(keep(&mut outputs, "a", &[b'x'; 25]).unwrap().dropped.is_empty());
        }
        let named = |name: &str| name.starts_with("0001");
        let kept = keep_but(&mut outputs, "b", &[b'y'; 30], &named).unwrap();
        assert_eq!(kept.dropped, ["0002-a.txt", "0003-a.txt"]);
        assert_eq!(names(dir.path()), ["0001-a.txt", "0004-a.txt", "0005-b.txt"]);

        // Nothing goes for what has no room anyway.
        let all = |_: &str| true;
        let error = keep_but(&mut outputs, "c", &[b'z'; 30], &all).unwrap_err();
        assert!(matches!(error, OutputsError::NoRoom { named_bytes: 80, .. }), "{error}");
        let error = keep(&mut outputs, "c", &[b'z'; 101]).unwrap_err();
        assert!(matches!(error, OutputsError::TooLarge { .. }), "{error}");
        assert_eq!(names(dir.path()).len(), 3);

        // A smaller quota than what is there, as after a change of the configuration.
        let mut outputs = Outputs::open(dir.path(), 40).unwrap();
        let kept = keep(&mut outputs, "d", b"w").unwrap();
        assert_eq!(kept.dropped, ["0001-a.txt", "0004-a.txt"]);
    }

    #[test]
    fn names_are_plain() {
        #[rustfmt::skip]
        let table = [
            ("0007-shell.txt",   Some(7)),
            ("12345-x.json",     Some(12_345)),
            ("007-shell.txt",    None),
            ("+007-shell.txt",   None),
            ("99999999999999999999999-x", None),
            ("notes.txt",        None),
        ];
        for (name, want) in table {
            assert_eq!(number(name), want, "{name}");
        }
        let table = [("../../etc", "______etc"), ("", "tool"), ("é\n", "__"), ("a_b", "a_b")];
        for (tool, want) in table {
            assert_eq!(word(tool), want);
        }
        assert_eq!(word(&"x".repeat(300)).len(), 40);
    }
}
