//! How far long work is: one line on stderr that is written over, on a terminal and
//! nowhere else.
//!
//! No crate for it: it is one line, and it is gone before anything else is printed.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::plain::plain;
use crate::repos::Progress;

/// Tells a person, if one is watching.
#[derive(Debug)]
pub(crate) struct Line {
    is_terminal: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    what: String,
    total: Option<u64>,
    done: u64,
    /// When the line was last written, if it stands there.
    written: Option<Instant>,
}

/// A person reads no faster.
const EVERY: Duration = Duration::from_millis(100);

impl Line {
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), state: Mutex::default() }
    }

    /// What to do with the state; nothing, if a thread died while it had it.
    fn with(&self, act: impl FnOnce(&mut State)) {
        if let Ok(mut state) = self.state.lock() {
            act(&mut state);
        }
    }
}

impl State {
    fn show(&mut self) {
        let text = match self.total {
            Some(total) if 0 < total => {
                let percent = self.done.saturating_mul(100) / total;
                format!("{}: {percent}% ({} of {total})", plain(&self.what), self.done)
            }
            _ => format!("{}: {}", plain(&self.what), self.done),
        };
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
        let _ = io::stderr().flush();
        self.written = Some(Instant::now());
    }

    fn wipe(&mut self) {
        if self.written.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Progress for Line {
    fn begin(&self, what: &str, total: Option<u64>) {
        self.with(|state| {
            let written = state.written;
            *state = State { what: what.into(), total, done: 0, written };
        });
    }

    fn at(&self, done: u64) {
        if self.is_terminal {
            self.with(|state| {
                state.done = done;
                if state.written.is_none_or(|written| EVERY <= written.elapsed()) {
                    state.show();
                }
            });
        }
    }

    fn note(&self, line: &str) {
        self.with(State::wipe);
        let _ = writeln!(anstream::stderr(), "{}", plain(line));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.with(State::wipe);
    }
}
