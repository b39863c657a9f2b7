//! Writing the journal: one line for each call, before its answer leaves.
//!
//! A line is written with one call to the kernel and so is there when the process is
//! killed right after. Every second what was written is synced, and then the head is
//! noted; in this order, so that a fall of the machine cannot leave a head that names
//! lines which are not there.

#![expect(clippy::disallowed_methods, reason = "a file of the case that only the host writes")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::SigSet;

use super::entry::{Entry, Hash, Line};
use super::head::Head;
use crate::disk::{DiskError, io_hint};
use crate::hint::Hint;

/// What a line may have, its arguments included. Longer arguments are told in part.
pub(super) const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;
const ARGUMENTS_BYTES_MAX: usize = 1024 * 1024;
/// How long a line may wait to be synced.
const SYNC_AFTER: Duration = Duration::from_secs(1);

pub(super) fn path(case: &Path) -> PathBuf {
    case.join("journal.jsonl")
}

/// A journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    #[error("the journal `{}` does not end where it was left: {found}", path.display())]
    Broken { path: PathBuf, found: String },
    #[error("cannot write the journal `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for JournalError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Broken { .. } => Some("See where with `casefile journal verify`.".into()),
            Self::Write { source, .. } => io_hint(source).map(Into::into),
            Self::Disk(error) => error.hint(),
        }
    }
}

/// The journal of a case, open to be written. Whoever has it holds the case.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    case: PathBuf,
    state: Mutex<State>,
    /// Something was written, or it is over.
    news: Condvar,
}

#[derive(Debug)]
struct State {
    file: File,
    head: Head,
    /// How long the file is with all whole lines.
    length: u64,
    is_synced: bool,
    is_over: bool,
    /// What went wrong when it was synced, until somebody is told.
    failed: Option<DiskError>,
}

