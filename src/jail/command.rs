//! The two processes of a command: the first of its pid namespace, which locks
//! itself in, and the program, which that one starts and outlives.
//!
//! The first process is there so that the program is an ordinary one: pid 1 of a
//! namespace ignores most signals and has to collect every orphan. When the
//! program ends, the first process ends, and the kernel ends all that is left.
//!
//! It is made before there is a command for it, and waits, locked in, for one. So
//! a command does not wait for namespaces, mounts and filters, and still has all
//! of them to itself.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, UsageWho, getrusage};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, killpg};
use nix::sys::time::TimeValLike;
use nix::unistd::{Pid, chdir, setsid, write};
use serde::{Deserialize, Serialize};

use super::hands;
use super::landlock;
use super::policy::Strength;
use super::stage::{At, Fault, Stage};
use super::stages::{self, Locks};
use super::sys;
use super::wire::{Channel, End, FromCommand, Received, Spec, Status};

/// What the first process reports before it ends, in so many bytes.
pub(super) const REPORT_BYTES: usize = 10;

/// The report: how the program ended, and the processor time of all it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) status: Status,
    pub(super) cpu_ms: u64,
}

impl Report {
    fn bytes(self) -> [u8; REPORT_BYTES] {
        let (kind, number) = match self.status {
            Status::Exited(code) => (0, code),
            Status::Killed(signal) => (1, signal),
        };
        let mut bytes = [0; REPORT_BYTES];
        bytes[0] = kind;
        bytes[1] = number;
        bytes[2..].copy_from_slice(&self.cpu_ms.to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: [u8; REPORT_BYTES]) -> Self {
        let [kind, number, time @ ..] = bytes;
        let status = if kind == 0 { Status::Exited(number) } else { Status::Killed(number) };
        Self { status, cpu_ms: u64::from_le_bytes(time) }
    }
}

/// What the warden tells a waiting first process. Comes with the socket on which it
/// is watched and ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Go {
    /// Start a program. Comes with its three streams too.
    Program(Spec),
    /// Start nothing, and be the jail's hands. Comes with the socket for requests.
    Hands,
}

/// The first process of a command that is to come. Never comes back.
pub(super) fn first(locks: &Locks, warden: &Channel, report: &OwnedFd) -> ! {
    let locked = lock_in(locks, warden, report);
    let Ok(Some(Received { message: go, descriptors })) = warden.receive() else {
        sys::exit_now(0)
    };
    let mut descriptors = descriptors.into_iter();
    let Some(control) = descriptors.next().map(Channel::of) else { sys::exit_now(1) };
    let descriptors = descriptors.collect();
    let outcome = locked.and_then(|()| match go {
        Go::Program(spec) => run(&spec, descriptors, locks, &control, report),
        Go::Hands => serve(descriptors, locks.strength),
    });
    match outcome {
        Ok(()) => sys::exit_now(0),
        Err(fault) => {
            let _ = control.send(&FromCommand::NotStarted(fault), &[]);
            sys::exit_now(1)
        }
    }
}

fn run(
    spec: &Spec,
    descriptors: Vec<OwnedFd>,
    locks: &Locks,
    control: &Channel,
    report: &OwnedFd,
) -> Result<(), Fault> {
    let streams = <[OwnedFd; 3]>::try_from(descriptors)
        .map_err(|_| Errno::EBADF)
        .at(Stage::Limits, "taking its streams")?;
    let before = counted(locks);
    let program = start(spec, &streams, control, locks)?;
    let namespaced = locks.strength == Strength::Namespaces;
    let end = (!namespaced).then(|| stages::end_of_first(locks.strength));
    let (ended, alone) = outlive(program, end);
    if !namespaced {
        end_all();
    }
    if namespaced
        && alone
        && counted(locks) == before
        && let Status::Exited(_) = ended.status
    {
        // All it started is gone already, so its host need not wait for the
        // namespaces to be taken down. The warden tells it in all other cases, as
        // it knows about limits.
        let end = End { status: ended.status, passed: None, cpu_ms: ended.cpu_ms };
        let _ = control.send(&FromCommand::Ended(end), &[]);
    }
    // The warden may be gone; then nobody waits for this.
    let _ = write(report, &ended.bytes());
    Ok(())
}

