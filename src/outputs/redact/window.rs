//! What may be looked at to decide about one place, no more and no less.
//!
//! A decision must be the same however the bytes arrived in pieces. So it sees a
//! stretch that depends on the place alone: so far back, so far on. Where the bytes
//! that are there end before the stretch does, looking there is noted, and whatever
//! was decided is not believed: it is asked again when more has come.

use std::cell::Cell;

use super::class::Class;
use super::known::Lookout;

/// How far back from a place anything looks. So many bytes are kept after they left.
pub(super) const LOOK_BACK: usize = 128;

/// A stretch of the bytes around a place.
pub(super) struct Window<'a> {
    bytes: &'a [u8],
    /// The stretch ends here, or where the bytes do.
    end: usize,
    /// More may come within the stretch.
    open: bool,
    short: Cell<bool>,
    known: Option<&'a Lookout>,
}

impl<'a> Window<'a> {
    /// From the place on as far as `reach`. `last` says that no more bytes come.
    pub(super) fn new(bytes: &'a [u8], at: usize, reach: usize, last: bool) -> Self {
        let end = bytes.len().min(at + reach);
        let open = !last && bytes.len() < at + reach;
        Self { bytes, end, open, short: Cell::new(false), known: None }
    }

    /// The same, where this is known to be secret.
    pub(super) fn knowing(self, known: &'a Lookout) -> Self {
        Self { known: Some(known), ..self }
    }

    /// Whether something that is known to be secret is in these bytes, which were looked
    /// at before.
    pub(super) fn holds_known(&self, from: usize, to: usize) -> bool {
        self.known.is_some_and(|known| known.is_in(self.seen(from, to)))
    }

    /// Whether bytes were asked for that may still come.
    pub(super) fn was_short(&self) -> bool {
        self.short.get()
    }

    pub(super) fn get(&self, at: usize) -> Option<u8> {
        if at < self.end {
            return self.bytes.get(at).copied();
        }
        self.short.set(self.short.get() || self.open);
        None
    }

    pub(super) fn has(&self, at: usize, set: &Class) -> bool {
        self.get(at).is_some_and(|byte| set[usize::from(byte)])
    }

    /// The byte before this one.
    pub(super) fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|at| self.bytes.get(at)).copied()
    }

    /// Where the bytes of this set end, at most so many on.
    pub(super) fn run(&self, from: usize, set: &Class, most: usize) -> usize {
        let rest = self.bytes.get(from..self.end.min(from + most)).unwrap_or_default();
        let length = rest.iter().position(|byte| !set[usize::from(*byte)]).unwrap_or(rest.len());
        if length < most && from + length >= self.end {
            self.short.set(self.short.get() || self.open);
        }
        from + length
    }

    pub(super) fn starts(&self, at: usize, literal: &[u8]) -> bool {
        literal.iter().zip(at..).all(|(byte, at)| self.get(at) == Some(*byte))
    }

    /// The same for a literal in lower case and a text in any.
    pub(super) fn starts_folded(&self, at: usize, literal: &[u8]) -> bool {
        let folded = |at| self.get(at).map(|byte| byte.to_ascii_lowercase());
        literal.iter().zip(at..).all(|(byte, at)| folded(at) == Some(*byte))
    }

    /// Whether what ends here ends with this, which is in lower case.
    pub(super) fn ends_folded(&self, end: usize, literal: &[u8]) -> bool {
        let before = end.checked_sub(literal.len()).and_then(|start| self.bytes.get(start..end));
        before.is_some_and(|before| before.eq_ignore_ascii_case(literal))
    }

    /// These bytes, which were looked at before.
    pub(super) fn seen(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to.min(self.end)).unwrap_or_default()
    }
}
