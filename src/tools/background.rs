//! Commands that nobody waits for: started with a handle, and then read, waited for or
//! killed by it.
//!
//! They live as long as the session of the case does, and no longer than a session on
//! a terminal may take. What they print is kept whole like any other output, and what
//! came since the last look can be read at any time.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::{Stop, ToolError};

/// So many can run at the same time.
pub(super) const RUNNING_MAX: usize = 8;
/// And so many are remembered, with those that have ended.
const KNOWN_MAX: usize = 64;
/// What is held for whoever looks. All of it is in the kept output, at the end.
const TAIL_BYTES_MAX: usize = 64 * 1024;

/// What is wanted of a command in the background.
#[derive(Clone, Debug, Serialize)]
pub struct Background {
    pub handle: String,
    pub wanted: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// What it has printed since the last look.
    Read,
    /// The same, once it has ended or the time is over.
    Wait {
        timeout_s: u64,
    },
    Kill,
}

/// Those of one session.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// The newest is the last.
    known: Vec<Arc<Job>>,
    started: u64,
}

/// A command in the background.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) handle: String,
    pub(super) command: String,
    pub(super) stop: Stop,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Clean, and not looked at yet.
    tail: VecDeque<u8>,
    /// What had to be left out of it.
    skipped: u64,
    /// How it ended, and where its output is.
    ended: Option<String>,
}

/// What there is to see of one.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) text: Vec<u8>,
    pub(super) skipped: u64,
    pub(super) ended: Option<String>,
}

impl Jobs {
    /// One more, if there may be one. `name` makes a handle of its number.
    pub(super) fn begin(
        &mut self,
        command: &str,
        name: impl FnOnce(u64) -> String,
    ) -> Result<Arc<Job>, ToolError> {
        let running = self.running();
        if RUNNING_MAX <= running {
            return Err(ToolError::Argument {
                argument: "background",
                why: format!("{running} commands run already, the most at a time"),
                way_out: "Kill one, or wait for one.".into(),
            });
        }
        self.started += 1;
        let job = Arc::new(Job {
            handle: name(self.started),
            command: command.into(),
            stop: Stop::default(),
            state: Mutex::default(),
            news: Condvar::new(),
        });
        if KNOWN_MAX <= self.known.len()
            && let Some(oldest) = self.known.iter().position(|job| job.has_ended())
        {
            self.known.remove(oldest);
        }
        self.known.push(job.clone());
        Ok(job)
    }

    /// How many have not ended.
    pub(super) fn running(&self) -> usize {
        self.known.iter().filter(|job| !job.has_ended()).count()
    }

    pub(super) fn find(&self, handle: &str) -> Result<Arc<Job>, ToolError> {
        let found = self.known.iter().find(|job| job.handle == handle);
        found.cloned().ok_or_else(|| {
            let there: Vec<_> = self.known.iter().map(|job| format!("`{}`", job.handle)).collect();
            ToolError::Argument {
                argument: "handle",
                why: format!("there is no command `{handle}` in the background"),
                way_out: match there.is_empty() {
                    true => "Start one with `background: true`; it ends with the session.".into(),
                    false => format!("There are {}.", there.join(", ")),
                },
            }
        })
    }

    /// Ends all of them, and waits until they have.
    pub(super) fn end(&mut self) {
        self.known.iter().for_each(|job| job.stop.stop());
        for job in &self.known {
            job.wait(Duration::from_secs(10), &|| false);
        }
    }
}

impl Job {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }

    /// Takes what it printed.
    pub(super) fn take(&self, clean: &[u8]) {
        let mut state = self.state();
        state.tail.extend(clean);
        let over = state.tail.len().saturating_sub(TAIL_BYTES_MAX);
        state.tail.drain(..over);
        state.skipped += over as u64;
    }

    pub(super) fn end(&self, how: String) {
        self.state().ended = Some(how);
        self.news.notify_all();
    }

    /// What came since the last look.
    pub(super) fn look(&self) -> Look {
        let mut state = self.state();
        let text = state.tail.drain(..).collect();
        Look { text, skipped: std::mem::take(&mut state.skipped), ended: state.ended.clone() }
    }

    /// Waits for its end, for so long, or until nobody wants to know.
    pub(super) fn wait(&self, most: Duration, is_unwanted: &dyn Fn() -> bool) {
        const STEP: Duration = Duration::from_millis(50);
        let mut left = most;
        let mut state = self.state();
        while state.ended.is_none() && !left.is_zero() && !is_unwanted() {
            let step = STEP.min(left);
            state = self.news.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
            left -= step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Jobs, KNOWN_MAX, RUNNING_MAX, TAIL_BYTES_MAX};

    #[test]
    fn so_many_run_and_the_ended_are_forgotten_at_last() {
        let mut jobs = Jobs::default();
        let name = |n: u64| format!("bg-{n}");
        for _ in 0..RUNNING_MAX {
            jobs.begin("sleep 9", name).unwrap();
        }
        let error = jobs.begin("sleep 9", name).unwrap_err().to_string();
        assert!(error.contains("8 commands run already"), "{error}");
        assert!(jobs.find("bg-9").unwrap_err().to_string().contains("no command `bg-9`"));
        for job in &jobs.known {
            job.end("exit 0".into());
        }
        for _ in 0..KNOWN_MAX {
            jobs.begin("true", name).unwrap().end("exit 0".into());
        }
        assert_eq!(jobs.known.len(), KNOWN_MAX);
        assert!(jobs.find("bg-1").is_err());
    }

    #[test]
    fn a_look_brings_what_is_new_and_says_what_it_lacks() {
        let mut jobs = Jobs::default();
        let job = jobs.begin("yes", |n| n.to_string()).unwrap();
        job.take(b"one\n");
        assert_eq!(job.look().text, b"one\n");
        assert_eq!(job.look().text, b"");
        job.take(&vec![b'x'; TAIL_BYTES_MAX]);
        job.take(b"end");
        let look = job.look();
        assert_eq!((look.text.len(), look.skipped, look.ended), (TAIL_BYTES_MAX, 3, None));
        assert!(look.text.ends_with(b"end"));
        job.end("exit 0".into());
        assert_eq!(job.look().ended.as_deref(), Some("exit 0"));
    }
}
