//! The kernel calls that neither `nix` nor another crate wraps, and the only
//! `unsafe` of this program.
//!
//! Each function does one call, takes and gives owned descriptors, and leaves
//! every decision to its caller.

#![expect(unsafe_code, reason = "raw system calls live here, and nowhere else")]

mod mounts;
pub(crate) mod raw;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::bpf::Instruction;
use nix::sys::signal::{SigAction, SigHandler, Signal, sigaction};
use nix::unistd::Pid;

pub(super) use mounts::{
    map_owners, move_mount, new_filesystem, open_tree, set_mount, set_private,
};

/// What a raw call answered, as a `Result`.
fn answer(value: libc::c_long) -> io::Result<libc::c_long> {
    if value < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

fn owned(value: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(answer(value)?).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor for the call that asked for
    // it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes charge of a descriptor that the kernel put into a received message.
pub(super) fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller got this number out of an SCM_RIGHTS message, which
    // makes a new descriptor that belongs to the receiver alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Descriptor `number`, if this process was started with one there.
pub(super) fn inherited(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_GETFD only looks.
    let open = unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
    // SAFETY: it is open, and the caller is the process's first code to run, so
    // nothing else can have taken charge of it.
    open.then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// Which of the two processes came back from [`fork`].
#[derive(Debug)]
pub(super) enum Fork {
    Parent(Pid),
    Child,
}

/// Forks, with new namespaces for the child as `flags` ask.
///
/// May only be called in a process with one thread: the child goes on in Rust.
pub(super) fn fork(flags: libc::c_int) -> io::Result<Fork> {
    let flags = libc::c_long::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM the child has memory of its own, so this is a
    // plain fork; the zygote and what it forks have one thread, so no lock can
    // be held by another.
    let pid = answer(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    match libc::pid_t::try_from(pid).map_err(io::Error::other)? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(Pid::from_raw(pid))),
    }
}

/// Starts a child that borrows this process's memory until it execs or ends, and
/// waits until then. Far cheaper than [`fork`], which copies the page tables.
pub(super) fn fork_for_exec(mut child: impl FnMut() -> i32) -> io::Result<Pid> {
    extern "C" fn run(argument: *mut libc::c_void) -> libc::c_int {
        // SAFETY: `argument` is the pointer made below, alive in the waiting parent.
        let child = unsafe { &mut *argument.cast::<&mut dyn FnMut() -> i32>() };
        exit_now(child())
    }
    let mut stack = vec![0_u128; CHILD_STACK_BYTES / size_of::<u128>()];
    let mut child: &mut dyn FnMut() -> i32 = &mut child;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child runs on a stack of its own, which is aligned and outlives
    // it, since CLONE_VFORK holds this process, whose only thread this is, until
    // the child has its own memory or is gone.
    let pid = unsafe {
        libc::clone(run, stack.as_mut_ptr_range().end.cast(), flags, (&raw mut child).cast())
    };
    answer(pid.into())?;
    Ok(Pid::from_raw(pid))
}

const CHILD_STACK_BYTES: usize = 128 * 1024;

/// How a child ended: its code, or the number of the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Died {
    Exited(u8),
    Killed(u8),
}

/// Collects a child that ended, if any did. Unlike `nix`, it knows the real-time
/// signals, by which a program may well die.
pub(super) fn collect_child() -> io::Result<Option<(Pid, Died)>> {
    let mut status = 0;
    // SAFETY: the kernel fills `status`.
    let pid = answer(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) }.into())?;
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    let died = if libc::WIFSIGNALED(status) {
        Died::Killed(u8::try_from(libc::WTERMSIG(status)).unwrap_or(u8::MAX))
    } else {
        Died::Exited(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    };
    Ok((pid != 0).then_some((Pid::from_raw(pid), died)))
}

/// Collects children until there is none left.
pub(super) fn wait_for_children() -> io::Result<()> {
    loop {
        // SAFETY: without a status the kernel fills nothing.
        if let Err(error) = answer(unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) }.into()) {
            match error.raw_os_error() {
                Some(libc::ECHILD) => return Ok(()),
                Some(libc::EINTR) => {}
                _ => return Err(error),
            }
        }
    }
}

/// Ends this process at once: no destructor, no buffer flushed twice.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit never returns and touches no memory.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor from `first` on, as far as `last`.
pub(super) fn close_range(first: RawFd, last: RawFd) -> io::Result<()> {
    if last < first {
        return Ok(());
    }
    // SAFETY: the callers are about to exec or have just forked: no owned
    // descriptor in this range is used again.
    answer(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Closes every descriptor but those of `keep`, of which this process becomes
/// the only holder it knows of.
pub(super) fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut keep = keep.to_vec();
    keep.sort_unstable();
    let mut first = 0;
    for fd in keep {
        close_range(first, fd - 1)?;
        first = fd + 1;
    }
    close_range(first, RawFd::MAX)
}

/// Copies `from` over number `to`, which the program about to be started expects.
pub(super) fn put_at(from: BorrowedFd<'_>, to: RawFd) -> io::Result<()> {
    if from.as_raw_fd() == to {
        // The same number: only the close-on-exec mark has to go.
        // SAFETY: changes a flag of a descriptor that the caller holds.
        return answer(unsafe { libc::fcntl(to, libc::F_SETFD, 0) }.into()).map(drop);
    }
    // SAFETY: the caller is a child that owns no descriptor below 3.
    answer(unsafe { libc::dup2(from.as_raw_fd(), to) }.into()).map(drop)
}

/// Makes standard input the same as standard output, which is /dev/null here.
pub(super) fn put_null_at_stdin() -> io::Result<()> {
    // SAFETY: number 0 was closed before, so nobody owns it.
    answer(unsafe { libc::dup2(1, 0) }.into()).map(drop)
}

/// Makes the terminal `fd` the controlling one of this session.
pub(super) fn take_terminal(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes an integer.
    answer(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSCTTY, 0) }.into()).map(drop)
}

