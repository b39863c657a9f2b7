//! The wish to end a call before it is done, from whatever thread has it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Whether a call is to be ended.
#[derive(Debug, Default)]
pub struct Stop {
    wanted: AtomicBool,
    /// Most calls are done before anybody waits.
    event: OnceLock<EventFd>,
}

impl Stop {
    /// Asks for the end. Asked twice, it is the same wish.
    pub fn stop(&self) {
        self.wanted.store(true, Ordering::SeqCst);
        // Either this sees the event, or whoever makes it sees the wish.
        fence(Ordering::SeqCst);
        if let Some(event) = self.event.get() {
            let _ = event.write(1);
        }
    }

    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    /// For one who waits for something else too: it becomes readable when the end is
    /// wanted, and stays so.
    pub fn event(&self) -> io::Result<BorrowedFd<'_>> {
        let event = match self.event.get() {
            Some(event) => event,
            None => {
                let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
                let made = EventFd::from_flags(flags)?;
                let event = self.event.get_or_init(|| made);
                fence(Ordering::SeqCst);
                if self.is_wanted() {
                    let _ = event.write(1);
                }
                event
            }
        };
        Ok(event.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::BorrowedFd;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::Stop;

    fn is_readable(event: BorrowedFd<'_>) -> bool {
        let mut polled = [PollFd::new(event, PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO) == Ok(1)
    }

    #[test]
    fn a_wish_to_stop_stays_whoever_waits_for_it_first() {
        for waits_before in [true, false] {
            let stop = Stop::default();
            assert!(!stop.is_wanted());
            if waits_before {
                assert!(!is_readable(stop.event().unwrap()));
            }
            stop.stop();
            stop.stop();
            assert!(stop.is_wanted() && stop.is_wanted());
            assert!(is_readable(stop.event().unwrap()) && is_readable(stop.event().unwrap()));
        }
    }

    #[test]
    fn a_wish_and_a_wait_at_the_same_time_meet() {
        for _ in 0..2_000 {
            let stop = Stop::default();
            std::thread::scope(|scope| {
                scope.spawn(|| stop.stop());
                stop.event().unwrap();
            });
            assert!(is_readable(stop.event().unwrap()));
        }
    }
}
