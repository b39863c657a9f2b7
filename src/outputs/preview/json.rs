//! JSON of any size, read once, byte by byte: a document, or one on each line.
//!
//! Nothing of it is kept but its shape, so a document of gigabytes costs no more memory
//! than a small one, and one that is nested a million deep is only counted below a
//! certain depth.

use std::io;

use memchr::memchr2;

use super::log::{Levels, Span};
use super::page::thousands;
use super::reading::{each_block, each_line};
use super::shape::{ROOT, Scalar, Shape};
use super::shapes::Shapes;
use super::stamp::Level;
use super::{About, Sketch, Source};

/// So much is remembered of one string, key or number.
const TEXT_BYTES_MAX: usize = 256;

/// Below this, only brackets are counted.
const DEPTH_MAX: usize = 40;

/// So many first lines are tried.
const LINES_TRIED: usize = 20;

/// Whether this begins as one JSON value on each line.
pub(in crate::outputs) fn is_lines(head: &[u8]) -> bool {
    let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').take(LINES_TRIED).collect();
    if lines.len() < 2 {
        return false;
    }
    // The last may be cut off.
    lines.pop();
    let lines: Vec<_> = lines.iter().filter(|line| !line.trim_ascii().is_empty()).collect();
    let mut json = Json::default();
    // One line alone can be a whole document.
    (2 <= lines.len() || head.trim_ascii_end().contains(&b'\n'))
        && lines
            .iter()
            .all(|line| matches!(line.trim_ascii().first(), Some(b'{' | b'[')) && json.record(line))
}

/// Whether this begins as a JSON document.
pub(in crate::outputs) fn is_json(head: &[u8]) -> bool {
    let mut json = Json::default();
    json.feed(head);
    json.fault.is_none() && (json.is_done() || 0 < json.tokens)
}

pub(super) fn sketch(
    source: &mut dyn Source,
    size: u64,
    about: &About<'_>,
    room: usize,
) -> io::Result<Sketch> {
    let mut json = Json::default();
    let part = each_block(source, size, |block| {
        json.feed(block);
        json.fault.is_none()
    })?;
    if part.whole {
        // A number may end with the document.
        json.feed(b"\n");
    }
    let mut lines = Vec::new();
    let cut = json.fault.is_none() && !part.whole;
    if let Some(at) = json.fault {
        lines.push(format!("[it is JSON only up to byte {}]", thousands(at)));
    } else if part.whole && !json.is_done() {
        lines.push("[it ends in the middle of a value]".into());
    }
    lines.extend(part.note().filter(|_| cut));
    json.close();
    lines.extend(json.shape.lines(room.saturating_sub(80), part.whole));
    let list = json.shape.longest_list().filter(|(_, length)| 1 < *length);
    let next = list.map(|(way, length)| {
        let first = if way == "." { ".[0]".into() } else { format!("{way}[0]") };
        format!("shell `jq '{first}' {}`; {way} has {} items", about.path, thousands(length))
    });
    let next = next.unwrap_or_else(|| format!("shell `jq . {} | head -50`", about.path));
    Ok(Sketch { lines, next: Some(next) })
}

/// One value a line, as programs log.
pub(super) fn sketch_lines(
    source: &mut dyn Source,
    size: u64,
    about: &About<'_>,
    room: usize,
) -> io::Result<Sketch> {
    let mut json = Json::default();
    let (mut span, mut levels, mut messages) =
        (Span::default(), Levels::default(), Shapes::default());
    let (mut records, mut bad, mut first_bad) = (0_u64, 0_u64, 0);
    let part = each_line(source, size, |number, line| {
        if line.trim_ascii().is_empty() {
            return;
        }
        if !json.record(line) {
            bad += 1;
            if bad == 1 {
                first_bad = number;
            }
            return;
        }
        records += 1;
        if let Some(time) = &json.seen.time {
            span.see(time);
        }
        let level = json.seen.level();
        if let Some(level) = level {
            levels.see(level, number);
        }
        if let Some(message) = &json.seen.message {
            messages.add(message, level, number);
        }
    })?;
    let mut lines = vec![format!("{} records", thousands(records))];
    if 0 < bad {
        let (bad, first) = (thousands(bad), thousands(first_bad));
        lines[0] += &format!(", and {bad} lines that are no JSON (the first is line {first})");
    }
    lines.extend(span.text());
    lines.extend(levels.line());
    lines.extend(part.note());
    let messages = messages.lines();
    // Where there are messages, both have a share.
    let room = if messages.is_empty() { room } else { room / 2 };
    lines.extend(json.shape.lines(room.saturating_sub(120), true));
    lines.extend(messages);
    let next = levels.next(about.path);
    let next =
        next.unwrap_or_else(|| format!("shell `head -1 {} | jq .`; or grep in it", about.path));
    Ok(Sketch { lines, next: Some(next) })
}

