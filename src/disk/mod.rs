//! State on disk that survives a crash: files replaced whole, and locks that
//! say who holds them.
//!
//! Whatever the moment of a kill or a power cut, a file that [`replace`] writes
//! holds its old bytes or its new ones, never a part. What a crash leaves beside
//! it carries [`LEFTOVER`] in its name, and the next writer there takes it away.
//!
//! What is removed goes in one step ([`trash`]), whatever others have put into it.
//!
//! A [`Lock`] is the kernel's `flock`, so it ends with its process. The text in
//! a lock file only names the holder; it never decides who holds.

#![expect(clippy::disallowed_methods, reason = "this is the room that the wall sends others to")]

mod erase;
mod lock;
mod replace;
pub mod trash;

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use erase::EraseError;
pub use lock::{Holder, Lock, SharedLock};
pub(crate) use lock::{name, way_out};
pub(crate) use replace::sweep;
pub use replace::{LEFTOVER, replace, replace_as};
pub use trash::TrashError;

use crate::hint::Hint;

/// The disk did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    #[error("cannot {act} `{}`", path.display())]
    Io { act: &'static str, path: PathBuf, source: io::Error },
    #[error("`{}` is in use by {}", path.display(), name(holder.as_ref()))]
    Held { path: PathBuf, holder: Option<Holder> },
}

impl DiskError {
    /// For `map_err`: the act in the words of the message, as in "cannot write".
    pub(crate) fn io<E: Into<io::Error>>(act: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { act, path: path.into(), source: source.into() }
    }

    /// Whether the thing was not there to begin with.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Makes a directory of casefile's own, and those above it, for its owner alone.
pub(crate) fn directory(path: &Path) -> Result<(), DiskError> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path).map_err(DiskError::io("create", path))
}

/// Whether there is anything of this name; a link is something.
pub(crate) fn stands(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether it is a directory, and not a link to one.
pub(crate) fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_dir())
}

/// What a file holds, if it is there and so small.
pub(crate) fn read_small(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, DiskError> {
    use std::io::Read;
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(DiskError::io("open", path))?,
    };
    let mut bytes = Vec::new();
    let read = file.take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(DiskError::io("read", path))?;
    if bytes_max < bytes.len() {
        return Err(DiskError::io("read", path)(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    Ok(Some(bytes))
}

/// Removes a file, unless it is gone already.
pub(crate) fn remove_file(path: &Path) -> Result<(), DiskError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(DiskError::io("remove", path)),
    }
}

/// What lies in a directory of casefile's own; nothing if there is none.
pub(crate) fn list(path: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(DiskError::io("list", path))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<io::Result<_>>().map_err(DiskError::io("list", path))
}

/// A file of the host's own, to be read.
pub(crate) fn open(path: &Path) -> Result<std::fs::File, DiskError> {
    std::fs::File::open(path).map_err(DiskError::io("open", path))
}

/// Sees to it that there is a file. One that is there stays the same file, whoever else
/// sees to it at the same time: others may have looked it up already.
pub(crate) fn see_to(path: &Path) -> Result<(), DiskError> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.open(path).map(drop).map_err(DiskError::io("create", path))
}

/// Gives a file this time, and makes it if there is none.
pub(crate) fn touch(path: &Path, at: std::time::SystemTime) -> Result<(), DiskError> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    let file = options.open(path).map_err(DiskError::io("create", path))?;
    file.set_modified(at).map_err(DiskError::io("write", path))
}

/// The time of a file, if there is one.
pub(crate) fn touched(path: &Path) -> Option<std::time::SystemTime> {
    path.symlink_metadata().ok()?.modified().ok()
}

/// A stream with nothing in it.
pub(crate) fn nothing() -> Result<std::fs::File, DiskError> {
    open(Path::new("/dev/null"))
}

impl Hint for DiskError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => io_hint(source).map(Into::into),
            Self::Held { holder, .. } => Some(way_out(holder.as_ref())),
        }
    }
}

/// The way out of a failure that the kernel reported.
pub(crate) fn io_hint(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind::{
        NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let text = match error.kind() {
        StorageFull => "Free some space on that file system and try again.",
        QuotaExceeded => "Free some of your disk quota and try again.",
        ReadOnlyFilesystem => {
            "Choose a directory on a file system that can be written, or remount this one."
        }
        PermissionDenied => "Make it accessible to you, or run as the user that it belongs to.",
        NotFound => "Create the directory that it belongs in, or correct the path.",
        NotADirectory => "Move away the file that stands where a directory is needed.",
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::DiskError;
    use crate::hint::Hint;

    #[test]
    fn a_failure_names_the_thing_and_what_can_be_mended_has_a_hint() {
        #[rustfmt::skip]
        let table = [
            // errno         what the hint begins with
            (libc::ENOSPC,   Some("Free some space")),
            (libc::EDQUOT,   Some("Free some of your disk quota")),
            (libc::EROFS,    Some("Choose a directory")),
            (libc::EACCES,   Some("Make it accessible")),
            (libc::EPERM,    Some("Make it accessible")),
            (libc::ENOENT,   Some("Create the directory")),
            (libc::ENOTDIR,  Some("Move away the file")),
            (libc::EIO,      None),
        ];
        for (errno, want) in table {
            let error =
                DiskError::io("write", Path::new("/a/b"))(io::Error::from_raw_os_error(errno));
            assert_eq!(error.to_string(), "cannot write `/a/b`");
            let hint = error.hint();
            assert_eq!(hint.is_some(), want.is_some(), "errno {errno}: {hint:?}");
            assert!(hint.unwrap_or_default().starts_with(want.unwrap_or_default()), "{errno}");
        }
    }
}
