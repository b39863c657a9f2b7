//! The warden: the process in a jail that starts commands, watches them and ends
//! them. It has one thread and one loop.
//!
//! It is the first process of the jail's pid namespace, so nothing in the jail
//! outlives it; and it ends when its host does, for then its socket says so. Its
//! host's death is thus the death of everything in the jail. Where there are no
//! namespaces it adopts what the jail leaves behind, and ends it by hand.
//!
//! It never reads what commands write: their streams go straight to the host.

mod strays;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, pipe2};

use super::command::{self, Go, REPORT_BYTES, Report};
use super::policy::Strength;
use super::stage::{At, Fault, Stage};
use super::stages::{self, Locks};
use super::sys::{self, Fork};
use super::watch::Watch;
use super::wire::{
    Channel, End, FromCommand, Passed, PassedLimit, Received, Spec, Status, ToCommand, ToWarden,
    WallKey,
};

/// A first process that waits for its command.
#[derive(Debug)]
struct Spare {
    first: Pid,
    channel: Channel,
    report: OwnedFd,
}

/// A command that was just started.
#[derive(Debug)]
struct Started {
    first: Pid,
    report: OwnedFd,
    wall: Option<Wall>,
}

impl Started {
    fn with(self, control: Channel) -> Running {
        let Self { first, report, wall } = self;
        Running { first, control, report, wall, passed: None, let_go: false }
    }
}

/// When a command has had its time, and the limit that says so.
#[derive(Debug)]
struct Wall {
    deadline: Instant,
    passed: Passed,
}

/// A command that runs, or the hands, which have all the time they want.
#[derive(Debug)]
struct Running {
    /// The first process of its namespace.
    first: Pid,
    control: Channel,
    report: OwnedFd,
    wall: Option<Wall>,
    /// The limit for which it is being ended.
    passed: Option<Passed>,
    /// Its host has nothing more to say.
    let_go: bool,
}

impl Running {
    fn is_hands(&self) -> bool {
        self.wall.is_none()
    }
}

pub(super) use strays::end_all;

/// How a warden without namespaces hears that its zygote died.
pub(super) const ZYGOTE_DIED: Signal = Signal::SIGTERM;

/// Serves the host until it is gone.
pub(super) fn serve(channel: &Channel, locks: &Locks, watch: Watch) -> io::Result<()> {
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    children.add(ZYGOTE_DIED);
    children.thread_block()?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let ended = SignalFd::with_flags(&children, flags)?;
    let mut warden = Warden { channel, locks, watch, running: Vec::new(), spare: None };
    let outcome = warden.work(&ended);
    if locks.strength == Strength::Landlock {
        // No namespace ends with this process and takes them along.
        warden.end_everything();
    }
    outcome
}

#[derive(Debug)]
struct Warden<'a> {
    channel: &'a Channel,
    locks: &'a Locks,
    watch: Watch,
    running: Vec<Running>,
    spare: Option<Spare>,
}

/// What there is to do.
#[derive(Debug)]
struct Ready {
    host: bool,
    child: bool,
    /// The commands whose host has something to say, by their first process.
    controls: Vec<Pid>,
}

