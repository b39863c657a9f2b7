//! The line: the whole of a call, from what was asked to what is shown.
//!
//! ```text
//! asked ─► may it? ─► the tool, in the jail ─► redact ─► keep ─► preview ─► journal ─► shown
//! ```
//!
//! Nothing reaches whoever asked by another way, an error neither.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::call::Call;
use super::compare::compare;
use super::session::{Opened, Session, lock};
use super::{
    Answer, Kind, Shell, Stop, ToolError, diff, find, grep, judge, named, read_file, shell,
    write_file,
};
use crate::govern::{Entry, KeptAs, Verdict};
use crate::hint::Hint;
use crate::outputs::{Budget, Clean, Keeping, KeptFile, Raw, Secrets, Shown, Stream, Told, redact};

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Reply {
    pub shown: Shown,
    /// Whoever asked has to do something about it.
    pub is_error: bool,
    /// What kind of error it is.
    pub kind: Option<Kind>,
    /// What a command that was waited for exited with, as a shell would say it.
    pub status: Option<u8>,
    /// Its number in the journal.
    pub call: u64,
}

/// How a tool came out, beside what it poured.
pub(super) struct Outcome {
    facts: String,
    next: Option<String>,
    /// How a command that was waited for exited.
    status: Option<u8>,
}

impl Outcome {
    pub(super) fn of(facts: String, next: Option<String>) -> Self {
        Self { facts, next, status: None }
    }
}

impl Session {
    /// Does what is asked. `again` shows an answer even if it was shown before.
    pub fn call(&self, call: &Call, again: bool, stop: &Stop) -> Result<Reply, ToolError> {
        self.call_for(None, call, again, stop)
    }

    /// The same for whoever has this key: it stands in the journal, and what was shown to
    /// others counts as not shown.
    pub fn call_for(
        &self,
        who: Option<&str>,
        call: &Call,
        again: bool,
        stop: &Stop,
    ) -> Result<Reply, ToolError> {
        let mut record = Record::begin(self, who, call);
        let outcome = match self.refusal(call) {
            Some(why) => {
                record.verdict = Verdict::Refused { why: why.clone() };
                Err(ToolError::Refused { policy: self.ground.policy.name.to_string(), why })
            }
            None => self.done(call, again, stop, &mut record),
        };
        let (shown, status, kind) = match outcome {
            Ok((shown, status)) => (shown, status, None),
            Err(error) => {
                let told = told(&error);
                record.outcome = told.lines().next().unwrap_or_default().into();
                let shown = Shown::of(&told, &self.ground.secrets, self.ground.budget);
                (shown, None, Some(error.kind()))
            }
        };
        // Before the answer leaves.
        let call = record.end(self, &shown)?;
        Ok(Reply { shown, is_error: kind.is_some(), kind, status, call })
    }

    /// Why a rule is against it.
    fn refusal(&self, call: &Call) -> Option<String> {
        let Call::Shell(Shell { command, .. }) = call else { return None };
        judge::refused(&self.ground.policy, command).map(|rule| rule.why.clone())
    }

    fn done(
        &self,
        call: &Call,
        again: bool,
        stop: &Stop,
        record: &mut Record,
    ) -> Result<(Shown, Option<u8>), ToolError> {
        let mut raw = Raw::new(&lock(&self.outputs), &self.ground.secrets);
        let outcome = self.run(record.by.as_deref(), call, stop, &mut raw)?;
        record.bytes = raw.bytes();
        let clean = raw.clean();
        let asked = call.repeats().then(|| record.asked()).flatten();
        let asked = asked.map(|asked| (asked, clean.digest()));
        record.outcome = redact::text(&self.ground.secrets, &outcome.facts).into_string();
        if let Some((asked, digest)) = &asked
            && !again
            && let Some(first) = lock(&self.repeats).known(asked, digest)
        {
            let text = format!("unchanged since call {first}; `again: true` shows it once more");
            return Ok((Shown::of(&text, &self.ground.secrets, self.ground.budget), None));
        }
        let budget = call.budget(self.ground.budget);
        let (shown, files) = self.shown(call.tool(), clean, &outcome, budget, call.is_a_file())?;
        record.keeps(&files);
        record.repeat = asked;
        Ok((shown, outcome.status))
    }

    /// What is kept of it, and what is shown.
    fn shown(
        &self,
        tool: &str,
        clean: Clean,
        outcome: &Outcome,
        budget: Budget,
        is_a_file: bool,
    ) -> Result<(Shown, Vec<KeptFile>), ToolError> {
        let base = self.ground.start.base.as_os_str().as_bytes();
        let referenced =
            |name: &str| self.jail().is_ok_and(|opened| named::is_named(&opened.jail, base, name));
        let keeping = Keeping { tool, budget, is_a_file, referenced: &referenced };
        let kept = clean.keep(&mut lock(&self.outputs), &keeping);
        let files = kept.files();
        let told = Told { facts: &outcome.facts, next: outcome.next.as_deref() };
        Ok((kept.show(&told, &self.ground.secrets, budget)?, files))
    }

