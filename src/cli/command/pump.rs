//! Carrying a command's streams to and from casefile's own, and signals with them.
//!
//! The command never gets a descriptor of the caller's: what stands behind one
//! (a terminal, a socket, a file open for more than it seems) would be a way
//! out. It gets pipes, and what comes out of them is counted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{pipe2, read, write};

use crate::jail::wire::{End, Passed, PassedLimit, Spec, Status};
use crate::jail::{Fault, Jail, JailError, News, Running, Streams, give_pipe_to_jail};

/// How much is on its way in one direction.
const BUFFER_BYTES: usize = 64 * 1024;
/// What a pipe that is ready at all takes without making the writer wait.
const WRITE_BYTES: usize = 4096;
/// How long a command that was told to end may take to do so.
const GRACE: Duration = Duration::from_secs(5);

/// How a command came out.
#[derive(Debug)]
pub(super) enum Done {
    Ended(End),
    NotStarted(Fault),
}

/// Something other than the command failed.
#[derive(Debug)]
pub(super) enum Broken {
    Jail(JailError),
    Streams(io::Error),
}

impl From<JailError> for Broken {
    fn from(error: JailError) -> Self {
        Self::Jail(error)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Streams(error)
    }
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        Self::Streams(errno.into())
    }
}

/// How much a command may print.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) bytes: u64,
    /// The same in the unit of the limit, for the message.
    pub(super) value: u64,
}

