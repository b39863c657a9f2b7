//! Runs of tests: what failed first, then how many there were.
//!
//! cargo and nextest, pytest, go, jest and vitest, Maven, TAP, and JUnit's XML. None of
//! them is parsed: each marks a failed test and its totals with lines of its own, and
//! those are looked for.

use std::collections::HashSet;
use std::io;

use super::page::{short, thousands};
use super::reading::each_line;
use super::{About, Sketch, Source};

/// So many failed tests are told apart, and so many lines of totals kept.
const FAILED_MAX: usize = 500;
const TOTALS_MAX: usize = 8;

const NAME_CHARS: usize = 120;
const WHY_CHARS: usize = 160;

/// For a run, so many lines must be those of one.
const LINES_MIN: usize = 2;
const LINES_PER_MARK: usize = 60;

/// Whether these are lines of a run of tests.
pub(in crate::outputs) fn is_test_run(lines: &[&[u8]]) -> bool {
    let is_start = |line: &&&[u8]| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        (text.starts_with("running ") && text.ends_with(" tests"))
            || text == "running 1 test"
            || text.contains("= test session starts =")
            || text.starts_with("TAP version ")
            || text.starts_with("<testsuite")
            || text.starts_with("=== RUN ")
    };
    if lines.iter().any(|line| is_start(&line)) {
        return true;
    }
    let marks = lines.iter().filter(|line| !matches!(read(line), Says::Nothing)).count();
    LINES_MIN <= marks && lines.len() <= marks * LINES_PER_MARK
}

pub(super) fn sketch(source: &mut dyn Source, size: u64, about: &About<'_>) -> io::Result<Sketch> {
    let mut run = Run::default();
    let part = each_line(source, size, |number, line| run.line(number, line))?;
    let mut lines: Vec<String> = part.note().into_iter().collect();
    lines.extend(run.totals.iter().cloned());
    if 1 < run.sums.0 {
        let (runs, passed, failed) = run.sums;
        lines.push(format!(
            "in {} runs together: {} passed, {} failed",
            thousands(runs),
            thousands(passed),
            thousands(failed)
        ));
    }
    let many = thousands(run.failed.len() as u64);
    let over = if FAILED_MAX <= run.failed.len() { "over " } else { "" };
    lines.push(match run.failed.len() {
        0 if 0 < run.passed => {
            format!("no failed test; {} lines of passed ones", thousands(run.passed))
        }
        0 => "no failed test".into(),
        1 => "1 failed test:".into(),
        _ => format!("{over}{many} failed tests:"),
    });
    for failed in &run.failed {
        lines.push(format!("  {} (line {})", failed.name, thousands(failed.line)));
        if !failed.why.is_empty() {
            lines.push(format!("      {}", failed.why));
        }
    }
    let first = run.failed.first().map(|failed| failed.line);
    let next = first.map(|line| format!("read_file {} from={line}", about.path));
    Ok(Sketch { lines, next })
}

#[derive(Debug, Default)]
struct Run {
    failed: Vec<Failed>,
    known: HashSet<String>,
    /// The lines that tell the totals, the last ones.
    totals: Vec<String>,
    /// How many runs of cargo, and their tests.
    sums: (u64, u64, u64),
    passed: u64,
    /// The failed test that is being told about, and the one that may have.
    about: Option<usize>,
    case: Vec<u8>,
}

#[derive(Debug)]
struct Failed {
    name: String,
    why: String,
    line: u64,
}

