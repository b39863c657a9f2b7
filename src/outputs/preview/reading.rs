//! Going through an output once, in bounded memory and a bounded time.

use std::borrow::Cow;
use std::io::{self, Read, SeekFrom};
use std::time::{Duration, Instant};

use memchr::memchr;

use super::Source;
use super::page::size;

/// No more than this is looked at, nor longer.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(2);

const BLOCK_BYTES: usize = 256 * 1024;

/// Of a longer line only so much is given.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// How much of an output was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) bytes: u64,
    pub(super) whole: bool,
}

impl Part {
    /// What has to be said of figures that are only about a part.
    pub(super) fn note(self) -> Option<String> {
        (!self.whole).then(|| format!("[figures are of the first {} alone]", size(self.bytes)))
    }
}

/// Gives one block after the other, until there is no more, it has taken too long, or
/// `take` has enough.
pub(super) fn each_block(
    source: &mut dyn Source,
    bytes: u64,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<Part> {
    let end = Instant::now() + TIME_MAX;
    source.seek(SeekFrom::Start(0))?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut part = Part::default();
    let max = bytes.min(BYTES_MAX);
    while part.bytes < max {
        let wanted = (max - part.bytes).min(BLOCK_BYTES as u64) as usize;
        let length = match source.read(&mut block[..wanted]) {
            Ok(0) => {
                // It is shorter than it was said to be, and this is all of it.
                part.whole = true;
                return Ok(part);
            }
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        part.bytes += length as u64;
        if !take(&block[..length]) || (part.bytes < max && end <= Instant::now()) {
            break;
        }
    }
    part.whole = part.bytes == bytes;
    Ok(part)
}

/// Gives one line after the other, without its end and its colours, numbered from one.
pub(super) fn each_line(
    source: &mut dyn Source,
    bytes: u64,
    mut take: impl FnMut(u64, &[u8]),
) -> io::Result<Part> {
    let mut number = 0;
    let mut begun: Vec<u8> = Vec::new();
    let mut is_begun = false;
    let part = each_block(source, bytes, |mut block| {
        while let Some(end) = memchr(b'\n', block) {
            number += 1;
            if is_begun {
                extend(&mut begun, &block[..end]);
                take(number, &plain(&begun));
                begun.clear();
                is_begun = false;
            } else {
                take(number, &plain(&block[..end.min(LINE_BYTES_MAX)]));
            }
            block = &block[end + 1..];
        }
        if !block.is_empty() {
            extend(&mut begun, block);
            is_begun = true;
        }
        true
    })?;
    // The last line of a part is not whole.
    if is_begun && part.whole {
        take(number + 1, &plain(&begun));
    }
    Ok(part)
}

fn extend(line: &mut Vec<u8>, more: &[u8]) {
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    line.extend_from_slice(&more[..more.len().min(room)]);
}

/// A line as its program meant it: without the return that some end it with, and without
/// what a terminal would colour it by.
pub(in crate::outputs) fn plain(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if memchr(ESCAPE, line).is_none() {
        return Cow::Borrowed(line);
    }
    let (mut out, mut rest) = (Vec::with_capacity(line.len()), line);
    while let Some(at) = memchr(ESCAPE, rest) {
        let (before, sequence) = rest.split_at(at);
        out.extend_from_slice(before);
        let length = sequence_length(sequence);
        if length == 1 {
            out.push(ESCAPE);
        }
        rest = &sequence[length..];
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

const ESCAPE: u8 = 0x1b;

/// How long the sequence is that begins with this escape: `ESC [ 1 ; 31 m`. One that is
/// of another kind, or has no end, is the escape alone.
fn sequence_length(sequence: &[u8]) -> usize {
    if sequence.get(1) != Some(&b'[') {
        return 1;
    }
    let inner = sequence[2..].iter().take_while(|byte| (0x20..=0x3f).contains(*byte)).count();
    match sequence.get(2 + inner) {
        Some(0x40..=0x7e) => inner + 3,
        _ => 1,
    }
}

/// The bytes from `offset` on, as many as there are up to so many.
pub(super) fn at(source: &mut dyn Source, offset: u64, max: usize) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    source.take(max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{BLOCK_BYTES, LINE_BYTES_MAX, Part, each_line, plain};

    fn lines(bytes: &[u8]) -> (Vec<(u64, usize)>, Part) {
        let mut seen = Vec::new();
        let part = each_line(&mut Cursor::new(bytes), bytes.len() as u64, |number, line| {
            seen.push((number, line.len()));
        });
        (seen, part.unwrap())
    }

    #[test]
    fn colours_are_no_part_of_a_line() {
        #[rustfmt::skip]
        let table: [(&[u8], &[u8]); 6] = [
            (b"plain\r",                                 b"plain"),
            (b"\x1b[2m2026\x1b[0m \x1b[1;31mERROR\x1b[m x", b"2026 ERROR x"),
            (b"\x1b[K\x1b[?25l",                          b""),
            (b"a\x1b",                                    b"a\x1b"),
            (b"\x1b[31",                                  b"\x1b[31"),
            (b"\x1b]0;title\x07",                         b"\x1b]0;title\x07"),
        ];
        for (line, want) in table {
            assert_eq!(&*plain(line), want);
        }
    }

    #[test]
    fn lines_are_whole_across_blocks_and_long_ones_are_bounded() {
        let (seen, part) = lines(b"one\r\n\nthree");
        assert_eq!(seen, [(1, 3), (2, 0), (3, 5)]);
        assert_eq!(part, Part { bytes: 11, whole: true });
        assert_eq!(lines(b"").0, []);
        assert_eq!(lines(b"\n").0, [(1, 0)]);

        let mut bytes = vec![b'a'; BLOCK_BYTES - 3];
        bytes.extend(b"\nacross blocks\n");
        bytes.extend(vec![b'b'; BLOCK_BYTES * 2]);
        bytes.extend(b"\nend");
        let (seen, _) = lines(&bytes);
        assert_eq!(seen, [(1, LINE_BYTES_MAX), (2, 13), (3, LINE_BYTES_MAX), (4, 3)]);
    }
}