impl Journal {
    /// Opens the journal of the case in this directory, or begins it.
    ///
    /// A last line that was not written to its end belongs to a call whose answer never
    /// left; it is taken away, and a line that says so takes its place.
    pub fn open(case: &Path, now: jiff::Timestamp) -> Result<Self, JournalError> {
        let path = path(case);
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&path);
        let mut file = file.map_err(DiskError::io("open", &path))?;
        let end = End::of(&mut file).map_err(DiskError::io("read", &path))?;
        let noted = Head::read(case)?;
        let broken = |found: &str| JournalError::Broken { path: path.clone(), found: found.into() };
        let noted = noted.ok_or_else(|| broken("the note of its length cannot be read"))?;
        let head = end.head.ok_or_else(|| broken("its last line cannot be read"))?;
        if head.lines < noted.lines || (head.lines == noted.lines && head != noted) {
            let found = format!("it has {} lines, and had {}", head.lines, noted.lines);
            return Err(broken(&found));
        }
        if 0 < end.torn {
            file.set_len(end.whole).map_err(DiskError::io("shorten", &path))?;
        }
        let state = State {
            file,
            head,
            length: end.whole,
            is_synced: head == noted,
            is_over: false,
            failed: None,
        };
        let shared =
            Arc::new(Shared { case: case.into(), state: Mutex::new(state), news: Condvar::new() });
        let keeper = {
            let shared = shared.clone();
            std::thread::Builder::new().name("journal".into()).spawn(move || shared.keep())
        };
        let keeper = keeper.map_err(|source| JournalError::Write { path, source })?;
        let journal = Self { shared, keeper: Some(keeper) };
        if 0 < end.torn {
            let outcome = format!("{} bytes of a line that was never finished are gone", end.torn);
            journal.append(Entry {
                at: now,
                by: None,
                tool: "journal".into(),
                arguments: serde_json::Value::Null,
                verdict: super::Verdict::Allowed,
                outcome,
                micros: 0,
                bytes: 0,
                tokens: 0,
                kept: Vec::new(),
                dropped: Vec::new(),
            })?;
        }
        Ok(journal)
    }

    /// The number that the next call will have.
    pub fn next(&self) -> u64 {
        self.shared.state().head.lines + 1
    }

    /// Writes one call down, and gives its number. What could not be synced before is
    /// told here.
    pub fn append(&self, mut entry: Entry) -> Result<u64, JournalError> {
        shorten(&mut entry.arguments);
        let mut state = self.shared.state();
        if let Some(error) = state.failed.take() {
            return Err(error.into());
        }
        let n = state.head.lines + 1;
        let line = Line { n, entry, before: state.head.hash };
        let failed = |source| JournalError::Write { path: path(&self.shared.case), source };
        let mut bytes = serde_json::to_vec(&line).map_err(|error| failed(error.into()))?;
        let hash = Hash::of(&bytes);
        bytes.push(b'\n');
        if let Err(source) = state.file.write_all(&bytes) {
            // Half a line would end the journal for good.
            let length = state.length;
            let _ = state.file.set_len(length);
            return Err(failed(source));
        }
        state.length += bytes.len() as u64;
        state.head = Head { lines: n, hash };
        let was_synced = std::mem::replace(&mut state.is_synced, false);
        drop(state);
        if was_synced {
            // Else it knows already, and waits for the second to be over.
            self.shared.news.notify_one();
        }
        Ok(n)
    }

    /// Syncs what was written, and notes the head.
    pub fn sync(&self) -> Result<(), JournalError> {
        Ok(self.shared.sync()?)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.news.notify_one();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs a second after something was written, and at the end.
    fn keep(&self) {
        // Signals are for the thread that looks out for them.
        let _ = SigSet::all().thread_block();
        let mut state = self.state();
        loop {
            while state.is_synced && !state.is_over {
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if !state.is_over {
                let waited =
                    self.news.wait_timeout_while(state, SYNC_AFTER, |state| !state.is_over);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            let over = state.is_over;
            drop(state);
            let synced = self.sync();
            state = self.state();
            if let Err(error) = synced {
                state.failed = Some(error);
                // Tried again with the next line.
                state.is_synced = true;
            }
            if over {
                return;
            }
        }
    }

    /// The lock is not held while the disk works.
    fn sync(&self) -> Result<(), DiskError> {
        let (file, head) = {
            let state = self.state();
            if state.is_synced {
                return Ok(());
            }
            let file = state.file.try_clone();
            (file.map_err(DiskError::io("sync", &path(&self.case)))?, state.head)
        };
        file.sync_data().map_err(DiskError::io("sync", &path(&self.case)))?;
        head.note(&self.case)?;
        let mut state = self.state();
        state.is_synced = state.head == head;
        Ok(())
    }
}

/// Arguments that are very long are told in part: what was written to a file is not
/// repeated here.
fn shorten(arguments: &mut serde_json::Value) {
    let length = serde_json::to_vec(arguments).map_or(0, |bytes| bytes.len());
    if length <= ARGUMENTS_BYTES_MAX {
        return;
    }
    if let serde_json::Value::Object(fields) = arguments {
        for value in fields.values_mut() {
            let long = serde_json::to_vec(value).map_or(0, |bytes| bytes.len());
            if 4096 < long {
                *value = serde_json::Value::String(format!("({long} bytes, not repeated here)"));
            }
        }
    }
}

/// The end of a journal.
struct End {
    /// `None` where the last line is no entry.
    head: Option<Head>,
    /// How long it is up to the end of the last whole line.
    whole: u64,
    /// What comes after that.
    torn: u64,
}

impl End {
    /// Reads no more than the last line and what was not finished of one.
    fn of(file: &mut File) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        let from = length.saturating_sub(2 * LINE_BYTES_MAX + 2);
        let mut tail = Vec::new();
        let mut window = 64 * 1024_u64;
        loop {
            let start = length.saturating_sub(window).max(from);
            file.seek(SeekFrom::Start(start))?;
            tail.clear();
            (&*file).take(length - start).read_to_end(&mut tail)?;
            let mut ends = tail.iter().rev().filter(|byte| **byte == b'\n');
            // Two ends of lines, or all there is.
            if start == from || (ends.next().is_some() && ends.next().is_some()) {
                break;
            }
            window *= 4;
        }
        let Some(last) = tail.iter().rposition(|byte| *byte == b'\n') else {
            let head = (length == tail.len() as u64).then_some(Head::EMPTY);
            return Ok(Self { head, whole: length - tail.len() as u64, torn: tail.len() as u64 });
        };
        let begin = tail[..last].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = &tail[begin..last];
        let line: Option<Line> = serde_json::from_slice(text).ok();
        let head = line.map(|line| Head { lines: line.n, hash: Hash::of(text) });
        let torn = (tail.len() - last - 1) as u64;
        Ok(Self { head, whole: length - torn, torn })
    }
}

#[cfg(test)]
mod tests;
