//! `read_file`: which lines are told of what, and what is said about the rest.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use casefile::hint::Hint;
use casefile::jail::hands::wire::{Form, LinesAsked, Told};
use casefile::tools::{Part, Place, ReadFile, ToolError, read_file};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::ground::Ground;

/// No answer is longer.
const CHARS_MAX: usize = 20_000;

pub fn part(path: &str, from: i64, lines: impl Into<Option<u64>>) -> Part {
    Part { path: path.into(), from, lines: lines.into(), column: None }
}

pub fn read(ground: &mut Ground, parts: &[Part]) -> String {
    let asked = ReadFile { parts: parts.to_vec(), raw: false };
    let mut place = Place { hands: &mut ground.hands, base: b"/case", stop: None };
    told(read_file(&asked, &mut place))
}

/// An answer or an error as somebody sees it.
pub fn told(answer: Result<casefile::tools::Answer, ToolError>) -> String {
    match answer {
        Ok(answer) => {
            let mut text = answer.facts + "\n" + &String::from_utf8_lossy(&answer.body);
            if let Some(next) = answer.next {
                writeln!(text, "next: {next}").unwrap();
            }
            assert!(text.chars().count() <= CHARS_MAX, "{} characters", text.chars().count());
            text
        }
        Err(error) => {
            let mut text = format!("error: {error}\n");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                writeln!(text, "cause: {error}").unwrap();
                cause = error.source();
            }
            writeln!(text, "hint: {}", error.hint().unwrap_or_default()).unwrap();
            text
        }
    }
}

#[test]
fn lines_are_told_from_either_end() {
    let mut ground = Ground::new();
    ground.put("case/five", "one\ntwo\nthree\nfour\nfive\n");
    ground.put("case/open", "one\ntwo");
    ground.put("case/empty", "");
    ground.put("case/ends", "\n\n");
    ground.put("case/windows", "\u{feff}a\r\nb\r\n");
    #[rustfmt::skip]
    let table: &[(&str, i64, Option<u64>, &str)] = &[
        ("five",    1,   None,    "five: 5 lines, 24 B\n1\tone\n2\ttwo\n3\tthree\n4\tfour\n5\tfive\n"),
        ("five",    0,   Some(1), "five: lines 1-1 of 5, 24 B\n1\tone\n"),
        ("five",    2,   Some(2), "five: lines 2-3 of 5, 24 B\n2\ttwo\n3\tthree\n"),
        ("five",    4,   Some(9), "five: lines 4-5 of 5, 24 B\n4\tfour\n5\tfive\n"),
        ("five",    -2,  None,    "five: lines 4-5 of 5, 24 B\n4\tfour\n5\tfive\n"),
        ("five",    -9,  Some(1), "five: lines 1-1 of 5, 24 B\n1\tone\n"),
        ("five",    i64::MIN, Some(1), "five: lines 1-1 of 5, 24 B\n1\tone\n"),
        ("five",    6,   None,    "error: `from`: line 6 is past the end of `five`, which has 5 lines\nhint: Count from the end: from=-100 gives the last 100.\n"),
        ("five",    i64::MAX, Some(7), "error: `from`: line 9223372036854775807 is past the end of `five`, which has 5 lines\nhint: Count from the end: from=-7 gives the last 7.\n"),
        ("open",    -1,  None,    "open: lines 2-2 of 2, 7 B\n2\ttwo\n"),
        ("open",    1,   None,    "open: 2 lines, 7 B\n1\tone\n2\ttwo\n"),
        ("empty",   1,   None,    "empty: empty\n"),
        ("empty",   -5,  None,    "empty: empty\n"),
        ("ends",    1,   None,    "ends: 2 lines, 2 B\n1\t\n2\t\n"),
        ("windows", 1,   None,    "windows: 2 lines, 9 B, lines end with CRLF\n1\ta\n2\tb\n"),
        ("/case/five", 5, None,   "five: lines 5-5 of 5, 24 B\n5\tfive\n"),
    ];
    for (path, from, lines, want) in table {
        let got = read(&mut ground, &[part(path, *from, *lines)]);
        assert_eq!(got, *want, "{path} {from} {lines:?}");
    }
}

