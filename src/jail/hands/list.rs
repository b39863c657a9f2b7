//! Listing a directory in the order of its names, a part at a time.
//!
//! The kernel gives names in no order, so every part would need all of them. The
//! hands keep a [`Window`]: the next so many names in order, as long as the
//! directory stays the same. So memory is bounded whatever is in the directory,
//! and a directory of 200,000 entries is read a few times and not once a part.

use std::collections::BinaryHeap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{fstat, fstatat};

use super::error::Refusal;
use super::path::Near;
use super::wire::{Bytes, CHUNK_BYTES_MAX, Entry, Facts, Kind, Listing};

/// How many names are kept: some MiB, and far more than one answer holds.
const WINDOW_NAMES_MAX: usize = 50_000;
/// How long one directory may be read.
const READ_MAX: Duration = Duration::from_secs(5);
/// Time is looked at once in so many names.
const NAMES_A_LOOK: usize = 4_096;
/// What an entry takes besides its name, at most.
const ENTRY_BYTES_MAX: usize = 80;

/// Some names of a directory, in order.
#[derive(Debug)]
pub(super) struct Window {
    dir: Facts,
    /// It holds the first names after this one.
    after: Option<Vec<u8>>,
    names: Vec<Vec<u8>>,
    /// How many there were after that one in all.
    count: u64,
    at_end: bool,
}

/// Lists what comes after the name `after`. The first part always looks anew.
pub(super) fn list(
    path: &[u8],
    after: Option<&[u8]>,
    max: u64,
    kept: &mut Option<Window>,
) -> Result<Listing, Refusal> {
    let near = Near::to(path)?;
    near.look()?.must_be(Kind::Directory)?;
    let dir = near.open(OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let facts = Facts::of(&fstat(&dir)?);
    let window = match kept.take().filter(|window| window.serves(&facts, after)) {
        Some(window) => window,
        None => Window::read(&dir, facts, after)?,
    };
    let first = window.names.partition_point(|name| after.is_some_and(|after| &name[..] <= after));
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let (mut entries, mut bytes, mut next) = (Vec::new(), 0, first);
    while let Some(name) = window.names.get(next) {
        bytes += name.len() + ENTRY_BYTES_MAX;
        if max <= entries.len() || CHUNK_BYTES_MAX < bytes {
            break;
        }
        next += 1;
        match fstatat(&dir, &name[..], AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                entries.push(Entry { name: Bytes(name.clone()), facts: Facts::of(&stat) });
            }
            // Gone since the names were read.
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let at_end = window.at_end && next == window.names.len();
    let left = window.count.saturating_sub(next as u64);
    *kept = Some(window);
    Ok(Listing { entries, left, at_end })
}

impl Window {
    /// Whether it has what comes after `after` in the directory as it is now.
    fn serves(&self, dir: &Facts, after: Option<&[u8]>) -> bool {
        let Some(after) = after else { return false };
        let begins = self.after.as_deref().is_none_or(|begin| begin <= after);
        let reaches = self.at_end || self.names.last().is_some_and(|last| after < &last[..]);
        self.dir == *dir && begins && reaches
    }

    fn read(dir: &OwnedFd, facts: Facts, after: Option<&[u8]>) -> Result<Self, Refusal> {
        let deadline = Instant::now() + READ_MAX;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        // The last of those that are kept comes out first.
        let mut names: BinaryHeap<Vec<u8>> = BinaryHeap::new();
        let (mut at_end, mut all) = (true, 0);
        let mut listed = Dir::openat(dir.as_fd(), c".", flags, nix::sys::stat::Mode::empty())?;
        for (count, entry) in listed.iter().enumerate() {
            if count % NAMES_A_LOOK == 0 && deadline <= Instant::now() {
                return Err(Refusal::TooMany);
            }
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." || after.is_some_and(|after| name <= after) {
                continue;
            }
            all += 1;
            if names.len() < WINDOW_NAMES_MAX {
                names.push(name.to_vec());
                continue;
            }
            at_end = false;
            if let Some(mut last) = names.peek_mut()
                && name < &last[..]
            {
                *last = name.to_vec();
            }
        }
        Ok(Self {
            dir: facts,
            after: after.map(<[u8]>::to_vec),
            names: names.into_sorted_vec(),
            count: all,
            at_end,
        })
    }
}