fn serve(descriptors: Vec<OwnedFd>, strength: Strength) -> Result<(), Fault> {
    let requests = descriptors.into_iter().next().map(Channel::of).ok_or(Errno::EBADF);
    let requests = requests.at(Stage::Limits, "taking the socket for requests")?;
    // Nobody waits for the signal that ends these, so it ends them by itself.
    let end = SigSet::from_iter([stages::end_of_first(strength)]);
    end.thread_unblock().at(Stage::Limits, "letting their end through")?;
    prctl::set_name(c"casefile-hands").at(Stage::CommandNamespaces, "naming the hands")?;
    // A host that is gone is no fault.
    let _ = hands::serve(&requests);
    Ok(())
}

/// Locks this process in, with nothing open but what it needs to hear of its
/// command and to tell of it.
fn lock_in(locks: &Locks, warden: &Channel, report: &OwnedFd) -> Result<(), Fault> {
    prctl::set_name(c"casefile-init").at(Stage::CommandNamespaces, "naming the first process")?;
    // Signals wait until this process asks for them, or, in the program, until it
    // is about to begin.
    SigSet::all().thread_block().at(Stage::Limits, "holding signals back")?;
    stages::lock_in(locks)?;
    let kept: Vec<_> = [0, 1, 2, warden.as_fd().as_raw_fd(), report.as_raw_fd()]
        .into_iter()
        .chain(locks.counters.iter().map(|counter| counter.file.as_raw_fd()))
        .collect();
    sys::close_all_but(&kept).at(Stage::Limits, "closing all other descriptors")
}

/// What the jail's cgroup has refused or killed so far.
fn counted(locks: &Locks) -> Vec<Option<u64>> {
    locks.counters.iter().map(|counter| counter.read().ok()).collect()
}

/// Starts the program. Only its own last steps are left to be taken.
fn start(
    spec: &Spec,
    streams: &[OwnedFd; 3],
    control: &Channel,
    locks: &Locks,
) -> Result<Pid, Fault> {
    let forked = sys::fork_for_exec(|| {
        let fault = program(spec, streams, locks);
        let missing = fault.stage == Stage::Exec && fault.errno() == Errno::ENOENT;
        let _ = control.send(&FromCommand::NotStarted(fault), &[]);
        if missing { 127 } else { 126 }
    });
    forked.at(Stage::Exec, "forking")
}

/// Becomes the program, or says why it could not.
fn program(spec: &Spec, streams: &[OwnedFd; 3], locks: &Locks) -> Fault {
    let error = |error: io::Error, stage, detail: &str| Fault::new(stage, &error, detail);
    // The first of a pid namespace is beyond the reach of those in it; one that is
    // not has to be put there, since it is to end them all.
    let below = match locks.strength {
        Strength::Namespaces => Ok(()),
        Strength::Landlock => landlock::step_below().at(Stage::Landlock, "entering it once more"),
    };
    if let Err(fault) = below.and_then(|()| stand(spec, streams, locks)) {
        return fault;
    }
    let strings = |list: &[Vec<u8>]| {
        list.iter().map(|text| CString::new(text.as_slice())).collect::<Result<Vec<_>, _>>()
    };
    let (Ok(args), Ok(env)) = (strings(&spec.args), strings(&spec.env)) else {
        let nul = io::Error::from_raw_os_error(libc::EINVAL);
        return error(nul, Stage::Exec, "an argument or variable holds a NUL byte");
    };
    let Some(name) = spec.args.first() else {
        return error(Errno::EINVAL.into(), Stage::Exec, "no program was named");
    };
    let shown = String::from_utf8_lossy(name).into_owned();
    error(exec_by_name(name, &args, &env, &spec.env), Stage::Exec, &format!("starting `{shown}`"))
}

