//! A command in the jail, from its start to its end: what it prints goes where the
//! caller says as it comes, until it is over, is stopped, or has printed too much.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe2, read};

use super::{Stop, ToolError};
use crate::disk;
use crate::jail::wire::{End, Passed, PassedLimit, Spec};
use crate::jail::{Fault, Jail, JailError, News, Running, Streams, give_pipe_to_jail};
use crate::outputs::Stream;

/// How much is read at once.
const BUFFER_BYTES: usize = 64 * 1024;
/// What a pipe may hold, unless root made it larger.
const PIPE_BYTES_MAX: u64 = 1024 * 1024;
/// How long the end of a command may take that was told to end.
const GRACE: Duration = Duration::from_secs(5);

/// How a command came out.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) came: Came,
    pub(super) took: Duration,
    /// The caller did not want it any more.
    pub(super) is_stopped: bool,
}

#[derive(Debug)]
pub(super) enum Came {
    Ended(End),
    NotStarted(Fault),
}

/// What it may print, in the unit of the limit.
const BYTES_A_MIB: u64 = 1024 * 1024;

/// Runs a command, and gives what it prints to `pour`.
pub(super) fn run(
    jail: &Jail,
    spec: &Spec,
    output_mib_max: u64,
    stop: &Stop,
    pour: impl FnMut(Stream, &[u8]),
) -> Result<Ran, ToolError> {
    run_with(jail, spec, &disk::nothing()?, output_mib_max, stop, pour)
}

/// The same, with something for it to read: a file of the host's own.
pub(super) fn run_with(
    jail: &Jail,
    spec: &Spec,
    stdin: &impl AsFd,
    output_mib_max: u64,
    stop: &Stop,
    mut pour: impl FnMut(Stream, &[u8]),
) -> Result<Ran, ToolError> {
    let began = Instant::now();
    let broke = |errno: Errno| ToolError::Streams(errno.into());
    let (from_out, stdout) = pipe2(OFlag::O_CLOEXEC).map_err(broke)?;
    let (from_err, stderr) = pipe2(OFlag::O_CLOEXEC).map_err(broke)?;
    let three = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    three[1..].iter().try_for_each(|pipe| give_pipe_to_jail(*pipe)).map_err(ToolError::Streams)?;
    // Before there is a command that would have to be ended without it.
    let stop = stop.event().map_err(ToolError::Streams)?;
    let running = jail.start(spec, &Streams::Three(three))?;
    drop((stdout, stderr));
    for ours in [&from_out, &from_err] {
        fcntl(ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(broke)?;
    }
    let mut following = Following {
        pipes: [(Stream::Out, Some(from_out)), (Stream::Err, Some(from_err))],
        buffer: vec![0; BUFFER_BYTES],
        printed: 0,
        fault: None,
        deadline: None,
    };
    let (mut is_stopped, mut over) = (false, None);
    let came = loop {
        let heard = following.wait(&running, stop, is_stopped)?;
        following.take(&mut pour);
        if over.is_none() && output_mib_max.saturating_mul(BYTES_A_MIB) < following.printed {
            over = Some(Passed { limit: PassedLimit::Output, value: output_mib_max });
            following.end(&running);
            following.pipes.iter_mut().for_each(|(_, pipe)| *pipe = None);
        }
        if heard.is_stop && !is_stopped {
            is_stopped = true;
            following.end(&running);
        }
        if heard.is_news
            && let Some(came) = following.hear(&running)?
        {
            break came;
        }
    };
    // What is still in the pipes is let out, and no more: another command of this jail
    // may hold their other ends, and write into them for ever.
    let most = following.printed.saturating_add(2 * PIPE_BYTES_MAX);
    while following.printed < most && following.take(&mut pour) {}
    let came = match (came, over) {
        (Came::Ended(end), Some(_)) => Came::Ended(End { passed: end.passed.or(over), ..end }),
        (came, _) => came,
    };
    Ok(Ran { came, took: began.elapsed(), is_stopped })
}

struct Following {
    pipes: [(Stream, Option<OwnedFd>); 2],
    buffer: Vec<u8>,
    printed: u64,
    fault: Option<Fault>,
    /// When a command that was told to end has had its time.
    deadline: Option<Instant>,
}

/// What there was to hear.
struct Heard {
    is_news: bool,
    is_stop: bool,
}

impl Following {
    fn wait(
        &self,
        running: &Running,
        stop: BorrowedFd<'_>,
        is_stopped: bool,
    ) -> Result<Heard, ToolError> {
        let mut polled = vec![PollFd::new(running.as_fd(), PollFlags::POLLIN)];
        // Stopped once is enough, and its descriptor stays readable.
        let wanted = if is_stopped { PollFlags::empty() } else { PollFlags::POLLIN };
        polled.push(PollFd::new(stop, wanted));
        let pipes = self.pipes.iter().filter_map(|(_, pipe)| pipe.as_ref());
        polled.extend(pipes.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        let timeout = match self.deadline {
            None => PollTimeout::NONE,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(JailError::Gone.into());
                }
                PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
            }
        };
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(ToolError::Streams(errno.into())),
        }
        let spoke = |at: usize| polled.get(at).and_then(PollFd::any).unwrap_or(false);
        Ok(Heard { is_news: spoke(0), is_stop: spoke(1) })
    }

    /// Reads once from each pipe. Says whether there was anything.
    fn take(&mut self, pour: &mut impl FnMut(Stream, &[u8])) -> bool {
        let mut any = false;
        for (stream, pipe) in &mut self.pipes {
            let Some(from) = pipe else { continue };
            match read(&*from, &mut self.buffer) {
                Ok(0) => *pipe = None,
                Ok(more) => {
                    self.printed += more as u64;
                    any = true;
                    pour(*stream, &self.buffer[..more]);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => *pipe = None,
            }
        }
        any
    }

    /// Tells it to end, which it may have done by itself in the meantime.
    fn end(&mut self, running: &Running) {
        let _ = running.cancel();
        self.deadline.get_or_insert_with(|| Instant::now() + GRACE);
    }

    fn hear(&mut self, running: &Running) -> Result<Option<Came>, ToolError> {
        match running.news()? {
            News::Started(_) => {}
            // Its first process is about to end; better to know it gone.
            News::NotStarted(fault) => self.fault = Some(fault),
            News::Ended(end) => {
                return Ok(Some(self.fault.take().map_or(Came::Ended(end), Came::NotStarted)));
            }
        }
        Ok(None)
    }
}

/// A broken stream, as an error of the tool.
impl From<disk::DiskError> for ToolError {
    fn from(error: disk::DiskError) -> Self {
        match error {
            disk::DiskError::Io { source, .. } => Self::Streams(source),
            error => Self::Streams(io::Error::other(error)),
        }
    }
}
