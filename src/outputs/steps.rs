//! The steps that everything takes which leaves a jail, in the only order there is:
//! each takes the one before, and only the last can be read.
//!
//! ```text
//! Raw ──clean──► Clean ──keep──► Kept ──show──► Shown
//! ```

use std::sync::Arc;

use super::redact::{self, Redactor, Secrets};
use super::{Budget, KeptFile, Outputs, OutputsError, Spool, Stream, tokens, visible};

/// What a tool gives, as it comes. Nothing of it can be read.
#[derive(Debug)]
pub struct Raw {
    out: Pipe,
    err: Pipe,
    bytes: u64,
    /// What could not be taken in.
    failed: Option<OutputsError>,
}

/// Bytes on their way through a redactor into a spool.
#[derive(Debug)]
struct Pipe {
    redactor: Redactor,
    spool: Spool,
}

impl Raw {
    pub fn new(outputs: &Outputs, secrets: &Arc<Secrets>) -> Self {
        let pipe = || Pipe { redactor: Redactor::new(secrets.clone()), spool: outputs.spool() };
        Self { out: pipe(), err: pipe(), bytes: 0, failed: None }
    }

    /// Takes what comes next. What cannot be taken is told at the end.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) {
        self.take_and(stream, bytes, |_| {});
    }

    /// The same, and shows what is clean of it to somebody who cannot wait for the end.
    pub fn take_and(&mut self, stream: Stream, bytes: &[u8], mut also: impl FnMut(&[u8])) {
        self.bytes += bytes.len() as u64;
        let Pipe { redactor, spool } = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        let failed = &mut self.failed;
        redactor.push(bytes, |clean| {
            also(clean);
            if failed.is_none() {
                *failed = spool.push(clean).err();
            }
        });
    }

    /// How much it was, secrets included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All of it without secrets, as far as it could be taken in.
    pub fn clean(self) -> Clean {
        let mut failed = self.failed;
        let mut end = |Pipe { redactor, mut spool }: Pipe| {
            redactor.finish(|clean| {
                if failed.is_none() {
                    failed = spool.push(clean).err();
                }
            });
            spool
        };
        let (out, err) = (end(self.out), end(self.err));
        Clean { out, err, failed }
    }
}

/// All that a tool gave, without secrets. It may be very large.
#[derive(Debug)]
pub struct Clean {
    out: Spool,
    err: Spool,
    failed: Option<OutputsError>,
}

/// Whether and as what something is kept.
#[expect(missing_debug_implementations, reason = "it holds a question")]
pub struct Keeping<'a> {
    pub tool: &'a str,
    pub budget: Budget,
    /// It is a part of a file of the case, and need not be kept again.
    pub is_a_file: bool,
    /// Whether a kept output is named in what the agent wrote.
    pub referenced: &'a dyn Fn(&str) -> bool,
}

impl Clean {
    /// By this two answers are the same.
    pub fn digest(&self) -> String {
        format!("{}{}", self.out.sha256(), self.err.sha256())
    }

    /// What would be shown of it, if it can be shown whole.
    fn whole(&self, budget: Budget) -> Option<(String, String)> {
        let text = |spool: &Spool| {
            let bytes = spool.small()?;
            let text = visible(bytes);
            (text.chars().count() <= budget.chars()).then(|| text.into_owned())
        };
        let (out, err) = (text(&self.out)?, text(&self.err)?);
        (out.chars().count() + err.chars().count() <= budget.chars()).then_some((out, err))
    }

    /// Keeps what is too large to show. What cannot be kept is told by its beginning, and
    /// why: the command was run, and is not run again to see what it said.
    pub fn keep(self, outputs: &mut Outputs, keeping: &Keeping<'_>) -> Kept {
        let room = Budget::new(keeping.budget.chars().saturating_sub(FACTS_CHARS_MAX));
        if let Some((out, err)) = self.whole(room) {
            return Kept { out: Part::Whole(out), err: Part::Whole(err) };
        }
        if keeping.is_a_file
            && let Some(bytes) = self.out.small()
        {
            let whole = Part::Whole(visible(bytes).into_owned());
            return Kept { out: whole, err: Part::Whole(String::new()) };
        }
        // The smaller of the two may still be shown whole.
        let half = room.chars() / 2;
        let mut failed = self.failed;
        let mut part = |spool: Spool, stream| {
            let text = spool.small().map(visible).filter(|text| text.chars().count() <= half);
            if let Some(text) = text {
                return Part::Whole(text.into_owned());
            }
            let beginning = spool.beginning();
            let kept = outputs.keep(spool, keeping.tool, stream, keeping.referenced);
            kept.map(Part::Kept).unwrap_or_else(|error| {
                let why = failed.take().unwrap_or(error).to_string();
                Part::Unkept { beginning: visible(&beginning).into_owned(), why }
            })
        };
        Kept { out: part(self.out, Stream::Out), err: part(self.err, Stream::Err) }
    }
}

impl Clean {
    /// Keeps all of it, however little it is; nothing at all needs no file.
    pub fn keep_all(
        self,
        outputs: &mut Outputs,
        keeping: &Keeping<'_>,
    ) -> Result<Vec<KeptFile>, OutputsError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut files = Vec::new();
        for (spool, stream) in [(self.out, Stream::Out), (self.err, Stream::Err)] {
            if 0 < spool.bytes() {
                files.push(outputs.keep(spool, keeping.tool, stream, keeping.referenced)?);
            }
        }
        Ok(files)
    }
}

/// What is told of a call beside what it gave takes no more than this.
const FACTS_CHARS_MAX: usize = 600;

