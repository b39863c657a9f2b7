//! Lines as they are shown: with their numbers, whole as far as they fit, and with
//! the way to the rest.

use std::io::Write as _;

use super::{Part, Piece, call, wrong};
use crate::jail::hands::wire::{LinesAsked, Made, Short, ToldLine, ToldLines};
use crate::tools::{Place, ToolError, amount, older};

/// What is said in the place of the rest of a line, at most.
pub(super) const MARK_CHARS_MAX: usize = 120;
/// What is before a line, as a rule.
const NUMBER_BYTES: usize = 12;

pub(super) fn lines(
    part: &Part,
    asked: &LinesAsked,
    told: &ToldLines,
    room: usize,
    line_chars: usize,
    place: &Place<'_>,
) -> Result<Piece, ToolError> {
    let path = place.shown(&asked.path);
    let Some(first) = told.lines.first() else { return nothing(part, asked, told, &path) };
    let encoding = encoding(told);
    let bytes: usize = told.lines.iter().map(|line| line.bytes.len() + NUMBER_BYTES).sum();
    let (mut body, mut chars, mut last) = (Vec::with_capacity(bytes), 0, None);
    for line in &told.lines {
        let before = body.len();
        show(line, encoding, line_chars, asked.skip, &mut body);
        let cost = self::chars(&body[before..]);
        if room < chars + cost && last.is_some() {
            body.truncate(before);
            break;
        }
        chars += cost;
        last = Some(line.number);
    }
    let last = last.unwrap_or(first.number);
    let shown = u64::try_from(last - first.number + 1).unwrap_or(0);
    let is_all = told.at_end && shown == told.lines.len() as u64;
    let next = (!is_all && part.lines.is_none_or(|lines| shown < lines)).then(|| {
        let lines = part.lines.map(|lines| format!(" lines={}", lines - shown));
        call(&path, &format!("from={}{}", last + 1, lines.unwrap_or_default()))
    });
    let facts = facts(told, &path, encoding, first.number, last, is_all);
    Ok(Piece { facts, body, chars, next })
}

/// What is no text, and which program may say more about it.
pub(super) fn binary(part: &Part, size: u64, what: &str, place: &Place<'_>) -> Piece {
    let path = place.shown(&place.resolve(&part.path));
    let facts = format!("{path}: {what}, {}, not shown as text", amount::size(size));
    let quoted = format!("'{}'", path.replace('\'', "'\\''"));
    let command = match what {
        what if what.contains("SQLite") => format!("sqlite3 -readonly {quoted} .schema"),
        what if what.contains("ZIP") => format!("unzip -l {quoted}"),
        what if what.contains("tar archive") => format!("tar tvf {quoted} | head -50"),
        what if what.contains("ELF") => format!("readelf -h {quoted}"),
        what if what.contains("journal") => format!("journalctl --file {quoted} -n 50"),
        _ => format!("xxd -l 256 {quoted}"),
    };
    Piece { facts, body: Vec::new(), chars: 0, next: Some(format!("shell command={command:?}")) }
}

fn nothing(
    part: &Part,
    asked: &LinesAsked,
    told: &ToldLines,
    path: &str,
) -> Result<Piece, ToolError> {
    if told.size == 0 {
        let about = if told.made.is_empty() { String::new() } else { about(told, Encoding::Utf8) };
        let facts = format!("{path}: empty{about}");
        return Ok(Piece { facts, body: Vec::new(), chars: 0, next: None });
    }
    let total = told.total.map(|total| amount::counted(total, "line", "lines"));
    let has = total.map_or_else(String::new, |total| format!(", which has {total}"));
    let why = format!("line {} is past the end of `{path}`{has}", asked.from);
    let back = part.lines.unwrap_or(100);
    Err(wrong("from", &why, &format!("Count from the end: from=-{back} gives the last {back}.")))
}

/// One line about the lines.
fn facts(
    told: &ToldLines,
    path: &str,
    encoding: Encoding,
    first: i64,
    last: i64,
    is_all: bool,
) -> String {
    let facts = match (told.total, is_all) {
        (Some(total), true) if first == 1 => {
            format!("{path}: {}", amount::counted(total, "line", "lines"))
        }
        (Some(total), _) => format!("{path}: lines {first}-{last} of {}", amount::count(total)),
        (None, _) if first < 0 => format!("{path}: lines {first} to {last}, from the end"),
        (None, _) => format!("{path}: lines {first}-{last}"),
    };
    facts + &about(told, encoding)
}

/// How large it is, and how its bytes became text.
fn about(told: &ToldLines, encoding: Encoding) -> String {
    let mut facts = format!(", {}", amount::size(told.facts.size));
    for made in &told.made {
        facts.push_str(match made {
            Made::Gzip => ", unpacked from gzip",
            Made::Zstandard => ", unpacked from zstd",
            Made::Xz => ", unpacked from xz",
            Made::Bzip2 => ", unpacked from bzip2",
            Made::Utf16Le => ", in UTF-16LE",
            Made::Utf16Be => ", in UTF-16BE",
            Made::Html => ", HTML as text (raw=true for the source)",
            Made::Pdf => ", PDF as text",
        });
    }
    let is_windows = |line: &ToldLine| {
        line.bytes.ends_with(b"\r") && line.length == Some(line.skipped + line.bytes.len() as u64)
    };
    if told.lines.iter().any(is_windows) {
        facts.push_str(", lines end with CRLF");
    }
    match encoding {
        Encoding::Utf8 => {}
        Encoding::Older => facts.push_str(", in Windows-1252 by the look of it"),
        Encoding::Broken => facts.push_str(", not all of it valid UTF-8"),
    }
    match &told.short {
        Some(Short::TooMuch) => facts.push_str(&format!(
            "; only the first {} that come out of it are read here",
            amount::size(told.size)
        )),
        Some(Short::Broken { why }) => facts.push_str(&format!(
            "; broken after {} of what comes out of it: {why}",
            amount::size(told.size)
        )),
        None => {}
    }
    facts
}

