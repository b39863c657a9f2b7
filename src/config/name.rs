//! The name of a policy: it becomes a file name, so it is held to a plain form.

use std::fmt;

use crate::hint::Hint;

/// A name of 1 to 64 characters out of `a-z`, `0-9` and `-`.
///
/// The field is private and [`PolicyName::new`] is the only way in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(String);

const NAME_CHARS_MAX: usize = 64;

impl PolicyName {
    /// The policy of a jail that nobody chose one for.
    pub const DEFAULT: &str = "offline";

    pub fn new(given: &str) -> Result<Self, BadName> {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if given.is_empty() || given.len() > NAME_CHARS_MAX || !given.bytes().all(plain) {
            return Err(BadName { given: given.chars().take(NAME_CHARS_MAX).collect() });
        }
        Ok(Self(given.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PolicyName {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What was given cannot be the name of a policy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} cannot be the name of a policy")]
pub struct BadName {
    given: String,
}

impl Hint for BadName {
    fn hint(&self) -> Option<String> {
        Some(format!("Use 1 to {NAME_CHARS_MAX} characters out of a-z, 0-9 and `-`."))
    }
}

#[cfg(test)]
mod tests {
    use super::PolicyName;

    #[test]
    fn a_name_is_a_plain_file_name() {
        let long = "a".repeat(65);
        for good in ["a", "offline", "read-only", "2", &long[1..]] {
            assert_eq!(PolicyName::new(good).map(|name| name.to_string()), Ok(good.into()));
        }
        for bad in ["", "A", "a.b", "../a", "a/b", "a b", "ä", "a\n", &long] {
            assert!(PolicyName::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(PolicyName::new(PolicyName::DEFAULT), Ok(PolicyName::default()));
    }
}
