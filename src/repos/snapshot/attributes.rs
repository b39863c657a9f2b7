//! What `.gitattributes` files say of the bytes of a file: which line ends it has on
//! disk, whether `$Id$` is filled in, which filter git would run over it.
//!
//! git looks from the deepest directory up, in each file from the last line up, in
//! each line from the last word up, and takes the first thing it finds. A word can be
//! a macro, which only the topmost directory may define; `binary` is the one that
//! everybody has. Nothing but the files of the tree itself is asked: no configuration,
//! no `info/attributes`.
//!
//! Most repositories say nothing here that matters, and pay for nothing: rules that set
//! none of the attributes below are dropped while they are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pattern::Pattern;

/// How a file on disk differs from its blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Finish {
    pub(super) ends: Ends,
    /// Whether `$Id$` becomes `$Id: <blob> $`.
    pub(super) ident: bool,
}

/// The line ends of a file on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ends {
    /// As in the blob.
    #[default]
    AsStored,
    /// CRLF.
    CrLf,
    /// CRLF, if it looks like text and has no CR yet.
    CrLfIfText,
}

/// The rules that hold in a directory: its own, and those of the directories above.
#[derive(Debug)]
pub(super) struct Rules {
    above: Option<Arc<Rules>>,
    /// The bytes of a path from the top that come before the path that rules are for.
    from: usize,
    lines: Vec<Line>,
    /// Defined in the topmost directory only.
    macros: BTreeMap<Vec<u8>, Vec<Setting>>,
}

#[derive(Debug)]
struct Line {
    pattern: Pattern,
    settings: Vec<Setting>,
}

/// An attribute, or the name of a macro, and what it is set to.
type Setting = (Vec<u8>, Value);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    True,
    False,
    /// As if nothing had been said.
    Unspecified,
    Text(Vec<u8>),
}

/// The attributes that change bytes, or that we have to say we do not follow.
const KNOWN: [&[u8]; 6] = [b"text", b"crlf", b"eol", b"ident", b"filter", ENCODING];
const ENCODING: &[u8] = b"working-tree-encoding";

/// git passes over longer lines.
const LINE_BYTES_MAX: usize = 2048;
/// Macros within macros.
const DEPTH_MAX: usize = 16;

/// All that the rules say of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) finish: Finish,
    /// The filter that git would run, were it configured.
    pub(super) filter: Option<Vec<u8>>,
    /// The encoding that git would turn it into.
    pub(super) encoding: Option<Vec<u8>>,
    /// Whether git takes it that the file may not be as it would be stored.
    pub(super) converted: bool,
}

impl Rules {
    /// The rules of a directory whose `.gitattributes` has this text, or those above
    /// where it adds nothing. `dir` is its path from the top.
    pub(super) fn read(text: &[u8], dir: &[u8], above: Option<Arc<Self>>) -> Option<Arc<Self>> {
        let from = if dir.is_empty() { 0 } else { dir.len() + 1 };
        let mut rules = Self { above, from, lines: Vec::new(), macros: BTreeMap::new() };
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let lines: Vec<&[u8]> = text
            .split(|byte| *byte == b'\n')
            .filter(|line| line.len() < LINE_BYTES_MAX)
            .map(<[u8]>::trim_ascii_start)
            .collect();
        if dir.is_empty() {
            for line in &lines {
                if let Some(rest) = line.strip_prefix(b"[attr]") {
                    let mut words = words(rest);
                    let name = words.next().unwrap_or_default();
                    let settings = words.filter_map(setting).collect();
                    rules.macros.insert(name.into(), settings);
                }
            }
        }
        for line in lines {
            if !line.is_empty() && !line.starts_with(b"#") && !line.starts_with(b"[attr]") {
                rules.lines.extend(rules.line(line));
            }
        }
        // The topmost macros have to be found even where nothing uses them there.
        if rules.lines.is_empty() && rules.macros.is_empty() {
            return rules.above.take();
        }
        Some(Arc::new(rules))
    }

    /// What holds for the file `path`, counted from the top.
    pub(super) fn say(&self, path: &[u8]) -> Said {
        let mut found: BTreeMap<&[u8], &Value> = BTreeMap::new();
        let mut rules = Some(self);
        while let Some(here) = rules {
            for line in here.lines.iter().rev() {
                if path.get(here.from..).is_some_and(|path| line.pattern.matches(path)) {
                    self.take(&line.settings, &mut found, DEPTH_MAX);
                }
            }
            rules = here.above.as_deref();
        }
        conclude(&found)
    }

    fn take<'a>(
        &'a self,
        settings: &'a [Setting],
        found: &mut BTreeMap<&'a [u8], &'a Value>,
        depth: usize,
    ) {
        for (name, value) in settings.iter().rev() {
            if found.contains_key(&name[..]) {
                continue;
            }
            found.insert(name, value);
            if *value == Value::True && 0 < depth {
                if let Some(inner) = self.macro_called(name) {
                    self.take(inner, found, depth - 1);
                } else if name == b"binary" {
                    found.entry(b"text").or_insert(&Value::False);
                }
            }
        }
    }

    fn macro_called(&self, name: &[u8]) -> Option<&[Setting]> {
        let mut top = self;
        while let Some(above) = &top.above {
            top = above;
        }
        top.macros.get(name).map(Vec::as_slice)
    }

    fn line(&self, line: &[u8]) -> Option<Line> {
        let (pattern, rest) = if line.starts_with(b"\"") {
            unquote(line)?
        } else {
            let end = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
            (line[..end].to_vec(), &line[end..])
        };
        let settings: Vec<Setting> = words(rest)
            .filter_map(setting)
            .filter(|(name, _)| {
                let name = &name[..];
                KNOWN.contains(&name) || name == b"binary" || self.macro_called(name).is_some()
            })
            .collect();
        if settings.is_empty() {
            return None;
        }
        Some(Line { pattern: Pattern::new(&pattern)?, settings })
    }
}

