//! What stands for a secret: `[redacted: aws-key #3f2a]`.
//!
//! The digits are of a keyed digest. Equal secrets are seen to be equal, and nobody
//! without the key can try whether a guess is right.

use sha2::{Digest, Sha256};

use super::window::{LOOK_BACK, Window};

const OPENING: &[u8] = b"[redacted: ";
const DIGITS: usize = 4;
/// ` #3f2a]`.
const CLOSING_BYTES: usize = 2 + DIGITS + 1;

/// The longest name of a secret.
pub(super) const NAME_BYTES_MAX: usize = 64;

const MARK_BYTES_MAX: usize = OPENING.len() + NAME_BYTES_MAX + CLOSING_BYTES;
const _: () = assert!(MARK_BYTES_MAX <= LOOK_BACK, "a mark is seen whole from its end");

/// The mark for a value.
pub(super) fn mark(name: &str, digest: [u8; 2]) -> String {
    format!("[redacted: {name} #{:02x}{:02x}]", digest[0], digest[1])
}

/// What a mark shows of a value.
pub(super) fn digest(key: &[u8; 16], value: &[u8]) -> [u8; 2] {
    let digest = Sha256::new().chain_update(key).chain_update(value).finalize();
    [digest[0], digest[1]]
}

/// Whether a name can stand in a mark.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(in_name)
}

/// Where the mark ends that begins here, if one does. What holds a secret is none.
pub(super) fn ends(window: &Window<'_>, at: usize) -> Option<usize> {
    if !window.starts(at, OPENING) {
        return None;
    }
    let name = at + OPENING.len();
    let mut end = name;
    while end < name + NAME_BYTES_MAX && window.get(end).is_some_and(in_name) {
        end += 1;
    }
    let digits = end + 2;
    let whole = name < end
        && window.starts(end, b" #")
        && (digits..digits + DIGITS).all(|at| window.get(at).is_some_and(is_digit))
        && window.get(digits + DIGITS) == Some(b']')
        && !window.holds_known(name, digits + DIGITS);
    whole.then_some(digits + DIGITS + 1)
}

/// Whether a mark ends here, before this byte.
pub(super) fn ends_before(window: &Window<'_>, at: usize) -> bool {
    if window.before(at) != Some(b']') {
        return false;
    }
    let start = at.saturating_sub(MARK_BYTES_MAX);
    let begins = window.seen(start, at).iter().rposition(|byte| *byte == b'[');
    begins.is_some_and(|begins| ends(window, start + begins) == Some(at))
}

/// Whether these bytes can be a part of a mark of this name, whatever its digits.
pub(super) fn can_hold(name: &str, value: &[u8]) -> bool {
    let template = [OPENING, name.as_bytes(), b" #hhhh]"].concat();
    let digits = template.len() - 1 - DIGITS..template.len() - 1;
    let fits = |at: usize, byte: u8| {
        if digits.contains(&at) { is_digit(byte) } else { template.get(at) == Some(&byte) }
    };
    (0..template.len()).any(|from| value.iter().zip(from..).all(|(byte, at)| fits(at, *byte)))
}

fn in_name(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::super::window::Window;
    use super::{can_hold, digest, ends, ends_before, mark};

    #[test]
    fn a_mark_knows_itself_and_nothing_else() {
        let made = mark("aws-key", digest(&[1; 16], b"value"));
        #[rustfmt::skip]
        let table = [
            (made.as_str(),                  true),
            ("[redacted: x #0000]",          true),
            ("[redacted: aws-key #3f2A]",    false),
            ("[redacted: aws-key #3f2]",     false),
            ("[redacted: aws key #3f2a]",    false),
            ("[redacted:  #3f2a]",           false),
            ("[redacted: hunter2 and more",  false),
        ];
        for (text, is_mark) in table {
            let window = Window::new(text.as_bytes(), 0, 200, true);
            assert_eq!(ends(&window, 0), is_mark.then_some(text.len()), "{text}");
            assert_eq!(ends_before(&window, text.len()), is_mark, "{text}");
        }
    }

    #[test]
    fn equal_values_have_equal_marks_and_the_key_decides_which() {
        assert_eq!(digest(&[1; 16], b"value"), digest(&[1; 16], b"value"));
        assert_ne!(digest(&[1; 16], b"value"), digest(&[1; 16], b"other"));
        assert_ne!(digest(&[1; 16], b"value"), digest(&[2; 16], b"value"));
    }

    #[test]
    fn what_a_mark_is_made_of_is_told() {
        for held in ["redacted", "aws-key", "3f2a", "y #3", "#ffff]", "[redacted: aws-key #0123]"] {
            assert!(can_hold("aws-key", held.as_bytes()), "{held}");
        }
        for strange in ["hunter2", "3f2g", "gcp-key", "3f2a]x", "x[redacted"] {
            assert!(!can_hold("aws-key", strange.as_bytes()), "{strange}");
        }
    }
}
