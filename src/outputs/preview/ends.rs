//! The head and the tail of an output: whole lines from both ends.

use std::io;

use memchr::{memchr, memrchr};

use super::page::{Length, Page, line_within, thousands};
use super::reading::at;
use super::{HEAD_PERCENT, Source};

/// Both ends are looked for in so many bytes.
const WINDOW_BYTES: usize = 64 * 1024;

/// How far the other end of a long line is looked for, and in which steps.
const LONG_BYTES_MAX: u64 = 64 * 1024 * 1024;
const STEP_BYTES: usize = 256 * 1024;

/// So much of its other end is read; it is cut anyway.
const LONG_END_BYTES: usize = 2 * 1024;

/// No line takes more than this, however much room there is.
const LINE_CHARS_MAX: usize = 400;

/// As long as a title may be.
const TITLE_CHARS: usize = 70;

/// What is shown of both ends.
#[derive(Debug, Default)]
pub(super) struct Ends {
    head: Vec<String>,
    tail: Vec<String>,
    /// Nothing lies between them.
    meet: bool,
    /// How many there are in all.
    lines: u64,
}

/// As much of both ends as fits into so many characters.
pub(super) fn ends(
    source: &mut dyn Source,
    size: u64,
    lines: u64,
    room: usize,
) -> io::Result<Ends> {
    let mut ends = Ends { lines, ..Ends::default() };
    let room = room.saturating_sub(TITLE_CHARS * 2);
    if room == 0 {
        return Ok(ends);
    }
    let (head, from) = head(source, size, room * HEAD_PERCENT / 100)?;
    let used: usize = head.iter().map(|line| line.chars().count() + 1).sum();
    ends.head = head;
    (ends.tail, ends.meet) = tail(source, size, from, room.saturating_sub(used))?;
    Ok(ends)
}

impl Ends {
    pub(super) fn onto(&self, page: &mut Page) {
        let (first, last) = (self.head.len() as u64, self.tail.len() as u64);
        let total = self.lines.max(first + last);
        let (total_text, many) = (thousands(total), thousands(last));
        let head = match first {
            1 => format!("[line 1 of {total_text}]"),
            _ => format!("[lines 1-{} of {total_text}]", thousands(first)),
        };
        let begins = thousands(total - last + 1);
        let tail = match last {
            1 => format!("[line {begins}]"),
            _ if self.lines == 0 => format!("[the last {many} lines]"),
            _ => format!("[lines {begins}-{total_text}]"),
        };
        for (title, lines) in [(head, &self.head), (tail, &self.tail)] {
            if !lines.is_empty() && page.push(&title) {
                for line in lines {
                    page.push(line);
                }
            }
        }
    }

    /// How to go on from here.
    pub(super) fn next(&self, path: &str) -> String {
        if self.meet {
            return format!("grep or read_file in {path}");
        }
        format!("read_file {path} from={}, or grep in it", self.head.len() + 1)
    }
}

/// Lines from the beginning, and where the first byte is that they do not show.
fn head(source: &mut dyn Source, size: u64, mut room: usize) -> io::Result<(Vec<String>, u64)> {
    let window = at(source, 0, WINDOW_BYTES)?;
    let (mut lines, mut from) = (Vec::new(), 0);
    while from < window.len() {
        let rest = &window[from..];
        let (line, bytes) = match memchr(b'\n', rest) {
            Some(end) => (one(&rest[..end], room, lines.is_empty()), end as u64),
            None if size <= window.len() as u64 => {
                (one(rest, room, lines.is_empty()), rest.len() as u64)
            }
            None => {
                let begin = from as u64;
                let (end, length) = match line_end(source, begin, size)? {
                    Some(end) => (end, Length::Is(end - begin)),
                    None => (begin + LONG_BYTES_MAX, Length::Over(LONG_BYTES_MAX)),
                };
                let last = match length {
                    Length::Is(_) => {
                        let last = end.saturating_sub(LONG_END_BYTES as u64).max(begin);
                        at(source, last, (end - last) as usize)?
                    }
                    Length::Over(_) => Vec::new(),
                };
                let line_max = LINE_CHARS_MAX.min(room.saturating_sub(1));
                (line_within(rest, &last, length, line_max), end - begin)
            }
        };
        let Some(line) = line.filter(|line| line.chars().count() < room) else { break };
        room -= line.chars().count() + 1;
        lines.push(line);
        let next = (from as u64).saturating_add(bytes).saturating_add(1).min(size);
        if window.len() as u64 <= next {
            return Ok((lines, next));
        }
        from = next as usize;
    }
    Ok((lines, from as u64))
}

/// Lines from the end, but none that begin before `from`. Says whether they begin there.
fn tail(
    source: &mut dyn Source,
    size: u64,
    from: u64,
    mut room: usize,
) -> io::Result<(Vec<String>, bool)> {
    let start = from.max(size.saturating_sub(WINDOW_BYTES as u64));
    let window = at(source, start, WINDOW_BYTES)?;
    let mut rest = window.strip_suffix(b"\n").unwrap_or(&window);
    let (mut lines, mut meet) = (Vec::new(), window.is_empty());
    while !meet {
        let begin = memrchr(b'\n', rest).map(|end| end + 1);
        let bytes = &rest[begin.unwrap_or(0)..];
        let line = if begin.is_some() || start == from {
            one(bytes, room, lines.is_empty())
        } else if lines.is_empty() {
            // It is longer than the window.
            let end = start + rest.len() as u64;
            let (begins, length) = match line_start(source, start, from)? {
                Some(begin) => (at(source, begin, LONG_END_BYTES)?, Length::Is(end - begin)),
                None => (Vec::new(), Length::Over(LONG_BYTES_MAX)),
            };
            line_within(&begins, bytes, length, LINE_CHARS_MAX.min(room.saturating_sub(1)))
        } else {
            None
        };
        let Some(line) = line.filter(|line| line.chars().count() < room) else { break };
        room -= line.chars().count() + 1;
        lines.push(line);
        match begin {
            Some(begin) => rest = &rest[..begin - 1],
            None => {
                meet = start == from;
                break;
            }
        }
    }
    lines.reverse();
    Ok((lines, meet))
}

/// A line that is at hand. Only the first is cut so that there is at least one.
fn one(line: &[u8], room: usize, is_first: bool) -> Option<String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let max = if is_first { LINE_CHARS_MAX.min(room.saturating_sub(1)) } else { LINE_CHARS_MAX };
    line_within(line, line, Length::Is(line.len() as u64), max)
}

/// Where the line ends that is at `from`, unless that is too far to look.
fn line_end(source: &mut dyn Source, from: u64, size: u64) -> io::Result<Option<u64>> {
    let mut next = from;
    while next < size && next - from < LONG_BYTES_MAX {
        let block = at(source, next, STEP_BYTES)?;
        if block.is_empty() {
            return Ok(Some(next));
        }
        if let Some(end) = memchr(b'\n', &block) {
            return Ok(Some(next + end as u64));
        }
        next += block.len() as u64;
    }
    Ok((size <= next).then_some(next))
}

/// Where the line begins that ends behind `before`, unless that is too far to look.
fn line_start(source: &mut dyn Source, before: u64, from: u64) -> io::Result<Option<u64>> {
    let mut end = before;
    while from < end && before - end < LONG_BYTES_MAX {
        let begin = end.saturating_sub(STEP_BYTES as u64).max(from);
        let block = at(source, begin, (end - begin) as usize)?;
        if let Some(last) = memrchr(b'\n', &block) {
            return Ok(Some(begin + last as u64 + 1));
        }
        end = begin;
    }
    Ok((end <= from).then_some(from))
}
