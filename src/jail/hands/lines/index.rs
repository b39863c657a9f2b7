//! Where the lines of a file begin, for the price of reading it once.
//!
//! ```text
//! the file      |block 0 |block 1 |block 2 |...
//! line ends     0        214      430      ...   before each block
//! ```
//!
//! How many lines end before each block is kept, and not where every so many lines
//! begin: a line is then found by reading one block, however long the lines are,
//! and how much is kept depends on the size alone. Blocks grow with the file, so
//! that it is never more than [`BLOCKS_MAX`] numbers.

use std::hash::{DefaultHasher, Hasher};
use std::time::Instant;

use nix::errno::Errno;

use super::source::Source;

const BLOCK_BYTES_MIN: u64 = 16 * 1024;
const BLOCKS_MAX: usize = 128 * 1024;
/// What is read at once while counting, and while looking into a block.
const COUNT_BYTES: usize = 256 * 1024;
const LOOK_BYTES: usize = 16 * 1024;
/// So many places of so many bytes tell whether a file is still what was counted.
const SAMPLES: u64 = 32;
const SAMPLE_BYTES: usize = 256;

/// The lines of a file as far as they were counted.
#[derive(Debug)]
pub(super) struct Index {
    block_bytes: u64,
    /// How many lines end before each block.
    before: Vec<u64>,
    counted: u64,
    ends: u64,
    /// Whether the last byte that was counted ends a line.
    at_line_end: bool,
}

impl Index {
    pub(super) fn new(size: u64) -> Self {
        let mut block_bytes = BLOCK_BYTES_MIN;
        while block_bytes.saturating_mul(BLOCKS_MAX as u64) < size {
            block_bytes *= 2;
        }
        Self { block_bytes, before: Vec::new(), counted: 0, ends: 0, at_line_end: true }
    }

    /// How many bytes were counted.
    pub(super) fn counted(&self) -> u64 {
        self.counted
    }

    /// How many lines there are, once all was counted.
    pub(super) fn total(&self, source: &Source<'_>) -> Option<u64> {
        (source.size() <= self.counted).then(|| self.ends + u64::from(!self.at_line_end))
    }

    /// Counts on until so many lines have ended and so many bytes are behind, or all
    /// are. Whether it came so far before `deadline`.
    pub(super) fn reach(
        &mut self,
        source: &Source<'_>,
        ends: u64,
        bytes: u64,
        deadline: Instant,
        buffer: &mut Vec<u8>,
    ) -> Result<bool, Errno> {
        loop {
            let is_far = ends <= self.ends && bytes <= self.counted;
            if is_far || source.size() <= self.counted {
                return Ok(true);
            }
            if deadline <= Instant::now() {
                return Ok(false);
            }
            let read = source.view(self.counted, COUNT_BYTES, buffer)?;
            let Some(last) = read.last() else {
                // Shorter than it was a moment ago.
                return Ok(true);
            };
            let is_hole = *last == 0;
            self.count(read);
            if is_hole && let Some(data) = source.after_hole(self.counted) {
                self.pass_over(data);
            }
        }
    }

