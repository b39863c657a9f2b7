//! What the parser's errors become, and that what is written is read again.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;

use super::{FILE_BYTES_MAX, Located, Pairs, Place, Placed, emit, parse};
use crate::hint::Hint;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Shelf {
    name: Option<Placed<String>>,
    locked: Option<bool>,
    books: Vec<Book>,
    prices: Pairs<Placed<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    title: String,
    #[serde(default)]
    kind: Option<Kind>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Novel,
    Atlas,
}

fn shelf(text: &str) -> Result<Shelf, Located> {
    parse(text.as_bytes(), Path::new("shelf.yaml"))
}

#[test]
fn what_is_wrong_has_a_place_and_often_a_way_out() {
    #[rustfmt::skip]
    let table = [
        // written, what is said behind `shelf.yaml:`, and the hint
        ("nmae: x", "1:1: unknown key `nmae`", Some("Did you mean `name`?")),
        ("zoo: x", "1:1: unknown key `zoo`", Some("Use one of `name`, `locked`, `books`, `prices`.")),
        ("books:\n  - titel: x", "2:5: unknown key `titel`", Some("Did you mean `title`?")),
        ("books:\n  - kind: novel", "2:5: `title` is missing", None),
        ("books: [{title: a, kind: novl}]", "1:26: unknown value `novl`", Some("Did you mean `novel`?")),
        ("books: [{title: a, kind: poem}]", "1:26: unknown value `poem`", Some("Use one of `novel`, `atlas`.")),
        ("books: [{title: a, kind: [novel]}]", "1:26: expected one word", None),
        ("books: {title: a}", "1:8: expected a list (`- value`)", None),
        ("locked: yes", "1:9: expected `true` or `false`", None),
        ("name: 7", "1:7: `7` reads as a number, a boolean or null, and text is meant", Some("Put it in quotes.")),
        ("name: a\nname: b", "2:1: `name` is given twice", Some("Keep one of the two.")),
        ("prices:\n  a: 1\n  a: 2", "3:3: `a` is given twice", Some("Keep one of the two.")),
        ("name: &x a", "1:10: anchors, aliases and merge keys are not read", Some("Write the value out.")),
        ("name: !x a", "1:10: the tag `!x` means nothing here", Some("Remove the tag.")),
        ("{}\n---\n{}", "2:1: a second document begins here", Some("Keep one document in a file.")),
        ("name: a\u{1}", "1:8: a control character, U+0001", Some("Remove it, or write it as an escape inside double quotes.")),
        ("name: 'a", "1:7: not valid YAML: unclosed quote", None),
    ];
    for (text, want, hint) in table {
        let error = shelf(text).expect_err(text);
        assert_eq!(error.to_string(), format!("shelf.yaml:{want}"), "{text:?}");
        assert_eq!(Hint::hint(&error).as_deref(), hint, "{text:?}");
    }
}

#[test]
fn values_know_where_they_stood() {
    let shelf =
        shelf("name: a\nprices:\n  b: 5\n  'a': 6\nbooks:\n- {title: t, kind: atlas}\n").unwrap();
    let placed =
        |line, column, text: &str| Placed { value: text.to_owned(), at: Place { line, column } };
    let number = |line, column, value| Placed { value, at: Place { line, column } };
    assert_eq!(shelf.name, Some(placed(1, 7, "a")));
    let prices = vec![(placed(3, 3, "b"), number(3, 6, 5)), (placed(4, 3, "a"), number(4, 8, 6))];
    assert_eq!(shelf.prices, Pairs(prices));
    assert_eq!((shelf.books[0].title.as_str(), &shelf.books[0].kind), ("t", &Some(Kind::Atlas)));
}

#[test]
fn a_message_cannot_move_the_cursor() {
    let error = Located::whole(Path::new("a\u{1b}[2J.yaml"), "one\ntwo\u{202e}\u{7}");
    assert_eq!(error.to_string(), r"a\u{1b}[2J.yaml: one\u{a}two\u{202e}\u{7}");
}

#[test]
fn the_size_is_held_for_bytes_from_anywhere() {
    let mut text = vec![b'\n'; FILE_BYTES_MAX as usize];
    assert!(parse::<Shelf>(&text, Path::new("x")).is_ok());
    text.push(b'\n');
    let error = parse::<Shelf>(&text, Path::new("x")).unwrap_err();
    assert_eq!(error.to_string(), "x: the file is larger than 1 MiB");
}

#[test]
fn text_that_looks_like_something_else_is_written_so_that_it_stays_text() {
    let words = [
        "",
        " ",
        "~",
        "null",
        "Null",
        "true",
        "yes",
        "on",
        "y",
        "5",
        "-5",
        "0x10",
        "0o7",
        "010",
        "1e3",
        "1_000",
        ".5",
        ".inf",
        ".nan",
        "12:30",
        "2026-03-01",
        "2026-03-01T03:12:00Z",
        "-",
        "?",
        ":",
        "a: b",
        "a #b",
        "#a",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "@",
        "`",
        "%",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        "\"",
        "\\",
        "a\nb",
        "\n",
        "a\n",
        "\ta",
        "a\t",
        " a ",
        "---",
        "...",
        "<<",
        "=",
        "\u{feff}a",
        "\u{85}",
        "\u{2028}",
        "ä",
        "1234567",
        "1e5",
        "deadbeef",
        "7e3f",
        "0",
    ];
    let map: BTreeMap<String, String> =
        words.iter().map(|word| (word.to_string(), word.to_string())).collect();
    let written = emit(&map).unwrap();
    let read: BTreeMap<String, String> = parse(written.as_bytes(), Path::new("x")).unwrap();
    assert_eq!(read, map, "{written}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    })]

    #[test]
    fn what_is_written_is_read_again(map in prop::collection::btree_map(
        any::<String>(),
        prop::collection::vec((any::<String>(), any::<u64>(), any::<bool>()), 0..3),
        0..4,
    )) {
        let written = emit(&map).unwrap();
        let read = parse(written.as_bytes(), Path::new("x"));
        prop_assert_eq!(read.map_err(|error| error.to_string()), Ok(map), "{}", written);
    }
}
