//! Bitmaps as an index has them: EWAH, where a long run of equal words is one.
//!
//! Only the shapes that are needed are written: a run of ones, or words as they are.
//! git's own writer would pack a mixed map tighter; both are valid to its reader.

/// Bits in a word.
const WORD_BITS: usize = 64;

/// Bits, the first of which is the first entry or directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    bits: usize,
}

impl Bitmap {
    pub(super) fn set(&mut self, bit: usize) {
        if self.words.len() <= bit / WORD_BITS {
            self.words.resize(bit / WORD_BITS + 1, 0);
        }
        self.words[bit / WORD_BITS] |= 1 << (bit % WORD_BITS);
        self.bits = self.bits.max(bit + 1);
    }

    /// So many ones.
    pub(super) fn full(bits: usize) -> Self {
        let mut words = vec![u64::MAX; bits / WORD_BITS];
        if !bits.is_multiple_of(WORD_BITS) {
            words.push((1 << (bits % WORD_BITS)) - 1);
        }
        Self { words, bits }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        // A marker says how many words of ones follow, and how many as they are.
        let ones = self.words.iter().take_while(|word| **word == u64::MAX).count();
        let literal = &self.words[ones..];
        let marker = u64::from(0 < ones) | (ones as u64) << 1 | (literal.len() as u64) << 33;
        let mut bytes = Vec::with_capacity(20 + 8 * literal.len());
        bytes.extend_from_slice(&(self.bits as u32).to_be_bytes());
        bytes.extend_from_slice(&(1 + literal.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&marker.to_be_bytes());
        for word in literal {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        // Where the last marker is: there is one.
        bytes.extend_from_slice(&0u32.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Bitmap;

    #[test]
    fn a_map_is_its_length_its_words_and_a_marker() {
        let mut third = Bitmap::default();
        third.set(2);
        #[rustfmt::skip]
        let table: &[(Bitmap, u32, &[u64])] = &[
            // map              bits   words, the marker first
            (Bitmap::default(), 0,     &[0]),
            (third,             3,     &[1 << 33, 0b100]),
            (Bitmap::full(4),   4,     &[1 << 33, 0b1111]),
            (Bitmap::full(64),  64,    &[1 | 1 << 1]),
            (Bitmap::full(130), 130,   &[1 | 2 << 1 | 1 << 33, 0b11]),
        ];
        for (map, bits, words) in table {
            let mut want = bits.to_be_bytes().to_vec();
            want.extend((words.len() as u32).to_be_bytes());
            want.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            want.extend(0u32.to_be_bytes());
            assert_eq!(map.bytes(), want, "{map:?}");
        }
    }
}
