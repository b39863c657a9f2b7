//! Shapes with a rule of their own: what follows `Bearer` and `Basic`, and the
//! password in a URL.

use super::class::{ALNUM, BASE64, Class, TOKEN68, WORD, class, printed_without};
use super::judge;
use super::shape::{Found, run};
use super::window::Window;

const TOKEN_BYTES_MIN: usize = 8;
const USER_BYTES_MAX: usize = 256;
const PASSWORD_BYTES_MAX: usize = 512;

/// `Bearer` and a token.
pub(super) fn bearer(window: &Window<'_>, at: usize) -> Option<Found> {
    let start = after_word(window, at, b"bearer")?;
    let found = run(window, start, &TOKEN68);
    let value = window.seen(start, found.end);
    judge::is_token(value).then_some(found)
}

/// `Basic` and what becomes `user:password` when it is decoded.
pub(super) fn basic(window: &Window<'_>, at: usize) -> Option<Found> {
    let start = after_word(window, at, b"basic")?;
    let found = run(window, start, &BASE64);
    let value = window.seen(start, found.end);
    (TOKEN_BYTES_MIN <= value.len() && names_a_user(value)).then_some(found)
}

/// The password of `scheme://user:password@host`. The anchor is `://` and the byte before.
pub(super) fn url(window: &Window<'_>, at: usize) -> Option<Found> {
    static USER: Class = printed_without("/?#@:\"'`<>\\()[]{},;|");
    static PASSWORD: Class = printed_without("/?#\"'`<>\\");
    let user = at + b"s://".len();
    if !window.has(at, &ALNUM) || !window.starts(at + 1, b"://") {
        return None;
    }
    let colon = window.run(user, &USER, USER_BYTES_MAX);
    if window.get(colon) != Some(b':') {
        return None;
    }
    let start = colon + 1;
    let stop = window.run(start, &PASSWORD, PASSWORD_BYTES_MAX);
    let password = window.seen(start, stop);
    // A password may hold an `@` that should have been encoded.
    let length = password.iter().rposition(|byte| *byte == b'@')?;
    let stands_for_one = judge::stands_for_a_value(password.get(..length)?);
    let found = Found { start, end: start + length, rest: None, wide: false };
    (0 < length && !stands_for_one).then_some(found)
}

/// What follows `&sig=` or `-Signature=`.
pub(super) fn signature(window: &Window<'_>, at: usize) -> Option<Found> {
    const SIGNATURE_BYTES_MIN: usize = 40;
    static SIGNATURE: Class = class("A-Za-z0-9+/=%_-");
    let start = if window.starts_folded(at, b"-signature=") {
        at + b"-signature=".len()
    } else if window.starts_folded(at, b"sig=") && matches!(window.before(at), Some(b'?' | b'&')) {
        at + b"sig=".len()
    } else {
        return None;
    };
    let found = run(window, start, &SIGNATURE);
    let value = window.seen(start, found.end);
    (SIGNATURE_BYTES_MIN <= value.len() && judge::is_random(value)).then_some(found)
}

/// Where the value begins after a word and spaces.
fn after_word(window: &Window<'_>, at: usize, word: &[u8]) -> Option<usize> {
    static SPACES: Class = class(" \t");
    let whole = !window.before(at).is_some_and(|byte| WORD[usize::from(byte)]);
    if !whole || !window.starts_folded(at, word) {
        return None;
    }
    let end = at + word.len();
    if window.starts(end, b"%20") {
        return Some(end + 3);
    }
    let start = window.run(end, &SPACES, 4);
    (end < start).then_some(start)
}

/// Whether base64 holds `user:password`.
fn names_a_user(value: &[u8]) -> bool {
    let padded = value.len().is_multiple_of(4);
    let sextets = value.iter().map_while(|byte| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let sextets: Vec<u32> = sextets.take(USER_BYTES_MAX).collect();
    let bytes: Vec<u8> = sextets
        .chunks(4)
        .flat_map(|group| {
            let bits =
                group.iter().zip([18, 12, 6, 0]).map(|(sextet, by)| sextet << by).sum::<u32>();
            let [_, bytes @ ..] = bits.to_be_bytes();
            bytes.into_iter().take(group.len().saturating_sub(1)).collect::<Vec<u8>>()
        })
        .collect();
    let colon = bytes.iter().position(|byte| *byte == b':');
    let printed = |user: &[u8]| user.iter().all(|byte| (0x20..0x7f).contains(byte));
    padded && colon.is_some_and(|colon| 0 < colon && bytes.get(..colon).is_some_and(printed))
}
