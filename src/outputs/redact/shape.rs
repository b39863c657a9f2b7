//! What a rule can say about how a secret looks.
//!
//! Each shape begins at one of its rule's anchors and looks at most [`REACH`] on, in
//! steps that never go back: no input makes it slow. Regular expressions were weighed;
//! they cannot say that they needed more bytes than there were.

use super::assigned::{self, Names};
use super::class::{Class, WORD};
use super::key;
use super::window::Window;

/// How far from its anchor on anything looks.
pub(super) const REACH: usize = 15 * 1024;
/// A value is hidden in parts of this size, where it is longer.
pub(super) const VALUE_BYTES_MAX: usize = 4 * 1024;

/// What a secret looks like.
pub(super) enum Shape {
    /// The anchor to the letter and these after it, with nothing of the kind before.
    Token(&'static [Part]),
    /// What is assigned to a name.
    Assigned(&'static Names),
    /// The lines of a private key.
    Key(fn(&Window<'_>, usize) -> Option<Found>),
    /// All else that has to be told in code.
    Told(fn(&Window<'_>, usize) -> Option<Found>),
}

/// A part of a token.
pub(super) enum Part {
    Text(&'static str),
    /// So many bytes of a set, at least and at most.
    Run(&'static Class, usize, usize),
    /// All of these or nothing.
    Perhaps(&'static [Part]),
}

/// Where a secret is.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    /// It is longer than what was looked at.
    pub(super) rest: Option<Rest>,
    /// It has what else would end it, for it stands in quotes or alone.
    pub(super) wide: bool,
}

/// How far secrets of one rule reach. Another one that begins within ends there too,
/// and is not looked for again.
#[derive(Clone, Copy, Default)]
pub(super) struct Covered {
    pub(super) any: usize,
    pub(super) wide: usize,
}

impl Covered {
    /// The same, counted from this place on.
    pub(super) fn since(self, base: usize) -> Self {
        Self { any: self.any.saturating_sub(base), wide: self.wide.saturating_sub(base) }
    }

    pub(super) fn extend(&mut self, end: usize, wide: bool) {
        self.any = self.any.max(end);
        if wide {
            self.wide = self.wide.max(end);
        }
    }
}

/// What the rest of a long secret consists of.
#[derive(Clone, Copy)]
pub(super) enum Rest {
    Run(&'static Class),
    Key,
}

impl Shape {
    /// The secret of this shape whose anchor is here.
    pub(super) fn find(
        &self,
        window: &Window<'_>,
        at: usize,
        anchors: &[&str],
        covered: Covered,
    ) -> Option<Found> {
        match self {
            Self::Token(_) if at < covered.any => None,
            Self::Token(parts) => {
                let anchors = anchors.iter().map(|anchor| anchor.trim_end_matches('?').as_bytes());
                let anchor = anchors.into_iter().find(|anchor| window.starts(at, anchor))?;
                token(window, at, anchor.len(), parts)
            }
            Self::Assigned(names) => assigned::find(window, at, names, covered),
            Self::Key(find) | Self::Told(find) => find(window, at),
        }
    }
}

impl Rest {
    /// What goes on here.
    pub(super) fn find(self, window: &Window<'_>, at: usize) -> Option<Found> {
        match self {
            Self::Run(set) => {
                let found = run(window, at, set);
                (at < found.end).then_some(found)
            }
            Self::Key => key::rest(window, at),
        }
    }
}

/// All that is of a set, with a rest if there is more than fits.
pub(super) fn run(window: &Window<'_>, start: usize, set: &'static Class) -> Found {
    let end = window.run(start, set, VALUE_BYTES_MAX);
    let whole = end < start + VALUE_BYTES_MAX || !window.has(end, set);
    Found { start, end, rest: (!whole).then_some(Rest::Run(set)), wide: false }
}

fn token(
    window: &Window<'_>,
    start: usize,
    anchor: usize,
    parts: &'static [Part],
) -> Option<Found> {
    let set = parts.iter().find_map(|part| match part {
        Part::Run(set, ..) => Some(*set),
        Part::Text(_) | Part::Perhaps(_) => None,
    });
    let before = usize::from(window.before(start).unwrap_or(b' '));
    // A `=` belongs to base64, and stands before it more often than in it.
    if WORD[before] || before != usize::from(b'=') && set.is_some_and(|set| set[before]) {
        return None;
    }
    let (end, rest) = parts_end(window, start + anchor, parts)?;
    Some(Found { start, end, rest, wide: false })
}

fn parts_end(
    window: &Window<'_>,
    mut at: usize,
    parts: &'static [Part],
) -> Option<(usize, Option<Rest>)> {
    let mut rest = None;
    for part in parts {
        match part {
            Part::Text(text) => {
                if !window.starts(at, text.as_bytes()) {
                    return None;
                }
                at += text.len();
            }
            Part::Run(set, least, most) => {
                let end = window.run(at, set, *most);
                if end - at < *least {
                    return None;
                }
                let goes_on = end - at == *most && window.has(end, set);
                let cut_short = least == most && window.has(end, &WORD);
                if cut_short || goes_on && *most < VALUE_BYTES_MAX {
                    return None;
                }
                rest = goes_on.then_some(Rest::Run(set));
                at = end;
            }
            Part::Perhaps(parts) => {
                if let Some((end, more)) = parts_end(window, at, parts) {
                    (at, rest) = (end, more);
                }
            }
        }
    }
    Some((at, rest))
}
