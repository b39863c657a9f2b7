//! Reads Rust text just well enough to see what it names: words and signs with
//! their lines, without comments and literals.
//!
//! It knows nothing of macros, so a macro can hide a path from it. Its job is to
//! stop accidents, not a colleague with a plan.

/// One name or sign of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// A path that starts at the root of the crate: where it is, and the room it
/// enters. `*` stands for the root itself, from which any room can be reached.
pub(crate) type Reach<'a> = Word<'a>;

/// The names and signs of `text`; of the signs only `::` has two letters.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let (mut line, mut rest) = (1, text);
    while !rest.is_empty() {
        let (length, is_code) = piece(rest);
        let (text, after) = rest.split_at(length);
        if is_code {
            words.push(Word { line, text });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    words
}

/// Every path in `words` that starts at the root of the crate, in whichever way
/// it is spelt: `crate::a`, `crate::{a, b}`, enough `super::`, the crate's name.
pub(crate) fn reaches<'a>(path: &str, words: &[Word<'a>]) -> Vec<Reach<'a>> {
    let text = |at: usize| words.get(at).map_or("", |word| word.text);
    let mut found = Vec::new();
    // Which of the open braces are inline modules: each takes one `super` more.
    let mut braces = Vec::new();
    for at in 0..words.len() {
        match text(at) {
            "{" => braces.push(at.checked_sub(2).is_some_and(|at| text(at) == "mod")),
            "}" => drop(braces.pop()),
            "crate" if text(at + 1) == "as" => found.push(Word { text: "*", ..words[at] }),
            "crate" | "casefile" if text(at + 1) == "::" => enter(words, at + 2, &mut found),
            "super" if at < 2 || text(at - 2) != "super" => {
                let climbs = (at..).step_by(2);
                let climbs = climbs.take_while(|at| text(*at) == "super" && text(at + 1) == "::");
                let climbs = climbs.count();
                let inline = braces.iter().filter(|is_module| **is_module).count();
                if 0 < climbs && level(path) + inline <= climbs {
                    enter(words, at + 2 * climbs, &mut found);
                }
            }
            _ => (),
        }
    }
    found
}

/// What stands after `crate::`: one name, or a group of them.
fn enter<'a>(words: &[Word<'a>], at: usize, found: &mut Vec<Reach<'a>>) {
    let Some(first) = words.get(at) else { return };
    let mut group = Vec::new();
    if first.text == "{" {
        let mut depth = 0;
        for pair in words[at..].windows(2) {
            match pair[0].text {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => (),
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && ["{", ","].contains(&pair[0].text) && pair[1].text != "}" {
                group.push(pair[1]);
            }
        }
    } else {
        group.push(*first);
    }
    for word in group {
        let text = if word.text == "self" { "*" } else { word.text };
        found.push(Word { text, ..word });
    }
}

/// How many `super` lead from a file to the root of the crate.
fn level(path: &str) -> usize {
    let path = path.trim_start_matches("src/");
    path.trim_end_matches("/mod.rs").split('/').count()
}

/// The length of what `rest` begins with, and whether that is code.
fn piece(rest: &str) -> (usize, bool) {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let to_end = rest.len();
    if rest.starts_with("//") {
        (rest.find('\n').unwrap_or(to_end), false)
    } else if rest.starts_with("/*") {
        (block_comment(rest), false)
    } else if let Some(length) = literal(rest) {
        (length, false)
    } else if rest.starts_with(is_name) {
        (rest.find(|c| !is_name(c)).unwrap_or(to_end), true)
    } else if rest.starts_with("::") {
        (2, true)
    } else {
        let sign = rest.chars().next().unwrap_or(' ');
        (sign.len_utf8(), !sign.is_whitespace())
    }
}

