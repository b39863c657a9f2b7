//! The record of all tokens, as it stands in its file: who they are, and never what
//! their secrets are.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::secret::Digest;
use super::{CaseGlob, TokenName};

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;
/// So many tokens are kept, those that were revoked among them.
pub(super) const TOKENS_MAX: usize = 1_000;
/// So many patterns of cases may stand in one.
pub(super) const GLOBS_MAX: usize = 32;

/// All of them, in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    format: u32,
    pub(super) tokens: Vec<Token>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) name: TokenName,
    pub(super) digest: Digest,
    pub(super) may_write: bool,
    /// The cases that it sees besides its own.
    pub(super) cases: Vec<CaseGlob>,
    pub(super) made: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revoked: Option<Timestamp>,
}

/// Whether a token lets anybody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Good,
    Expired,
    Revoked,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        })
    }
}

impl Token {
    pub(super) fn state(&self, now: Timestamp) -> State {
        match (self.revoked, self.expires) {
            (Some(_), _) => State::Revoked,
            (None, Some(expires)) if expires <= now => State::Expired,
            (None, _) => State::Good,
        }
    }
}

/// What stands in the file is not a record that this casefile can judge.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRecord {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("its format is {0}, and this casefile reads {FORMAT}")]
    Format(u32),
    #[error("two tokens in it are called `{0}`")]
    Twice(TokenName),
}

impl Record {
    /// The record where there is no file.
    pub(super) fn empty() -> Self {
        Self { format: FORMAT, tokens: Vec::new() }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NoRecord> {
        #[derive(Deserialize)]
        struct FormatOnly {
            format: u32,
        }
        // Before anything else: what a later format holds, this one cannot judge.
        let FormatOnly { format } = serde_json::from_slice(bytes)?;
        if format != FORMAT {
            return Err(NoRecord::Format(format));
        }
        let record: Self = serde_json::from_slice(bytes)?;
        for (at, token) in record.tokens.iter().enumerate() {
            if record.tokens[..at].iter().any(|other| other.name == token.name) {
                return Err(NoRecord::Twice(token.name.clone()));
            }
        }
        Ok(record)
    }

    /// The text that [`Record::parse`] reads.
    pub(super) fn emit(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The token with this digest. All of them are looked at in the same way, so that how
    /// long it takes tells nothing of any.
    pub(super) fn with(&self, digest: &Digest) -> Option<&Token> {
        let none = u32::MAX;
        let mut found = none;
        for (at, token) in (0_u32..).zip(&self.tokens) {
            found.conditional_assign(&at, token.digest.is_same(digest));
        }
        let is_found = !bool::from(found.ct_eq(&none));
        is_found.then(|| self.tokens.get(found as usize)).flatten()
    }

    pub(super) fn named(&self, name: &TokenName) -> Option<&Token> {
        self.tokens.iter().find(|token| token.name == *name)
    }

    /// Makes room for one more by forgetting those that were revoked first.
    pub(super) fn make_room(&mut self) -> bool {
        while TOKENS_MAX <= self.tokens.len() {
            let revoked = self.tokens.iter().enumerate();
            let revoked = revoked.filter_map(|(at, token)| Some((token.revoked?, at)));
            let Some((_, at)) = revoked.min() else { return false };
            self.tokens.remove(at);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, State, TOKENS_MAX, Token};
    use crate::access::secret::Secret;
    use crate::access::{CaseGlob, TokenName};

    fn token(name: &str, byte: u8) -> Token {
        Token {
            name: TokenName::parse(name).unwrap(),
            digest: Secret::new([byte; 32]).digest(),
            may_write: true,
            cases: vec![CaseGlob::parse("pay-*").unwrap()],
            made: "2026-03-01T00:00:00Z".parse().unwrap(),
            expires: Some("2026-03-02T00:00:00Z".parse().unwrap()),
            revoked: None,
        }
    }

    fn record(tokens: Vec<Token>) -> Record {
        Record { tokens, ..Record::empty() }
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_not_right_is_refused() {
        let whole = record(vec![token("ci", 1), token("me", 2)]);
        let text = whole.emit().unwrap();
        assert_eq!(Record::parse(text.as_bytes()).unwrap(), whole);
        #[rustfmt::skip]
        let table = [
            // what is written     instead of             what is said
            ("\"format\": 1",      "\"format\": 2",       "its format is 2, and this casefile reads 1"),
            ("\"me\"",             "\"ci\"",              "two tokens in it are called `ci`"),
            ("\"me\"",             "\"me too\"",          "`me too` is no name for a token"),
            ("\"pay-*\"",          "\"../*\"",            "`../*` is no pattern of case ids"),
            ("\"may_write\"",      "\"may_writ\"",        "unknown field `may_writ`"),
            ("\"expires\"",        "\"expired\"",         "unknown field `expired`"),
            ("2026-03-02",         "2026-13-02",          "line"),
            ("\"digest\": \"",     "\"digest\": \"0",     "it is no SHA-256"),
            ("\n}",                "",                    "EOF while parsing"),
        ];
        for (from, to, want) in table {
            let got = Record::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(got.to_string().contains(want), "{to} gave {got}");
        }
        Record::parse(b"").unwrap_err();
    }

    #[test]
    fn a_token_is_found_by_its_digest_wherever_it_stands() {
        let record = record(vec![token("a", 1), token("b", 2), token("c", 3)]);
        for (byte, want) in [(1, Some("a")), (2, Some("b")), (3, Some("c")), (4, None)] {
            let found = record.with(&Secret::new([byte; 32]).digest());
            assert_eq!(found.map(|token| token.name.as_str()), want);
        }
        assert_eq!(Record::empty().with(&Secret::new([1; 32]).digest()), None);
    }

    #[test]
    fn a_token_is_good_until_the_moment_it_expires_or_is_revoked() {
        let mut token = token("ci", 1);
        let at = |time: &str| time.parse().unwrap();
        assert_eq!(token.state(at("2026-03-01T23:59:59Z")), State::Good);
        assert_eq!(token.state(at("2026-03-02T00:00:00Z")), State::Expired);
        token.expires = None;
        assert_eq!(token.state(at("2999-03-02T00:00:00Z")), State::Good);
        token.revoked = Some(at("2026-03-01T12:00:00Z"));
        assert_eq!(token.state(at("2026-03-01T12:00:00Z")), State::Revoked);
    }

    #[test]
    fn only_what_was_revoked_makes_room_the_earliest_first() {
        let mut full = record((0..TOKENS_MAX).map(|at| token(&format!("t{at}"), 0)).collect());
        assert!(!full.make_room());
        assert_eq!(full.tokens.len(), TOKENS_MAX);
        for (at, time) in [(7, "2026-03-01T02:00:00Z"), (9, "2026-03-01T01:00:00Z")] {
            full.tokens[at].revoked = Some(time.parse().unwrap());
        }
        assert!(full.make_room());
        let name = |name: &str| TokenName::parse(name).unwrap();
        assert!(full.named(&name("t9")).is_none() && full.named(&name("t7")).is_some());
        assert_eq!(full.tokens.len(), TOKENS_MAX - 1);
    }
}