/// All that a tool gave: what is small at hand, and what is not in files of the case.
#[derive(Debug)]
pub struct Kept {
    out: Part,
    err: Part,
}

#[derive(Debug)]
enum Part {
    Whole(String),
    Kept(KeptFile),
    /// There was more, and it is gone.
    Unkept {
        beginning: String,
        why: String,
    },
}

/// What is told of a call beside what it gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// How it went.
    pub facts: &'a str,
    /// The call that shows more.
    pub next: Option<&'a str>,
}

impl Kept {
    /// The files in which it was kept.
    pub fn files(&self) -> Vec<KeptFile> {
        let files = [&self.out, &self.err].into_iter().filter_map(|part| match part {
            Part::Kept(file) => Some(file.clone()),
            Part::Whole(_) | Part::Unkept { .. } => None,
        });
        files.collect()
    }

    /// What whoever asked gets to read.
    pub fn show(
        self,
        told: &Told<'_>,
        secrets: &Secrets,
        budget: Budget,
    ) -> Result<Shown, OutputsError> {
        let mut page = Page::new(budget);
        page.told(told.facts, secrets);
        let next = told.next.map(|next| line(next, secrets));
        let next_chars = next.as_ref().map_or(0, |next| next.chars().count() + "next: \n".len());
        let dropped: Vec<_> = self.files().into_iter().flat_map(|file| file.dropped).collect();
        if !dropped.is_empty() {
            let text = format!("dropped to make room: {}", dropped.join(", "));
            page.told(&text, secrets);
        }
        let is_both = !self.out.is_empty() && !self.err.is_empty();
        let left = page.left().saturating_sub(next_chars);
        // What the whole part does not need, the other has.
        let err_chars = match (&self.out, &self.err) {
            (_, Part::Whole(err)) => err.chars().count() + "--- stderr\n\n".len(),
            (Part::Whole(out), _) => left.saturating_sub(out.chars().count() + 32),
            _ => left / 2,
        };
        if is_both {
            page.line("--- stdout");
        }
        let out_chars = match self.err.is_empty() {
            true => left,
            false => left.saturating_sub(err_chars + "--- stdout\n".len()),
        };
        page.part(self.out, out_chars)?;
        if !self.err.is_empty() {
            page.line("--- stderr");
            let left = page.left().saturating_sub(next_chars);
            page.part(self.err, left)?;
        }
        if let Some(next) = next {
            page.line(&format!("next: {next}"));
        }
        Ok(page.shown())
    }
}

impl Part {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Whole(text) if text.is_empty())
    }
}

/// Text that may be read: without secrets, with nothing in it that acts on a terminal,
/// and no longer than its budget. Made here and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    text: String,
    tokens: u64,
}

impl Shown {
    /// A short text of our own, such as an error.
    pub fn of(text: &str, secrets: &Secrets, budget: Budget) -> Self {
        let mut page = Page::new(budget);
        let clean = redact::text(secrets, text);
        page.lines(&visible(clean.as_bytes()));
        page.shown()
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it costs a model, about.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }
}

/// One line of ours, whatever names stand in it.
fn line(text: &str, secrets: &Secrets) -> String {
    let clean = redact::text(secrets, text);
    let text = visible(clean.as_bytes()).replace('\n', "␊");
    match text.char_indices().nth(FACTS_CHARS_MAX / 2) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// What is shown of an output that could not be kept.
const UNKEPT_CHARS_MAX: usize = 3_000;

/// Lines that stay within a budget.
struct Page {
    text: String,
    chars: usize,
    most: usize,
}

impl Page {
    fn new(budget: Budget) -> Self {
        Self { text: String::new(), chars: 0, most: budget.chars() }
    }

    fn left(&self) -> usize {
        self.most - self.chars
    }

    fn told(&mut self, text: &str, secrets: &Secrets) {
        if !text.is_empty() {
            self.line(&line(text, secrets));
        }
    }

    /// A line with its end, if there is room for all of it.
    fn line(&mut self, text: &str) -> bool {
        let chars = text.chars().count() + 1;
        if self.left() < chars {
            return false;
        }
        self.chars += chars;
        self.text.push_str(text);
        self.text.push('\n');
        true
    }

    /// As many lines as there is room for; what is left out is told.
    fn lines(&mut self, text: &str) {
        let most = self.left();
        if text.is_empty() || text.chars().count() < most {
            for line in text.split_inclusive('\n') {
                self.line(line.strip_suffix('\n').unwrap_or(line));
            }
            return;
        }
        let all = text.lines().count();
        let mark = |shown| format!("[{} more lines did not fit]", all - shown);
        for (shown, line) in text.lines().enumerate() {
            if self.left() < line.chars().count() + 1 + mark(shown).chars().count() + 1 {
                self.line(&mark(shown));
                return;
            }
            self.line(line);
        }
    }

    fn part(&mut self, part: Part, chars: usize) -> Result<(), OutputsError> {
        match part {
            Part::Whole(text) => self.lines(&text),
            Part::Unkept { beginning, why } => {
                self.line(&format!("only the beginning is left of this: {why}"));
                let room = chars.min(self.left()).min(UNKEPT_CHARS_MAX);
                let end = beginning.char_indices().nth(room).map_or(beginning.len(), |at| at.0);
                let end = beginning[..end].rfind('\n').map_or(0, |at| at + 1);
                self.lines(&beginning[..end]);
            }
            Part::Kept(file) => {
                let budget = Budget::new(chars.min(self.left()).saturating_sub(1));
                let text = file.preview(budget)?;
                self.lines(&text);
            }
        }
        Ok(())
    }

    fn shown(self) -> Shown {
        Shown { tokens: tokens(&self.text), text: self.text }
    }
}
