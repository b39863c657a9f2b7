//! Searching files for lines, a moment at a time.
//!
//! A search is a walk that is kept between two requests. Each goes on until the
//! moment is over, or the answer is full: in the middle of a file if need be, at
//! the beginning of a line. So a search of any size can be left off at any time,
//! what was found is never lost, and what is found does not depend on how fast
//! the machine is.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder, Sink, SinkMatch};
use ignore::{DirEntry, Walk, WalkBuilder};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};

use super::error::Refusal;
use super::path::{Near, OPEN, open_file};
use super::text::{Ending, Text};
use super::wire::{
    Bytes, CHUNK_BYTES_MAX, Facts, Found, FoundIn, Kind, LINE_BYTES_MAX, Line, Unsearched,
};

/// How long one moment is.
const MOMENT: Duration = Duration::from_millis(50);
/// The longest line that is searched: it is held in memory.
const SEARCHED_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What a compiled pattern may take, and the tables that are made as it runs.
const PATTERN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a file or a line takes besides its name or its bytes, at most.
const ITEM_BYTES_MAX: usize = 64;

/// A search that has begun.
pub(super) struct Search {
    matcher: RegexMatcher,
    searcher: Searcher,
    /// What comes after `here`.
    walk: Option<Walk>,
    here: Option<Here>,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("here", &self.here).finish_non_exhaustive()
    }
}

/// A file, and the line from which on it is to be searched.
#[derive(Debug)]
struct Here {
    path: Vec<u8>,
    file: OwnedFd,
    offset: u64,
    /// How many lines come before.
    lines: u64,
}

impl Search {
    pub(super) fn begin(pattern: &str, path: &[u8]) -> Result<Self, Refusal> {
        let matcher = RegexMatcherBuilder::new()
            .line_terminator(Some(b'\n'))
            .multi_line(true)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .build(pattern)
            .map_err(|error| Refusal::Pattern(shortened(&error.to_string())))?;
        let searcher = SearcherBuilder::new()
            .line_number(true)
            .memory_map(MmapChoice::never())
            .heap_limit(Some(SEARCHED_LINE_BYTES_MAX))
            // What it finds before a NUL byte depends on the size of its buffer.
            .binary_detection(BinaryDetection::none())
            .bom_sniffing(false)
            .build();
        let mut search = Self { matcher, searcher, walk: None, here: None };
        match Near::to(path)?.look()?.kind {
            Kind::File => {
                let (file, _) = open_file(path)?;
                search.here = Some(Here { path: path.to_vec(), file, offset: 0, lines: 0 });
            }
            Kind::Directory => search.walk = Some(walk(path)),
            other => return Err(Refusal::Is(other)),
        }
        Ok(search)
    }

    /// Goes on for a moment, or until there are so many lines.
    pub(super) fn go_on(&mut self, lines_max: u64) -> Found {
        let deadline = Instant::now() + MOMENT;
        let mut part = Part { files: Vec::new(), bytes: 0, lines: 0, lines_max: lines_max.max(1) };
        loop {
            if part.is_full() || deadline <= Instant::now() {
                return Found { files: part.files, done: false };
            }
            if let Some(here) = self.here.take() {
                self.here = self.search(here, deadline, &mut part);
                continue;
            }
            match self.walk.as_mut().and_then(Iterator::next) {
                None => return Found { files: part.files, done: true },
                Some(Ok(entry)) => self.here = part.open(entry),
                Some(Err(error)) => part.cannot_enter(&error),
            }
        }
    }

    /// Searches on in one file. What is left of it is the answer.
    fn search(&mut self, here: Here, deadline: Instant, part: &mut Part) -> Option<Here> {
        let mut text = Text { file: &here.file, next: here.offset, lines: 0, deadline, end: None };
        let mut lines = Lines { here: &here, part, found: Vec::new(), left_at: None };
        let ended = self.searcher.search_reader(&self.matcher, &mut text, &mut lines);
        let Lines { found, left_at, .. } = lines;
        let Text { next, lines, end, .. } = text;
        let mut unsearched = None;
        let left_at = match (left_at, ended) {
            (Some(at), _) => Some(at),
            (None, Err(error)) => {
                unsearched = Some(match error.raw_os_error() {
                    Some(errno) => Unsearched::Unreadable { errno },
                    None => Unsearched::LongLine,
                });
                None
            }
            (None, Ok(())) if end == Some(Ending::Binary) => {
                unsearched = Some(Unsearched::Binary);
                None
            }
            (None, Ok(())) => (end == Some(Ending::Moment)).then_some((next, lines)),
        };
        if !found.is_empty() || unsearched.is_some() {
            part.add(FoundIn { path: Bytes(here.path.clone()), lines: found, unsearched });
        }
        left_at.map(|(offset, lines)| Here { offset, lines: here.lines + lines, ..here })
    }
}