/// Rows and columns of a terminal.
pub(super) fn window_size(fd: BorrowedFd<'_>) -> io::Result<libc::winsize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ fills the struct that it is given.
    answer(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) }.into())?;
    Ok(size)
}

pub(super) fn set_window_size(fd: BorrowedFd<'_>, size: libc::winsize) -> io::Result<()> {
    // SAFETY: TIOCSWINSZ reads the struct that it is given.
    answer(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }.into())
        .map(drop)
}

/// One setting of the allocator. It says 0 where it knows none of that kind.
#[cfg(target_env = "gnu")]
pub(super) fn set_allocator(what: libc::c_int, value: libc::c_int) -> bool {
    // SAFETY: it takes two numbers and touches nothing of ours.
    unsafe { libc::mallopt(what, value) != 0 }
}

/// Turns the interface of this name on, in the caller's network namespace.
pub(super) fn raise_interface(name: &CStr) -> io::Result<()> {
    // SAFETY: an all-zero ifreq is valid; the name is copied in with room for NUL.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes().iter().take(15)) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: takes integers.
    let socket = owned(
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into(),
    )?;
    // SAFETY: SIOCSIFFLAGS reads the struct that it is given.
    answer(
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }.into(),
    )
    .map(drop)
}

/// What a process may hold of each capability set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(pub u64);

impl Capabilities {
    pub(super) const ALL: Self = Self(u64::MAX);
    /// Mounting, and making namespaces.
    pub(super) const SYS_ADMIN: Self = Self(1 << 21);
    /// Dropping capabilities from the bounding set.
    pub(super) const SETPCAP: Self = Self(1 << 8);
    /// Looking into directories of the jail's user that deny it themselves.
    pub(super) const DAC_READ_SEARCH: Self = Self(1 << 2);
    /// Looking at any process of the jail, whatever it did to hide.
    pub(super) const SYS_PTRACE: Self = Self(1 << 19);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, number: u32) -> bool {
        self.0 & (1 << number) != 0
    }
}

/// Of those capabilities that are left, gives up all that are not in `keep`, for
/// good: in the bounding, ambient and inheritable sets too.
pub(super) fn keep_capabilities(left: Capabilities, keep: Capabilities) -> io::Result<()> {
    const LAST_MAX: u32 = 63;
    const VERSION_3: u32 = 0x2008_0522;
    for number in (0..=LAST_MAX).filter(|number| left.has(*number) && !keep.has(*number)) {
        // SAFETY: takes integers.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) } == -1 {
            let error = io::Error::last_os_error();
            // The first number that the kernel does not know ends the list.
            if error.raw_os_error() == Some(libc::EINVAL) && 32 < number {
                break;
            }
            return Err(error);
        }
    }
    // SAFETY: takes integers.
    let cleared =
        unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    answer(cleared.into())?;
    let header: [u32; 2] = [VERSION_3, 0];
    #[expect(clippy::cast_possible_truncation, reason = "the kernel wants the two halves")]
    let (low, high) = (keep.0 as u32, (keep.0 >> 32) as u32);
    // effective, permitted, inheritable: first of the low half, then the high.
    let data: [u32; 6] = [low, low, 0, high, high, 0];
    // SAFETY: version 3 reads a header of two words and two triples of words.
    answer(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) }).map(drop)
}

/// Holds this process and all it will start to a seccomp filter, for good.
pub(super) fn install_filter(program: &[Instruction]) -> io::Result<()> {
    let length = libc::c_ushort::try_from(program.len()).map_err(io::Error::other)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel reads `length` instructions, laid out as its own, and
    // writes none.
    answer(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter)
    })
    .map(drop)
}

/// The newest Landlock interface that the kernel offers, or why there is none.
pub(super) fn landlock_abi() -> io::Result<u32> {
    const CREATE_RULESET_VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel takes no pointer.
    let version = answer(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, CREATE_RULESET_VERSION)
    })?;
    u32::try_from(version).map_err(io::Error::other)
}

/// Changes what a signal does, to one of the kernel's own two answers.
pub(super) fn set_action(signal: Signal, action: &SigAction) -> nix::Result<()> {
    debug_assert!(matches!(action.handler(), SigHandler::SigDfl | SigHandler::SigIgn));
    // SAFETY: no handler of ours is installed, so none can be called at a bad time.
    unsafe { sigaction(signal, action) }.map(drop)
}

/// Starts a program in place of this process. Comes back only if it could not.
pub(super) fn exec(path: &CStr, args: &[CString], env: &[CString]) -> io::Error {
    let pointers = |list: &[CString]| {
        list.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: both arrays end with a null pointer, and all strings with NUL.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Whether this process has one thread, as everything that forks here must.
pub(super) fn one_thread() -> bool {
    // SAFETY: `stat` is plain data that the call fills; it is read only if it did.
    let links = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        match libc::stat(c"/proc/self/task".as_ptr(), &raw mut stat) {
            0 => stat.st_nlink,
            _ => return false,
        }
    };
    links == 3
}
