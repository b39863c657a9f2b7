//! A policy as it is written: keys and kinds of values, nothing checked.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::yaml::{Pairs, Placed};

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) name: Placed<String>,
    pub(super) about: Placed<String>,
    #[serde(default)]
    pub(super) include: Vec<Placed<String>>,
    pub(super) least: Option<Placed<Strength>>,
    pub(super) workdir: Option<Placed<Workdir>>,
    #[serde(default)]
    pub(super) grants: Grants,
    #[serde(default)]
    pub(super) files: Files,
    pub(super) network: Option<Placed<Network>>,
    pub(super) local_sockets: Option<Placed<bool>>,
    #[serde(default)]
    pub(super) limits: Pairs<Placed<u64>>,
    #[serde(default)]
    pub(super) env: Env,
    #[serde(default)]
    pub(super) commands: Vec<Command>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Grants {
    pub(super) read: Option<Placed<bool>>,
    pub(super) write: Option<Placed<bool>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Files {
    pub(super) read: Vec<Placed<String>>,
    pub(super) mounts: Vec<MountAt>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MountAt {
    pub(super) from: Placed<String>,
    pub(super) to: Placed<String>,
    pub(super) mode: Mode,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Env {
    pub(super) pass: Vec<Placed<String>>,
    pub(super) set: Pairs<Placed<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    pub(super) prefix: Placed<Vec<String>>,
    #[expect(dead_code, reason = "there is one verdict, and it must be written out")]
    pub(super) verdict: Verdict,
    pub(super) why: Placed<String>,
    pub(super) matches: Placed<Vec<Placed<String>>>,
    pub(super) misses: Placed<Vec<Placed<String>>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Strength {
    Namespaces,
    Landlock,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Workdir {
    Hidden,
    Read,
    Write,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Network {
    None,
    Loopback,
    Host,
    /// Understood only so that it can be refused by name.
    Allow(IgnoredAny),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Refuse,
}
