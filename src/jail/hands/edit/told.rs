//! What the hands are asked to change in a file, and what they tell of it.

use serde::{Deserialize, Serialize};

use crate::jail::hands::wire::{Bytes, Facts};

/// A change to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditAsked {
    pub path: Bytes,
    pub text: Bytes,
    pub how: How,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// A file that is not there yet, and the directories on the way to it.
    Create,
    /// The same, or the whole of one that is there.
    Replace,
    /// The same, or the end of one that is there.
    Append,
    /// The one place in a file where this stands.
    Passage { old: Bytes },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edited {
    Done(Change),
    /// The passage is not there, and this looks most like it.
    Absent {
        near: Vec<Near>,
    },
    /// It is there so many times, and in these lines among others.
    Repeated {
        times: u64,
        lines: Vec<u64>,
    },
    /// No passage is looked for in this.
    NotText {
        what: String,
    },
    TooLarge {
        size: u64,
    },
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub facts: Facts,
    /// It was not there before.
    pub is_new: bool,
    /// The line ends of the text were made those of the file.
    pub crlf: bool,
    /// What changed, unless the file is too large to be compared.
    pub lines: Option<Changed>,
}

/// From one line on, so many were taken away and so many put there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub from: u64,
    pub removed: u64,
    pub added: u64,
    /// How many lines there are now.
    pub total: u64,
    /// The first of them, and of each line the beginning.
    pub removed_lines: Vec<Bytes>,
    pub added_lines: Vec<Bytes>,
}

/// Lines that look like a passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Near {
    /// The number of the first.
    pub line: u64,
    pub lines: Vec<Bytes>,
}
