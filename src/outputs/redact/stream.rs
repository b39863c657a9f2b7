//! The one pass over all that leaves: what is decided goes out, the rest waits.
//!
//! A place where a secret may begin is decided by a stretch of bytes that depends on
//! the place alone (`window.rs`), places are decided in their order, and nothing goes
//! out beyond the first that is not. So the result cannot depend on how the bytes
//! came in pieces, and what waits is never more than [`HELD_BYTES_MAX`].
//!
//! Secrets may overlap. They are taken in the order of their beginnings; one that
//! reaches out of another has a mark of its own behind the other's, and one within
//! another has none.

use std::collections::VecDeque;

use super::known::{ENCODED_BYTES_MAX, Run, Sighting};
use super::mark;
use super::secrets::{KNOWN, Secrets};
use super::shape::{Covered, Found, REACH, Rest, Shape};
use super::sieve::GRAM_BYTES;
use super::window::{LOOK_BACK, Window};

/// What waits for more bytes is at most so long.
pub const HELD_BYTES_MAX: usize = 16 * 1024;
const _: () = assert!(REACH < HELD_BYTES_MAX && ENCODED_BYTES_MAX <= HELD_BYTES_MAX);

/// So much is looked at in one go, however much came.
const PIECE_BYTES: usize = 64 * 1024;

/// Where in the stream something is.
type Place = usize;

/// The bytes that are not decided yet, and what is known of them.
pub(super) struct Stream {
    bytes: Vec<u8>,
    /// The place of the first of them.
    base: Place,
    /// Anchors before this are known.
    sieved: Place,
    /// Places to look closer at, in order.
    candidates: VecDeque<Candidate>,
    /// The look for known values that the end of the bytes interrupted.
    run: Option<Run>,
    /// Known values that begin before this are found.
    run_upto: Place,
    /// Secrets that were found and are not out, by their beginnings.
    spans: VecDeque<Span>,
    /// All before this is out.
    out: Place,
    /// For each rule.
    covered: Vec<Covered>,
    /// How often each rule, and after them each known value, had a mark.
    pub(super) marks: Vec<u64>,
}

struct Candidate {
    at: Place,
    rule: u16,
    /// It is the rest of a secret, not the beginning of one.
    rest: Option<Rest>,
    /// To be looked at again when there are bytes up to here.
    again: Place,
}

struct Span {
    start: Place,
    end: Place,
    whose: Whose,
}

/// What is known counts before a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Known(usize),
    Rule(u16),
}

impl Stream {
    pub(super) fn new(secrets: &Secrets) -> Self {
        Self {
            bytes: Vec::new(),
            base: 0,
            sieved: 0,
            candidates: VecDeque::new(),
            run: None,
            run_upto: 0,
            spans: VecDeque::new(),
            out: 0,
            covered: vec![Covered::default(); secrets.rules.len()],
            marks: vec![0; secrets.rules.len() + secrets.known.values.len()],
        }
    }

    pub(super) fn push(&mut self, secrets: &Secrets, raw: &[u8], mut out: impl FnMut(&[u8])) {
        for piece in raw.chunks(PIECE_BYTES) {
            self.bytes.extend_from_slice(piece);
            self.step(secrets, false, &mut out);
        }
    }

    pub(super) fn finish(&mut self, secrets: &Secrets, mut out: impl FnMut(&[u8])) {
        self.step(secrets, true, &mut out);
    }

    fn step(&mut self, secrets: &Secrets, last: bool, out: &mut impl FnMut(&[u8])) {
        self.go_on(secrets);
        self.sieve(secrets);
        self.decide(secrets, last);
        let decided = if last { self.end() } else { self.decided(secrets) };
        self.emit(secrets, decided, out);
        self.forget(decided);
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.end().saturating_sub(self.out)
    }

    fn end(&self) -> Place {
        self.base + self.bytes.len()
    }

    /// Goes on with the known values that may be open.
    fn go_on(&mut self, secrets: &Secrets) {
        let Some(run) = self.run.take() else { return };
        let bytes = self.bytes.get(run.upto - self.base..).unwrap_or_default();
        let spans = &mut self.spans;
        let (run, open) = secrets.known.advance(run, bytes, |sighting| sighted(spans, &sighting));
        self.run_upto = run.upto;
        self.run = open.then_some(run);
    }

    /// Finds the places where a secret may begin.
    fn sieve(&mut self, secrets: &Secrets) {
        let Self { bytes, base, sieved, candidates, run, run_upto, spans, .. } = self;
        let (base, from) = (*base, *sieved - *base);
        let fresh = bytes.get(from..).unwrap_or_default();
        secrets.sieve.each(fresh, |place| {
            let here = bytes.get(from + place..).unwrap_or_default();
            let at = base + from + place;
            for owner in secrets.sieve.owners(here) {
                if owner != KNOWN {
                    insert(candidates, Candidate { at, rule: owner, rest: None, again: at });
                } else if run.is_none() && *run_upto <= at {
                    let begun = secrets.known.begin(at);
                    let (ended, open) =
                        secrets.known.advance(begun, here, |sighting| sighted(spans, &sighting));
                    *run_upto = ended.upto;
                    *run = open.then_some(ended);
                }
            }
        });
        *sieved = (*sieved).max((base + bytes.len()).saturating_sub(GRAM_BYTES - 1));
    }

