//! The door: how the host opens a file of a case, and the only way it does.
//!
//! An agent has written there, so a name may lead anywhere by the time it is
//! opened. The kernel therefore checks and opens in one step (`openat2`), beneath
//! a directory that is held open, and what comes back is looked at before a byte
//! is read:
//!
//! - a symlink anywhere in the path is refused, also one that points inside;
//! - `O_NONBLOCK`, because opening a FIFO would wait for a writer for ever;
//! - only a regular file is read, so no device, socket or FIFO;
//! - its size is held to the caller's limit before memory is set aside, and
//!   again while reading, because it may grow.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::CasePath;
use crate::disk::io_hint;
use crate::hint::Hint;

/// The directory of a case, held open.
#[derive(Debug)]
pub struct CaseDir {
    root: OwnedFd,
}

/// The kernel gives up on a path that others rename meanwhile; so do we, later.
const TRIES_MAX: u32 = 16;

impl CaseDir {
    /// Opens the directory itself, which the host made: its path is trusted,
    /// save that it may not be a symlink.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Self { root: open(path, flags, Mode::empty())? })
    }

    /// Reads a file whole, if it has at most `bytes_max` bytes.
    pub fn read(&self, path: &CasePath, bytes_max: u64) -> Result<Vec<u8>, DoorError> {
        let (file, size) = self.file(path)?;
        let too_big = || DoorError::TooBig { path: path.clone(), bytes_max };
        if bytes_max < size {
            return Err(too_big());
        }
        let failed = |source| DoorError::Read { path: path.clone(), source };
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes_max < bytes.len() as u64 {
            return Err(too_big());
        }
        Ok(bytes)
    }

    /// A regular file, open for reading, and its size at this moment.
    fn file(&self, path: &CasePath) -> Result<(File, u64), DoorError> {
        let fd = self.openat2(path).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => DoorError::Missing { path: path.clone() },
            Errno::ELOOP => DoorError::Link { path: path.clone() },
            Errno::EXDEV => DoorError::Escapes { path: path.clone() },
            // A socket, or a device that has no driver.
            Errno::ENXIO | Errno::ENODEV => {
                DoorError::NotAFile { path: path.clone(), kind: "a socket or a device" }
            }
            errno => DoorError::Open { path: path.clone(), source: errno.into() },
        })?;
        let about = fstat(&fd)
            .map_err(|errno| DoorError::Open { path: path.clone(), source: errno.into() })?;
        match kind(about.st_mode) {
            None => Ok((File::from(fd), u64::try_from(about.st_size).unwrap_or(0))),
            Some(kind) => Err(DoorError::NotAFile { path: path.clone(), kind }),
        }
    }

    fn openat2(&self, path: &CasePath) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
            .resolve(
                ResolveFlag::RESOLVE_BENEATH
                    | ResolveFlag::RESOLVE_NO_MAGICLINKS
                    | ResolveFlag::RESOLVE_NO_SYMLINKS,
            );
        let mut tries = 1;
        loop {
            match openat2(&self.root, path.as_path(), how) {
                Err(Errno::EAGAIN | Errno::EINTR) if tries < TRIES_MAX => tries += 1,
                outcome => return outcome,
            }
        }
    }
}

/// What stands where a regular file is wanted, if it is not one.
fn kind(mode: libc::mode_t) -> Option<&'static str> {
    match SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => None,
        SFlag::S_IFDIR => Some("a directory"),
        SFlag::S_IFIFO => Some("a FIFO"),
        SFlag::S_IFSOCK => Some("a socket"),
        SFlag::S_IFCHR | SFlag::S_IFBLK => Some("a device"),
        _ => Some("something else"),
    }
}

/// The door stayed shut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    #[error("the case has no `{path}`")]
    Missing { path: CasePath },
    #[error("`{path}` goes over a symlink")]
    Link { path: CasePath },
    #[error("`{path}` leads out of the case")]
    Escapes { path: CasePath },
    #[error("`{path}` is {kind}, not a file")]
    NotAFile { path: CasePath, kind: &'static str },
    #[error("`{path}` has more than {bytes_max} bytes")]
    TooBig { path: CasePath, bytes_max: u64 },
    #[error("cannot open `{path}` in the case")]
    Open { path: CasePath, source: io::Error },
    #[error("cannot read `{path}` in the case")]
    Read { path: CasePath, source: io::Error },
}

