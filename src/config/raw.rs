//! `casefile.yaml` as it is written: keys and kinds of values, nothing checked.

use serde::Deserialize;

use crate::yaml::{Pairs, Placed};

/// The whole file. Every key may be left out, or left empty.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of settings")]
pub(super) struct Raw {
    pub(super) home: Option<Placed<String>>,
    pub(super) policy: Option<Placed<String>>,
    pub(super) deploys: Option<Placed<String>>,
    pub(super) environment: Option<Placed<String>>,
    pub(super) limits: Option<Pairs<Placed<u64>>>,
    pub(super) secrets: Option<RawSecrets>,
}

/// Where values are that must never be shown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of where secrets are")]
pub(super) struct RawSecrets {
    pub(super) variables: Option<Vec<Placed<String>>>,
    pub(super) files: Option<Vec<Placed<String>>>,
}
