//! `read_file`: lines of files, with their numbers, and what is in a directory.
//!
//! ```text
//! repos/app/src/pay.rs: lines 41-43 of 312, 9.8 KiB
//! 41  fn charge(card: &Card) -> Result<Receipt, Declined> {
//! 42      let held = card.hold()?;
//! 43      held.settle()
//! ```
//!
//! Several parts share one answer, each with a line about it before its own lines. An
//! answer holds whole lines, as many as fit, and then says how to go on.

mod listing;
mod render;

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Answer, Place, ToolError, amount, missing};
use crate::hint::Hint;
use crate::jail::hands::wire::{CHUNK_BYTES_MAX, Form, Kind, LinesAsked, Told};
use crate::jail::{HandsError, Refusal};

/// No answer passes this. What is said about the lines is a part of it.
const ANSWER_CHARS_MAX: usize = 20_000;
/// What is said about one part besides its lines, at most.
const ABOUT_CHARS_MAX: usize = 700;
/// With less room for lines than this there is no sense in reading.
const ROOM_CHARS_MIN: usize = 100;
/// How many parts one call may ask for.
const PARTS_MAX: usize = 20;
/// A line that is longer is cut, unless it is the only one that was asked for.
const LINE_CHARS_MAX: usize = 2_000;
/// How long may be counted or unpacked for one part.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadFile {
    /// The parts of files, at least one.
    pub parts: Vec<Part>,
    /// Neither unpack what is packed nor make text of documents.
    pub raw: bool,
}

/// Some lines of one file, or entries of one directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Relative to the world, or whole.
    pub path: String,
    /// The first line, counted from 1; -1 is the last one. 0 is taken for 1.
    pub from: i64,
    /// How many lines; as many as fit, if it is not said.
    pub lines: Option<u64>,
    /// The first byte of the first line, counted from 1.
    pub column: Option<u64>,
}

/// One part of an answer.
#[derive(Debug)]
struct Piece {
    facts: String,
    body: Vec<u8>,
    chars: usize,
    next: Option<String>,
}

pub fn read_file(asked: &ReadFile, place: &mut Place<'_>) -> Result<Answer, ToolError> {
    match &asked.parts[..] {
        [] => Err(wrong("path", "none was given", "Name a file or a directory.")),
        [part] => {
            let Piece { facts, body, next, .. } = piece(part, asked.raw, ANSWER_CHARS_MAX, place)?;
            Ok(Answer { facts, body, next })
        }
        parts if PARTS_MAX < parts.len() => {
            let why = format!("{} parts are more than the {PARTS_MAX} of one call", parts.len());
            Err(wrong("path", &why, "Ask for them in several calls."))
        }
        parts => several(parts, asked.raw, place),
    }
}

/// Each part gets its share of the answer, and what those before it left.
fn several(parts: &[Part], raw: bool, place: &mut Place<'_>) -> Result<Answer, ToolError> {
    let (mut body, mut next, mut read) = (Vec::new(), Vec::new(), 0);
    let mut room = ANSWER_CHARS_MAX - ABOUT_CHARS_MAX;
    for (nth, part) in parts.iter().enumerate() {
        let share = room / (parts.len() - nth);
        match piece(part, raw, share, place) {
            Ok(piece) => {
                read += 1;
                room = room.saturating_sub(piece.chars + piece.facts.chars().count() + 2);
                body.extend_from_slice(format!("{}\n", piece.facts).as_bytes());
                body.extend_from_slice(&piece.body);
                next.extend(piece.next);
            }
            // The others may be what was wanted; hands that are gone serve nobody.
            Err(ToolError::Path { path, error: error @ HandsError::Refused(_), nearest }) => {
                let error = ToolError::Path { path, error, nearest };
                let line = told(&error);
                room = room.saturating_sub(line.chars().count() + 1);
                body.extend_from_slice(format!("{line}\n").as_bytes());
            }
            Err(error @ ToolError::Argument { .. }) => {
                let line = told(&error);
                room = room.saturating_sub(line.chars().count() + 1);
                body.extend_from_slice(format!("{line}\n").as_bytes());
            }
            Err(error) => return Err(error),
        }
        body.push(b'\n');
    }
    body.pop();
    let facts = format!("{read} of {} parts", parts.len());
    let mut calls = next.join("; ");
    if ABOUT_CHARS_MAX < calls.chars().count() + facts.len() {
        calls = "the parts that were cut, each in a call of its own".to_owned();
    }
    Ok(Answer { facts, body, next: (!calls.is_empty()).then_some(calls) })
}

