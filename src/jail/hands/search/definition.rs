//! Whether a line looks as if it defined what was looked for.
//!
//! A guess that costs little: a word that begins definitions in some language, and
//! then a name in which the match is. What has no such word, as a function in C, is
//! not told from a use.

use std::ops::Range;

/// Words that begin a definition.
#[rustfmt::skip]
const DEFINERS: &[&[u8]] = &[
    b"fn", b"func", b"fun", b"function", b"def", b"defp", b"defmodule", b"sub", b"proc",
    b"class", b"struct", b"enum", b"union", b"trait", b"interface", b"type", b"typedef",
    b"record", b"object", b"module", b"mod", b"namespace", b"protocol", b"extension",
    b"const", b"let", b"var", b"val", b"static", b"#define", b"macro_rules!", b"message",
    b"service", b"rpc", b"resource", b"table",
];

/// Words that may stand before one.
#[rustfmt::skip]
const BEFORE: &[&[u8]] = &[
    b"pub", b"export", b"default", b"async", b"public", b"private", b"protected",
    b"internal", b"final", b"abstract", b"unsafe", b"override", b"virtual", b"inline",
    b"open", b"data", b"sealed", b"extern", b"declare", b"readonly", b"partial", b"mut",
    b"local", b"suspend", b"create", b"CREATE", b"TABLE",
];

/// No more words are looked at.
const WORDS_MAX: usize = 8;

/// `place` finds the match in a line, which is only asked if it may matter.
pub(super) fn defines(line: &[u8], place: impl FnOnce(&[u8]) -> Option<Range<usize>>) -> bool {
    let Some(name) = defined(line) else { return false };
    // One that goes over the whole line or more is in no name.
    place(line).is_some_and(|found| {
        found.start < name.end && name.start < found.end && !is_all(line, &found)
    })
}

fn is_all(line: &[u8], found: &Range<usize>) -> bool {
    found.start == 0 && found.end == line.len()
}

/// Where the name is that a line defines.
fn defined(line: &[u8]) -> Option<Range<usize>> {
    let mut at = 0;
    let mut defines = false;
    for _ in 0..WORDS_MAX {
        at += line[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let rest = &line[at..];
        // What a method is of, in Go, and who may see it, in Rust.
        if rest.starts_with(b"(") && 0 < at {
            at += rest.iter().position(|byte| *byte == b')')? + 1;
            continue;
        }
        let length = rest.iter().take_while(|byte| is_of_a_word(**byte)).count();
        let word = &rest[..length];
        if DEFINERS.contains(&word) {
            defines = true;
        } else if !BEFORE.contains(&word) {
            return (defines && 0 < length).then_some(at..at + length);
        }
        at += length;
    }
    None
}

fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#' | b'!') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::defines;

    #[test]
    fn a_definition_is_told_from_a_use() {
        #[rustfmt::skip]
        let table = [
            // line                                       looked for    defines
            ("pub(crate) async fn charge(card: Card) {",  "charge",     true),
            ("    def charge(self):",                     "charge",     true),
            ("func (s *Server) Charge(c Card) error {",   "Charge",     true),
            ("export default class ChargeService {",      "Charge",     true),
            ("#define CHARGE_MAX 3",                      "CHARGE_MAX", true),
            ("const charge = async () => {",              "charge",     true),
            ("export const charge =",                     "charge",     true),
            ("  let total = charge(card);",               "charge",     false),
            ("charge(card)",                              "charge",     false),
            ("fn pay(card: Card) { charge(card) }",       "charge",     false),
            ("// a function that can charge",             "charge",     false),
            ("function",                                  "function",   false),
            ("fn",                                        "fn",         false),
            ("",                                          "x",          false),
        ];
        for (line, pattern, want) in table {
            let place = |line: &[u8]| {
                let at = std::str::from_utf8(line).unwrap().find(pattern)?;
                Some(at..at + pattern.len())
            };
            assert_eq!(defines(line.as_bytes(), place), want, "{line}");
        }
    }
}
