//! What the host asks of a search, and what it is told.
//!
//! A search is asked for once and then gone on with, a moment at a time. What is
//! found is told in the order of the paths, whoever found it first.

use serde::{Deserialize, Serialize};

use crate::jail::hands::Refusal;
use crate::jail::hands::wire::{Bytes, Kind};

/// The most that is told of one line: what is around the match.
pub const LINE_BYTES_MAX: usize = 500;

/// What is looked at, of all that is below some paths.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Files, which are looked at whatever the rest says, and directories.
    pub paths: Vec<Bytes>,
    /// Below each directory in this one it is heeded what git ignores there.
    pub repos: Bytes,
    /// As in a `.gitignore`, but a glob without `!` takes in. They go before all
    /// else that takes in or leaves out.
    pub globs: Vec<String>,
    /// Names of kinds of files, as ripgrep has them.
    pub types: Vec<String>,
    /// Whether names that begin with a dot are looked at.
    pub hidden: bool,
    /// Whether what git ignores is looked at.
    pub ignored: bool,
}

/// Lines to be looked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Query {
    pub scope: Scope,
    pub pattern: String,
    pub literal: bool,
    pub word: bool,
    pub case: Case,
    /// Whether a match may go over the end of a line.
    pub multiline: bool,
    /// How many lines before and after one that matches are told with it.
    pub before: u32,
    pub after: u32,
    pub mode: Mode,
    /// How many lines are told at most, and of files with a definition as many
    /// again. All of them are counted.
    pub lines_max: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Case {
    /// It counts if the pattern has a capital letter.
    #[default]
    Smart,
    Sensitive,
    Insensitive,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Lines,
    /// Only in which files there is a match. The rest of each is not searched.
    Files,
    /// Only how many lines match in each file.
    Count,
}

/// What a search found in a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// A file whose lines go on in the next part begins that one, too.
    pub files: Vec<FoundIn>,
    pub tally: Tally,
    /// Whether everything was searched and told.
    pub done: bool,
}

/// What was looked at so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many files were searched.
    pub files: u64,
    /// How many were not, since they hold no text.
    pub binary: u64,
    /// Whether there was too much to be looked at.
    pub cut: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundIn {
    pub path: Bytes,
    /// How many of its lines match, whether or not they are told.
    pub count: u64,
    pub lines: Vec<Line>,
    /// Whether one of them looks as if it defined what was looked for.
    pub defines: bool,
    pub unsearched: Option<Unsearched>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The first line of a file is 1.
    pub number: u64,
    /// Whether it matches, or is told for what is around it.
    pub matches: bool,
    /// How many bytes of it are left out before and after these.
    pub before: u64,
    pub after: u64,
    /// At most [`LINE_BYTES_MAX`] of it, without its end.
    pub bytes: Bytes,
}

/// Why a file was not searched, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unsearched {
    /// It was named, and what was found in it is no text, so it is only counted.
    Binary,
    /// A line was too long to be held, and was searched in pieces.
    LongLine,
    /// It is too large for a search that goes over the ends of lines.
    TooLarge,
    /// It could not be opened or read.
    Refused(Refusal),
}

/// Names to be looked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sought {
    pub scope: Scope,
    /// A glob, or a part of a name; of a path, if it has a slash in it. Capitals count
    /// if it has one.
    pub name: Option<String>,
    pub kind: Option<Kind>,
    /// Only files of at least or at most so many bytes.
    pub size_min: Option<u64>,
    pub size_max: Option<u64>,
    /// How deep below a path that was named; 1 is what is right in it.
    pub depth_max: Option<u32>,
    /// How many entries are told. All of them are counted.
    pub entries_max: u64,
}

/// What was found in a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundEntries {
    /// In the order of the paths.
    pub entries: Vec<FoundEntry>,
    /// Where there are others that are not told.
    pub below: Vec<Below>,
    pub refused: Vec<Unentered>,
    /// How many there are, told or not.
    pub count: u64,
    /// Whether there was too much to be looked at.
    pub cut: bool,
    pub done: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundEntry {
    pub path: Bytes,
    pub kind: Kind,
    /// If it was asked for.
    pub size: Option<u64>,
}

/// How many entries there are right in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Below {
    pub path: Bytes,
    pub count: u64,
}

/// What could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unentered {
    pub path: Bytes,
    pub refusal: Refusal,
}