/// What the bytes of these lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    /// One byte a character.
    Older,
    /// Mostly UTF-8, with bytes that are not.
    Broken,
}

/// How bytes that are not UTF-8 are meant is seen in all lines together.
fn encoding(told: &ToldLines) -> Encoding {
    let (mut good, mut bad) = (0, 0);
    for line in told.lines.iter().filter(|line| !line.bytes.is_ascii()) {
        let is_cut =
            line.length.is_none_or(|length| line.skipped + (line.bytes.len() as u64) < length);
        // What was cut may begin and end within a character.
        let mut rest = &line.bytes[..];
        if 0 < line.skipped {
            rest = &rest[rest.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count()..];
        }
        let end = rest.len();
        let mut at = 0;
        for chunk in rest.utf8_chunks() {
            at += chunk.valid().len() + chunk.invalid().len();
            good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
            let is_end = is_cut && at == end && chunk.invalid().len() < 4;
            bad += usize::from(!chunk.invalid().is_empty() && !is_end);
        }
    }
    match (good, bad) {
        (_, 0) => Encoding::Utf8,
        (good, bad) if good < bad => Encoding::Older,
        _ => Encoding::Broken,
    }
}

/// A line with its number and, if it is longer than may be shown, the way to the rest.
fn show(line: &ToldLine, encoding: Encoding, line_chars: usize, skip: u64, body: &mut Vec<u8>) {
    let mut bytes = &line.bytes[..];
    let mut skipped = line.skipped;
    if line.number == 1
        && skipped == 0
        && let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf")
    {
        (bytes, skipped) = (rest, 3);
    }
    let is_whole = line.length == Some(skipped + bytes.len() as u64);
    let fits = match encoding {
        Encoding::Older => bytes.len().min(line_chars),
        _ => fitting(bytes, line_chars, is_whole),
    };
    let mut shown = &bytes[..fits];
    let end = skipped + fits as u64;
    if line.length == Some(end) {
        // The end of a line as some systems write it.
        shown = shown.strip_suffix(b"\r").unwrap_or(shown);
    }
    let _ = write!(body, "{}\t", line.number);
    if 0 < skip && 0 < skipped {
        body.extend_from_slice("…".as_bytes());
    }
    match encoding {
        Encoding::Older => body.extend_from_slice(older::decoded(shown).as_bytes()),
        _ => body.extend_from_slice(shown),
    }
    if line.length.is_none_or(|length| end < length) {
        let left = match line.length {
            Some(length) => format!("+{} bytes", amount::count(length - end)),
            None => "it goes on".to_owned(),
        };
        let _ = write!(body, "…[{left}: from={} column={}]", line.number, end + 1);
    }
    body.push(b'\n');
}

/// How many of the bytes are shown in so many characters, without one cut in half.
fn fitting(bytes: &[u8], chars_max: usize, is_whole: bool) -> usize {
    if is_plain(bytes) {
        return bytes.len().min(chars_max);
    }
    let (mut at, mut chars) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            chars += cost(character);
            if chars_max < chars {
                return at;
            }
            at += character.len_utf8();
        }
        let is_last = at + chunk.invalid().len() == bytes.len();
        if is_last && !is_whole && chunk.invalid().len() < 4 && 0 < at {
            // The beginning of a character whose rest did not come along.
            return at;
        }
        for _ in chunk.invalid() {
            chars += INVALID_CHARS;
            if chars_max < chars {
                return at;
            }
            at += 1;
        }
    }
    at
}

/// A byte that is no character is shown as `\xff`.
const INVALID_CHARS: usize = 4;
/// One that would act on whoever looks is shown by its number: `\u{202e}`.
const HIDDEN_CHARS: usize = 10;

/// How many characters are seen of bytes, once what is hidden in them is shown.
pub(super) fn chars(bytes: &[u8]) -> usize {
    if is_plain(bytes) {
        return bytes.len();
    }
    bytes
        .utf8_chunks()
        .map(|chunk| {
            chunk.valid().chars().map(cost).sum::<usize>() + INVALID_CHARS * chunk.invalid().len()
        })
        .sum()
}

/// Whether each byte is a character that is shown as it is, as most are: then none of
/// them has to be looked at alone.
fn is_plain(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |odd, byte| odd | !matches!(byte, b'\t' | b'\n' | b' '..=b'~'))
}

fn cost(character: char) -> usize {
    match character {
        '\t' | '\n' | ' '..='~' => 1,
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => HIDDEN_CHARS,
        '\u{e0000}'..='\u{e0fff}' => HIDDEN_CHARS,
        character if character.is_control() => HIDDEN_CHARS,
        _ => 1,
    }
}
