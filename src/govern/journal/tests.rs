//! A journal that is written, broken, and written on.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::super::{Entry, Fault, Verdict, check};
use super::{Journal, path};

fn entry(tool: &str) -> Entry {
    Entry {
        at: "2026-03-01T03:12:00Z".parse().unwrap(),
        by: None,
        tool: tool.into(),
        arguments: serde_json::json!({"path": "repos/app"}),
        verdict: Verdict::Allowed,
        outcome: "3 lines".into(),
        micros: 120,
        bytes: 30,
        tokens: 8,
        kept: Vec::new(),
        dropped: Vec::new(),
    }
}

fn open(case: &Path) -> Journal {
    Journal::open(case, "2026-03-01T03:12:00Z".parse().unwrap()).unwrap()
}

fn written(case: &Path, lines: u64) -> String {
    let journal = open(case);
    for n in 1..=lines {
        assert_eq!(journal.append(entry("grep")).unwrap(), n);
    }
    drop(journal);
    fs::read_to_string(path(case)).unwrap()
}

fn found(case: &Path) -> (u64, Option<Fault>, u64) {
    let mut shown = 0;
    let finding = check(case, |_, _| shown += 1).unwrap();
    (finding.good, finding.fault, shown)
}

#[test]
fn what_was_written_is_there_in_order_and_goes_on_where_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(found(dir.path()), (0, None, 0));
    written(dir.path(), 3);
    assert_eq!(open(dir.path()).append(entry("find")).unwrap(), 4);
    assert_eq!(found(dir.path()), (4, None, 4));
}

#[test]
fn every_change_is_found_and_named() {
    let edit = |text: &str, line: usize, from: &str, to: &str| {
        let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
        assert!(lines[line - 1].contains(from), "{line} {from}");
        lines[line - 1] = lines[line - 1].replacen(from, to, 1);
        lines.concat()
    };
    let drop_line = |text: &str, line: usize| {
        let lines = text.lines().enumerate().filter(|(nth, _)| nth + 1 != line);
        lines.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    type Edit<'a> = Box<dyn Fn(&str) -> String + 'a>;
    let table: Vec<(&str, Edit<'_>, Fault)> = vec![
        (
            "a word",
            Box::new(|text| edit(text, 2, "3 lines", "4 lines")),
            Fault::Changed { line: 2 },
        ),
        ("in the last", Box::new(|text| edit(text, 5, "grep", "find")), Fault::Changed { line: 5 }),
        ("one is gone", Box::new(|text| drop_line(text, 2)), Fault::Moved { line: 2, says: 3 }),
        (
            "the last is gone",
            Box::new(|text| drop_line(text, 5)),
            Fault::Truncated { after: 4, had: 5 },
        ),
        ("all are gone", Box::new(|_| String::new()), Fault::Truncated { after: 0, had: 5 }),
        (
            "half of the last",
            Box::new(|text| text[..text.len() - 9].into()),
            Fault::Torn { line: 5 },
        ),
    ];
    for (what, change, want) in table {
        let dir = tempfile::tempdir().unwrap();
        let text = written(dir.path(), 5);
        fs::write(path(dir.path()), change(&text)).unwrap();
        let (good, fault, shown) = found(dir.path());
        assert_eq!(fault, Some(want), "{what}");
        assert_eq!(good, shown, "{what}");
    }
    let dir = tempfile::tempdir().unwrap();
    let text = written(dir.path(), 5);
    fs::write(path(dir.path()), edit(&text, 3, "{", "[")).unwrap();
    assert!(matches!(found(dir.path()).1, Some(Fault::Unreadable { line: 3, .. })));
    fs::remove_file(path(dir.path())).unwrap();
    assert_eq!(found(dir.path()).1, Some(Fault::Truncated { after: 0, had: 5 }));
}

#[test]
fn one_that_lost_lines_is_not_written_on() {
    let dir = tempfile::tempdir().unwrap();
    let text = written(dir.path(), 5);
    let four: String = text.lines().take(4).map(|line| format!("{line}\n")).collect();
    fs::write(path(dir.path()), four).unwrap();
    let now = "2026-03-01T03:12:00Z".parse().unwrap();
    let error = Journal::open(dir.path(), now).unwrap_err().to_string();
    assert!(error.contains("it has 4 lines, and had 5"), "{error}");
}

#[test]
fn a_line_that_was_never_finished_is_replaced_by_one_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 2);
    let mut file = OpenOptions::new().append(true).open(path(dir.path())).unwrap();
    file.write_all(b"{\"n\":3,\"at\"").unwrap();
    assert_eq!(found(dir.path()).1, Some(Fault::Torn { line: 3 }));
    drop(open(dir.path()));
    let mut said = Vec::new();
    let finding = check(dir.path(), |line, _| said.push(line.entry.outcome.clone())).unwrap();
    assert_eq!((finding.good, finding.fault), (3, None));
    assert_eq!(said[2], "11 bytes of a line that was never finished are gone");
}

/// A process that is killed has noted no head for its last lines; they count.
#[test]
fn lines_behind_the_head_are_good() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 2);
    let head = fs::read(dir.path().join("journal.head")).unwrap();
    open(dir.path()).append(entry("shell")).unwrap();
    fs::write(dir.path().join("journal.head"), head).unwrap();
    assert_eq!(found(dir.path()), (3, None, 3));
    assert_eq!(open(dir.path()).append(entry("shell")).unwrap(), 4);
}

#[test]
fn arguments_that_are_very_long_do_not_make_a_line_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut long = entry("write_file");
    long.arguments = serde_json::json!({"path": "a", "text": "x".repeat(3_000_000)});
    open(dir.path()).append(long).unwrap();
    assert_eq!(found(dir.path()), (1, None, 1));
    let text = fs::read_to_string(path(dir.path())).unwrap();
    assert!(text.contains("3000002 bytes, not repeated here"), "{}", text.len());
}
