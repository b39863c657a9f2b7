//! `write_file`: what each way does to a file, what is told of it, and what is left
//! alone when it cannot be done.

use casefile::tools::{Place, WriteFile, WriteMode, write_file};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::ground::Ground;
use crate::read_file::told;

fn write(ground: &mut Ground, path: &str, text: &str, mode: WriteMode) -> String {
    let asked = WriteFile { path: path.into(), text: text.into(), mode };
    told(write_file(&asked, &mut Place { hands: &mut ground.hands, base: b"/case", stop: None }))
}

fn passage(ground: &mut Ground, path: &str, old: &str, text: &str) -> String {
    write(ground, path, text, WriteMode::Passage { old: old.into() })
}

fn file(ground: &Ground, name: &str) -> String {
    std::fs::read_to_string(ground.host(name)).unwrap()
}

#[test]
fn a_file_is_made_with_its_directories_replaced_and_added_to() {
    let mut ground = Ground::new();
    let out = write(&mut ground, "notes/a/plan.md", "one\ntwo\n", WriteMode::Create);
    insta::assert_snapshot!(out, @r#"notes/a/plan.md: created, 2 lines, 8 B"#);
    let out = write(&mut ground, "notes/a/plan.md", "x", WriteMode::Create);
    insta::assert_snapshot!(out, @r#"
    error: `notes/a/plan.md`
    cause: it exists already
    hint: Replace it, or choose another name.
    "#);
    let out = write(&mut ground, "notes/a/plan.md", "one\n2\n3\n", WriteMode::Replace);
    insta::assert_snapshot!(out, @r#"
    notes/a/plan.md: 1 line replaced by 2 at 2, now 3 lines, 8 B
    -2	two
    +2	2
    +3	3
    "#);
    let out = write(&mut ground, "notes/a/plan.md", "one\n2\n3\n", WriteMode::Replace);
    insta::assert_snapshot!(out, @r#"notes/a/plan.md: the same as before, 3 lines, 8 B"#);
    let out = write(&mut ground, "notes/a/plan.md", "four", WriteMode::Append);
    insta::assert_snapshot!(out, @r#"
    notes/a/plan.md: 1 line added at 4, now 4 lines, 12 B
    +4	four
    "#);
    let out = write(&mut ground, "notes/a/plan.md", " and five\n", WriteMode::Append);
    insta::assert_snapshot!(out, @r#"
    notes/a/plan.md: 1 line replaced by 1 at 4, now 4 lines, 22 B
    -4	four
    +4	four and five
    "#);
    assert_eq!(file(&ground, "case/notes/a/plan.md"), "one\n2\n3\nfour and five\n");
    let out = write(&mut ground, "new/log", "", WriteMode::Append);
    insta::assert_snapshot!(out, @r#"new/log: created, 0 lines, 0 B"#);
    let many: String = (0..100).map(|nth| format!("{nth}\n")).collect();
    let out = write(&mut ground, "notes/a/plan.md", &many, WriteMode::Replace);
    assert!(
        out.starts_with(
            "notes/a/plan.md: 4 lines replaced by 100 at 1, now 100 lines, 290 B\n-1\tone\n"
        ),
        "{out}"
    );
    assert!(out.ends_with("\n+60\t59\n+… 40 lines more\n"), "{out}");
}

#[test]
fn a_passage_is_replaced_where_it_stands_once() {
    let mut ground = Ground::new();
    let text = "fn one() {\n    first();\n}\n\nfn two() {\n    second();\n    first();\n}\n";
    ground.put("case/code.rs", text);
    insta::assert_snapshot!(passage(&mut ground, "code.rs", "    second();\n", "    second()?;\n    third();\n"), @r#"
    code.rs: 1 line replaced by 2 at 6, now 9 lines, 81 B
    -6	    second();
    +6	    second()?;
    +7	    third();
    "#);
    insta::assert_snapshot!(passage(&mut ground, "code.rs", "first();", "x"), @r#"
    error: `old`: it stands 2 times in `code.rs`, in lines 2, 8
    hint: Give more of the lines around it, so that it stands there once.
    "#);
    insta::assert_snapshot!(passage(&mut ground, "code.rs", "fn two() {\n  second()?;", "x"), @r#"
    error: `old`: it does not stand in `code.rs`; what looks most like it
    5	fn two() {
    6	    second()?;
    hint: Give the passage exactly as it stands there, spaces included.
    "#);
    insta::assert_snapshot!(passage(&mut ground, "code.rs", "nothing of the kind", "x"), @r#"
    error: `old`: it does not stand in `code.rs`
    hint: Read the file, and give the passage as it stands there.
    "#);
    insta::assert_snapshot!(passage(&mut ground, "code.rs", "", "x"), @r#"
    error: `old`: it is empty, which stands everywhere
    hint: Give the passage, or replace the whole file.
    "#);
    insta::assert_snapshot!(passage(&mut ground, "code.rs", "one", "one"), @r#"
    error: `old`: it is the same as the text in its place
    hint: Give the text that is to stand there.
    "#);
    insta::assert_snapshot!(passage(&mut ground, "cod.rs", "one", "two"), @r#"
    error: `cod.rs`
    cause: there is no such file or directory
    hint: Did you mean `code.rs`?
    "#);
    assert_eq!(
        file(&ground, "case/code.rs"),
        text.replace("second();\n", "second()?;\n    third();\n")
    );
    // What overlaps itself stands there twice.
    ground.put("case/rows", "aaa\n");
    insta::assert_snapshot!(passage(&mut ground, "rows", "aa", "b"), @r#"
    error: `old`: it stands 2 times in `rows`, in lines 1, 1
    hint: Give more of the lines around it, so that it stands there once.
    "#);
    insta::assert_snapshot!(passage(&mut ground, "rows", "aaa\n", ""), @r#"
    rows: 1 line removed at 1, now 0 lines, 0 B
    -1	aaa
    "#);
    assert_eq!(file(&ground, "case/rows"), "");
}

#[test]
fn line_ends_of_a_file_are_kept() {
    let mut ground = Ground::new();
    ground.put("case/win", "one\r\ntwo\r\nthree\r\n");
    insta::assert_snapshot!(passage(&mut ground, "win", "one\ntwo\n", "1\n2\n2a\n"), @r#"
    win: 2 lines replaced by 3 at 1, now 4 lines, 17 B, lines end with CRLF as before
    -1	one
    -2	two
    +1	1
    +2	2
    +3	2a
    "#);
    assert_eq!(file(&ground, "case/win"), "1\r\n2\r\n2a\r\nthree\r\n");
    insta::assert_snapshot!(write(&mut ground, "win", "four\n", WriteMode::Append), @r#"
    win: 1 line added at 5, now 5 lines, 23 B, lines end with CRLF as before
    +5	four
    "#);
    assert_eq!(file(&ground, "case/win"), "1\r\n2\r\n2a\r\nthree\r\nfour\r\n");
    ground.put("case/both", "one\r\ntwo\n");
    insta::assert_snapshot!(passage(&mut ground, "both", "two\n", "2\n"), @r#"
    both: 1 line replaced by 1 at 2, now 2 lines, 7 B
    -2	two
    +2	2
    "#);
    assert_eq!(file(&ground, "case/both"), "one\r\n2\n");
}

#[test]
fn what_cannot_be_written_says_why_and_stays_as_it_is() {
    let mut ground = Ground::new();
    ground.put("shown/file", "text\n");
    ground.put("case/target", "text\n");
    std::os::unix::fs::symlink("target", ground.host("case/link")).unwrap();
    nix::unistd::mkfifo(&ground.host("case/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    ground.put("case/binary", b"a\0b text");
    std::fs::File::create(ground.host("case/large")).unwrap().set_len(1 << 40).unwrap();
    for mode in [WriteMode::Create, WriteMode::Replace, WriteMode::Append] {
        let out = write(&mut ground, "/shown/new/file", "x", mode.clone());
        assert_eq!(
            out,
            "error: `/shown/new/file` is read-only: the policy of the jail only shows it\nhint: Write below `repos/` or `notes/` instead.\n",
            "{mode:?}"
        );
        let out = write(&mut ground, "/proc/self/comm", "x", mode.clone());
        assert!(out.starts_with("error: "), "{mode:?}: {out}");
    }
    let passages = [
        ("/shown/file", "text"),
        ("link", "text"),
        ("pipe", "x"),
        ("binary", "text"),
        ("large", "x"),
        (".", "x"),
        ("target/x", "x"),
    ];
    let mut all = String::new();
    for (path, old) in passages {
        all += &format!("{path}\n{}", passage(&mut ground, path, old, "new"));
    }
    insta::assert_snapshot!(all, @r#"
    /shown/file
    error: `/shown/file` is read-only: the policy of the jail only shows it
    hint: Write below `repos/` or `notes/` instead.
    link
    error: `link`
    cause: it is a symbolic link
    hint: Name the file that it leads to.
    pipe
    error: `pipe`
    cause: it is a FIFO
    hint: 
    binary
    error: `path`: `binary` is no text to look for a passage in: it has NUL bytes
    hint: Change it with a program in the shell.
    large
    error: `path`: `large` has 1.0 TiB, too much to look for a passage
    hint: Change it with `sed -i` in the shell.
    .
    error: `.`
    cause: it is a directory
    hint: List it instead.
    target/x
    error: `target/x`
    cause: a part of the path before its last is not a directory
    hint: Did you mean `target` or `large`?
    "#);
    let too_much = "x".repeat(4 << 20);
    insta::assert_snapshot!(passage(&mut ground, "target", "text", &too_much), @r#"
    error: `target`
    cause: 4194308 bytes are more than the 4194304 that can be written at once
    hint: Write it in parts, the later ones appended.
    "#);
    insta::assert_snapshot!(write(&mut ground, "link", "x", WriteMode::Replace), @r#"
    error: `link`
    cause: it is a symbolic link
    hint: Name the file that it leads to.
    "#);
    assert_eq!(file(&ground, "shown/file"), "text\n");
    assert_eq!(file(&ground, "case/target"), "text\n");
    assert!(!ground.host("shown/new").exists());
}

#[test]
fn any_passage_that_stands_once_is_replaced_there() {
    let ground = std::cell::RefCell::new(Ground::new());
    let mut runner = TestRunner::new(ProptestConfig { cases: 150, ..ProptestConfig::default() });
    runner
        .run(&("[ab\n]{0,20}", "[ab\n]{1,4}", "[xé\n]{0,4}"), |(text, old, new)| {
            let mut ground = ground.borrow_mut();
            ground.put("case/text", &text);
            let out = passage(&mut ground, "text", &old, &new);
            let starts = (0..text.len()).filter(|at| text[*at..].starts_with(&old)).count();
            let want = if starts == 1 { text.replacen(&old, &new, 1) } else { text.clone() };
            prop_assert_eq!(file(&ground, "case/text"), want, "{}", out);
            // A passage in its own place is refused: nothing would change.
            let is_refused = starts != 1 || old == new;
            prop_assert_eq!(out.starts_with("error: "), is_refused, "{}", out);
            Ok(())
        })
        .unwrap();
}

/// Stops the other thread however the test ends.
struct Over<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Somebody adds lines all the time. Then a passage is replaced in a file that is the one
/// that was read, or not at all, and what did not happen is said.
#[test]
fn a_file_that_somebody_else_writes_too_is_replaced_as_it_was_read_or_not_at_all() {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, Ordering};
    let mut ground = Ground::new();
    ground.put("case/counted", "count: 0\n");
    let path = ground.host("case/counted");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
                file.write_all(b"other\n").unwrap();
                std::thread::sleep(std::time::Duration::from_micros(500));
            }
        });
        let stop = Over(&over);
        let (mut done, mut refused, mut count) = (0, 0, 0);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while (done < 20 || refused < 20) && std::time::Instant::now() < deadline {
            let old = format!("count: {count}\n");
            let out = passage(&mut ground, "counted", &old, &format!("count: {}\n", count + 1));
            if out.starts_with("error: ") {
                assert!(out.contains("somebody changed it at the same time"), "{out}");
                refused += 1;
            } else {
                done += 1;
                count += 1;
            }
            let text = file(&ground, "case/counted");
            assert!(text.starts_with(&format!("count: {count}\n")), "{text}");
            // A line that is just being written may be seen up to the end of a page.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            assert!(whole.lines().skip(1).all(|line| line == "other"), "{text}");
        }
        drop(stop);
        other.join().unwrap();
        assert!(0 < done, "{refused} refused");
    });
}
