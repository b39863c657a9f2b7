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
    pub(super) serve: Option<RawServe>,
}

/// Where values are that must never be shown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of where secrets are")]
pub(super) struct RawSecrets {
    pub(super) variables: Option<Vec<Placed<String>>>,
    pub(super) files: Option<Vec<Placed<String>>>,
}

/// What a server is to be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of how to serve")]
pub(super) struct RawServe {
    pub(super) issuers: Option<Vec<Placed<RawIssuer>>>,
    pub(super) allowed_hosts: Option<Vec<Placed<String>>>,
    pub(super) allowed_origins: Option<Vec<Placed<String>>>,
    pub(super) rate: Option<Placed<u64>>,
}

/// One whose tokens are taken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `issuer`, `audience` and `jwks`")]
pub(super) struct RawIssuer {
    pub(super) issuer: Placed<String>,
    pub(super) audience: Placed<String>,
    pub(super) jwks: Placed<String>,
    pub(super) scope_claim: Option<Placed<String>>,
    pub(super) cases_claim: Option<Placed<String>>,
}
