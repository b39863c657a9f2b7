//! What a cgroup counts of a jail, read from files that were opened before the jail
//! was closed.

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::uio::pread;

use super::wire::PassedLimit;

/// A counter file of a cgroup, and the last value that was seen in it.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) file: OwnedFd,
    /// The word before the number.
    pub(super) key: &'static str,
    pub(super) limit: PassedLimit,
    pub(super) seen: u64,
}

impl Counter {
    /// Another descriptor of the same file.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        let Self { file, key, limit, seen } = self;
        Ok(Self { file: file.try_clone()?, key, limit: *limit, seen: *seen })
    }

    pub(super) fn read(&self) -> io::Result<u64> {
        read_number(&self.file, self.key)
    }
}

/// The processor time of a whole jail, as its cgroup counts it.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) file: OwnedFd,
    /// The word before the number, and so many of its units a millisecond has.
    pub(super) key: &'static str,
    pub(super) per_ms: u64,
}

impl Clock {
    pub(super) fn ms(&self) -> Option<u64> {
        read_number(&self.file, self.key).ok().map(|value| value / self.per_ms)
    }
}

const COUNTER_BYTES_MAX: usize = 512;

/// The number behind this word in a file of the kernel's.
fn read_number(file: &OwnedFd, key: &str) -> io::Result<u64> {
    let mut buffer = [0; COUNTER_BYTES_MAX];
    let length = loop {
        match pread(file, &mut buffer, 0) {
            Err(Errno::EINTR) => {}
            length => break length?,
        }
    };
    let text = String::from_utf8_lossy(&buffer[..length]);
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    value.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
