//! What an output is, told by how it begins.
//!
//! The kind decides the ending of the file's name and what a preview says of its
//! structure. A wrong guess costs a worse sketch and nothing else, so each guess asks
//! for as much as a stranger would: several lines that agree.

use std::borrow::Cow;

use super::preview::{json, log, reading, table, test_run, traces};

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
    let lines = whole_lines(head);
    let lines: Vec<&[u8]> = lines.iter().map(|line| &**line).collect();
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
fn whole_lines(head: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').take(LINES_MAX + 1).collect();
    if 1 < lines.len() {
        lines.pop();
    }
    lines.into_iter().map(reading::plain).collect()
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
        // Latin text in two bytes a letter, as some programs of Windows print it: every
        // other byte is a NUL.
        let odd = head.iter().skip(1).step_by(2).filter(|byte| **byte == 0).count();
        let (few, many) = (odd.min(nuls - odd), odd.max(nuls - odd));
        let is_text = few * 20 <= head.len() && head.len() * 2 <= many * 5;
        return Some(if is_text { "UTF-16 text" } else { "binary data" });
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

#[cfg(test)]
mod tests {
    use super::{KIND_BYTES, Kind, kind};

    #[test]
    fn a_beginning_tells_its_kind() {
        let utf16: Vec<u8> = "some text\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let log = "\x1b[2m2026-03-01T12:00:00Z\x1b[0m \x1b[32mINFO\x1b[0m up\r\n".repeat(3);
        #[rustfmt::skip]
        let table: &[(&[u8], Kind, &str)] = &[
            (b"",                                         Kind::Text,      "txt"),
            (b"some text\n",                              Kind::Text,      "txt"),
            (b"fn main() {\n    pay(a, b);\n}\n",         Kind::Text,      "txt"),
            (b" {\"a\": 1}",                              Kind::Json,      "json"),
            (b"{\"a\": 1}\n{\"a\": 2}\n",               Kind::JsonLines, "jsonl"),
            (b"a,b\n1,2\n3,4\n",                         Kind::Csv,       "csv"),
            (b"a\tb\n1\t2\n3\t4\n",                      Kind::Tsv,       "tsv"),
            (log.as_bytes(),                              Kind::Log,       "log"),
            (b"panic: no\n\ngoroutine 1 [running]:\nmain.f()\n\t/x.go:1 +0x1\n", Kind::Traces, "txt"),
            (b"diff --git a/x b/x\n",                     Kind::Diff,      "diff"),
            (b"running 1 test\ntest a ... ok\n",          Kind::TestRun,   "log"),
            (b"\n<!DOCTYPE html>\n",                      Kind::Html,      "html"),
            (b"\x7fELF\x02",                              Kind::Binary("ELF program"), "bin"),
            (&utf16,                                      Kind::Binary("UTF-16 text"), "bin"),
            (&[0; 4_096],                                 Kind::Binary("binary data"), "bin"),
            (&[0x81; 4_096],                              Kind::Binary("binary data"), "bin"),
            ("ÄÖÜ überall\n".as_bytes(),                  Kind::Text,      "txt"),
            (b"caf\xe9 und so weiter, in Latin-1\n",      Kind::Text,      "txt"),
        ];
        for (head, want, extension) in table {
            let got = kind(head);
            assert_eq!((got, got.extension()), (*want, *extension), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn a_long_beginning_is_cut_without_harm() {
        // In the middle of a character, a value, a line.
        for text in ["é".repeat(KIND_BYTES), "x".repeat(KIND_BYTES * 2)] {
            assert_eq!(kind(text.as_bytes()), Kind::Text);
            assert_eq!(kind(format!("[\"{text}\"]").as_bytes()), Kind::Json);
        }
    }
}
