//! What the host and the processes of a jail say to each other, and how.
//!
//! ```text
//! host ── Open(plan) ───────────► zygote            forks a warden
//! host ◄─ Ready | Failed ──────── warden            on the warden's socket
//! host ── Start + descriptors ──► warden
//! host ◄─ Started | NotStarted, then Ended ── warden   on the command's socket
//! host ── Signal, Cancel ───────► warden               on the command's socket
//! ```
//!
//! What the host asks the jail's hands is in [`hands::wire`](super::hands::wire).
//!
//! A message is one packet of a `SOCK_SEQPACKET` socket, so there is no framing
//! to get wrong. Every command has a socket of its own: answers cannot be mixed
//! up, and a host that drops its end has cancelled the command.
//!
//! **A jail may lie.** The host reads at most [`FROM_JAIL_BYTES_MAX`], decodes
//! into types that own no more than they were sent, and drops descriptors that
//! it did not expect.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::sched_yield;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::stage::Fault;
use super::sys;
use crate::config::limits::Limit;

/// How long it is worth to stay awake for a message: an idle processor takes about as
/// long to wake up, and then the first thing it does is late.
pub(super) const SOON: Duration = Duration::from_micros(60);

/// The most that the host reads of one message out of a jail.
pub const FROM_JAIL_BYTES_MAX: usize = 16 * 1024;
/// The most that the host sends in one message, which is above the kernel's own
/// limit on the arguments of a program.
const TO_JAIL_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A packet above this goes as a file, since a socket's buffer bounds a packet.
const PACKET_BYTES_MAX: usize = 16 * 1024;
/// The most that the kernel lets one message carry, which has to do for the trees
/// of a plan. There is room for all of them whoever sends: of more than fit, some
/// would be open here, and nobody could close them.
const DESCRIPTORS_MAX: usize = 253;

/// Host to zygote. Comes with the warden's end of its socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToZygote {
    Open(Plan),
}

/// Warden to host, once.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromWarden {
    /// The jail stands as planned, and its limits are held by these means.
    Ready { means: Means },
    /// It could not be built.
    Failed(Fault),
}

/// Host to warden.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToWarden {
    /// Comes with the command's socket and, unless it has a terminal, its streams.
    Start(Spec),
    /// Comes with a socket as a command has, and the one for requests.
    Hands,
}

/// A command to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The program, by name or path, and its arguments.
    pub args: Vec<Vec<u8>>,
    /// `NAME=value`, the whole environment.
    pub env: Vec<Vec<u8>>,
    /// Where it starts, in the jail.
    pub cwd: Vec<u8>,
    /// Give it a terminal of the jail's own, with so many rows and columns.
    pub terminal: Option<(u16, u16)>,
    /// How long it may take.
    pub wall_ms: u64,
    /// Which limit `wall_ms` comes from, for the message.
    pub wall_key: WallKey,
}

/// Whether the time of a command or that of a session on a terminal is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WallKey {
    Wall,
    Session,
}

/// Host to warden, on a command's socket.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToCommand {
    /// Pass this signal on to the command.
    Signal(i32),
    /// End the command and all that it started, now.
    Cancel,
    /// These hands have written, so look at the disk.
    Wrote,
}

/// Warden to host, on a command's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCommand {
    /// It runs. Comes with its terminal, if one was asked for.
    Started,
    NotStarted(Fault),
    /// It and all it started are gone.
    Ended(End),
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub status: Status,
    /// The limit that ended it.
    pub passed: Option<Passed>,
    /// Processor time of it and all it started.
    pub cpu_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Exited(u8),
    Killed(u8),
}

/// A limit that was passed, and its value in the unit of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    pub limit: PassedLimit,
    pub value: u64,
}

/// The limits whose passing ends a command. The others make a call fail in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PassedLimit {
    Memory,
    Processes,
    Cpu,
    Wall,
    Session,
    File,
    Disk,
    Output,
}

impl PassedLimit {
    pub fn limit(self) -> Limit {
        match self {
            Self::Memory => Limit::Memory,
            Self::Processes => Limit::Processes,
            Self::Cpu => Limit::Cpu,
            Self::Wall => Limit::Wall,
            Self::Session => Limit::Session,
            Self::File => Limit::File,
            Self::Disk => Limit::Disk,
            Self::Output => Limit::Output,
        }
    }
}

/// By which means the limits that add up over a jail are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Means {
    /// A cgroup of version 2, delegated to this user.
    CgroupV2,
    /// Cgroups of version 1.
    CgroupV1,
    /// Limits of each process, and a watch on the sum over the tree.
    RlimitsAndWatch,
}

impl Means {
    /// What holds a jail to this limit, in words.
    pub fn of(self, limit: Limit) -> &'static str {
        match limit {
            Limit::Memory | Limit::Processes => match self {
                Self::CgroupV2 => "cgroup v2",
                Self::CgroupV1 => "cgroup v1",
                Self::RlimitsAndWatch => "rlimit and a watch on the sum",
            },
            Limit::Cpu => "rlimit and a watch on the sum",
            Limit::Wall | Limit::Session => "the warden's clock",
            Limit::OpenFiles | Limit::File => "rlimit",
            Limit::Disk => "a watch on the disk",
            Limit::Scratch => "the size of the filesystem",
            Limit::Output | Limit::Outputs => "a count of the bytes",
            Limit::Shown => "a count of the characters",
        }
    }
}

