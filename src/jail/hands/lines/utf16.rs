//! UTF-16, read as UTF-8. What is not a character becomes U+FFFD.

use std::io::{self, Read};

const STEP_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Utf16<R> {
    inner: R,
    big: bool,
    /// What was read and is not a whole character yet.
    carried: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    /// Whether the first character is behind, which may be a mark.
    begun: bool,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(inner: R, big: bool) -> Self {
        Self { inner, big, carried: Vec::new(), ready: Vec::new(), given: 0, begun: false }
    }

    /// Reads and decodes once. `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut bytes = std::mem::take(&mut self.carried);
        let before = bytes.len();
        bytes.resize(before + STEP_BYTES, 0);
        let read = self.inner.read(&mut bytes[before..])?;
        bytes.truncate(before + read);
        let at_end = read == 0;
        let unit = |pair: &[u8]| {
            let pair = [pair[0], pair[1]];
            if self.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        };
        let mut whole = bytes.len() - bytes.len() % 2;
        if !at_end && 2 <= whole && (0xd800..0xdc00).contains(&unit(&bytes[whole - 2..])) {
            // Its other half is still to come.
            whole -= 2;
        }
        let mut text = String::with_capacity(whole);
        for decoded in char::decode_utf16(bytes[..whole].chunks_exact(2).map(unit)) {
            let character = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
            if self.begun || character != '\u{feff}' {
                text.push(character);
            }
            self.begun = true;
        }
        match &bytes[whole..] {
            [] => {}
            _ if at_end => text.push(char::REPLACEMENT_CHARACTER),
            rest => self.carried = rest.to_vec(),
        }
        (self.ready, self.given) = (text.into_bytes(), 0);
        Ok(!at_end)
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            if !self.fill()? && self.ready.is_empty() {
                return Ok(0);
            }
        }
        let rest = &self.ready[self.given..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;

    use super::Utf16;

    /// Gives a few bytes at a time.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn decoded(bytes: &[u8], big: bool, step: usize) -> String {
        let mut text = String::new();
        Utf16::new(Slowly(bytes, step), big).read_to_string(&mut text).unwrap();
        text
    }

    proptest! {
        #[test]
        fn a_text_comes_back_whatever_pieces_it_came_in(
            text in "\\PC{0,50}",
            big in any::<bool>(),
            step in 1..9_usize,
        ) {
            let pair = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            let bytes: Vec<u8> = text.encode_utf16().flat_map(pair).collect();
            let want = text.strip_prefix('\u{feff}').unwrap_or(&text);
            prop_assert_eq!(decoded(&bytes, big, step), want);
        }

        #[test]
        fn any_bytes_are_some_text(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(decoded(&bytes, true, 60), decoded(&bytes, true, 1));
        }
    }

    #[test]
    fn half_a_character_is_seen() {
        assert_eq!(decoded(b"a\0b", false, 9), "a\u{fffd}");
        assert_eq!(decoded(b"\0\xd8a\0", false, 9), "\u{fffd}a");
        assert_eq!(decoded(b"\0\xd8", false, 1), "\u{fffd}");
    }
}
