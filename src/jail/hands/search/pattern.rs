//! A pattern, and the lines in which it is.

use std::ops::Range;

use grep_matcher::{LineMatchKind, Matcher};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use memchr::{memchr, memrchr};
use regex_syntax::ParserBuilder;

use super::wire::{Case, Query};
use crate::jail::hands::Refusal;

/// What a compiled pattern may take, and the tables that are made as it runs.
const PATTERN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What is wrong with a pattern quotes it, which may be long.
const REASON_BYTES_MAX: usize = 4 * 1024;

/// A compiled pattern. Each thread has a copy of its own.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    matcher: RegexMatcher,
    how: How,
}

/// Which way its lines are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// All lines at once, since no match can go over the end of one.
    Fast,
    /// One by one: it asks for the beginning or the end of everything.
    Slow,
    /// Over the ends of lines.
    Across,
}

impl Pattern {
    pub(super) fn new(query: &Query) -> Result<Self, Refusal> {
        let mut builder = RegexMatcherBuilder::new();
        builder
            .multi_line(true)
            .fixed_strings(query.literal)
            .word(query.word)
            .case_smart(query.case == Case::Smart)
            .case_insensitive(query.case == Case::Insensitive)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX);
        if !query.multiline {
            builder.line_terminator(Some(b'\n'));
        }
        let matcher = builder
            .build(&query.pattern)
            .map_err(|error| Refusal::Pattern(why_not(query, &error)))?;
        let within = matcher.line_terminator().is_some()
            || matcher.non_matching_bytes().is_some_and(|bytes| bytes.contains(b'\n'));
        let how = match (query.multiline, within) {
            (_, true) => How::Fast,
            (false, false) => How::Slow,
            (true, false) => How::Across,
        };
        Ok(Self { matcher, how })
    }

    /// Whether a file has to be searched as a whole.
    pub(super) fn goes_across_lines(&self) -> bool {
        self.how == How::Across
    }

    /// The next line from `from` on that matches, with its end; and from where to look
    /// for another. Over the ends of lines it is all the lines of a match, and the
    /// first of them may be the last of the match before.
    pub(super) fn next(&self, text: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
        let line = match self.how {
            How::Fast => self.next_fast(text, from)?,
            How::Slow => self.next_slow(text, from)?,
            How::Across => return self.next_across(text, from),
        };
        let end = line.end;
        Some((line, end))
    }

    fn next_fast(&self, text: &[u8], mut from: usize) -> Option<Range<usize>> {
        while from < text.len() {
            // A match never fails: its errors are of a type that is never made.
            let found = self.matcher.find_candidate_line(&text[from..]).ok()?;
            let (at, sure) = match found? {
                LineMatchKind::Confirmed(at) => (from + at, true),
                LineMatchKind::Candidate(at) => (from + at, false),
            };
            // An empty match after the last line is in none.
            let start = start_of_line(text, at);
            if start == text.len() {
                return None;
            }
            let line = start..end_of_line(text, at);
            if sure || self.is_in(without_end(&text[line.clone()])) {
                return Some(line);
            }
            from = line.end;
        }
        None
    }

    fn next_slow(&self, text: &[u8], mut from: usize) -> Option<Range<usize>> {
        while from < text.len() {
            let line = from..end_of_line(text, from);
            if self.is_in(without_end(&text[line.clone()])) {
                return Some(line);
            }
            from = line.end;
        }
        None
    }

    fn next_across(&self, text: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
        if text.len() <= from {
            return None;
        }
        let found = self.matcher.find_at(text, from).ok()?;
        let found = found.filter(|found| found.start() < text.len())?;
        let (last, next) = match found.is_empty() {
            true => (found.start(), found.end() + 1),
            false => (found.end() - 1, found.end()),
        };
        Some((start_of_line(text, found.start())..end_of_line(text, last), next))
    }

    fn is_in(&self, line: &[u8]) -> bool {
        self.matcher.is_match(line).unwrap_or(false)
    }

    /// Where in a line the first match is.
    pub(super) fn place(&self, line: &[u8]) -> Option<Range<usize>> {
        let found = self.matcher.find(line).ok()?;
        found.map(|found| found.start()..found.end())
    }
}

pub(super) fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

pub(super) fn start_of_line(text: &[u8], at: usize) -> usize {
    memrchr(b'\n', &text[..at]).map_or(0, |end| end + 1)
}

/// Where the next line begins.
pub(super) fn end_of_line(text: &[u8], at: usize) -> usize {
    memchr(b'\n', &text[at..]).map_or(text.len(), |end| at + end + 1)
}

/// What is wrong with a pattern, and where. The matcher has put it into a group, which
/// whoever wrote it would not recognise.
fn why_not(query: &Query, error: &grep_regex::Error) -> String {
    let as_written = match query.literal {
        true => None,
        false => ParserBuilder::new().utf8(false).build().parse(&query.pattern).err(),
    };
    shortened(&as_written.map_or_else(|| error.to_string(), |error| error.to_string()))
}

fn shortened(text: &str) -> String {
    let bytes = text.as_bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(REASON_BYTES_MAX)]).into_owned()
}