impl Warden<'_> {
    /// The loop, until the host is gone.
    fn work(&mut self, ended: &SignalFd) -> io::Result<()> {
        self.prepare();
        loop {
            let ready = self.wait(ended)?;
            if ready.child {
                let signals = std::iter::from_fn(|| ended.read_signal().ok().flatten());
                let zygote_died = ZYGOTE_DIED as u32;
                // To the last, so that none is left to be read again.
                if signals.filter(|signal| signal.ssi_signo == zygote_died).count() != 0 {
                    return Ok(());
                }
                self.collect();
            }
            for at in ready.controls {
                self.obey(at);
            }
            self.enforce();
            if ready.host && !self.start_next()? {
                return Ok(());
            }
        }
    }

    fn wait(&self, ended: &SignalFd) -> io::Result<Ready> {
        let mut polled: Vec<_> = [self.channel.as_fd(), ended.as_fd()]
            .into_iter()
            .chain(self.heard().map(|command| command.control.as_fd()))
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let now = Instant::now();
        // One that is being ended already has no deadline any more.
        let running = self.running.iter().filter(|command| command.passed.is_none());
        let deadlines = running.filter_map(|command| Some(command.wall.as_ref()?.deadline));
        let next = deadlines.chain(self.watch.next()).min();
        // Rounded up, so that the loop does not spin in the last millisecond.
        let timeout = next.map_or(PollTimeout::NONE, |next| {
            let wait = next.saturating_duration_since(now) + Duration::from_micros(999);
            PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let spoke = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        let controls = self
            .heard()
            .zip(&polled[2..])
            .filter(|(_, fd)| spoke(fd))
            .map(|(command, _)| command.first);
        Ok(Ready {
            host: spoke(&polled[0]),
            child: spoke(&polled[1]),
            controls: controls.collect(),
        })
    }

    /// The commands whose host may still say something.
    fn heard(&self) -> impl Iterator<Item = &Running> {
        self.running.iter().filter(|command| !command.let_go)
    }

    /// Starts what the host asks for. `false` once the host is gone.
    fn start_next(&mut self) -> io::Result<bool> {
        let Some(Received { message, descriptors }) = self.channel.receive()? else {
            return Ok(false);
        };
        let mut descriptors = descriptors.into_iter();
        let Some(control) = descriptors.next().map(Channel::of) else { return Ok(true) };
        let descriptors = descriptors.collect();
        let started = match message {
            ToWarden::Start(spec) => self.start(spec, &control, descriptors),
            ToWarden::Hands => self.start_hands(&control, &descriptors),
        };
        match started {
            Ok(started) => {
                let running = started.with(control);
                if !running.is_hands() {
                    self.watch.began();
                }
                self.running.push(running);
            }
            Err(fault) => drop(control.send(&FromCommand::NotStarted(fault), &[])),
        }
        self.prepare();
        Ok(true)
    }

    fn start(
        &mut self,
        spec: Spec,
        control: &Channel,
        streams: Vec<OwnedFd>,
    ) -> Result<Started, Fault> {
        let (streams, master) = match spec.terminal {
            Some(size) => {
                let (master, streams) = make_terminal(size).at(Stage::Terminal, "making one")?;
                (streams, Some(master))
            }
            None => (streams, None),
        };
        let (wall_ms, wall_key) = (spec.wall_ms, spec.wall_key);
        let spare = self.go(&Go::Program(spec), control, &streams)?;
        // The host may already be gone; its end says so at the next poll.
        let along: Vec<_> = master.iter().map(AsFd::as_fd).collect();
        let _ = control.send(&FromCommand::Started, &along);
        let wall = match wall_key {
            WallKey::Wall => PassedLimit::Wall,
            WallKey::Session => PassedLimit::Session,
        };
        let wall = Wall {
            deadline: Instant::now() + Duration::from_millis(wall_ms),
            passed: Passed { limit: wall, value: wall_ms / 1000 },
        };
        Ok(Started { first: spare.first, report: spare.report, wall: Some(wall) })
    }

    fn start_hands(&mut self, control: &Channel, along: &[OwnedFd]) -> Result<Started, Fault> {
        let spare = self.go(&Go::Hands, control, along)?;
        Ok(Started { first: spare.first, report: spare.report, wall: None })
    }

    /// Tells a first process what it is to be.
    fn go(&mut self, go: &Go, control: &Channel, along: &[OwnedFd]) -> Result<Spare, Fault> {
        let spare = match self.spare.take() {
            Some(spare) => spare,
            None => self.fork_first()?,
        };
        let along: Vec<_> =
            [control.as_fd()].into_iter().chain(along.iter().map(AsFd::as_fd)).collect();
        let sent = spare.channel.send(go, &along);
        sent.at(Stage::CommandNamespaces, "reaching its first process")?;
        Ok(spare)
    }

    /// Has a first process ready before the next command is asked for.
    fn prepare(&mut self) {
        if self.spare.is_none() {
            // What is wrong will be told when a command needs one.
            self.spare = self.fork_first().ok();
        }
    }

    fn fork_first(&self) -> Result<Spare, Fault> {
        let stage = Stage::CommandNamespaces;
        let (read, write) = pipe2(OFlag::O_CLOEXEC).at(stage, "making a pipe")?;
        let (channel, theirs) = Channel::pair().at(stage, "making a socket")?;
        let namespaces = match self.locks.strength {
            Strength::Namespaces => libc::CLONE_NEWPID | libc::CLONE_NEWNS,
            Strength::Landlock => 0,
        };
        match sys::fork(namespaces).at(stage, "making them")? {
            Fork::Parent(first) => Ok(Spare { first, channel, report: read }),
            Fork::Child => command::first(self.locks, &theirs, &write),
        }
    }

    /// Does what a command's host asks; a host that let go has cancelled it.
    fn obey(&mut self, first: Pid) {
        let end = stages::end_of_first(self.locks.strength);
        let found = self.running.iter_mut().find(|command| command.first == first);
        let Some(command) = found else {
            return;
        };
        let signal = match command.control.receive() {
            Ok(Some(Received { message: ToCommand::Signal(number), .. })) => {
                // Held back by the first process, which passes it on.
                Signal::try_from(number).ok()
            }
            Ok(Some(Received { message: ToCommand::Wrote, .. })) => {
                self.watch.wrote();
                None
            }
            Ok(Some(Received { message: ToCommand::Cancel, .. })) => Some(end),
            Ok(None) | Err(_) => {
                command.let_go = true;
                Some(end)
            }
        };
        if let Some(signal) = signal {
            // It may have ended in the meantime, which the loop will see.
            let _ = kill(first, signal);
        }
    }

    /// Ends the commands that passed a limit.
    fn enforce(&mut self) {
        let now = Instant::now();
        let firsts: Vec<_> = self.running.iter().map(|command| command.first).collect();
        let passed = self.watch.look(now, &firsts);
        for command in &mut self.running {
            if command.passed.is_some() {
                continue;
            }
            let wall = command.wall.as_ref().filter(|wall| wall.deadline <= now);
            let late = wall.map(|wall| wall.passed);
            let over = passed.iter().find(|(first, limit)| {
                // Of time, hands use what all their requests together take.
                *first == command.first && !(command.is_hands() && limit.limit == PassedLimit::Cpu)
            });
            if let Some(limit) = over.map(|(_, limit)| *limit).or(late) {
                command.passed = Some(limit);
                let _ = kill(command.first, stages::end_of_first(self.locks.strength));
            }
        }
    }

    /// Collects the first processes that ended, and tells of them when all that
    /// they had left has ended too.
    fn collect(&mut self) {
        let mut ended = self.collect_ended();
        if self.locks.strength == Strength::Landlock && !ended.is_empty() {
            ended.extend(self.end_strays());
        }
        for command in ended {
            let counted = self.watch.ended(command.first, !command.is_hands());
            let report = read_report(&command.report);
            let status = report.map_or(Status::Killed(KILLED), |report| report.status);
            let passed = command.passed.or_else(|| self.watch.explain(status));
            let cpu_ms = report.map_or(counted, |report| report.cpu_ms);
            // A host that is gone does not care.
            let _ = command.control.send(&FromCommand::Ended(End { status, passed, cpu_ms }), &[]);
        }
    }

    /// The commands whose first process ended, taken out of those that run. In a
    /// pid namespace the kernel has by then ended all that it had left.
    fn collect_ended(&mut self) -> Vec<Running> {
        let mut ended = Vec::new();
        while let Ok(Some((pid, died))) = sys::collect_child() {
            self.watch.measured(pid, died);
            if self.spare.as_ref().is_some_and(|spare| spare.first == pid) {
                self.spare = None;
            }
            let at = self.running.iter().position(|command| command.first == pid);
            ended.extend(at.map(|at| self.running.swap_remove(at)));
        }
        ended
    }
}

const KILLED: u8 = 9;

fn read_report(report: &OwnedFd) -> Option<Report> {
    let mut bytes = [0; REPORT_BYTES];
    File::from(report.try_clone().ok()?).read_exact(&mut bytes).ok()?;
    Some(Report::read(bytes))
}

/// A terminal of the jail: the host's end, and the command's, three times.
fn make_terminal((rows, columns): (u16, u16)) -> io::Result<(OwnedFd, Vec<OwnedFd>)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let one = open(ptsname_r(&master)?.as_str(), flags, Mode::empty())?;
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    sys::set_window_size(one.as_fd(), size)?;
    Ok((sys::adopt(master.into_raw_fd()), vec![one.try_clone()?, one.try_clone()?, one]))
}