/// What is wrong with a pattern quotes it, which may be long.
fn shortened(text: &str) -> String {
    let bytes = text.as_bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(REASON_BYTES_MAX)]).into_owned()
}

const REASON_BYTES_MAX: usize = 4 * 1024;

/// Everything below, sorted, nothing left out, no link followed.
fn walk(path: &[u8]) -> Walk {
    let path = PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()));
    WalkBuilder::new(path)
        .standard_filters(false)
        .follow_links(false)
        .sort_by_file_name(|one, other| one.cmp(other))
        .build()
}

/// What one answer will bring.
#[derive(Debug)]
struct Part {
    files: Vec<FoundIn>,
    bytes: usize,
    lines: u64,
    lines_max: u64,
}

impl Part {
    /// Whether a file and a line, however long, might not fit any more.
    fn is_full(&self) -> bool {
        let most = LINE_BYTES_MAX + PATH_BYTES_MAX + 2 * ITEM_BYTES_MAX;
        self.lines_max <= self.lines || CHUNK_BYTES_MAX < self.bytes + most
    }

    fn add(&mut self, file: FoundIn) {
        self.bytes += file.path.len() + ITEM_BYTES_MAX;
        self.files.push(file);
    }

    fn cannot_search(&mut self, path: &[u8], errno: i32) {
        let unsearched = Some(Unsearched::Unreadable { errno });
        self.add(FoundIn { path: path.into(), lines: Vec::new(), unsearched });
    }

    fn cannot_enter(&mut self, error: &ignore::Error) {
        let errno = error.io_error().and_then(errno_of).unwrap_or(libc::EIO);
        // What was removed since it was listed is simply not there.
        if errno != libc::ENOENT {
            let path = path_of(error).unwrap_or_default();
            let shown = path.len().min(PATH_BYTES_MAX);
            self.cannot_search(&path[..shown], errno);
        }
    }

    /// Opens what the walk came to, if it is to be searched.
    fn open(&mut self, entry: DirEntry) -> Option<Here> {
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            return None;
        }
        let path = entry.into_path().into_os_string().into_vec();
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OPEN;
        let file = match open(&path[..], flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::ENOENT | Errno::ELOOP) => return None,
            Err(errno) => {
                self.cannot_search(&path, errno as i32);
                return None;
            }
        };
        // It may be something else by now.
        let is_file = fstat(&file).is_ok_and(|stat| Facts::of(&stat).kind == Kind::File);
        is_file.then_some(Here { path, file, offset: 0, lines: 0 })
    }
}

/// A path that can be opened at all is shorter.
const PATH_BYTES_MAX: usize = 4096;

/// The walk wraps what the kernel said in an error of its own, and that in another.
fn errno_of(error: &io::Error) -> Option<i32> {
    let mut error: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(errno) = error.downcast_ref().and_then(io::Error::raw_os_error) {
            return Some(errno);
        }
        error = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => inner,
            None => error.source()?,
        };
    }
}

fn path_of(error: &ignore::Error) -> Option<&[u8]> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.as_os_str().as_bytes()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        _ => None,
    }
}

/// Takes the lines that the searcher finds.
#[derive(Debug)]
struct Lines<'a> {
    here: &'a Here,
    part: &'a mut Part,
    found: Vec<Line>,
    /// Where it was left off because the answer was full, and the lines before.
    left_at: Option<(u64, u64)>,
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        let bytes = found.bytes();
        let offset = self.here.offset + found.absolute_byte_offset();
        let number = found.line_number().unwrap_or(1);
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let shown = &text[..text.len().min(LINE_BYTES_MAX)];
        self.found.push(Line {
            number: self.here.lines + number,
            offset,
            length: text.len() as u64,
            bytes: shown.into(),
        });
        self.part.bytes += shown.len() + ITEM_BYTES_MAX;
        self.part.lines += 1;
        // The file itself still has to be added.
        let with_path = self.part.bytes + self.here.path.len();
        if self.part.lines_max <= self.part.lines
            || CHUNK_BYTES_MAX < with_path + LINE_BYTES_MAX + 2 * ITEM_BYTES_MAX
        {
            self.left_at = Some((offset + bytes.len() as u64, number));
            return Ok(false);
        }
        Ok(true)
    }
}
