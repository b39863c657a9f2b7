//! What is shown of an output that is too large to show.
//!
//! ```text
//! exit 1 after 2.1 s · /case/outputs/0007-shell.log · log · 2,147,483,648 bytes · …    facts
//! from 2026-03-01T12:00:00Z to 12:59:59Z                                               structure
//! ERROR 12 (first in line 4,031) · WARN 340 · INFO 1,203,331
//! [lines 1-14 of 12,345,678]                                                           head
//! …
//! [lines 12,345,660-12,345,678]                                                        tail
//! …
//! next: read_file /case/outputs/0007-shell.log from=15                                 next call
//! ```
//!
//! It is never longer than its budget, never holds half a line or half a character
//! (a line that does not fit is cut, with a mark that says how long it is), and
//! everything in it is [visible](super::visible). However large the output, it costs
//! the same memory and a bounded time: of a very large one only the first part is
//! looked at for its structure, and that is said.

mod diff;
mod ends;
pub(super) mod json;
mod json_reader;
pub(super) mod log;
mod page;
pub(super) mod reading;
mod shape;
mod shapes;
mod stamp;
pub(super) mod table;
pub(super) mod test_run;
#[cfg(test)]
mod tests;
pub(super) mod traces;

use std::io::{self, Read, Seek, SeekFrom};

use self::page::{Page, thousands};
use super::budget::Budget;
use super::kind::Kind;

/// However large the budget: a preview is to tell where to look, not to be read
/// instead. That is about nine hundred tokens.
const PREVIEW_CHARS_MAX: usize = 3_600;

/// Of what facts and next call leave, the structure may take so much, and the head so
/// much of the rest.
const STRUCTURE_PERCENT: usize = 60;
const HEAD_PERCENT: usize = 50;

/// So much of a digest tells two outputs apart; the journal has all of it.
const DIGEST_CHARS: usize = 16;

/// What is longer leads nowhere, and leaves room for nothing.
const PATH_CHARS_MAX: usize = 4_096;

/// So many of the first bytes are shown of what is no text.
const BINARY_BYTES: u64 = 32;

/// What is known of an output without looking at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// Where the jail has it.
    pub path: &'a str,
    /// How the call went, in one line.
    pub facts: &'a str,
    pub sha256: &'a str,
    pub lines: u64,
}

/// The structure of an output, the most telling line first.
#[derive(Debug, Default)]
struct Sketch {
    lines: Vec<String>,
    /// The call that goes on from it, better than reading on.
    next: Option<String>,
}

/// What can be looked at from the beginning and from the end.
trait Source: Read + Seek {}
impl<S: Read + Seek> Source for S {}

/// The preview of an output of so many bytes.
pub fn preview(
    source: &mut (impl Read + Seek),
    size: u64,
    kind: Kind,
    about: &About<'_>,
    budget: Budget,
) -> io::Result<String> {
    let mut page = Page::new(budget.chars().min(PREVIEW_CHARS_MAX));
    // A place of the host may be called anything.
    let path = page::short(about.path.as_bytes(), PATH_CHARS_MAX);
    let about = &About { path: &path, ..*about };
    page.cut(facts(size, kind, about).as_bytes());
    if let Kind::Binary(_) = kind {
        binary(source, size, about, &mut page)?;
        return Ok(page.finish());
    }
    if size <= page.room() as u64 * 4
        && let Some(whole) = whole(source, size, page.room())?
    {
        if !whole.is_empty() {
            page.push(&whole);
        }
        return Ok(page.finish());
    }
    let room = page.room() * STRUCTURE_PERCENT / 100;
    let sketch = sketch(source, size, kind, about, room)?;
    let next = sketch.next.map(|next| format!("next: {next}"));
    // What comes last is what is read best, so it has its place before the rest does.
    let reserved = next.as_ref().map_or(NEXT_CHARS, |next| next.chars().count() + 1);
    let reserved = if reserved * 2 <= page.room() { reserved } else { 0 };
    page.reserve(reserved);
    page.part(&sketch.lines, room);
    let shown = ends::ends(source, size, about.lines, page.room())?;
    shown.onto(&mut page);
    page.release();
    let next = next.unwrap_or_else(|| format!("next: {}", shown.next(about.path)));
    page.push(&next);
    Ok(page.finish())
}

/// As long as the next call may be where nothing better is known.
const NEXT_CHARS: usize = 160;

fn facts(size: u64, kind: Kind, about: &About<'_>) -> String {
    let mut facts = Vec::new();
    for known in [about.facts, about.path, kind.name()] {
        if !known.is_empty() {
            facts.push(known.to_owned());
        }
    }
    facts.push(format!("{} bytes", thousands(size)));
    if !matches!(kind, Kind::Binary(_)) {
        let lines = if about.lines == 1 { "line" } else { "lines" };
        facts.push(format!("{} {lines}", thousands(about.lines)));
    }
    if !about.sha256.is_empty() {
        let digest: String = about.sha256.chars().take(DIGEST_CHARS).collect();
        facts.push(format!("sha256 {digest}…"));
    }
    facts.join(" · ")
}

/// All of it, if it fits.
fn whole(source: &mut dyn Source, size: u64, room: usize) -> io::Result<Option<String>> {
    source.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    source.take(size).read_to_end(&mut bytes)?;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let text = super::visible(bytes);
    Ok((text.chars().count() < room).then(|| text.into_owned()))
}

/// What there is to say of the structure, in about so many characters.
fn sketch(
    source: &mut dyn Source,
    size: u64,
    kind: Kind,
    about: &About<'_>,
    room: usize,
) -> io::Result<Sketch> {
    match kind {
        Kind::Json => json::sketch(source, size, about, room),
        Kind::JsonLines => json::sketch_lines(source, size, about, room),
        Kind::Csv | Kind::Tsv => table::sketch(source, size, about),
        Kind::Log => log::sketch(source, size, about),
        Kind::Traces => traces::sketch(source, size, about),
        Kind::Diff => diff::sketch(source, size, about),
        Kind::TestRun => test_run::sketch(source, size, about),
        Kind::Html | Kind::Text | Kind::Binary(_) => Ok(Sketch::default()),
    }
}

/// What is no text is named, and not shown.
fn binary(
    source: &mut dyn Source,
    size: u64,
    about: &About<'_>,
    page: &mut Page,
) -> io::Result<()> {
    source.seek(SeekFrom::Start(0))?;
    let mut first = Vec::new();
    source.take(size.min(BINARY_BYTES)).read_to_end(&mut first)?;
    let first: Vec<_> = first.iter().map(|byte| format!("{byte:02x}")).collect();
    page.push(&format!("it is no text; it begins with {}", first.join(" ")));
    page.push(&format!("next: shell `file {0}`, or `strings {0} | head`", about.path));
    Ok(())
}
