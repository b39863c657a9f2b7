//! Changing a file and telling what changed: a whole file, its end, or the one place
//! where a passage stands.
//!
//! A file that is changed in a passage is read, changed in memory and put in the place
//! of the old one. If somebody touched it in between, nothing is put there.

mod compare;
mod near;
pub(super) mod told;

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::sys::uio::pread;

use self::told::{Change, EditAsked, Edited, How};
use super::error::Refusal;
use super::path::{Near, OPEN};
use super::wire::{Bytes, Facts, Kind, WriteMode};
use super::write::{replace_only, write};

/// The largest file that is changed in a passage, and that is compared with what it was.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// As other programs tell text from what is not.
const HEAD_BYTES: usize = 8 * 1024;
/// In so many lines a passage that is repeated is told to be.
const REPEATED_TOLD_MAX: usize = 10;
const NEW_DIRECTORY: Mode = Mode::from_bits_truncate(0o755);

pub(super) fn edit(asked: EditAsked) -> Result<Edited, Refusal> {
    let EditAsked { path, text: Bytes(text), how } = asked;
    let mode = match how {
        How::Passage { old } => return passage(&path, &old, text),
        How::Create => WriteMode::Create,
        How::Replace => WriteMode::Replace,
        How::Append => WriteMode::Append,
    };
    let before = match mode {
        WriteMode::Create => Before::Absent,
        _ => read(&path)?,
    };
    let crlf = mode == WriteMode::Append && before.has_crlf();
    let text = if crlf { with_crlf(&text) } else { text };
    let facts = match write(&path, &text, mode) {
        Err(Refusal::Missing) => {
            make_directories(&path)?;
            write(&path, &text, mode)?
        }
        facts => facts?,
    };
    let lines = match &before {
        Before::Absent => Some(compare::lines(b"", &text)),
        Before::Whole { bytes: old, .. } if mode == WriteMode::Append => {
            Some(compare::lines(old, &[old, &text[..]].concat()))
        }
        Before::Whole { bytes: old, .. } => Some(compare::lines(old, &text)),
        Before::Large { .. } => None,
    };
    Ok(Edited::Done(Change { facts, is_new: matches!(before, Before::Absent), crlf, lines }))
}

fn passage(path: &[u8], old: &[u8], text: Vec<u8>) -> Result<Edited, Refusal> {
    let (before, facts) = match read(path)? {
        Before::Absent => return Err(Refusal::Missing),
        Before::Large { size } => return Ok(Edited::TooLarge { size }),
        Before::Whole { bytes, facts } => (bytes, facts),
    };
    if before[..before.len().min(HEAD_BYTES)].contains(&0) {
        return Ok(Edited::NotText { what: "it has NUL bytes".to_owned() });
    }
    // Whoever was shown lines does not see how they end.
    let crlf = has_crlf(&before) && !old.contains(&b'\r') && !text.contains(&b'\r');
    let (old, text) = match crlf {
        true => (with_crlf(old), with_crlf(&text)),
        false => (old.to_vec(), text),
    };
    let mut places = memchr::memmem::find_iter(&before, &old);
    let (Some(at), None) = (places.next(), places.next()) else {
        return Ok(absent_or_repeated(&before, &old));
    };
    // One that overlaps itself stands there twice, too.
    if memchr::memmem::find(&before[at + 1..], &old).is_some() {
        return Ok(absent_or_repeated(&before, &old));
    }
    let after = [&before[..at], &text, &before[at + old.len()..]].concat();
    let facts = replace_only(path, &after, &facts)?;
    let lines = Some(compare::lines(&before, &after));
    Ok(Edited::Done(Change { facts, is_new: false, crlf: crlf && text.contains(&b'\n'), lines }))
}

fn absent_or_repeated(before: &[u8], old: &[u8]) -> Edited {
    let (mut times, mut lines, mut from) = (0, Vec::new(), 0);
    let (mut counted, mut line) = (0, 1);
    while let Some(found) = memchr::memmem::find(&before[from..], old) {
        let at = from + found;
        line += memchr::memchr_iter(b'\n', &before[counted..at]).count() as u64;
        counted = at;
        times += 1;
        if lines.len() < REPEATED_TOLD_MAX {
            lines.push(line);
        }
        from = at + 1;
    }
    match times {
        0 => Edited::Absent { near: near::misses(before, old) },
        times => Edited::Repeated { times, lines },
    }
}

/// A file before it is changed.
#[derive(Debug)]
enum Before {
    Absent,
    Whole { bytes: Vec<u8>, facts: Facts },
    Large { size: u64 },
}

impl Before {
    fn has_crlf(&self) -> bool {
        matches!(self, Self::Whole { bytes, .. } if has_crlf(bytes))
    }
}

/// Reads a file, whose name is not followed if it is a link.
fn read(path: &[u8]) -> Result<Before, Refusal> {
    let (dir, name) = match Near::to_parent_of(path) {
        Err(Errno::ENOENT) if !path.is_empty() => return Ok(Before::Absent),
        near => near?,
    };
    match super::write::look(dir.as_fd(), name)? {
        None => return Ok(Before::Absent),
        Some((facts, _)) => facts.must_be(Kind::File)?,
    }
    let file = openat(dir, name, OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OPEN, Mode::empty())?;
    let facts = Facts::of(&fstat(&file)?);
    facts.must_be(Kind::File)?;
    if FILE_BYTES_MAX < facts.size {
        return Ok(Before::Large { size: facts.size });
    }
    let mut bytes = vec![0; usize::try_from(facts.size).unwrap_or(0)];
    let mut filled = 0;
    while filled < bytes.len() {
        match pread(&file, &mut bytes[filled..], i64::try_from(filled).unwrap_or(i64::MAX)) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    // What was read may be half of one file and half of another.
    if Facts::of(&fstat(&file)?) != facts || filled < bytes.len() {
        return Err(Refusal::Changed);
    }
    Ok(Before::Whole { bytes, facts })
}

/// Makes the directories on the way to a file.
fn make_directories(path: &[u8]) -> Result<(), Refusal> {
    for (at, _) in path.iter().enumerate().filter(|(at, byte)| 0 < *at && **byte == b'/') {
        let (dir, name) = match Near::to_parent_of(&path[..at]) {
            Ok(parent) => parent,
            // `.`, `..`, or two slashes.
            Err(Errno::EISDIR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        match mkdirat(dir, name, NEW_DIRECTORY) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Whether every line ends as Windows ends them.
fn has_crlf(bytes: &[u8]) -> bool {
    let mut ends = memchr::memchr_iter(b'\n', bytes).peekable();
    ends.peek().is_some() && ends.all(|end| 0 < end && bytes[end - 1] == b'\r')
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut told = Vec::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) if !line.ends_with(b"\r") => {
                told.extend_from_slice(line);
                told.extend_from_slice(b"\r\n");
            }
            _ => told.extend_from_slice(line),
        }
    }
    told
}