/// Runs a command with pipes to and from these three, until it has ended and all it printed is out.
pub(super) fn carry(
    jail: &Jail,
    spec: &Spec,
    allowed: Allowance,
    [own_in, own_out, own_err]: [BorrowedFd<'_>; 3],
) -> Result<Done, Broken> {
    let signals = Signals::take_over()?;
    let (stdin, to_command) = pipe2(OFlag::O_CLOEXEC)?;
    let (from_stdout, stdout) = pipe2(OFlag::O_CLOEXEC)?;
    let (from_stderr, stderr) = pipe2(OFlag::O_CLOEXEC)?;
    let three = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    three.into_iter().try_for_each(give_pipe_to_jail)?;
    let streams = Streams::Three(three);
    let running = jail.start(spec, &streams)?;
    drop((stdin, stdout, stderr));
    // Neither a command that does not read, nor one that reads what it wrote
    // itself, must make casefile wait.
    for ours in [&to_command, &from_stdout, &from_stderr] {
        fcntl(ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let mut flows = [
        Flow::new(Side::Borrowed(own_in), Side::Owned(to_command)),
        Flow::new(Side::Owned(from_stdout), Side::Borrowed(own_out)),
        Flow::new(Side::Owned(from_stderr), Side::Borrowed(own_err)),
    ];
    let mut talk = Talk::new(&running, &signals);
    until_done(&mut talk, &mut flows, allowed, |_| {})
}

/// Carries until the command has ended and what it printed is out. The first flow
/// is its input, the others are what it prints.
pub(super) fn until_done(
    talk: &mut Talk<'_>,
    flows: &mut [Flow<'_>],
    allowed: Allowance,
    mut after_each: impl FnMut(&mut Talk<'_>),
) -> Result<Done, Broken> {
    let mut over = None;
    loop {
        if let Some(done) = talk.done.take() {
            // The input is of no use any more. What is still in the pipes is let out,
            // and no more: somebody else may hold their other ends for ever.
            flows[0].close();
            flows.iter_mut().for_each(Flow::drain);
            if talk.given_up || flows.iter().all(Flow::is_closed) {
                return Ok(match done {
                    Done::Ended(end) => Done::Ended(with_limit(end, over)),
                    not_started @ Done::NotStarted(_) => not_started,
                });
            }
            talk.done = Some(done);
        }
        wait(talk, flows)?;
        after_each(talk);
        let printed: u64 = flows.iter().skip(1).map(|flow| flow.carried).sum();
        if over.is_none() && allowed.bytes < printed {
            over = Some(Passed { limit: PassedLimit::Output, value: allowed.value });
            // It may have ended by itself in the meantime.
            let _ = talk.running.cancel();
            // What it had still in its pipes is beyond the limit too.
            flows.iter_mut().for_each(Flow::close);
        }
    }
}

/// The end of a command that may have printed too much. It is ended for that even if
/// it got there first, since the pipes were closed on it.
fn with_limit(end: End, over: Option<Passed>) -> End {
    match over {
        Some(_) => End {
            status: Status::Killed(Signal::SIGKILL as u8),
            passed: end.passed.or(over),
            ..end
        },
        None => end,
    }
}

/// Waits until something happens, and takes it in.
pub(super) fn wait(talk: &mut Talk<'_>, flows: &mut [Flow<'_>]) -> Result<(), Broken> {
    let mut polled = talk.polled();
    let first = polled.len();
    let waits: Vec<_> = flows.iter().map(Flow::waits_for).collect();
    for (fd, events) in waits.iter().flatten() {
        polled.push(PollFd::new(*fd, *events));
    }
    await_any(&mut polled, talk.timeout())?;
    let spoke: Vec<bool> = polled.iter().map(|fd| fd.any().unwrap_or(false)).collect();
    drop(polled);
    let moving: Vec<bool> = waits.iter().map(Option::is_some).collect();
    drop(waits);
    let mut at = first;
    for (flow, is_moving) in flows.iter_mut().zip(moving) {
        if is_moving {
            if spoke[at] {
                flow.step();
            }
            at += 1;
        }
    }
    talk.hear(&spoke[..first])
}

fn await_any(polled: &mut [PollFd<'_>], timeout: PollTimeout) -> Result<(), Broken> {
    match poll(polled, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// One end of a flow: ours to close, or the caller's.
#[derive(Debug)]
pub(super) enum Side<'a> {
    Owned(OwnedFd),
    Borrowed(BorrowedFd<'a>),
}

impl AsFd for Side<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Owned(fd) => fd.as_fd(),
            Self::Borrowed(fd) => *fd,
        }
    }
}

/// Bytes on their way from one descriptor to another.
#[derive(Debug)]
pub(super) struct Flow<'a> {
    sides: Option<(Side<'a>, Side<'a>)>,
    buffer: Vec<u8>,
    /// How much of the buffer is out already.
    out: usize,
    carried: u64,
}

impl<'a> Flow<'a> {
    pub(super) fn new(from: Side<'a>, to: Side<'a>) -> Self {
        Self { sides: Some((from, to)), buffer: Vec::new(), out: 0, carried: 0 }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sides.is_none()
    }

    pub(super) fn close(&mut self) {
        self.sides = None;
    }

    /// Takes what is there at this moment; if there is nothing, that was the end.
    fn drain(&mut self) {
        if self.buffer.is_empty() {
            self.step();
            if self.buffer.is_empty() {
                self.close();
            }
        }
    }

    /// What has to happen before [`Flow::step`] can do something.
    fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let (from, to) = self.sides.as_ref()?;
        Some(match self.buffer.is_empty() {
            true => (from.as_fd(), PollFlags::POLLIN),
            false => (to.as_fd(), PollFlags::POLLOUT),
        })
    }

    /// Reads or writes once. At the end of the one side, or when nobody reads the
    /// other, both are closed, which the command sees as it would outside.
    fn step(&mut self) {
        let Some((from, to)) = &self.sides else { return };
        if self.buffer.is_empty() {
            self.buffer.resize(BUFFER_BYTES, 0);
            let got = read(from, &mut self.buffer);
            self.buffer.truncate(got.unwrap_or(0));
            match got {
                Ok(0) => self.close(),
                Ok(more) => self.carried += more as u64,
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(_) => self.close(),
            }
            return;
        }
        let end = self.buffer.len().min(self.out + WRITE_BYTES);
        match write(to, &self.buffer[self.out..end]) {
            Ok(more) => self.out += more,
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => self.close(),
        }
        if self.out == self.buffer.len() {
            self.buffer.clear();
            self.out = 0;
        }
    }
}

/// The signals that are the command's business, held back from this process.
#[derive(Debug)]
pub(super) struct Signals(SignalFd);

impl Signals {
    pub(super) fn take_over() -> Result<Self, Broken> {
        let mut set = SigSet::empty();
        let ignored = ignored_signals();
        for signal in [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGQUIT,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
            Signal::SIGWINCH,
        ] {
            // Whoever started casefile with a signal ignored, as `nohup` does, meant it.
            if ignored & (1 << (signal as i32 - 1)) == 0 {
                set.add(signal);
            }
        }
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }
}

/// The signals that this process was started to ignore, a bit each.
#[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// What is said between this process, its caller and the command.
#[derive(Debug)]
pub(super) struct Talk<'a> {
    running: &'a Running,
    signals: &'a Signals,
    /// When a command that was told to end has had its time.
    deadline: Option<Instant>,
    pub(super) terminal: Option<OwnedFd>,
    pub(super) window_changed: bool,
    not_started: Option<Fault>,
    pub(super) done: Option<Done>,
    /// The caller wants to end, and there is no command left that could.
    given_up: bool,
}

impl<'a> Talk<'a> {
    pub(super) fn new(running: &'a Running, signals: &'a Signals) -> Self {
        Self {
            running,
            signals,
            deadline: None,
            terminal: None,
            window_changed: false,
            not_started: None,
            done: None,
            given_up: false,
        }
    }

    fn polled(&self) -> Vec<PollFd<'a>> {
        let mut polled = vec![PollFd::new(self.signals.0.as_fd(), PollFlags::POLLIN)];
        if self.done.is_none() {
            polled.push(PollFd::new(self.running.as_fd(), PollFlags::POLLIN));
        }
        polled
    }

    fn timeout(&self) -> PollTimeout {
        self.deadline.map_or(PollTimeout::NONE, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        })
    }

    /// Takes in what [`Talk::polled`] said is there.
    fn hear(&mut self, spoke: &[bool]) -> Result<(), Broken> {
        if spoke.first() == Some(&true) {
            self.pass_signals_on()?;
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.deadline = None;
            let _ = self.running.cancel();
        }
        if spoke.get(1) == Some(&true) {
            match self.running.news()? {
                News::Started(terminal) => self.terminal = terminal,
                News::NotStarted(fault) => self.not_started = Some(fault),
                News::Ended(end) => {
                    let fault = self.not_started.take();
                    self.done = Some(fault.map_or(Done::Ended(end), Done::NotStarted));
                }
            }
        }
        Ok(())
    }

    fn pass_signals_on(&mut self) -> Result<(), Broken> {
        while let Some(info) = self.signals.0.read_signal()? {
            let Ok(signal) = Signal::try_from(info.ssi_signo.cast_signed()) else { continue };
            if signal == Signal::SIGWINCH {
                self.window_changed = true;
                continue;
            }
            if self.done.is_some() {
                self.given_up = true;
                continue;
            }
            if matches!(signal, Signal::SIGTERM | Signal::SIGHUP) {
                self.deadline.get_or_insert_with(|| Instant::now() + GRACE);
            }
            // It may have ended in the meantime, which is news to come.
            let _ = self.running.signal(signal as i32);
        }
        Ok(())
    }
}
