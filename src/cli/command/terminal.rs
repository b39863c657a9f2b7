//! A conversation: the caller's terminal joined to one of the jail's own.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::pump::{Allowance, Broken, Done, Flow, Side, Signals, Talk, until_done, wait};
use crate::jail::wire::Spec;
use crate::jail::{Jail, Streams, set_terminal_size, terminal_size};

/// Rows and columns, if a person sits at both ends.
#[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
pub(super) fn size_if_interactive() -> Option<(u16, u16)> {
    (io::stdin().is_terminal() && io::stdout().is_terminal())
        .then(|| terminal_size(io::stdout().as_fd()).ok())
        .flatten()
}

/// Runs a command in a terminal of the jail's, joined to the caller's.
pub(super) fn converse(jail: &Jail, spec: &Spec, allowed: Allowance) -> Result<Done, Broken> {
    let signals = Signals::take_over()?;
    let running = jail.start(spec, &Streams::Terminal)?;
    let (keys, screen) = (io::stdin(), io::stdout());
    let _raw = Raw::enter(keys.as_fd())?;
    let mut talk = Talk::new(&running, &signals);
    // The terminal comes with the news that the command runs.
    let terminal = loop {
        if let Some(terminal) = talk.terminal.take() {
            break terminal;
        }
        if let Some(done) = talk.done.take() {
            return Ok(done);
        }
        wait(&mut talk, &mut [])?;
    };
    // A command that does not read must not make casefile wait.
    fcntl(&terminal, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
    let mut flows = [
        Flow::new(Side::Borrowed(keys.as_fd()), Side::Borrowed(terminal.as_fd())),
        Flow::new(Side::Borrowed(terminal.as_fd()), Side::Borrowed(screen.as_fd())),
    ];
    until_done(&mut talk, &mut flows, allowed, |talk| {
        if std::mem::take(&mut talk.window_changed)
            && let Ok(size) = terminal_size(screen.as_fd())
        {
            let _ = set_terminal_size(terminal.as_fd(), size);
        }
    })
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
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}
