//! The manifest, `case.yaml`: where a case came from and what it was opened with.
//!
//! It is written whole or not at all, and read strictly: an unknown key is an
//! error, and so is a format that a later casefile wrote, because half of an
//! understanding is worse than none.
//!
//! ```yaml
//! format: 1
//! title: Checkout answers 5xx
//! origin:
//!   by: person
//!   opened: 2026-03-01T03:20:00Z
//! incident:
//!   at: 2026-03-01T03:12:00Z
//!   reference: PD-4411
//! policy: offline
//! repos:
//!   - name: checkout
//!     from: https://git.example.com/checkout.git
//!     commit: 9ab1f3c0d2e4f6a8b0c2d4e6f8091a2b3c4d5e6f
//!     rule: deploy
//! ```

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::PolicyName;
use crate::hint::Hint;
use crate::yaml::{self, Located, Unwritable};

/// The format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// The largest manifest that is read.
pub(super) const MANIFEST_BYTES_MAX: u64 = 256 * 1024;

/// The longest title that is written.
const TITLE_CHARS_MAX: usize = 200;

/// What is known of a case from its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub struct Manifest {
    format: u32,
    /// For people. It may hold anything, so it is escaped wherever it is shown.
    pub title: String,
    pub origin: Origin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
    #[serde(deserialize_with = "read_policy", serialize_with = "write_policy")]
    pub policy: PolicyName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repos: Vec<Repo>,
}

/// Who opened the case, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `by` and `opened`")]
pub struct Origin {
    pub by: Opener,
    pub opened: Timestamp,
}

/// Who can open a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Opener {
    Person,
    Agent,
    Job,
}

/// What is investigated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `at`")]
pub struct Incident {
    pub at: Timestamp,
    /// What the system that reported it calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// One repository of the world, at one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`, `from`, `commit` and `rule`")]
pub struct Repo {
    pub name: RepoName,
    /// Where it was fetched from.
    pub from: String,
    pub commit: CommitId,
    pub rule: Rule,
}

/// Which rule answered the question for the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// It was asked for by its id.
    Commit,
    /// A deploy record named it.
    Deploy,
    /// It was the newest on its branch at the time of the incident.
    Branch,
}

/// What a repository is called in the world; it becomes the name of a directory.
///
/// 1 to 64 characters out of letters, digits, `.`, `_` and `-`, beginning with a
/// letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName(String);

/// The full id of a commit: 40 hex digits, or 64 in a repository of SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

impl Manifest {
    /// A manifest as this casefile writes it.
    pub fn new(title: &str, origin: Origin, policy: PolicyName) -> Result<Self, BadTitle> {
        let title = checked_title(title)?;
        Ok(Self { format: FORMAT, title, origin, incident: None, policy, repos: Vec::new() })
    }

    /// Reads a manifest. `file` is only for the errors.
    pub fn parse(bytes: &[u8], file: &Path) -> Result<Self, Located> {
        // Before anything else: what a later format holds, this one cannot judge.
        let FormatOnly { format } = yaml::parse(bytes, file)?;
        match format {
            FORMAT => (),
            0 => return Err(Located::whole(file, "there is no format 0")),
            newer => {
                let message = format_args!("format {newer} is newer than this casefile reads");
                return Err(Located::whole(file, message)
                    .hint("Upgrade casefile, or use the one that opened the case."));
            }
        }
        let manifest: Self = yaml::parse(bytes, file)?;
        for (at, repo) in manifest.repos.iter().enumerate() {
            if manifest.repos[..at].iter().any(|other| other.name == repo.name) {
                let message = format_args!("two repos are called `{}`", repo.name);
                return Err(Located::whole(file, message));
            }
        }
        Ok(manifest)
    }

    /// The text that [`Manifest::parse`] reads.
    pub fn emit(&self) -> Result<String, Unwritable> {
        yaml::emit(self)
    }

    /// Gives the case another title.
    pub fn retitle(&mut self, title: &str) -> Result<(), BadTitle> {
        self.title = checked_title(title)?;
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(expecting = "a mapping")]
struct FormatOnly {
    format: u32,
}

fn checked_title(given: &str) -> Result<String, BadTitle> {
    let title = given.trim();
    if title.is_empty() {
        return Err(BadTitle::Empty);
    }
    if title.chars().any(char::is_control) {
        return Err(BadTitle::Control);
    }
    if TITLE_CHARS_MAX < title.chars().count() {
        return Err(BadTitle::TooLong);
    }
    Ok(title.into())
}

/// A text that no case can be titled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTitle {
    #[error("the title is empty")]
    Empty,
    #[error("the title holds a control character")]
    Control,
    #[error("the title has more than {TITLE_CHARS_MAX} characters")]
    TooLong,
}

impl Hint for BadTitle {
    fn hint(&self) -> Option<String> {
        Some("Give a title of one line, such as `Checkout answers 5xx`.".into())
    }
}

impl TryFrom<String> for RepoName {
    type Error = BadName;

    fn try_from(given: String) -> Result<Self, BadName> {
        const CHARS_MAX: usize = 64;
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let begins_well = given.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins_well && given.len() <= CHARS_MAX && given.bytes().all(inner) {
            return Ok(Self(given));
        }
        Err(BadName("not a name for a repo"))
    }
}

