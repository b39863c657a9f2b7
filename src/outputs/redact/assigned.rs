//! What is assigned to a name such as `password` or `api_key`: in environments,
//! configuration, JSON, YAML, XML, URLs, code and command lines.
//!
//! Three things must agree: the name, a sign that assigns, and a value that looks
//! like a secret.

use super::class::{Class, DOTTED, WORD, class, printed_without};
use super::judge::{self, JUDGED_BYTES_MAX};
use super::mark;
use super::shape::{Covered, Found, run};
use super::window::Window;

/// The names of one kind of secret.
pub(super) struct Names {
    /// In lower case; the first that fits counts.
    pub(super) words: &'static [&'static str],
    /// One of these stands before the word, with or without a sign between. None: the
    /// word needs nothing before it.
    pub(super) after: &'static [&'static str],
    /// The word is no part of a longer one.
    pub(super) alone: bool,
    /// Which values count.
    pub(super) value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// Only what a machine made up.
    Random,
    /// What a person made up as well.
    Password,
}

/// What may follow the word and is still the same name.
const ENDINGS: &[&str] = &[
    "s",
    "key",
    "keys",
    "access",
    "base",
    "value",
    "val",
    "text",
    "string",
    "str",
    "data",
    "hex",
    "b64",
    "base64",
    "raw",
    "plain",
    "plaintext",
    "encoded",
    "prod",
    "production",
    "dev",
    "staging",
    "test",
    "live",
    "old",
    "new",
    "current",
    "previous",
    "next",
    "primary",
    "secondary",
    "default",
    "admin",
    "user",
    "root",
    "db",
    "a",
    "b",
    "enc",
    "md5",
    "token",
    "secret",
    "password",
];
/// What the name of a variable says last if its value is no secret.
const ABOUT: &[&str] = &[
    "id",
    "ids",
    "name",
    "names",
    "url",
    "uri",
    "arn",
    "file",
    "path",
    "dir",
    "type",
    "ttl",
    "version",
    "ref",
    "count",
    "length",
    "size",
    "limit",
    "expiry",
    "expires",
    "issuer",
    "env",
    "field",
    "header",
    "service",
    "server",
    "host",
    "endpoint",
    "image",
    "policy",
    "alg",
    "algorithm",
    "created",
    "at",
];

const NAME_BYTES_MAX: usize = 48;
const SPACES_MAX: usize = 16;

/// Values in quotes, and those that have a line for themselves.
static WIDE: Class = printed_without("\"'`");
/// Values among other things.
static NARROW: Class = printed_without("\"'`()[]{}<>;,&|\\");
static SPACES: Class = class(" \t");

pub(super) fn find(
    window: &Window<'_>,
    at: usize,
    names: &Names,
    covered: Covered,
) -> Option<Found> {
    let name = name(window, at, names)?;
    let place = sign(window, &name)?;
    // Before it was clean, this was the end of another name.
    if mark::ends_before(window, name.start) {
        return None;
    }
    let wide = place.quoted || place.alone;
    let set = if wide { &WIDE } else { &NARROW };
    if place.at < covered.wide || !wide && place.at < covered.any {
        return None;
    }
    let judged = window.run(place.at, set, JUDGED_BYTES_MAX);
    let value = window.seen(place.at, judged);
    // A call or an index: this is code.
    let code = !wide && matches!(window.get(judged), Some(b'(' | b'[' | b'{'));
    let secret = match names.value {
        Value::Random => judge::is_random(value),
        Value::Password => judge::is_random(value) || judge::is_password(value, wide),
    };
    if code || !secret {
        return None;
    }
    let mut found = Found { wide, ..run(window, place.at, set) };
    if place.tagged && !window.starts(found.end, b"</") {
        return None;
    }
    // What escapes the quote that ends the value.
    while place.quoted && found.start < found.end && window.before(found.end) == Some(b'\\') {
        found.end -= 1;
    }
    Some(found)
}

/// A name, up to its end.
struct Name {
    start: usize,
    end: usize,
    /// All in capitals.
    loud: bool,
}

