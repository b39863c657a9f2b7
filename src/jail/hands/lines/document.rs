//! The text of documents: of a page that was saved, and of a PDF, page by page.
//!
//! Whoever wrote a document may have meant to harm its reader. What is read of it is
//! bounded here; should that not do, it is these hands that end, and others are begun.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use lopdf::{Document, LoadOptions};

/// The largest page and the largest PDF whose text is made.
pub(super) const HTML_BYTES_MAX: u64 = 4 * 1024 * 1024;
pub(super) const PDF_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What one stream of a PDF may be unpacked to.
const STREAM_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How wide the lines of a page are.
const WIDTH: usize = 100;

/// The text of a page, or `None` if none can be made.
pub(super) fn html(source: &[u8]) -> Option<String> {
    let made = || html2text::config::plain().string_from_read(source, WIDTH);
    catch_unwind(AssertUnwindSafe(made)).ok()?.ok()
}

/// A PDF, read as text: a line about each page, and what it says.
pub(super) struct Pdf {
    document: Document,
    pages: std::vec::IntoIter<u32>,
    count: usize,
    ready: io::Cursor<Vec<u8>>,
}

impl Pdf {
    /// `None` if it cannot be made sense of, or is locked.
    pub(super) fn open(bytes: &[u8]) -> Option<Self> {
        let options =
            LoadOptions { max_decompressed_size: Some(STREAM_BYTES_MAX), ..LoadOptions::default() };
        let loaded = || Document::load_mem_with_options(bytes, options);
        let document = catch_unwind(AssertUnwindSafe(loaded)).ok()?.ok()?;
        let pages: Vec<u32> = document.get_pages().into_keys().collect();
        if document.is_encrypted() && document.encryption_state.is_none() || pages.is_empty() {
            return None;
        }
        let count = pages.len();
        Some(Self { document, pages: pages.into_iter(), count, ready: io::Cursor::default() })
    }

    fn page(&self, number: u32) -> String {
        let made = || self.document.extract_text_chunks_with_limit(&[number], STREAM_BYTES_MAX);
        let chunks = catch_unwind(AssertUnwindSafe(made)).unwrap_or_default();
        let text: String = chunks.into_iter().flatten().collect();
        let text = match text.trim() {
            "" => "(no text on this page)",
            text => text,
        };
        format!("--- page {number} of {} ---\n{text}\n", self.count)
    }
}

impl Read for Pdf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.ready.read(buffer)?;
            if 0 < read || buffer.is_empty() {
                return Ok(read);
            }
            let Some(next) = self.pages.next() else { return Ok(0) };
            self.ready = io::Cursor::new(self.page(next).into_bytes());
        }
    }
}
