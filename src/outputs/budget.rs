//! How much of a result may be shown, and what that costs whoever reads it.

/// How many characters a result may have. Never more than [`Budget::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget(usize);

impl Budget {
    /// Below what any known client cuts off by itself. What a client cuts goes where
    /// the case cannot see it.
    pub const MAX: Self = Self(20_000);

    /// This many characters, or the most there may be.
    pub fn new(chars: usize) -> Self {
        Self(chars).min(Self::MAX)
    }

    pub fn chars(self) -> usize {
        self.0
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self(8_000)
    }
}

/// About how many characters of plain text are one token.
const TOKEN_CHARS: u64 = 4;

/// An estimate of what a model pays for a text. Each has its own way of counting, and
/// this is near enough to tell dear from cheap.
pub fn tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(TOKEN_CHARS)
}

#[cfg(test)]
mod tests {
    use super::{Budget, tokens};

    #[test]
    fn a_budget_has_an_end_and_a_text_has_a_price() {
        assert_eq!(Budget::new(1_000_000), Budget::MAX);
        assert_eq!(Budget::new(7).chars(), 7);
        assert!(Budget::default() < Budget::MAX);
        let table = [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("ééé€", 1)];
        for (text, want) in table {
            assert_eq!(tokens(text), want, "{text}");
        }
    }
}
