//! Attempts on other processes: to see, signal, read, steer and outlive them.

#![expect(clippy::disallowed_methods, reason = "the probe opens whatever it is told to")]

use std::fs::{self, File};
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::{Obstacle, Tried, nothing, number};
use crate::jail::raw::{self, Arg};

/// Makes the attempt, if its verb is one on processes.
pub(super) fn attempt(program: &str, verb: &str, objects: &[&str]) -> Option<Tried> {
    Some(match (verb, objects) {
        ("kill", [pid, signal]) => {
            pid_and(pid, |pid| call(libc::SYS_kill, &[pid, number(signal)?]))
        }
        // Asks whether it could; tells nobody anything.
        ("kill-any", []) => call(libc::SYS_kill, &[-1, 0]),
        ("tgkill", [pid, signal]) => {
            pid_and(pid, |pid| call(libc::SYS_tgkill, &[pid, pid, number(signal)?]))
        }
        ("queue-signal", [pid, signal]) => pid_and(pid, |pid| queue(pid, number(signal)?)),
        ("pidfd-kill", [pid, signal]) => pid_and(pid, |pid| {
            let fd = raw::call(libc::SYS_pidfd_open, &mut [Arg::Number(pid), Arg::Number(0)])?;
            call(libc::SYS_pidfd_send_signal, &[fd, number(signal)?, 0, 0])
        }),
        ("signal-by-io", [pid]) => pid_and(pid, signal_by_io),
        ("ptrace", [pid]) => {
            pid_and(pid, |pid| call(libc::SYS_ptrace, &[i64::from(libc::PTRACE_SEIZE), pid, 0, 0]))
        }
        ("memory", [pid, address]) => pid_and(pid, |pid| memory(pid, address)),
        ("take-descriptor", [pid]) => pid_and(pid, |pid| {
            let fd = raw::call(libc::SYS_pidfd_open, &mut [Arg::Number(pid), Arg::Number(0)])?;
            call(libc::SYS_pidfd_getfd, &[fd, 0, 0])
        }),
        ("compare", [pid]) => {
            pid_and(pid, |pid| call(libc::SYS_kcmp, &[pid, std::process::id().into(), 0, 0, 0]))
        }
        ("limit", [pid]) => pid_and(pid, limit),
        ("turn", [pid]) => {
            let which = i64::from(libc::PRIO_PROCESS);
            pid_and(pid, |pid| call(libc::SYS_setpriority, &[which, pid, 19]))
        }
        ("pin", [pid]) => pid_and(pid, pin),
        ("set-own", [option, what, value]) => pid_and(option, |option| {
            call(libc::SYS_prctl, &[option, number(what)?, number(value)?, 0, 0])
        }),
        ("set-namespace", [path]) => set_namespace(path),
        ("environs", [token]) => search("environ", token),
        ("command-lines", [token]) => search("cmdline", token),
        ("linger", [token]) => linger(program, token),
        ("wait", _) => wait(),
        ("shared-memory", [key]) => {
            number(key).and_then(|key| call(libc::SYS_shmget, &[key, 0, 0]))
        }
        _ => return None,
    })
}

fn pid_and(pid: &str, then: impl FnOnce(i64) -> Tried) -> Tried {
    then(number(pid)?)
}

fn call(number: i64, args: &[i64]) -> Tried {
    let mut args: Vec<_> = args.iter().map(|arg| Arg::Number(*arg)).collect();
    raw::call(number, &mut args)?;
    Ok(String::new())
}

fn queue(pid: i64, signal: i64) -> Tried {
    // `siginfo_t`: the signal, an errno, and a code that users may give (SI_QUEUE).
    let mut info = [0_u8; 128];
    info[..4].copy_from_slice(&i32::try_from(signal).unwrap_or(0).to_ne_bytes());
    info[8..12].copy_from_slice(&(-1_i32).to_ne_bytes());
    let mut args = [Arg::Number(pid), Arg::Number(signal), Arg::Bytes(&mut info)];
    raw::call(libc::SYS_rt_sigqueueinfo, &mut args)?;
    Ok(String::new())
}

