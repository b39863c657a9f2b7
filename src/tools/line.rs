//! The line: the whole of a call, from what was asked to what is shown.
//!
//! ```text
//! asked ─► may it? ─► the tool, in the jail ─► redact ─► keep ─► preview ─► journal ─► shown
//! ```
//!
//! Nothing reaches whoever asked by another way, an error neither.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::background::{Background, Job, Wanted};
use super::call::Call;
use super::compare::compare;
use super::session::{Opened, Session, lock};
use super::{
    Answer, Kind, Shell, Stop, ToolError, diff, ended, find, grep, judge, named, read_file, shell,
    write_file,
};
use crate::config::limits::Limit;
use crate::govern::{Entry, KeptAs, Verdict};
use crate::hint::Hint;
use crate::jail::wire::WallKey;
use crate::outputs::{
    Budget, Clean, Keeping, KeptFile, Raw, Secrets, Shown, Stream, Told, redact, tokens,
};

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
struct Outcome {
    facts: String,
    next: Option<String>,
    /// How a command that was waited for exited.
    status: Option<u8>,
}

impl Outcome {
    fn of(facts: String, next: Option<String>) -> Self {
        Self { facts, next, status: None }
    }
}

impl Session {
    /// Does what is asked. `again` shows an answer even if it was shown before.
    pub fn call(&self, call: &Call, again: bool, stop: &Stop) -> Result<Reply, ToolError> {
        let mut record = Record::begin(self, call);
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
        let outcome = self.run(call, stop, &mut raw)?;
        record.bytes = raw.bytes();
        let clean = raw.clean();
        let asked = call.repeats().then(|| record.asked()).flatten();
        let digest = clean.digest();
        record.outcome = redact::text(&self.ground.secrets, &outcome.facts).into_string();
        if let Some(asked) = &asked
            && !again
            && let Some(first) = lock(&self.repeats).known(asked, &digest)
        {
            let text = format!("unchanged since call {first}; `again: true` shows it once more");
            return Ok((Shown::of(&text, &self.ground.secrets, self.ground.budget), None));
        }
        let budget = call.budget(self.ground.budget);
        let (shown, files) = self.shown(call.tool(), clean, &outcome, budget, call.is_a_file())?;
        record.keeps(&files);
        if let Some(asked) = asked {
            record.repeat = Some((asked, digest));
        }
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
    fn run(&self, call: &Call, stop: &Stop, raw: &mut Raw) -> Result<Outcome, ToolError> {
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
            Call::Shell(asked) if asked.background => self.start(asked),
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

    /// Starts a command that nobody waits for.
    fn start(&self, asked: &Shell) -> Result<Outcome, ToolError> {
        let opened = self.jail()?;
        let job = lock(&self.jobs).begin(&asked.command, |n| self.handle(n))?;
        let start = self.ground.start.clone();
        let most = start.limits.get(Limit::Session);
        let timeout_s = asked.timeout_s.unwrap_or(most).min(most);
        let following = Following {
            opened: opened.clone(),
            base: start.base.clone(),
            job: job.clone(),
            raw: Raw::new(&lock(&self.outputs), &self.ground.secrets),
            outputs: self.outputs.clone(),
            journal: self.journal.clone(),
            secrets: self.ground.secrets.clone(),
            budget: self.ground.budget,
            at: (self.ground.clock)(),
        };
        let spec = start.spec(asked, (WallKey::Session, timeout_s));
        let name = std::thread::Builder::new().name(job.handle.clone());
        let spawned = name.spawn(move || {
            let _ = nix::sys::signal::SigSet::all().thread_block();
            following.follow(|raw, job| {
                let pour = |stream, bytes: &[u8]| {
                    raw.take_and(stream, bytes, |clean| job.take(clean));
                };
                let ran = shell::started(&opened.jail, spec, &start, &job.stop, pour)?;
                Ok(ended::words(&ran, timeout_s))
            });
        });
        if let Err(error) = spawned {
            job.end("it could not be started".into());
            return Err(ToolError::Streams(error));
        }
        let facts = format!(
            "started in the background as `{}`; it ends with the session of this case, or after \
             {timeout_s} s",
            job.handle
        );
        let next = format!("background handle={} wanted=wait timeout_s=60", job.handle);
        Ok(Outcome::of(facts, Some(next)))
    }

    /// Looks after one that was started.
    fn look(&self, asked: &Background, stop: &Stop, raw: &mut Raw) -> Result<Outcome, ToolError> {
        let job = lock(&self.jobs).find(&asked.handle)?;
        match asked.wanted {
            Wanted::Read => {}
            Wanted::Wait { timeout_s } => {
                let most = self.ground.start.timeout_s(Some(timeout_s))?;
                job.wait(Duration::from_secs(most), &|| stop.is_wanted());
            }
            Wanted::Kill => {
                job.stop.stop();
                job.wait(KILL_MAX, &|| false);
            }
        }
        let look = job.look();
        raw.take(Stream::Out, &look.text);
        let mut facts = match &look.ended {
            None => format!("`{}` runs", job.command),
            Some(how) => format!("`{}`: {how}", job.command),
        };
        if 0 < look.skipped {
            facts.push_str(&format!("; {} bytes before these are not shown", look.skipped));
        }
        let wait = || format!("background handle={} wanted=wait timeout_s=60", job.handle);
        Ok(Outcome::of(facts, look.ended.is_none().then(wait)))
    }
}

/// How long one may take to be gone that was killed.
const KILL_MAX: Duration = Duration::from_secs(6);

/// An error as whoever asked reads it.
fn told(error: &ToolError) -> String {
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
    fn begin(session: &Session, call: &Call) -> Self {
        Self {
            at: (session.ground.clock)(),
            began: Instant::now(),
            tool: call.tool(),
            arguments: clean(call.arguments(), &session.ground.secrets),
            verdict: Verdict::Allowed,
            outcome: String::new(),
            bytes: 0,
            kept: Vec::new(),
            dropped: Vec::new(),
            repeat: None,
        }
    }

    /// The whole question, as one text.
    fn asked(&self) -> Option<String> {
        let arguments = serde_json::to_string(&self.arguments).ok()?;
        Some(format!("{} {arguments}", self.tool))
    }

    fn keeps(&mut self, files: &[KeptFile]) {
        self.kept.extend(files.iter().map(kept_as));
        self.dropped.extend(files.iter().flat_map(|file| file.dropped.clone()));
    }

    fn end(self, session: &Session, shown: &Shown) -> Result<u64, ToolError> {
        let call = session.journal.append(Entry {
            at: self.at,
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

fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn kept_as(file: &KeptFile) -> KeptAs {
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

/// What follows a command in the background to its end.
struct Following {
    opened: Arc<Opened>,
    base: PathBuf,
    job: Arc<Job>,
    raw: Raw,
    outputs: Arc<std::sync::Mutex<crate::outputs::Outputs>>,
    journal: Arc<crate::govern::Journal>,
    secrets: Arc<Secrets>,
    budget: Budget,
    at: Timestamp,
}

impl Following {
    /// Runs it, keeps what it printed, and writes down how it ended.
    fn follow(mut self, run: impl FnOnce(&mut Raw, &Job) -> Result<String, ToolError>) {
        let began = Instant::now();
        let ran = run(&mut self.raw, &self.job);
        let bytes = self.raw.bytes();
        let how = ran.unwrap_or_else(|error| told(&error).replace('\n', "; "));
        let base = self.base.as_os_str().as_bytes();
        let referenced = |name: &str| named::is_named(&self.opened.jail, base, name);
        let keeping = Keeping {
            tool: "shell",
            budget: self.budget,
            is_a_file: false,
            referenced: &referenced,
        };
        // Whatever its size: what was looked at is gone from the tail.
        let kept = self.raw.clean().keep_all(&mut lock(&self.outputs), &keeping);
        let (files, how) = match kept {
            Ok(files) => {
                let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
                let at = if paths.is_empty() { String::new() } else { "; all of it is in ".into() };
                (files.clone(), format!("{how}{at}{}", paths.join(" and ")))
            }
            Err(error) => (Vec::new(), format!("{how}; its output could not be kept: {error}")),
        };
        let entry = Entry {
            at: self.at,
            tool: "background".into(),
            arguments: serde_json::json!({ "ended": self.job.handle }),
            verdict: Verdict::Allowed,
            outcome: redact::text(&self.secrets, &how).into_string(),
            micros: micros(began),
            bytes,
            tokens: tokens(""),
            dropped: files.iter().flat_map(|file| file.dropped.clone()).collect(),
            kept: files.iter().map(kept_as).collect(),
        };
        // Whoever calls next is told what is wrong with the journal.
        let _ = self.journal.append(entry);
        self.job.end(how);
    }
}
