//! Nothing that is known to be secret, and nothing that looks like it, gets past here.
//!
//! ```text
//! bytes ──sieve──► places ──known values, rules──► secrets ──► marks between clean bytes
//! ```
//!
//! This guards against accidents: a key in a log, a password in a configuration. Known
//! values are found wherever they stand, plain and as programs commonly write them
//! (`encoded.rs`). Someone in a jail who has a secret and wants it out can always write
//! it so that nobody knows it again; that is why secrets are not put into jails.
//!
//! What is clean stays as it is when it comes here again. The one exception is a known
//! value that begins or ends with a piece of a mark (`]` or `[`), and happens to stand
//! beside one.

mod assigned;
mod class;
mod encoded;
mod judge;
mod key;
mod known;
mod mark;
mod rules;
mod secrets;
mod shape;
mod sieve;
mod stream;
#[cfg(test)]
mod tests;
mod told;
mod window;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

pub use known::{KNOWN_BYTES_MAX, KNOWN_BYTES_MIN, KNOWN_TOTAL_BYTES_MAX, Known, RedactError};
pub use secrets::Secrets;
pub use stream::HELD_BYTES_MAX;

use stream::Stream;

/// Bytes without a secret. Only what is in here makes them.
#[derive(Clone, Copy, Debug)]
pub struct Clean<'a>(&'a [u8]);

impl Deref for Clean<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

/// Text without a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanText(String);

impl CleanText {
    pub fn as_clean(&self) -> Clean<'_> {
        Clean(self.0.as_bytes())
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl Deref for CleanText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CleanText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many secrets of each name were taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redacted(pub BTreeMap<String, u64>);

/// Takes bytes in pieces and gives them on without secrets.
///
/// What comes out does not depend on the pieces, only when it comes out does.
pub struct Redactor {
    secrets: Arc<Secrets>,
    stream: Stream,
}

impl Redactor {
    pub fn new(secrets: Arc<Secrets>) -> Self {
        let stream = Stream::new(&secrets);
        Self { secrets, stream }
    }

    /// Takes the next bytes, and gives `out` what is decided. What waits for more bytes
    /// is at most [`HELD_BYTES_MAX`].
    pub fn push(&mut self, raw: &[u8], mut out: impl FnMut(&Clean<'_>)) {
        self.stream.push(&self.secrets, raw, |bytes| out(&Clean(bytes)));
    }

    /// Nothing more comes: gives `out` the rest, and says what was taken out.
    pub fn finish(mut self, mut out: impl FnMut(&Clean<'_>)) -> Redacted {
        self.stream.finish(&self.secrets, |bytes| out(&Clean(bytes)));
        let rules = self.secrets.rules.iter().map(|rule| rule.name);
        let known = self.secrets.known.values.iter().map(|value| value.name.as_str());
        let mut redacted = Redacted::default();
        for (name, count) in rules.chain(known).zip(&self.stream.marks) {
            if 0 < *count {
                *redacted.0.entry(name.into()).or_default() += count;
            }
        }
        redacted
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// One text that is there as a whole.
pub fn text(secrets: &Secrets, raw: &str) -> CleanText {
    let mut stream = Stream::new(secrets);
    let mut clean = Vec::with_capacity(raw.len());
    stream.push(secrets, raw.as_bytes(), |bytes| clean.extend_from_slice(bytes));
    stream.finish(secrets, |bytes| clean.extend_from_slice(bytes));
    let clean = String::from_utf8(clean);
    CleanText(clean.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
