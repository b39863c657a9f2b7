//! What a manifest says of a repository: which one, at which commit, and why that.

use std::fmt;

use base16ct::lower::encode_string;
use serde::{Deserialize, Serialize};

use crate::hint::Hint;

/// One repository of the world, at one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping with `name`, `from`, `commit`, `tree` and `rule`"
)]
pub struct Repo {
    pub name: RepoName,
    /// The mirror that it is of, if that has another name: a submodule of two
    /// repositories is there twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<RepoName>,
    /// Where it was fetched from.
    pub from: String,
    pub commit: CommitId,
    /// The tree of that commit, by which its snapshot is found.
    pub tree: TreeId,
    pub rule: Rule,
    /// What was live before it and after it, as far as the rule could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<CommitId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<CommitId>,
    /// Where it belongs, if it is a submodule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// The name of the layer with its `.git`, which stays the same for as long as the
    /// case does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wiring: Option<String>,
}

impl Repo {
    /// The mirror that it is of.
    pub fn mirror(&self) -> &RepoName {
        self.mirror.as_ref().unwrap_or(&self.name)
    }
}

/// The place of a submodule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `repo` and `path`")]
pub struct Within {
    /// The repository that it is a part of.
    pub repo: RepoName,
    /// Its directory there.
    pub path: super::CasePath,
}

/// Which rule answered the question for the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// It was asked for, by its id or by a name that git knows.
    Commit,
    /// A deploy record named it.
    Deploy,
    /// It was the newest on its branch at the time of the incident.
    Branch,
    /// The repository that it is a submodule of recorded it.
    Submodule,
}

/// How much of a repository's history has a name in a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum History {
    /// What was there at the incident.
    #[default]
    UntilIncident,
    /// Every branch and tag.
    Full,
}

/// What a repository is called in the world; it becomes the name of a directory.
///
/// 1 to 64 characters out of letters, digits, `.`, `_` and `-`, beginning with a
/// letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName(String);

impl RepoName {
    pub const CHARS_MAX: usize = 64;

    pub fn parse(given: &str) -> Result<Self, BadRepoName> {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let begins_well = given.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins_well && given.len() <= Self::CHARS_MAX && given.bytes().all(inner) {
            return Ok(Self(given.into()));
        }
        Err(BadRepoName { given: given.chars().take(2 * Self::CHARS_MAX).collect() })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The full id of a commit: 40 hex digits, or 64 in a repository of SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// The full id of a tree, likewise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreeId(String);

impl CommitId {
    /// An id of SHA-1, out of its bytes.
    pub fn of_sha1(bytes: [u8; 20]) -> Self {
        Self(encode_string(&bytes))
    }

    pub fn parse(given: &str) -> Result<Self, BadObjectId> {
        full_id(given).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of it for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl TreeId {
    /// An id of SHA-1, out of its bytes.
    pub fn of_sha1(bytes: [u8; 20]) -> Self {
        Self(encode_string(&bytes))
    }

    pub fn parse(given: &str) -> Result<Self, BadObjectId> {
        full_id(given).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn full_id(given: &str) -> Result<String, BadObjectId> {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if matches!(given.len(), 40 | 64) && given.bytes().all(hex) {
        return Ok(given.into());
    }
    Err(BadObjectId)
}

/// A text that no repository can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a name for a repo")]
pub struct BadRepoName {
    given: String,
}

impl Hint for BadRepoName {
    fn hint(&self) -> Option<String> {
        Some("Use letters, digits, `.`, `_` and `-`, with a letter or digit first.".into())
    }
}

/// A text that is not the whole id of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the full id of a commit or tree")]
pub struct BadObjectId;

impl TryFrom<String> for RepoName {
    type Error = BadRepoName;

    fn try_from(given: String) -> Result<Self, BadRepoName> {
        Self::parse(&given)
    }
}

impl TryFrom<String> for CommitId {
    type Error = BadObjectId;

    fn try_from(given: String) -> Result<Self, BadObjectId> {
        Self::parse(&given)
    }
}

impl TryFrom<String> for TreeId {
    type Error = BadObjectId;

    fn try_from(given: String) -> Result<Self, BadObjectId> {
        Self::parse(&given)
    }
}

impl From<RepoName> for String {
    fn from(name: RepoName) -> Self {
        name.0
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl From<TreeId> for String {
    fn from(id: TreeId) -> Self {
        id.0
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "asked for",
            Self::Deploy => "a deploy record",
            Self::Branch => "the newest on its branch by then",
            Self::Submodule => "recorded as a submodule",
        })
    }
}
