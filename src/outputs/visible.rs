//! Any bytes as text that only shows something, and does nothing.
//!
//! What came out of a jail may hold what a terminal acts on, what turns text round so
//! that it reads as something else, and what nobody sees but a model reads all the
//! same. All of it is spelled out. Tabs and the ends of lines stay what they are.
//!
//! ```text
//! ESC, NUL, CR, DEL …        ␛ ␀ ␍ ␡       one character for one
//! bidi marks, invisible      \u{202e}
//! bytes that are no UTF-8    \xff
//! ```

use std::borrow::Cow;
use std::fmt::Write;

/// The text of these bytes, with everything visible that is in them. Done twice it
/// changes nothing more.
pub fn visible(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && (is_plain(bytes) || !text.chars().any(hides))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + bytes.len() / 4);
    spell(bytes, |piece, _| {
        out.push_str(piece);
        true
    });
    Cow::Owned(out)
}

/// As much of it, on one line, as fits into so many characters, and how many of the
/// bytes that is. Nothing is cut in half, not even what was spelled out.
pub(super) fn visible_start(bytes: &[u8], chars_max: usize) -> (String, usize) {
    let (mut out, mut chars, mut taken) = (String::new(), 0, 0);
    spell(bytes, |piece, of| {
        let piece = if piece == "\n" { "␊" } else { piece };
        chars += piece.chars().count();
        if chars_max < chars {
            return false;
        }
        out.push_str(piece);
        taken += of;
        true
    });
    (out, taken)
}

/// The same of the end.
pub(super) fn visible_end(bytes: &[u8], chars_max: usize) -> (String, usize) {
    // A character is at most four bytes, and no more than those are looked at.
    let mut from = bytes.len().saturating_sub(chars_max.saturating_mul(4));
    while from < bytes.len() && bytes[from] & 0xc0 == 0x80 {
        from += 1;
    }
    let mut pieces = Vec::new();
    spell(&bytes[from..], |piece, of| {
        let piece = if piece == "\n" { "␊" } else { piece };
        pieces.push((piece.to_owned(), of));
        true
    });
    let (mut chars, mut taken, mut first) = (0, 0, pieces.len());
    for (at, (piece, of)) in pieces.iter().enumerate().rev() {
        chars += piece.chars().count();
        if chars_max < chars {
            break;
        }
        taken += of;
        first = at;
    }
    let out = pieces[first..].iter().map(|(piece, _)| piece.as_str()).collect();
    (out, taken)
}

/// Gives `take` one visible piece after the other, each with the number of bytes that
/// it stands for, until it has enough.
fn spell(bytes: &[u8], mut take: impl FnMut(&str, usize) -> bool) {
    let mut spelled = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            spelled.clear();
            let _ = match c {
                c if !hides(c) => write!(spelled, "{c}"),
                '\0'..='\x1f' => write!(spelled, "{}", picture(c)),
                '\x7f' => write!(spelled, "␡"),
                c => write!(spelled, "{}", c.escape_unicode()),
            };
            if !take(&spelled, c.len_utf8()) {
                return;
            }
        }
        for byte in chunk.invalid() {
            spelled.clear();
            let _ = write!(spelled, "\\x{byte:02x}");
            if !take(&spelled, 1) {
                return;
            }
        }
    }
}

/// The picture that Unicode has of a control character below the space.
fn picture(c: char) -> char {
    char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')
}

/// Whether all of it is ASCII that is seen as what it is: what most of all text is, told
/// many bytes at a time.
fn is_plain(bytes: &[u8]) -> bool {
    let shows = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    bytes.chunks(64).all(|chunk| chunk.iter().fold(true, |all, byte| all & shows(byte)))
}

/// Whether a character is not seen as what it is.
fn hides(c: char) -> bool {
    match c {
        '\n' | '\t' | ' '..='~' => false,
        c if c.is_control() => true,
        // Turning text round.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        // Ends of lines that look like none, and marks of byte order.
        '\u{2028}' | '\u{2029}' | '\u{feff}' => true,
        // Nothing to see. The two joiners stay: whole scripts and emoji need them.
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' => {
            true
        }
        '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{3164}' => true,
        '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' => true,
        // Letters that only a model reads: tags, and the selectors beyond those of emoji.
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{hides, visible, visible_end, visible_start};

    #[test]
    fn everything_is_seen() {
        #[rustfmt::skip]
        let table: &[(&[u8], &str)] = &[
            (b"plain\ttext\n",                        "plain\ttext\n"),
            ("é 🔥 日本 👩\u{200d}💻".as_bytes(),       "é 🔥 日本 👩\u{200d}💻"),
            (b"\x1b[31mred\x1b]0;x\x07",              "␛[31mred␛]0;x␇"),
            (b"a\r\nb\0c\x7f",                        "a␍\nb␀c␡"),
            ("\u{9b}2J".as_bytes(),                   "\\u{9b}2J"),
            ("\u{202e}gnp\u{2066}".as_bytes(),        "\\u{202e}gnp\\u{2066}"),
            ("\u{feff}a\u{200b}b\u{2028}".as_bytes(), "\\u{feff}a\\u{200b}b\\u{2028}"),
            ("x\u{e0041}\u{e0100}".as_bytes(),        "x\\u{e0041}\\u{e0100}"),
            (b"\xff\xc3(\xe2\x82",                    "\\xff\\xc3(\\xe2\\x82"),
        ];
        for (bytes, want) in table {
            assert_eq!(visible(bytes), *want, "{bytes:?}");
        }
    }

    #[test]
    fn a_cut_leaves_nothing_in_half() {
        #[rustfmt::skip]
        let table = [
            // bytes             fits  the start, of     the end, of
            (&b"abcdef"[..],     3,    ("abc", 3),       ("def", 3)),
            (b"ab\xff\xfe",      5,    ("ab", 2),        ("\\xfe", 1)),
            ("日本語".as_bytes(),   2,    ("日本", 6),       ("本語", 6)),
            (b"a\nb",            9,    ("a␊b", 3),       ("a␊b", 3)),
            (b"abc",             0,    ("", 0),          ("", 0)),
        ];
        for (bytes, fits, (start, of_start), (end, of_end)) in table {
            assert_eq!(visible_start(bytes, fits), (start.into(), of_start), "{bytes:?}");
            assert_eq!(visible_end(bytes, fits), (end.into(), of_end), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_to_hide(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = visible(&bytes);
            prop_assert!(!text.chars().any(hides));
            prop_assert_eq!(visible(text.as_bytes()), &*text);
        }

        #[test]
        fn text_as_well(text in "\\PC*|[\u{0}-\u{ff}\u{2000}-\u{20ff}\u{e0000}-\u{e0fff}]*") {
            prop_assert!(!visible(text.as_bytes()).chars().any(hides));
        }

        #[test]
        fn a_start_and_an_end_are_as_long_as_they_may_be(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), max in 0usize..100,
        ) {
            for (out, taken) in [visible_start(&bytes, max), visible_end(&bytes, max)] {
                prop_assert!(out.chars().count() <= max);
                prop_assert!(taken <= bytes.len());
                prop_assert!(!out.chars().any(|c| hides(c) || c == '\n'));
            }
            let whole = visible(&bytes).replace('\n', "␊");
            let (start, taken) = visible_start(&bytes, max);
            prop_assert!(whole.starts_with(&start));
            prop_assert_eq!(taken == bytes.len(), start == whole);
        }
    }
}
