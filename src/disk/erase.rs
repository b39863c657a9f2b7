//! Emptying a directory that others have filled, however they filled it.
//!
//! Everything is done relative to directories that are held open, one name at a
//! time, so no path is ever built (a tree may be deeper than any path is long)
//! and no symlink is followed. There is no recursion: the way down is a list.
//! Only the last few directories of it stay open. The others are found again by
//! `..`, and must be the same directories then.
//!
//! A directory without permissions is given them. A mount is never entered, not
//! even one of the same file system: what is behind it belongs to somebody else.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::dir::{Dir, Entry, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// How many directories on the way down stay open.
const OPEN_MAX: usize = 32;

/// How many names of subdirectories are remembered of one directory.
const NAMES_MAX: usize = 1024;

/// How many parts of a path a message shows.
const PARTS_SHOWN_MAX: usize = 16;

/// Something could not be taken away.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EraseError {
    #[error("cannot remove `{}`", below.display())]
    Io { below: PathBuf, source: std::io::Error },
    #[error("something is mounted on `{}`", below.display())]
    Mounted { below: PathBuf },
    #[error("`{}` was moved while it was being emptied", below.display())]
    Moved { below: PathBuf },
}

/// Removes all that is in `top`, which itself stays.
pub(super) fn empty(top: OwnedFd) -> Result<(), EraseError> {
    let mut way = Way::default();
    way.enter(c"", top)?;
    while let Some(here) = way.0.last_mut() {
        if let Some(name) = here.children.pop() {
            if let Some(child) = way.open_child(&name)? {
                way.enter(&name, child)?;
            }
        } else if way.remove_files()? {
            way.leave()?;
        }
    }
    Ok(())
}