impl TryFrom<String> for CommitId {
    type Error = BadName;

    fn try_from(given: String) -> Result<Self, BadName> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if matches!(given.len(), 40 | 64) && given.bytes().all(hex) {
            return Ok(Self(given));
        }
        Err(BadName("not the full id of a commit"))
    }
}

/// A text that names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(&'static str);

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

impl fmt::Display for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "a person",
            Self::Agent => "an agent",
            Self::Job => "a job",
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "asked for by its id",
            Self::Deploy => "from a deploy record",
            Self::Branch => "newest on its branch at the incident",
        })
    }
}

fn read_policy<'de, D: Deserializer<'de>>(from: D) -> Result<PolicyName, D::Error> {
    PolicyName::new(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn write_policy<S: Serializer>(policy: &PolicyName, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(policy.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::{BadTitle, Manifest};
    use crate::hint::Hint;

    const WHOLE: &str = "\
format: 1
title: Checkout answers 5xx
origin:
  by: person
  opened: 2026-03-01T03:20:00Z
incident:
  at: 2026-03-01T03:12:00Z
  reference: PD-4411
policy: offline
repos:
  - name: checkout
    from: https://git.example.com/checkout.git
    commit: 9ab1f3c0d2e4f6a8b0c2d4e6f8091a2b3c4d5e6f
    rule: deploy
";

    fn parse(text: &str) -> Result<Manifest, String> {
        Manifest::parse(text.as_bytes(), Path::new("case.yaml")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let manifest = parse(WHOLE).unwrap();
        assert_eq!(parse(&manifest.emit().unwrap()), Ok(manifest));
    }

    #[test]
    fn a_manifest_that_is_not_right_is_refused_where_it_is_wrong() {
        #[rustfmt::skip]
        let table = [
            // what is written        instead of                      what is said
            ("format: 1",             "format: 0",                    "case.yaml: there is no format 0"),
            ("format: 1\n",           "",                             "`format` is missing"),
            ("format: 1",             "format: one",                  "case.yaml:1:9"),
            ("title: Checkout",       "titel: Checkout",              "case.yaml:2:1: unknown key `titel`"),
            ("by: person",            "by: ghost",                    "case.yaml:4:7: unknown value `ghost`"),
            ("03:20:00Z",             "25:20:00Z",                    "case.yaml:5:"),
            ("opened: 2026",          "closed: 2026",                 "case.yaml:5:3: unknown key `closed`"),
            ("policy: offline",       "policy: ../offline",           "case.yaml:9:"),
            ("name: checkout",        "name: ../checkout",            "not a name for a repo"),
            ("name: checkout",        "name: .git",                   "not a name for a repo"),
            ("9ab1f3c0",              "HEAD",                         "not the full id of a commit"),
            ("rule: deploy",          "rule: deploys",                "case.yaml:14:11: unknown value `deploys`"),
            ("rule: deploy\n",        "rule: deploy\nrepos: []\n",    "`repos` is given twice"),
        ];
        for (from, to, want) in table {
            let got = parse(&WHOLE.replacen(from, to, 1)).unwrap_err();
            assert!(got.contains(want), "{to:?} gave {got:?}");
        }
        let twice = WHOLE.to_owned() + &WHOLE[WHOLE.find("  - name").unwrap()..];
        assert_eq!(parse(&twice).unwrap_err(), "case.yaml: two repos are called `checkout`");
    }

    #[test]
    fn a_later_format_says_to_upgrade_and_not_what_it_does_not_know() {
        let text = WHOLE.replace("format: 1", "format: 2\nlayers: [a, b]");
        let error = Manifest::parse(text.as_bytes(), Path::new("case.yaml")).unwrap_err();
        assert_eq!(error.to_string(), "case.yaml: format 2 is newer than this casefile reads");
        assert!(Hint::hint(&error).unwrap().starts_with("Upgrade casefile"));
    }

    #[test]
    fn a_title_is_one_line_that_says_something() {
        let mut manifest = parse(WHOLE).unwrap();
        let long = "x".repeat(201);
        #[rustfmt::skip]
        let table = [
            // given          kept, or why not
            (" down ",        Ok("down")),
            (&long[1..],      Ok(&long[1..])),
            ("",              Err(BadTitle::Empty)),
            (" \n",           Err(BadTitle::Empty)),
            ("a\nb",          Err(BadTitle::Control)),
            ("a\x1b[31mb",    Err(BadTitle::Control)),
            (&long,           Err(BadTitle::TooLong)),
        ];
        for (given, want) in table {
            let before = manifest.title.clone();
            assert_eq!(manifest.retitle(given), want.map(|_| ()), "given {given:?}");
            assert_eq!(manifest.title, want.unwrap_or(&before), "given {given:?}");
        }
    }

    proptest! {
        /// `on`, `1e3`, `- x`, `# x`, quotes: none of them changes on the way.
        #[test]
        fn every_title_survives_the_way_to_the_disk(title in "\\PC{1,60}") {
            let mut manifest = parse(WHOLE).unwrap();
            if manifest.retitle(&title).is_ok() {
                let text = manifest.emit().unwrap();
                prop_assert_eq!(parse(&text), Ok(manifest), "written as {}", text);
            }
        }
    }
}
