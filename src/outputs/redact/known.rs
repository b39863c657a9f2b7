//! Values that are known to be secret, found wherever they stand and as they are
//! commonly encoded.
//!
//! All of them are one automaton, so what it takes to look for them depends neither
//! on how many there are nor on what is looked through. It is started where the
//! sieve saw the beginning of one, and left when no beginning is open.

use std::fmt;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use super::encoded;
use super::mark;
use crate::hint::Hint;

/// The shortest value that is looked for. Shorter ones are found everywhere.
pub const KNOWN_BYTES_MIN: usize = 4;
/// The longest: a private key of 8,192 bits is shorter.
pub const KNOWN_BYTES_MAX: usize = 8 * 1024;
/// All of them together.
pub const KNOWN_TOTAL_BYTES_MAX: usize = 64 * 1024;
/// What an encoding may make of the longest one.
pub(super) const ENCODED_BYTES_MAX: usize = 16 * 1024;

/// A value that must never be seen, and what to call it instead.
#[derive(Clone)]
pub struct Known {
    /// `datadog-token`: out of `a-z`, `0-9` and `-`.
    pub name: String,
    /// White space around it does not count.
    pub value: Vec<u8>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A value that cannot be kept from being seen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedactError {
    #[error("{name:?} cannot be the name of a secret")]
    Name { name: String },
    #[error("the value of the secret `{name}` has {bytes} bytes")]
    Length { name: String, bytes: usize },
    #[error("the value of the secret `{name}` is a part of what would stand for it")]
    PartOfMark { name: String },
    #[error("the values of all secrets have {bytes} bytes together")]
    Total { bytes: usize },
    #[error("the values of the secrets cannot be looked for")]
    Automaton {
        #[source]
        error: aho_corasick::BuildError,
    },
}

impl Hint for RedactError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name { .. } => {
                format!("Use 1 to {} characters out of a-z, 0-9 and `-`.", mark::NAME_BYTES_MAX)
            }
            Self::Length { .. } => format!(
                "Use a value of {KNOWN_BYTES_MIN} to {KNOWN_BYTES_MAX} bytes; others cannot be hidden."
            ),
            Self::PartOfMark { .. } => "Choose another value, for this one is no secret.".into(),
            Self::Total { .. } => {
                format!("Name fewer secrets, {KNOWN_TOTAL_BYTES_MAX} bytes at most.")
            }
            Self::Automaton { .. } => return None,
        })
    }
}

/// What is known, ready to be looked for.
pub(super) struct Lookout {
    /// Name and digest of each value.
    pub(super) values: Vec<Value>,
    automaton: NFA,
    root: StateID,
    /// Which value each pattern of the automaton is.
    patterns: Vec<usize>,
    longest: usize,
    anchors: Vec<[u8; KNOWN_BYTES_MIN]>,
}

pub(super) struct Value {
    pub(super) name: String,
    pub(super) mark: String,
}

/// Where the automaton is, between two pieces.
#[derive(Clone, Copy)]
pub(super) struct Run {
    state: StateID,
    began: usize,
    /// The first byte that it has not seen.
    pub(super) upto: usize,
}

/// A value that was found.
pub(super) struct Sighting {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) value: usize,
}

impl Lookout {
    pub(super) fn new(
        key: &[u8; 16],
        known: Vec<Known>,
        names: &[&'static str],
    ) -> Result<Self, RedactError> {
        let mut values: Vec<Value> = Vec::new();
        let (mut literals, mut patterns) = (Vec::<Vec<u8>>::new(), Vec::new());
        let mut bytes = 0;
        let all_names: Vec<String> = known.iter().map(|known| known.name.clone()).collect();
        for Known { name, value } in known {
            let value = value.trim_ascii();
            if !mark::is_name(&name) {
                return Err(RedactError::Name { name: name.chars().take(100).collect() });
            }
            if !(KNOWN_BYTES_MIN..=KNOWN_BYTES_MAX).contains(&value.len()) {
                return Err(RedactError::Length { name, bytes: value.len() });
            }
            let mut marks = names.iter().copied().chain(all_names.iter().map(String::as_str));
            if marks.any(|other| mark::can_hold(other, value)) {
                return Err(RedactError::PartOfMark { name });
            }
            bytes += value.len();
            if KNOWN_TOTAL_BYTES_MAX < bytes {
                return Err(RedactError::Total { bytes });
            }
            let forms = encoded::forms(value);
            patterns.extend(forms.iter().map(|_| values.len()));
            literals.extend(forms);
            let mark = mark::mark(&name, mark::digest(key, value));
            values.push(Value { name, mark });
        }
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(&literals)
            .map_err(|error| RedactError::Automaton { error })?;
        // The automaton is of the kind that can be asked for this.
        let root = automaton.start_state(Anchored::No).unwrap_or_default();
        let longest = literals.iter().map(Vec::len).max().unwrap_or(0);
        let anchors = literals.iter().filter_map(|literal| literal.first_chunk().copied());
        let anchors = anchors.collect();
        Ok(Self { values, automaton, root, patterns, longest, anchors })
    }

    /// How each of them begins.
    pub(super) fn anchors(&self) -> &[[u8; KNOWN_BYTES_MIN]] {
        &self.anchors
    }

    /// Starts looking at a place.
    pub(super) fn begin(&self, at: usize) -> Run {
        Run { state: self.root, began: at, upto: at }
    }

    /// Looks on through what has come; `bytes` begin where the run is. The run ends
    /// when no value can be open any more.
    pub(super) fn advance(
        &self,
        mut run: Run,
        bytes: &[u8],
        mut found: impl FnMut(Sighting),
    ) -> (Run, bool) {
        for byte in bytes {
            run.state = self.automaton.next_state(Anchored::No, run.state, *byte);
            run.upto += 1;
            if run.state == self.root {
                return (run, false);
            }
            if self.automaton.is_match(run.state) {
                // The first is the longest; the others are its end.
                let pattern = self.automaton.match_pattern(run.state, 0);
                let start = run.upto - self.automaton.pattern_len(pattern);
                let Some(value) = self.patterns.get(pattern.as_usize()) else { continue };
                found(Sighting { start, end: run.upto, value: *value });
            }
        }
        (run, true)
    }

    /// Whether one of them is in a text.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let mut state = self.root;
        text.iter().any(|byte| {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            self.automaton.is_match(state)
        })
    }

    /// No value that is still open begins before this.
    pub(super) fn open_from(&self, run: &Run) -> usize {
        run.began.max((run.upto + 1).saturating_sub(self.longest))
    }
}
