//! Runs a program from one system call to the next, so that it can be killed at
//! a step and not only at a time.
//!
//! What a program leaves behind changes only in system calls. On a fast disk the
//! few that matter are over in microseconds, and no clock would ever meet them;
//! counted, each is as easy to meet as any other.

use std::process::Child;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What makes a shell wait for its tracer, and then become the program.
pub(crate) const SCRIPT: &str = r#"kill -STOP $$; exec "$0" "$@""#;

/// A program that stands still between two system calls.
pub(crate) struct Stepped {
    pid: Pid,
}

/// Where a step has led.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the beginning or the end of a system call.
    Call,
    /// To the end of the program, with this exit code.
    Exit(i32),
}

impl Stepped {
    /// Takes hold of a shell that runs [`SCRIPT`], at the program's first moment.
    pub(crate) fn seize(shell: Child) -> Self {
        let pid = Pid::from_raw(shell.id().try_into().unwrap());
        let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert_eq!(stopped, WaitStatus::Stopped(pid, Signal::SIGSTOP));
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(pid, options).unwrap();
        kill(pid, Signal::SIGCONT).unwrap();
        loop {
            match waitpid(pid, None).unwrap() {
                WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC) => return Self { pid },
                WaitStatus::PtraceEvent(..) => ptrace::cont(pid, None).unwrap(),
                WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal).unwrap(),
                other => panic!("the shell did not become the program: {other:?}"),
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw().try_into().unwrap()
    }

    /// Lets it run to the next boundary of a system call.
    pub(crate) fn step(&mut self) -> Step {
        let mut signal = None;
        loop {
            ptrace::syscall(self.pid, signal).unwrap();
            signal = None;
            match waitpid(self.pid, None).unwrap() {
                WaitStatus::PtraceSyscall(_) => return Step::Call,
                WaitStatus::Exited(_, code) => return Step::Exit(code),
                WaitStatus::Stopped(_, sent) => signal = Some(sent),
                WaitStatus::PtraceEvent(..) => (),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Kills it where it stands.
    pub(crate) fn kill(self) {
        kill(self.pid, Signal::SIGKILL).unwrap();
        loop {
            match waitpid(self.pid, None) {
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    assert_eq!(signal, Signal::SIGKILL);
                    return;
                }
                Ok(_) | Err(Errno::EINTR) => (),
                Err(errno) => panic!("{errno}"),
            }
        }
    }
}
