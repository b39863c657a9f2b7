//! A copy of a snapshot, for a jail that has no overlay.
//!
//! Where the file system can, a copy shares the blocks of its original until one of the
//! two is written; otherwise the bytes are copied. Every file keeps the time of its
//! original, which is older than the index of the copy, so that git need not read it.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, fstatat, futimens, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::symlinkat;

use super::reach::{Make, Reach, make_dir};
use super::write::{ACTS_AT_ONCE, stat, together};
use super::{Snapshot, SnapshotError};
use crate::disk::DiskError;
use crate::repos::Progress;
use crate::repos::index::{Entry, Index, MODE_MODULE, Stat, Writer};

/// A copy that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub how: How,
    /// git's index of the copy; it has not been written anywhere.
    pub index: Vec<u8>,
}

/// What was done with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// They are shared until they are changed.
    Shared,
    /// They were written again, those of one file at least.
    Written,
}

/// Whose the copy is, and where it will be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The working tree, as the jail names it.
    pub worktree: PathBuf,
    pub uid: u32,
    pub gid: u32,
}

/// Copies all of a snapshot into the directory `into`, which is there and empty.
pub fn copy(
    snapshot: &Snapshot,
    into: &Path,
    place: &Place,
    progress: &dyn Progress,
) -> Result<Copied, SnapshotError> {
    let bytes = fs::read(&snapshot.index).map_err(DiskError::io("read", &snapshot.index))?;
    let index = Index::parse(bytes)
        .map_err(|source| SnapshotError::Index { path: snapshot.index.clone(), source })?;
    progress.begin("copying files", Some(index.len() as u64));
    let work = Work {
        snapshot,
        into,
        index: &index,
        make: Make::here(),
        next: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        cannot_share: AtomicBool::new(false),
        done: Mutex::new(Vec::new()),
        progress,
    };
    together(index.len(), || {
        let outcome = work.take_turns();
        work.failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
        outcome
    })?;
    let how = if work.cannot_share.load(Ordering::Relaxed) { How::Written } else { How::Shared };
    let mut stats = vec![Stat::default(); index.len()];
    for (begin, chunk) in work.done.into_inner().unwrap_or_default() {
        stats[begin..begin + chunk.len()].copy_from_slice(&chunk);
    }
    let mut writer = Writer::for_owner(place.uid, place.gid);
    for (entry, stat) in index.entries().zip(&stats) {
        writer.entry(entry.path, entry.mode, entry.id, stat);
    }
    Ok(Copied { how, index: writer.finish(&index.dirs, place.worktree.as_os_str().as_bytes()) })
}

struct Work<'a> {
    snapshot: &'a Snapshot,
    into: &'a Path,
    index: &'a Index,
    make: Make,
    next: AtomicUsize,
    failed: AtomicBool,
    /// The file system has refused to share blocks once.
    cannot_share: AtomicBool,
    done: Mutex<Vec<(usize, Vec<Stat>)>>,
    progress: &'a dyn Progress,
}

impl Work<'_> {
    fn take_turns(&self) -> Result<(), SnapshotError> {
        let open = |dir: &Path, make| Reach::new(dir, make).map_err(DiskError::io("open", dir));
        let mut to = open(self.into, Some(self.make))?;
        let mut from = Vec::new();
        for layer in &self.snapshot.layers {
            from.push(open(layer, None)?);
        }
        loop {
            let begin = self.next.fetch_add(ACTS_AT_ONCE, Ordering::Relaxed);
            if self.index.len() <= begin || self.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let end = (begin + ACTS_AT_ONCE).min(self.index.len());
            let mut stats = Vec::with_capacity(end - begin);
            for entry in (begin..end).filter_map(|nth| self.index.entry(nth)) {
                let path = self.into.join(std::ffi::OsStr::from_bytes(entry.path));
                stats.push(
                    self.one(&entry, &mut from, &mut to).map_err(DiskError::io("copy", &path))?,
                );
            }
            if let Ok(mut done) = self.done.lock() {
                done.push((begin, stats));
            }
            self.progress.at(end as u64);
        }
    }

    fn one(&self, entry: &Entry<'_>, from: &mut [Reach], to: &mut Reach) -> nix::Result<Stat> {
        let (dir, name) = to.to(entry.path)?;
        if entry.mode == MODE_MODULE {
            return make_dir(dir, name, self.make).map(|()| Stat::default());
        }
        if entry.stat.absent {
            return Ok(entry.stat);
        }
        let time = TimeSpec::new(i64::from(entry.stat.written.0), i64::from(entry.stat.written.1));
        // The topmost layer that has it.
        let mut found = Err(Errno::ENOENT);
        for reach in from {
            found = reach.to(entry.path).and_then(|(from_dir, name)| {
                if entry.mode & 0o170_000 == 0o120_000 {
                    let target = readlinkat(from_dir, name)?.into_vec();
                    symlinkat(&target[..], dir, name)?;
                    return utimensat(dir, name, &time, &time, UtimensatFlags::NoFollowSymlink);
                }
                let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let original = File::from(openat(from_dir, name, flags, Mode::empty())?);
                let mode = Mode::from_bits_truncate(entry.mode & 0o777);
                let flags = OFlag::O_WRONLY
                    | OFlag::O_CREAT
                    | OFlag::O_EXCL
                    | OFlag::O_NOFOLLOW
                    | OFlag::O_CLOEXEC;
                let copy = File::from(openat(dir, name, flags, mode)?);
                if self.make.change_modes {
                    fchmod(&copy, mode)?;
                }
                self.bytes(original, &copy)?;
                futimens(&copy, &time, &time)
            });
            // Below a file of an upper layer, a lower one may have a directory.
            if !matches!(found, Err(Errno::ENOENT | Errno::ENOTDIR)) {
                break;
            }
        }
        found?;
        Ok(stat(&fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?))
    }

    fn bytes(&self, mut original: File, mut copy: &File) -> nix::Result<()> {
        if !self.cannot_share.load(Ordering::Relaxed) {
            if rustix::fs::ioctl_ficlone(copy.as_fd(), original.as_fd()).is_ok() {
                return Ok(());
            }
            self.cannot_share.store(true, Ordering::Relaxed);
        }
        let copied = std::io::copy(&mut original, &mut copy);
        copied.map(drop).map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
    }
}