impl Hint for DoorError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Link { .. } => "Name the file itself: the host follows no symlink in a case.",
            Self::Open { source, .. } if source.raw_os_error() == Some(libc::ENOSYS) => {
                "Use Linux 5.6 or later: older kernels cannot open a file safely beneath a \
                 directory."
            }
            Self::Open { source, .. } | Self::Read { source, .. } => io_hint(source)?,
            _ => return None,
        };
        Some(text.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    use nix::unistd::mkfifo;

    use super::{CaseDir, DoorError};
    use crate::case::CasePath;

    fn path(text: &str) -> CasePath {
        CasePath::new(text).unwrap()
    }

    /// A case with one file, beside a secret that is none of its business.
    fn case() -> (tempfile::TempDir, CaseDir) {
        let world = tempfile::tempdir().unwrap();
        fs::create_dir_all(world.path().join("case/notes")).unwrap();
        fs::write(world.path().join("case/notes/report.md"), "found it").unwrap();
        fs::write(world.path().join("secret"), "key").unwrap();
        let dir = CaseDir::open(&world.path().join("case")).unwrap();
        (world, dir)
    }

    #[test]
    fn only_a_regular_file_in_the_case_is_read() {
        let (world, dir) = case();
        let notes = world.path().join("case/notes");
        symlink("report.md", notes.join("inside")).unwrap();
        symlink("../../secret", notes.join("outside")).unwrap();
        symlink(world.path().join("secret"), notes.join("absolute")).unwrap();
        symlink("/proc/self/environ", notes.join("proc")).unwrap();
        symlink(".", notes.join("loop")).unwrap();
        symlink("..", world.path().join("case/up")).unwrap();
        mkfifo(&notes.join("fifo"), Mode::S_IRWXU).unwrap();
        let _socket = UnixListener::bind(notes.join("socket")).unwrap();

        #[rustfmt::skip]
        let table = [
            // path                     what comes of it
            ("notes/report.md",         "found it"),
            ("notes/inside",            "`notes/inside` goes over a symlink"),
            ("notes/outside",           "`notes/outside` goes over a symlink"),
            ("notes/absolute",          "`notes/absolute` goes over a symlink"),
            ("notes/proc",              "`notes/proc` goes over a symlink"),
            ("notes/loop/report.md",    "`notes/loop/report.md` goes over a symlink"),
            ("up/secret",               "`up/secret` goes over a symlink"),
            ("notes/fifo",              "`notes/fifo` is a FIFO, not a file"),
            ("notes/socket",            "`notes/socket` is a socket or a device, not a file"),
            ("notes",                   "`notes` is a directory, not a file"),
            ("notes/none",              "the case has no `notes/none`"),
            ("notes/report.md/x",       "the case has no `notes/report.md/x`"),
        ];
        for (name, want) in table {
            let got = match dir.read(&path(name), 100) {
                Ok(bytes) => String::from_utf8(bytes).unwrap(),
                Err(error) => error.to_string(),
            };
            assert_eq!(got, want, "{name}");
        }
    }

    /// Only root can make a device; an ordinary user proves the same with the
    /// one kind of device that he may put anywhere, a whiteout.
    #[test]
    fn a_device_is_refused_whatever_it_would_answer() {
        let (world, dir) = case();
        let null = makedev(1, 3);
        let whiteout = makedev(0, 0);
        for (name, device) in [("null", null), ("whiteout", whiteout)] {
            let at = world.path().join("case").join(name);
            match mknod(&at, SFlag::S_IFCHR, Mode::S_IRUSR | Mode::S_IWUSR, device) {
                Ok(()) => {
                    let error = dir.read(&path(name), 100).unwrap_err();
                    assert!(matches!(error, DoorError::NotAFile { .. }), "{name}: {error}");
                }
                Err(errno) => {
                    assert_eq!((errno, name), (nix::errno::Errno::EPERM, "null"));
                    assert!(!nix::unistd::geteuid().is_root());
                }
            }
        }
    }

    #[test]
    fn a_file_over_the_limit_is_refused_before_it_is_read() {
        let (world, dir) = case();
        let huge = fs::File::create(world.path().join("case/huge")).unwrap();
        huge.set_len(1 << 40).unwrap();
        let error = dir.read(&path("huge"), 1_000).unwrap_err();
        assert_eq!(error.to_string(), "`huge` has more than 1000 bytes");
        assert_eq!(dir.read(&path("notes/report.md"), 8).unwrap(), b"found it");
        assert!(dir.read(&path("notes/report.md"), 7).is_err());
    }

    #[test]
    fn a_case_is_a_directory_and_no_symlink_to_one() {
        let (world, _dir) = case();
        symlink("case", world.path().join("link")).unwrap();
        assert!(CaseDir::open(&world.path().join("link")).is_err());
        assert!(CaseDir::open(&world.path().join("secret")).is_err());
    }

    /// While one thread swaps the file and a part of its path for symlinks to a
    /// secret, no read ever brings the secret.
    #[test]
    fn a_file_that_is_swapped_never_lets_the_secret_out() {
        let (world, dir) = case();
        let root = world.path().join("case");
        symlink("../../secret", root.join("notes/trap")).unwrap();
        fs::create_dir(world.path().join("elsewhere")).unwrap();
        fs::write(world.path().join("elsewhere/report.md"), "key").unwrap();
        symlink("../elsewhere", root.join("trapdoor")).unwrap();
        let done = AtomicBool::new(false);
        let (mut read, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let exchange = |one: &str, other: &str| {
                    let cwd = nix::fcntl::AT_FDCWD;
                    let flags = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
                    nix::fcntl::renameat2(cwd, &root.join(one), cwd, &root.join(other), flags)
                        .unwrap();
                };
                while !done.load(Ordering::Relaxed) {
                    exchange("notes/report.md", "notes/trap");
                    exchange("notes/report.md", "notes/trap");
                    exchange("notes", "trapdoor");
                    exchange("notes", "trapdoor");
                }
            });
            for _ in 0..20_000 {
                match dir.read(&path("notes/report.md"), 100) {
                    Ok(bytes) => {
                        assert_eq!(bytes, b"found it");
                        read += 1;
                    }
                    Err(DoorError::Link { .. } | DoorError::Missing { .. }) => refused += 1,
                    Err(DoorError::Open { source, .. }) => {
                        assert_eq!(source.raw_os_error(), Some(libc::EAGAIN));
                        refused += 1;
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert!(0 < read && 0 < refused, "the swap never met a read: {read} read, {refused} not");
    }
}
