//! Going to the directories of a tree one after the other, relative to those above.
//!
//! A path in a tree may be longer than the kernel takes, and looking it up from the top
//! for each file would cost more than writing the file. So the way down is kept open,
//! the last directories of it: a tree may also be deeper than a process may have files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fchmod, mkdirat};

/// The last so many directories of a way stay open.
const OPEN_MAX: usize = 48;

/// A place in a tree.
#[derive(Debug)]
pub(super) struct Reach {
    top: OwnedFd,
    /// The way down; the first ones may be closed again.
    way: Vec<(Vec<u8>, Option<OwnedFd>)>,
    make: Option<Make>,
}

/// Directories on the way are made if they are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Make {
    /// Whether the umask would take more from a mode than it may.
    pub(super) change_modes: bool,
}

const HOW: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

impl Reach {
    pub(super) fn new(top: &Path, make: Option<Make>) -> nix::Result<Self> {
        Ok(Self { top: open(top, HOW, Mode::empty())?, way: Vec::new(), make })
    }

    /// The directory of `path`, and the name there.
    pub(super) fn to<'p>(&mut self, path: &'p [u8]) -> nix::Result<(BorrowedFd<'_>, &'p [u8])> {
        let (dir, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        Ok((self.dir(dir)?, name))
    }

    /// The directory `path`, which is the top if it is empty.
    fn dir(&mut self, path: &[u8]) -> nix::Result<BorrowedFd<'_>> {
        let parts = || path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        let common = parts().zip(&self.way).take_while(|(part, (name, _))| part == name).count();
        self.way.truncate(common);
        if self.way.last().is_some_and(|(_, fd)| fd.is_none()) {
            self.way.clear();
        }
        let done = self.way.len();
        for part in parts().skip(done) {
            let fd = self.step(part)?;
            self.way.push((part.into(), Some(fd)));
            if let Some(far) = self.way.len().checked_sub(OPEN_MAX + 1) {
                self.way[far].1 = None;
            }
        }
        Ok(self.here())
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.way.last().and_then(|(_, fd)| fd.as_ref()).unwrap_or(&self.top).as_fd()
    }

    fn step(&self, name: &[u8]) -> nix::Result<OwnedFd> {
        if let Some(make) = self.make {
            make_dir(self.here(), name, make)?;
        }
        openat(self.here(), name, HOW, Mode::empty())
    }
}

/// Makes a directory, if it is not there.
pub(super) fn make_dir(within: BorrowedFd<'_>, name: &[u8], make: Make) -> nix::Result<()> {
    match mkdirat(within, name, Mode::from_bits_truncate(0o755)) {
        Ok(()) if make.change_modes => {
            fchmod(openat(within, name, HOW, Mode::empty())?, Mode::from_bits_truncate(0o755))
        }
        Err(Errno::EEXIST) => Ok(()),
        outcome => outcome,
    }
}

impl Make {
    /// As this process's umask requires. The kernel tells it without changing it.
    pub(super) fn here() -> Self {
        let umask = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
            let line =
                status.lines().find_map(|line| line.strip_prefix("Umask:"))?.trim().to_owned();
            u32::from_str_radix(&line, 8).ok()
        });
        Self { change_modes: umask.is_none_or(|umask| umask & 0o755 != 0) }
    }
}