    /// Looks closer at each place in turn, as far as the bytes allow.
    fn decide(&mut self, secrets: &Secrets, last: bool) {
        let end = self.end();
        while let Some(candidate) = self.candidates.front_mut() {
            if !last && end < candidate.again {
                return;
            }
            let at = candidate.at - self.base;
            let rule = usize::from(candidate.rule);
            let (Some(kind), Some(covered)) = (secrets.rules.get(rule), self.covered.get_mut(rule))
            else {
                self.candidates.pop_front();
                continue;
            };
            let window = Window::new(&self.bytes, at, REACH, last).knowing(&secrets.known);
            let found = match candidate.rest {
                Some(rest) => rest.find(&window, at),
                None => kind.shape.find(&window, at, kind.anchors, covered.since(self.base)),
            };
            let found = found.filter(|found| match kind.shape {
                // It minds marks by itself: it has lines, of which none may be left.
                Shape::Key(_) => true,
                _ => !beside_mark(&window, at, found, candidate.rest.is_some()),
            });
            if window.was_short() {
                // Twice as much each time, so that single bytes are not looked at for ever.
                candidate.again = (end + (end - candidate.at)).clamp(end + 1, candidate.at + REACH);
                return;
            }
            let rule = candidate.rule;
            self.candidates.pop_front();
            if let Some(found) = found {
                let (start, end) = (self.base + found.start, self.base + found.end);
                covered.extend(end, found.wide);
                insert_span(&mut self.spans, Span { start, end, whose: Whose::Rule(rule) });
                if found.rest.is_some() {
                    let rest = Candidate { at: end, rule, rest: found.rest, again: end };
                    insert(&mut self.candidates, rest);
                }
            }
        }
    }

    /// No secret begins before this that is not found.
    fn decided(&self, secrets: &Secrets) -> Place {
        let tail = self.end() - secrets.sieve.begun(&self.bytes);
        let candidate = self.candidates.front().map_or(tail, |candidate| candidate.at);
        let known = self.run.as_ref().map_or(tail, |run| secrets.known.open_from(run));
        tail.min(candidate).min(known).max(self.base)
    }

    /// Gives out what is before this place, with marks for the secrets that begin there.
    fn emit(&mut self, secrets: &Secrets, decided: Place, out: &mut impl FnMut(&[u8])) {
        let between = |from: Place, to: Place| {
            self.bytes.get(from - self.base..to - self.base).unwrap_or_default()
        };
        while let Some(span) = self.spans.front()
            && span.start < decided
        {
            if self.out < span.start {
                out(between(self.out, span.start));
            }
            if self.out < span.end {
                let (count, mark) = match span.whose {
                    Whose::Known(value) => {
                        let mark = secrets.known.values.get(value).map(|value| value.mark.clone());
                        (secrets.rules.len() + value, mark)
                    }
                    Whose::Rule(rule) => {
                        let rule = usize::from(rule);
                        let name = secrets.rules.get(rule).map_or("", |rule| rule.name);
                        (rule, Some(secrets.mark(name, between(span.start, span.end))))
                    }
                };
                out(mark.unwrap_or_default().as_bytes());
                if let Some(count) = self.marks.get_mut(count) {
                    *count += 1;
                }
                self.out = span.end;
            }
            self.spans.pop_front();
        }
        if self.out < decided {
            out(between(self.out, decided));
            self.out = decided;
        }
    }

    /// Lets go of bytes that nothing will look at.
    fn forget(&mut self, decided: Place) {
        let unneeded = (decided - self.base).saturating_sub(LOOK_BACK);
        if HELD_BYTES_MAX <= unneeded {
            self.bytes.drain(..unneeded);
            self.base += unneeded;
        }
    }
}

/// Whether this is beside or around a mark. Then the text was clean before, and
/// whatever looks like a secret now is what a mark left of its surroundings.
fn beside_mark(window: &Window<'_>, anchor: Place, found: &Found, rest: bool) -> bool {
    let after_mark = [anchor, found.start].into_iter().any(|at| mark::ends_before(window, at));
    let before_mark = mark::ends(window, found.end).is_some();
    let within = window.seen(found.start, found.end);
    let places = within.iter().zip(found.start..);
    let mut marks = places.filter(|(byte, at)| **byte == b'[' && mark::ends(window, *at).is_some());
    !rest && after_mark || before_mark || marks.next().is_some()
}

fn sighted(spans: &mut VecDeque<Span>, sighting: &Sighting) {
    let Sighting { start, end, value } = *sighting;
    insert_span(spans, Span { start, end, whose: Whose::Known(value) });
}

/// At its place; nearly always the last.
fn insert(candidates: &mut VecDeque<Candidate>, candidate: Candidate) {
    if candidates.back().is_none_or(|back| back.at <= candidate.at) {
        candidates.push_back(candidate);
    } else {
        let place = candidates.partition_point(|other| other.at <= candidate.at);
        candidates.insert(place, candidate);
    }
}

/// By beginning; known before told, long before short.
fn insert_span(spans: &mut VecDeque<Span>, span: Span) {
    let order = |span: &Span| {
        let told = matches!(span.whose, Whose::Rule(_));
        (span.start, told, usize::MAX - span.end, span.whose)
    };
    if spans.back().is_none_or(|back| order(back) <= order(&span)) {
        spans.push_back(span);
    } else {
        let place = spans.partition_point(|other| order(other) <= order(&span));
        spans.insert(place, span);
    }
}
