//! A policy: what a jail allows, read from `sandbox-policy/NAME.yaml`.
//!
//! ```text
//! Library ──finds──► files ──raw──► what they say ──check──► Policy
//! ```
//!
//! A policy includes others. They are merged in the order of their includes, the
//! included one first: lists append, mappings and single values override. Every
//! value remembers the [`Line`] that gave it, because the first question about a
//! jail is who allowed this.
//!
//! **No rule without a reason.** A rule on commands has a `why`, which is shown
//! to whoever is refused, and examples both ways, which are tried on every load.
//! A policy that does not hold its own examples is not a policy.
//!
//! **Rules are advice, the jail is the wall.** A rule looks at the words of one
//! command. What must not happen is prevented by what the jail does not give.

mod check;
mod explain;
mod library;
mod mount;
mod raw;
mod rule;
mod shown;
#[cfg(test)]
mod tests;
mod words;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::PolicyName;
use crate::config::limits::{Limit, Limits, TABLE};
use crate::yaml::Place;

pub use explain::{Statement, render};
pub use library::{Library, PolicyError};
pub use mount::{BadMount, Mode, Mount};
pub use rule::{Rule, Verdict};
pub use shown::{Giver, NotShown, Reach, Shown};
pub use words::{Unsplit, split};

/// What a jail allows, checked.
#[derive(Clone, Debug)]
pub struct Policy {
    pub name: PolicyName,
    /// What it is for, in a line.
    pub about: String,
    /// What it is merged from, itself last.
    pub parts: Vec<PolicyName>,
    /// The weakest jail that may pass for this one.
    pub least: Told<Strength>,
    /// How the caller's current directory is shown.
    pub workdir: Told<Workdir>,
    /// Whether `--read` shows anything.
    pub grants_read: Told<bool>,
    /// Whether `--write` does.
    pub grants_write: Told<bool>,
    /// Paths shown read-only at their own place, if they exist on this host.
    pub files_read: Vec<Told<PathBuf, Line>>,
    /// Paths shown elsewhere, or writable.
    pub mounts: Vec<Told<Mount, Line>>,
    pub network: Told<Network>,
    /// Whether sockets with a name can be used even where directories of the host
    /// are shown, in which one of the host's own may lie.
    pub local_sockets: Told<bool>,
    /// Variables taken from the caller, if they are set there.
    pub env_pass: Vec<Told<String, Line>>,
    /// Variables with a value of their own; they win over those that are passed.
    pub env_set: Vec<(String, Told<String, Line>)>,
    pub rules: Vec<Rule>,
    limits: [Option<Told<u64, Line>>; TABLE.len()],
}

/// A value, and who gave it. Of a single value nobody may have, and then it is
/// the default; whatever stands in a list was written on a [`Line`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<T, By = Option<Line>> {
    pub value: T,
    pub by: By,
}

/// A line of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub policy: PolicyName,
    pub file: PathBuf,
    pub at: Place,
}

/// How strong a jail is, the weaker first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strength {
    /// Landlock, seccomp and limits alone.
    Landlock,
    /// Those, and a world of its own: users, mounts, processes, network.
    Namespaces,
}

/// How the caller's current directory is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workdir {
    Hidden,
    Read,
    Write,
}

/// What can be reached from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Nothing, not even the jail itself.
    None,
    /// What listens inside the jail.
    Loopback,
    /// Whatever the host can reach.
    Host,
}

impl Policy {
    /// What the policy itself says of a limit.
    pub fn limit(&self, limit: Limit) -> Option<&Told<u64, Line>> {
        self.limits[limit as usize].as_ref()
    }

    /// The limits that hold: the policy's where it has one, else the settings'.
    pub fn limits(&self, settings: &Limits) -> Limits {
        let mut limits = settings.clone();
        for row in &TABLE {
            if let Some(told) = self.limit(row.limit) {
                // Held to the same bounds when the policy was read.
                let within = limits.set(row.limit, told.value);
                debug_assert_eq!(within, Ok(()), "{}", row.key);
            }
        }
        limits
    }
}

impl<T> Told<T> {
    /// A value that nobody gave.
    fn default(value: T) -> Self {
        Self { value, by: None }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.at.line)
    }
}

macro_rules! spelled {
    ($($word:ident: $($value:ident => $text:literal),+;)+) => {$(
        impl fmt::Display for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$value => $text),+ })
            }
        }
    )+};
}

spelled! {
    Strength: Landlock => "landlock", Namespaces => "namespaces";
    Workdir: Hidden => "hidden", Read => "read", Write => "write";
    Network: None => "none", Loopback => "loopback", Host => "host";
    Mode: Read => "read", Write => "write";
}
