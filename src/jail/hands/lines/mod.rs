//! Reading lines of a file, however large it is and whatever its text is made of.
//!
//! ```text
//! a file ──► its nature ──► text, as it lies there ──┐
//!                  └──────► text that is made ───────┴─► an index ──► lines
//! ```
//!
//! What is learnt of a large file is kept for as long as nobody changes it: a log
//! that grows is counted on from where it was. An answer takes a moment at most.
//! Where that does not do, it says how far it came, and the same question goes on
//! from there; so a host can leave off at any time.

mod cut;
mod document;
mod index;
mod making;
mod nature;
mod source;
pub(super) mod told;
mod utf16;
mod zstd;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use self::cut::{Cut, Start, backward, forward};
use self::index::Index;
use self::making::Making;
use self::nature::{HEAD_BYTES, Nature};
use self::source::Source;
use self::told::{Form, LinesAsked, Told, ToldLines};
use super::error::Refusal;
use super::path::open_file;
use super::wire::{CHUNK_BYTES_MAX, Facts};

/// How long one moment is.
const MOMENT: Duration = Duration::from_millis(50);
/// A file up to this is read whole each time, and nothing of it is kept.
const SMALL_BYTES_MAX: u64 = 256 * 1024;
/// A file that grew and is no larger is counted anew: then its count is surely right.
const COUNTED_ANEW_MAX: u64 = 32 * 1024 * 1024;
/// What is not counted yet is counted for the last lines if it is no more than this.
const COUNTED_FOR_END_MAX: u64 = 64 * 1024 * 1024;
/// Of so many files something is kept, and of so many the text that was made.
const KEPT_MAX: usize = 8;
const MADE_KEPT_MAX: usize = 1;

/// What is known of files that were read.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The one that was read last is the last.
    texts: Vec<Text>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Text {
    facts: Facts,
    form: Form,
    index: Index,
    /// What some places of it were like, when it was counted so far.
    sample: Option<(u64, u64)>,
    making: Option<Making>,
    /// Whether it was looked at how it begins, and it is text as it lies there.
    is_plain: bool,
}

/// What stands in the way of lines.
enum Instead {
    Binary(&'static str),
    Later { done: u64, of: u64 },
}

pub(super) fn lines(asked: &LinesAsked, kept: &mut Kept) -> Result<Told, Refusal> {
    let deadline = Instant::now() + MOMENT;
    let (file, facts) = open_file(&asked.path)?;
    let Kept { texts, buffer } = kept;
    let known = texts.iter().position(|text| text.is_of(&facts) && text.form == asked.form);
    let mut text = match known.map(|at| texts.remove(at)) {
        Some(text) => match text.still(&file, facts, buffer)? {
            Some(text) => text,
            None => Text::new(facts, asked.form),
        },
        None => Text::new(facts, asked.form),
    };
    let told = text.tell(asked, &file, deadline, buffer)?;
    if SMALL_BYTES_MAX < facts.size || text.making.is_some() {
        text.remember(&file, buffer)?;
        texts.push(text);
        Kept::forget(texts);
    }
    Ok(told)
}

impl Kept {
    /// Lets go of what was not read for longest.
    fn forget(texts: &mut Vec<Text>) {
        if KEPT_MAX < texts.len() {
            texts.remove(0);
        }
        let made = texts.iter().filter(|text| text.making.is_some()).count();
        if MADE_KEPT_MAX < made
            && let Some(first) = texts.iter().position(|text| text.making.is_some())
        {
            texts.remove(first);
        }
    }
}

impl Text {
    fn new(facts: Facts, form: Form) -> Self {
        Self {
            facts,
            form,
            index: Index::new(facts.size),
            sample: None,
            making: None,
            is_plain: false,
        }
    }

    fn is_of(&self, facts: &Facts) -> bool {
        (self.facts.device, self.facts.inode) == (facts.device, facts.inode)
    }

