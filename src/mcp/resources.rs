//! What a client can read without calling a tool. What a resource would tell of and is
//! not there is absent, not empty.

use super::errors::{Code, Told};
use super::work::{Answer, Work};
use crate::case::CaseId;
use crate::tools::{Call, Part, ReadFile, Stop};

/// One that is always there.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) uri: &'static str,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
}

/// Those that are always there.
pub(super) const FIXED: [Fixed; 2] = [
    Fixed {
        uri: "casefile://cases/recent",
        name: "recent cases",
        about: "The newest cases with their state and title.",
    },
    Fixed {
        uri: "casefile://health",
        name: "health",
        about: "Which cases this server has in use.",
    },
];

/// One for each case.
pub(super) const OF_CASES: [Fixed; 2] = [
    Fixed {
        uri: "casefile://case/{id}/journal",
        name: "journal",
        about: "The last calls in a case, a line each.",
    },
    Fixed {
        uri: "casefile://case/{id}/outputs/{n}",
        name: "kept output",
        about: "The beginning of the output that was kept under this number, and how to go on.",
    },
];

/// How many cases, and how many calls of a journal, are told.
const CASES_TOLD: usize = 20;
const CALLS_TOLD: usize = 80;

/// What an address means.
#[derive(Debug, PartialEq, Eq)]
enum Address<'a> {
    Recent,
    Health,
    Journal { case: &'a str },
    Output { case: &'a str, number: u64 },
}

impl<'a> Address<'a> {
    fn parse(uri: &'a str) -> Option<Self> {
        let path = uri.strip_prefix("casefile://")?;
        Some(match path.split('/').collect::<Vec<_>>()[..] {
            ["cases", "recent"] => Self::Recent,
            ["health"] => Self::Health,
            ["case", case, "journal"] => Self::Journal { case },
            ["case", case, "outputs", number] => {
                Self::Output { case, number: number.parse().ok()? }
            }
            _ => return None,
        })
    }
}

impl Work {
    /// What stands at an address.
    pub(super) fn resource(&self, uri: &str, stop: &Stop) -> Answer {
        self.at(uri, stop).unwrap_or_else(|told| self.told(&told))
    }

    fn at(&self, uri: &str, stop: &Stop) -> Result<Answer, Told> {
        let nothing = || {
            Told::new(Code::NotFound, format!("there is no resource `{uri}`"))
                .hint("List them with `resources/list` and `resources/templates/list`.")
        };
        match Address::parse(uri).ok_or_else(nothing)? {
            Address::Recent => {
                let cases =
                    self.cases.recent(CASES_TOLD, self.bound.as_ref(), self.who.as_ref())?;
                Ok(self.good(&cases))
            }
            Address::Health => Ok(self.good(&self.health())),
            Address::Journal { case } => {
                Ok(self.good(&self.cases.journal(&self.meant(case)?, CALLS_TOLD)?))
            }
            Address::Output { case, number } => {
                let id = self.meant(case)?;
                let path = self.cases.output(&id, number)?;
                let part = Part { path, from: 1, ..Part::default() };
                let call = Call::ReadFile(ReadFile { parts: vec![part], raw: false });
                self.called(&id, &call, true, stop)
            }
        }
    }

    fn health(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let used: Vec<String> = self.in_use().iter().map(CaseId::to_string).collect();
        match used.as_slice() {
            [] => format!("casefile {version}: no case is in use"),
            used => format!("casefile {version}: in use: {}", used.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_means_one_thing_or_nothing() {
        #[rustfmt::skip]
        let table = [
            ("casefile://cases/recent",             Some(Address::Recent)),
            ("casefile://health",                   Some(Address::Health)),
            ("casefile://case/a-b/journal",         Some(Address::Journal { case: "a-b" })),
            ("casefile://case/a-b/outputs/7",       Some(Address::Output { case: "a-b", number: 7 })),
            ("casefile://case/a-b/outputs/0007",    Some(Address::Output { case: "a-b", number: 7 })),
            ("casefile://case/a-b/outputs/x",       None),
            ("casefile://case/a-b/outputs/7/..",    None),
            ("casefile://case/../journal/x",        None),
            ("casefile://case/a-b",                 None),
            ("file:///etc/passwd",                  None),
            ("",                                    None),
        ];
        for (uri, want) in table {
            assert_eq!(Address::parse(uri), want, "{uri}");
        }
    }
}
