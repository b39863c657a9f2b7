//! A conversation: the caller's terminal joined to one of the jail's own.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{read, write};

use super::pump::{Broken, Done, Signals, Talk, await_any};
use crate::jail::wire::Spec;
use crate::jail::{Jail, Streams, set_terminal_size, terminal_size};

const BUFFER_BYTES: usize = 16 * 1024;

/// Rows and columns, if a person sits at both ends.
#[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
pub(super) fn size_if_interactive() -> Option<(u16, u16)> {
    (io::stdin().is_terminal() && io::stdout().is_terminal())
        .then(|| terminal_size(io::stdout().as_fd()).ok())
        .flatten()
}

/// Runs a command in a terminal of the jail's, joined to the caller's.
pub(super) fn converse(jail: &Jail, spec: &Spec) -> Result<Done, Broken> {
    let signals = Signals::take_over()?;
    let running = jail.start(spec, &Streams::Terminal)?;
    let (keys, screen) = (io::stdin(), io::stdout());
    let _raw = Raw::enter(keys.as_fd())?;
    let mut talk = Talk::new(&running, &signals);
    let mut typing = true;
    loop {
        let terminal = talk.terminal.take();
        let mut polled = talk.polled();
        let first = polled.len();
        if let Some(terminal) = &terminal {
            polled.push(PollFd::new(terminal.as_fd(), PollFlags::POLLIN));
            if typing {
                polled.push(PollFd::new(keys.as_fd(), PollFlags::POLLIN));
            }
        }
        await_any(&mut polled, talk.timeout())?;
        let spoke: Vec<bool> = polled.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(polled);
        talk.hear(&spoke[..first])?;
        if let Some(terminal) = terminal {
            if spoke.get(first) == Some(&true) {
                // At the end the other side is closed, which reads as an error.
                copy(terminal.as_fd(), screen.as_fd());
            }
            if spoke.get(first + 1) == Some(&true) {
                typing = copy(keys.as_fd(), terminal.as_fd());
            }
            if std::mem::take(&mut talk.window_changed)
                && let Ok(size) = terminal_size(screen.as_fd())
            {
                let _ = set_terminal_size(terminal.as_fd(), size);
            }
            if talk.done.is_some() {
                while copy(terminal.as_fd(), screen.as_fd()) {}
            }
            talk.terminal.get_or_insert(terminal);
        }
        if let Some(done) = talk.done.take() {
            return Ok(done);
        }
    }
}

/// Copies what is there. `false` at the end.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut buffer = [0; BUFFER_BYTES];
    let length = loop {
        match read(from, &mut buffer) {
            Err(Errno::EINTR) => {}
            Ok(0) | Err(_) => return false,
            Ok(length) => break length,
        }
    };
    let mut rest = &buffer[..length];
    while !rest.is_empty() {
        match write(to, rest) {
            Err(Errno::EINTR) => {}
            Err(_) => return false,
            Ok(written) => rest = &rest[written..],
        }
    }
    true
}

/// The caller's terminal without a mind of its own, until this is dropped: every
/// key goes to the jail's, which has one.
#[derive(Debug)]
struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Raw<'a> {
    fn enter(terminal: BorrowedFd<'a>) -> Result<Self, Broken> {
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(terminal, SetArg::TCSANOW, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}
