//! Stack traces: which there are, how often, and where the first is.
//!
//! Python, Java (and what else writes `at …`: Node, .NET), Go, Rust. Two traces are one
//! if they have the same failure, numbers aside, and the same innermost frames.

use std::collections::HashMap;
use std::io;

use super::page::{short, thousands};
use super::reading::each_line;
use super::stamp::{level, stamp};
use super::{About, Sketch, Source};

/// So many are told apart.
const TRACES_MAX: usize = 300;

/// So many frames tell one from another.
const FRAMES: usize = 3;

/// After so many lines, a trace that does not end has ended.
const LINES_MAX: u32 = 2_000;

/// So much of a line is looked at.
const LINE_BYTES_MAX: usize = 400;

/// In another sketch there is room for so many.
const SHOWN: usize = 5;
const SHOWN_CHARS: usize = 160;

/// Whether there is a whole one among these lines.
pub(in crate::outputs) fn are_traces(lines: &[&[u8]]) -> bool {
    let mut traces = Traces::default();
    for (at, line) in lines.iter().enumerate() {
        traces.line(at as u64 + 1, line);
    }
    traces.close();
    0 < traces.all
}

pub(super) fn sketch(source: &mut dyn Source, size: u64, about: &About<'_>) -> io::Result<Sketch> {
    let mut traces = Traces::default();
    let part = each_line(source, size, |number, line| traces.line(number, line))?;
    traces.close();
    let mut lines: Vec<String> = part.note().into_iter().collect();
    lines.extend(traces.told(TRACES_MAX));
    let first = traces.found.first().map(|trace| trace.line);
    let next = first.map(|line| format!("read_file {} from={line}", about.path));
    Ok(Sketch { lines, next })
}

/// The traces that were seen so far.
#[derive(Debug, Default)]
pub(super) struct Traces {
    open: Option<Open>,
    found: Vec<Trace>,
    known: HashMap<(String, Vec<String>), usize>,
    all: u64,
    /// The last line that was not empty, which may turn out to be the failure.
    before: (u64, Vec<u8>),
}

#[derive(Debug)]
struct Trace {
    failure: String,
    frames: Vec<String>,
    line: u64,
    count: u64,
}

/// A trace whose end has not come.
#[derive(Debug)]
struct Open {
    by: By,
    failure: Vec<u8>,
    frames: Vec<Vec<u8>>,
    line: u64,
    lines: u32,
}

/// Who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Python,
    /// Java, Node, .NET: a failure, and frames that begin with `at`.
    At,
    Go,
    Rust,
}

/// What a line is to a trace that is open.
enum Is {
    Part,
    /// A part, and the last.
    Last,
    Foreign,
}

impl Traces {
    /// Whether the last line was a part of a trace.
    pub(super) fn is_within(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn line(&mut self, number: u64, line: &[u8]) {
        let line = &line[..line.len().min(LINE_BYTES_MAX)];
        if let Some(open) = &mut self.open {
            open.lines += 1;
            match open.take(line) {
                Is::Part if open.lines < LINES_MAX => return,
                Is::Part | Is::Last => return self.close(),
                Is::Foreign => self.close(),
            }
        }
        self.open = begin(number, line, &self.before);
        if self.open.is_none() && !line.trim_ascii().is_empty() {
            self.before.0 = number;
            self.before.1.clear();
            self.before.1.extend_from_slice(line);
        }
    }

    /// Nothing more belongs to the one that is open.
    pub(super) fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.frames.is_empty() && open.by != By::Rust {
            return;
        }
        self.all += 1;
        let frames: Vec<String> =
            open.frames.iter().map(|frame| short(frame.trim_ascii(), SHOWN_CHARS)).collect();
        let failure = short(failure(&open.failure), SHOWN_CHARS);
        // Its numbers are another's another time.
        let key: String = failure.chars().filter(|c| !c.is_ascii_digit()).collect();
        match self.known.get(&(key.clone(), frames.clone())) {
            Some(at) => self.found[*at].count += 1,
            None if TRACES_MAX <= self.found.len() => {}
            None => {
                self.known.insert((key, frames.clone()), self.found.len());
                self.found.push(Trace { failure, frames, line: open.line, count: 1 });
            }
        }
    }

    /// In a few lines, for the sketch of something else.
    pub(super) fn lines(&mut self) -> Vec<String> {
        self.close();
        self.told(SHOWN)
    }

    fn told(&self, max: usize) -> Vec<String> {
        let mut lines = Vec::new();
        if self.all == 0 {
            return lines;
        }
        let distinct = if TRACES_MAX <= self.found.len() { "over " } else { "" };
        let (all, found) = (thousands(self.all), thousands(self.found.len() as u64));
        let traces = if self.all == 1 { "stack trace" } else { "stack traces" };
        lines.push(format!("{all} {traces}, {distinct}{found} distinct:"));
        let mut order: Vec<&Trace> = self.found.iter().collect();
        order.sort_by_key(|trace| (std::cmp::Reverse(trace.count), trace.line));
        for trace in order.iter().take(max) {
            let (count, line) = (thousands(trace.count), thousands(trace.line));
            lines.push(format!("  {count} × {} (first in line {line})", trace.failure));
            lines.extend(trace.frames.iter().map(|frame| format!("      {frame}")));
        }
        lines
    }
}