    /// What is known, if it still holds: nobody touched the file, or somebody wrote on
    /// at its end.
    fn still(
        mut self,
        file: &OwnedFd,
        facts: Facts,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Self>, Refusal> {
        if self.facts == facts {
            return Ok(Some(self));
        }
        let grew = COUNTED_ANEW_MAX < facts.size && self.facts.size < facts.size;
        let Some((counted, sample)) = self.sample else { return Ok(None) };
        if !grew || self.making.is_some() || counted != self.index.counted() {
            return Ok(None);
        }
        let source = Source::File { file, size: facts.size };
        let holds = self.index.sample(&source, buffer)? == sample;
        self.facts = facts;
        Ok(holds.then_some(self))
    }

    /// Notes what the file is like, as far as it was counted.
    fn remember(&mut self, file: &OwnedFd, buffer: &mut Vec<u8>) -> Result<(), Refusal> {
        let counted = self.index.counted();
        if self.making.is_none() && self.sample.is_none_or(|(then, _)| then != counted) {
            let source = Source::File { file, size: self.facts.size };
            self.sample = Some((counted, self.index.sample(&source, buffer)?));
        }
        Ok(())
    }

    fn tell(
        &mut self,
        asked: &LinesAsked,
        file: &OwnedFd,
        deadline: Instant,
        buffer: &mut Vec<u8>,
    ) -> Result<Told, Refusal> {
        let facts = self.facts;
        let told = match self.making {
            Some(_) => self.tell_made(asked, deadline, buffer)?,
            None if facts.size <= SMALL_BYTES_MAX => {
                let whole = whole(file, facts.size, buffer)?;
                let head = &whole[..whole.len().min(HEAD_BYTES)];
                match self.begin_making(head, file)? {
                    Some(instead) => Err(instead),
                    None if self.making.is_some() => self.tell_made(asked, deadline, buffer)?,
                    None => self.tell_from(&Source::Memory(&whole), asked, deadline, buffer)?,
                }
            }
            None if self.is_plain => {
                let source = Source::File { file, size: facts.size };
                self.tell_from(&source, asked, deadline, buffer)?
            }
            None => {
                let source = Source::File { file, size: facts.size };
                let head = source.view(0, HEAD_BYTES, buffer)?.to_vec();
                match self.begin_making(&head, file)? {
                    Some(instead) => Err(instead),
                    None if self.making.is_some() => self.tell_made(asked, deadline, buffer)?,
                    None => self.tell_from(&source, asked, deadline, buffer)?,
                }
            }
        };
        Ok(match told {
            Ok(lines) => Told::Lines(lines),
            Err(Instead::Binary(what)) => Told::Binary { facts, what: what.to_owned() },
            Err(Instead::Later { done, of }) => Told::Working { done, of },
        })
    }

    /// Looks at how a file begins. Text that is not simply there begins to be made.
    fn begin_making(&mut self, head: &[u8], file: &OwnedFd) -> Result<Option<Instead>, Refusal> {
        let nature = Nature::of(head);
        let source_only = self.form == Form::Source;
        match nature {
            Nature::Text => {
                self.is_plain = true;
                return Ok(None);
            }
            Nature::Html if self.form != Form::Text => return Ok(None),
            Nature::Binary(what) => return Ok(Some(Instead::Binary(what))),
            Nature::Utf16 { .. } => {}
            ref nature if source_only => return Ok(Some(Instead::Binary(nature.name()))),
            _ => {}
        }
        let file = file.try_clone().map_err(|error| error_number(&error))?;
        self.making = match Making::begin(&nature, file, self.facts.size) {
            Ok(making) => Some(making),
            // Of a page that text cannot be made of, there is still the source.
            Err(_) if nature == Nature::Html => None,
            Err(why) => return Ok(Some(Instead::Binary(why))),
        };
        Ok(None)
    }

    /// Makes as much text as is needed, and tells of it.
    fn tell_made(
        &mut self,
        asked: &LinesAsked,
        deadline: Instant,
        buffer: &mut Vec<u8>,
    ) -> Result<Result<ToldLines, Instead>, Refusal> {
        let Some(mut making) = self.making.take() else { return Ok(Err(Instead::Binary(""))) };
        let told = self.tell_making(&mut making, asked, deadline, buffer);
        self.making = Some(making);
        told
    }

    fn tell_making(
        &mut self,
        making: &mut Making,
        asked: &LinesAsked,
        deadline: Instant,
        buffer: &mut Vec<u8>,
    ) -> Result<Result<ToldLines, Instead>, Refusal> {
        let mut wanted = CHUNK_BYTES_MAX;
        loop {
            let in_time = making.reach(wanted, deadline);
            if let Some(what) = making.binary {
                return Ok(Err(Instead::Binary(what)));
            }
            let done = making.text.len() as u64;
            if !in_time {
                return Ok(Err(Instead::Later { done, of: u64::MAX }));
            }
            // Counting is much quicker than making.
            let source = Source::Memory(&making.text);
            let first = u64::try_from(asked.from).unwrap_or(u64::MAX).max(1);
            if !self.index.reach(&source, first - 1, 0, deadline, buffer)? {
                return Ok(Err(Instead::Later { done, of: u64::MAX }));
            }
            let start = self.index.start_of(first, &source, buffer)?;
            let enough = start.map(|start| {
                start.saturating_add(asked.skip).saturating_add(2 * CHUNK_BYTES_MAX as u64)
            });
            if making.is_done() || enough.is_some_and(|enough| enough <= done) {
                break;
            }
            let more = enough.unwrap_or(0).max(done + CHUNK_BYTES_MAX as u64);
            wanted = usize::try_from(more).unwrap_or(usize::MAX);
        }
        let source = Source::Memory(&making.text);
        let told = self.tell_from(&source, asked, deadline, buffer)?;
        Ok(told.map(|mut told| {
            told.made.clone_from(&making.steps);
            told.short.clone_from(&making.short);
            if !making.is_done() {
                (told.total, told.at_end) = (None, false);
            }
            told
        }))
    }

    fn tell_from(
        &mut self,
        source: &Source<'_>,
        asked: &LinesAsked,
        deadline: Instant,
        buffer: &mut Vec<u8>,
    ) -> Result<Result<ToldLines, Instead>, Refusal> {
        let size = source.size();
        let index = &mut self.index;
        let later = |index: &Index| Instead::Later { done: index.counted(), of: size };
        if size <= SMALL_BYTES_MAX {
            index.reach(source, 0, size, deadline, buffer)?;
        }
        let start = match u64::try_from(asked.from) {
            Ok(from) => {
                let from = from.max(1);
                if !index.reach(source, from - 1, 0, deadline, buffer)? {
                    return Ok(Err(later(index)));
                }
                let at = index.start_of(from, source, buffer)?.unwrap_or(size);
                Start { at, number: i64::try_from(from).unwrap_or(i64::MAX) }
            }
            Err(_) => {
                let back = asked.from.unsigned_abs();
                let is_near = size - index.counted().min(size) <= COUNTED_FOR_END_MAX;
                let found = if is_near { None } else { backward(back, source, deadline, buffer)? };
                match found {
                    Some(start) => start,
                    None => {
                        if !index.reach(source, 0, size, deadline, buffer)? {
                            return Ok(Err(later(index)));
                        }
                        let total = index.total(source).unwrap_or(0);
                        let from = (total + 1).saturating_sub(back).max(1);
                        let at = index.start_of(from, source, buffer)?.unwrap_or(size);
                        Start { at, number: i64::try_from(from).unwrap_or(i64::MAX) }
                    }
                }
            }
        };
        let begins = start.at.saturating_add(asked.skip);
        if 0 < asked.skip && !index.reach(source, 0, begins + 1, deadline, buffer)? {
            return Ok(Err(later(index)));
        }
        let bytes_max = asked.bytes_max.min(CHUNK_BYTES_MAX as u64);
        let asked = &LinesAsked { bytes_max, ..asked.clone() };
        let Cut { lines, at_end } = forward(start, asked, source, index, deadline, buffer)?;
        let total = index.total(source);
        let (facts, made) = (self.facts, Vec::new());
        Ok(Ok(ToldLines { facts, made, size, lines, total, at_end, short: None }))
    }
}

/// The whole of a small file. What the kernel makes up has no size, and has bytes.
fn whole(file: &OwnedFd, size: u64, buffer: &mut Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let size = if size == 0 { SMALL_BYTES_MAX } else { size };
    Ok(Source::File { file, size }.view(0, SMALL_BYTES_MAX as usize, buffer)?.to_vec())
}

fn error_number(error: &std::io::Error) -> Refusal {
    Refusal::Other { errno: error.raw_os_error().unwrap_or(0) }
}
