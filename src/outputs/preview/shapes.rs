//! The shapes of messages: lines that differ only in what they are about are one, in
//! the manner of Drain.
//!
//! Numbers and ids are masked first, so most lines that are alike are equal then. What
//! is left is compared word by word with the shapes of as many words that begin with
//! the same one; where half agree, it is one shape, and the others become `<*>`.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::page::{short, thousands};
use super::stamp::Level;

/// So much of a message is looked at.
const MESSAGE_BYTES_MAX: usize = 400;
const WORDS_MAX: usize = 40;

/// So many shapes are told apart, and so many masked messages known again.
const SHAPES_MAX: usize = 1_000;
const KNOWN_MAX: usize = 20_000;

/// With so many that begin alike, one is compared.
const ALIKE_MAX: usize = 100;

/// How many are shown, and how many more that are errors.
const SHOWN: usize = 10;
const ERRORS_SHOWN: usize = 5;

/// And how much of each.
const SHOWN_CHARS: usize = 150;

const ANY: &[u8] = b"<*>";

/// The shapes that were seen so far.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    shapes: Vec<Shape>,
    /// By how many words there are and what the first one is.
    alike: HashMap<(usize, Vec<u8>), Vec<usize>>,
    known: HashMap<u64, usize>,
    /// Messages of shapes that were too many.
    others: u64,
    masked: Vec<u8>,
}

#[derive(Debug)]
struct Shape {
    words: Vec<Vec<u8>>,
    count: u64,
    level: Option<Level>,
    first: u64,
}

impl Shapes {
    /// Counts a message, without its time and level.
    pub(super) fn add(&mut self, message: &[u8], level: Option<Level>, line: u64) {
        let message = &message[..message.len().min(MESSAGE_BYTES_MAX)];
        let mut masked = std::mem::take(&mut self.masked);
        mask(message, &mut masked);
        if !masked.is_empty() {
            match self.find(&masked, level, line) {
                Some(at) => self.shapes[at].count += 1,
                None => self.others += 1,
            }
        }
        self.masked = masked;
    }

    fn find(&mut self, masked: &[u8], level: Option<Level>, line: u64) -> Option<usize> {
        let mut hasher = DefaultHasher::new();
        (masked, level.map(|level| level as u8)).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(at) = self.known.get(&hash) {
            return Some(*at);
        }
        let mut words: Vec<&[u8]> =
            masked.split(|byte| *byte == b' ').take(WORDS_MAX + 1).collect();
        if WORDS_MAX < words.len() {
            words[WORDS_MAX] = "…".as_bytes();
        }
        let first = if words[0].contains(&b'<') { Vec::new() } else { words[0].to_vec() };
        let place = (words.len(), first);
        let alike = self.alike.get(&place).map_or(&[][..], Vec::as_slice);
        let best = alike
            .iter()
            .filter(|at| self.shapes[**at].level == level)
            .map(|at| (agreeing(&self.shapes[*at].words, &words), *at))
            // The earliest of those that agree best.
            .max_by_key(|(agree, at)| (*agree, std::cmp::Reverse(*at)));
        let at = match best {
            Some((agree, at)) if words.len() <= agree * 2 => {
                merge(&mut self.shapes[at].words, &words);
                at
            }
            // Nothing is remembered of those that are too many.
            _ if SHAPES_MAX <= self.shapes.len() || ALIKE_MAX <= alike.len() => return None,
            _ => {
                let words = words.iter().map(|word| word.to_vec()).collect();
                self.shapes.push(Shape { words, count: 0, level, first: line });
                self.alike.entry(place).or_default().push(self.shapes.len() - 1);
                self.shapes.len() - 1
            }
        };
        if self.known.len() < KNOWN_MAX {
            self.known.insert(hash, at);
        }
        Some(at)
    }

    /// The most frequent, and errors that are not among them.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut order: Vec<&Shape> = self.shapes.iter().collect();
        order.sort_by_key(|shape| (std::cmp::Reverse(shape.count), shape.first));
        let is_bad = |shape: &&&Shape| shape.level.is_some_and(|level| level <= Level::Error);
        let rest = order.get(SHOWN..).unwrap_or_default();
        let errors: Vec<_> = rest.iter().filter(is_bad).take(ERRORS_SHOWN).collect();
        let mut lines = Vec::new();
        if order.is_empty() {
            return lines;
        }
        let shapes = thousands(order.len() as u64);
        lines.push(match order.len() {
            0..=SHOWN => "shapes of its messages:".into(),
            _ => format!("the {SHOWN} most frequent of {shapes} shapes of messages:"),
        });
        lines.extend(order.iter().take(SHOWN).map(|shape| shape.line()));
        if !errors.is_empty() {
            lines.push("rarer errors:".into());
            lines.extend(errors.iter().map(|shape| shape.line()));
        }
        if 0 < self.others {
            lines.push(format!("and {} messages of other shapes", thousands(self.others)));
        }
        lines
    }
}

impl Shape {
    fn line(&self) -> String {
        let level = self.level.map_or(String::new(), |level| format!("{} ", level.name()));
        let text = short(&self.words.join(&b' '), SHOWN_CHARS);
        let bad = self.level.is_some_and(|level| level <= Level::Error);
        let place = match bad {
            true => format!(" (first in line {})", thousands(self.first)),
            false => String::new(),
        };
        format!("  {} × {level}{text}{place}", thousands(self.count))
    }
}

/// How many words are the same. What is any word already agrees with none.
fn agreeing(shape: &[Vec<u8>], words: &[&[u8]]) -> usize {
    shape
        .iter()
        .zip(words)
        .filter(|(one, other)| one == *other || key(one).is_some_and(|key| other.starts_with(key)))
        .count()
}

