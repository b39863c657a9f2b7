//! The text of a file: its bytes, and what the first of them say about the rest.

use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::sys::uio::pread;

use super::here::Here;
use crate::jail::hands::wire::{Facts, Kind};

/// Reads into what is free of the buffer. Says how much of it is filled then, and
/// whether the file ends there.
pub(super) fn fill(
    here: &mut Here,
    buffer: &mut [u8],
    mut filled: usize,
) -> Result<(usize, bool), Errno> {
    loop {
        let at = here.next + filled as u64;
        let room = match here.end {
            Some(end) => usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let free = &mut buffer[filled..];
        if room == 0 {
            return Ok((filled, true));
        }
        if free.is_empty() {
            if here.end.is_none() {
                let facts = Facts::of(&fstat(&here.file)?);
                if facts.kind != Kind::File {
                    return Ok((0, true));
                }
                here.end = Some(facts.size.max(at));
                continue;
            }
            return Ok((filled, false));
        }
        let most = free.len().min(room);
        match pread(&here.file, &mut free[..most], i64::try_from(at).unwrap_or(i64::MAX)) {
            Ok(0) => return Ok((filled, true)),
            Ok(more) => {
                filled += more;
                if more < most && here.short_is_end {
                    return Ok((filled, true));
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// How long the mark of UTF-8 is at the beginning.
pub(super) fn mark(text: &[u8]) -> usize {
    if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}

/// Whether the mark at the beginning is that of UTF-16, and if so whether the higher
/// byte comes first.
pub(super) fn utf16(head: &[u8]) -> Option<bool> {
    match head {
        [0xff, 0xfe, ..] => Some(false),
        [0xfe, 0xff, ..] => Some(true),
        _ => None,
    }
}

pub(super) fn in_utf8(text: &[u8], big: bool) -> Vec<u8> {
    let units = text.chunks_exact(2).map(|two| match big {
        true => u16::from_be_bytes([two[0], two[1]]),
        false => u16::from_le_bytes([two[0], two[1]]),
    });
    let chars = char::decode_utf16(units);
    chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into_bytes()
}
