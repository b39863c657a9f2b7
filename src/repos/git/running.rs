//! git while it runs: what it says is read until it ends, or has to.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::Answer;
use super::said::Lines;
use super::signals::Signals;
use crate::repos::Progress;

/// As much of git's stdout as is kept.
const STDOUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long git has to put down what it holds.
const END_WITHIN: Duration = Duration::from_secs(2);

/// git, while it runs.
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) signals: Option<Signals>,
    pub(super) until: Option<Instant>,
}

impl Running {
    pub(super) fn watch(&mut self, progress: &dyn Progress) -> io::Result<Answer> {
        let mut out = self.child.stdout.take();
        let mut err = self.child.stderr.take();
        let mut answer =
            Answer { status: None, stdout: Vec::new(), said: Vec::new(), interrupted: false };
        let mut lines = Lines::default();
        while out.is_some() || err.is_some() {
            let [out_ready, err_ready, stop] = self.wait(out.as_ref(), err.as_ref())?;
            if stop {
                answer.interrupted = self.signals.as_ref().is_some_and(Signals::came);
                // It also puts down its temporary files then, if it still can.
                self.end()?;
                return Ok(answer);
            }
            let mut bytes = [0; 16 * 1024];
            if out_ready && let Some(from) = &mut out {
                match from.read(&mut bytes)? {
                    0 => out = None,
                    some if answer.stdout.len() < STDOUT_BYTES_MAX => {
                        answer.stdout.extend_from_slice(&bytes[..some]);
                    }
                    _ => {}
                }
            }
            if err_ready && let Some(from) = &mut err {
                match from.read(&mut bytes)? {
                    0 => err = None,
                    some => lines.take(&bytes[..some], &mut answer.said, progress),
                }
            }
        }
        lines.finish(&mut answer.said, progress);
        let status = self.child.wait()?;
        answer.status = Some(status);
        // A ^C on the terminal reaches git too, and may reach it first.
        answer.interrupted = self.signals.as_ref().is_some_and(Signals::came);
        Ok(answer)
    }

    /// Waits for one of the two, or for the end that is wished for.
    fn wait(&self, out: Option<&impl AsFd>, err: Option<&impl AsFd>) -> io::Result<[bool; 3]> {
        let mut fds = Vec::with_capacity(3);
        for fd in [out.map(AsFd::as_fd), err.map(AsFd::as_fd)].into_iter().flatten() {
            fds.push(PollFd::new(fd, PollFlags::POLLIN));
        }
        if let Some(signals) = &self.signals {
            fds.push(PollFd::new(signals.as_fd(), PollFlags::POLLIN));
        }
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let out = out.is_some() && ready.next().unwrap_or(false);
        let err = err.is_some() && ready.next().unwrap_or(false);
        let signal = ready.next().unwrap_or(false);
        let late = self.until.is_some_and(|until| until <= Instant::now());
        Ok([out, err, signal || late])
    }

    /// Asks it to end, and ends it if it does not.
    fn end(&mut self) -> io::Result<()> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX));
        let _ = nix::sys::signal::kill(pid, Signal::SIGTERM);
        let until = Instant::now() + END_WITHIN;
        while self.child.try_wait()?.is_none() {
            if until <= Instant::now() {
                self.child.kill()?;
                self.child.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.end();
        }
    }
}
