//! What a line of a log begins with: when it was, and how bad it is.

use std::ops::Range;

/// A time is looked for so far from the beginning of a line, a level so far.
const STAMP_BYTES_MAX: usize = 64;
const LEVEL_BYTES_MAX: usize = 160;
const FRACTION_DIGITS_MAX: usize = 9;

/// How bad a line is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    pub(super) const ALL: [Self; 6] =
        [Self::Fatal, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    pub(super) fn name(self) -> &'static str {
        ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"][self as usize]
    }

    /// The level of this name, however a program calls it.
    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        #[rustfmt::skip]
        const NAMES: &[(&[u8], Level)] = &[
            (b"info", Level::Info),      (b"error", Level::Error),    (b"warn", Level::Warn),
            (b"debug", Level::Debug),    (b"trace", Level::Trace),    (b"warning", Level::Warn),
            (b"err", Level::Error),      (b"notice", Level::Info),    (b"severe", Level::Error),
            (b"fatal", Level::Fatal),    (b"critical", Level::Fatal), (b"crit", Level::Fatal),
            (b"panic", Level::Fatal),    (b"emerg", Level::Fatal),    (b"alert", Level::Fatal),
            (b"fine", Level::Debug),     (b"finest", Level::Trace),   (b"information", Level::Info),
        ];
        NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
    }
}

/// Where the time stands in a line, if it is near its beginning.
pub(super) fn stamp(line: &[u8]) -> Option<Range<usize>> {
    let within = &line[..line.len().min(STAMP_BYTES_MAX)];
    let mut before = b' ';
    for (at, byte) in within.iter().enumerate() {
        let begins = !before.is_ascii_alphanumeric() && byte.is_ascii_alphanumeric();
        before = *byte;
        if begins && let Some(length) = time(&line[at..], at == 0) {
            return Some(at..at + length);
        }
    }
    None
}

/// How long the time is that stands right here.
#[rustfmt::skip]
fn time(text: &[u8], is_first: bool) -> Option<usize> {
    const FORMS: &[&str] = &[
        "dddd-dd-ddTdd:dd:dd", "dddd-dd-dd dd:dd:dd", "dddd/dd/dd dd:dd:dd", // with a date
        "dd/aaa/dddd:dd:dd:dd", "aaa _d dd:dd:dd", "dd-aaa-dddd dd:dd:dd",
        "dd.dd.dddd dd:dd:dd", "dd/dd/dddd dd:dd:dd", "dddddddd dd:dd:dd",
        "adddd dd:dd:dd",                                                    // klog
        "dd:dd:dd",
    ];
    let form = FORMS.iter().find(|form| fits(text, form));
    if let Some(form) = form {
        let mut length = form.len();
        length += fraction(&text[length..]);
        length += zone(&text[length..]);
        return Some(length);
    }
    // Seconds or milliseconds since 1970, but not any number.
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let since = is_first && text[0] == b'1' && (digits == 10 || digits == 13);
    since.then(|| digits + fraction(&text[digits..]))
}

fn fits(text: &[u8], form: &str) -> bool {
    form.len() <= text.len()
        && form.bytes().zip(text).all(|(form, byte)| match form {
            b'd' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            b'_' => *byte == b' ' || byte.is_ascii_digit(),
            form => *byte == form,
        })
}

fn fraction(text: &[u8]) -> usize {
    match text {
        [b'.' | b',', rest @ ..] => {
            let rest = &rest[..rest.len().min(FRACTION_DIGITS_MAX)];
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 { 0 } else { digits + 1 }
        }
        _ => 0,
    }
}

fn zone(text: &[u8]) -> usize {
    let lengths = ["Z", "+dd:dd", "-dd:dd", "+dddd", "-dddd", " +dddd", " -dddd"];
    lengths.iter().find(|form| fits(text, form)).map_or(0, |form| form.len())
}