impl Open {
    fn take(&mut self, line: &[u8]) -> Is {
        let (text, is_indented) =
            (line.trim_ascii(), line.starts_with(b" ") || line.starts_with(b"\t"));
        match self.by {
            By::Python => {
                if is_indented {
                    if text.starts_with(b"File \"") {
                        // The innermost comes last.
                        if self.frames.len() == FRAMES {
                            self.frames.remove(0);
                        }
                        self.frames.push(text.to_vec());
                    }
                    return Is::Part;
                }
                if text.is_empty() {
                    return Is::Foreign;
                }
                self.failure = line.to_vec();
                Is::Last
            }
            By::At => {
                if is_at(line) {
                    self.frame(text);
                    return Is::Part;
                }
                let is_cause = text.starts_with(b"Caused by: ");
                if is_cause {
                    // What caused it tells more than what came of it.
                    self.failure = text.to_vec();
                    self.frames.clear();
                }
                let more = text.starts_with(b"... ") || text.starts_with(b"Suppressed: ");
                if is_cause || (is_indented && more) { Is::Part } else { Is::Foreign }
            }
            By::Go => {
                if text.is_empty() {
                    return if self.frames.is_empty() { Is::Part } else { Is::Last };
                }
                if is_indented || line.starts_with(b"goroutine ") || text.starts_with(b"[signal ") {
                    return Is::Part;
                }
                if text.ends_with(b")") || text.starts_with(b"created by ") {
                    let end = text.iter().rposition(|byte| *byte == b'(').unwrap_or(text.len());
                    self.frame(&text[..end]);
                    return Is::Part;
                }
                Is::Foreign
            }
            By::Rust => {
                let is_frame = is_indented && text.first().is_some_and(u8::is_ascii_digit);
                if is_frame {
                    let name =
                        text.iter().position(|byte| *byte == b' ').map_or(text, |at| &text[at..]);
                    let name = name.trim_ascii_start();
                    // What every panic has in common says nothing.
                    let common = [
                        &b"rust_begin_unwind"[..],
                        b"core::panicking",
                        b"std::panicking",
                        b"__rust",
                    ];
                    if !common.iter().any(|start| name.starts_with(start)) {
                        self.frame(name);
                    }
                    return Is::Part;
                }
                if self.lines == 1 && self.failure.ends_with(b":") {
                    self.failure.push(b' ');
                    self.failure.extend_from_slice(text);
                    return Is::Part;
                }
                let ours = is_indented || text == b"stack backtrace:";
                if ours {
                    Is::Part
                } else if text.starts_with(b"note: ") {
                    Is::Last
                } else {
                    Is::Foreign
                }
            }
        }
    }

    fn frame(&mut self, frame: &[u8]) {
        if self.frames.len() < FRAMES {
            self.frames.push(frame.to_vec());
        }
    }
}

/// The trace that this line is the first of.
fn begin(number: u64, line: &[u8], before: &(u64, Vec<u8>)) -> Option<Open> {
    let open = |by, line| Open { by, failure: Vec::new(), frames: Vec::new(), line, lines: 0 };
    match line.first()? {
        b' ' | b'\t' if is_at(line) => {
            let mut open = open(By::At, before.0.max(1));
            open.failure.clone_from(&before.1);
            open.frame(line.trim_ascii());
            Some(open)
        }
        _ if line.ends_with(b"Traceback (most recent call last):") => {
            Some(open(By::Python, number))
        }
        b'p' | b'f' | b'g' if is_go(line) => {
            Some(Open { failure: line.to_vec(), ..open(By::Go, number) })
        }
        b't' if is_panic(line) => Some(Open { failure: line.to_vec(), ..open(By::Rust, number) }),
        _ => None,
    }
}

/// `\tat com.shop.Pay.charge(Pay.java:31)`, `    at charge (/srv/pay.js:31:7)`
fn is_at(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    if text.len() == line.len() || !text.starts_with(b"at ") {
        return false;
    }
    // A place in a file, and not just a line that begins with that word.
    text.ends_with(b")") || text.contains(&b':') || text.windows(4).any(|four| four == b" in ")
}

fn is_go(line: &[u8]) -> bool {
    let goroutine = line
        .strip_prefix(b"goroutine ")
        .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit) && rest.ends_with(b":"));
    goroutine || line.starts_with(b"panic: ") || line.starts_with(b"fatal error: ")
}

fn is_panic(line: &[u8]) -> bool {
    line.starts_with(b"thread '") && line.windows(13).any(|at| at == b" panicked at ")
}

/// A failure without the time and the level of the line that it stands in.
fn failure(line: &[u8]) -> &[u8] {
    let time = stamp(line).map_or(0, |at| at.end);
    let level = level(line).map_or(0, |(_, at)| at.end);
    let skip = line[time.max(level)..].iter().take_while(|byte| b"]:\"|>),- ".contains(byte));
    &line[time.max(level) + skip.count()..]
}

#[cfg(test)]
mod tests;
