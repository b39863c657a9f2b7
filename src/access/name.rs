//! The name of a token: what a person calls it, and what the cases that were opened with
//! it belong to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hint::Hint;

/// A word of `a-z`, `0-9`, `-`, `_` and `.`, which begins with one of the first two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenName(String);

const BYTES_MAX: usize = 64;

impl TokenName {
    pub fn parse(given: &str) -> Result<Self, BadTokenName> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
        let is_known = |byte: u8| is_plain(byte) || b"-_.".contains(&byte);
        let begins = given.bytes().next().is_some_and(is_plain);
        if !begins || BYTES_MAX < given.len() || !given.bytes().all(is_known) {
            return Err(BadTokenName(given.chars().take(2 * BYTES_MAX).collect()));
        }
        Ok(Self(given.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TokenName {
    type Error = BadTokenName;

    fn try_from(given: String) -> Result<Self, BadTokenName> {
        Self::parse(&given)
    }
}

impl From<TokenName> for String {
    fn from(name: TokenName) -> Self {
        name.0
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that no token can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name for a token")]
pub struct BadTokenName(String);

impl Hint for BadTokenName {
    fn hint(&self) -> Option<String> {
        Some("Use a-z, 0-9, `-`, `_` and `.`, as in `ci-nightly`.".into())
    }
}

#[cfg(test)]
mod tests {
    use super::TokenName;

    #[test]
    fn a_name_is_one_plain_word() {
        for given in ["ci", "7", "ci-nightly_2.x", &"a".repeat(64)] {
            TokenName::parse(given).unwrap();
        }
        for given in ["", "-ci", ".", "CI", "a b", "a:b", "a/b", "ä", &"a".repeat(65)] {
            TokenName::parse(given).unwrap_err();
        }
    }
}