/// How bad a line says it is, and where. A word counts where it stands as a mark, and
/// not where it is a part of what is said.
pub(super) fn level(line: &[u8]) -> Option<(Level, Range<usize>)> {
    if let Some(level) = klog(line) {
        return Some((level, 0..1));
    }
    let within = &line[..line.len().min(LEVEL_BYTES_MAX)];
    let mut from = 0;
    while from < within.len() {
        let rest = &within[from..];
        let Some(skip) = rest.iter().position(u8::is_ascii_alphabetic) else { break };
        let begin = from + skip;
        let word = within[begin..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let end = begin + word;
        if (3..=11).contains(&word)
            && let Some(level) = Level::parse(&within[begin..end])
            && is_mark(within, begin, end)
        {
            return Some((level, begin..end));
        }
        from = end;
    }
    None
}

fn is_mark(line: &[u8], begin: usize, end: usize) -> bool {
    let before = begin.checked_sub(1).map(|at| line[at]);
    let after = line.get(end).copied();
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
        || after.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-./(".contains(&byte))
    {
        return false;
    }
    let shouted = line[begin..end].iter().all(u8::is_ascii_uppercase);
    let marked = before.is_none_or(|byte| b"[=\":<|(".contains(&byte))
        && after.is_none_or(|byte| b"]\":>|), ".contains(&byte));
    // As in `12:00:01 error: no such host` and `sshd[12]: error: no such host`.
    let above = line[..begin].trim_ascii_end();
    let leads = after == Some(b':')
        && (above.ends_with(b":")
            || above.ends_with(b"]")
            || above.iter().all(|byte| !byte.is_ascii_lowercase()));
    shouted || marked || leads
}

/// `E0301 12:00:00.000001    7 main.go:17] no such host`
fn klog(line: &[u8]) -> Option<Level> {
    let level = match line.first()? {
        b'F' => Level::Fatal,
        b'E' => Level::Error,
        b'W' => Level::Warn,
        b'I' => Level::Info,
        _ => return None,
    };
    fits(&line[1..], "dddd dd:dd:dd.").then_some(level)
}

#[cfg(test)]
mod tests {
    use super::{Level, level, stamp};

    #[test]
    fn times_and_levels_are_found_where_they_are_marks() {
        use Level::{Debug, Error, Fatal, Info, Warn};
        #[rustfmt::skip]
        let table = [
            // line                                               time                                 level
            ("2026-03-01T12:00:00.123Z INFO started",             Some("2026-03-01T12:00:00.123Z"),    Some(Info)),
            ("2026-03-01 12:00:00,123 +0100 [error] x",           Some("2026-03-01 12:00:00,123 +0100"), Some(Error)),
            ("[2026-03-01T12:00:00+01:00] WARNING x",             Some("2026-03-01T12:00:00+01:00"),   Some(Warn)),
            ("2026/03/01 12:00:00 no error was found",            Some("2026/03/01 12:00:00"),         None),
            ("10.0.0.1 - - [01/Mar/2026:12:00:00 +0000] \"GET\"", Some("01/Mar/2026:12:00:00 +0000"),  None),
            ("Mar  1 12:00:00 host sshd[12]: error: no",          Some("Mar  1 12:00:00"),             Some(Error)),
            ("I0301 12:00:00.000001 7 main.go:17] up",            Some("I0301 12:00:00.000001"),       Some(Info)),
            ("12:00:01.5 error: no such host",                    Some("12:00:01.5"),                  Some(Error)),
            ("time=\"2026-03-01T12:00:00Z\" level=debug msg=x",   Some("2026-03-01T12:00:00Z"),        Some(Debug)),
            ("1772366400.25 CRITICAL disk",                       Some("1772366400.25"),               Some(Fatal)),
            ("1772366400 things",                                 Some("1772366400"),                  None),
            ("an order of 1772366400 things",                     None,                                None),
            ("src/error.rs: the error kind",                      None,                                None),
            ("ERROR_COUNT is 5",                                  None,                                None),
            ("[ERROR] Failed to execute goal",                    None,                                Some(Error)),
            ("",                                                  None,                                None),
        ];
        for (line, want_stamp, want_level) in table {
            let got = stamp(line.as_bytes()).map(|range| &line[range]);
            assert_eq!(got, want_stamp, "{line}");
            assert_eq!(level(line.as_bytes()).map(|(level, _)| level), want_level, "{line}");
        }
    }
}
