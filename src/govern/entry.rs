//! One call as the journal has it, and the line that it becomes.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What there is to say of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it began.
    pub at: Timestamp,
    /// The key of whoever asked, where tokens say who that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub tool: String,
    /// Without secrets.
    pub arguments: serde_json::Value,
    pub verdict: Verdict,
    /// How it went, in the words that were shown.
    pub outcome: String,
    pub micros: u64,
    /// How much the tool gave.
    pub bytes: u64,
    /// What was shown costs about so many tokens.
    pub tokens: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<KeptAs>,
    /// Kept outputs that were dropped to make room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
}

/// Whether a call was let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Allowed,
    Refused { why: String },
}

/// An output that was kept as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAs {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The first is 1.
    pub n: u64,
    #[serde(flatten)]
    pub entry: Entry,
    /// The hash of the line before.
    pub before: Hash,
}

/// SHA-256 of a line, without its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first line names: there is nothing before it.
    pub(super) const NOTHING: Self = Self([0; 32]);

    pub(super) fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |at: usize| match digits[at] {
                lower @ (b'0'..=b'9' | b'a'..=b'f') => char::from(lower).to_digit(16),
                _ => None,
            };
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a hash"))
    }
}
