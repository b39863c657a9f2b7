//! A reader of JSON of any size, byte by byte.
//!
//! Nothing of it is kept but its shape, so a document of gigabytes costs no more memory
//! than a small one, and one that is nested a million deep is only counted below a
//! certain depth.

use memchr::memchr2;

use super::shape::{ROOT, Scalar, Shape};
use super::stamp::Level;

/// So much is remembered of one string, key or number.
const TEXT_BYTES_MAX: usize = 256;

/// Below this, only brackets are counted.
const DEPTH_MAX: usize = 40;

/// A reader that is somewhere in a document.
#[derive(Debug, Default)]
pub(super) struct Json {
    pub(super) shape: Shape,
    open: Vec<Open>,
    /// How many more are open than are looked at.
    deeper: u64,
    state: State,
    /// The string, number or word that is being read, as much of it as is remembered.
    text: Vec<u8>,
    bytes: u64,
    pub(super) tokens: u64,
    /// How many whole documents there were.
    values: u64,
    /// Where it stopped being JSON.
    pub(super) fault: Option<u64>,
    pub(super) seen: Seen,
}

/// What a record says about itself, if it is one of a log.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) time: Option<Vec<u8>>,
    level: Option<Vec<u8>>,
    pub(super) message: Option<Vec<u8>>,
}

/// An object or a list that has begun.
#[derive(Debug)]
struct Open {
    /// Nothing, if the shape has no room for it.
    node: Option<usize>,
    is_list: bool,
    count: u64,
    /// Where the value goes that comes next.
    value: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A value must come; in a list that has just begun, or its end.
    #[default]
    Value,
    FirstValue,
    /// A key must come; in an object that has just begun, or its end.
    Key,
    FirstKey,
    Colon,
    /// A comma, or an end.
    After,
    InString {
        is_key: bool,
        escaped: bool,
    },
    /// A number or one of the three words.
    InWord,
    /// Below what is looked at, and in a string there.
    Deep,
    DeepString {
        escaped: bool,
    },
    Done,
}

impl Json {
    /// Reads one value that is all of a line; says whether it is.
    pub(super) fn record(&mut self, line: &[u8]) -> bool {
        self.open.clear();
        self.text.clear();
        (self.deeper, self.state, self.fault) = (0, State::Value, None);
        (self.seen, self.values) = (Seen::default(), 0);
        self.feed(line);
        self.feed(b"\n");
        // One value, and not several beside each other.
        self.is_done() && self.values == 1
    }

    pub(super) fn is_done(&self) -> bool {
        self.fault.is_none() && self.state == State::Done
    }

