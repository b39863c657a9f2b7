//! What the hands are asked about the lines of a file, and what they tell.

use serde::{Deserialize, Serialize};

use crate::jail::hands::wire::{Bytes, Facts};

/// Some lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesAsked {
    pub path: Bytes,
    /// The first line, counted from 1; from the end if it is negative, where -1 is
    /// the last one.
    pub from: i64,
    pub lines: u64,
    /// How many bytes of the first line are left out.
    pub skip: u64,
    /// The most that is told of all lines, and of one.
    pub bytes_max: u64,
    pub line_bytes_max: u64,
    pub form: Form,
}

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Nothing is unpacked, and nothing made into text but what is in UTF-16.
    Source,
    /// What is packed is unpacked, and of a document its text is told. A page stays the
    /// source that it is, as is right where somebody works on it.
    Unpacked,
    /// The same, and of a page too its text is told.
    Text,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    Lines(ToldLines),
    /// It is no text, and this is what it looks like.
    Binary {
        facts: Facts,
        what: String,
    },
    /// Not so far yet. The same question goes on from here.
    Working {
        done: u64,
        of: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldLines {
    /// Of the file, whatever its text was made out of.
    pub facts: Facts,
    /// How the bytes became text, if it was not simply them.
    pub made: Vec<Made>,
    /// The size of the text, and so of the file unless the text was made.
    pub size: u64,
    pub lines: Vec<ToldLine>,
    /// How many lines there are, where that is known.
    pub total: Option<u64>,
    /// Whether nothing comes after these lines.
    pub at_end: bool,
    /// Why the text ends before the file does, if it was made out of a part.
    pub short: Option<Short>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Short {
    /// So much comes out of it that the rest is not held.
    TooMuch,
    /// What was unpacked up to here is told, and the rest cannot be.
    Broken { why: String },
}

/// A step on the way from bytes to text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Made {
    Gzip,
    Zstandard,
    Xz,
    Bzip2,
    Utf16Le,
    Utf16Be,
    Html,
    Pdf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldLine {
    /// Counted from 1, or from the end where nobody has counted: -1 is the last.
    pub number: i64,
    /// How much of its beginning was left out.
    pub skipped: u64,
    /// How long it is in all without its end, if that was seen.
    pub length: Option<u64>,
    pub bytes: Bytes,
}
