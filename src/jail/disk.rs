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
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::dir::{Dir, Type};
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, major, minor};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::Pid;

use super::processes::Processes;
use super::sys::{self, Died, Fork};

/// Growth is reported in so many parts of the limit, which fit an exit code.
const PARTS: u64 = 200;
const PARTS_MAX: u64 = 250;

/// Where what a jail writes adds to the host's disks.
#[derive(Debug, Default)]
pub(super) struct Grows {
    /// Directories of the host that are shown to be written to.
    pub(super) shown: Vec<OwnedFd>,
    pub(super) changes: Vec<Changes>,
}

/// A directory of the host that keeps what changes in a tree of layers. The tree is
/// never walked, for most of it is not the jail's.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) dir: OwnedFd,
    /// The tree.
    pub(super) seen_as: OwnedFd,
}

#[derive(Debug)]
pub(super) struct Growth {
    dirs: Vec<OwnedFd>,
    /// The trees of layers, as `/proc` names a device. Theirs are numbered as those in
    /// memory are.
    layered: Vec<String>,
    limit: Room,
    /// Below so much of what is free, somebody has to add up.
    measure_below: Vec<Room>,
    opened: i64,
    child: Option<Pid>,
    parts: u64,
}

/// Room on a disk: bytes, and files to have them in.
#[derive(Clone, Copy, Debug)]
struct Room {
    bytes: u64,
    files: u64,
}

/// So many files may a jail add for each MiB that it may.
const FILES_PER_MIB: u64 = 64;

impl Room {
    fn free(dir: &OwnedFd) -> io::Result<Self> {
        let stat = fstatvfs(dir)?;
        let bytes = stat.blocks_free().saturating_mul(stat.fragment_size());
        // A filesystem without a table of files says 0 of it, always.
        let files = if stat.files() == 0 { u64::MAX } else { stat.files_free() };
        Ok(Self { bytes, files })
    }

    fn less(self, other: Self) -> Self {
        let files = self.files.saturating_sub(other.files);
        Self { bytes: self.bytes.saturating_sub(other.bytes), files }
    }
}

impl Growth {
    pub(super) fn new(grows: Grows, limit_bytes: u64) -> io::Result<Self> {
        let limit = Room { bytes: limit_bytes, files: limit_bytes / (1024 * 1024) * FILES_PER_MIB };
        let mut dirs = with_mounts_below(grows.shown)?;
        let mut layered = Vec::new();
        for Changes { dir, seen_as } in grows.changes {
            let device = fstat(&seen_as)?.st_dev;
            layered.push(format!("{:02x}:{:02x}", major(device), minor(device)));
            dirs.push(dir);
        }
        let measure_below =
            dirs.iter().map(|dir| Ok(Room::free(dir)?.less(limit))).collect::<io::Result<_>>()?;
        let opened = now();
        Ok(Self { dirs, layered, limit, measure_below, opened, child: None, parts: 0 })
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
        self.dirs.iter().zip(&self.measure_below).any(|(dir, below)| {
            Room::free(dir).is_ok_and(|free| free.bytes <= below.bytes || free.files <= below.files)
        })
    }

