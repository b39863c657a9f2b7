//! What is never shown, as tables: how it is called, how it begins, how it looks,
//! and examples of what is meant and what is not.
//!
//! A secret in an example stands between « and ». A `~` is left out of an example
//! before it is used, so that nobody takes this source for a leak.

mod names;
mod tokens;

use super::shape::Shape;

/// A kind of secret.
pub(super) struct Rule {
    /// What it is called where it stood.
    pub(super) name: &'static str,
    /// What it opens, for whoever reads the table.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers, and the test that wants it"))]
    pub(super) what: &'static str,
    /// It begins with one of these; the first four bytes are looked for, in any case.
    /// `?` is a letter, a digit, `_` or `-`.
    pub(super) anchors: &'static [&'static str],
    pub(super) shape: Shape,
    #[cfg_attr(not(test), expect(dead_code, reason = "held by the tests"))]
    pub(super) matches: &'static [&'static str],
    #[cfg_attr(not(test), expect(dead_code, reason = "held by the tests"))]
    pub(super) misses: &'static [&'static str],
}

/// All of them. Where two begin at the same place, the longer counts, then the first.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    tokens::TOKENS.iter().chain(names::NAMES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::sieve::GRAM_BYTES;
    use super::super::{Secrets, text};
    use super::all;

    #[test]
    fn every_rule_says_what_it_is_and_has_examples_both_ways() {
        let mut names = BTreeSet::new();
        for rule in all() {
            let name = rule.name;
            assert!(!rule.what.is_empty(), "{name}");
            assert!(!rule.anchors.is_empty(), "{name}");
            assert!(!rule.matches.is_empty() && !rule.misses.is_empty(), "{name}");
            assert!(names.insert(name), "{name} is there twice");
            for anchor in rule.anchors {
                assert!(GRAM_BYTES <= anchor.len(), "{name}: {anchor:?}");
            }
        }
    }

    /// Exactly what stands between « and » is hidden, under the name of the rule.
    #[test]
    fn every_example_of_a_secret_is_hidden_and_nothing_beside_it() {
        let secrets = Secrets::new([7; 16], Vec::new()).unwrap();
        for rule in all() {
            for example in rule.matches {
                let example = example.replace('~', "");
                assert!(example.contains('«'), "{}: {example}", rule.name);
                let plain = example.replace(['«', '»'], "");
                let mut want = String::new();
                for piece in example.split('«') {
                    let (secret, rest) = piece.split_once('»').unwrap_or(("", piece));
                    if !secret.is_empty() {
                        want += &format!("[redacted: {} #", rule.name);
                    }
                    want += rest;
                }
                let got = text(&secrets, &plain);
                let without_digits = got.split(" #").enumerate().map(|(place, piece)| {
                    if place == 0 { piece } else { piece.get(5..).unwrap_or(piece) }
                });
                let without_digits = without_digits.collect::<Vec<_>>().join(" #");
                assert_eq!(without_digits, want, "{}: {plain}", rule.name);
                assert_eq!(*text(&secrets, &got), *got, "{}: twice", rule.name);
            }
        }
    }

    #[test]
    fn every_example_that_is_no_secret_stays() {
        let secrets = Secrets::new([7; 16], Vec::new()).unwrap();
        for rule in all() {
            for example in rule.misses {
                let plain = example.replace('~', "");
                assert_eq!(*text(&secrets, &plain), *plain, "{}", rule.name);
            }
        }
    }
}