    /// Counts what has not ended.
    pub(super) fn close(&mut self) {
        while let Some(open) = self.open.pop() {
            if let (true, Some(node)) = (open.is_list, open.node) {
                self.shape.length(node, open.count);
            }
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() && self.fault.is_none() {
            at += match self.state {
                State::InString { is_key, escaped } => self.string(&bytes[at..], is_key, escaped),
                State::InWord => self.word(&bytes[at..]),
                State::Deep | State::DeepString { .. } => self.deep(&bytes[at..]),
                state => self.token(bytes[at], state, self.bytes + at as u64),
            };
        }
        self.bytes += bytes.len() as u64;
    }

    /// The rest of a string, or as much of it as is here.
    fn string(&mut self, bytes: &[u8], is_key: bool, escaped: bool) -> usize {
        if escaped {
            self.remember(&bytes[..1]);
            self.state = State::InString { is_key, escaped: false };
            return 1;
        }
        let Some(end) = memchr2(b'"', b'\\', bytes) else {
            self.remember(bytes);
            return bytes.len();
        };
        self.remember(&bytes[..end]);
        if bytes[end] == b'\\' {
            self.remember(b"\\");
            self.state = State::InString { is_key, escaped: true };
            return end + 1;
        }
        if is_key {
            self.key();
        } else {
            self.scalar(Scalar::String);
        }
        end + 1
    }

    fn word(&mut self, bytes: &[u8]) -> usize {
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let length = bytes.iter().take_while(|byte| part(byte)).count();
        self.remember(&bytes[..length]);
        if length < bytes.len() {
            let scalar = match &*self.text {
                b"true" | b"false" => Some(Scalar::Bool),
                b"null" => Some(Scalar::Null),
                [b'-' | b'0'..=b'9', rest @ ..]
                    if rest.iter().all(|byte| b"0123456789+-.eE".contains(byte)) =>
                {
                    Some(Scalar::Number)
                }
                _ => None,
            };
            match scalar {
                Some(scalar) => self.scalar(scalar),
                None => self.fault = Some(self.bytes),
            }
        }
        length
    }

    fn remember(&mut self, bytes: &[u8]) {
        let room = TEXT_BYTES_MAX.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn token(&mut self, byte: u8, state: State, at: u64) -> usize {
        if byte.is_ascii_whitespace() {
            return 1;
        }
        self.tokens += 1;
        match (state, byte) {
            (State::Value | State::FirstValue, b'"') => {
                self.begin(State::InString { is_key: false, escaped: false });
            }
            // After a document there may be another, as `jq` prints them.
            (State::Value | State::FirstValue | State::Done, b'{') => self.enter(false),
            (State::Value | State::FirstValue | State::Done, b'[') => self.enter(true),
            (State::Value | State::FirstValue, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.begin(State::InWord);
                return 0;
            }
            (State::FirstValue | State::After, b']') if self.is_in(true) => self.leave(),
            (State::FirstKey | State::After, b'}') if self.is_in(false) => self.leave(),
            (State::Key | State::FirstKey, b'"') => {
                self.begin(State::InString { is_key: true, escaped: false });
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::After, b',') => {
                self.state = if self.is_in(true) { State::Value } else { State::Key };
            }
            _ => self.fault = Some(at),
        }
        1
    }

    /// Only counts brackets, until those have ended that are too deep.
    fn deep(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            match (self.state, byte) {
                (State::DeepString { escaped: true }, _) => {
                    self.state = State::DeepString { escaped: false };
                }
                (State::DeepString { .. }, b'\\') => {
                    self.state = State::DeepString { escaped: true };
                }
                (State::DeepString { .. }, b'"') => self.state = State::Deep,
                (State::DeepString { .. }, _) => {}
                (_, b'"') => self.state = State::DeepString { escaped: false },
                (_, b'{' | b'[') => self.deeper += 1,
                (_, b'}' | b']') => {
                    self.deeper -= 1;
                    if self.deeper == 0 {
                        self.state = State::After;
                        return at + 1;
                    }
                }
                _ => {}
            }
        }
        bytes.len()
    }

    fn begin(&mut self, state: State) {
        self.text.clear();
        self.state = state;
    }

    fn is_in(&self, list: bool) -> bool {
        self.open.last().is_some_and(|open| open.is_list == list)
    }

    /// Where the value belongs that begins here.
    fn place(&mut self) -> Option<usize> {
        match self.open.last_mut() {
            None => Some(ROOT),
            Some(open) if open.is_list => {
                open.count += 1;
                open.node.and_then(|node| self.shape.item(node))
            }
            Some(open) => open.value.take(),
        }
    }

    fn enter(&mut self, is_list: bool) {
        let node = self.place();
        if let Some(node) = node {
            if is_list { self.shape.list(node) } else { self.shape.object(node) }
        }
        if DEPTH_MAX <= self.open.len() {
            (self.deeper, self.state) = (1, State::Deep);
            return;
        }
        self.open.push(Open { node, is_list, count: 0, value: None });
        self.state = if is_list { State::FirstValue } else { State::FirstKey };
    }

    fn leave(&mut self) {
        if let Some(open) = self.open.pop()
            && let (true, Some(node)) = (open.is_list, open.node)
        {
            self.shape.length(node, open.count);
        }
        self.after();
    }

    fn key(&mut self) {
        if let Some(open) = self.open.last_mut() {
            let expected = usize::try_from(open.count).unwrap_or(usize::MAX);
            open.value = open.node.and_then(|node| self.shape.key(node, &self.text, expected));
            open.count += 1;
        }
        self.state = State::Colon;
    }

    fn scalar(&mut self, scalar: Scalar) {
        if let Some(node) = self.place() {
            self.shape.scalar(node, scalar, &self.text);
            if self.open.len() == 1 && matches!(scalar, Scalar::String | Scalar::Number) {
                self.seen.see(&self.shape.node(node).key, &self.text);
            }
        }
        self.after();
    }

    fn after(&mut self) {
        self.state = State::After;
        if self.open.is_empty() {
            self.state = State::Done;
            self.values += 1;
        }
    }
}

impl Seen {
    fn see(&mut self, key: &[u8], text: &[u8]) {
        let what = match key {
            b"time" | b"ts" | b"timestamp" | b"@timestamp" | b"date" | b"datetime"
            | b"eventTime" => &mut self.time,
            b"level" | b"severity" | b"lvl" | b"levelname" | b"log.level" => &mut self.level,
            b"msg" | b"message" => &mut self.message,
            _ => return,
        };
        what.get_or_insert_with(|| text.into());
    }

    /// Some count their levels, from 10 on.
    pub(super) fn level(&self) -> Option<Level> {
        match self.level.as_deref()? {
            b"60" => Some(Level::Fatal),
            b"50" => Some(Level::Error),
            b"40" => Some(Level::Warn),
            b"30" => Some(Level::Info),
            b"20" => Some(Level::Debug),
            b"10" => Some(Level::Trace),
            word => Level::parse(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn a_shape_is_the_same_wherever_the_blocks_end() {
        let text = br#"{"a\"b": [1, {"c": "x\\"}, [[[]]], -2.5e-3, true], "d": null}"#;
        let whole = |size: usize| {
            let mut json = Json::default();
            for block in text.chunks(size) {
                json.feed(block);
            }
            assert!(json.is_done(), "in blocks of {size}");
            json.shape.lines(10_000, true)
        };
        for size in 1..text.len() {
            assert_eq!(whole(size), whole(text.len()), "in blocks of {size}");
        }
    }

    #[test]
    fn the_deepest_and_the_widest_are_bounded() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        let mut json = Json::default();
        json.feed(deep.as_bytes());
        assert!(json.is_done());
        assert!(json.open.capacity() < 1_000);
        let wide: Vec<_> = (0..100_000).map(|n| format!("\"key-{n}\": {{\"x{n}\": 1}}")).collect();
        let mut json = Json::default();
        json.feed(format!("{{{}}}", wide.join(",")).as_bytes());
        assert!(json.is_done());
        assert!(json.shape.lines(1_000, true).join("\n").len() < 1_000);
    }
}
