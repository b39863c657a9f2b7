//! The hands: how the host reads, lists, searches and writes in a jail without
//! opening a single path there.
//!
//! ```text
//! host ── Hands + two sockets ──► warden ──► a waiting first process, locked in
//! host ── Request ──────────────► hands      on the socket for requests
//! host ◄─ Answer ──────────────── hands      one packet for each request
//! host ◄─ Ended ───────────────── warden     on the other, as with any command
//! ```
//!
//! They are one more process of the jail, locked in exactly as a command is, that
//! serves requests instead of starting a program. So no path can lead out: for
//! whoever follows it, there is nothing else. The warden touches no file.
//!
//! They live until their [`Hands`] is dropped, so no limit on a command's time is
//! theirs. Each request is bounded instead: by the size of an answer, and by
//! [`Hands::set_patience`], after which the host has the warden end them. Then,
//! as after any other death, the error says so and [`Jail::hands`] gives new ones.
//!
//! [`Jail::hands`]: super::Jail::hands

mod edit;
mod error;
mod lines;
mod list;
mod nearest;
mod path;
mod read;
pub mod search;
mod serve;
pub mod wire;
mod write;

use std::os::fd::AsFd;
use std::time::Duration;

use self::wire::{
    ANSWER_BYTES_MAX, Answer, CHUNK_BYTES_MAX, Chunk, EditAsked, Edited, Facts, How, LinesAsked,
    Listing, Request, Told, WRITE_BYTES_MAX, WriteMode,
};
use super::error::JailError;
use super::host::{News, Running, readable};
use super::wire::{Channel, SOON};

pub use self::error::{HandsError, Refusal};
pub(super) use self::serve::serve;

/// How long the host waits for an answer, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is worth to look for an answer where whoever waits hands other work over
/// first. Sooner, and a busy machine has more to do for each call, and is busier.
const SOON_ENOUGH: Duration = Duration::from_micros(300);
/// How long the warden may take to say how the hands ended.
const END_MAX: Duration = Duration::from_secs(1);

/// How a thread waits that may have others to serve meanwhile: it does what it is given,
/// once, which may take long.
pub type Wait = fn(&mut dyn FnMut());

/// The hands of one jail. Dropping them ends them, whatever they are doing.
#[derive(Debug)]
pub struct Hands {
    requests: Channel,
    running: Running,
    patience: Duration,
    soon: Duration,
    wait: Wait,
}

impl Hands {
    pub(super) fn new(requests: Channel, running: Running) -> Self {
        Self { requests, running, patience: PATIENCE, soon: SOON, wait: |act| act() }
    }

    /// Sets how long one answer may take. Hands that need longer are ended.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Sets how an answer is waited for that does not come soon.
    pub fn set_wait(&mut self, wait: Wait) {
        (self.wait, self.soon) = (wait, SOON_ENOUGH);
    }

    /// Reads at most `max` bytes of a regular file, and never more than
    /// [`CHUNK_BYTES_MAX`]. A path that does not begin with `/` begins there.
    pub fn read(&mut self, path: &[u8], offset: u64, max: usize) -> Result<Chunk, HandsError> {
        let max = max.min(CHUNK_BYTES_MAX);
        let request = Request::Read { path: path.into(), offset, max: max as u64 };
        self.ask(&request, |answer| match answer {
            Answer::Chunk(chunk) if chunk.bytes.len() <= max => Some(chunk),
            _ => None,
        })
    }

