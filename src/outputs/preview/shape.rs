//! The shape of JSON: which keys, of which types, how often, how long the lists are.
//!
//! One node stands for all values at the same place, so a list of a million objects is
//! one object here. The number of nodes is bounded, whatever the document.

use super::page::{short, thousands};

/// So many nodes are there at most, and so many keys of one object.
const NODES_MAX: usize = 4_000;
const KEYS_MAX: usize = 200;

/// An object with more different keys than this may be a map, whose keys are data.
const MAP_KEYS: usize = 40;

/// So much is shown of a value and of a key.
const EXAMPLE_CHARS: usize = 48;
const KEY_CHARS: usize = 60;
const LINE_CHARS: usize = 200;

/// A way of `jq` that is longer helps nobody.
const WAY_BYTES_MAX: usize = 120;

/// All values at one place.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) key: Vec<u8>,
    objects: u64,
    lists: u64,
    strings: u64,
    numbers: u64,
    bools: u64,
    nulls: u64,
    /// The least and the greatest length of its lists.
    lengths: Option<(u64, u64)>,
    example: String,
    keys: Vec<usize>,
    /// Values of keys that were too many.
    others: u64,
    item: Option<usize>,
}

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    String,
    Number,
    Bool,
    Null,
}

/// The shape of a document, or of many.
#[derive(Debug)]
pub(super) struct Shape {
    nodes: Vec<Node>,
}

/// The node of the whole.
pub(super) const ROOT: usize = 0;

impl Default for Shape {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Shape {
    pub(super) fn object(&mut self, at: usize) {
        self.nodes[at].objects += 1;
    }

    pub(super) fn list(&mut self, at: usize) {
        self.nodes[at].lists += 1;
    }

    /// A list has ended, or all that is known of it is that it has so many.
    pub(super) fn length(&mut self, at: usize, length: u64) {
        let (least, greatest) = self.nodes[at].lengths.unwrap_or((length, length));
        self.nodes[at].lengths = Some((least.min(length), greatest.max(length)));
    }

    pub(super) fn scalar(&mut self, at: usize, scalar: Scalar, text: &[u8]) {
        let node = &mut self.nodes[at];
        match scalar {
            Scalar::String => node.strings += 1,
            Scalar::Number => node.numbers += 1,
            Scalar::Bool => node.bools += 1,
            Scalar::Null => node.nulls += 1,
        }
        if node.example.is_empty() && scalar != Scalar::Null {
            let text = short(text, EXAMPLE_CHARS);
            node.example = if scalar == Scalar::String { format!("\"{text}\"") } else { text };
        }
    }

    /// The node of a key. `expected` is where it was in the object before, more or less.
    pub(super) fn key(&mut self, at: usize, key: &[u8], expected: usize) -> Option<usize> {
        let keys = &self.nodes[at].keys;
        if let Some(node) = keys.get(expected)
            && self.nodes[*node].key == key
        {
            return Some(*node);
        }
        if let Some(node) = keys.iter().find(|node| self.nodes[**node].key == key) {
            return Some(*node);
        }
        if KEYS_MAX <= keys.len() || NODES_MAX <= self.nodes.len() {
            self.nodes[at].others += 1;
            return None;
        }
        let node = self.add(key);
        self.nodes[at].keys.push(node);
        Some(node)
    }

    /// The node of all items of a list.
    pub(super) fn item(&mut self, at: usize) -> Option<usize> {
        if self.nodes[at].item.is_none() && self.nodes.len() < NODES_MAX {
            self.nodes[at].item = Some(self.add(b""));
        }
        self.nodes[at].item
    }

    fn add(&mut self, key: &[u8]) -> usize {
        self.nodes.push(Node { key: key.into(), ..Node::default() });
        self.nodes.len() - 1
    }

    /// As deep as it fits into so many characters.
    pub(super) fn lines(&self, room: usize, whole: bool) -> Vec<String> {
        let mut best = Vec::new();
        for depth in 1..=12 {
            let mut lines = Vec::new();
            self.describe(ROOT, 0, depth, 1, whole, &mut lines);
            let chars: usize = lines.iter().map(|line| line.chars().count() + 1).sum();
            if best.is_empty() || (chars <= room && lines.len() != best.len()) {
                best = lines;
            } else if room < chars {
                break;
            }
        }
        best
    }