#[test]
fn a_long_line_is_cut_and_the_rest_can_be_had() {
    let mut ground = Ground::new();
    let long: String = (0..30_000).map(|nth| char::from(b'a' + (nth % 26) as u8)).collect();
    let wide = "é".repeat(10_000);
    ground.put("case/long", format!("short\n{long}\nend\n"));
    ground.put("case/wide", &wide);
    let got = read(&mut ground, &[part("long", 1, None)]);
    let lines: Vec<_> = got.lines().collect();
    assert_eq!(lines[0], "long: 3 lines, 29.3 KiB");
    assert!(lines[2].ends_with("…[+28,120 bytes: from=2 column=1881]"), "{}", lines[2]);
    assert_eq!(lines[3], "3\tend");

    for (path, line, want) in [("long", 2, &long), ("wide", 1, &wide)] {
        let (mut all, mut column, mut calls) = (String::new(), 1, 0);
        loop {
            let asked = Part { column: Some(column), ..part(path, line, 1) };
            let got = read(&mut ground, &[asked]);
            let text = got.lines().nth(1).unwrap().strip_prefix(&format!("{line}\t")).unwrap();
            let text = text.strip_prefix('…').unwrap_or(text);
            calls += 1;
            let Some((text, mark)) = text.split_once("…[") else {
                all.push_str(text);
                break;
            };
            all.push_str(text);
            let next = mark.split_once("column=").unwrap().1.trim_end_matches(']');
            column = next.parse().unwrap();
        }
        assert_eq!(&all, want, "{path}");
        assert!(calls <= 2, "{calls} calls for {path}");
    }
}

#[test]
fn an_answer_ends_with_a_whole_line_and_the_next_call_goes_on() {
    let mut ground = Ground::new();
    let text: String = (1..=3_000).map(|nth| format!("this is line {nth} of some\n")).collect();
    ground.put("case/a file", &text);
    let (mut all, mut from, mut calls) = (String::new(), 1, 0);
    loop {
        let got = read(&mut ground, &[part("a file", from, None)]);
        calls += 1;
        for line in got.lines().skip(1).take_while(|line| !line.starts_with("next: ")) {
            let (number, line) = line.split_once('\t').unwrap();
            assert_eq!(number.parse::<i64>().unwrap(), from);
            from += 1;
            all.push_str(line);
            all.push('\n');
        }
        let Some((_, next)) = got.split_once("next: ") else { break };
        assert_eq!(next, format!("read_file path=\"a file\" from={from}\n"));
    }
    assert_eq!(all, text);
    assert_eq!(calls, 5);
}

#[test]
fn several_parts_share_an_answer_and_one_that_fails_does_not_stop_the_others() {
    let mut ground = Ground::new();
    ground.put("case/one", "1\n2\n3\n");
    ground.put("case/two", "x\n");
    std::fs::create_dir(ground.host("case/dir")).unwrap();
    ground.put("case/dir/file", "");
    let parts = [
        part("one", 2, 1),
        part("twp", 1, None),
        part("two", 1, None),
        part("dir", 1, None),
        part("two", 5, None),
    ];
    let got = read(&mut ground, &parts);
    insta::assert_snapshot!(got, @r#"
    3 of 5 parts
    one: lines 2-2 of 3, 6 B
    2	2

    error: `twp`: there is no such file or directory (Did you mean `two`?)

    two: 1 line, 2 B
    1	x

    dir: a directory, 1 entry
    file  0 B

    error: `from`: line 5 is past the end of `two`, which has 1 line (Count from the end: from=-100 gives the last 100.)
    "#);
    let big = "some text that fills the answer\n".repeat(10_000);
    ground.put("case/big", &big);
    let got =
        read(&mut ground, &[part("big", 1, None), part("big", 9_000, None), part("one", 1, None)]);
    assert!(got.ends_with("one: 3 lines, 6 B\n1\t1\n2\t2\n3\t3\nnext: read_file path=big from=162; read_file path=big from=9164\n"), "{}", &got[got.len() - 300..]);
    let many = vec![part("one", 1, None); 21];
    insta::assert_snapshot!(read(&mut ground, &many), @r#"
    error: `path`: 21 parts are more than the 20 of one call
    hint: Ask for them in several calls.
    "#);
    insta::assert_snapshot!(read(&mut ground, &[]), @r#"
    error: `path`: none was given
    hint: Name a file or a directory.
    "#);
}

#[test]
fn a_directory_is_listed() {
    let mut ground = Ground::new();
    for dir in ["case/dir", "case/dir/sub", "case/none"] {
        std::fs::create_dir(ground.host(dir)).unwrap();
    }
    ground.put("case/dir/a\nb", "x");
    ground.put("case/dir/large", vec![b'x'; 5_000]);
    std::os::unix::fs::symlink("large", ground.host("case/dir/link")).unwrap();
    nix::unistd::mkfifo(&ground.host("case/dir/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    insta::assert_snapshot!(read(&mut ground, &[part("dir", 1, None)]), @r#"
    dir: a directory, 5 entries
    a\nb  1 B
    large  4.8 KiB
    link  link
    pipe  FIFO
    sub/
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("dir/", 3, 1)]), @r#"
    dir/: a directory, entries 3-3 of 5
    link  link
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("none", 1, None)]), @r#"none: a directory, 0 entries"#);
    insta::assert_snapshot!(read(&mut ground, &[part("dir", 9, None)]), @r#"
    error: `from`: `dir` has 5 entries, and none at 9
    hint: Leave it out to begin with the first.
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("dir", -1, None)]), @r#"
    error: `from`: `dir` is a directory, which has no lines to count
    hint: Leave it out, or give the number of the first entry.
    "#);
}

