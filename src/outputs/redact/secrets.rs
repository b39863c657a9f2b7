//! All that is looked for, built once and shared by everything that leaves a jail.

use std::fmt;

use super::known::{Known, Lookout, RedactError};
use super::mark;
use super::rules::{self, Rule};
use super::sieve::{Anchor, Sieve};

/// What is never shown: values that are known, and shapes.
///
/// The key makes the digits in a mark; it is to be kept, and the same for as long as
/// marks are compared.
pub struct Secrets {
    key: [u8; 16],
    pub(super) rules: Vec<&'static Rule>,
    pub(super) known: Lookout,
    pub(super) sieve: Sieve,
}

/// Owns the anchors of all values that are known.
pub(super) const KNOWN: u16 = u16::MAX;

impl Secrets {
    pub fn new(key: [u8; 16], known: Vec<Known>) -> Result<Self, RedactError> {
        let rules: Vec<&'static Rule> = rules::all().collect();
        let names: Vec<&'static str> = rules.iter().map(|rule| rule.name).collect();
        let known = Lookout::new(&key, known, &names)?;
        let values =
            known.anchors().iter().map(|bytes| Anchor { bytes, wild: false, owner: KNOWN });
        let shapes = rules.iter().zip(0..KNOWN).flat_map(|(rule, owner)| {
            let anchor =
                move |it: &&'static str| Anchor { bytes: it.as_bytes(), wild: true, owner };
            rule.anchors.iter().map(anchor)
        });
        let sieve = Sieve::new(values.chain(shapes));
        Ok(Self { key, rules, known, sieve })
    }

    pub(super) fn mark(&self, name: &str, value: &[u8]) -> String {
        mark::mark(name, mark::digest(&self.key, value))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("known", &self.known.values.len()).finish_non_exhaustive()
    }
}