fn name(window: &Window<'_>, at: usize, names: &Names) -> Option<Name> {
    // Where many words end alike, the anchor is the byte before and the ending.
    let (at, word) = names.words.iter().find_map(|word| {
        let (at, word) = word.strip_prefix('?').map_or((at, *word), |word| (at + 1, word));
        window.starts_folded(at, word.as_bytes()).then_some((at, word))
    })?;
    let start = (0..NAME_BYTES_MAX).try_fold(at, |start, _| match window.before(start) {
        Some(byte) if DOTTED[usize::from(byte)] => Ok(start - 1),
        _ => Err(start),
    });
    let start = start.unwrap_or_else(|start| start);
    let joined = window.before(at).is_some_and(|byte| matches!(byte, b'_' | b'-' | b'.' | b' '));
    let before = if joined { at - 1 } else { at };
    let after = |word: &&str| window.ends_folded(before, word.as_bytes());
    if !names.after.is_empty() && !names.after.iter().any(after) {
        return None;
    }
    if names.alone && !stands_alone(window, at) {
        return None;
    }
    let end_of_word = at + word.len();
    let end = window.run(end_of_word, &DOTTED, NAME_BYTES_MAX);
    let ending = window.seen(end_of_word, end);
    let loud = !window.seen(start, end).iter().any(u8::is_ascii_lowercase);
    let words = words(ending);
    let plain = words.iter().all(|word| is_count(word) || ENDINGS.contains(&word.as_str()));
    let about = words.last().is_some_and(|word| ABOUT.contains(&word.as_str()));
    (plain || loud && !about).then_some(Name { start, end, loud })
}

/// Whether a word such as `pass` is one: `DB_PASS`, `dbPass`, `"pass"`, not `compass`.
fn stands_alone(window: &Window<'_>, at: usize) -> bool {
    let capital = window.get(at).is_some_and(|byte| byte.is_ascii_uppercase());
    match window.before(at) {
        Some(b'_' | b'-' | b'.' | b'"' | b'\'' | b'?' | b'&' | b'<' | b';') => true,
        Some(before) => capital && before.is_ascii_lowercase(),
        None => false,
    }
}

/// The words of the end of a name: `_accessKey2` is `access`, `key`, `2`.
fn words(ending: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = b'A';
    for byte in ending {
        let border = previous.is_ascii_lowercase() && byte.is_ascii_uppercase()
            || previous.is_ascii_digit() != byte.is_ascii_digit();
        if border || !WORD[usize::from(*byte)] || *byte == b'_' {
            words.push(String::new());
        }
        if let (true, Some(word)) = (byte.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        previous = *byte;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_count(word: &str) -> bool {
    word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a value stands.
struct Place {
    at: usize,
    quoted: bool,
    /// `NAME=value`, as in an environment: all of it is the value.
    alone: bool,
    /// `<name>value</name>`.
    tagged: bool,
}

/// Past the sign that assigns, to the value.
fn sign(window: &Window<'_>, name: &Name) -> Option<Place> {
    let unquoted = quote(window, name.end);
    let closed = if window.get(unquoted) == Some(b']') { unquoted + 1 } else { unquoted };
    let spaced = window.run(closed, &SPACES, SPACES_MAX);
    let flag = window.starts(name.start, b"--");
    let signs: [&[u8]; 7] = [b":=", b"=>", b"===", b"==", b"=", b":", b"%3d"];
    let sign = signs.into_iter().find(|sign| window.starts_folded(spaced, sign));
    let tagged = sign.is_none()
        && spaced == name.end
        && window.get(spaced) == Some(b'>')
        && window.before(name.start) == Some(b'<');
    let (after, comma) = match (sign, window.get(spaced)) {
        (Some(sign), _) => (spaced + sign.len(), false),
        (None, Some(b'>')) if tagged => (spaced + 1, false),
        // ("password", "…")
        (None, Some(b',')) if name.end < unquoted => (spaced + 1, true),
        // --password …
        (None, _) if flag && name.end < spaced => (spaced, false),
        _ => return None,
    };
    let value = window.run(after, &SPACES, SPACES_MAX);
    let prefixed = window.has(value, &class("bBrRuU")) && window.has(value + 1, &class("\"'"));
    let at = quote(window, if prefixed { value + 1 } else { value });
    let quoted = value < at && !window.starts(value, b"%");
    if comma && !quoted {
        return None;
    }
    let tight = spaced == name.end && value == after && sign == Some(b"=");
    Some(Place { at, quoted, alone: name.loud && tight && !quoted, tagged })
}

/// Past a quote, however it is escaped.
fn quote(window: &Window<'_>, at: usize) -> usize {
    static ESCAPES: Class = class("\\");
    static QUOTES: Class = class("\"'`");
    let escaped = window.run(at, &ESCAPES, 7);
    if window.has(escaped, &QUOTES) {
        escaped + 1
    } else if window.starts_folded(at, b"%22") {
        at + 3
    } else {
        at
    }
}