/// The length of the comment at the start of `rest`, with those inside it.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(next) = rest[at..].find("/*").into_iter().chain(rest[at..].find("*/")).min() {
        at += next;
        if rest[at..].starts_with("/*") {
            depth += 1;
        } else {
            depth -= 1;
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of the text or character at the start of `rest`, if there is one.
fn literal(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let body = &rest[prefix..];
    if rest[..prefix].ends_with('r') {
        let hashes = body.find(|c| c != '#')?;
        let from = hashes + 1;
        let inside = body[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
        return Some(prefix + from + length);
    }
    let mut chars = body.chars();
    let quote = chars.next()?;
    let (second, third) = (chars.next(), chars.next());
    // A quote that is not closed after one character begins a lifetime.
    let is_char = quote == '\'' && (second == Some('\\') || third == Some('\''));
    (quote == '"' || is_char).then(|| prefix + quoted(body, quote))
}

/// The length of the quotation at the start of `body`, both its quotes included.
fn quoted(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    body.len()
}

#[test]
fn comments_and_literals_are_no_words() {
    #[rustfmt::skip]
    let table: &[(&str, &[&str])] = &[
        // text                                       its words
        ("use crate::a;",                             &["use", "crate", "::", "a", ";"]),
        ("x // unsafe",                               &["x"]),
        ("//! unsafe\n/// unsafe\ny",                 &["y"]),
        ("a /* unsafe /* b */ unsafe */ c",           &["a", "c"]),
        (r#"f("unsafe \" unsafe") g"#,                &["f", "(", ")", "g"]),
        (r###"r#"unsafe " unsafe"# h"###,             &["h"]),
        (r#"br"unsafe\" i"#,                          &["i"]),
        (r#"b"unsafe" c"unsafe" j"#,                  &["j"]),
        (r#"'"' k '\'' '\u{1F600}' b'"' l"#,          &["k", "l"]),
        ("&'a str",                                   &["&", "'", "a", "str"]),
        ("r#unsafe",                                  &["r", "#", "unsafe"]),
        ("crab",                                      &["crab"]),
        ("é \"ü\" ö",                                 &["é", "ö"]),
        ("\"never closed",                            &[]),
    ];
    for (text, want) in table {
        let got: Vec<_> = words(text).iter().map(|word| word.text).collect();
        assert_eq!(got, *want, "text {text:?}");
    }
    let lines: Vec<_> = words("a\n\"x\n\n\" b\n/*\n*/ c").iter().map(|word| word.line).collect();
    assert_eq!(lines, [1, 4, 6]);
}

#[test]
fn a_path_from_the_root_is_seen_however_it_is_spelt() {
    #[rustfmt::skip]
    let table: &[(&str, &str, &[&str])] = &[
        // file            text                                            rooms
        ("src/a.rs",       "use crate::b::C;",                             &["b"]),
        ("src/a.rs",       "pub(crate) use crate::b;",                     &["b"]),
        ("src/a.rs",       "fn f() -> crate::b::C { crate::d::e() }",      &["b", "d"]),
        ("src/a.rs",       "use crate::{\n  b::{C, D},\n  e,\n};",         &["b", "e"]),
        ("src/a.rs",       "use {crate::b, std::fs, crate::c::{D}};",      &["b", "c"]),
        ("src/a.rs",       "use crate::*;",                                &["*"]),
        ("src/a.rs",       "use crate as root;",                           &["*"]),
        ("src/a.rs",       "use crate::{self as root};",                   &["*"]),
        ("src/a.rs",       "pub(in crate::b) fn f() {}",                   &["b"]),
        ("src/a.rs",       "use super::b;",                                &["b"]),
        ("src/a/mod.rs",   "use super::{b, c::D};",                        &["b", "c"]),
        ("src/a/x.rs",     "use super::b;",                                &[]),
        ("src/a/x.rs",     "use super::super::b;",                         &["b"]),
        ("src/a/x/mod.rs", "use super::super::b;",                         &["b"]),
        ("src/a.rs",       "mod tests { use super::b; }",                  &[]),
        ("src/a.rs",       "mod tests { use super::super::b; }",           &["b"]),
        ("src/a.rs",       "mod tests { } fn f() { super::b() }",          &["b"]),
        ("src/main.rs",    "casefile::cli::main()",                        &["cli"]),
        ("src/a.rs",       "// use crate::b;\nlet s = \"crate::b\";",      &[]),
        ("src/a.rs",       "pub(crate) struct A; pub(super) struct B;",    &[]),
    ];
    for (path, text, want) in table {
        let got: Vec<_> = reaches(path, &words(text)).iter().map(|reach| reach.text).collect();
        assert_eq!(got, *want, "{path}: {text:?}");
    }
}
