//! Taking lines out of a text: from one on, or so many before its end.

use std::time::Instant;

use nix::errno::Errno;

use super::index::Index;
use super::source::Source;
use super::told::{LinesAsked, ToldLine};
use crate::jail::hands::wire::Bytes;

/// What is read at once on the way forward and back.
const FIRST_BYTES: usize = 16 * 1024;
const AHEAD_BYTES: usize = 64 * 1024;
const BACK_BYTES: u64 = 256 * 1024;
/// What a line takes in an answer besides its bytes, at most.
const LINE_EXTRA_BYTES: u64 = 40;

/// Where lines begin that are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) at: u64,
    pub(super) number: i64,
}

/// Lines, and whether nothing comes after them.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) lines: Vec<ToldLine>,
    pub(super) at_end: bool,
}

/// Takes lines from one on, as many as were asked for and fit. One that is longer than
/// is told of a line is cut.
pub(super) fn forward(
    start: Start,
    asked: &LinesAsked,
    source: &Source<'_>,
    index: &mut Index,
    deadline: Instant,
    buffer: &mut Vec<u8>,
) -> Result<Cut, Errno> {
    let mut cut = Cut { lines: Vec::new(), at_end: false };
    let (mut at, mut number, mut skip) = (start.at, start.number, asked.skip);
    let mut left = asked.bytes_max;
    let most = (asked.line_bytes_max).min(asked.bytes_max);
    let is_full = |lines: usize, left: u64| asked.lines <= lines as u64 || left == 0;
    // Few lines are asked for, as a rule.
    let mut ahead = FIRST_BYTES;
    'window: while !is_full(cut.lines.len(), left) {
        let base = at;
        let view = source.view(base, ahead, buffer)?;
        if view.is_empty() {
            cut.at_end = true;
            break;
        }
        let holds_end = view.len() < ahead || source.size() <= base + view.len() as u64;
        let mut rest = view;
        while !is_full(cut.lines.len(), left) {
            let end = memchr::memchr(b'\n', rest);
            let (line, next) = match end {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None if holds_end && rest.is_empty() => {
                    cut.at_end = true;
                    break 'window;
                }
                None if holds_end => (rest, &rest[rest.len()..]),
                None if at == base && ahead == AHEAD_BYTES => break,
                None => {
                    ahead = AHEAD_BYTES;
                    continue 'window;
                }
            };
            let line_bytes = &line[as_index(skip).min(line.len())..];
            let told = line_bytes.len().min(as_index(most));
            if as_index(left) < told + as_index(LINE_EXTRA_BYTES) && !cut.lines.is_empty() {
                return Ok(cut);
            }
            left = left.saturating_sub(told as u64 + LINE_EXTRA_BYTES);
            cut.lines.push(ToldLine {
                number,
                skipped: skip.min(line.len() as u64),
                length: Some(line.len() as u64),
                bytes: Bytes(line_bytes[..told].to_vec()),
            });
            (number, skip) = (number + 1, 0);
            at += (rest.len() - next.len()) as u64;
            rest = next;
        }
        if is_full(cut.lines.len(), left) {
            break;
        }
        // A line that is longer than the window.
        let end = end_of_long(at, source, index, deadline, buffer)?;
        let length = end.map(|end| end - at);
        let skipped = length.map_or(skip, |length| skip.min(length));
        let told = length.map_or(most, |length| most.min(length - skipped));
        let bytes = source.view(at + skipped, as_index(told), buffer)?.to_vec();
        left = left.saturating_sub(bytes.len() as u64 + LINE_EXTRA_BYTES);
        cut.lines.push(ToldLine { number, skipped, length, bytes: Bytes(bytes) });
        let Some(end) = end else {
            return Ok(cut);
        };
        (number, skip, at) = (number + 1, 0, end + 1);
    }
    cut.at_end |= source.size() <= at;
    Ok(cut)
}

/// Where a long line ends, if that is seen in time.
fn end_of_long(
    at: u64,
    source: &Source<'_>,
    index: &mut Index,
    deadline: Instant,
    buffer: &mut Vec<u8>,
) -> Result<Option<u64>, Errno> {
    if !index.reach(source, 0, at + 1, deadline, buffer)? {
        return Ok(None);
    }
    let before = index.ends_before(at, source, buffer)?;
    if !index.reach(source, before + 1, 0, deadline, buffer)? {
        return Ok(None);
    }
    index.end_from(at, source, buffer)
}

/// Where so many lines before the end begin, looked for from there, and how many there
/// really are. `None` if that is too far back for one moment.
pub(super) fn backward(
    lines: u64,
    source: &Source<'_>,
    deadline: Instant,
    buffer: &mut Vec<u8>,
) -> Result<Option<Start>, Errno> {
    let size = source.size();
    let (mut end, mut found) = (size, 0);
    if size == 0 {
        return Ok(Some(Start { at: 0, number: 0 }));
    }
    loop {
        let from = end.saturating_sub(BACK_BYTES);
        let view = source.view(from, as_index(end - from), buffer)?;
        for line_end in memchr::memrchr_iter(b'\n', view) {
            let after = from + line_end as u64 + 1;
            // The end of the last line begins none.
            if after == size {
                continue;
            }
            found += 1;
            if found == lines {
                return Ok(Some(Start { at: after, number: backwards(found) }));
            }
        }
        if from == 0 {
            return Ok(Some(Start { at: 0, number: backwards(found + 1) }));
        }
        if deadline <= Instant::now() {
            return Ok(None);
        }
        end = from;
    }
}

fn backwards(lines: u64) -> i64 {
    i64::try_from(lines).map_or(i64::MIN, |lines| -lines)
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