fn merge(shape: &mut [Vec<u8>], words: &[&[u8]]) {
    for (word, other) in shape.iter_mut().zip(words) {
        if word != other {
            let key = key(word).filter(|key| other.starts_with(key)).unwrap_or_default();
            *word = [key, ANY].concat();
        }
    }
}

/// The `user=` of `user=alice`.
fn key(word: &[u8]) -> Option<&[u8]> {
    let at = word.iter().position(|byte| *byte == b'=')?;
    (0 < at).then(|| &word[..=at])
}

/// The words of a message with one space between them, its numbers as `<n>` and its ids
/// as `<id>`.
fn mask(message: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut at = 0;
    while at < message.len() {
        let byte = message[at];
        if byte.is_ascii_whitespace() {
            if out.last().is_some_and(|last| *last != b' ') {
                out.push(b' ');
            }
            at += 1;
            continue;
        }
        if !byte.is_ascii_alphanumeric() {
            out.push(byte);
            at += 1;
            continue;
        }
        let run = message[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        match masked(&message[at..at + run]) {
            Some((name, rest)) => placeholder(out, name, rest),
            None => out.extend_from_slice(&message[at..at + run]),
        }
        at += run;
    }
    if out.last() == Some(&b' ') {
        out.pop();
    }
}

/// What a run of letters and digits becomes: a name, and the unit that stays.
fn masked(run: &[u8]) -> Option<(&'static [u8], &[u8])> {
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let leading = run.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = &run[leading..];
    // `12`, `12ms`
    if leading == digits && rest.len() <= 3 && rest.iter().all(u8::is_ascii_alphabetic) {
        return Some((b"<n>", rest));
    }
    let is_hex = run.iter().all(u8::is_ascii_hexdigit);
    let prefixed = run.starts_with(b"0x") && run[2..].iter().all(u8::is_ascii_hexdigit);
    // `s3` and `http2` are words, `7f3a9c` and `k7f2qa9` are not.
    let is_id = prefixed || (is_hex && 6 <= run.len()) || 2 <= digits && run.len() <= digits * 3;
    is_id.then_some((b"<id>", &[][..]))
}

/// Adds one; several that belong together become one: an address, a uuid, `1.5`.
fn placeholder(out: &mut Vec<u8>, name: &'static [u8], rest: &[u8]) {
    let joined = [b".", b":", b"-"].iter().any(|by| {
        let before = out.strip_suffix(*by);
        before.is_some_and(|before| before.ends_with(b"<n>") || before.ends_with(b"<id>"))
    });
    if joined {
        out.pop();
        let is_id = out.ends_with(b"<id>");
        out.truncate(out.len() - if is_id { 4 } else { 3 });
        out.extend_from_slice(if is_id { b"<id>" } else { name });
    } else {
        out.extend_from_slice(name);
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::{SHAPES_MAX, Shapes, mask};
    use crate::outputs::preview::stamp::Level;

    #[test]
    fn numbers_and_ids_are_masked_and_words_are_not() {
        #[rustfmt::skip]
        let table = [
            ("took 12ms of 1.5 s",                          "took <n>ms of <n> s"),
            ("from 10.0.0.1:443  to\ts3",                   "from <n> to s3"),
            ("user 7f3a9c12-0b1d-4e5f-8a9b-0c1d2e3f4a5b",   "user <id>"),
            ("id=k7f2qa9 at 0x7ffd",                        "id=<id> at <id>"),
            ("utf8 http2 sha256 v1",                        "utf8 http2 <id> v1"),
            ("/api/v2/orders/1234/items",                   "/api/v2/orders/<n>/items"),
            ("commit deadbeef and facade",                  "commit deadbeef and facade"),
            ("   ",                                         ""),
        ];
        let mut out = Vec::new();
        for (message, want) in table {
            mask(message.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), want);
        }
    }

    #[test]
    fn alike_is_one_and_rare_errors_are_not_lost() {
        let mut shapes = Shapes::default();
        for n in 0..1_000 {
            let name = ["alice", "bob", "carol"][n % 3];
            shapes.add(format!("user {name} paid {n} euro").as_bytes(), Some(Level::Info), 1);
            shapes.add(format!("done user={name} in {n}ms").as_bytes(), Some(Level::Info), 2);
        }
        for word in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
            for _ in 0..2 {
                shapes.add(format!("{word}{word}{word} began").as_bytes(), None, 3);
            }
        }
        shapes.add(b"the disk of node 17 is full", Some(Level::Error), 4_031);
        insta::assert_snapshot!(shapes.lines().join("\n"), @"
        the 10 most frequent of 13 shapes of messages:
          1,000 × INFO user <*> paid <n> euro
          1,000 × INFO done user=<*> in <n>ms
          2 × aaa began
          2 × bbb began
          2 × ccc began
          2 × ddd began
          2 × eee began
          2 × fff began
          2 × ggg began
          2 × hhh began
        rarer errors:
          1 × ERROR the disk of node <n> is full (first in line 4,031)
        ");
    }

    #[test]
    fn shapes_without_end_are_bounded() {
        let mut shapes = Shapes::default();
        let letters = |n: usize| -> String {
            n.to_string().bytes().map(|digit| char::from(digit + 49)).collect()
        };
        for n in 0..30_000 {
            shapes.add(letters(n).as_bytes(), None, 1);
        }
        assert_eq!(shapes.shapes.len(), SHAPES_MAX);
        assert_eq!(shapes.others, 29_000);
        assert_eq!(shapes.alike.len(), SHAPES_MAX);
        assert_eq!(shapes.known.len(), SHAPES_MAX);
    }
}
