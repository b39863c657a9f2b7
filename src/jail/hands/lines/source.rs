//! Bytes at an offset: of an open file, or of text that was made out of one.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::uio::pread;
use nix::unistd::{Whence, lseek};

/// Where lines are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// Never mapped: a file that gets shorter meanwhile is then a shorter answer,
    /// and not a signal.
    File {
        file: &'a OwnedFd,
        size: u64,
    },
    Memory(&'a [u8]),
}

impl Source<'_> {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes from `at` on, at most `max`, and fewer only where they end. Those of
    /// a file are read into `buffer`.
    pub(super) fn view<'a>(
        &'a self,
        at: u64,
        max: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Errno> {
        let left = usize::try_from(self.size().saturating_sub(at)).unwrap_or(usize::MAX);
        let max = max.min(left);
        let (file, offset) = match self {
            Self::Memory(_) if max == 0 => return Ok(&[]),
            Self::Memory(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                return Ok(&bytes[at..][..max]);
            }
            Self::File { file, .. } => (file, i64::try_from(at).map_err(|_| Errno::EOVERFLOW)?),
        };
        if buffer.len() < max {
            buffer.resize(max, 0);
        }
        let mut filled = 0;
        while filled < max {
            match pread(
                file,
                &mut buffer[filled..max],
                offset.saturating_add_unsigned(filled as u64),
            ) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(&buffer[..filled])
    }

    /// Where the next bytes are that were ever written, if nothing was at `at`. A hole
    /// of a terabyte has no line's end in it, and need not be read to know that.
    pub(super) fn after_hole(&self, at: u64) -> Option<u64> {
        let Self::File { file, size } = self else { return None };
        let offset = i64::try_from(at).ok()?;
        let data = match lseek(file, offset, Whence::SeekData) {
            Ok(data) => u64::try_from(data).ok()?.min(*size),
            Err(Errno::ENXIO) => *size,
            Err(_) => return None,
        };
        (at < data).then_some(data)
    }
}