/// An error in one line, as it stands between parts that were read.
fn told(error: &ToolError) -> String {
    let mut line = error.to_string();
    if let ToolError::Path { error, .. } = error {
        line = format!("{line}: {error}");
    }
    match error.hint() {
        Some(hint) => format!("error: {line} ({hint})"),
        None => format!("error: {line}"),
    }
}

/// One part, in at most so many characters with all that is said about it.
fn piece(part: &Part, raw: bool, share: usize, place: &mut Place<'_>) -> Result<Piece, ToolError> {
    let path = place.resolve(&part.path);
    // Its name is told twice: with what it is, and in the call that goes on.
    let about = ABOUT_CHARS_MAX.min(share / 2) + 2 * path.len();
    let room = share.saturating_sub(about);
    if room < ROOM_CHARS_MIN {
        let why = format!("a name of {} bytes is too long to be told with its lines", path.len());
        return Err(wrong("path", &why, "Go to a directory on the way in the shell, with `cd`."));
    }
    let is_one = part.lines == Some(1) || part.column.is_some();
    let line_chars = if is_one { room } else { LINE_CHARS_MAX.min(room) };
    let line_chars = line_chars.saturating_sub(render::MARK_CHARS_MAX).max(1);
    let asked = LinesAsked {
        path: path[..].into(),
        from: if part.from == 0 { 1 } else { part.from },
        lines: part.lines.unwrap_or(u64::MAX).max(1),
        skip: part.column.unwrap_or(1).saturating_sub(1),
        // A character may take four bytes, and a few more lines than fit do no harm.
        bytes_max: (room * 4).min(CHUNK_BYTES_MAX) as u64,
        line_bytes_max: (line_chars * 4) as u64,
        form: form(raw, &path, place.base),
    };
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        match place.hands.lines(&asked) {
            Ok(Told::Lines(told)) => {
                return render::lines(part, &asked, &told, room, line_chars, place);
            }
            Ok(Told::Binary { facts, what }) => {
                return Ok(render::binary(part, facts.size, &what, place));
            }
            Ok(Told::Working { done, .. }) if deadline <= Instant::now() => {
                let why = format!(
                    "it is too far into `{}`: {} were looked through in {} s",
                    place.shown(&path),
                    amount::size(done),
                    WAIT_MAX.as_secs()
                );
                return Err(wrong("from", &why, "Ask again, and it goes on from there."));
            }
            Ok(Told::Working { .. }) => place.go_on()?,
            Err(HandsError::Refused(Refusal::Is(Kind::Directory))) => {
                return listing::list(part, &path, room, place);
            }
            Err(error) => return Err(missing::about(&path, error, place)),
        }
    }
}

/// What somebody works on is shown as it is; of a page that was saved, its text.
fn form(raw: bool, path: &[u8], base: &[u8]) -> Form {
    let below = path.strip_prefix(base);
    let is_code = below.is_some_and(|below| below.starts_with(b"/repos/"));
    match (raw, is_code) {
        (true, _) => Form::Source,
        (_, true) => Form::Unpacked,
        _ => Form::Text,
    }
}

fn wrong(argument: &'static str, why: &str, way_out: &str) -> ToolError {
    ToolError::Argument { argument, why: why.to_owned(), way_out: way_out.to_owned() }
}

/// A call of this tool, as it would be made.
fn call(path: &str, rest: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "._-/+@".contains(c);
    let is_plain = !path.is_empty() && path.chars().all(plain);
    let path = if is_plain { path.to_owned() } else { format!("{path:?}") };
    format!("read_file path={path} {rest}")
}
