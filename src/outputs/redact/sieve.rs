//! Finds the few places that deserve a closer look, in one pass over everything.
//!
//! Each thing that is looked for has an anchor: four bytes that it begins with, in
//! any case. A bit for the hash of each anchor says whether to look closer; so the
//! pass costs the same for ten anchors and for a thousand, and no input is slow.
//! Teddy, the vectorised search of many literals, was weighed: it is faster for
//! eight anchors and much slower for the hundred that there are.

use super::class::DASHED;

/// The length of an anchor.
pub(super) const GRAM_BYTES: usize = 4;

const BITS: usize = 1 << 16;
const WORDS: usize = BITS / 64;
/// What the upper bits of a hash can be, and the lower ones.
const UPPERS: usize = 1 << 12;
const LOWERS: usize = BITS / UPPERS;

/// So many places are probed at once, and rarely one by one.
const STEP: usize = 16;

/// Anchors, and whose they are.
pub(super) struct Sieve {
    bits: Box<[u64; WORDS]>,
    /// Hashes of anchors, and of their first bytes alone, for the end of a piece.
    begun: [Box<[u64; WORDS]>; GRAM_BYTES - 1],
    /// Who wants to be told of which hash, in the order of hashes.
    owners: Vec<(u16, u16)>,
    /// Where among them the hashes begin that have the same upper bits. There are few of them,
    /// and a place for every hash would be a large table for each session.
    begins: Box<[u32; UPPERS + 1]>,
}

/// What is looked for.
pub(super) struct Anchor<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether a `?` is any of [`DASHED`].
    pub(super) wild: bool,
    /// Who wants to be told of places that begin with it.
    pub(super) owner: u16,
}

impl Sieve {
    pub(super) fn new<'a>(anchors: impl Iterator<Item = Anchor<'a>>) -> Self {
        let empty = || Box::new([0; WORDS]);
        let mut sieve = Self {
            bits: empty(),
            begun: [empty(), empty(), empty()],
            owners: Vec::new(),
            begins: Box::new([0; UPPERS + 1]),
        };
        for anchor in anchors {
            if let Some(begin) = anchor.bytes.first_chunk() {
                sieve.add(*begin, anchor.wild, 0, anchor.owner);
            }
        }
        sieve.owners.sort_unstable();
        sieve.owners.dedup();
        for (hashed, _) in &sieve.owners {
            if let Some(next) = sieve.begins.get_mut(usize::from(*hashed) / LOWERS + 1) {
                *next += 1;
            }
        }
        let mut begin = 0;
        for more in sieve.begins.iter_mut() {
            begin += *more;
            *more = begin;
        }
        sieve
    }

    /// Adds all that these bytes stand for, whose first ones stand for themselves.
    fn add(&mut self, mut gram: [u8; GRAM_BYTES], wild: bool, plain: usize, owner: u16) {
        let first_wild = gram.iter().skip(plain).position(|byte| wild && *byte == b'?');
        let Some(at) = first_wild.map(|at| plain + at) else {
            self.add_gram(gram, owner);
            return;
        };
        for byte in (0..=255).filter(|byte| *byte == b'?' || DASHED[usize::from(*byte)]) {
            gram[at] = byte;
            self.add(gram, wild, at + 1, owner);
        }
    }

    fn add_gram(&mut self, gram: [u8; GRAM_BYTES], owner: u16) {
        let hashed = hash(gram);
        set(&mut self.bits, hashed);
        for (begun, length) in self.begun.iter_mut().zip(1..) {
            set(begun, hash(cut(&gram[..length])));
        }
        self.owners.push((hashed as u16, owner));
    }

    /// Each place from here on that an anchor may begin at, in order.
    pub(super) fn each(&self, bytes: &[u8], mut found: impl FnMut(usize)) {
        let places = bytes.len().saturating_sub(GRAM_BYTES - 1);
        let mut at = 0;
        while at + STEP <= places {
            let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else { break };
            if self.any(block) {
                let grams = block.windows(GRAM_BYTES).take(STEP);
                for (place, gram) in grams.enumerate() {
                    if self.probe(gram) & 1 != 0 {
                        found(at + place);
                    }
                }
            }
            at += STEP;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        for (place, gram) in rest.windows(GRAM_BYTES).enumerate() {
            if self.probe(gram) & 1 != 0 {
                found(at + place);
            }
        }
    }

    /// Who wants to be told of a place that begins with these bytes.
    pub(super) fn owners(&self, bytes: &[u8]) -> impl Iterator<Item = u16> {
        let hashed = bytes.first_chunk().map(|gram| hash(*gram));
        let near = hashed.and_then(|hashed| {
            let upper = hashed / LOWERS;
            let (from, to) = (self.begins.get(upper)?, self.begins.get(upper + 1)?);
            self.owners.get(*from as usize..*to as usize)
        });
        let is_same = move |(other, _): &&(u16, u16)| Some(usize::from(*other)) == hashed;
        near.unwrap_or_default().iter().filter(is_same).map(|(_, owner)| *owner)
    }

    /// How many of the last bytes can be the beginning of an anchor.
    pub(super) fn begun(&self, bytes: &[u8]) -> usize {
        (1..GRAM_BYTES)
            .rev()
            .filter(|length| *length <= bytes.len())
            .find(|length| {
                let tail = bytes.get(bytes.len() - length..).unwrap_or_default();
                let hashed = hash(cut(tail));
                self.begun.get(length - 1).is_some_and(|begun| is_set(begun, hashed))
            })
            .unwrap_or(0)
    }

    /// Whether an anchor may begin at one of the first [`STEP`] places.
    #[inline(always)]
    fn any(&self, block: &[u8; STEP + GRAM_BYTES]) -> bool {
        let mut any = 0;
        for start in (0..STEP).step_by(GRAM_BYTES) {
            let Some(eight) = block.get(start..).and_then(|rest| rest.first_chunk()) else {
                return true;
            };
            let folded = u64::from_le_bytes(*eight) | 0x2020_2020_2020_2020;
            for place in 0..GRAM_BYTES {
                let hashed = hash_folded((folded >> (8 * place)) as u32);
                any |= self.bits[hashed / 64] >> (hashed % 64);
            }
        }
        any & 1 != 0
    }

    /// The lowest bit says it.
    #[inline(always)]
    fn probe(&self, gram: &[u8]) -> u64 {
        let Some(gram) = gram.first_chunk::<GRAM_BYTES>() else { return 0 };
        let hashed = hash(*gram);
        self.bits[hashed / 64] >> (hashed % 64)
    }
}

