//! Searching one file, in pieces that end with a line.
//!
//! A file is read and never mapped: one that gets shorter meanwhile is then just
//! shorter. Between two pieces the search can be left, and is gone on with from the
//! lines that the next piece has to show.

use std::ops::Range;
use std::time::Instant;

use memchr::{memchr, memchr_iter, memrchr};
use nix::errno::Errno;

use super::definition::defines;
use super::here::{Here, Went};
use super::pattern::{Looker, Pattern, end_of_line, start_of_line, without_end};
use super::text::{fill, in_utf8, mark, utf16};
use super::wire::{LINE_BYTES_MAX, Mode, Query, Unsearched};

/// One piece, unless a line is longer.
const PIECE_BYTES: usize = 256 * 1024;
/// A longer line is searched in pieces.
const LINE_SEARCHED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest file in which matches may go over the ends of lines, and the largest
/// that is put into UTF-8.
const WHOLE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A NUL byte in so much of the beginning says that it is no text. Later ones are
/// what a log has that was cut short while it was written.
const BINARY_BYTES: usize = 64 * 1024;
/// So many lines of a file are asked whether they define what was looked for.
const DEFINITIONS_TRIED_MAX: u32 = 200;
/// How far back a line before a match is looked for.
const BEFORE_BYTES_MAX: usize = 32 * 1024;

/// What a thread needs to search files.
#[derive(Debug)]
pub(super) struct Searcher {
    pattern: Looker,
    mode: Mode,
    before: usize,
    after: usize,
    buffer: Vec<u8>,
}

impl Searcher {
    pub(super) fn new(pattern: &Pattern, query: &Query) -> Self {
        let context = |lines: u32| match query.mode {
            Mode::Lines => usize::try_from(lines).unwrap_or(usize::MAX),
            Mode::Files | Mode::Count => 0,
        };
        Self {
            pattern: pattern.looker(),
            mode: query.mode,
            before: context(query.before),
            after: context(query.after),
            buffer: vec![0; PIECE_BYTES],
        }
    }

    /// Searches on in a file until it is done or the moment is over.
    pub(super) fn go_on(&mut self, mut here: Here, deadline: Instant) -> Went {
        // Taken out, so that it can be lent beside the rest.
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut done = false;
        while !done {
            done = match self.piece(&mut here, &mut buffer) {
                Ok(Piece::Last) => true,
                Ok(Piece::More) => false,
                Ok(Piece::Binary) => {
                    self.keep(buffer);
                    return Went::Binary;
                }
                Err(errno) => {
                    here.refused(errno);
                    true
                }
            };
            if !done && deadline <= Instant::now() {
                break;
            }
        }
        self.keep(buffer);
        if done { Went::Done(here.found) } else { Went::Left(here) }
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        // One long line is no reason to hold so much memory.
        if PIECE_BYTES < buffer.len() {
            buffer.truncate(PIECE_BYTES);
            buffer.shrink_to_fit();
        }
        self.buffer = buffer;
    }

    fn piece(&self, here: &mut Here, buffer: &mut Vec<u8>) -> Result<Piece, Errno> {
        let (mut filled, mut at_end) = fill(here, buffer, 0)?;
        if here.next == 0 {
            let head = &buffer[..filled];
            if let Some(big) = utf16(head) {
                let Some(filled) = self.whole(here, buffer, filled, at_end)? else {
                    return Ok(Piece::Last);
                };
                self.search(here, &in_utf8(&buffer[2..filled], big), 0, true)?;
                return Ok(Piece::Last);
            }
            let is_binary = memchr(0, &head[..head.len().min(BINARY_BYTES)]).is_some();
            match (is_binary, here.named) {
                (true, false) => return Ok(Piece::Binary),
                (true, true) => {
                    here.lines_max = 0;
                    here.found.unsearched = Some(Unsearched::Binary);
                }
                (false, _) => {}
            }
            if self.pattern.goes_across_lines() {
                if let Some(filled) = self.whole(here, buffer, filled, at_end)? {
                    self.search(here, &buffer[..filled], mark(&buffer[..filled]), true)?;
                }
                return Ok(Piece::Last);
            }
        }
        let mut end = filled;
        while !at_end {
            if let Some(last) = memrchr(b'\n', &buffer[here.searched.min(filled)..filled]) {
                end = here.searched + last + 1;
                break;
            }
            if LINE_SEARCHED_BYTES_MAX <= buffer.len() {
                here.found.unsearched.get_or_insert(Unsearched::LongLine);
                break;
            }
            buffer.resize(buffer.len() * 4, 0);
            (filled, at_end) = fill(here, buffer, filled)?;
            end = filled;
        }
        let mark = if here.next == 0 { mark(&buffer[..end]) } else { 0 };
        let ended = self.search(here, &buffer[..end], mark, at_end)?;
        Ok(if at_end || ended { Piece::Last } else { Piece::More })
    }

