//! Removing a case: moved into the trash in one step, then taken apart there.
//!
//! Whatever the moment of a kill, a case is therefore whole or gone, and what is
//! left of a gone one lies in the trash, where [`finish`] finds it. Whoever
//! takes a case apart holds the `flock` of its directory, so that two never work
//! on one. The directory itself is locked because a lock file in it would have
//! to be removed while it is held.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, fsync, mkdir, unlinkat};

use super::erase::{self, EraseError};
use super::{CaseError, CaseId, Home};
use crate::disk::DiskError;

/// Removes a case whose lock the caller holds.
pub(super) fn remove(home: &Home, id: &CaseId) -> Result<(), CaseError> {
    let trash = home.trash();
    match mkdir(&trash, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => (),
        Err(errno) => Err(DiskError::io("create", &trash)(errno))?,
    }
    let trash = Trash::open(trash)?;
    let name = CString::new(id.as_str()).unwrap_or_default();
    if let Err(errno) = trash.receive(home, id) {
        // What an earlier case of this name left there is in the way.
        if !matches!(errno, Errno::ENOTEMPTY | Errno::EEXIST) {
            Err(DiskError::io("remove", &home.case(id))(errno))?;
        }
        trash.finish(&name, Patience::Wait)?;
        trash.receive(home, id).map_err(DiskError::io("remove", &home.case(id)))?;
    }
    sync(&home.cases())?;
    trash.finish(&name, Patience::Wait)
}

/// Takes apart what removals that were killed have left, save what somebody is
/// taking apart at this moment.
pub fn finish(home: &Home) -> Result<(), CaseError> {
    let path = home.trash();
    let trash = match Trash::open(path.clone()) {
        Err(error) if error.is_missing() => return Ok(()),
        outcome => outcome?,
    };
    let mut names: Vec<CString> = Vec::new();
    let mut dir = Dir::openat(&trash.dir, c".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(DiskError::io("list", &path))?;
    for entry in dir.iter() {
        let entry = entry.map_err(DiskError::io("list", &path))?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            names.push(entry.file_name().into());
        }
    }
    // One that resists must not keep the others from going.
    let outcomes: Vec<_> =
        names.iter().map(|name| trash.finish(name, Patience::SkipHeld)).collect();
    outcomes.into_iter().collect()
}

/// What to do about a case that another process is taking apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Wait,
    SkipHeld,
}

/// The trash, held open.
struct Trash {
    dir: OwnedFd,
    path: PathBuf,
}

impl Trash {
    fn open(path: PathBuf) -> Result<Self, DiskError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = open(&path, flags, Mode::empty()).map_err(DiskError::io("open", &path))?;
        Ok(Self { dir, path })
    }

    /// Moves a case here, in one step.
    fn receive(&self, home: &Home, id: &CaseId) -> nix::Result<()> {
        let from = home.case(id);
        nix::fcntl::renameat(nix::fcntl::AT_FDCWD, &from, &self.dir, id.as_str())
    }

    /// Takes apart one directory that lies here.
    fn finish(&self, name: &CStr, patience: Patience) -> Result<(), CaseError> {
        let shown = name.to_string_lossy();
        let failed = |cause: EraseError| CaseError::Erase {
            name: shown.clone().into(),
            trash: self.path.clone(),
            cause,
        };
        let io = |errno: Errno| {
            failed(EraseError::Io { below: PathBuf::from(&*shown), source: errno.into() })
        };
        let dir = match erase::open_to_empty(&self.dir, name) {
            Ok(Some(dir)) => dir,
            Ok(None) => return Ok(()),
            Err(Errno::EXDEV) => {
                return Err(failed(EraseError::Mounted { below: PathBuf::from(&*shown) }));
            }
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                return unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir).map_err(io);
            }
            Err(errno) => return Err(io(errno)),
        };
        let contents = dir
            .try_clone()
            .map_err(|source| failed(EraseError::Io { below: PathBuf::from(&*shown), source }))?;
        let Some(_held) = lock(dir, patience).map_err(io)? else { return Ok(()) };
        erase::empty(contents).map_err(failed)?;
        match unlinkat(&self.dir, name, UnlinkatFlags::RemoveDir) {
            // Whoever held it before has finished it.
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(io(errno)),
        }
    }
}

/// The lock of a directory, or nothing if somebody has it and may keep it.
fn lock(mut dir: OwnedFd, patience: Patience) -> nix::Result<Option<Flock<OwnedFd>>> {
    let how = match patience {
        Patience::Wait => FlockArg::LockExclusive,
        Patience::SkipHeld => FlockArg::LockExclusiveNonblock,
    };
    loop {
        match Flock::lock(dir, how) {
            Ok(held) => return Ok(Some(held)),
            Err((back, Errno::EINTR)) => dir = back,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err(errno),
        }
    }
}

/// Makes a rename in `dir` survive a power cut.
fn sync(dir: &Path) -> Result<(), DiskError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = open(dir, flags, Mode::empty()).map_err(DiskError::io("open", dir))?;
    match fsync(&fd) {
        // Some file systems cannot sync a directory and need not.
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(errno) => Err(DiskError::io("sync", dir)(errno)),
    }
}

#[cfg(test)]
mod tests;
