//! The host's side: starting the zygote, opening jails, running commands in them.
//!
//! Every handle is a socket, and letting go of it is the way to end what it
//! stands for: a [`Running`] its command, a [`Jail`] all its commands, the
//! [`Zygote`] every jail. So nothing outlives the process that asked for it,
//! however that process ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::error::JailError;
use super::hands::Hands;
use super::plan::Plan;
use super::stage::{Fault, Stage};
use super::wire::{
    Channel, End, FromCommand, FromWarden, Means, Spec, ToCommand, ToWarden, ToZygote,
};
use super::zygote;

/// How long a jail may take to say that it stands. A machine that swaps is slow;
/// one that needs longer is broken.
const OPEN_MAX: Duration = Duration::from_secs(20);

pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";

/// The small process from which jails are forked.
#[derive(Debug)]
pub struct Zygote {
    channel: Option<Channel>,
    process: Child,
}

impl Zygote {
    /// Starts it: this program anew, with nothing of this process in it. It works
    /// ahead, so that the next jail is quick to open.
    pub fn start() -> Result<Self, JailError> {
        Self::start_with(THIS_PROGRAM, &[])
    }

    /// The same out of another program that calls [`take_over`](super::take_over)
    /// first of all: for a host that does not.
    pub fn start_as(program: &Path) -> Result<Self, JailError> {
        Self::start_with(program, &[])
    }

    /// Starts it for a single jail, so that it makes nothing ahead of time.
    pub fn start_for_one() -> Result<Self, JailError> {
        Self::start_with(THIS_PROGRAM, &[zygote::FOR_ONE])
    }

    fn start_with(program: impl AsRef<Path>, args: &[&str]) -> Result<Self, JailError> {
        raise_descriptors();
        let (ours, theirs) = Channel::pair().map_err(JailError::Start)?;
        #[expect(clippy::disallowed_methods, reason = "this is where jails come from")]
        let process = Command::new(program.as_ref())
            .arg0(zygote::NAME)
            .args(args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs.into_fd()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(JailError::Start)?;
        Ok(Self { channel: Some(ours), process })
    }

    /// Opens a jail, and comes back when it stands.
    pub fn open(&self, plan: &Plan) -> Result<Jail, JailError> {
        let (channel, theirs) = Channel::pair().map_err(JailError::Start)?;
        let zygote = self.channel.as_ref().ok_or(JailError::Gone)?;
        zygote
            .send(&ToZygote::Open(plan.clone()), &[theirs.as_fd()])
            .map_err(|_| JailError::Gone)?;
        drop(theirs);
        Jail::behind(channel.into_fd())
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.channel = None;
        // It ends at once, and takes the jails with it.
        let _ = self.process.wait();
    }
}

/// An open jail.
#[derive(Debug)]
pub struct Jail {
    channel: Channel,
    means: Means,
}

/// The streams of a command, on the host's side of it.
#[derive(Debug)]
pub enum Streams<'a> {
    /// What becomes its standard input, output and error.
    Three([BorrowedFd<'a>; 3]),
    /// A terminal, if [`Spec::terminal`] asks for one; [`News::Started`] brings it.
    Terminal,
}

impl Jail {
    /// The jail whose warden has the other end of this socket, once it stands.
    /// Public for the fuzzer, which is a warden that lies.
    pub fn behind(socket: OwnedFd) -> Result<Self, JailError> {
        let channel = Channel::of(socket);
        if !readable(channel.as_fd(), OPEN_MAX).map_err(JailError::Start)? {
            let slow = io::Error::from_raw_os_error(libc::ETIMEDOUT);
            return Err(Fault::new(Stage::Zygote, &slow, "waiting for the jail").into());
        }
        match channel.receive_from_jail()?.map(|received| received.message) {
            Some(FromWarden::Ready { means }) => Ok(Self { channel, means }),
            Some(FromWarden::Failed(fault)) => Err(fault.into()),
            None => Err(JailError::Gone),
        }
    }

    /// Whether its warden is gone, and the jail with it.
    pub fn is_gone(&self) -> bool {
        let mut polled = [PollFd::new(self.channel.as_fd(), PollFlags::empty())];
        let polled_one = poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| 0 < ready);
        // Asked for or not, this is told.
        polled_one && polled[0].revents().is_some_and(|it| it.contains(PollFlags::POLLHUP))
    }

    /// By which means the limits are held that add up over the jail.
    pub fn means(&self) -> Means {
        self.means
    }

    /// Asks for a command to be started. Does not wait until it is.
    pub fn start(&self, spec: &Spec, streams: &Streams<'_>) -> Result<Running, JailError> {
        let (control, theirs) = Channel::pair().map_err(JailError::Start)?;
        let mut along = vec![theirs.as_fd()];
        if let Streams::Three(three) = streams {
            along.extend(three);
        }
        self.channel.send(&ToWarden::Start(spec.clone()), &along).map_err(|_| JailError::Gone)?;
        Ok(Running { control })
    }

    /// Asks for hands in this jail. Does not wait until they are there: what is
    /// wrong with them, the first request says.
    pub fn hands(&self) -> Result<Hands, JailError> {
        let (control, theirs) = Channel::pair().map_err(JailError::Start)?;
        let (requests, answers) = Channel::pair().map_err(JailError::Start)?;
        let along = [theirs.as_fd(), answers.as_fd()];
        self.channel.send(&ToWarden::Hands, &along).map_err(|_| JailError::Gone)?;
        Ok(Hands::new(requests, Running { control }))
    }
}

/// A command that was asked for.
#[derive(Debug)]
pub struct Running {
    control: Channel,
}

/// What a command's jail says of it, in this order, the first two at most once.
#[derive(Debug)]
pub enum News {
    /// Its processes exist. Comes with its terminal, if it has one.
    Started(Option<OwnedFd>),
    /// The program could not be started, for this reason.
    NotStarted(Fault),
    /// It is over, and all that it started is gone.
    Ended(End),
}

impl Running {
    /// The command of which the other end of this socket tells. Public for the
    /// fuzzer, which is a warden that lies.
    pub fn behind(socket: OwnedFd) -> Self {
        Self { control: Channel::of(socket) }
    }

