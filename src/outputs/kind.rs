//! What an output is, told by how it begins.
//!
//! The kind decides the ending of the file's name and what a preview says of its
//! structure. A wrong guess costs a worse sketch and nothing else, so each guess asks
//! for as much as a stranger would: several lines that agree.

use super::preview::{json, log, table, test_run, traces};

/// More of a beginning than this is not looked at.
pub const KIND_BYTES: usize = 32 * 1024;

/// And no more lines.
const LINES_MAX: usize = 200;

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    Json,
    /// One JSON value a line.
    JsonLines,
    Csv,
    Tsv,
    Log,
    /// Stack traces.
    Traces,
    Diff,
    /// What a run of tests printed.
    TestRun,
    Html,
    Text,
    /// Of what kind, as a person would say it.
    Binary(&'static str),
}

impl Kind {
    /// How the name of such a file ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Log | Self::TestRun => "log",
            Self::Traces | Self::Text => "txt",
            Self::Diff => "diff",
            Self::Html => "html",
            Self::Binary(_) => "bin",
        }
    }

    /// What it is called in a preview.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::JsonLines => "JSON lines",
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::Log => "log",
            Self::Traces => "stack traces",
            Self::Diff => "diff",
            Self::TestRun => "test run",
            Self::Html => "HTML",
            Self::Text => "text",
            Self::Binary(what) => what,
        }
    }
}

/// What something is that begins like this. At most [`KIND_BYTES`] are looked at.
pub fn kind(head: &[u8]) -> Kind {
    let head = &head[..head.len().min(KIND_BYTES)];
    if let Some(what) = binary(head) {
        return Kind::Binary(what);
    }
    let start = head.trim_ascii_start();
    if matches!(start.first(), Some(b'{' | b'[')) {
        if json::is_lines(start) {
            return Kind::JsonLines;
        }
        if json::is_json(start) {
            return Kind::Json;
        }
    }
    if is_html(start) {
        return Kind::Html;
    }
    let lines: Vec<&[u8]> = whole_lines(head);
    if is_diff(&lines) {
        return Kind::Diff;
    }
    if test_run::is_test_run(&lines) {
        return Kind::TestRun;
    }
    match table::delimiter(head) {
        Some(b'\t') => return Kind::Tsv,
        Some(_) => return Kind::Csv,
        None => {}
    }
    if log::is_log(&lines) {
        return Kind::Log;
    }
    if traces::are_traces(&lines) {
        return Kind::Traces;
    }
    Kind::Text
}

/// The lines of a beginning; the last may be cut off, and does not count then.
fn whole_lines(head: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').take(LINES_MAX + 1).collect();
    if 1 < lines.len() {
        lines.pop();
    }
    lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect()
}

/// How files begin that are not text.
#[rustfmt::skip]
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x7fELF",              "ELF program"),
    (b"\x89PNG\r\n\x1a\n",    "PNG image"),
    (b"\xff\xd8\xff",         "JPEG image"),
    (b"GIF8",                 "GIF image"),
    (b"%PDF-",                "PDF document"),
    (b"PK\x03\x04",           "zip archive"),
    (b"\x1f\x8b",             "gzip data"),
    (b"\x28\xb5\x2f\xfd",     "zstd data"),
    (b"\xfd7zXZ\0",           "xz data"),
    (b"BZh",                  "bzip2 data"),
    (b"7z\xbc\xaf\x27\x1c",   "7z archive"),
    (b"SQLite format 3\0",    "SQLite database"),
    (b"\0asm",                "WebAssembly module"),
    (b"\xca\xfe\xba\xbe",     "Java class"),
    (b"PAR1",                 "Parquet file"),
    (b"\xd4\xc3\xb2\xa1",     "network capture"),
    (b"\x0a\x0d\x0d\x0a",     "network capture"),
    (b"JAVA PROFILE",         "Java heap dump"),
    (b"\xff\xfe",             "UTF-16 text"),
    (b"\xfe\xff",             "UTF-16 text"),
];

/// Of a hundred bytes of text, no more than this many are of another kind.
const ODD_PERCENT_MAX: usize = 10;

fn binary(head: &[u8]) -> Option<&'static str> {
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(what);
    }
    let nuls = head.iter().filter(|byte| **byte == 0).count();
    if 0 < nuls {
        // Latin text in two bytes a letter, as some programs of Windows print it.
        let half = head.len() / 2;
        return Some(if half * 4 / 5 <= nuls { "UTF-16 text" } else { "binary data" });
    }
    let invalid: usize = head.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    let acts = |byte: &u8| *byte < b' ' && !b"\t\n\r\x1b\x08\x0c".contains(byte);
    let odd = invalid + head.iter().filter(|byte| acts(byte)).count();
    (head.len() * ODD_PERCENT_MAX < odd * 100).then_some("binary data")
}

fn is_html(start: &[u8]) -> bool {
    let begins =
        |with: &[u8]| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    begins(b"<!doctype html") || begins(b"<html")
}

fn is_diff(lines: &[&[u8]]) -> bool {
    if lines.iter().any(|line| line.starts_with(b"diff --git ")) {
        return true;
    }
    lines.windows(3).any(|three| {
        three[0].starts_with(b"--- ")
            && three[1].starts_with(b"+++ ")
            && three[2].starts_with(b"@@ -")
    })
}
