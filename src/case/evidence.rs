//! Taking in evidence: files and directories of the host, copied into a case.
//!
//! Only files and directories are taken. A link would lead elsewhere in the world,
//! or nowhere, and a device or a FIFO is no evidence; what is left out is told.

#![expect(clippy::disallowed_methods, reason = "files that a person named, outside any case")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::disk::{DiskError, io_hint};
use crate::hint::Hint;

/// As deep as a directory of evidence may be.
const LEVELS_MAX: usize = 128;

/// Evidence could not be taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    #[error("cannot take in `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` is neither a file nor a directory", path.display())]
    Kind { path: PathBuf },
    #[error("two pieces of evidence are called `{name}`")]
    Twice { name: String },
    #[error("`{}` is deeper than {LEVELS_MAX} directories", path.display())]
    Deep { path: PathBuf },
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for EvidenceError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Io { source, .. } => return io_hint(source).map(Into::into),
            Self::Kind { .. } => "Save what it holds to a file, and name that.",
            Self::Twice { .. } => "Put them into one directory under other names, and name that.",
            Self::Deep { .. } => "Pack it into an archive, and name that.",
            Self::Disk(error) => return error.hint(),
        };
        Some(text.into())
    }
}

/// Copies each of these into the directory `to`, under its own name. Says what was
/// left out of them.
pub fn take_in(from: &[PathBuf], to: &Path) -> Result<Vec<PathBuf>, EvidenceError> {
    let mut left_out = Vec::new();
    for path in from {
        let io = |source| EvidenceError::Io { path: path.clone(), source };
        // What a person names may be a link; what it leads to is meant.
        let real = path.canonicalize().map_err(io)?;
        let name = real.file_name().ok_or_else(|| EvidenceError::Kind { path: path.clone() })?;
        let place = to.join(path.file_name().unwrap_or(name));
        if place.symlink_metadata().is_ok() {
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(EvidenceError::Twice { name });
        }
        if !copy(&real, &place, 0, &copy_file, &mut left_out)? {
            return Err(EvidenceError::Kind { path: path.clone() });
        }
    }
    Ok(left_out)
}

/// Gives a directory of the case `from` to another: the same files, under a second
/// name. Nobody ever writes to them again.
pub fn share(from: &Path, to: &Path) -> Result<(), EvidenceError> {
    let link = |from: &Path, to: &Path| fs::hard_link(from, to).or_else(|_| copy_file(from, to));
    for entry in fs::read_dir(from).map_err(DiskError::io("list", from))? {
        let entry = entry.map_err(DiskError::io("list", from))?;
        copy(&entry.path(), &to.join(entry.file_name()), 0, &link, &mut Vec::new())?;
    }
    Ok(())
}

/// Copies one file or directory; says whether it was one.
fn copy(
    from: &Path,
    to: &Path,
    level: usize,
    file: &dyn Fn(&Path, &Path) -> io::Result<()>,
    left_out: &mut Vec<PathBuf>,
) -> Result<bool, EvidenceError> {
    let io = |source| EvidenceError::Io { path: from.into(), source };
    let kind = from.symlink_metadata().map_err(io)?.file_type();
    if kind.is_file() {
        file(from, to).map_err(io)?;
        return Ok(true);
    }
    if !kind.is_dir() {
        return Ok(false);
    }
    if LEVELS_MAX < level {
        return Err(EvidenceError::Deep { path: from.into() });
    }
    crate::disk::directory(to)?;
    for entry in fs::read_dir(from).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !copy(&entry.path(), &to.join(entry.file_name()), level + 1, file, left_out)? {
            left_out.push(entry.path());
        }
    }
    Ok(true)
}

/// The kernel copies, by reference where the file system can.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    // It may have become something else by now, which is neither followed nor waited
    // for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut source = OpenOptions::new().read(true).custom_flags(flags).open(from)?;
    if !source.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file any more"));
    }
    let mut copy = File::create_new(to)?;
    io::copy(&mut source, &mut copy).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{EvidenceError, share, take_in};

    #[test]
    fn files_and_directories_are_taken_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        let at = |name: &str| top.join(name);
        fs::create_dir_all(at("from/logs/deep")).unwrap();
        fs::create_dir_all(at("to")).unwrap();
        fs::write(at("from/alert.json"), "{}").unwrap();
        fs::write(at("from/logs/deep/a.log"), "line").unwrap();
        symlink("/etc/passwd", at("from/logs/link")).unwrap();
        symlink("alert.json", at("from/latest")).unwrap();
        nix::unistd::mkfifo(&at("from/logs/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let named = [at("from/latest"), at("from/logs")];
        let mut left_out = take_in(&named, &at("to")).unwrap();
        left_out.sort();
        assert_eq!(left_out, [at("from/logs/fifo"), at("from/logs/link")]);
        assert_eq!(fs::read(at("to/latest")).unwrap(), b"{}");
        assert!(at("to/latest").symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read(at("to/logs/deep/a.log")).unwrap(), b"line");
        assert!(at("to/logs/link").symlink_metadata().is_err());
        // A second name for the same files.
        fs::create_dir(at("fork")).unwrap();
        share(&at("to"), &at("fork")).unwrap();
        assert_eq!(fs::read(at("fork/logs/deep/a.log")).unwrap(), b"line");

        let take = |name: &str| take_in(&[at(name)], &at("to"));
        assert!(matches!(take("from/logs"), Err(EvidenceError::Twice { .. })));
        assert!(matches!(take("from/logs/fifo"), Err(EvidenceError::Kind { .. })));
        assert!(matches!(take("from/none"), Err(EvidenceError::Io { .. })));
    }
}
