//! Text of one byte a character, as Windows wrote it in the west: Windows-1252, which
//! has Latin-1 in it.

/// What the bytes from 0x80 to 0x9f are. Five of them are nothing, and stay what they
/// are in Latin-1.
#[rustfmt::skip]
const UPPER: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

pub(super) fn decoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
            byte => char::from(*byte),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn every_byte_is_a_character() {
        assert_eq!(decoded(b"caf\xe9 \x80 5 \x96 \x93ja\x94"), "café € 5 – “ja”");
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&all).chars().count(), 256);
    }
}
