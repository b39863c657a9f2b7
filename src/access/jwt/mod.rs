//! Tokens that somebody else issues: JSON web tokens, which carry who their bearer is and
//! a signature of the issuer's.
//!
//! ```text
//! header.claims.signature ──► which issuer ──► its key ──► signature ──► claims ──► Principal
//! ```
//!
//! What a token says counts only after its signature. Before that, the issuer and the
//! name of a key are read to find what to check it with, and nothing else is.
//!
//! Which algorithm is used is decided by the key, and the token has to agree. None of
//! them takes a secret that the issuer and casefile would share, so a public key can
//! never be taken for one.

mod claims;
mod fetch;
mod key;
mod keys;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

pub(super) use keys::Keys;

use super::{Principal, Refused};
use crate::config::Issuer;
use claims::Claims;

/// No token is longer.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// One whose tokens are taken.
#[derive(Debug)]
pub(super) struct Trusted {
    about: Issuer,
    keys: Keys,
}

/// What a token says about itself. What else stands there (where its key is to be had,
/// even the key itself) is the bearer's word, and not read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Something without which it must not be understood.
    #[serde(default)]
    crit: Option<Value>,
}

impl Trusted {
    pub(super) fn new(about: Issuer) -> Self {
        Self { keys: Keys::new(about.jwks.clone()), about }
    }

    pub(super) fn name(&self) -> &str {
        &self.about.issuer
    }
}

/// Finds out who the bearer of a token is, if one of these issued it.
pub(super) fn admit(
    trusted: &[Trusted],
    bearer: &str,
    now: Timestamp,
) -> Result<Principal, Refused> {
    let Some(token) = Token::read(bearer) else { return Err(Refused::Unknown) };
    let by = trusted.iter().find(|trusted| Some(trusted.name()) == token.claims.issuer());
    let Some(by) = by else { return Err(Refused::Unknown) };
    let keys = by.keys.fitting(token.header.kid.as_deref(), now).map_err(Refused::Unavailable)?;
    let is_signed = keys.iter().any(|key| {
        key.fits(&token.header.alg, token.header.kid.as_deref())
            && key.verifies(&token.header.alg, token.signed.as_bytes(), &token.signature)
    });
    if !is_signed {
        return Err(Refused::Unknown);
    }
    token.claims.admit(&by.about, now)
}

/// A token in its parts, of which none is checked.
struct Token<'a> {
    header: Header,
    claims: Claims,
    signature: Vec<u8>,
    /// What the signature is about.
    signed: &'a str,
}

impl<'a> Token<'a> {
    fn read(bearer: &'a str) -> Option<Self> {
        if TOKEN_BYTES_MAX < bearer.len() {
            return None;
        }
        let (signed, signature) = bearer.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Header = serde_json::from_slice(&bytes(header)?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        let claims = Claims::read(&bytes(claims)?)?;
        Some(Self { header, claims, signature: bytes(signature)?, signed })
    }
}
