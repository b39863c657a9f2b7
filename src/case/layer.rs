//! Layers: what a case has changed, piece by piece.
//!
//! A case writes into one layer of its own. A fork makes that layer a thing of the
//! past, which nobody changes again and which both cases lie on; each of the two
//! goes on in a new one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BadId, CaseId};

/// The name of a layer: the case that wrote it, and the how-manieth of its layers
/// it is. It stays unique for as long as case ids do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerId {
    case: CaseId,
    number: u32,
}

impl LayerId {
    pub fn new(case: CaseId, number: u32) -> Self {
        Self { case, number }
    }

    /// Checks a name that came from a file.
    pub fn parse(given: &str) -> Result<Self, BadLayerId> {
        let (case, number) = given.split_once('.').ok_or(BadLayerId)?;
        let case = CaseId::parse(case).map_err(|BadId { .. }| BadLayerId)?;
        let parsed: u32 = number.parse().map_err(|_| BadLayerId)?;
        // One spelling for each, or one layer could have two names.
        if parsed.to_string() != number {
            return Err(BadLayerId);
        }
        Ok(Self { case, number: parsed })
    }
}

/// A text that names no layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a layer")]
pub struct BadLayerId;

impl TryFrom<String> for LayerId {
    type Error = BadLayerId;

    fn try_from(given: String) -> Result<Self, BadLayerId> {
        Self::parse(&given)
    }
}

impl From<LayerId> for String {
    fn from(id: LayerId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.case, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::LayerId;

    #[test]
    fn a_layer_has_one_name() {
        #[rustfmt::skip]
        let table = [
            ("checkout-5xx-k7f2qa.1",   true),
            ("checkout-5xx-k7f2qa.40",  true),
            ("checkout-5xx-k7f2qa.01",  false),
            ("checkout-5xx-k7f2qa.+1",  false),
            ("checkout-5xx-k7f2qa.",    false),
            ("checkout-5xx-k7f2qa",     false),
            ("../checkout-k7f2qa.1",    false),
            (".1",                      false),
        ];
        for (given, is_name) in table {
            let parsed = LayerId::parse(given);
            assert_eq!(parsed.is_ok(), is_name, "{given}");
            assert!(parsed.is_err() || parsed.unwrap().to_string() == given, "{given}");
        }
    }
}
