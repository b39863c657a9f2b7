//! Whom a jail's processes are, on the host and inside.
//!
//! Inside there is one user. On the host it is the caller, or, where the caller
//! is root, a uid that owns nothing.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::unistd::{Gid, Uid};

use super::plan::USER_ID;
use super::stage::{At, Fault, Stage};
use super::sys::{self, Fork};

/// The uid and gid that root's jails run as. Nothing may belong to it; unlike
/// the ranges that are handed out to containers it exists on every host.
pub(super) const DROPPED_ID: u32 = 65_533;

/// The user, as the host knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The caller, who is not root.
    Ordinary { uid: u32, gid: u32 },
    /// Root, who becomes this one first.
    Dropped { uid: u32, gid: u32 },
}

impl Who {
    pub(super) fn myself() -> Self {
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        if uid.is_root() && !is_root_of_a_namespace() {
            Self::Dropped { uid: DROPPED_ID, gid: DROPPED_ID }
        } else {
            Self::Ordinary { uid: uid.as_raw(), gid: gid.as_raw() }
        }
    }

    fn ids(self) -> (u32, u32) {
        match self {
            Self::Ordinary { uid, gid } | Self::Dropped { uid, gid } => (uid, gid),
        }
    }
}

/// Whether the uid 0 of this process is an ordinary user's, in a user namespace
/// that has no other to drop to.
#[expect(clippy::disallowed_methods, reason = "a file of the kernel, not of a case")]
fn is_root_of_a_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let lines = map.lines().filter_map(|line| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        Some((next()?, next()?, next()?))
    });
    let has = |id: u64, (inside, _, count): (u64, u64, u64)| inside <= id && id < inside + count;
    let lines: Vec<_> = lines.collect();
    let has_other = lines.iter().any(|line| has(DROPPED_ID.into(), *line));
    let is_other = lines.iter().any(|(inside, outside, _)| *inside == 0 && *outside != 0);
    is_other && !has_other
}

/// Whom this caller's jails run as on the host, if that is not the caller.
pub fn jail_user() -> Option<(u32, u32)> {
    match Who::myself() {
        Who::Ordinary { .. } => None,
        Who::Dropped { uid, gid } => Some((uid, gid)),
    }
}

/// Hands a directory of the host to whoever this caller's jails run as.
#[expect(clippy::disallowed_methods, reason = "a directory that this process just made")]
pub fn give_to_jail(dir: &Path) -> io::Result<()> {
    match Who::myself() {
        Who::Ordinary { .. } => Ok(()),
        Who::Dropped { uid, gid } => std::os::unix::fs::lchown(dir, Some(uid), Some(gid)),
    }
}

/// The same with a directory and all that is in it. No jail has seen it yet, so no link
/// in it can be anybody's trap; none is followed anyway.
#[expect(clippy::disallowed_methods, reason = "a directory that this process just made")]
pub fn give_all_to_jail(dir: &Path) -> io::Result<()> {
    if jail_user().is_none() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => give_all_to_jail(&entry.path())?,
            false => give_to_jail(&entry.path())?,
        }
    }
    give_to_jail(dir)
}

/// The same with one end of a pipe that this process made: inside, `/dev/stdout` is
/// opened anew, and for that it has to be the jail's.
pub fn give_pipe_to_jail(pipe: BorrowedFd<'_>) -> io::Result<()> {
    match Who::myself() {
        Who::Ordinary { .. } => Ok(()),
        Who::Dropped { uid, gid } => {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            Ok(nix::unistd::fchown(pipe, Some(uid), Some(gid))?)
        }
    }
}

/// User namespaces by which a mount shows its owner's files as the jail's own.
/// No process ever runs in one.
#[derive(Debug, Default)]
pub(super) struct OwnerMaps(HashMap<(u32, u32), OwnedFd>);

impl OwnerMaps {
    /// The namespace that shows files of `uid` and `gid` as those of `who`.
    pub(super) fn for_owner(&mut self, who: Who, uid: u32, gid: u32) -> io::Result<BorrowedFd<'_>> {
        use std::collections::hash_map::Entry;
        let fd: &OwnedFd = match self.0.entry((uid, gid)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(owner_map(who, uid, gid)?),
        };
        Ok(fd.as_fd())
    }
}

fn owner_map(who: Who, uid: u32, gid: u32) -> io::Result<OwnedFd> {
    let (to_uid, to_gid) = who.ids();
    let (release, wait) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    match sys::fork(libc::CLONE_NEWUSER)? {
        Fork::Child => {
            // Stays until the parent has the namespace open and lets go.
            drop(wait);
            let _ = nix::unistd::read(&release, &mut [0]);
            sys::exit_now(0)
        }
        Fork::Parent(child) => {
            drop(release);
            write_file(&format!("/proc/{child}/uid_map"), &format!("{uid} {to_uid} 1"))?;
            write_file(&format!("/proc/{child}/gid_map"), &format!("{gid} {to_gid} 1"))?;
            let namespace = format!("/proc/{child}/ns/user");
            let flags = nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_CLOEXEC;
            let fd = nix::fcntl::open(namespace.as_str(), flags, nix::sys::stat::Mode::empty())?;
            drop(wait);
            Ok(fd)
        }
    }
}

/// Maps the one user into this new user namespace. All others of the host have
/// no name in it, uid 0 least of all.
pub(super) fn map(who: Who) -> Result<(), Fault> {
    let (uid, gid) = who.ids();
    // The kernel lets a user map its own group only once this can no longer be
    // used to get rid of a group by which a file is denied.
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("{USER_ID} {uid} 1"))?;
    write("/proc/self/gid_map", &format!("{USER_ID} {gid} 1"))
}

/// Takes from the jail what would be taken from the host's user too: further
/// user namespaces, and more than a share of the watches on files.
pub(super) fn no_namespaces_inside() -> Result<(), Fault> {
    write("/proc/sys/user/max_user_namespaces", "0")?;
    write("/proc/sys/user/max_inotify_instances", "64")?;
    write("/proc/sys/user/max_inotify_watches", "65536")
}

fn write(path: &str, text: &str) -> Result<(), Fault> {
    write_file(path, text).at(Stage::Identity, format!("writing `{text}` to {path}"))
}

#[expect(clippy::disallowed_methods, reason = "files of the kernel, not of a case")]
fn write_file(path: &str, text: &str) -> io::Result<()> {
    fs::write(path, text)
}