/// Session, streams, directory and signals, as a program expects to find them.
fn stand(spec: &Spec, streams: &[OwnedFd; 3], locks: &Locks) -> Result<(), Fault> {
    stages::lower(Resource::RLIMIT_CPU, locks.cpu_s).at(Stage::Limits, "setting its time")?;
    setsid().at(Stage::Terminal, "starting a session")?;
    for (number, stream) in (0..).zip(streams) {
        sys::put_at(stream.as_fd(), number).at(Stage::Limits, "giving it its streams")?;
    }
    if spec.terminal.is_some() {
        sys::take_terminal(streams[0].as_fd()).at(Stage::Terminal, "making it the session's")?;
    }
    let cwd = CString::new(spec.cwd.as_slice())
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
        .at(Stage::Directory, "a name with a NUL byte")?;
    chdir(cwd.as_c_str()).at(Stage::Directory, format!("entering {}", cwd.to_string_lossy()))?;
    default_signals().at(Stage::Exec, "letting signals through")
}

fn default_signals() -> nix::Result<()> {
    // What is ignored stays so over exec, by whomever it was: Rust's runtime, the
    // caller's shell, `nohup`.
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator() {
        if !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
            sys::set_action(signal, &default)?;
        }
    }
    SigSet::empty().thread_set_mask()
}

/// As a shell would: a name with a slash is a path, any other is looked for in
/// the jail's `PATH`.
fn exec_by_name(name: &[u8], args: &[CString], env: &[CString], vars: &[Vec<u8>]) -> io::Error {
    if name.contains(&b'/') {
        return exec(name, args, env);
    }
    let path = vars.iter().find_map(|var| var.strip_prefix(b"PATH=")).unwrap_or(DEFAULT_PATH);
    let mut answer = io::Error::from_raw_os_error(libc::ENOENT);
    for dir in path.split(|byte| *byte == b':').filter(|dir| !dir.is_empty()) {
        let error = exec(&[dir, b"/", name].concat(), args, env);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            // Remembered, but a later directory may have one that can be run.
            Some(libc::EACCES) => answer = error,
            _ => return error,
        }
    }
    answer
}

const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

fn exec(path: &[u8], args: &[CString], env: &[CString]) -> io::Error {
    let Ok(file) = CString::new(path) else {
        return io::Error::from_raw_os_error(libc::EINVAL);
    };
    let error = sys::exec(&file, args, env);
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    // Text without a `#!` line, which every shell runs as a script.
    let args: Vec<_> =
        [c"sh".to_owned(), file].into_iter().chain(args.iter().skip(1).cloned()).collect();
    sys::exec(c"/bin/sh", &args, env)
}

/// Collects orphans and passes signals on until the program has ended. Says too
/// whether that leaves this process alone in its namespace.
///
/// On the signal `end` it ends everything.
fn outlive(program: Pid, end: Option<Signal>) -> (Report, bool) {
    let (mut status, mut alone) = (None, false);
    while status.is_none() {
        match SigSet::all().wait() {
            Ok(Signal::SIGCHLD) => (status, alone) = collect(program),
            Ok(signal) if Some(signal) == end => kill_all(),
            // To the whole group, as a terminal would.
            Ok(signal) => drop(killpg(program, signal)),
            Err(_) => {}
        }
    }
    let cpu_ms = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| {
        let time = usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds();
        u64::try_from(time).unwrap_or(0)
    });
    (Report { status: status.unwrap_or(Status::Exited(0)), cpu_ms }, alone)
}

/// Without a pid namespace: kills whatever this process may send a signal to. By
/// Landlock's scope that is all of its own command, and nothing else of the host.
/// The kernel goes through all processes at once, so none gets away by forking.
fn kill_all() {
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
}

/// The same, and waits until they are gone.
fn end_all() {
    kill_all();
    let _ = sys::wait_for_children();
}

/// Takes note of every process that ended; the answer is how the program did, if
/// it was among them, and whether no process is left.
fn collect(program: Pid) -> (Option<Status>, bool) {
    let mut answer = None;
    loop {
        match sys::collect_child() {
            Ok(Some((pid, died))) if pid == program => answer = Some(died.into()),
            Ok(Some(_)) => {}
            Ok(None) => return (answer, false),
            // There is no child, and every other process would be one.
            Err(_) => return (answer, true),
        }
    }
}

impl From<sys::Died> for Status {
    fn from(died: sys::Died) -> Self {
        match died {
            sys::Died::Exited(code) => Self::Exited(code),
            sys::Died::Killed(signal) => Self::Killed(signal),
        }
    }
}
