//! What every error of this program can say besides what happened: the way out.
//!
//! A message states what happened to what, in lower case and without a full
//! stop. A hint is the next thing to do, in one sentence. The two never mix, so
//! that a driver can print, colour or count them apart.

use std::error::Error;

/// An error that may know the way out.
pub trait Hint: Error {
    /// The next thing to do, as one imperative sentence, or nothing at all.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The known word nearest to what was typed, if one is near enough to be meant. What is
/// far longer than any word is compared with none: that would cost its length in memory.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = typed.chars().count();
    known
        .into_iter()
        .map(|word| (word.chars().count(), word))
        .map(|(chars, word)| (chars.max(3) / 3, chars, word))
        // Each one more or less is a slip.
        .filter(|(slips_max, chars, _)| length.abs_diff(*chars) <= *slips_max)
        .map(|(slips_max, _, word)| (slips_max, strsim::damerau_levenshtein(typed, word), word))
        .filter(|(slips_max, slips, _)| slips <= slips_max)
        .map(|(_, slips, word)| (slips, word))
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_a_stranger_is_not() {
        #[rustfmt::skip]
        let table = [
            // typed          nearest of the known words
            ("polcy",         Some("policy")),
            ("limit",         Some("limits")),
            ("memory_mb",     Some("memory_mib")),
            ("hmoe",          Some("home")),
            ("policy",        Some("policy")),
            ("colour",        None),
            ("",              None),
        ];
        for (typed, want) in table {
            let got = nearest(typed, ["policy", "limits", "memory_mib", "home"]);
            assert_eq!(got, want, "typed {typed:?}");
        }
    }
}
