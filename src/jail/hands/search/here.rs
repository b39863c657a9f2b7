//! A file whose search has begun: how far it is, and what was found.

use std::os::fd::OwnedFd;

use nix::errno::Errno;

use super::wire::{FoundIn, LINE_BYTES_MAX, Line, Unsearched};
use crate::jail::hands::wire::Bytes;

/// Of one file, no more is told.
const TOLD_BYTES_MAX: usize = 256 * 1024;
/// What a line takes besides its bytes, at most.
const LINE_COST_BYTES: usize = 64;

/// A file whose search has begun.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) file: OwnedFd,
    pub(super) named: bool,
    /// Whether a read that brings less than it was asked for has reached the end.
    pub(super) short_is_end: bool,
    pub(super) found: FoundIn,
    /// How many lines of it may be told.
    pub(super) lines_max: u64,
    pub(super) told_bytes: usize,
    pub(super) tried: u32,
    /// Where the next piece begins, and how many lines that is into the file.
    pub(super) next: u64,
    pub(super) lines: u64,
    /// How much of that piece was searched before, and is only shown.
    pub(super) searched: usize,
    /// How many lines after the last match are still to be told.
    pub(super) after_left: usize,
    /// How long it was when that was first asked. What is written to it meanwhile is
    /// not searched, or the search might never end.
    pub(super) end: Option<u64>,
}

/// What came of going on with a file.
#[derive(Debug)]
pub(super) enum Went {
    Done(FoundIn),
    /// It holds no text.
    Binary,
    /// The moment was over.
    Left(Here),
}

impl Here {
    /// A `named` file is searched whatever it holds.
    pub(super) fn new(path: Vec<u8>, file: OwnedFd, named: bool, lines_max: u64) -> Self {
        Self {
            file,
            named,
            short_is_end: false,
            found: FoundIn { path: Bytes(path), ..FoundIn::default() },
            lines_max,
            told_bytes: 0,
            tried: 0,
            next: 0,
            lines: 0,
            searched: 0,
            after_left: 0,
            end: None,
        }
    }

    /// Spares a question that would be answered with nothing.
    pub(super) fn ends_with_a_short_read(mut self, so: bool) -> Self {
        self.short_is_end = so;
        self
    }

    pub(super) fn tells_more(&self) -> bool {
        (self.found.lines.len() as u64) < self.lines_max && self.told_bytes < TOLD_BYTES_MAX
    }

    pub(super) fn refused(&mut self, errno: Errno) {
        self.found.unsearched = Some(Unsearched::Refused(errno.into()));
    }

    /// Tells a line, or if it is long what is around `place`.
    pub(super) fn tell(&mut self, number: u64, matches: bool, line: &[u8], place: usize) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut start = 0;
        if LINE_BYTES_MAX < line.len() {
            let most = line.len() - LINE_BYTES_MAX;
            start = place.saturating_sub(LINE_BYTES_MAX / 4).min(most);
        }
        let mut end = line.len().min(start + LINE_BYTES_MAX);
        // Not in the middle of a character, where there are any.
        let goes_on = |at: usize| line.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        for _ in 0..3 {
            start += usize::from(0 < start && goes_on(start));
            end -= usize::from(start < end && goes_on(end));
        }
        self.told_bytes += end - start + LINE_COST_BYTES;
        self.found.lines.push(Line {
            number,
            matches,
            before: start as u64,
            after: (line.len() - end) as u64,
            bytes: line[start..end].into(),
        });
    }
}