    /// Where a line begins, if it was counted that there is one.
    pub(super) fn start_of(
        &self,
        line: u64,
        source: &Source<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<u64>, Errno> {
        let Some(nth) = line.checked_sub(2) else { return Ok(Some(0)) };
        self.end_after(nth, source, buffer).map(|end| end.map(|end| end + 1))
    }

    /// Where the line that holds `offset` ends, if that was counted already.
    pub(super) fn end_from(
        &self,
        offset: u64,
        source: &Source<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<u64>, Errno> {
        if self.counted <= offset {
            return Ok(None);
        }
        let nth = self.ends_before(offset, source, buffer)?;
        let end = self.end_after(nth, source, buffer)?;
        Ok(end.or_else(|| (source.size() <= self.counted).then(|| source.size())))
    }

    /// How many lines end before `offset`, which was counted.
    pub(super) fn ends_before(
        &self,
        offset: u64,
        source: &Source<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<u64, Errno> {
        let block = (offset / self.block_bytes).min((self.before.len() as u64).saturating_sub(1));
        let mut at = block * self.block_bytes;
        let mut ends = self.before.get(as_index(block)).copied().unwrap_or(0);
        while at < offset {
            let left = usize::try_from(offset - at).unwrap_or(usize::MAX);
            let read = source.view(at, left.min(COUNT_BYTES), buffer)?;
            if read.is_empty() {
                break;
            }
            ends += count(read);
            at += read.len() as u64;
            at = if read.ends_with(&[0]) { source.after_hole(at).unwrap_or(at) } else { at };
        }
        Ok(ends)
    }

    /// Where the line end is that comes after `nth` others.
    fn end_after(
        &self,
        nth: u64,
        source: &Source<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<u64>, Errno> {
        if self.ends <= nth {
            return Ok(None);
        }
        let block = self.before.partition_point(|before| *before <= nth).saturating_sub(1);
        let mut at = block as u64 * self.block_bytes;
        let mut left = nth - self.before.get(block).copied().unwrap_or(0);
        loop {
            let read = source.view(at, LOOK_BYTES, buffer)?;
            if read.is_empty() {
                return Ok(None);
            }
            let here = count(read);
            if left < here {
                let end = memchr::memchr_iter(b'\n', read).nth(as_index(left));
                return Ok(end.map(|end| at + end as u64));
            }
            left -= here;
            at += read.len() as u64;
            at = if read.ends_with(&[0]) { source.after_hole(at).unwrap_or(at) } else { at };
        }
    }

    /// A digest of some places of what was counted: whoever writes on at the end leaves
    /// them as they are, and whoever writes anew does not.
    pub(super) fn sample(&self, source: &Source<'_>, buffer: &mut Vec<u8>) -> Result<u64, Errno> {
        let mut hasher = DefaultHasher::new();
        let last = self.counted.saturating_sub(SAMPLE_BYTES as u64);
        for nth in 0..=SAMPLES {
            // In this order, since the product could be too large.
            let at = (last / SAMPLES) * nth + (last % SAMPLES) * nth / SAMPLES;
            let left = usize::try_from(self.counted - at).unwrap_or(usize::MAX);
            hasher.write(source.view(at, left.min(SAMPLE_BYTES), buffer)?);
        }
        Ok(hasher.finish())
    }

    fn count(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.mark();
            let room = self.block_bytes - self.counted % self.block_bytes;
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.ends += count(now);
            self.counted += now.len() as u64;
            rest = later;
        }
        self.at_line_end = bytes.ends_with(b"\n");
    }

    /// Counts a hole, which has no line's end in it.
    fn pass_over(&mut self, to: u64) {
        while self.counted < to {
            self.mark();
            let next = (self.counted / self.block_bytes + 1).saturating_mul(self.block_bytes);
            self.counted = to.min(next);
            self.at_line_end = false;
        }
    }

    /// Keeps what was counted, if a block begins here.
    fn mark(&mut self) {
        if self.before.len() == BLOCKS_MAX && self.counted.is_multiple_of(self.block_bytes) {
            // It has grown: every other block is one with the next.
            let mut nth = 0_usize;
            self.before.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.block_bytes = self.block_bytes.saturating_mul(2);
        }
        if self.counted.is_multiple_of(self.block_bytes) {
            self.before.push(self.ends);
        }
    }
}

fn count(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{BLOCKS_MAX, Index, Source};

    fn counted(bytes: &[u8], step: usize) -> Index {
        let mut index = Index::new(0);
        for part in bytes.chunks(step.max(1)) {
            index.count(part);
        }
        index
    }

    proptest! {
        #[test]
        fn every_line_begins_where_it_does_however_it_was_counted(
            lines in proptest::collection::vec(0..3000_usize, 1..200),
            ended in any::<bool>(),
            step in 1..70_000_usize,
        ) {
            let mut text = Vec::new();
            let mut starts = Vec::new();
            for length in &lines {
                starts.push(text.len() as u64);
                text.extend(std::iter::repeat_n(b'x', *length));
                text.push(b'\n');
            }
            if !ended {
                text.pop();
            }
            let index = counted(&text, step);
            let source = Source::Memory(&text);
            let mut buffer = Vec::new();
            // A last line without an end is one only if it has something in it.
            let real = if ended || lines.last() != Some(&0) { lines.len() } else { lines.len() - 1 };
            prop_assert_eq!(index.total(&source), Some(real as u64));
            for (nth, start) in starts.iter().enumerate() {
                let number = nth as u64 + 1;
                prop_assert_eq!(index.start_of(number, &source, &mut buffer).unwrap(), Some(*start));
                prop_assert_eq!(index.ends_before(*start, &source, &mut buffer).unwrap(), nth as u64);
                let end = start + lines[nth] as u64;
                if *start < text.len() as u64 {
                    prop_assert_eq!(index.end_from(*start, &source, &mut buffer).unwrap(), Some(end));
                }
            }
        }
    }

    #[test]
    fn a_file_that_outgrows_its_blocks_gets_larger_ones() {
        let mut index = Index::new(0);
        let block = vec![b'\n'; 16 * 1024];
        for _ in 0..BLOCKS_MAX {
            index.count(&block);
        }
        assert_eq!(index.before.len(), BLOCKS_MAX);
        index.count(&block);
        assert_eq!((index.before.len(), index.block_bytes), (BLOCKS_MAX / 2 + 1, 32 * 1024));
        // Every byte ends a line.
        let ordered = index.before.iter().enumerate();
        for (nth, before) in ordered {
            assert_eq!(*before, nth as u64 * 32 * 1024);
        }
    }

    #[test]
    fn a_hole_of_an_exabyte_is_passed_over() {
        let size = 1 << 60;
        let mut index = Index::new(size);
        index.count(b"one\n");
        let began = Instant::now();
        index.pass_over(size);
        assert!(began.elapsed() < Duration::from_secs(1));
        assert!(index.before.len() <= BLOCKS_MAX);
        assert_eq!((index.counted, index.ends), (size, 1));
    }
}
