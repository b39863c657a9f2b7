//! Who may: what a bearer of a token is let do, and how that is found out.
//!
//! ```text
//! bearer ──admit──► Principal ──may_write, sees──► yes or no
//!             └───► Refused, whose words are safe to send
//! ```
//!
//! Nobody is let in without a token. One of ours (`tokens`) is a random number that
//! casefile made, of which only a digest is kept. One of somebody else's (`jwt`) counts if
//! the configuration says whose signature to take.
//!
//! A principal sees the cases that it opened, and those that its token names. Of any
//! other it is told what it is told of a case that never was; whoever answers for a
//! principal asks [`Principal::sees`] before anything else about a case.

mod glob;
mod jwt;
mod last_use;
mod name;
mod record;
mod secret;
mod store;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

pub use glob::{BadGlob, CaseGlob};
pub use name::{BadTokenName, TokenName};
pub use record::State;
pub use secret::Secret;
pub use store::{Listed, Store, StoreError, Wanted};

use crate::case::CaseId;
use crate::config::Issuer;
use last_use::LastUse;
use secret::Digest;

/// Whether a text has the form of a token, and so is nothing to be shown or kept.
pub fn is_token(given: &str) -> bool {
    Digest::of_bearer(given).is_some()
}

/// A token that is good for ever, for the tests of other rooms.
#[cfg(test)]
pub(crate) fn token_for_tests(home: &Path, name: &str, may_write: bool, byte: u8) -> Secret {
    let name = TokenName::parse(name).unwrap();
    let since = Timestamp::UNIX_EPOCH;
    let holder = crate::disk::Holder { pid: std::process::id(), command: "test".into(), since };
    let wanted = Wanted { name, may_write, cases: Vec::new(), expires: None };
    Store::new(home).create(wanted, [byte; 32], &holder).unwrap()
}

/// What lets a bearer look at its cases, and what lets it do everything else with them.
pub const SCOPE_READ: &str = "cases:read";
pub const SCOPE_WRITE: &str = "cases:write";

/// Somebody who was let in. A copy costs nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Arc<Who>);

#[derive(Debug, PartialEq, Eq)]
struct Who {
    key: String,
    may_write: bool,
    cases: Vec<CaseGlob>,
}

impl Principal {
    fn new(key: String, may_write: bool, cases: Vec<CaseGlob>) -> Self {
        Self(Arc::new(Who { key, may_write, cases }))
    }

    /// Who it is, the same each time: `token:ci`, or `jwt:https://login.example.com#ada`.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Whether it may do more than look.
    pub fn may_write(&self) -> bool {
        self.0.may_write
    }

    /// Whether there is this case for it. `owner` is the key of whoever opened it.
    pub fn sees(&self, id: &CaseId, owner: Option<&str>) -> bool {
        owner == Some(self.key()) || self.0.cases.iter().any(|glob| glob.matches(id))
    }
}

/// Why a bearer is not let in. What it prints is safe to send to it; what is behind that
/// (`source`) is for whoever runs the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    #[error("the token is not known here")]
    Unknown,
    #[error("the token has expired")]
    Expired,
    #[error("the token was revoked")]
    Revoked,
    #[error("the token is not good yet")]
    Early,
    #[error("the token is for somebody else")]
    Audience,
    #[error("the token has neither the scope `{SCOPE_READ}` nor `{SCOPE_WRITE}`")]
    Scope,
    /// It may be good, but that cannot be found out.
    #[error("tokens cannot be checked at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// All that lets somebody in.
#[derive(Debug)]
pub struct Access {
    tokens: store::Watched,
    last_use: LastUse,
    issuers: Vec<jwt::Trusted>,
}

impl Access {
    /// What lets somebody in where cases are kept in `home`.
    pub fn new(home: &Path) -> Self {
        let store = Store::new(home);
        let last_use = LastUse::new(store.last_use_dir());
        Self { last_use, tokens: store.watched(), issuers: Vec::new() }
    }

    /// The same, which also takes the tokens of these.
    pub fn with_issuers(self, issuers: Vec<Issuer>) -> Self {
        Self { issuers: issuers.into_iter().map(jwt::Trusted::new).collect(), ..self }
    }

    /// Finds out who a bearer is. What was changed before this was called counts.
    pub fn admit(&self, bearer: &str, now: Timestamp) -> Result<Principal, Refused> {
        let Some(digest) = Digest::of_bearer(bearer) else {
            return jwt::admit(&self.issuers, bearer, now);
        };
        let tokens = self.tokens.now().map_err(|error| Refused::Unavailable(Box::new(error)))?;
        let token = tokens.with(&digest).ok_or(Refused::Unknown)?;
        match token.state(now) {
            State::Good => {}
            State::Expired => return Err(Refused::Expired),
            State::Revoked => return Err(Refused::Revoked),
        }
        self.last_use.note(&digest, now);
        let key = format!("token:{}", token.name);
        Ok(Principal::new(key, token.may_write, token.cases.clone()))
    }

    /// Whose tokens are taken besides our own.
    pub fn issuers(&self) -> Vec<String> {
        self.issuers.iter().map(|issuer| issuer.name().to_owned()).collect()
    }
}