#[test]
fn a_missing_file_names_the_nearest_that_are_there() {
    let mut ground = Ground::new();
    for dir in ["case/src", "case/src/pay", "case/docs", "case/.git"] {
        std::fs::create_dir(ground.host(dir)).unwrap();
    }
    for file in [
        "case/src/pay/charge.rs",
        "case/src/pay/change.rs",
        "case/src/main.rs",
        "case/docs/setup.md",
        "case/.git/charge.rs",
    ] {
        ground.put(file, "");
    }
    #[rustfmt::skip]
    let table: &[(&str, &str)] = &[
        ("src/pay/chrage.rs",  "`src/pay/charge.rs` or `src/pay/change.rs`"),
        ("src/pay/charge.go",  "`src/pay/charge.rs` or `src/pay/change.rs`"),
        ("scr/main.rs",        "`src/main.rs`"),
        ("charge.rs",          "`src/pay/charge.rs`"),
        ("docs/Charge.rs",     "`src/pay/charge.rs`"),
        ("src/main.rs/x",      "`src/main.rs`"),
    ];
    for (path, want) in table {
        let got = read(&mut ground, &[part(path, 1, None)]);
        assert!(got.ends_with(&format!("hint: Did you mean {want}?\n")), "{path}: {got}");
    }
    insta::assert_snapshot!(read(&mut ground, &[part("nothing/of/the/kind", 1, None)]), @r#"
    error: `nothing/of/the/kind`
    cause: there is no such file or directory
    hint: List the directory to see what is there.
    "#);
}

#[test]
fn any_lines_of_any_text_are_those_of_the_text() {
    let ground = std::cell::RefCell::new(Ground::new());
    let lines = proptest::collection::vec("[ -~é\u{202e}\t]{0,40}", 0..60);
    let mut runner = TestRunner::new(ProptestConfig { cases: 200, ..ProptestConfig::default() });
    runner
        .run(&(lines, any::<bool>(), -70..70_i64, 1..70_u64), |(lines, ended, from, count)| {
            let mut ground = ground.borrow_mut();
            let mut text = lines.join("\n");
            if ended && !lines.is_empty() {
                text.push('\n');
            }
            ground.put("case/text", &text);
            let all: Vec<_> = text.lines().collect();
            let first = match from {
                from if 0 < from => from as usize - 1,
                0 => 0,
                from => all.len().saturating_sub(from.unsigned_abs() as usize),
            };
            let want: Vec<_> = all.iter().skip(first).take(count as usize).collect();
            let got = read(&mut ground, &[part("text", from, count)]);
            if want.is_empty() {
                prop_assert!(!got.contains('\t'), "{got:?}");
                return Ok(());
            }
            for (nth, (got, want)) in got.lines().skip(1).zip(&want).enumerate() {
                prop_assert_eq!(got, format!("{}\t{}", first + nth + 1, want));
            }
            prop_assert_eq!(got.lines().count(), want.len() + 1);
            Ok(())
        })
        .unwrap();
}

/// A log of some size, whose lines tell their number.
fn log(ground: &Ground, name: &str, bytes: u64) -> u64 {
    let file = std::fs::File::create(ground.host(name)).unwrap();
    let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
    let (mut written, mut number) = (0, 0);
    while written < bytes {
        number += 1;
        let line = format!(
            "2026-01-01T00:00:00Z INFO request {number} was answered in 12 ms by worker 3\n"
        );
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
    }
    number
}

#[test]
fn a_large_file_is_counted_once_and_a_growing_one_counted_on() {
    let mut ground = Ground::new();
    let lines = log(&ground, "case/log", 200 << 20);
    let last = |ground: &mut Ground, from: i64| {
        let got = read(ground, &[part("log", from, 1)]);
        got.lines().nth(1).unwrap_or(&got).to_owned()
    };
    // Far from the end, nobody has counted, and the last lines are there nevertheless.
    let end = last(&mut ground, -1);
    assert!(end.starts_with("-1\t") && end.contains(&format!("request {lines} ")), "{end}");
    for number in [1, 2, lines / 2, lines - 1, lines] {
        let got = last(&mut ground, number as i64);
        assert!(got.starts_with(&format!("{number}\t")), "{got}");
        assert!(got.contains(&format!("request {number} ")), "{got}");
    }
    assert!(last(&mut ground, -1).starts_with(&format!("{lines}\t")));
    let began = Instant::now();
    for _ in 0..20 {
        last(&mut ground, lines as i64 / 3);
    }
    // Counting anew each time would take 20 times a fiftieth of a second.
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());

    let mut file = std::fs::File::options().append(true).open(ground.host("case/log")).unwrap();
    file.write_all(b"one more\nand another").unwrap();
    assert_eq!(last(&mut ground, lines as i64 + 1), format!("{}\tone more", lines + 1));
    assert_eq!(last(&mut ground, -1), format!("{}\tand another", lines + 2));

    // Another file of another beginning under the same name, and the same file anew.
    log(&ground, "case/other", 40 << 20);
    std::fs::rename(ground.host("case/other"), ground.host("case/log")).unwrap();
    assert!(last(&mut ground, 77).contains("request 77 "));
    let anew = "x\n".repeat(100 << 20);
    std::fs::write(ground.host("case/log"), anew).unwrap();
    assert_eq!(last(&mut ground, 90 << 20), format!("{}\tx", 90 << 20));
}