/// A reader that is somewhere in a document.
#[derive(Debug, Default)]
struct Json {
    shape: Shape,
    open: Vec<Open>,
    /// How many more are open than are looked at.
    deeper: u64,
    state: State,
    /// The string, number or word that is being read, as much of it as is remembered.
    text: Vec<u8>,
    bytes: u64,
    tokens: u64,
    /// How many whole documents there were.
    values: u64,
    /// Where it stopped being JSON.
    fault: Option<u64>,
    seen: Seen,
}

/// What a record says about itself, if it is one of a log.
#[derive(Debug, Default)]
struct Seen {
    time: Option<Vec<u8>>,
    level: Option<Vec<u8>>,
    message: Option<Vec<u8>>,
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
    fn record(&mut self, line: &[u8]) -> bool {
        self.open.clear();
        self.text.clear();
        (self.deeper, self.state, self.fault) = (0, State::Value, None);
        (self.seen, self.values) = (Seen::default(), 0);
        self.feed(line);
        self.feed(b"\n");
        // One value, and not several beside each other.
        self.is_done() && self.values == 1
    }

    fn is_done(&self) -> bool {
        self.fault.is_none() && self.state == State::Done
    }

    /// Counts what has not ended.
    fn close(&mut self) {
        while let Some(open) = self.open.pop() {
            if let (true, Some(node)) = (open.is_list, open.node) {
                self.shape.length(node, open.count);
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
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
                self.begin(State::InString { is_key: false, escaped: false })
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
                self.begin(State::InString { is_key: true, escaped: false })
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
    fn level(&self) -> Option<Level> {
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
    use super::{Json, is_json, is_lines};
    use crate::outputs::preview::tests::shown;

    #[test]
    fn json_is_told_from_what_begins_like_it() {
        #[rustfmt::skip]
        let table = [
            // text                                     a document   one a line
            ("{\"a\": [1, 2.5e3, null, true, \"x\\\"\"]}", true,        false),
            ("{\"a\": 1}\n{\"a\": 2}\n",                  true,        true),
            ("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n",      true,        false),
            ("[1, 2, 3",                               true,        false),
            ("[2026-03-01 12:00:00] started",          false,       false),
            ("[INFO] started",                         false,       false),
            ("[1/5] Building",                         false,       false),
            ("{ int x; }",                             false,       false),
            ("[1, 2}",                                 false,       false),
            ("{\"a\" 1}",                              false,       false),
            ("{\"a\": 1,, \"b\": 2}",                  false,       false),
        ];
        for (text, document, lines) in table {
            assert_eq!(
                (is_json(text.as_bytes()), is_lines(text.as_bytes())),
                (document, lines),
                "{text}"
            );
        }
    }

    #[test]
    fn a_document_shows_its_shape() {
        let mut items = Vec::new();
        for n in 0..500 {
            let tags = vec!["prod"; n % 4];
            let mut item = serde_json::json!({
                "id": format!("a-{n}"), "value": n as f64 / 2.0, "tags": tags,
                "owner": {"team": "pay", "mail": "pay@shop.example"}, "closed": null,
            });
            if n % 5 == 0 {
                item["note"] = "seen \u{1b}[31mred".into();
            }
            items.push(item);
        }
        let by_id: serde_json::Map<_, _> =
            (0..300).map(|n| (format!("id-{n}"), serde_json::json!({"ok": n % 2 == 0}))).collect();
        let document = serde_json::json!({"total": 500, "alerts": items, "by id": by_id});
        insta::assert_snapshot!(shown(format!("{document:#}").as_bytes(), 2_000), @r#"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · JSON · 119,113 bytes · 7,132 lines · sha256 e3b0c44298fc1c14…
        object, 3 keys
          alerts: list of 500 × object, 6 keys
            closed: null
            id: string, as "a-0"
            note (100 of 500): string, as "seen \u001b[31mred"
            owner: object, 2 keys
              mail: string, as "pay@shop.example"
              team: string, as "pay"
            tags: list of 0-3 × string, as "prod"
            value: number, as 0.0
          by id: object, over 200 keys
            keys such as "id-0", each:
              id-0: object, 1 key
                ok: bool, as true
          total: number, as 500
        [lines 1-35 of 7,132]
        {
          "alerts": [
            {
              "closed": null,
              "id": "a-0",
              "note": "seen \u001b[31mred",
              "owner": {
                "mail": "pay@shop.example",
                "team": "pay"
              },
              "tags": [],
              "value": 0.0
            },
            {
              "closed": null,
              "id": "a-1",
              "owner": {
                "mail": "pay@shop.example",
                "team": "pay"
              },
              "tags": [
                "prod"
              ],
              "value": 0.5
            },
            {
              "closed": null,
              "id": "a-2",
              "owner": {
                "mail": "pay@shop.example",
                "team": "pay"
              },
              "tags": [
                "prod",
                "prod"
        [lines 7,086-7,132]
              "ok": true
            },
            "id-87": {
              "ok": false
            },
            "id-88": {
              "ok": true
            },
            "id-89": {
              "ok": false
            },
            "id-9": {
              "ok": false
            },
            "id-90": {
              "ok": true
            },
            "id-91": {
              "ok": false
            },
            "id-92": {
              "ok": true
            },
            "id-93": {
              "ok": false
            },
            "id-94": {
              "ok": true
            },
            "id-95": {
              "ok": false
            },
            "id-96": {
              "ok": true
            },
            "id-97": {
              "ok": false
            },
            "id-98": {
              "ok": true
            },
            "id-99": {
              "ok": false
            }
          },
          "total": 500
        }
        next: shell `jq '.alerts[0]' /case/outputs/0007-shell.txt`; .alerts has 500 items
        "#);
        // On one line, and cut off.
        let text = document.to_string();
        insta::assert_snapshot!(shown(&text.as_bytes()[..20_000], 900), @r#"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · JSON · 20,000 bytes · 1 line · sha256 e3b0c44298fc1c14…
        [it ends in the middle of a value]
        object, 1 key
          alerts: list of 173 × object, 6 keys
            closed: null
            id: string, as "a-0"
            note (35 of 173): string, as "seen \u001b[31mred"
            owner: object, 2 keys
              mail: string, as "pay@shop.example"
              team: string, as "pay"
            tags: list of 0-3 × string, as "prod"
            value (172 of 173): number, as 0.0
        [line 1 of 1]
        {"alerts":[{"closed":null,"id":"a-0","note":"seen \u001b[31mred",…[20,000 bytes]…":"pay"},"tags":[],"va
        next: shell `jq '.alerts[0]' /case/outputs/0007-shell.txt`; .alerts has 173 items
        "#);
    }

    #[test]
    fn records_show_their_keys_and_what_a_log_would() {
        let mut text = String::new();
        for n in 0..1_000 {
            let level = if n % 250 == 3 { "error" } else { "info" };
            let trace = if n % 10 == 0 { ",\"trace\":\"7f3a9c\"" } else { "" };
            text += &format!(
                "{{\"time\":\"2026-03-01T12:00:00.{n:03}Z\",\"level\":\"{level}\",\"msg\":\"order {n} paid\",\"ms\":{n}{trace}}}\n"
            );
        }
        text += "this is no JSON\n";
        insta::assert_snapshot!(shown(text.as_bytes(), 1_500), @r#"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · JSON lines · 84,500 bytes · 1,001 lines · sha256 e3b0c44298fc1c14…
        1,000 records, and 1 lines that are no JSON (the first is line 1,001)
        from 2026-03-01T12:00:00.000Z to 2026-03-01T12:00:00.999Z
        ERROR 4 (first in line 4) · INFO 996
        1,000 × object, 5 keys
          time: string, as "2026-03-01T12:00:00.000Z"
          level: string, as "info"
          msg: string, as "order 0 paid"
          ms: number, as 0
          trace (100 of 1,000): string, as "7f3a9c"
        shapes of its messages:
          996 × INFO order <n> paid
          4 × ERROR order <n> paid (first in line 4)
        [lines 1-4 of 1,001]
        {"time":"2026-03-01T12:00:00.000Z","level":"info","msg":"order 0 paid","ms":0,"trace":"7f3a9c"}
        {"time":"2026-03-01T12:00:00.001Z","level":"info","msg":"order 1 paid","ms":1}
        {"time":"2026-03-01T12:00:00.002Z","level":"info","msg":"order 2 paid","ms":2}
        {"time":"2026-03-01T12:00:00.003Z","level":"error","msg":"order 3 paid","ms":3}
        [lines 997-1,001]
        {"time":"2026-03-01T12:00:00.996Z","level":"info","msg":"order 996 paid","ms":996}
        {"time":"2026-03-01T12:00:00.997Z","level":"info","msg":"order 997 paid","ms":997}
        {"time":"2026-03-01T12:00:00.998Z","level":"info","msg":"order 998 paid","ms":998}
        {"time":"2026-03-01T12:00:00.999Z","level":"info","msg":"order 999 paid","ms":999}
        this is no JSON
        next: read_file /case/outputs/0007-shell.txt from=1, the first error is in line 4; or grep in it
        "#);
    }

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