/// What one line says of a run.
#[derive(Debug, PartialEq, Eq)]
enum Says<'a> {
    Failed {
        name: &'a [u8],
        why: &'a [u8],
    },
    /// From here on it is about this one, which failed.
    About(&'a [u8]),
    /// Or about this one, of which that is not known yet.
    Case(&'a [u8]),
    CaseFailed {
        why: &'a [u8],
    },
    /// Why a test failed.
    Why(&'a [u8]),
    Passed,
    Totals,
    Nothing,
}

impl Run {
    fn line(&mut self, number: u64, line: &[u8]) {
        match read(line) {
            Says::Failed { name, why } => {
                self.about = self.failed(name, number);
                self.why(why);
            }
            Says::About(name) => self.about = self.failed(name, number),
            Says::Case(name) => {
                self.passed += 1;
                self.about = None;
                self.case = name.to_vec();
            }
            Says::CaseFailed { why } => {
                let name = std::mem::take(&mut self.case);
                self.passed = self.passed.saturating_sub(1);
                self.about = self.failed(&name, number);
                self.why(why);
            }
            Says::Why(why) => self.why(why),
            Says::Passed => self.passed += 1,
            Says::Totals => self.total(line),
            Says::Nothing => self.follows(line),
        }
    }

    /// Why the test failed that is being told about; the first reason counts.
    fn why(&mut self, why: &[u8]) {
        if let Some(failed) = self.about.and_then(|at| self.failed.get_mut(at))
            && failed.why.is_empty()
        {
            failed.why = short(why.trim_ascii(), WHY_CHARS);
        }
    }

    /// A line that says nothing by itself, but may follow one that did.
    fn follows(&mut self, line: &[u8]) {
        let text = line.trim_ascii();
        let Some(failed) = self.about.and_then(|at| self.failed.get_mut(at)) else { return };
        if text.is_empty() {
            return;
        }
        if failed.why.ends_with(':') {
            // After `panicked at src/x.rs:1:2:`, and only once.
            failed.why = format!("{} {}", failed.why, short(text, WHY_CHARS));
            self.about = None;
        } else if failed.why.is_empty() && line.starts_with(b" ") {
            failed.why = short(text, WHY_CHARS);
        }
    }

    /// Remembers a test that failed; gives its place, unless there are too many.
    fn failed(&mut self, name: &[u8], line: u64) -> Option<usize> {
        let name = short(name.trim_ascii(), NAME_CHARS);
        if self.known.contains(&name) {
            return self.failed.iter().position(|failed| failed.name == name);
        }
        if FAILED_MAX <= self.failed.len() {
            return None;
        }
        self.known.insert(name.clone());
        self.failed.push(Failed { name, why: String::new(), line });
        Some(self.failed.len() - 1)
    }

    fn total(&mut self, line: &[u8]) {
        self.about = None;
        let text = short(line.trim_ascii(), WHY_CHARS);
        if let Some(result) = text.strip_prefix("test result: ") {
            let before = |word: &str| -> u64 {
                let count = result.split(word).next().unwrap_or_default();
                count.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
            };
            self.sums.0 += 1;
            self.sums.1 += before(" passed");
            self.sums.2 += before(" failed");
        }
        if self.totals.len() == TOTALS_MAX {
            self.totals.remove(0);
        }
        self.totals.push(text);
    }
}

/// What this line says.
fn read(line: &[u8]) -> Says<'_> {
    let text = line.trim_ascii();
    let failed = |name| Says::Failed { name, why: b"" };
    match text.first() {
        Some(b't') => {
            if let Some(test) = text.strip_prefix(b"test ") {
                // cargo: `test pay::charges ... FAILED`
                if let Some(name) = test.strip_suffix(b" ... FAILED") {
                    return failed(name);
                }
                let passed = test.ends_with(b" ... ok") || test.ends_with(b" ... ignored");
                return if passed {
                    Says::Passed
                } else if test.starts_with(b"result: ") {
                    Says::Totals
                } else {
                    Says::Nothing
                };
            }
            if text.starts_with(b"thread '") && find(text, b" panicked at ").is_some() {
                return Says::Why(text);
            }
        }
        Some(b'-') => {
            // cargo: `---- pay::charges stdout ----`
            let named =
                text.strip_prefix(b"---- ").and_then(|text| text.strip_suffix(b" stdout ----"));
            if let Some(name) = named {
                return Says::About(name);
            }
            // go: `--- FAIL: TestPay (0.00s)`
            if let Some(name) = text.strip_prefix(b"--- FAIL: ") {
                return failed(first_word(name));
            }
            if text.starts_with(b"--- PASS: ") || text.starts_with(b"--- SKIP: ") {
                return Says::Passed;
            }
        }
        Some(b'F') => {
            // pytest: `FAILED tests/test_pay.py::test_charge - AssertionError: no`
            if let Some(rest) = text.strip_prefix(b"FAILED ")
                && find(rest, b"::").is_some()
            {
                let at = find(rest, b" - ");
                let (name, why) = at.map_or((rest, &b""[..]), |at| (&rest[..at], &rest[at + 3..]));
                return Says::Failed { name, why };
            }
            // nextest: `FAIL [   0.005s] shop pay::charges`
            if let Some(rest) = text.strip_prefix(b"FAIL [")
                && let Some(end) = find(rest, b"] ")
            {
                return failed(&rest[end + 2..]);
            }
            // jest: `FAIL src/pay.test.js`; go: `FAIL\tshop/pay\t0.01s`
            if text.starts_with(b"FAIL ") || text.starts_with(b"FAIL\t") {
                return Says::Totals;
            }
        }
        Some(b'P') if text.starts_with(b"PASS ") => return Says::Passed,
        Some(b'o')
            if text.starts_with(b"ok \t")
                || text.starts_with(b"ok  \t")
                || text.strip_prefix(b"ok ").is_some_and(is_tap) =>
        {
            return Says::Passed;
        }
        Some(b'n') => {
            // TAP: `not ok 3 - charges`
            if let Some(rest) = text.strip_prefix(b"not ok ").filter(|rest| is_tap(rest)) {
                let name = find(rest, b" - ").map_or(rest, |at| &rest[at + 3..]);
                return failed(name);
            }
        }
        Some(b'E') => {
            if let Some(why) = line.strip_prefix(b"E   ") {
                return Says::Why(why.trim_ascii());
            }
        }
        Some(b'=') => {
            // pytest: `=== 1 failed, 3 passed in 0.12s ===`
            let total = trim(text, b'=').trim_ascii();
            let counts = [&b" passed"[..], b" failed", b" error", b" skipped"];
            if total.first().is_some_and(u8::is_ascii_digit)
                && counts.iter().any(|count| find(total, count).is_some())
            {
                return Says::Totals;
            }
        }
        // jest: `Tests:       1 failed, 2 passed, 3 total`; Maven: `Tests run: 5, …`
        Some(b'T')
            if [&b"Tests: "[..], b"Test Suites: ", b"Tests run: "]
                .iter()
                .any(|start| text.starts_with(start)) =>
        {
            return Says::Totals;
        }
        Some(b'S') if text.starts_with(b"Summary [") => return Says::Totals,
        Some(b'[') => {
            // Maven: `[ERROR]   PayTest.charges:31 expected: <1> but was: <2>`
            let rest = text.strip_prefix(b"[ERROR] ").or_else(|| text.strip_prefix(b"[INFO] "));
            if rest.is_some_and(|rest| rest.starts_with(b"Tests run: ")) {
                return Says::Totals;
            }
            if let Some(rest) = text.strip_prefix(b"[ERROR]   ")
                && let Some(at) = find(rest, b" ")
                && find(&rest[..at], b".").is_some()
                && find(&rest[..at], b":").is_some()
            {
                return Says::Failed { name: &rest[..at], why: &rest[at + 1..] };
            }
        }
        Some(b'<') => return xml(text),
        // jest: `● checkout › charges once`; vitest: `× checkout > charges once`
        // Without a space before it, it is a service and not a test.
        Some(0xe2 | 0xc3) if line.starts_with(b" ") => {
            for mark in ["● ", "× ", "✕ ", "✗ "] {
                if let Some(name) = text.strip_prefix(mark.as_bytes()) {
                    return failed(name);
                }
            }
            if text.starts_with("✓ ".as_bytes()) || text.starts_with("√ ".as_bytes()) {
                return Says::Passed;
            }
        }
        _ => {}
    }
    Says::Nothing
}

/// JUnit's XML: a failure stands in the test that it is about.
fn xml(text: &[u8]) -> Says<'_> {
    if text.starts_with(b"<testsuite ") || text.starts_with(b"<testsuites ") {
        return Says::Totals;
    }
    let failure = [&b"<failure"[..], b"<error"].iter().find_map(|tag| find(text, tag));
    let why = failure.map(|at| attribute(&text[at..], b"message=\"").unwrap_or(&text[at..]));
    let is_case = text.starts_with(b"<testcase ");
    let name = if is_case { attribute(text, b" name=\"") } else { None };
    match (name, why) {
        (Some(name), Some(why)) => Says::Failed { name, why },
        (Some(name), None) => Says::Case(name),
        (None, Some(why)) => Says::CaseFailed { why },
        (None, None) => Says::Nothing,
    }
}

fn attribute<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = &text[find(text, name)? + name.len()..];
    Some(&rest[..find(rest, b"\"")?])
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}

fn first_word(text: &[u8]) -> &[u8] {
    &text[..find(text, b" ").unwrap_or(text.len())]
}

/// The number of a test, as TAP has it.
fn is_tap(rest: &[u8]) -> bool {
    rest.first().is_some_and(u8::is_ascii_digit)
}

fn trim(text: &[u8], byte: u8) -> &[u8] {
    let is_other = |one: &u8| *one != byte;
    let first = text.iter().position(is_other).unwrap_or(text.len());
    let last = text.iter().rposition(is_other).map_or(first, |last| last + 1);
    &text[first..last]
}

#[cfg(test)]
mod tests;
