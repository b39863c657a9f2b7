//! What a token claims, and what comes of that once its signature is good.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::{CaseGlob, Principal, Refused, SCOPE_READ, SCOPE_WRITE, record::GLOBS_MAX};
use crate::config::Issuer;

/// So far may the clock of an issuer be from ours.
const LEEWAY_S: i64 = 60;
/// The name of a bearer is no longer.
const SUBJECT_CHARS_MAX: usize = 255;

/// All that a token says, as it says it.
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    /// Who issued it, as it says.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.0.get("iss")?.as_str()
    }

    /// Whom it lets in, to do what.
    pub(super) fn admit(&self, by: &Issuer, now: Timestamp) -> Result<Principal, Refused> {
        if !self.words("aud", |text| vec![text]).contains(&by.audience.as_str()) {
            return Err(Refused::Audience);
        }
        let now = now.as_second();
        let Some(expires) = self.second("exp") else { return Err(Refused::Unknown) };
        if expires.saturating_add(LEEWAY_S) <= now {
            return Err(Refused::Expired);
        }
        let begins = match self.0.get("nbf") {
            None => i64::MIN,
            Some(_) => self.second("nbf").ok_or(Refused::Unknown)?,
        };
        if now.saturating_add(LEEWAY_S) < begins {
            return Err(Refused::Early);
        }
        let subject = self.0.get("sub").and_then(Value::as_str).ok_or(Refused::Unknown)?;
        let is_name = !subject.is_empty() && !subject.chars().any(char::is_control);
        if !is_name || SUBJECT_CHARS_MAX < subject.chars().count() {
            return Err(Refused::Unknown);
        }
        let spaced = |text| str::split_ascii_whitespace(text).collect();
        let scopes = match &by.scope_claim {
            Some(claim) => self.words(claim, spaced),
            None => [self.words("scope", spaced), self.words("scp", spaced)].concat(),
        };
        let may_write = scopes.contains(&SCOPE_WRITE);
        if !may_write && !scopes.contains(&SCOPE_READ) {
            return Err(Refused::Scope);
        }
        let cases = by.cases_claim.iter().flat_map(|claim| self.words(claim, spaced));
        // One that makes no sense shows nothing.
        let cases = cases.take(GLOBS_MAX).filter_map(|glob| CaseGlob::parse(glob).ok()).collect();
        // No issuer has a `#` in its name, so no two bearers share a key.
        Ok(Principal::new(format!("jwt:{}#{subject}", by.issuer), may_write, cases))
    }

    /// A time, which may have a fraction.
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, and is as far away then")]
    fn second(&self, claim: &str) -> Option<i64> {
        let value = self.0.get(claim)?;
        value.as_i64().or_else(|| value.as_f64().map(|number| number as i64))
    }

    /// The words of a claim: those of a list, or of one text.
    fn words<'a>(&'a self, claim: &str, split: impl Fn(&'a str) -> Vec<&'a str>) -> Vec<&'a str> {
        match self.0.get(claim) {
            Some(Value::String(text)) => split(text),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}
