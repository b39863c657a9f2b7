//! Private keys, which have lines.
//!
//! The first line stays, so that a reader sees what there was. All up to the line
//! that ends the key goes, whatever it is. Where no such line comes, as in the first
//! lines of a file, as many lines go as look like a key's.
//!
//! A mark ends a key: what stands after one was seen before, or somebody wrote it. So
//! a clean text is clean, and stays as it is.

use super::class::{BASE64, Class, class};
use super::mark;
use super::shape::{Found, REACH, Rest};
use super::window::Window;

const DASHES: &[u8] = b"-----";
const TITLE_BYTES_MAX: usize = 64;
static TITLE: Class = class("A-Z0-9 ");
/// What stands between the lines of a key, in files, strings, listings and diffs.
static BETWEEN: Class = class(" \t\r\n\"',+>|\\");
/// Looked at after the last byte, to know what it belongs to.
const MARGIN: usize = 512;
const KEY_BYTES_MAX: usize = REACH - MARGIN;
/// Shorter lines are words.
const LINE_BYTES_MIN: usize = 24;
const FIELD_BYTES_MAX: usize = 128;
const FIELDS: &[&[u8]] = &[b"proc-type:", b"dek-info:", b"version:", b"comment:", b"hash:"];

/// The anchor is the last dash of the first line's beginning, and `BEG`.
pub(super) fn pem(window: &Window<'_>, at: usize) -> Option<Found> {
    if !window.starts(at, b"-BEGIN ") || !window.ends_folded(at, &DASHES[1..]) {
        return None;
    }
    let title = at + b"-BEGIN ".len();
    let end = window.run(title, &TITLE, TITLE_BYTES_MAX);
    let names = window.seen(title, end);
    let private = names.ends_with(b"PRIVATE KEY") || names.ends_with(b"PRIVATE KEY BLOCK");
    (private && window.starts(end, DASHES)).then(|| body(window, end + DASHES.len(), true))?
}

/// The lines of a key of PuTTY, after their number.
pub(super) fn putty(window: &Window<'_>, at: usize) -> Option<Found> {
    let number = at + b"Private-Lines: ".len();
    if !window.starts(at, b"Private-Lines: ") {
        return None;
    }
    let start = skip_between(window, window.run(number, &class("0-9"), 3));
    found(start, lines(window, start))
}

/// What is left of a key, from anywhere in it.
pub(super) fn rest(window: &Window<'_>, from: usize) -> Option<Found> {
    body(window, from, false)
}

/// What comes after the first line, or after a part of it.
fn body(window: &Window<'_>, from: usize, first: bool) -> Option<Found> {
    let start = skip_between(window, from);
    let lines = match next_dashes(window, start) {
        Some(dashes) if ends_key(window, dashes) => {
            (trimmed(window, start, dashes, !first || holds_key(window.seen(start, dashes))), None)
        }
        _ => lines(window, start),
    };
    found(start, lines)
}

fn found(start: usize, (end, rest): (usize, Option<Rest>)) -> Option<Found> {
    (start < end).then_some(Found { start, end, rest, wide: false })
}

fn ends_key(window: &Window<'_>, dashes: usize) -> bool {
    let title = dashes + b"-----END ".len();
    let end = window.run(title, &TITLE, TITLE_BYTES_MAX);
    let names = window.seen(title, end);
    window.starts(dashes, b"-----END ") && names.windows(11).any(|name| name == b"PRIVATE KEY")
}

/// Whether there is more between the first line and the last than code has there.
fn holds_key(body: &[u8]) -> bool {
    const HELD_BYTES_MIN: usize = 16;
    let mut runs = body.split(|byte| !BASE64[usize::from(*byte)]);
    runs.any(|run| HELD_BYTES_MIN <= run.len())
}

/// The end without the line's, so that the last line keeps its own.
fn trimmed(window: &Window<'_>, start: usize, end: usize, any: bool) -> usize {
    let body = window.seen(start, end).trim_ascii_end();
    if any { start + body.len() } else { start }
}

/// The next run of dashes, if the key can end there. None is looked for after a mark.
fn next_dashes(window: &Window<'_>, from: usize) -> Option<usize> {
    let mut at = from;
    static PLAIN: Class = {
        let mut set = [true; 256];
        set[b'-' as usize] = false;
        set[b'[' as usize] = false;
        set
    };
    while at < from + KEY_BYTES_MAX {
        at = window.run(at, &PLAIN, from + KEY_BYTES_MAX - at);
        match window.get(at)? {
            b'-' if window.starts(at, DASHES) => return Some(at),
            b'[' if mark::ends(window, at).is_some() => return None,
            _ => at += 1,
        }
    }
    None
}

/// Lines that look like a key's, with its fields. The last may be short.
fn lines(window: &Window<'_>, start: usize) -> (usize, Option<Rest>) {
    let most = start + KEY_BYTES_MAX;
    let (mut at, mut end) = (start, start);
    loop {
        if let Some(field) = field(window, at) {
            at = skip_between(window, field);
            continue;
        }
        let line = window.run(at, &BASE64, most.saturating_sub(at));
        if most <= line {
            // The next part begins with this line, unless it has no beginning here.
            let rest = if start < end { Rest::Key } else { Rest::Run(&BASE64) };
            return (if start < end { end } else { line }, Some(rest));
        }
        if line - at < LINE_BYTES_MIN {
            return (end, None);
        }
        end = line;
        at = skip_between(window, end);
        // A short line is the last one of a key, or what was left of one, if it looks so.
        let last = window.run(at, &BASE64, LINE_BYTES_MIN);
        let line = window.seen(at, last);
        let random = line.iter().any(u8::is_ascii_digit) && line.iter().any(u8::is_ascii_uppercase);
        if line.len() < LINE_BYTES_MIN && (line.ends_with(b"=") || random) {
            return (last, None);
        }
    }
}

/// The end of a line such as `Proc-Type: 4,ENCRYPTED`.
fn field(window: &Window<'_>, at: usize) -> Option<usize> {
    static LINE: Class = super::class::printed_without("\\\"");
    let name = FIELDS.iter().find(|name| window.starts_folded(at, name))?;
    let value = window.run(at + name.len(), &class(" "), 1);
    let end = window.run(value, &LINE, FIELD_BYTES_MAX);
    Some((value..end).find(|at| mark::ends(window, *at).is_some()).unwrap_or(end))
}

/// Past line ends, however they are written, and what stands at the start of lines.
fn skip_between(window: &Window<'_>, mut at: usize) -> usize {
    let most = at + 64;
    while at < most {
        let escaped =
            window.get(at) == Some(b'\\') && matches!(window.get(at + 1), Some(b'n' | b'r' | b't'));
        if escaped {
            at += 2;
        } else if window.has(at, &BETWEEN) {
            at += 1;
        } else {
            break;
        }
    }
    at
}
