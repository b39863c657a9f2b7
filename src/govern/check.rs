//! Reading a journal from its first line to its last, and finding where it does not
//! say any more what it said.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::entry::{Hash, Line};
use super::head::Head;
use super::journal::{JournalError, LINE_BYTES_MAX, path};
use crate::disk;

/// A journal as it was found.
#[derive(Debug, Default)]
pub struct Finding {
    /// So many lines are as they were written.
    pub good: u64,
    /// The first that is not, or what is missing.
    pub fault: Option<Fault>,
}

/// Where a journal was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This line is no entry.
    Unreadable { line: u64, why: String },
    /// The line after this one names another hash for it, or this one another number.
    Changed { line: u64 },
    /// A line stands here that was written in another place.
    Moved { line: u64, says: u64 },
    /// It ends after this line, and had so many.
    Truncated { after: u64, had: u64 },
    /// The last line was not written to its end: whoever wrote it was killed.
    Torn { line: u64 },
    /// The note of its length is not readable, so the end of it cannot be vouched for.
    NoHead,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { line, why } => write!(f, "line {line} cannot be read: {why}"),
            Self::Changed { line } => {
                write!(f, "line {line} was changed: it has not the hash that was noted for it")
            }
            Self::Moved { line, says } => write!(f, "line {line} says that it is line {says}"),
            Self::Truncated { after, had } => {
                write!(f, "it ends after line {after}, and had {had} lines")
            }
            Self::Torn { line } => write!(f, "line {line} was not written to its end"),
            Self::NoHead => f.write_str("the note of its length cannot be read"),
        }
    }
}

/// Checks the journal of the case in this directory, and shows each good line to
/// `each`, as it stands in the file.
pub fn check(case: &Path, mut each: impl FnMut(&Line, &[u8])) -> Result<Finding, JournalError> {
    let head = Head::read(case)?;
    let Some(head) = head else {
        return Ok(Finding { good: 0, fault: Some(Fault::NoHead) });
    };
    let file = match disk::open(&path(case)) {
        Err(error) if error.is_missing() => None,
        opened => Some(opened?),
    };
    let mut walk = Walk { last: Hash::NOTHING, lines: 0, head };
    let Some(file) = file else { return Ok(walk.end()) };
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut held: Option<(Line, Vec<u8>)> = None;
    loop {
        let mut bytes = Vec::new();
        let read = reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes);
        read.map_err(disk::DiskError::io("read", &path(case)))?;
        if bytes.is_empty() {
            break;
        }
        let number = walk.lines + 1;
        let fault = |fault| Finding { good: number - 1, fault: Some(fault) };
        let Some(text) = bytes.strip_suffix(b"\n") else {
            let long = LINE_BYTES_MAX < bytes.len() as u64;
            if !long {
                flush(held.take(), &mut each);
            }
            return Ok(fault(match long {
                true => Fault::Unreadable { line: number, why: "it is too long".into() },
                false => Fault::Torn { line: number },
            }));
        };
        let line: Line = match serde_json::from_slice(text) {
            Ok(line) => line,
            Err(error) => {
                flush(held.take(), &mut each);
                return Ok(fault(Fault::Unreadable { line: number, why: error.to_string() }));
            }
        };
        if line.n != number {
            flush(held.take(), &mut each);
            return Ok(fault(Fault::Moved { line: number, says: line.n }));
        }
        if line.before != walk.last {
            // The one before is it that was changed; it is not shown.
            return Ok(Finding {
                good: number.saturating_sub(2),
                fault: Some(Fault::Changed { line: number.saturating_sub(1).max(1) }),
            });
        }
        flush(held.take(), &mut each);
        if !walk.go_on(text) {
            return Ok(fault(Fault::Changed { line: number }));
        }
        held = Some((line, bytes));
    }
    flush(held.take(), &mut each);
    Ok(walk.end())
}

fn flush(held: Option<(Line, Vec<u8>)>, each: &mut impl FnMut(&Line, &[u8])) {
    if let Some((line, bytes)) = held {
        each(&line, &bytes);
    }
}

struct Walk {
    last: Hash,
    lines: u64,
    head: Head,
}

impl Walk {
    /// Takes a line. Says whether it is the one that was noted, where it was.
    fn go_on(&mut self, text: &[u8]) -> bool {
        self.last = Hash::of(text);
        self.lines += 1;
        self.lines != self.head.lines || self.last == self.head.hash
    }

    fn end(&self) -> Finding {
        let is_short = self.lines < self.head.lines;
        let fault =
            is_short.then_some(Fault::Truncated { after: self.lines, had: self.head.lines });
        Finding { good: self.lines, fault }
    }
}
