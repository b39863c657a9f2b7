//! Logs: from when to when, how bad, which messages, which stack traces.

use std::io;

use super::page::thousands;
use super::reading::{at, each_line};
use super::shapes::Shapes;
use super::stamp::{Level, level, stamp};
use super::traces::Traces;
use super::{About, Sketch, Source};

/// The time of the last line is looked for in so many bytes.
const TAIL_BYTES: usize = 64 * 1024;

/// In a log, so many of its first lines have a time or a level.
const MARKED_PERCENT: usize = 50;
const LINES_MIN: usize = 2;

/// Before an error there is often what led to it.
const LINES_BEFORE: u64 = 5;

/// Whether these are the first lines of a log.
pub(in crate::outputs) fn is_log(lines: &[&[u8]]) -> bool {
    // What is indented belongs to the line above it.
    let own = lines.iter().filter(|line| line.first().is_some_and(|byte| !b" \t".contains(byte)));
    let marked = own.clone().filter(|line| stamp(line).is_some() || level(line).is_some());
    let (all, marked) = (own.count(), marked.count());
    LINES_MIN <= marked && all * MARKED_PERCENT <= marked * 100
}

pub(super) fn sketch(source: &mut dyn Source, size: u64, about: &About<'_>) -> io::Result<Sketch> {
    let mut seen = Seen::default();
    let part = each_line(source, size, |number, line| seen.line(number, line))?;
    let mut lines = Vec::new();
    lines.extend(seen.span.line(source, size)?);
    lines.extend(seen.levels.line());
    lines.extend(part.note());
    lines.extend(seen.traces.lines());
    lines.extend(seen.shapes.lines());
    Ok(Sketch { lines, next: seen.levels.next(about.path) })
}

#[derive(Debug, Default)]
struct Seen {
    span: Span,
    levels: Levels,
    shapes: Shapes,
    traces: Traces,
}

impl Seen {
    fn line(&mut self, number: u64, line: &[u8]) {
        self.traces.line(number, line);
        let Some(first) = line.first() else { return };
        if b" \t".contains(first) || self.traces.is_within() {
            return;
        }
        let time = stamp(line);
        if let Some(time) = &time {
            self.span.see(&line[time.clone()]);
        }
        let found = level(line);
        if let Some((level, _)) = found {
            self.levels.see(level, number);
        }
        let from = time.map_or(0, |time| time.end).max(found.as_ref().map_or(0, |(_, at)| at.end));
        let message = line[from..].trim_ascii_start();
        let message = message.trim_ascii_start_of(b"]:\"|>),- ");
        self.shapes.add(message, found.map(|(level, _)| level), number);
    }
}

/// Taking off what parts a message from what stands before it.
trait TrimStart {
    fn trim_ascii_start_of(&self, bytes: &[u8]) -> &Self;
}

impl TrimStart for [u8] {
    fn trim_ascii_start_of(&self, bytes: &[u8]) -> &Self {
        let skip = self.iter().take_while(|byte| bytes.contains(byte)).count();
        &self[skip..]
    }
}

/// From when to when.
#[derive(Debug, Default)]
pub(super) struct Span {
    first: String,
    last: String,
}

impl Span {
    pub(super) fn see(&mut self, time: &[u8]) {
        let time = String::from_utf8_lossy(time);
        if self.first.is_empty() {
            self.first = time.clone().into_owned();
        }
        self.last.clear();
        self.last.push_str(&time);
    }

    /// The last time is that of the last line, however little of the log was read.
    fn line(&mut self, source: &mut dyn Source, size: u64) -> io::Result<Option<String>> {
        let tail = at(source, size.saturating_sub(TAIL_BYTES as u64), TAIL_BYTES)?;
        // The first line of these may have lost its beginning.
        let lines: Vec<&[u8]> = tail.split(|byte| *byte == b'\n').skip(1).collect();
        let last = lines.iter().rev().find_map(|line| Some(&line[stamp(line)?]));
        if let Some(last) = last {
            self.see(last);
        }
        Ok(self.text())
    }

    pub(super) fn text(&self) -> Option<String> {
        let (first, last) = (&self.first, &self.last);
        (!first.is_empty()).then(|| format!("from {first} to {last}"))
    }
}

/// How many lines of which level, and where the first of each is.
#[derive(Debug, Default)]
pub(super) struct Levels([(u64, u64); Level::ALL.len()]);

impl Levels {
    pub(super) fn see(&mut self, level: Level, line: u64) {
        let (count, first) = &mut self.0[level as usize];
        *count += 1;
        if *count == 1 {
            *first = line;
        }
    }

