//! A file as the searcher is shown it: up to the first NUL byte, or to the end of
//! a line when the moment is over.
//!
//! The searcher itself knows neither. It would go on to the end of a file of any
//! size, and what it finds in one with NUL bytes depends on the size of its buffer.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::uio::pread;

/// A file as the searcher reads it: once the moment is over, it ends with a line.
#[derive(Debug)]
pub(super) struct Text<'a> {
    pub(super) file: &'a OwnedFd,
    /// Where the next byte is read.
    pub(super) next: u64,
    /// How many lines were read.
    pub(super) lines: u64,
    pub(super) deadline: Instant,
    pub(super) end: Option<Ending>,
}

/// Why the searcher is told that a file ends where it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Moment,
    Binary,
}

impl io::Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Ok(next) = i64::try_from(self.next) else { return Ok(0) };
        if self.end.is_some() {
            return Ok(0);
        }
        let mut length = loop {
            match pread(self.file, buffer, next) {
                Err(Errno::EINTR) => {}
                length => break length?,
            }
        };
        // A line that does not end here is waited for; its length is bounded.
        if self.deadline <= Instant::now()
            && let Some(end) = buffer[..length].iter().rposition(|byte| *byte == b'\n')
        {
            length = end + 1;
            self.end = Some(Ending::Moment);
        }
        let bytes = &buffer[..length];
        if bytes.contains(&0)
            && let Some(nul) = bytes.iter().position(|byte| *byte == 0)
        {
            length = nul;
            self.end = Some(Ending::Binary);
        }
        self.next += length as u64;
        self.lines += count_lines(&buffer[..length]);
        Ok(length)
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    // Small sums, which the compiler makes many at a time.
    bytes
        .chunks(255)
        .map(|few| few.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>())
        .map(u64::from)
        .sum()
}
