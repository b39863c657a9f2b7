//! Text that is made out of a file: unpacked, or brought into UTF-8.
//!
//! It is made a moment at a time, and only as far as it was asked for, so that the
//! first lines of something large come soon. What came out is kept, and looked into
//! as a file is. It never becomes more than [`TEXT_BYTES_MAX`]: a few bytes can be
//! packed so that a disk would not hold what comes out of them.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::fd::OwnedFd;
use std::time::Instant;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::document::{HTML_BYTES_MAX, PDF_BYTES_MAX, Pdf, html};
use super::nature::{HEAD_BYTES, Nature};
use super::told::{Made, Short};
use super::utf16::Utf16;
use super::zstd::Zstandard;

/// The most that is made out of one file.
const TEXT_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What unpacking may keep of what came out before.
const XZ_MEMORY_KIB_MAX: u32 = 128 * 1024;
/// How much of a file is read at once.
const READ_BYTES: usize = 64 * 1024;
/// How much is made between two looks at the clock.
const STEP_BYTES: u64 = 256 * 1024;
/// The most that is said about what is broken.
const WHY_BYTES_MAX: usize = 200;

pub(super) struct Making {
    /// How it is made.
    pub(super) steps: Vec<Made>,
    pub(super) text: Vec<u8>,
    pub(super) short: Option<Short>,
    /// What came out is no text.
    pub(super) binary: Option<&'static str>,
    /// Where the rest comes from.
    rest: Option<Box<dyn Read>>,
    /// Whether it was looked at what comes out.
    known: bool,
}

impl fmt::Debug for Making {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Making").field("steps", &self.steps).finish_non_exhaustive()
    }
}

impl Making {
    /// Begins to make text out of a file that is this, or says what it is instead.
    pub(super) fn begin(nature: &Nature, file: OwnedFd, size: u64) -> Result<Self, &'static str> {
        let file = BufReader::with_capacity(READ_BYTES, File::from(file));
        let (step, rest): (_, Box<dyn Read>) = match nature {
            Nature::Gzip => (Made::Gzip, Box::new(MultiGzDecoder::new(file))),
            Nature::Zstandard => (Made::Zstandard, Box::new(Zstandard::new(file))),
            Nature::Xz => {
                (Made::Xz, Box::new(XzReader::new_mem_limit(file, true, XZ_MEMORY_KIB_MAX)))
            }
            Nature::Bzip2 => (Made::Bzip2, Box::new(MultiBzDecoder::new(file))),
            Nature::Utf16 { big, .. } => return Ok(Self::utf16(Vec::new(), file, *big)),
            Nature::Html => {
                let text = whole(file, size, HTML_BYTES_MAX).and_then(|source| html(&source));
                let text = text.ok_or("an HTML page that cannot be made text")?;
                (Made::Html, Box::new(Cursor::new(text)))
            }
            Nature::Pdf => {
                let pdf = whole(file, size, PDF_BYTES_MAX).and_then(|bytes| Pdf::open(&bytes));
                let pdf = pdf.ok_or("a PDF that is locked, broken or too large to be made text")?;
                (Made::Pdf, Box::new(pdf))
            }
            Nature::Text | Nature::Binary(_) => return Err(nature.name()),
        };
        Ok(Self::new(vec![step], rest))
    }

    fn new(steps: Vec<Made>, rest: Box<dyn Read>) -> Self {
        let text = Vec::new();
        Self { steps, text, short: None, binary: None, rest: Some(rest), known: false }
    }

    fn utf16(mut steps: Vec<Made>, rest: impl Read + 'static, big: bool) -> Self {
        steps.push(if big { Made::Utf16Be } else { Made::Utf16Le });
        Self { known: true, ..Self::new(steps, Box::new(Utf16::new(rest, big))) }
    }

    /// Whether nothing more will come.
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_none()
    }

    /// Makes on until there are so many bytes, or all. Whether that was done in time.
    pub(super) fn reach(&mut self, bytes: usize, deadline: Instant) -> bool {
        while self.text.len() < bytes {
            let Some(rest) = &mut self.rest else { return true };
            if deadline <= Instant::now() {
                return false;
            }
            let room = TEXT_BYTES_MAX.saturating_sub(self.text.len()) as u64;
            match rest.take(STEP_BYTES.min(room + 1)).read_to_end(&mut self.text) {
                Ok(0) => self.rest = None,
                Ok(_) if TEXT_BYTES_MAX < self.text.len() => {
                    self.text.truncate(TEXT_BYTES_MAX);
                    self.short = Some(Short::TooMuch);
                    self.rest = None;
                }
                Ok(_) => {}
                Err(error) => {
                    self.short = Some(Short::Broken { why: shortened(&error.to_string()) });
                    self.rest = None;
                }
            }
            self.look();
        }
        true
    }

    /// Looks at what comes out, once: it may be no text, or not in UTF-8.
    fn look(&mut self) {
        if self.known || (self.text.len() < HEAD_BYTES && self.rest.is_some()) {
            return;
        }
        self.known = true;
        match Nature::of(&self.text[..self.text.len().min(HEAD_BYTES)]) {
            Nature::Text | Nature::Html => {}
            Nature::Binary(what) => self.end_as(what),
            Nature::Utf16 { big, .. } => {
                let began = Cursor::new(std::mem::take(&mut self.text));
                let rest = self.rest.take().unwrap_or_else(|| Box::new(io::empty()));
                *self = Self {
                    short: self.short.take(),
                    ..Self::utf16(std::mem::take(&mut self.steps), began.chain(rest), big)
                };
            }
            within => self.end_as(within.name()),
        }
    }

    fn end_as(&mut self, what: &'static str) {
        self.binary = Some(what);
        (self.text, self.rest) = (Vec::new(), None);
    }
}

/// All of a file that is not too large.
fn whole(file: impl Read, size: u64, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).ok()?;
    (size <= most && bytes.len() as u64 <= most).then_some(bytes)
}

fn shortened(why: &str) -> String {
    let end = (0..=WHY_BYTES_MAX.min(why.len())).rev().find(|end| why.is_char_boundary(*end));
    why[..end.unwrap_or(0)].to_owned()
}
