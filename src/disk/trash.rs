//! Removing a directory: moved into the trash in one step, then taken apart there.
//!
//! Whatever the moment of a kill, a thing is therefore whole or gone, and what is
//! left of a gone one lies in the trash, where [`finish`] finds it. Whoever
//! takes a thing apart holds the `flock` of its directory, so that two never work
//! on one. The directory itself is locked because a lock file in it would have
//! to be removed while it is held.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, OFlag, open, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, fsync, mkdir, unlinkat};

use super::erase::{self, EraseError};
use super::{DiskError, io_hint};
use crate::hint::Hint;

/// Something was not removed, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrashError {
    #[error("not all of `{name}` could be removed; the rest is in `{}`", trash.display())]
    Left {
        name: String,
        trash: PathBuf,
        #[source]
        cause: EraseError,
    },
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for TrashError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Left { cause: EraseError::Mounted { .. }, .. } => {
                Some("Unmount it, then run the command again to remove the rest.".into())
            }
            Self::Left { cause: EraseError::Io { source, .. }, .. } => {
                io_hint(source).map(Into::into)
            }
            Self::Left { .. } => Some("Run the command again to remove the rest.".into()),
            Self::Disk(error) => error.hint(),
        }
    }
}

/// Removes the directory `from`. The trash lies on the same file system, or it
/// could not be moved there in one step; it is made if it is missing.
pub fn remove(trash: &Path, from: &Path) -> Result<(), TrashError> {
    let trash = Trash::open_or_make(trash)?;
    let name = trash.receive(from)?;
    trash.finish(&name, Patience::Wait)
}

/// Moves the directory `from` into the trash and leaves it there for [`finish`].
pub fn move_in(trash: &Path, from: &Path) -> Result<(), TrashError> {
    Trash::open_or_make(trash)?.receive(from).map(drop)
}

/// Takes apart what lies in a trash, save what somebody is taking apart at this
/// moment.
pub fn finish(path: &Path) -> Result<(), TrashError> {
    let trash = match Trash::open(path.into()) {
        Err(error) if error.is_missing() => return Ok(()),
        outcome => outcome?,
    };
    let mut names: Vec<CString> = Vec::new();
    let mut dir = Dir::openat(&trash.dir, c".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(DiskError::io("list", path))?;
    for entry in dir.iter() {
        let entry = entry.map_err(DiskError::io("list", path))?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            names.push(entry.file_name().into());
        }
    }
    // One that resists must not keep the others from going.
    let outcomes: Vec<_> =
        names.iter().map(|name| trash.finish(name, Patience::SkipHeld)).collect();
    outcomes.into_iter().collect()
}

/// Removes all that is in a directory, and keeps the directory.
pub fn empty(path: &Path) -> Result<(), TrashError> {
    let failed = |cause| TrashError::Left {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        trash: path.into(),
        cause,
    };
    let (parent, name) = parent_and_name(path)?;
    match erase::open_to_empty(&parent, &name).map_err(DiskError::io("open", path))? {
        Some(dir) => erase::empty(dir).map_err(failed),
        None => Ok(()),
    }
}

fn parent_and_name(path: &Path) -> Result<(OwnedFd, CString), DiskError> {
    use std::os::unix::ffi::OsStrExt;
    let name = path.file_name().and_then(|name| CString::new(name.as_bytes()).ok());
    let (Some(parent), Some(name)) = (path.parent(), name) else {
        return Err(DiskError::io("open", path)(Errno::EINVAL));
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok((open(parent, flags, Mode::empty()).map_err(DiskError::io("open", parent))?, name))
}

/// What to do about a directory that another process is taking apart.
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
    fn open_or_make(path: &Path) -> Result<Self, DiskError> {
        match mkdir(path, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => (),
            Err(errno) => Err(DiskError::io("create", path)(errno))?,
        }
        Self::open(path.into())
    }

    fn open(path: PathBuf) -> Result<Self, DiskError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = open(&path, flags, Mode::empty()).map_err(DiskError::io("open", &path))?;
        Ok(Self { dir, path })
    }

    /// Moves a directory here, in one step that a power cut does not undo.
    fn receive(&self, from: &Path) -> Result<CString, TrashError> {
        let (parent, name) = parent_and_name(from)?;
        let receive = || renameat(AT_FDCWD, from, &self.dir, name.as_c_str());
        if let Err(errno) = receive() {
            // What an earlier thing of this name left there is in the way.
            if !matches!(errno, Errno::ENOTEMPTY | Errno::EEXIST) {
                return Err(DiskError::io("remove", from)(errno).into());
            }
            self.finish(&name, Patience::Wait)?;
            receive().map_err(DiskError::io("remove", from))?;
        }
        drop(parent);
        if let Some(parent) = from.parent() {
            sync(parent)?;
        }
        Ok(name)
    }

    /// Takes apart one directory that lies here.
    fn finish(&self, name: &CStr, patience: Patience) -> Result<(), TrashError> {
        let shown = name.to_string_lossy();
        let failed = |cause: EraseError| TrashError::Left {
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
pub(crate) fn sync(dir: &Path) -> Result<(), DiskError> {
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