    /// Lists a directory in the order of its names' bytes: at most `max` entries,
    /// those after the name `after`. How many fit an answer depends on the names.
    pub fn list(
        &mut self,
        path: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Listing, HandsError> {
        let after = after.map(Into::into);
        let request = Request::List { path: path.into(), after, max: max as u64 };
        self.ask(&request, |answer| match answer {
            Answer::Listing(listing) if listing.entries.len() <= max => Some(listing),
            _ => None,
        })
    }

    /// Tells some lines of a file, whatever its text is made of. What takes longer than
    /// a moment is [`Told::Working`] until it was asked often enough.
    pub fn lines(&mut self, asked: &LinesAsked) -> Result<Told, HandsError> {
        self.ask(&Request::Lines(asked.clone()), |answer| match answer {
            Answer::Lines(told) => Some(told),
            _ => None,
        })
    }

    /// Names that are there and look like `path`, which is not: the nearest first, of
    /// those beside it and of those that are anywhere below `base`.
    pub fn nearest(&mut self, path: &[u8], base: &[u8]) -> Result<Vec<Vec<u8>>, HandsError> {
        let request = Request::Nearest { path: path.into(), base: base.into() };
        self.ask(&request, |answer| match answer {
            Answer::Nearest(names) => Some(names.into_iter().map(|name| name.0).collect()),
            _ => None,
        })
    }

    /// Writes a file, in one request and so at most [`WRITE_BYTES_MAX`], and says
    /// what it is then. A link in the place of the file is refused, not followed.
    pub fn write(
        &mut self,
        path: &[u8],
        bytes: &[u8],
        mode: WriteMode,
    ) -> Result<Facts, HandsError> {
        if WRITE_BYTES_MAX < bytes.len() {
            return Err(HandsError::TooLarge { bytes: bytes.len() });
        }
        let request = Request::Write { path: path.into(), bytes: bytes.into(), mode };
        let written = self.ask(&request, |answer| match answer {
            Answer::Written(facts) => Some(facts),
            _ => None,
        });
        // No command may be running, and then nobody watches the disk but now.
        let _ = self.running.wrote();
        written
    }

    /// Changes a file, makes the directories that it needs, and tells which lines
    /// changed. What is put in and looked for is at most [`WRITE_BYTES_MAX`] together.
    pub fn edit(&mut self, asked: EditAsked) -> Result<Edited, HandsError> {
        let old = match &asked.how {
            How::Passage { old } => old.len(),
            _ => 0,
        };
        let bytes = asked.text.len() + old;
        if WRITE_BYTES_MAX < bytes {
            return Err(HandsError::TooLarge { bytes });
        }
        let edited = self.ask(&Request::Edit(asked), |answer| match answer {
            Answer::Edited(edited) => Some(edited),
            _ => None,
        });
        // As above.
        let _ = self.running.wrote();
        edited
    }

    fn ask<T>(
        &mut self,
        request: &Request,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T, HandsError> {
        if self.requests.send(request, &[]).is_err() {
            return Err(self.end());
        }
        if !self.requests.comes_within(self.soon) && !self.comes().map_err(JailError::Garbage)? {
            self.running.cancel()?;
            return Err(HandsError::Late { after: self.patience });
        }
        let received = match self.requests.receive_from_jail_up_to(ANSWER_BYTES_MAX) {
            Ok(Some(received)) => received.message,
            Ok(None) => return Err(self.end()),
            Err(error) => return Err(self.distrust(error)),
        };
        match received {
            Answer::Refused(refusal) => Err(HandsError::Refused(refusal)),
            answer => pick(answer).ok_or_else(|| self.distrust(super::wire::garbage())),
        }
    }

    /// Waits for the answer as long as there is patience, and says whether it came.
    fn comes(&self) -> std::io::Result<bool> {
        let mut comes = Ok(false);
        (self.wait)(&mut || comes = readable(self.requests.as_fd(), self.patience));
        comes
    }

    /// Hands that made no sense once are not asked again.
    fn distrust(&self, error: std::io::Error) -> HandsError {
        let _ = self.running.cancel();
        JailError::Garbage(error).into()
    }

    /// Why they are gone, as far as the warden knows.
    fn end(&self) -> HandsError {
        let mut why = HandsError::Jail(JailError::Gone);
        while let Ok(true) = readable(self.running.as_fd(), END_MAX) {
            match self.running.news() {
                Ok(News::Started(_)) => {}
                Ok(News::NotStarted(fault)) => why = JailError::Fault(fault).into(),
                Ok(News::Ended(_)) if !matches!(why, HandsError::Jail(JailError::Gone)) => break,
                Ok(News::Ended(end)) => return HandsError::Ended(end),
                Err(_) => break,
            }
        }
        why
    }
}