    /// The tool itself. All that it gives goes into `raw`.
    fn run(
        &self,
        who: Option<&str>,
        call: &Call,
        stop: &Stop,
        raw: &mut Raw,
    ) -> Result<Outcome, ToolError> {
        let pour = |answer: Answer| {
            raw.take(Stream::Out, &answer.body);
            Outcome::of(answer.facts, answer.next)
        };
        match call {
            Call::ReadFile(asked) => {
                self.with_hands(true, stop, |place| read_file(asked, place)).map(pour)
            }
            Call::Grep(asked) => self.with_hands(true, stop, |place| grep(asked, place)).map(pour),
            Call::Find(asked) => match &asked.between {
                Some((old, new)) => {
                    let start = &self.ground.start;
                    let compare = |opened: &Arc<Opened>| {
                        compare(asked, (old, new), &opened.jail, start, stop)
                    };
                    self.in_jail(true, compare).map(pour)
                }
                None => self.with_hands(true, stop, |place| find(asked, place)).map(pour),
            },
            // Twice might not be the same as once.
            Call::WriteFile(asked) => {
                self.with_hands(false, stop, |place| write_file(asked, place)).map(pour)
            }
            Call::Shell(asked) if asked.background => self.start(who, asked),
            Call::Shell(asked) => {
                let start = &self.ground.start;
                let (facts, status) = self.in_jail(false, |opened| {
                    let pour = |stream, bytes: &[u8]| raw.take(stream, bytes);
                    shell::shell(asked, &opened.jail, start, stop, pour)
                })?;
                Ok(Outcome { facts, next: None, status: Some(status) })
            }
            Call::Diff(asked) => {
                let facts = self.in_jail(false, |opened| {
                    let pour = |stream, bytes: &[u8]| raw.take(stream, bytes);
                    diff::diff(asked, self, opened, stop, pour)
                })?;
                Ok(Outcome::of(facts, None))
            }
            Call::Background(asked) => self.look(asked, stop, raw),
        }
    }
}

/// An error as whoever asked reads it.
pub(super) fn told(error: &ToolError) -> String {
    let mut text = format!("error: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!("\ncause: {error}"));
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}

/// What is noted of a call while it is done.
struct Record {
    at: Timestamp,
    by: Option<String>,
    began: Instant,
    tool: &'static str,
    arguments: serde_json::Value,
    verdict: Verdict,
    outcome: String,
    bytes: u64,
    kept: Vec<KeptAs>,
    dropped: Vec<String>,
    /// The question and the digest of its answer, if it may be asked again.
    repeat: Option<(String, String)>,
}

impl Record {
    fn begin(session: &Session, who: Option<&str>, call: &Call) -> Self {
        let secrets = &session.ground.secrets;
        Self {
            at: (session.ground.clock)(),
            by: who.map(|who| redact::text(secrets, who).into_string()),
            began: Instant::now(),
            tool: call.tool(),
            arguments: clean(call.arguments(), secrets),
            verdict: Verdict::Allowed,
            outcome: String::new(),
            bytes: 0,
            kept: Vec::new(),
            dropped: Vec::new(),
            repeat: None,
        }
    }

    /// The whole question and who asked it, as one text.
    fn asked(&self) -> Option<String> {
        let arguments = serde_json::to_string(&self.arguments).ok()?;
        Some(format!("{} {arguments} {}", self.tool, self.by.as_deref().unwrap_or_default()))
    }

    fn keeps(&mut self, files: &[KeptFile]) {
        self.kept.extend(files.iter().map(kept_as));
        self.dropped.extend(files.iter().flat_map(|file| file.dropped.clone()));
    }

    fn end(self, session: &Session, shown: &Shown) -> Result<u64, ToolError> {
        let call = session.journal.append(Entry {
            at: self.at,
            by: self.by,
            tool: self.tool.into(),
            arguments: self.arguments,
            verdict: self.verdict,
            outcome: self.outcome,
            micros: micros(self.began),
            bytes: self.bytes,
            tokens: shown.tokens(),
            kept: self.kept,
            dropped: self.dropped,
        })?;
        if let Some((asked, digest)) = self.repeat {
            let chars = shown.text().chars().count();
            lock(&session.repeats).note(asked, digest, call, chars);
        }
        Ok(call)
    }
}

pub(super) fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn kept_as(file: &KeptFile) -> KeptAs {
    KeptAs { path: file.path.clone(), bytes: file.bytes, sha256: file.sha256.clone() }
}

/// Arguments without the secrets in them.
fn clean(arguments: serde_json::Value, secrets: &Secrets) -> serde_json::Value {
    use serde_json::Value;
    match arguments {
        Value::String(text) => Value::String(redact::text(secrets, &text).into_string()),
        Value::Array(all) => all.into_iter().map(|one| clean(one, secrets)).collect(),
        Value::Object(all) => {
            all.into_iter().map(|(name, one)| (name, clean(one, secrets))).collect()
        }
        other => other,
    }
}