    /// Waits for the next piece of news.
    pub fn news(&self) -> Result<News, JailError> {
        let received = self.control.receive_from_jail()?.ok_or(JailError::Gone)?;
        Ok(match received.message {
            FromCommand::Started => News::Started(received.descriptors.into_iter().next()),
            FromCommand::NotStarted(fault) => News::NotStarted(fault),
            FromCommand::Ended(end) => News::Ended(end),
        })
    }

    /// Waits for the end. A program that could not be started is an error.
    pub fn wait(&self) -> Result<End, JailError> {
        let mut fault = None;
        loop {
            match self.news()? {
                News::Started(_) => {}
                // Its first process is about to end; better to know it gone.
                News::NotStarted(why) => fault = Some(why),
                News::Ended(end) => return fault.map_or(Ok(end), |fault| Err(fault.into())),
            }
        }
    }

    /// Passes a signal on to the command.
    pub fn signal(&self, number: i32) -> Result<(), JailError> {
        self.control.send(&ToCommand::Signal(number), &[]).map_err(|_| JailError::Gone)
    }

    /// Ends the command and all that it started. Its end is still told.
    pub fn cancel(&self) -> Result<(), JailError> {
        self.control.send(&ToCommand::Cancel, &[]).map_err(|_| JailError::Gone)
    }

    /// Tells the warden that these hands have written something.
    pub(super) fn wrote(&self) -> Result<(), JailError> {
        self.control.send(&ToCommand::Wrote, &[]).map_err(|_| JailError::Gone)
    }
}

impl AsFd for Running {
    /// Readable when there is news.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}

/// Takes as many descriptors as this process may have. A jail can leave some on
/// their way for good, which count for its user; what is allowed for one process
/// has to be more than a jail may have, or nobody of that user can send any.
fn raise_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it is refused, things are as they were.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Whether there is something to read on `fd`, waiting for it a while.
pub(super) fn readable(fd: BorrowedFd<'_>, within: Duration) -> io::Result<bool> {
    let timeout = PollTimeout::try_from(within).unwrap_or(PollTimeout::MAX);
    loop {
        match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            ready => return Ok(ready? == 1),
        }
    }
}
