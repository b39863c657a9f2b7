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
//! owner: token:ci
//! incident:
//!   at: 2026-03-01T03:12:00Z
//!   reference: PD-4411
//! policy: offline
//! repos:
//!   - name: checkout
//!     from: https://git.example.com/checkout.git
//!     commit: 9ab1f3c0d2e4f6a8b0c2d4e6f8091a2b3c4d5e6f
//!     tree: 4b825dc642cb6eb9a060e54bf8d69288fbee4904
//!     rule: deploy
//! ```

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{CaseId, History, LayerId, Repo};
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
    /// Whose it is among those who are let in with a token: the key of a principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
    #[serde(deserialize_with = "read_policy", serialize_with = "write_policy")]
    pub policy: PolicyName,
    /// Where deploys count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repos: Vec<Repo>,
    #[serde(default)]
    pub history: History,
    /// Whether what is written there is kept safe from a power cut, at the price of
    /// waiting for the disk.
    #[serde(default)]
    pub durable: bool,
    /// The how-manieth of its layers it writes into.
    #[serde(default)]
    pub layer: u32,
    /// What it lies on that it shares with other cases, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<LayerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<CaseId>,
    /// When nobody was to work in it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
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

impl Manifest {
    /// A manifest as this casefile writes it.
    pub fn new(title: &str, origin: Origin, policy: PolicyName) -> Result<Self, BadTitle> {
        let title = checked_title(title)?;
        Ok(Self {
            format: FORMAT,
            title,
            origin,
            owner: None,
            incident: None,
            policy,
            environment: None,
            repos: Vec::new(),
            history: History::default(),
            durable: false,
            layer: 0,
            below: Vec::new(),
            forked_from: None,
            closed: None,
        })
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

impl fmt::Display for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "a person",
            Self::Agent => "an agent",
            Self::Job => "a job",
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
owner: token:ci
incident:
  at: 2026-03-01T03:12:00Z
  reference: PD-4411
policy: offline
repos:
  - name: checkout
    from: https://git.example.com/checkout.git
    commit: 9ab1f3c0d2e4f6a8b0c2d4e6f8091a2b3c4d5e6f
    tree: 4b825dc642cb6eb9a060e54bf8d69288fbee4904
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
            ("policy: offline",       "policy: ../offline",           "case.yaml:10:"),
            ("name: checkout",        "name: ../checkout",            "is not a name for a repo"),
            ("name: checkout",        "name: .git",                   "is not a name for a repo"),
            ("9ab1f3c0",              "HEAD",                         "not the full id of a commit"),
            ("4b825dc642cb6eb9",      "4B825DC642CB6EB9",             "not the full id of a commit"),
            ("rule: deploy",          "rule: deploys",                "case.yaml:16:11: unknown value `deploys`"),
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