/// One end of a socket that carries whole messages.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

/// What came in, with the descriptors that came along.
#[derive(Debug)]
pub(super) struct Received<T> {
    pub(super) message: T,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Channel {
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self(one), Self(other)))
    }

    pub(super) fn of(fd: OwnedFd) -> Self {
        Self(fd)
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.0
    }

    pub(super) fn send(
        &self,
        message: &impl Serialize,
        along: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let body = postcard::to_stdvec(message).map_err(io::Error::other)?;
        if body.len() <= PACKET_BYTES_MAX {
            return self.send_packet(&[0], &body, along);
        }
        let mut file = File::from(memfd_create(c"message", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(&body)?;
        file.rewind()?;
        let along: Vec<_> = [file.as_fd()].into_iter().chain(along.iter().copied()).collect();
        self.send_packet(&[1], &[], &along)
    }

    fn send_packet(&self, head: &[u8], body: &[u8], along: &[BorrowedFd<'_>]) -> io::Result<()> {
        let numbers: Vec<_> = along.iter().map(AsRawFd::as_raw_fd).collect();
        let control = [ControlMessage::ScmRights(&numbers)];
        let control = if numbers.is_empty() { &[] } else { &control[..] };
        let parts = [IoSlice::new(head), IoSlice::new(body)];
        loop {
            // The other side may be gone; that is an error to return, not a signal.
            match sendmsg::<()>(self.0.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Sends a message of at most `bytes_max` as one packet, whatever its size: for
    /// a receiver who takes no file in its place.
    pub(super) fn send_whole(&self, message: &impl Serialize, bytes_max: usize) -> io::Result<()> {
        let body = postcard::to_stdvec(message).map_err(io::Error::other)?;
        // The byte before it counts.
        if bytes_max <= body.len() {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        self.send_packet(&[0], &body, &[])
    }

    /// Looks for a message without sleeping, for as long as it takes to wake a processor
    /// that slept, and says whether one came. Whoever else wants to run goes first.
    pub(super) fn comes_within(&self, soon: Duration) -> bool {
        let began = Instant::now();
        let mut looked = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        while began.elapsed() < soon {
            // What an error means is told by whoever reads.
            if poll(&mut looked, PollTimeout::ZERO) != Ok(0) {
                return true;
            }
            let _ = sched_yield();
        }
        false
    }

    /// The next message of one who is trusted, or `None` once the other side is gone.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<Received<T>>> {
        let mut buffer = vec![0; PACKET_BYTES_MAX + 1];
        let Some((length, mut descriptors)) = self.receive_packet(&mut buffer)? else {
            return Ok(None);
        };
        let message = match buffer[..length].split_first() {
            Some((0, body)) => decode(body)?,
            Some((1, [])) if !descriptors.is_empty() => {
                let mut body = Vec::new();
                let file = File::from(descriptors.remove(0));
                file.take(TO_JAIL_BYTES_MAX).read_to_end(&mut body)?;
                decode(&body)?
            }
            _ => return Err(garbage()),
        };
        Ok(Some(Received { message, descriptors }))
    }

    /// The next message of one who is not: nothing large, and no file in its place.
    pub(super) fn receive_from_jail<T: DeserializeOwned>(&self) -> io::Result<Option<Received<T>>> {
        self.receive_from_jail_up_to(FROM_JAIL_BYTES_MAX)
    }

    /// The same with a bound of its own.
    pub(super) fn receive_from_jail_up_to<T: DeserializeOwned>(
        &self,
        bytes_max: usize,
    ) -> io::Result<Option<Received<T>>> {
        let mut buffer = vec![0; bytes_max];
        let Some((length, descriptors)) = self.receive_packet(&mut buffer)? else {
            return Ok(None);
        };
        Ok(Some(Received { message: decode_from_jail(&buffer[..length])?, descriptors }))
    }

    fn receive_packet(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
        let mut control = cmsg_space!([std::os::fd::RawFd; DESCRIPTORS_MAX]);
        let fd = self.0.as_raw_fd();
        let mut parts = [IoSliceMut::new(buffer)];
        let received = loop {
            match recvmsg::<()>(fd, &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC) {
                // The other side is gone and had not read all; what it said before that
                // is still to come, and is told now that the error is.
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                Err(errno) => return Err(errno.into()),
                Ok(received) => break received,
            }
        };
        let mut descriptors = Vec::new();
        // Adopted before anything can go wrong, so that none is left open.
        for message in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = message {
                descriptors.extend(numbers.into_iter().map(sys::adopt));
            }
        }
        let cut = received.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
        match received.bytes {
            _ if cut => Err(garbage()),
            0 => Ok(None),
            length => Ok(Some((length, descriptors))),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A message out of a jail. Public for the fuzzer, which feeds it anything.
pub fn decode_from_jail<T: DeserializeOwned>(packet: &[u8]) -> io::Result<T> {
    match packet.split_first() {
        Some((0, body)) => decode(body),
        _ => Err(garbage()),
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(garbage()),
    }
}

pub(super) fn garbage() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message that makes no sense")
}
