//! Which lines differ between two texts: what is left when the lines that are the same
//! at the beginning and at the end are taken away. That is all there is to a change in
//! one place, and of a larger one it is never wrong.

use super::told::Changed;
use crate::jail::hands::wire::Bytes;

/// What is told of changed lines.
const LINES_TOLD_MAX: usize = 60;
const LINE_BYTES_MAX: usize = 400;

pub(super) fn lines(old: &[u8], new: &[u8]) -> Changed {
    let (old, new) = (split(old), split(new));
    let same = |pairs: &mut dyn Iterator<Item = (&&[u8], &&[u8])>| {
        pairs.take_while(|(old, new)| old == new).count()
    };
    let first = same(&mut old.iter().zip(&new));
    let (old_rest, new_rest) = (&old[first..], &new[first..]);
    let last = same(&mut old_rest.iter().rev().zip(new_rest.iter().rev()));
    let removed = &old_rest[..old_rest.len() - last];
    let added = &new_rest[..new_rest.len() - last];
    Changed {
        from: first as u64 + 1,
        removed: removed.len() as u64,
        added: added.len() as u64,
        total: new.len() as u64,
        removed_lines: told(removed),
        added_lines: told(added),
    }
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

fn told(lines: &[&[u8]]) -> Vec<Bytes> {
    lines.iter().take(LINES_TOLD_MAX).map(|line| shortened(line)).collect()
}

/// A line without its end, or its beginning.
pub(super) fn shortened(line: &[u8]) -> Bytes {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= LINE_BYTES_MAX {
        return line.into();
    }
    // A character is not cut in half.
    let is_within = |at: &usize| line[*at] & 0xc0 == 0x80;
    let end = (LINE_BYTES_MAX - 4..=LINE_BYTES_MAX).rev().find(|at| !is_within(at));
    Bytes([&line[..end.unwrap_or(LINE_BYTES_MAX)], "…".as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::lines;

    #[test]
    fn what_is_the_same_at_both_ends_is_left_out() {
        #[rustfmt::skip]
        let table = [
            // old           new             from removed added total
            ("a\nb\nc\n",    "a\nx\ny\nc\n", (2, 1, 2, 4)),
            ("a\nb\n",       "a\nb\nc\n",    (3, 0, 1, 3)),
            ("a\nb",         "a\nbc\n",      (2, 1, 1, 2)),
            ("a\n",          "a\n",          (2, 0, 0, 1)),
            ("",             "a\nb\n",       (1, 0, 2, 2)),
            ("a\nb\n",       "",             (1, 2, 0, 0)),
            ("a\na\na\n",    "a\na\n",       (3, 1, 0, 2)),
            ("a\r\n",        "a\n",          (1, 1, 1, 1)),
        ];
        for (old, new, want) in table {
            let got = lines(old.as_bytes(), new.as_bytes());
            assert_eq!((got.from, got.removed, got.added, got.total), want, "{old:?} {new:?}");
        }
    }

    proptest! {
        #[test]
        fn the_change_makes_one_of_the_other(old in "[ab\n]{0,30}", new in "[ab\n]{0,30}") {
            let change = lines(old.as_bytes(), new.as_bytes());
            let mut made: Vec<&str> = old.split_inclusive('\n').collect();
            let from = change.from as usize - 1;
            let added = new.split_inclusive('\n').skip(from).take(change.added as usize);
            made.splice(from..from + change.removed as usize, added);
            prop_assert_eq!(made.concat(), new);
        }
    }
}