/// git's own order: `text`, or `crlf` which was its name; then `eol`.
fn conclude(found: &BTreeMap<&[u8], &Value>) -> Said {
    let get = |name: &[u8]| found.get(name).copied();
    let words = |name: &[u8]| match get(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let (mut auto, mut binary, mut text) = (false, false, false);
    for name in [&b"text"[..], b"crlf"] {
        match get(name) {
            Some(Value::True) => text = true,
            Some(Value::False) => binary = true,
            Some(Value::Text(word)) if word == b"auto" => (auto, text) = (true, true),
            Some(Value::Text(word)) if word == b"input" => text = true,
            _ => continue,
        }
        break;
    }
    let eol = |wanted: &[u8]| matches!(get(b"eol"), Some(Value::Text(word)) if word == wanted);
    let crlf = eol(b"crlf");
    let ends = match (binary, crlf, auto) {
        (false, true, true) => Ends::CrLfIfText,
        (false, true, false) => Ends::CrLf,
        _ => Ends::AsStored,
    };
    let ident = get(b"ident") == Some(&Value::True);
    let encoding = words(ENCODING).filter(|name| !name.eq_ignore_ascii_case(b"utf-8"));
    let is_text = !binary && (text || crlf || eol(b"lf"));
    Said {
        converted: is_text || ident || encoding.is_some(),
        finish: Finish { ends, ident },
        filter: words(b"filter"),
        encoding,
    }
}

fn setting(word: &[u8]) -> Option<Setting> {
    let (name, value) = match word.split_first()? {
        (b'-', name) => (name, Value::False),
        (b'!', name) => (name, Value::Unspecified),
        _ => match word.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&word[..equals], Value::Text(word[equals + 1..].into())),
            None => (word, Value::True),
        },
    };
    Some((name.into(), value))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty())
}

/// A pattern in quotes, as in C, and what follows it.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut out = Vec::new();
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((out, rest)),
            b'\\' => {
                let (escaped, after) = rest.split_first()?;
                rest = after;
                out.push(match escaped {
                    b'a' => 7,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    b'\\' | b'"' => *escaped,
                    b'0'..=b'3' => {
                        let digits = [*escaped, *rest.first()?, *rest.get(1)?];
                        rest = &rest[2..];
                        u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?
                    }
                    _ => return None,
                });
            }
            byte => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ends, Finish, Rules};

    #[test]
    fn the_nearest_and_the_last_word_holds() {
        let top = b"[attr]dos text eol=crlf\n* text=auto\n*.bat dos\n*.png binary\n*.id ident\n\
            \"q\\040r\" eol=crlf\n*.win text=auto eol=crlf\n*.lfs filter=lfs -text\n\
            *.old crlf eol=crlf\nboth.bat eol=lf\n*.x eol=crlf\n*.x binary\n*.y binary eol=crlf text\n";
        let top = Rules::read(top, b"", None);
        let below = Rules::read(b"*.bat -text\n/here.c eol=crlf\n# no\n", b"d/e", top.clone());
        let plain = Rules::read(b"*.c diff=cpp\n", b"d", top.clone());
        assert_eq!(plain.as_ref().map(|rules| rules.from), Some(0), "nothing was added");
        #[rustfmt::skip]
        let table = [
            // path           rules    ends
            ("a.c",           &top,    Ends::AsStored),
            ("a.bat",         &top,    Ends::CrLf),
            ("both.bat",      &top,    Ends::AsStored),
            ("a.png",         &top,    Ends::AsStored),
            ("q r",           &top,    Ends::CrLfIfText),
            ("a.win",         &top,    Ends::CrLfIfText),
            ("a.old",         &top,    Ends::CrLfIfText),
            ("a.x",           &top,    Ends::AsStored),
            ("a.y",           &top,    Ends::CrLf),
            ("d/e/a.bat",     &below,  Ends::AsStored),
            ("d/e/here.c",    &below,  Ends::CrLfIfText),
            ("d/e/f/here.c",  &below,  Ends::AsStored),
        ];
        for (path, rules, want) in table {
            let said = rules.as_ref().unwrap().say(path.as_bytes());
            assert_eq!(said.finish.ends, want, "{path}");
        }
        let said = top.as_ref().unwrap().say(b"a.id");
        assert_eq!(said.finish, Finish { ends: Ends::AsStored, ident: true });
        assert_eq!(top.unwrap().say(b"a.lfs").filter.as_deref(), Some(&b"lfs"[..]));
    }

    #[test]
    fn what_changes_no_bytes_is_not_kept() {
        for text in
            ["", "# x\n", "*.c diff=cpp\n*.h linguist-generated\n", "!*.c text\n", "d/ text\n"]
        {
            assert!(Rules::read(text.as_bytes(), b"", None).is_none(), "{text:?}");
        }
    }
}
