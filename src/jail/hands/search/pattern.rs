//! A pattern, and the lines in which it is.

use std::cell::RefCell;
use std::io;
use std::ops::Range;

use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{Searcher, SearcherBuilder, Sink, SinkMatch};
use memchr::{memchr, memrchr};
use regex_syntax::ParserBuilder;

use super::wire::{Case, Query};
use crate::jail::hands::Refusal;

/// What a compiled pattern may take, and the tables that are made as it runs.
const PATTERN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What is wrong with a pattern quotes it, which may be long.
const REASON_BYTES_MAX: usize = 4 * 1024;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    matcher: RegexMatcher,
    multiline: bool,
}

/// What one thread looks for a pattern with.
#[derive(Debug)]
pub(super) struct Looker {
    matcher: RegexMatcher,
    /// Lent while it calls back, and whoever it calls asks for a place at most.
    searcher: RefCell<Searcher>,
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
        Ok(Self { matcher, multiline: query.multiline })
    }

    pub(super) fn looker(&self) -> Looker {
        // It gets text and nothing else: how a file is read, what is none, and what its
        // encoding is, is seen to before.
        let searcher = SearcherBuilder::new()
            .multi_line(self.multiline)
            .line_number(false)
            .bom_sniffing(false)
            .build();
        // A copy, for one that is shared waits for its turn.
        Looker { matcher: self.matcher.clone(), searcher: RefCell::new(searcher) }
    }
}

impl Looker {
    /// Whether a file has to be searched as a whole.
    pub(super) fn goes_across_lines(&self) -> bool {
        self.searcher.borrow().multi_line_with_matcher(&self.matcher)
    }

    /// Calls with the lines of each match in a text, their ends included, until that
    /// says that it is enough. No line is among those of two matches.
    pub(super) fn each(
        &self,
        text: &[u8],
        call: impl FnMut(Range<usize>) -> bool,
    ) -> io::Result<()> {
        self.searcher.borrow_mut().search_slice(&self.matcher, text, Calls(call))
    }

    /// Where in a line the first match is.
    pub(super) fn place(&self, line: &[u8]) -> Option<Range<usize>> {
        let found = self.matcher.find(line).ok()?;
        found.map(|found| found.start()..found.end())
    }
}

struct Calls<F>(F);

impl<F: FnMut(Range<usize>) -> bool> Sink for Calls<F> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        let start = usize::try_from(found.absolute_byte_offset()).unwrap_or(usize::MAX);
        Ok(self.0(start..start + found.bytes().len()))
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
