//! How much a jail has added to the disk.
//!
//! There is no quota that an ordinary user could set, so growth is watched: each
//! tick asks the filesystem for its free space, which costs next to nothing. Only
//! when so much of it is gone that the limit could have been passed does a child
//! of the warden go and add up what the jail wrote.
//!
//! What it wrote is: files below its writable directories that changed since the
//! jail was opened, and files without a name that one of its processes holds
//! open or mapped.

use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::dir::{Dir, Type};
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::Pid;

use super::processes::Processes;
use super::sys::{self, Died, Fork};

/// Growth is reported in so many parts of the limit, which fit an exit code.
const PARTS: u64 = 200;
const PARTS_MAX: u64 = 250;

#[derive(Debug)]
pub(super) struct Growth {
    dirs: Vec<OwnedFd>,
    limit_bytes: u64,
    /// Below so much free space, somebody has to add up.
    measure_below: Vec<u64>,
    opened: i64,
    child: Option<Pid>,
    parts: u64,
}

impl Growth {
    pub(super) fn new(dirs: Vec<OwnedFd>, limit_bytes: u64) -> io::Result<Self> {
        let measure_below = dirs
            .iter()
            .map(|dir| Ok(free_bytes(dir)?.saturating_sub(limit_bytes)))
            .collect::<io::Result<_>>()?;
        Ok(Self { dirs, limit_bytes, measure_below, opened: now(), child: None, parts: 0 })
    }

    /// Whether the limit was passed. Starts to add up if that has become possible.
    pub(super) fn passed(&mut self) -> bool {
        if self.child.is_none() && self.parts < PARTS && self.is_possible() {
            self.child = self.measure();
        }
        PARTS <= self.parts
    }

    /// Whether somebody is adding up, so that there will be more to know.
    pub(super) fn is_measuring(&self) -> bool {
        self.child.is_some()
    }

    fn is_possible(&self) -> bool {
        self.dirs
            .iter()
            .zip(&self.measure_below)
            .any(|(dir, below)| free_bytes(dir).is_ok_and(|free| free <= *below))
    }

    /// A child that adds up and answers with its exit code, so that the warden
    /// goes on serving whatever the size of the tree.
    fn measure(&self) -> Option<Pid> {
        match sys::fork(0).ok()? {
            Fork::Parent(child) => Some(child),
            Fork::Child => {
                let _ = prctl::set_pdeathsig(Signal::SIGKILL);
                let mut tally = Tally { since: self.opened, seen: HashSet::new(), bytes: 0 };
                self.dirs.iter().for_each(|dir| tally.walk(dir));
                tally.nameless();
                let parts = tally.bytes.saturating_mul(PARTS) / self.limit_bytes.max(1);
                sys::exit_now(i32::try_from(parts.min(PARTS_MAX)).unwrap_or(0))
            }
        }
    }

    /// The child that adds up, while it does.
    pub(super) fn child(&self) -> Option<Pid> {
        self.child
    }

    pub(super) fn measured(&mut self, child: Pid, died: Died) {
        if self.child != Some(child) {
            return;
        }
        self.child = None;
        if let Died::Exited(parts) = died {
            self.parts = parts.into();
            // Measured again once what was left of the limit may be gone too.
            let left = self.limit_bytes / PARTS * PARTS.saturating_sub(self.parts).max(1);
            for (dir, below) in self.dirs.iter().zip(&mut self.measure_below) {
                *below = free_bytes(dir).unwrap_or(0).saturating_sub(left);
            }
        }
    }
}

fn free_bytes(dir: &OwnedFd) -> io::Result<u64> {
    let stat = fstatvfs(dir)?;
    Ok(stat.blocks_free().saturating_mul(stat.fragment_size()))
}

#[expect(clippy::disallowed_methods, reason = "compared with what the kernel stamps on files")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// What was found so far.
#[derive(Debug)]
struct Tally {
    since: i64,
    /// By device and inode, so that a file with two names counts once.
    seen: HashSet<(u64, u64)>,
    bytes: u64,
}

impl Tally {
    fn count(&mut self, stat: &FileStat) {
        if self.since <= stat.st_ctime && self.seen.insert((stat.st_dev, stat.st_ino)) {
            self.bytes = self
                .bytes
                .saturating_add(u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512));
        }
    }

    /// Every file below, without ever following a link.
    fn walk(&mut self, top: &OwnedFd) {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let Ok(start) = nix::fcntl::openat(top, c".", flags, Mode::empty()) else {
            // A single file was shown, not a directory.
            if let Ok(stat) = fstat(top) {
                self.count(&stat);
            }
            return;
        };
        // One open directory for each level, with what is still to do in it.
        let mut levels = vec![self.level(start)];
        while let Some((dir, below)) = levels.last_mut() {
            let Some(name) = below.pop() else {
                levels.pop();
                continue;
            };
            let next = nix::fcntl::openat(&*dir, name.as_c_str(), flags, Mode::empty());
            if LEVELS_MAX <= levels.len() {
                // Nobody nests so deep but to hide what is there.
                self.bytes = u64::MAX;
                return;
            }
            levels.extend(next.map(|next| self.level(next)));
        }
    }

    /// Counts what is in one directory; the answer names the directories in it.
    fn level(&mut self, dir: OwnedFd) -> (OwnedFd, Vec<CString>) {
        let mut below = Vec::new();
        let mut listed = dir.try_clone().ok().and_then(|dir| Dir::from_fd(dir).ok());
        for entry in listed.iter_mut().flat_map(Dir::iter).flatten() {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if let Ok(stat) = fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                self.count(&stat);
            }
            if entry.file_type() == Some(Type::Directory) {
                below.push(name.to_owned());
            }
        }
        (dir, below)
    }

    /// Files that were removed but are still open in a process of the jail.
    fn nameless(&mut self) {
        let Ok(processes) = Processes::open() else { return };
        for pid in processes.pids().unwrap_or_default() {
            for list in ["fd", "map_files"] {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let path = format!("{pid}/{list}");
                let Ok(mut dir) =
                    Dir::openat(processes.descriptor(), path.as_str(), flags, Mode::empty())
                else {
                    continue;
                };
                let names: Vec<_> =
                    dir.iter().flatten().map(|entry| entry.file_name().to_owned()).collect();
                for name in names {
                    // The link is the kernel's own and leads to the open file
                    // itself; looking does not open it.
                    let Ok(stat) = fstatat(&dir, name.as_c_str(), AtFlags::empty()) else {
                        continue;
                    };
                    let regular = stat.st_mode & libc::S_IFMT == libc::S_IFREG;
                    if regular && stat.st_nlink == 0 {
                        self.count(&stat);
                    }
                }
            }
        }
    }
}

const LEVELS_MAX: usize = 256;
