//! The name of a case: a readable slug and a random tail, `checkout-5xx-k7f2qa`.
//!
//! It becomes the name of a directory and an argument of every tool, so nothing
//! but `a-z`, `0-9` and `-` is ever in one. The slug is for people; the tail is
//! what keeps two cases of the same title apart.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hint::Hint;

/// The id of a case.
///
/// Invariant: one or more parts of `a-z` and `0-9` joined by `-`, the last one
/// the tail; at most [`CaseId::BYTES_MAX`] bytes. The field is private, and
/// [`CaseId::new`] and [`CaseId::parse`] are the only ways in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseId(String);

const SLUG_BYTES_MAX: usize = 40;
const TAIL_BYTES: usize = 6;

/// No `i`, `l`, `o` or `u`: they are misread, or spell words.
const TAIL_LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What stands for a title without a single usable character.
const SLUG_OF_NOTHING: &str = "case";

impl CaseId {
    /// A slug as long as a line can bear, a hyphen, and the tail.
    pub const BYTES_MAX: usize = SLUG_BYTES_MAX + 1 + TAIL_BYTES;

    /// An id for a case of this title. The caller brings the randomness.
    pub fn new(title: &str, random: [u8; TAIL_BYTES]) -> Self {
        let tail = random.map(|byte| char::from(TAIL_LETTERS[usize::from(byte) % 32]));
        Self(format!("{}-{}", slug(title), String::from_iter(tail)))
    }

    /// Checks an id that came from outside.
    pub fn parse(given: &str) -> Result<Self, BadId> {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
        let bad = || BadId { given: given.chars().take(2 * Self::BYTES_MAX).collect() };
        if Self::BYTES_MAX < given.len() {
            return Err(bad());
        }
        let (slug, tail) = given.rsplit_once('-').ok_or_else(bad)?;
        let parts_are_plain =
            slug.split('-').all(|part| !part.is_empty() && part.bytes().all(plain));
        let tail_is_tail =
            tail.len() == TAIL_BYTES && tail.bytes().all(|byte| TAIL_LETTERS.contains(&byte));
        if !parts_are_plain || !tail_is_tail {
            return Err(bad());
        }
        Ok(Self(given.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CaseId {
    type Error = BadId;

    fn try_from(given: String) -> Result<Self, BadId> {
        Self::parse(&given)
    }
}

impl From<CaseId> for String {
    fn from(id: CaseId) -> Self {
        id.0
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not the id of any case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a case id")]
pub struct BadId {
    given: String,
}

impl Hint for BadId {
    fn hint(&self) -> Option<String> {
        Some("Use an id that `casefile list` shows, such as `checkout-5xx-k7f2qa`.".into())
    }
}

/// The words of a title that a directory's name can bear, whole ones if the
/// limit allows.
fn slug(title: &str) -> String {
    let mut slug = String::with_capacity(SLUG_BYTES_MAX);
    let words = title
        .split(|c: char| !c.is_alphanumeric())
        .map(|word| word.chars().filter(char::is_ascii).collect::<String>())
        .filter(|word| !word.is_empty());
    for word in words {
        let room = SLUG_BYTES_MAX - slug.len();
        if slug.is_empty() {
            slug.extend(word.to_ascii_lowercase().chars().take(room));
        } else if word.len() < room {
            slug.push('-');
            slug.push_str(&word.to_ascii_lowercase());
        } else {
            break;
        }
    }
    if slug.is_empty() { SLUG_OF_NOTHING.into() } else { slug }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::CaseId;

    #[test]
    fn a_title_becomes_a_name_that_people_can_read() {
        let long = "x".repeat(10_000);
        let words = "timeout ".repeat(2_000);
        #[rustfmt::skip]
        let table: &[(&str, &str)] = &[
            // title                                slug
            ("Checkout 5xx",                        "checkout-5xx"),
            ("  payments/EU: latency > 2s  ",       "payments-eu-latency-2s"),
            ("../../etc/passwd",                    "etc-passwd"),
            ("-rf --no-preserve-root",              "rf-no-preserve-root"),
            ("a\0b\nc\x1b[31md",                    "a-b-c-31md"),
            ("Crème brûlée down",                   "crme-brle-down"),
            ("Ошибка 500 в корзине",                "500"),
            ("\u{202e}gnp.exe",                     "gnp-exe"),
            ("",                                    "case"),
            ("🔥🔥🔥",                              "case"),
            ("...",                                 "case"),
            (&long,                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
            (&words,                                "timeout-timeout-timeout-timeout-timeout"),
        ];
        for (title, slug) in table {
            let id = CaseId::new(title, [0, 1, 9, 10, 31, 255]);
            assert_eq!(id.as_str(), format!("{slug}-019azz"), "title {title:?}");
            assert_eq!(CaseId::parse(id.as_str()), Ok(id.clone()), "title {title:?}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let long = format!("{}-k7f2qa", "a".repeat(41));
        #[rustfmt::skip]
        let table = [
            "", "-", "k7f2qa", "-k7f2qa", "a--k7f2qa", "a-k7f2q", "a-k7f2qaa", "A-k7f2qa",
            "a-K7F2QA", "a-k7f2qi", "a-b-", "../a-k7f2qa", "a/b-k7f2qa", ".a-k7f2qa",
            "a-k7f2qa\n", "a-k7f2qa/", "a\0-k7f2qa", "é-k7f2qa", &long,
        ];
        for given in table {
            assert!(CaseId::parse(given).is_err(), "given {given:?}");
        }
        assert!(CaseId::parse(&long[1..]).is_ok(), "the longest id is one");
    }

    proptest! {
        #[test]
        fn every_title_gives_an_id_that_is_one(title in ".{0,300}", random: [u8; 6]) {
            let id = CaseId::new(&title, random);
            prop_assert!(id.as_str().len() <= CaseId::BYTES_MAX);
            prop_assert_eq!(CaseId::parse(id.as_str()), Ok(id.clone()));
        }

        #[test]
        fn what_passes_as_an_id_is_one_plain_name(given in "[a-z0-9./\\-]{0,20}") {
            if let Ok(id) = CaseId::parse(&given) {
                prop_assert!(!id.as_str().contains(['/', '.']));
                prop_assert!(!id.as_str().starts_with('-'));
            }
        }
    }
}
