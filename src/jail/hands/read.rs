//! Reading a part of a file.
//!
//! By its offset, and never mapped: a file that gets shorter meanwhile is then a
//! shorter answer, and not a signal. How large a file claims to be costs nothing.

use nix::errno::Errno;
use nix::sys::uio::pread;

use super::error::Refusal;
use super::path::open_file;
use super::wire::{Bytes, CHUNK_BYTES_MAX, Chunk};

pub(super) fn read(path: &[u8], offset: u64, max: u64) -> Result<Chunk, Refusal> {
    let (file, facts) = open_file(path)?;
    let max = usize::try_from(max).unwrap_or(CHUNK_BYTES_MAX).min(CHUNK_BYTES_MAX);
    let mut bytes = vec![0; max];
    let (mut filled, mut at_end) = (0, false);
    loop {
        let next = offset.saturating_add(filled as u64);
        // Spares a question that would be answered with nothing. What the kernel
        // makes up has no size, and must be asked.
        at_end |= OFFSET_MAX < next || (0 < facts.size && facts.size <= next);
        if at_end || filled == max {
            break;
        }
        match pread(&file, &mut bytes[filled..], i64::try_from(next).unwrap_or(i64::MAX)) {
            Ok(0) => at_end = true,
            Ok(more) => filled += more,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    bytes.truncate(filled);
    Ok(Chunk { bytes: Bytes(bytes), at_end, facts })
}

/// No file reaches so far, and the kernel takes no number much above.
const OFFSET_MAX: u64 = i64::MAX.unsigned_abs() - CHUNK_BYTES_MAX as u64;