#[test]
fn a_hole_of_a_terabyte_is_one_long_line() {
    use std::os::unix::fs::FileExt;
    let mut ground = Ground::new();
    let file = std::fs::File::create(ground.host("case/sparse")).unwrap();
    file.write_all_at(&"text\n".repeat(2_000).into_bytes(), 0).unwrap();
    file.write_all_at(b"\nthe end\n", 1 << 40).unwrap();
    let began = Instant::now();
    let got = read(&mut ground, &[part("sparse", -1, None)]);
    assert!(got.contains("the end"), "{got}");
    let got = read(&mut ground, &[part("sparse", 2002, None)]);
    assert!(got.contains("2002\tthe end"), "{got}");
    let got = read(&mut ground, &[part("sparse", 2001, None)]);
    assert!(got.contains("bytes: from=2001 column="), "{}", got.escape_debug());
    std::fs::File::create(ground.host("case/zeros")).unwrap().set_len(1 << 42).unwrap();
    insta::assert_snapshot!(read(&mut ground, &[part("zeros", 1, None)]), @r#"
    zeros: nothing but zeros, where it begins, 4.0 TiB, not shown as text
    next: shell command="xxd -l 256 'zeros'"
    "#);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn what_is_no_text_is_named_and_not_dumped() {
    let mut ground = Ground::new();
    ground.put("case/program", b"\x7fELF\x02\x01\x01\0\0\0rest");
    ground.put("case/it's.db", b"SQLite format 3\0rest");
    insta::assert_snapshot!(read(&mut ground, &[part("program", 1, None)]), @r#"
    program: an ELF program or library, 14 B, not shown as text
    next: shell command="readelf -h 'program'"
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("it's.db", 1, None)]), @r#"
    it's.db: an SQLite database, 20 B, not shown as text
    next: shell command="sqlite3 -readonly 'it'\\''s.db' .schema"
    "#);
}

#[test]
fn other_encodings_are_read_and_said() {
    let mut ground = Ground::new();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    ground.put("case/utf16", utf16("\u{feff}größer\r\nals\r\n"));
    ground.put("case/latin", b"gr\xf6\xdfer\nals \x80 5\n");
    ground.put(
        "case/mixed",
        "größer als\n".repeat(3).into_bytes().into_iter().chain(*b"\xff\n").collect::<Vec<u8>>(),
    );
    insta::assert_snapshot!(read(&mut ground, &[part("utf16", 1, None)]), @r#"
    utf16: 2 lines, 28 B, in UTF-16LE, lines end with CRLF
    1	größer
    2	als
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("latin", 1, None)]), @r#"
    latin: 2 lines, 15 B, in Windows-1252 by the look of it
    1	größer
    2	als € 5
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("mixed", 1, None)]), @r#"
    mixed: 4 lines, 41 B, not all of it valid UTF-8
    1	größer als
    2	größer als
    3	größer als
    4	�
    "#);
}

/// A host may leave off at any time, and the hands may be asked something else then.
#[test]
fn a_question_that_takes_long_can_be_left_and_taken_up() {
    let mut ground = Ground::new();
    let lines = log(&ground, "case/log", 300 << 20);
    let asked = LinesAsked {
        path: b"/case/log"[..].into(),
        from: lines as i64,
        lines: 1,
        skip: 0,
        bytes_max: 1_000,
        line_bytes_max: 1_000,
        form: Form::Text,
    };
    let mut before = 0;
    loop {
        match ground.hands.lines(&asked).unwrap() {
            Told::Working { done, of } => {
                assert!(before < done && done <= of, "{before} {done} {of}");
                before = done;
                assert_eq!(&*ground.hands.read(b"/case/log", 0, 4).unwrap().bytes, b"2026");
            }
            Told::Lines(told) => {
                assert_eq!(told.lines[0].number, lines as i64);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}