    /// A child that adds up and answers with its exit code, so that the warden
    /// goes on serving whatever the size of the tree.
    fn measure(&self) -> Option<Pid> {
        match sys::fork(0).ok()? {
            Fork::Parent(child) => Some(child),
            Fork::Child => {
                let _ = prctl::set_pdeathsig(Signal::SIGKILL);
                let mut tally =
                    Tally { since: self.opened, seen: HashSet::new(), bytes: 0, files: 0 };
                self.dirs.iter().for_each(|dir| tally.walk(dir));
                tally.nameless(&self.layered);
                let part = |of: u64, limit: u64| of.saturating_mul(PARTS) / limit.max(1);
                let parts =
                    part(tally.bytes, self.limit.bytes).max(part(tally.files, self.limit.files));
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
            let left = |limit: u64| limit / PARTS * PARTS.saturating_sub(self.parts).max(1);
            let left = Room { bytes: left(self.limit.bytes), files: left(self.limit.files) };
            for (dir, below) in self.dirs.iter().zip(&mut self.measure_below) {
                *below = Room::free(dir).unwrap_or(Room { bytes: 0, files: 0 }).less(left);
            }
        }
    }
}

/// These directories, and whatever other filesystems are mounted below them: each
/// has free space of its own.
fn with_mounts_below(tops: Vec<OwnedFd>) -> io::Result<Vec<OwnedFd>> {
    #[expect(clippy::disallowed_methods, reason = "a file of the kernel, not of a case")]
    let table = std::fs::read_to_string("/proc/self/mountinfo")?;
    let names: Vec<_> = tops
        .iter()
        .filter_map(|top| {
            let link = format!("/proc/self/fd/{}", top.as_raw_fd());
            nix::fcntl::readlink(link.as_str()).ok()
        })
        .collect();
    let mut dirs = tops;
    for at in table.lines().filter_map(|line| line.split(' ').nth(4)) {
        // A name with a space in it is escaped, and opens as nothing; it is then
        // counted with the filesystem above it at least.
        let below =
            |top: &OsString| Path::new(at).starts_with(top) && Path::new(at) != Path::new(top);
        if names.iter().any(below) {
            let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
            dirs.extend(nix::fcntl::open(at, flags, Mode::empty()));
        }
    }
    Ok(dirs)
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
    files: u64,
}

impl Tally {
    fn count(&mut self, stat: &FileStat) {
        if self.since <= stat.st_ctime && self.seen.insert((stat.st_dev, stat.st_ino)) {
            self.files += 1;
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

    /// Files that were removed but are still open in a process of the jail. What
    /// cannot be looked at (a file that is only mapped, a descriptor on its way
    /// through a socket) counts as if it were all that is gone from the disk:
    /// nobody keeps a file so but to hide it, or for a moment.
    fn nameless(&mut self, layered: &[String]) {
        let Ok(processes) = Processes::open() else { return };
        for pid in processes.pids().unwrap_or_default() {
            for name in names(&processes, &format!("{pid}/fd")) {
                let Ok(name) = name.to_str() else { continue };
                // The link is the kernel's own and leads to the open file itself;
                // looking does not open it.
                let path = format!("{pid}/fd/{name}");
                let Ok(stat) = fstatat(processes.descriptor(), path.as_str(), AtFlags::empty())
                else {
                    continue;
                };
                match stat.st_mode & libc::S_IFMT {
                    libc::S_IFREG if stat.st_nlink == 0 => self.count(&stat),
                    libc::S_IFSOCK if carries_descriptors(&processes, pid, name) => {
                        self.bytes = u64::MAX;
                    }
                    _ => {}
                }
            }
            if maps_removed_files(&processes, pid, layered) {
                self.bytes = u64::MAX;
            }
        }
    }
}

fn names(processes: &Processes, path: &str) -> Vec<CString> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(mut dir) = Dir::openat(processes.descriptor(), path, flags, Mode::empty()) else {
        return Vec::new();
    };
    dir.iter().flatten().map(|entry| entry.file_name().to_owned()).collect()
}

/// Whether descriptors wait in this socket to be received.
fn carries_descriptors(processes: &Processes, pid: Pid, name: &str) -> bool {
    let text = processes.text(&format!("{pid}/fdinfo/{name}"));
    let waiting = text.lines().find_map(|line| line.strip_prefix("scm_fds:"));
    waiting.is_some_and(|count| count.trim() != "0")
}

/// Whether a process has a file mapped that has no name any more, on a disk.
fn maps_removed_files(processes: &Processes, pid: Pid, layered: &[String]) -> bool {
    processes.text(&format!("{pid}/maps")).lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(3);
        let on_disk = fields.next().is_some_and(|device| {
            !device.starts_with("00:") || layered.iter().any(|layered| layered == device)
        });
        on_disk && line.ends_with(" (deleted)")
    })
}

const LEVELS_MAX: usize = 256;