/// Opens a directory to be emptied, or nothing if it is gone.
pub(super) fn open_to_empty(parent: impl AsFd, name: &CStr) -> nix::Result<Option<OwnedFd>> {
    let how = OpenHow::new().flags(DIRECTORY).resolve(
        ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_MAGICLINKS
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_XDEV,
    );
    let open = || match openat2(parent.as_fd(), name, how) {
        Err(Errno::EINTR | Errno::EAGAIN) => openat2(parent.as_fd(), name, how),
        outcome => outcome,
    };
    let opened = match open() {
        Err(Errno::EACCES) => {
            fchmodat(parent.as_fd(), name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink)?;
            open()
        }
        outcome => outcome,
    };
    match opened {
        Ok(dir) => {
            if fstat(&dir)?.st_mode & libc::S_IRWXU != libc::S_IRWXU {
                // Root needs no permission, and where one is truly missing the
                // first removal says so.
                let _ = fchmod(&dir, Mode::S_IRWXU);
            }
            Ok(Some(dir))
        }
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_CLOEXEC);

/// The directories from the top to the one that is being emptied. Never without
/// an entry until all is done, and the last entry is always open.
#[derive(Default)]
struct Way(Vec<Step>);

struct Step {
    /// What its parent calls it.
    name: CString,
    /// Device and inode, to know it again.
    identity: (u64, u64),
    /// Nothing while the way below it is long.
    dir: Option<Dir>,
    /// Subdirectories that were seen and are still there.
    children: Vec<CString>,
}

impl Way {
    fn enter(&mut self, name: &CStr, fd: OwnedFd) -> Result<(), EraseError> {
        let opened = identity(&fd).and_then(|identity| Ok((identity, Dir::from_fd(fd)?)));
        let (identity, dir) = opened.map_err(|errno| self.failed(name, errno))?;
        let step = Step { name: name.into(), identity, dir: Some(dir), children: Vec::new() };
        self.0.push(step);
        if let Some(above) = self.0.len().checked_sub(OPEN_MAX + 1) {
            self.0[above].dir = None;
            self.0[above].children = Vec::new();
        }
        Ok(())
    }

    fn open_child(&self, name: &CStr) -> Result<Option<OwnedFd>, EraseError> {
        let dir = self.0.last().and_then(|here| here.dir.as_ref());
        dir.map_or(Ok(None), |dir| open_to_empty(dir, name)).map_err(|errno| match errno {
            Errno::EXDEV => EraseError::Mounted { below: self.below(name) },
            errno => self.failed(name, errno),
        })
    }

    /// Removes what is not a directory and remembers what is. Says whether
    /// nothing was found at all.
    fn remove_files(&mut self) -> Result<bool, EraseError> {
        let Some(Step { dir: Some(dir), children, .. }) = self.0.last_mut() else {
            return Ok(true);
        };
        let mut is_empty = true;
        let mut failure = None;
        // A second descriptor, because reading the names borrows the first.
        let here = match dir.as_fd().try_clone_to_owned() {
            Ok(here) => here,
            Err(source) => return Err(EraseError::Io { below: self.below(c""), source }),
        };
        for entry in dir.iter() {
            match entry.map_err(|errno| (c"".into(), errno)).and_then(|entry| remove(&here, entry))
            {
                Ok(Seen::Itself) => (),
                Ok(Seen::Removed) => is_empty = false,
                Ok(Seen::Directory(name)) => {
                    is_empty = false;
                    children.push(name);
                    if children.len() == NAMES_MAX {
                        break;
                    }
                }
                Err(refused) => {
                    failure = Some(refused);
                    break;
                }
            }
        }
        match failure {
            Some((name, errno)) => Err(self.failed(&name, errno)),
            None => Ok(is_empty),
        }
    }

    /// Goes up from a directory that is empty and removes it there.
    fn leave(&mut self) -> Result<(), EraseError> {
        let Some(done) = self.0.pop() else { return Ok(()) };
        let below = self.below(&done.name);
        let failed = |errno: Errno| EraseError::Io { below: below.clone(), source: errno.into() };
        let Some(parent) = self.0.last_mut() else { return Ok(()) };
        if parent.dir.is_none()
            && let Some(done) = &done.dir
        {
            let fd = openat(done, c"..", DIRECTORY, Mode::empty()).map_err(failed)?;
            if identity(&fd).map_err(failed)? != parent.identity {
                return Err(EraseError::Moved { below });
            }
            parent.dir = Some(Dir::from_fd(fd).map_err(failed)?);
        }
        let Some(dir) = &parent.dir else { return Ok(()) };
        match unlinkat(dir, done.name.as_c_str(), UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }

    fn failed(&self, name: &CStr, errno: Errno) -> EraseError {
        EraseError::Io { below: self.below(name), source: errno.into() }
    }

    /// Where `name` is, from the top, for a message.
    fn below(&self, name: &CStr) -> PathBuf {
        let steps = self.0.iter().skip(1).map(|step| step.name.as_c_str());
        let parts = steps.chain([name]).map(|part| OsStr::from_bytes(part.to_bytes()));
        let mut below: PathBuf = parts.take(PARTS_SHOWN_MAX).collect();
        if PARTS_SHOWN_MAX < self.0.len() {
            below.push("...");
        }
        below
    }
}

/// What a name in a directory was.
enum Seen {
    /// `.` or `..`.
    Itself,
    Removed,
    Directory(CString),
}

/// Removes an entry, unless it is a directory.
fn remove(dir: &OwnedFd, entry: Entry) -> Result<Seen, (CString, Errno)> {
    let name = entry.file_name();
    if name == c"." || name == c".." {
        return Ok(Seen::Itself);
    }
    if entry.file_type() == Some(Type::Directory) {
        return Ok(Seen::Directory(name.into()));
    }
    match unlinkat(dir, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(Seen::Removed),
        // The file system had not said that it is one.
        Err(Errno::EISDIR) => Ok(Seen::Directory(name.into())),
        Err(errno) => Err((name.into(), errno)),
    }
}

fn identity(fd: &OwnedFd) -> nix::Result<(u64, u64)> {
    let about = fstat(fd)?;
    Ok((about.st_dev, about.st_ino))
}
