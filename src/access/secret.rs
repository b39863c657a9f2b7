//! The secret of a token, which is shown once, and its digest, which is kept.
//!
//! A token is 256 random bits. A plain SHA-256 keeps it as well as anything could: what
//! slow hashes are for is guessing, and nobody guesses among 2^256. Being quick matters,
//! since it is done for each request.

use std::fmt;

use base16ct::lower::encode_string;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// How every token begins, so that people, scanners and our own redaction know it.
pub(super) const PREFIX: &str = "casefile_";
/// How many characters follow.
const DIGITS: usize = 64;

/// A token as its bearer has it. Only [`Secret::reveal`] tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of bytes that nobody can guess.
    pub(super) fn new(random: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", encode_string(&random)))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is kept of a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Digest([u8; 32]);

impl Digest {
    /// The digest of what a bearer gave, if it has the form of a token of ours.
    pub(super) fn of_bearer(given: &str) -> Option<Self> {
        let digits = given.strip_prefix(PREFIX)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_token = digits.len() == DIGITS && digits.bytes().all(is_digit);
        is_token.then(|| Secret(given.into()).digest())
    }

    /// Whether it is the same, in a time that does not tell how much of it is.
    pub(super) fn is_same(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }

    /// A name for a file about it, which helps nobody to the secret.
    pub(super) fn short(&self) -> String {
        encode_string(&self.0[..8])
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        encode_string(&digest.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        let bytes = text.as_bytes();
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let mut digest = [0; 32];
        if bytes.len() != 2 * digest.len() {
            return Err(NoDigest);
        }
        for (byte, two) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
            let (high, low) = digit(two[0]).zip(digit(two[1])).ok_or(NoDigest)?;
            *byte = high << 4 | low;
        }
        Ok(Self(digest))
    }
}

/// A text that is no digest.
#[derive(Debug, thiserror::Error)]
#[error("it is no SHA-256 in hexadecimal digits")]
pub(super) struct NoDigest;

#[cfg(test)]
mod tests {
    use super::{Digest, Secret};

    #[test]
    fn a_bearer_with_the_form_of_a_token_has_a_digest_and_no_other() {
        let secret = Secret::new([0xa7; 32]);
        let text = secret.reveal().to_owned();
        assert_eq!(text, format!("casefile_{}", "a7".repeat(32)));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        let digest = Digest::of_bearer(&text).unwrap();
        assert_eq!(digest, secret.digest());
        assert_eq!(Digest::try_from(String::from(digest.clone())).unwrap(), digest);
        for given in [
            "".to_owned(),
            "casefile_".to_owned(),
            text.to_uppercase(),
            text.replace("casefile_", ""),
            format!("{text} "),
            format!(" {text}"),
            format!("{text}0"),
            text.replace("a7a7a7", "é7a7a"),
        ] {
            assert_eq!(Digest::of_bearer(&given), None, "{given}");
        }
        for text in ["".to_owned(), "0".repeat(63), "0".repeat(66), "g".repeat(64), "é".repeat(32)]
        {
            Digest::try_from(text).unwrap_err();
        }
    }
}
