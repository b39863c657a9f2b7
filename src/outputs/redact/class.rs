//! Sets of bytes, written as they are in a pattern: `A-Za-z0-9_`.

/// Which bytes belong.
pub(super) type Class = [bool; 256];

/// A set out of single characters and ranges; a `-` that is meant as itself comes last.
pub(super) const fn class(spec: &str) -> Class {
    let spec = spec.as_bytes();
    let mut set = [false; 256];
    let mut at = 0;
    while at < spec.len() {
        if at + 2 < spec.len() && spec[at + 1] == b'-' {
            let mut byte = spec[at] as usize;
            while byte <= spec[at + 2] as usize {
                set[byte] = true;
                byte += 1;
            }
            at += 3;
        } else {
            set[spec[at] as usize] = true;
            at += 1;
        }
    }
    set
}

/// All bytes that are neither white space, nor control characters, nor one of these.
pub(super) const fn printed_without(spec: &str) -> Class {
    let without = class(spec);
    let mut set = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        set[byte] = byte > 0x20 && byte != 0x7f && !without[byte];
        byte += 1;
    }
    set
}

pub(super) static WORD: Class = class("A-Za-z0-9_");
pub(super) static ALNUM: Class = class("A-Za-z0-9");
pub(super) static UPPER: Class = class("A-Z0-9");
pub(super) static DASHED: Class = class("A-Za-z0-9_-");
pub(super) static DOTTED: Class = class("A-Za-z0-9_.-");
pub(super) static HEX: Class = class("0-9a-f");
pub(super) static BASE64: Class = class("A-Za-z0-9+/=");
pub(super) static BASE64URL: Class = class("A-Za-z0-9+/=_-");
/// What RFC 6750 allows in the token of a bearer.
pub(super) static TOKEN68: Class = class("A-Za-z0-9._~+/=-");

#[cfg(test)]
mod tests {
    use super::{class, printed_without};

    #[test]
    fn ranges_and_single_characters_are_told_apart() {
        let set = class("a-cX_-");
        let members: Vec<u8> = (0..=255).filter(|byte| set[usize::from(*byte)]).collect();
        assert_eq!(members, b"-X_abc");
        let printed = printed_without("a-z");
        assert!(printed[b'A' as usize] && printed[0xff] && printed[b'~' as usize]);
        assert!(!printed[b'a' as usize] && !printed[b' ' as usize] && !printed[b'\n' as usize]);
    }
}
