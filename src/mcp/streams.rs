//! Standard input and output as streams that nobody's thread waits for, whatever they are:
//! pipes, or the sockets that programs on Node hand over.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{AddressFamily, SockType, SockaddrLike, SockaddrStorage};
use nix::sys::socket::{getsockname, getsockopt, sockopt};
use rmcp::transport::io::stdio_pipes;
use tokio::io::{AsyncRead, AsyncWrite};

pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Holds what was changed in the streams, and puts it back.
///
/// Whether a read waits belongs to the stream and not to who reads, so it would stay with
/// whoever reads there afterwards.
pub(super) struct Kept(Vec<UnixStream>);

impl Drop for Kept {
    fn drop(&mut self) {
        for stream in &self.0 {
            let _ = stream.set_nonblocking(false);
        }
    }
}

/// Standard input and output, for as long as the last of the three is held.
pub(super) fn standard() -> io::Result<(Reader, Writer, Kept)> {
    let both = (socket(io::stdin().as_fd()), socket(io::stdout().as_fd()));
    let (Some(read), Some(write)) = both else {
        let (read, write) = stdio_pipes();
        return Ok((Box::new(read), Box::new(write), Kept(Vec::new())));
    };
    let kept = Kept(vec![read.try_clone()?, write.try_clone()?]);
    read.set_nonblocking(true)?;
    write.set_nonblocking(true)?;
    let read = tokio::net::UnixStream::from_std(read)?;
    let write = tokio::net::UnixStream::from_std(write)?;
    Ok((Box::new(read), Box::new(write), kept))
}

/// A stream that is a socket of this machine.
fn socket(stream: BorrowedFd) -> Option<UnixStream> {
    let name: SockaddrStorage = getsockname(stream.as_raw_fd()).ok()?;
    let is_unix = name.family() == Some(AddressFamily::Unix);
    let is_stream = getsockopt(&stream, sockopt::SockType).ok()? == SockType::Stream;
    (is_unix && is_stream).then(|| stream.try_clone_to_owned().ok())?.map(UnixStream::from)
}
