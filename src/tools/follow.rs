//! A command in the background, from the call that starts it to its end: started, looked
//! after, followed, kept, written down.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::background::{Background, Job, Wanted};
use super::line::{Outcome, kept_as, micros, told};
use super::session::{Opened, Session, lock};
use super::{Shell, Stop, ToolError, ended, named, shell};
use crate::config::limits::Limit;
use crate::govern::{Entry, Journal, Verdict};
use crate::jail::wire::WallKey;
use crate::outputs::{Budget, Keeping, Outputs, Raw, Secrets, Stream, redact, tokens};

/// How long one may take to be gone that was killed.
const KILL_MAX: Duration = Duration::from_secs(6);

impl Session {
    /// Starts a command that nobody waits for.
    pub(super) fn start(&self, who: Option<&str>, asked: &Shell) -> Result<Outcome, ToolError> {
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
            by: who.map(str::to_owned),
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
    pub(super) fn look(
        &self,
        asked: &Background,
        stop: &Stop,
        raw: &mut Raw,
    ) -> Result<Outcome, ToolError> {
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

/// What follows a command in the background to its end.
struct Following {
    opened: Arc<Opened>,
    base: PathBuf,
    job: Arc<Job>,
    raw: Raw,
    outputs: Arc<Mutex<Outputs>>,
    journal: Arc<Journal>,
    secrets: Arc<Secrets>,
    budget: Budget,
    at: Timestamp,
    by: Option<String>,
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
            by: self.by,
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
