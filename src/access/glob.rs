//! Which cases a token names: a pattern of ids, as in `checkout-*`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::case::CaseId;
use crate::hint::Hint;

/// A pattern of case ids, in which `*` stands for anything and `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseGlob(String);

impl CaseGlob {
    /// Checks a pattern that came from outside.
    pub fn parse(given: &str) -> Result<Self, BadGlob> {
        let is_known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'*' | b'?');
        if given.is_empty() || CaseId::BYTES_MAX < given.len() || !given.bytes().all(is_known) {
            return Err(BadGlob(given.chars().take(2 * CaseId::BYTES_MAX).collect()));
        }
        Ok(Self(given.into()))
    }

    pub fn matches(&self, id: &CaseId) -> bool {
        let (glob, text) = (self.0.as_bytes(), id.as_str().as_bytes());
        let (mut at, mut in_text) = (0, 0);
        // The last star, and where in the text what follows it is tried. Only the last
        // one ever has to take more, so this is never slower than the one times the other.
        let mut star = None;
        while in_text < text.len() {
            match glob.get(at) {
                Some(b'*') => {
                    star = Some((at, in_text));
                    at += 1;
                }
                Some(byte) if *byte == b'?' || *byte == text[in_text] => {
                    at += 1;
                    in_text += 1;
                }
                _ => match star {
                    Some((star_at, tried)) => {
                        star = Some((star_at, tried + 1));
                        at = star_at + 1;
                        in_text = tried + 1;
                    }
                    None => return false,
                },
            }
        }
        glob[at..].iter().all(|byte| *byte == b'*')
    }
}

impl TryFrom<String> for CaseGlob {
    type Error = BadGlob;

    fn try_from(given: String) -> Result<Self, BadGlob> {
        Self::parse(&given)
    }
}

impl From<CaseGlob> for String {
    fn from(glob: CaseGlob) -> Self {
        glob.0
    }
}

impl fmt::Display for CaseGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that no id could match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern of case ids")]
pub struct BadGlob(String);

impl Hint for BadGlob {
    fn hint(&self) -> Option<String> {
        Some("Write a-z, 0-9, `-`, `*` and `?`, as in `checkout-*`; `*` alone is all cases.".into())
    }
}

#[cfg(test)]
mod tests {
    use super::CaseGlob;
    use crate::case::CaseId;

    #[test]
    fn a_pattern_matches_whole_ids() {
        #[rustfmt::skip]
        let table = [
            // pattern                id                      matches
            ("*",                     "checkout-5xx-k7f2qa",  true),
            ("**",                    "checkout-5xx-k7f2qa",  true),
            ("checkout-*",            "checkout-5xx-k7f2qa",  true),
            ("checkout-*",            "checkouts-k7f2qa",     false),
            ("checkout",              "checkout-5xx-k7f2qa",  false),
            ("*-k7f2q?",              "checkout-5xx-k7f2qa",  true),
            ("*-k7f2qa?",             "checkout-5xx-k7f2qa",  false),
            ("*5xx",                  "checkout-5xx-k7f2qa",  false),
            ("*5xx*",                 "checkout-5xx-k7f2qa",  true),
            ("*a*a*a-??????",         "aaa-aaaaaa",           true),
            ("*b*",                   "aaa-aaaaaa",           false),
            ("checkout-5xx-k7f2qa",   "checkout-5xx-k7f2qa",  true),
            ("checkout-5xx-k7f2qa*",  "checkout-5xx-k7f2qa",  true),
        ];
        for (glob, id, want) in table {
            let id = CaseId::parse(id).unwrap();
            assert_eq!(CaseGlob::parse(glob).unwrap().matches(&id), want, "{glob} {id}");
        }
    }

    #[test]
    fn what_no_id_could_match_is_refused() {
        for given in ["", "Checkout-*", "a/b", "[ab]", "a b", &"a".repeat(100)] {
            CaseGlob::parse(given).unwrap_err();
        }
    }
}
