//! The wish to end a call before it is done, from whatever thread has it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Whether a call is to be ended. Whoever waits for something else too can wait for
/// its descriptor, which becomes readable then and stays so.
#[derive(Debug)]
pub struct Stop(EventFd);

impl Stop {
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(EventFd::from_flags(flags)?))
    }

    /// Asks for the end. Asked twice, it is the same wish.
    pub fn stop(&self) {
        let _ = self.0.write(1);
    }

    pub fn is_wanted(&self) -> bool {
        let mut polled = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| 0 < ready)
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::Stop;

    #[test]
    fn a_wish_to_stop_stays() {
        let stop = Stop::new().unwrap();
        assert!(!stop.is_wanted());
        stop.stop();
        stop.stop();
        assert!(stop.is_wanted() && stop.is_wanted());
    }
}