    /// A line for this node and those below it.
    fn describe(
        &self,
        at: usize,
        indent: usize,
        depth: usize,
        parents: u64,
        whole: bool,
        lines: &mut Vec<String>,
    ) {
        let node = &self.nodes[at];
        let mut line = "  ".repeat(indent);
        if at != ROOT {
            line += &short(&node.key, KEY_CHARS);
            if node.count() < parents {
                let (count, all) = (thousands(node.count()), thousands(parents));
                line += &format!(" ({count} of {all})");
            }
            line += ": ";
        }
        line += &self.type_of(at, whole);
        lines.push(short(line.as_bytes(), LINE_CHARS));
        if depth == 0 {
            return;
        }
        // The items of a list are told on the line of the list.
        let (mut object, mut of) = (at, node.objects);
        while self.nodes[object].keys.is_empty()
            && let Some(item) = self.nodes[object].item
        {
            (object, of) = (item, self.nodes[item].objects);
        }
        let keys = &self.nodes[object].keys;
        let others = self.nodes[object].others;
        if let Some(first) = keys.first().filter(|_| MAP_KEYS < keys.len() && self.is_map(object)) {
            let at = lines.len();
            self.describe(*first, indent + 1, depth - 1, 1, whole, lines);
            let (space, first) = ("  ".repeat(indent + 1), lines[at].trim_start());
            lines[at] = format!("{space}each, such as {first}");
            return;
        }
        for key in keys {
            self.describe(*key, indent + 1, depth - 1, of, whole, lines);
        }
        if 0 < others {
            lines.push(format!("{}… and values of other keys", "  ".repeat(indent + 1)));
        }
    }

    /// Most of its keys occur in few of its objects.
    fn is_map(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        let rare =
            node.keys.iter().filter(|key| self.nodes[**key].count() * 2 <= node.objects.max(2));
        node.keys.len() <= rare.count() * 2
    }

    /// What is at this place, in a few words.
    fn type_of(&self, at: usize, whole: bool) -> String {
        let node = &self.nodes[at];
        let mut kinds = Vec::new();
        if 0 < node.objects {
            let keys = node.keys.len();
            let more = if 0 < node.others { "over " } else { "" };
            let noun = if keys == 1 { "key" } else { "keys" };
            let times = match node.objects {
                objects if at == ROOT && 1 < objects => format!("{} × ", thousands(objects)),
                _ => String::new(),
            };
            kinds.push(format!("{times}object, {more}{keys} {noun}"));
        }
        if 0 < node.lists {
            let (least, greatest) = node.lengths.unwrap_or_default();
            let over = if whole { "" } else { "over " };
            let length = match least == greatest {
                true => thousands(least),
                false => format!("{}-{}", thousands(least), thousands(greatest)),
            };
            let items = node.item.map(|item| self.type_of(item, whole));
            let items = items.filter(|items| !items.is_empty()).unwrap_or_else(|| "nothing".into());
            let over = if at == ROOT || node.lists == 1 { over } else { "" };
            kinds.push(format!("list of {over}{length} × {items}"));
        }
        let scalars = [
            (node.strings, "string"),
            (node.numbers, "number"),
            (node.bools, "bool"),
            (node.nulls, "null"),
        ];
        kinds
            .extend(scalars.iter().filter(|(count, _)| 0 < *count).map(|(_, name)| (*name).into()));
        let mut text = kinds.join(" or ");
        if !node.example.is_empty() {
            text += &format!(", as {}", node.example);
        }
        text
    }

    /// The way to the list that is the longest, as `jq` writes it, and its items.
    pub(super) fn longest_list(&self) -> Option<(String, u64)> {
        let mut best: Option<(String, u64)> = None;
        let mut ways = vec![(ROOT, String::new())];
        while let Some((at, way)) = ways.pop() {
            let node = &self.nodes[at];
            if let Some((_, greatest)) = node.lengths
                && best.as_ref().is_none_or(|(_, length)| *length < greatest)
            {
                best = Some((way.clone(), greatest));
            }
            // Within a list there are many, and none is the one.
            for key in node.keys.iter().rev() {
                if let Some(step) = step(&self.nodes[*key].key)
                    && way.len() + step.len() <= WAY_BYTES_MAX
                {
                    ways.push((*key, format!("{way}{step}")));
                }
            }
        }
        best.map(|(way, length)| (if way.is_empty() { ".".into() } else { way }, length))
    }

    pub(super) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }
}

impl Node {
    fn count(&self) -> u64 {
        self.objects + self.lists + self.strings + self.numbers + self.bools + self.nulls
    }
}

/// One step of a way of `jq`, if the key can be written plainly.
fn step(key: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(key).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = text.chars().all(plain) && !text.starts_with(|c: char| c.is_ascii_digit());
    if is_name && !text.is_empty() {
        return Some(format!(".{text}"));
    }
    let quotable = text.chars().all(|c| plain(c) || " -./:@".contains(c)) && text.len() <= 60;
    quotable.then(|| format!("[\"{text}\"]"))
}
