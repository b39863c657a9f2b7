//! Any call of the kernel, by its number: for the probe, which tries what a jail
//! refuses and so cannot use functions that would not even ask.

use std::ffi::CStr;
use std::io;

use super::answer;

/// An argument of a raw call. What the kernel may write to is borrowed for it.
#[derive(Debug)]
pub(crate) enum Arg<'a> {
    Number(i64),
    Text(&'a CStr),
    Bytes(&'a mut [u8]),
}

/// Makes the call. Meant for a process that does nothing else: a call that takes
/// memory away, or gives it another meaning, is the caller's to avoid.
pub(crate) fn call(number: i64, args: &mut [Arg<'_>]) -> io::Result<i64> {
    let mut words = [0_i64; 6];
    for (word, arg) in words.iter_mut().zip(args) {
        *word = match arg {
            Arg::Number(number) => *number,
            Arg::Text(text) => text.as_ptr().addr().cast_signed() as i64,
            Arg::Bytes(bytes) => bytes.as_mut_ptr().expose_provenance().cast_signed() as i64,
        };
    }
    let [a, b, c, d, e, f] = words;
    // SAFETY: every pointer leads to memory that is borrowed for as long as the
    // call takes; the probe's table gives lengths that fit what it hands in.
    answer(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

/// Forks with these flags, by the older of the two calls; the child ends at once.
pub(crate) fn fork_and_end(flags: libc::c_int) -> io::Result<()> {
    match super::fork(flags)? {
        super::Fork::Child => super::exit_now(0),
        super::Fork::Parent(child) => wait_for(child),
    }
}

/// The same by the newer call, whose flags a filter cannot see.
pub(crate) fn fork_anew_and_end(flags: libc::c_int) -> io::Result<()> {
    // `struct clone_args` as it first was: flags are the first of eight numbers,
    // the signal at the end of the child is the fifth.
    let mut args = [0_u64; 8];
    args[0] = u64::try_from(flags).map_err(io::Error::other)?;
    args[4] = u64::from(libc::SIGCHLD.unsigned_abs());
    // SAFETY: without CLONE_VM the child has memory of its own, and it ends at once.
    let pid =
        answer(unsafe { libc::syscall(libc::SYS_clone3, args.as_mut_ptr(), size_of_val(&args)) })?;
    match libc::pid_t::try_from(pid).map_err(io::Error::other)? {
        0 => super::exit_now(0),
        pid => wait_for(nix::unistd::Pid::from_raw(pid)),
    }
}

fn wait_for(child: nix::unistd::Pid) -> io::Result<()> {
    nix::sys::wait::waitpid(child, None)?;
    Ok(())
}

/// Asks for this process's number as a program of 32 bits would.
#[cfg(target_arch = "x86_64")]
pub(crate) fn ask_in_32_bits() -> io::Result<i64> {
    const GETPID_OF_32_BITS: i64 = 20;
    let answered: i64;
    // SAFETY: getpid takes nothing and changes nothing but the register of its
    // answer and those that this gate is known to clear.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") GETPID_OF_32_BITS => answered,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    let answered = i64::from(answered as i32);
    if answered < 0 {
        return Err(io::Error::from_raw_os_error(i32::try_from(-answered).unwrap_or(libc::EIO)));
    }
    Ok(answered)
}

/// There is no such gate on this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn ask_in_32_bits() -> io::Result<i64> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}
