//! The jail: how a program is run so that it can do little.
//!
//! ```text
//! host (casefile)          zygote               warden, in the jail      per command
//!   Zygote::start ───────►  one thread,
//!   Zygote::open(plan) ──►  forks ────────────►  stages::build
//!   Jail::start(spec) ────────────────────────►  forks ────────────────►  first process:
//!     streams, directly ◄──────────────────────────────────────────────   stages::lock_in,
//!   Running::news ◄─────── how it ended ──────── watches, collects ◄────   then the program
//!                                                                         or serves as
//! Hands::read, … ◄─── requests and answers, directly ──────────────────►  the hands
//! ```
//!
//! * [`policy`] is a YAML file that is read and checked in full before anything is
//!   built from it.
//! * [`plan`] is decided on the host, before any process exists.
//! * `stages.rs` is the order in which rights are given up; read it first.
//! * [`hands`] read, list, search and write in a jail for the host, which opens
//!   nothing there itself.
//! * `sys.rs` holds the system calls that no crate wraps, and all `unsafe`.
//!
//! **No quiet fallback.** A layer that cannot be applied in full ends the start
//! with its name, what the kernel said, and what to do.

mod blank;
mod bpf;
mod cgroup;
mod command;
mod counter;
mod disk;
mod error;
mod found;
mod gives;
pub mod hands;
mod host;
mod identity;
mod landlock;
mod network;
mod overlay;
pub mod plan;
pub mod policy;
mod processes;
mod root;
mod seccomp;
mod stage;
mod stages;
mod sys;
mod warden;
mod watch;
pub mod wire;
mod zygote;

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

pub use error::JailError;
pub use gives::{Diagnosis, Gives};
pub use hands::{Hands, HandsError, Refusal, Wait};
pub use host::{Jail, News, Running, Streams, Zygote};
pub use identity::{give_all_to_jail, give_pipe_to_jail, give_to_jail, jail_user};
pub use stage::{Fault, Stage};
pub(crate) use sys::raw;

/// Rows and columns of a terminal.
pub fn terminal_size(terminal: BorrowedFd<'_>) -> io::Result<(u16, u16)> {
    sys::window_size(terminal).map(|size| (size.ws_row, size.ws_col))
}

/// Tells a terminal, and what runs in it, that it has another size.
pub fn set_terminal_size(terminal: BorrowedFd<'_>, (rows, columns): (u16, u16)) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    sys::set_window_size(terminal, size)
}

/// Has this process give back what memory it no longer needs, at the price of asking for it
/// anew. For one that lives long, and has many threads and now and then large buffers: these
/// would stay with it for good.
pub fn hold_little_memory() {
    #[cfg(target_env = "gnu")]
    {
        const KIB: i32 = 1024;
        // What was set stays, whether or not the rest can be.
        let _ = sys::set_allocator(libc::M_ARENA_MAX, 4);
        let _ = sys::set_allocator(libc::M_MMAP_THRESHOLD, 256 * KIB);
        let _ = sys::set_allocator(libc::M_TRIM_THRESHOLD, 1024 * KIB);
    }
}

/// Takes this process over if it was started to be a part of the jail's
/// machinery, and says how it is to exit. `program` is the name it was started by.
pub fn take_over(program: Option<&OsStr>) -> Option<i32> {
    (program? == zygote::NAME).then(zygote::main)
}
