//! From a path to what it names: how the hands look at and open things.
//!
//! A path may be longer than the kernel takes at once, since a tree may be nested
//! so deep. It is then gone along in parts.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};

use super::error::Refusal;
use super::wire::{Facts, Kind, Time};

/// What the kernel takes at once, its NUL byte included.
const STEP_BYTES_MAX: usize = 4096;
/// Longer than what 4,000 parts need, and short enough to be gone along at once.
const PATH_BYTES_MAX: usize = 64 * 1024;

/// Never waits, whatever stands behind a name: a FIFO without a writer, a
/// terminal. Never takes a terminal as one's own.
pub(super) const OPEN: OFlag = OFlag::O_NONBLOCK.union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// A path whose first part has been gone along.
#[derive(Debug)]
pub(super) struct Near<'a> {
    dir: Option<OwnedFd>,
    rest: &'a [u8],
}

impl<'a> Near<'a> {
    pub(super) fn to(path: &'a [u8]) -> Result<Self, Errno> {
        if PATH_BYTES_MAX < path.len() {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut near = Near { dir: None, rest: path };
        while STEP_BYTES_MAX <= near.rest.len() {
            let slash = near.rest[..STEP_BYTES_MAX].iter().rposition(|byte| *byte == b'/');
            let Some(end) = slash.filter(|at| 0 < *at) else { return Err(Errno::ENAMETOOLONG) };
            near.step(end)?;
        }
        Ok(near)
    }

    /// Goes on so far that only the last name is left, which is in the answer.
    pub(super) fn to_parent_of(path: &'a [u8]) -> Result<(OwnedFd, &'a [u8]), Errno> {
        let near = Self::to(path)?;
        let name = near.rest.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        match name {
            b"" if path.is_empty() => return Err(Errno::ENOENT),
            b"" | b"." | b".." => return Err(Errno::EISDIR),
            _ => {}
        }
        let end = near.rest.len() - name.len();
        let parent = if end == 0 { b"." } else { &near.rest[..end] };
        Ok((openat(near.dir(), parent, STEP, Mode::empty())?, name))
    }

    fn step(&mut self, end: usize) -> Result<(), Errno> {
        let next = openat(self.dir(), &self.rest[..end], STEP, Mode::empty())?;
        self.dir = Some(next);
        let rest = self.rest[end..].iter().position(|byte| *byte != b'/');
        self.rest = rest.map_or(b".", |at| &self.rest[end + at..]);
        Ok(())
    }

    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_ref().map_or(AT_FDCWD, AsFd::as_fd)
    }

    pub(super) fn look(&self) -> Result<Facts, Errno> {
        fstatat(self.dir(), self.rest, AtFlags::empty()).map(|stat| Facts::of(&stat))
    }

    pub(super) fn open(&self, flags: OFlag) -> Result<OwnedFd, Errno> {
        openat(self.dir(), self.rest, flags | OPEN, Mode::empty())
    }
}

const STEP: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Opens a regular file to be read.
pub(super) fn open_file(path: &[u8]) -> Result<(OwnedFd, Facts), Refusal> {
    let near = Near::to(path)?;
    // Looked at first: already to open a FIFO or a device can do something.
    near.look()?.must_be(Kind::File)?;
    let file = near.open(OFlag::O_RDONLY)?;
    let facts = Facts::of(&fstat(&file)?);
    facts.must_be(Kind::File)?;
    Ok((file, facts))
}

impl Facts {
    pub(super) fn of(stat: &FileStat) -> Self {
        let time = |seconds, nanoseconds: i64| Time {
            seconds,
            nanoseconds: u32::try_from(nanoseconds).unwrap_or(0),
        };
        Self {
            kind: match stat.st_mode & libc::S_IFMT {
                libc::S_IFREG => Kind::File,
                libc::S_IFDIR => Kind::Directory,
                libc::S_IFLNK => Kind::Link,
                libc::S_IFIFO => Kind::Fifo,
                libc::S_IFSOCK => Kind::Socket,
                _ => Kind::Device,
            },
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }

    pub(super) fn must_be(&self, kind: Kind) -> Result<(), Refusal> {
        if self.kind == kind { Ok(()) } else { Err(Refusal::Is(self.kind)) }
    }
}