/// Letters count in any case. A few other characters fall together as well, which a
/// closer look tells apart.
#[inline(always)]
fn hash(gram: [u8; GRAM_BYTES]) -> usize {
    hash_folded(u32::from_le_bytes(gram) | 0x2020_2020)
}

#[inline(always)]
fn hash_folded(folded: u32) -> usize {
    (folded.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

/// A beginning, filled up with what no letter is folded to.
fn cut(begun: &[u8]) -> [u8; GRAM_BYTES] {
    let mut gram = [0; GRAM_BYTES];
    for (to, from) in gram.iter_mut().zip(begun) {
        *to = *from;
    }
    gram
}

fn set(bits: &mut [u64; WORDS], hashed: usize) {
    if let Some(word) = bits.get_mut(hashed / 64) {
        *word |= 1 << (hashed % 64);
    }
}

fn is_set(bits: &[u64; WORDS], hashed: usize) -> bool {
    bits.get(hashed / 64).is_some_and(|word| word >> (hashed % 64) & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::{Anchor, Sieve};

    #[test]
    fn every_anchor_is_found_in_any_case_and_at_any_place() {
        let anchor = |(bytes, wild, owner)| Anchor { bytes, wild, owner };
        let anchors: [(&[u8], bool, u16); 5] = [
            (b"token", true, 1),
            (b"pwd?", true, 2),
            (b"a?bc", false, 3),
            (b"x??y", true, 4),
            (b"no", true, 5),
        ];
        let sieve = Sieve::new(anchors.into_iter().map(anchor));
        for (text, owner) in
            [("token", 1), ("ToKeN", 1), ("pwd8", 2), ("PWD_", 2), ("a?bc", 3), ("x-_y", 4)]
        {
            for before in 0..70 {
                let bytes = ["\n".repeat(before), text.into(), "\n".repeat(40)].concat();
                let mut places = Vec::new();
                sieve.each(bytes.as_bytes(), |place| places.push(place));
                assert!(places.contains(&before), "{text} after {before}: {places:?}");
                assert!(sieve.owners(text.as_bytes()).any(|told| told == owner), "{text}");
                let begun = format!("..{}", &text[..3]);
                assert_eq!(sieve.begun(begun.as_bytes()), 3, "{text}");
            }
        }
        assert_eq!(sieve.owners(b"plain").next(), None);
        assert_eq!(sieve.owners(b"tok").next(), None);
        assert_eq!(sieve.begun(b"done.\n"), 0);
    }
}
