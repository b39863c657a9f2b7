//! A file or directory of the host, found by its name once and held to that.
//!
//! Between the moment a name is judged and the moment it is opened, whoever may
//! write to one of the directories on the way can make it lead elsewhere. So a
//! name is walked here, part by part, to one that holds no link; what is found
//! there is remembered by device and inode; and whoever opens it later follows no
//! link and compares.
//!
//! Links are followed only where nobody but root could have made them. Any other
//! may be somebody's, an earlier jail's too, and what it leads to has to be named.

#![expect(
    clippy::disallowed_methods,
    reason = "names on the host, looked at before there is a jail"
)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::fstat;
use serde::{Deserialize, Serialize};

/// As many links as the kernel follows.
const LINKS_MAX: u32 = 40;

/// Where it is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Absolute, and without a link.
    pub(super) real: PathBuf,
    device: u64,
    inode: u64,
}

/// A name leads nowhere, or by a way that cannot be relied on.
#[derive(Debug)]
pub(super) enum NotFound {
    Io(io::Error),
    /// Through a link that somebody may change.
    Link {
        link: PathBuf,
        real: Option<PathBuf>,
    },
}

impl Found {
    /// Looks for an absolute path.
    pub(super) fn look(path: &Path) -> Result<Self, NotFound> {
        let real = walk(path)?;
        let stat = open_real(&real).and_then(|fd| Ok(fstat(&fd)?)).map_err(NotFound::Io)?;
        Ok(Self { real, device: stat.st_dev, inode: stat.st_ino })
    }

    /// Whether this is the same file.
    pub(super) fn is(&self, file: &Metadata) -> bool {
        (self.device, self.inode) == (file.dev(), file.ino())
    }

    /// Opens it for nothing but to be mounted or named in a rule. If its name has
    /// come to mean something else, that is an error.
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        let fd = open_real(&self.real)?;
        let stat = fstat(&fd)?;
        match (stat.st_dev, stat.st_ino) == (self.device, self.inode) {
            true => Ok(fd),
            false => Err(io::Error::from_raw_os_error(libc::ESTALE)),
        }
    }
}

/// Opens a path that leads through no link.
pub(super) fn open_real(real: &Path) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(openat2(AT_FDCWD, real, how)?)
}

fn walk(path: &Path) -> Result<PathBuf, NotFound> {
    let mut real = PathBuf::from("/");
    let mut rest = parts(path);
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&part);
        let metadata = next.symlink_metadata().map_err(NotFound::Io)?;
        if !metadata.is_symlink() {
            real = next;
            continue;
        }
        links += 1;
        if LINKS_MAX < links {
            return Err(NotFound::Io(io::Error::from_raw_os_error(libc::ELOOP)));
        }
        let dir = real.symlink_metadata().map_err(NotFound::Io)?;
        if metadata.uid() != 0 || dir.uid() != 0 || dir.mode() & 0o022 != 0 {
            return Err(NotFound::Link { link: next, real: path.canonicalize().ok() });
        }
        let target = next.read_link().map_err(NotFound::Io)?;
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        let mut before = parts(&target);
        before.append(&mut rest);
        rest = before;
    }
    Ok(real)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_that_somebody_may_change_is_named_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("real/below")).unwrap();
        symlink("real", top.join("link")).unwrap();
        let found = Found::look(&top.join("real/below/../below")).unwrap();
        assert_eq!(found.real, top.join("real/below"));
        match Found::look(&top.join("link/below")) {
            // In a directory of root's that only root may write, root's link counts.
            Ok(found) => {
                assert!(nix::unistd::geteuid().is_root());
                assert_eq!(found.real, top.join("real/below"));
            }
            Err(NotFound::Link { link, real }) => {
                assert_eq!((link, real), (top.join("link"), Some(top.join("real/below"))));
            }
            Err(NotFound::Io(error)) => panic!("{error}"),
        }
        fs::set_permissions(&top, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        assert!(matches!(Found::look(&top.join("link/below")), Err(NotFound::Link { .. })));
    }

    #[test]
    fn what_was_exchanged_after_it_was_found_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        let at = |name: &str| top.join(name);
        fs::create_dir_all(at("shown")).unwrap();
        let found = Found::look(&at("shown")).unwrap();
        assert!(found.open().is_ok());
        fs::rename(at("shown"), at("aside")).unwrap();
        for other in ["link", "directory"] {
            match other {
                "link" => symlink("/", at("shown")).unwrap(),
                _ => {
                    fs::remove_file(at("shown")).unwrap();
                    fs::create_dir(at("shown")).unwrap();
                }
            }
            assert!(found.open().is_err(), "a {other} took its place");
        }
    }
}
