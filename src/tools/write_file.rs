//! `write_file`: makes a file, replaces it, writes on at its end, or replaces the one
//! place where a passage stands. What is told of it are the lines that changed:
//!
//! ```text
//! repos/app/src/pay.rs: 1 line replaced by 2, now 313 lines, 9.8 KiB
//! -41     held.settle()
//! +41     let receipt = held.settle()?;
//! +42     Ok(receipt)
//! ```

use std::fmt::Write as _;

use serde::Serialize;

use super::{Answer, Place, ToolError, amount, missing};
use crate::case::inside;
use crate::jail::hands::wire::{Change, Changed, EditAsked, Edited, How, Near};
use crate::jail::{HandsError, Refusal};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WriteFile {
    /// Relative to the world, or whole. Directories that are not there are made.
    pub path: String,
    pub text: String,
    pub mode: WriteMode,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// A file that is not there yet.
    #[default]
    Create,
    /// The whole of a file, whether or not there is one.
    Replace,
    /// The end of a file, whether or not there is one.
    Append,
    /// In the place of this, which must stand in the file once.
    Passage { old: String },
}

pub fn write_file(asked: &WriteFile, place: &mut Place<'_>) -> Result<Answer, ToolError> {
    let path = place.resolve(&asked.path);
    let how = match &asked.mode {
        WriteMode::Create => How::Create,
        WriteMode::Replace => How::Replace,
        WriteMode::Append => How::Append,
        WriteMode::Passage { old } if old.is_empty() => {
            let way_out = "Give the passage, or replace the whole file.";
            return Err(wrong("old", "it is empty, which stands everywhere".into(), way_out));
        }
        WriteMode::Passage { old } if *old == asked.text => {
            let why = "it is the same as the text in its place";
            return Err(wrong("old", why.into(), "Give the text that is to stand there."));
        }
        WriteMode::Passage { old } => How::Passage { old: old.as_bytes().into() },
    };
    let text = asked.text.as_bytes().into();
    let asked = EditAsked { path: path[..].into(), text, how };
    let shown = place.shown(&path);
    match place.hands.edit(asked) {
        Ok(Edited::Done(change)) => Ok(done(&shown, &change)),
        Ok(Edited::Absent { near }) => Err(absent(&shown, &near)),
        Ok(Edited::Repeated { times, lines }) => Err(repeated(&shown, times, &lines)),
        Ok(Edited::NotText { what }) => {
            let why = format!("`{shown}` is no text to look for a passage in: {what}");
            Err(wrong("path", why, "Change it with a program in the shell."))
        }
        Ok(Edited::TooLarge { size }) => {
            let why =
                format!("`{shown}` has {}, too much to look for a passage", amount::size(size));
            Err(wrong("path", why, "Change it with `sed -i` in the shell."))
        }
        Err(HandsError::Refused(Refusal::ReadOnly)) => {
            Err(ToolError::ReadOnly { path: shown, why: why_read_only(&path) })
        }
        Err(error) => Err(missing::about(&path, error, place)),
    }
}

fn done(path: &str, change: &Change) -> Answer {
    let size = amount::size(change.facts.size);
    let lines = |number| amount::counted(number, "line", "lines");
    let mut facts = match &change.lines {
        Some(changed) if change.is_new => {
            format!("{path}: created, {}, {size}", lines(changed.total))
        }
        None => format!("{path}: written, now {size}"),
        Some(Changed { removed: 0, added: 0, total, .. }) => {
            format!("{path}: the same as before, {}, {size}", lines(*total))
        }
        Some(Changed { from, removed, added, total, .. }) => {
            let what = match (removed, added) {
                (0, added) => format!("{} added at {from}", lines(*added)),
                (removed, 0) => format!("{} removed at {from}", lines(*removed)),
                (removed, added) => {
                    format!("{} replaced by {} at {from}", lines(*removed), amount::count(*added))
                }
            };
            format!("{path}: {what}, now {}, {size}", lines(*total))
        }
    };
    if change.crlf {
        facts.push_str(", lines end with CRLF as before");
    }
    let body = match &change.lines {
        // Whoever wrote all of it knows what it is.
        Some(changed) if !change.is_new => body(changed),
        _ => Vec::new(),
    };
    Answer { facts, body, next: None }
}

/// The lines that went and those that came, with their numbers before and now.
fn body(changed: &Changed) -> Vec<u8> {
    let mut body = Vec::new();
    for (sign, lines, all) in
        [('-', &changed.removed_lines, changed.removed), ('+', &changed.added_lines, changed.added)]
    {
        for (number, line) in (changed.from..).zip(lines) {
            body.extend_from_slice(format!("{sign}{number}\t").as_bytes());
            body.extend_from_slice(line);
            body.push(b'\n');
        }
        let left = all.saturating_sub(lines.len() as u64);
        if 0 < left {
            let left = amount::counted(left, "line", "lines");
            body.extend_from_slice(format!("{sign}… {left} more\n").as_bytes());
        }
    }
    body
}

fn absent(path: &str, near: &[Near]) -> ToolError {
    let mut why = format!("it does not stand in `{path}`");
    if near.is_empty() {
        let way_out = "Read the file, and give the passage as it stands there.";
        return wrong("old", why, way_out);
    }
    why.push_str("; what looks most like it");
    for Near { line, lines } in near {
        for (number, line) in (*line..).zip(lines) {
            let _ = write!(why, "\n{number}\t{}", String::from_utf8_lossy(line));
        }
        why.push_str("\n--");
    }
    let why = why.trim_end_matches("\n--").to_owned();
    wrong("old", why, "Give the passage exactly as it stands there, spaces included.")
}

fn repeated(path: &str, times: u64, lines: &[u64]) -> ToolError {
    let told: Vec<_> = lines.iter().map(u64::to_string).collect();
    let more = if (lines.len() as u64) < times { ", ..." } else { "" };
    let (times, told) = (amount::count(times), told.join(", "));
    let why = format!("it stands {times} times in `{path}`, in lines {told}{more}");
    wrong("old", why, "Give more of the lines around it, so that it stands there once.")
}

/// Why a place is only shown.
fn why_read_only(path: &[u8]) -> &'static str {
    let is_in = |place: &str| path.starts_with(place.as_bytes());
    if is_in(inside::EVIDENCE) {
        "evidence stays as it came"
    } else if is_in(inside::OUTPUTS) {
        "outputs stay as the tools gave them"
    } else if is_in("/run/casefile/objects") {
        "the objects of a mirror are shared by every case"
    } else if is_in("/run/casefile") {
        "it only shows what casefile knows"
    } else if is_in(inside::WORLD) {
        "it belongs to the frame of the case"
    } else {
        "the policy of the jail only shows it"
    }
}

fn wrong(argument: &'static str, why: String, way_out: &str) -> ToolError {
    ToolError::Argument { argument, why, way_out: way_out.to_owned() }
}