    pub(super) fn line(&self) -> Option<String> {
        let mut parts = Vec::new();
        for level in Level::ALL {
            let (count, first) = self.0[level as usize];
            if count == 0 {
                continue;
            }
            let mut part = format!("{} {}", level.name(), thousands(count));
            if level <= Level::Warn {
                part += &format!(" (first in line {})", thousands(first));
            }
            parts.push(part);
        }
        (!parts.is_empty()).then(|| parts.join(" · "))
    }

    /// To the first of the worst, with what led to it.
    pub(super) fn next(&self, path: &str) -> Option<String> {
        let bad = [Level::Fatal, Level::Error].into_iter().map(|level| self.0[level as usize]);
        let (_, first) = bad.filter(|(count, _)| 0 < *count).min_by_key(|(_, first)| *first)?;
        let from = first.saturating_sub(LINES_BEFORE).max(1);
        Some(format!(
            "read_file {path} from={from}, the first error is in line {first}; or grep in it"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::is_log;
    use crate::outputs::preview::tests::shown;

    fn lines(text: &str) -> Vec<&[u8]> {
        text.lines().map(str::as_bytes).collect()
    }

    #[test]
    fn logs_are_told_from_what_only_mentions_a_time() {
        #[rustfmt::skip]
        let table = [
            ("2026-03-01 12:00:00 a\n2026-03-01 12:00:01 b\n\tat x\n\tat y\n\tat z", true),
            ("[INFO] a\n[INFO] b\n[ERROR] c",                                        true),
            ("a\nb\nc\n2026-03-01 12:00:00 d",                                       false),
            ("fn main() {\n    let error = 5;\n}",                                   false),
            ("",                                                                     false),
        ];
        for (text, want) in table {
            assert_eq!(is_log(&lines(text)), want, "{text}");
        }
    }

    #[test]
    fn a_log_tells_when_how_bad_and_what() {
        let mut log = String::new();
        for n in 0..4_000_u32 {
            let (minute, second) = (n / 60 % 60, n % 60);
            let name = ["alice", "bob", "carol"][n as usize % 3];
            log += &format!(
                "2026-03-01T12:{minute:02}:{second:02}.{n:03}Z INFO pay: user {name} paid {n} cents\n"
            );
            if n % 100 == 7 {
                log += &format!(
                    "2026-03-01T12:{minute:02}:{second:02}Z WARN pool: {n} of 5000 in use\n"
                );
            }
            if n == 3_500 {
                log += "2026-03-01T12:58:20Z ERROR pay: charge 7f3a9c12 failed\n";
                log += "java.net.SocketTimeoutException: Read timed out\n";
                log +=
                    "\tat com.shop.Pay.charge(Pay.java:31)\n\tat com.shop.Api.post(Api.java:17)\n";
                log += "\t... 12 more\n";
            }
        }
        insta::assert_snapshot!(shown(log.as_bytes(), 1_500), @"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · log · 249,480 bytes · 4,045 lines · sha256 e3b0c44298fc1c14…
        from 2026-03-01T12:00:00.000Z to 2026-03-01T12:06:39.3999Z
        ERROR 1 (first in line 3,537) · WARN 40 (first in line 9) · INFO 4,000
        1 stack trace, 1 distinct:
          1 × java.net.SocketTimeoutException: Read timed out (first in line 3,538)
              at com.shop.Pay.charge(Pay.java:31)
              at com.shop.Api.post(Api.java:17)
        shapes of its messages:
          4,000 × INFO pay: user <*> paid <n> cents
          40 × WARN pool: <n> of <n> in use
          1 × ERROR pay: charge <id> failed (first in line 3,537)
          1 × java.net.SocketTimeoutException: Read timed out
        [lines 1-5 of 4,045]
        2026-03-01T12:00:00.000Z INFO pay: user alice paid 0 cents
        2026-03-01T12:00:01.001Z INFO pay: user bob paid 1 cents
        2026-03-01T12:00:02.002Z INFO pay: user carol paid 2 cents
        2026-03-01T12:00:03.003Z INFO pay: user alice paid 3 cents
        2026-03-01T12:00:04.004Z INFO pay: user bob paid 4 cents
        [lines 4,041-4,045]
        2026-03-01T12:06:35.3995Z INFO pay: user carol paid 3995 cents
        2026-03-01T12:06:36.3996Z INFO pay: user alice paid 3996 cents
        2026-03-01T12:06:37.3997Z INFO pay: user bob paid 3997 cents
        2026-03-01T12:06:38.3998Z INFO pay: user carol paid 3998 cents
        2026-03-01T12:06:39.3999Z INFO pay: user alice paid 3999 cents
        next: read_file /case/outputs/0007-shell.txt from=3532, the first error is in line 3537; or grep in it
        ");
    }
}