    /// Reads on where all of a file is needed at once. Nothing, if it is too large.
    fn whole(
        &self,
        here: &mut Here,
        buffer: &mut Vec<u8>,
        mut filled: usize,
        mut at_end: bool,
    ) -> Result<Option<usize>, Errno> {
        while !at_end {
            if WHOLE_BYTES_MAX <= buffer.len() {
                here.found.unsearched = Some(Unsearched::TooLarge);
                return Ok(None);
            }
            buffer.resize(buffer.len() * 4, 0);
            (filled, at_end) = fill(here, buffer, filled)?;
        }
        Ok(Some(filled))
    }

    /// Searches whole lines. Says whether the rest of the file need not be searched.
    fn search(
        &self,
        here: &mut Here,
        text: &[u8],
        mark: usize,
        at_end: bool,
    ) -> Result<bool, Errno> {
        // Up to where lines were told. Of those that are only kept to be told, none was.
        let mut told = 0;
        let mut count = Count { at: 0, lines: here.lines };
        // The mark of the encoding is no part of the first line.
        let from = here.searched.min(text.len()).max(mark);
        let each = |lines: Range<usize>| {
            let lines = lines.start + from..lines.end + from;
            match self.mode {
                Mode::Files => {
                    here.found.count = 1;
                    return false;
                }
                Mode::Count => {
                    here.found.count += memchr_iter(b'\n', &text[lines.clone()]).count() as u64
                        + u64::from(!text[..lines.end].ends_with(b"\n"));
                }
                Mode::Lines => {
                    if here.tells_more() {
                        told = self.after(here, text, told, lines.start, &mut count);
                        self.before(here, text, told, lines.start, &mut count);
                    }
                    let mut at = lines.start;
                    while at < lines.end {
                        let end = end_of_line(text, at);
                        here.found.count += 1;
                        self.matched(here, text, at..end, &mut count);
                        at = end;
                    }
                    told = at;
                    here.after_left = self.after;
                }
            }
            true
        };
        // It reads nothing, so this is a fault of ours and never seen.
        self.pattern.each(&text[from..], each).map_err(|_| Errno::EIO)?;
        if self.mode == Mode::Files && 0 < here.found.count {
            return Ok(true);
        }
        told = self.after(here, text, told, text.len(), &mut count);
        if !at_end {
            let begin = self.lines_before(text, text.len(), told);
            here.lines = count.up_to(text, begin);
            here.next += begin as u64;
            here.searched = text.len() - begin;
        }
        Ok(false)
    }

    fn matched(&self, here: &mut Here, text: &[u8], line: Range<usize>, count: &mut Count) {
        let bytes = without_end(&text[line.clone()]);
        let mut first_to_define = false;
        if !here.found.defines && here.tried < DEFINITIONS_TRIED_MAX {
            here.tried += 1;
            first_to_define = defines(bytes, |line| self.pattern.place(line));
            here.found.defines = first_to_define;
        }
        // The line for which the file comes first is told, if any is.
        if here.tells_more() || (first_to_define && 0 < here.lines_max) {
            let number = count.up_to(text, line.start) + 1;
            let place =
                if bytes.len() <= LINE_BYTES_MAX { None } else { self.pattern.place(bytes) };
            here.tell(number, true, bytes, place.map_or(0, |place| place.start));
        }
    }

    /// Tells the lines after a match up to `end`, as far as they are wanted.
    fn after(
        &self,
        here: &mut Here,
        text: &[u8],
        mut at: usize,
        end: usize,
        count: &mut Count,
    ) -> usize {
        while 0 < here.after_left && at < end && here.tells_more() {
            let line = at..end_of_line(text, at);
            let number = count.up_to(text, at) + 1;
            here.tell(number, false, without_end(&text[line.clone()]), 0);
            here.after_left -= 1;
            at = line.end;
        }
        at
    }

    /// Tells the lines before a match, but none that was told.
    fn before(&self, here: &mut Here, text: &[u8], told: usize, end: usize, count: &mut Count) {
        let mut at = self.lines_before(text, end, told);
        while at < end {
            let line = at..end_of_line(text, at);
            let number = count.up_to(text, at) + 1;
            here.tell(number, false, without_end(&text[line.clone()]), 0);
            at = line.end;
        }
    }

    /// Where the lines begin that are told before `end`.
    fn lines_before(&self, text: &[u8], end: usize, floor: usize) -> usize {
        let mut at = end;
        for _ in 0..self.before {
            if at <= floor {
                break;
            }
            let start = start_of_line(text, at - 1).max(floor);
            if BEFORE_BYTES_MAX < end - start {
                break;
            }
            at = start;
        }
        at
    }
}

/// What a piece of a file was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    More,
    Last,
    Binary,
}

/// Counts lines, each once.
#[derive(Debug)]
struct Count {
    at: usize,
    lines: u64,
}

impl Count {
    /// How many lines end before `to`, which is never before where it was last.
    fn up_to(&mut self, text: &[u8], to: usize) -> u64 {
        if let Some(more) = text.get(self.at..to) {
            self.lines += memchr_iter(b'\n', more).count() as u64;
            self.at = to;
        }
        self.lines
    }
}