/// Has the kernel send a signal for input that arrives, to somebody else.
fn signal_by_io(pid: i64) -> Tried {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let fd = i64::from(ours.as_raw_fd());
    call(libc::SYS_fcntl, &[fd, libc::F_SETOWN.into(), pid])?;
    call(libc::SYS_fcntl, &[fd, libc::F_SETFL.into(), (libc::O_ASYNC | libc::O_NONBLOCK).into()])?;
    std::io::Write::write_all(&mut &theirs, b"x")?;
    // The kernel does not say whether it was delivered; the host looks.
    std::thread::sleep(Duration::from_millis(20));
    match nix::sys::signal::kill(Pid::from_raw(pid.try_into().unwrap_or(0)), None) {
        Err(Errno::ESRCH | Errno::EPERM) => nothing("it cannot be told whether it arrived"),
        _ => Ok(String::new()),
    }
}

fn memory(pid: i64, address: &str) -> Tried {
    let base = usize::from_str_radix(address, 16)
        .map_err(|_| Obstacle::Broken(format!("`{address}` is no address")))?;
    let pid = Pid::from_raw(pid.try_into().unwrap_or(0));
    let mut bytes = [0; 16];
    let read =
        process_vm_readv(pid, &mut [IoSliceMut::new(&mut bytes)], &[RemoteIoVec { base, len: 16 }]);
    Ok(format!("{} bytes", read?))
}

fn limit(pid: i64) -> Tried {
    let mut limit = [0_u8; 16];
    limit[..8].copy_from_slice(&1000_u64.to_ne_bytes());
    limit[8..].copy_from_slice(&1000_u64.to_ne_bytes());
    let resource = Arg::Number(libc::RLIMIT_SIGPENDING.into());
    let mut args = [Arg::Number(pid), resource, Arg::Bytes(&mut limit), Arg::Number(0)];
    raw::call(libc::SYS_prlimit64, &mut args)?;
    Ok(String::new())
}

fn pin(pid: i64) -> Tried {
    let mut mask = 1_u64.to_ne_bytes();
    let mut args = [Arg::Number(pid), Arg::Number(8), Arg::Bytes(&mut mask)];
    raw::call(libc::SYS_sched_setaffinity, &mut args)?;
    Ok(String::new())
}

fn set_namespace(path: &str) -> Tried {
    let file = File::open(path)?;
    call(libc::SYS_setns, &[file.as_raw_fd().into(), 0])
}

/// Looks for a token in the same file of every process in sight but this one.
fn search(name: &str, token: &str) -> Tried {
    let own = std::process::id().to_string();
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name();
        let is_process = pid.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        if pid == *own || !is_process {
            continue;
        }
        let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
        if bytes.windows(token.len()).any(|window| window == token.as_bytes()) {
            return Ok(format!("in process {}", pid.to_string_lossy()));
        }
    }
    nothing("it is nowhere")
}

/// Leaves a process behind, in a session and process group of its own.
fn linger(program: &str, token: &str) -> Tried {
    let mut middle = Command::new(program);
    middle.args(["wait", "session", token]);
    middle.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    middle.process_group(0).spawn()?;
    // Until it has its session.
    std::thread::sleep(Duration::from_millis(30));
    Ok(String::new())
}

/// Is there until it is ended, and lets itself be looked at, as a control must.
fn wait() -> Tried {
    let _ = nix::unistd::setsid();
    nix::unistd::alarm::cancel();
    for signal in [Signal::SIGHUP, Signal::SIGINT] {
        let mut held = nix::sys::signal::SigSet::empty();
        held.add(signal);
        held.thread_block()?;
    }
    // Refused where no security module asks for it.
    let _ = call(libc::SYS_prctl, &[libc::PR_SET_PTRACER.into(), -1]);
    std::thread::sleep(Duration::from_secs(WAIT_S_MAX));
    Ok(String::new())
}

/// Whoever waits is ended by the suite; this is for a suite that was killed.
const WAIT_S_MAX: u64 = 300;
