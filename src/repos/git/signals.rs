//! Signals that end a process, held back while git runs, so that what it had begun is
//! cleared away first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::Git;

/// Held back for this thread until this is dropped.
pub(super) struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    pub(super) fn hold(wanted: bool) -> io::Result<Option<Self>> {
        if !wanted {
            return Ok(None);
        }
        let these: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        let before = these.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
        let fd = SignalFd::with_flags(&these, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Some(Self { fd, before }))
    }

    /// Whether one has come. It is not taken: it ends this process in its own way
    /// as soon as it is let through.
    pub(super) fn came(&self) -> bool {
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| 0 < ready)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// A hold on signals over several steps: they come through when it is dropped.
pub(in crate::repos) struct Undisturbed(Option<Signals>);

impl Undisturbed {
    pub(in crate::repos) fn hold(git: &Git) -> Self {
        Self(Signals::hold(git.holds_signals).ok().flatten())
    }
}

impl std::fmt::Debug for Undisturbed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Undisturbed").field(&self.0.is_some()).finish()
    }
}
