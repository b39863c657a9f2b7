//! Writing a file: a new one, a whole one in place of another, or on at the end.
//!
//! A file that is replaced is written without a name, and named when it is whole.
//! So whatever ends the hands meanwhile leaves nothing behind. Only where there is
//! a file already, the new one has another name between two calls to the kernel:
//! one name for each file, so that whoever replaces it next takes away what hands
//! left that were ended just there.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, fsync, linkat, unlinkat, write as write_some};

use super::error::Refusal;
use super::path::{Near, OPEN};
use super::wire::{Facts, Kind, WriteMode};
use crate::disk::LEFTOVER;

/// A new file, as a program without a wish of its own makes it.
const NEW_FILE: Mode = Mode::from_bits_truncate(0o644);
const PERMISSIONS: u32 = 0o777;

pub(super) fn write(path: &[u8], bytes: &[u8], mode: WriteMode) -> Result<Facts, Refusal> {
    let (dir, name) = Near::to_parent_of(path)?;
    let file = match mode {
        WriteMode::Create => create(dir.as_fd(), name, bytes)?,
        WriteMode::Replace => replace(dir.as_fd(), name, bytes, None)?,
        WriteMode::Append => append(dir.as_fd(), name, bytes)?,
    };
    Ok(Facts::of(&fstat(&file)?))
}

/// Replaces the whole of a file that is still this one, as nobody has touched it.
pub(super) fn replace_only(path: &[u8], bytes: &[u8], old: &Facts) -> Result<Facts, Refusal> {
    let (dir, name) = Near::to_parent_of(path)?;
    let file = replace(dir.as_fd(), name, bytes, Some(old))?;
    Ok(Facts::of(&fstat(&file)?))
}

fn create(dir: BorrowedFd<'_>, name: &[u8], bytes: &[u8]) -> Result<OwnedFd, Refusal> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OPEN;
    let file = openat(dir, name, flags, NEW_FILE)?;
    if let Err(refusal) = write_all(&file, bytes) {
        // Half a file is none, and its name was free before.
        let _ = unlinkat(dir, name, UnlinkatFlags::NoRemoveDir);
        return Err(refusal);
    }
    Ok(file)
}

fn append(dir: BorrowedFd<'_>, name: &[u8], bytes: &[u8]) -> Result<OwnedFd, Refusal> {
    if let Some(old) = look(dir, name)? {
        old.0.must_be(Kind::File)?;
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OPEN;
    let file = openat(dir, name, flags, NEW_FILE)?;
    Facts::of(&fstat(&file)?).must_be(Kind::File)?;
    write_all(&file, bytes)?;
    Ok(file)
}

fn replace(
    dir: BorrowedFd<'_>,
    name: &[u8],
    bytes: &[u8],
    only: Option<&Facts>,
) -> Result<OwnedFd, Refusal> {
    let mode = match look(dir, name)? {
        Some((old, mode)) => {
            old.must_be(Kind::File)?;
            mode
        }
        None => NEW_FILE,
    };
    // Given at the birth of the file: a jail without namespaces cannot change it.
    let nameless = openat(dir, c".", OFlag::O_TMPFILE | OFlag::O_WRONLY | OPEN, mode);
    let file = match nameless {
        Err(Errno::EOPNOTSUPP | Errno::EISDIR) => {
            return replace_by_name(dir, name, bytes, mode, only);
        }
        file => file?,
    };
    write_all(&file, bytes)?;
    fsync(&file)?;
    if only.is_some() {
        must_still_be(dir, name, only)?;
    }
    match link(&file, dir, name) {
        Err(Errno::EEXIST) => {
            let beside = name_beside(dir, name);
            link(&file, dir, beside.as_bytes())?;
            put(dir, beside.as_bytes(), name, only)?;
        }
        linked => linked?,
    }
    Ok(file)
}

/// The same where a file cannot be without a name: it has the other one from the
/// beginning.
fn replace_by_name(
    dir: BorrowedFd<'_>,
    name: &[u8],
    bytes: &[u8],
    mode: Mode,
    only: Option<&Facts>,
) -> Result<OwnedFd, Refusal> {
    let beside = name_beside(dir, name);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OPEN;
    let file = openat(dir, beside.as_bytes(), flags, mode)?;
    let written = write_all(&file, bytes).and_then(|()| Ok(fsync(&file)?));
    if let Err(refusal) = written {
        let _ = unlinkat(dir, beside.as_bytes(), UnlinkatFlags::NoRemoveDir);
        return Err(refusal);
    }
    put(dir, beside.as_bytes(), name, only)?;
    Ok(file)
}

/// The name that a file has before it is put in the place of `name`. What has it
/// now was left behind.
fn name_beside(dir: BorrowedFd<'_>, name: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let beside = format!("{LEFTOVER}{:016x}", hasher.finish());
    let _ = unlinkat(dir, beside.as_bytes(), UnlinkatFlags::NoRemoveDir);
    beside
}

fn put(dir: BorrowedFd<'_>, from: &[u8], to: &[u8], only: Option<&Facts>) -> Result<(), Refusal> {
    let put = must_still_be(dir, to, only).and_then(|()| Ok(renameat(dir, from, dir, to)?));
    if put.is_err() {
        let _ = unlinkat(dir, from, UnlinkatFlags::NoRemoveDir);
    }
    put
}

/// Looked at as late as can be: between this and what follows there is no other call.
fn must_still_be(dir: BorrowedFd<'_>, name: &[u8], only: Option<&Facts>) -> Result<(), Refusal> {
    let Some(only) = only else { return Ok(()) };
    match look(dir, name)? {
        Some((facts, _)) if facts == *only => Ok(()),
        _ => Err(Refusal::Changed),
    }
}

/// Names an open file that has no name.
fn link(file: &OwnedFd, dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(AT_FDCWD, open.as_bytes(), dir, name, AtFlags::AT_SYMLINK_FOLLOW)
}

/// What has the name, which is not followed, and what others may do with it.
pub(super) fn look(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Option<(Facts, Mode)>, Errno> {
    match fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => {
            Ok(Some((Facts::of(&stat), Mode::from_bits_truncate(stat.st_mode & PERMISSIONS))))
        }
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn write_all(file: &OwnedFd, bytes: &[u8]) -> Result<(), Refusal> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write_some(file, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
