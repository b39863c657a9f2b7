//! What was answered before, so that the same answer need not be read twice.

use std::collections::{HashMap, VecDeque};

/// The answers of so many calls are known.
const CALLS_MAX: usize = 4_096;
/// A shorter answer costs less than the word that it is the same.
const CHARS_MIN: usize = 200;

/// Which call had which answer.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    calls: HashMap<String, Known>,
    /// The one that was asked longest ago is the first.
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Known {
    digest: String,
    call: u64,
}

impl Repeats {
    /// The call that asked the same and had the same answer.
    pub(super) fn known(&self, asked: &str, digest: &str) -> Option<u64> {
        self.calls.get(asked).filter(|known| known.digest == digest).map(|known| known.call)
    }

    /// Takes note of an answer that was shown.
    pub(super) fn note(&mut self, asked: String, digest: String, call: u64, chars: usize) {
        if chars < CHARS_MIN {
            self.forget(&asked);
            return;
        }
        if self.calls.insert(asked.clone(), Known { digest, call }).is_none() {
            self.order.push_back(asked);
        }
        while CALLS_MAX < self.order.len() {
            if let Some(oldest) = self.order.pop_front() {
                self.calls.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, asked: &str) {
        if self.calls.remove(asked).is_some() {
            self.order.retain(|other| other != asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CALLS_MAX, Repeats};

    #[test]
    fn only_the_same_question_with_the_same_answer_is_a_repeat() {
        let mut repeats = Repeats::default();
        repeats.note("read a".into(), "1".into(), 12, 1_000);
        repeats.note("read b".into(), "1".into(), 13, 10);
        assert_eq!(repeats.known("read a", "1"), Some(12));
        assert_eq!(repeats.known("read a", "2"), None, "it has changed");
        assert_eq!(repeats.known("read b", "1"), None, "too short to be worth a word");
        repeats.note("read a".into(), "2".into(), 14, 1_000);
        assert_eq!(repeats.known("read a", "2"), Some(14));
        assert_eq!(repeats.known("read a", "1"), None);
        for n in 0..CALLS_MAX as u64 {
            repeats.note(format!("grep {n}"), "1".into(), 20 + n, 1_000);
        }
        assert_eq!(repeats.known("read a", "2"), None, "it was asked longest ago");
        assert_eq!((repeats.calls.len(), repeats.order.len()), (CALLS_MAX, CALLS_MAX));
    }
}
