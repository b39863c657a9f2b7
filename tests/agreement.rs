//! The search agrees with ripgrep: on the source of this program itself, and on files
//! that are odd in ways in which the two might differ, the same lines are found.
//!
//! Different by design, and so not in the tree: a file with a NUL byte in its first
//! 64 KiB is left out whole, where ripgrep tells the lines before it, and a later one
//! does not end the search.
//!
//! `cargo test --test agreement`. ripgrep is needed, and asked as it is installed; that is
//! why `cargo test` alone leaves this out. `CASEFILE_AGREEMENT_TREE` names a checkout to
//! compare on in place of this one.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it shares its ground with other tests; a failure here is a failed test"
)]

#[path = "common/mod.rs"]
mod common;
#[path = "hands/ground.rs"]
mod ground;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use casefile::jail::hands::search::wire::{Case, LINE_BYTES_MAX, Query};

use ground::{Ground, query};

/// Names a checkout to compare on in place of the source of this program.
const TREE: &str = "CASEFILE_AGREEMENT_TREE";

/// One line that matches: its file, its number, and what of it is told.
type Hit = (Vec<u8>, u64, Vec<u8>);

#[test]
fn the_same_lines_as_with_ripgrep_are_found() {
    let mut ground = Ground::new();
    let app = ground.host("case/repos/app");
    let other = std::env::var_os(TREE).map(PathBuf::from);
    match &other {
        Some(tree) => copy(tree, &app),
        None => {
            for name in ["src", "tests", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
                copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &app.join(name));
            }
        }
    }
    let words = match &other {
        Some(_) => large_text(&app).unwrap(),
        None => std::fs::read_to_string(app.join("src/jail/host.rs")).unwrap(),
    };
    std::fs::create_dir_all(app.join(".git/info")).unwrap();
    lay_out_odd_files(&app);
    let mut compared = 0;
    for (pattern, flags) in patterns(&words) {
        // Every line of a very large tree is a lot to hold.
        if other.is_some() && ["", ".", "^", "$", "x*", "[^\\n]fn"].contains(&&*pattern) {
            continue;
        }
        let want = of_ripgrep(&app, &pattern, &flags);
        let got = ours(&mut ground, &pattern, &flags);
        match (want, got) {
            (None, None) => {}
            (Some(want), Some(got)) => {
                let more: Vec<_> = got.difference(&want).take(3).collect();
                let less: Vec<_> = want.difference(&got).take(3).collect();
                assert!(more.is_empty(), "{pattern} {flags:?}: more than ripgrep: {}", told(&more));
                assert!(less.is_empty(), "{pattern} {flags:?}: less than ripgrep: {}", told(&less));
                compared += usize::from(!want.is_empty());
            }
            (want, got) => panic!(
                "{pattern} {flags:?}: a pattern for one of them: {:?} {:?}",
                want.is_some(),
                got.is_some()
            ),
        }
    }
    assert!(200 < compared, "{compared}");
    println!("{compared} patterns that find something agree");
}

/// A text of the tree that has many words.
fn large_text(dir: &Path) -> Option<String> {
    let mut entries: Vec<_> = std::fs::read_dir(dir).ok()?.flatten().collect();
    entries.sort_by_key(|entry| entry.file_name());
    entries.iter().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return large_text(&path);
        }
        std::fs::read_to_string(&path).ok().filter(|text| 40_000 < text.len())
    })
}

fn told(hits: &[&Hit]) -> String {
    let told = hits.iter().map(|(path, number, text)| {
        format!("{}:{number}:{}", path.escape_ascii(), text.escape_ascii())
    });
    told.collect::<Vec<_>>().join("\n")
}

/// Words of the source itself in every shape, and patterns that ask for much.
fn patterns(text: &str) -> Vec<(String, Vec<&'static str>)> {
    let words: BTreeSet<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| 3 < word.len())
        .take(400)
        .collect();
    let mut patterns: Vec<(String, Vec<&'static str>)> = Vec::new();
    for (nth, word) in words.iter().enumerate() {
        let (start, end) = word.split_at(word.len() / 2);
        patterns.push(match nth % 8 {
            0 => ((*word).into(), vec![]),
            1 => ((*word).into(), vec!["-w"]),
            2 => ((*word).into(), vec!["-i"]),
            3 => (format!("{start}.*{end}"), vec![]),
            4 => (format!("^\\s*.*\\b{word}\\b"), vec![]),
            5 => (format!("{word}|{end}$"), vec![]),
            6 => (format!("{word}[(<:]"), vec!["-s"]),
            _ => (format!("{start}\\w*\\("), vec!["-S"]),
        });
        if nth % 4 == 0 {
            patterns.push((format!("{word}\\("), vec![]));
            patterns.push((format!("{word}("), vec!["-F"]));
            patterns.push((format!("{word}[^;]*;\\s+let"), vec!["-U"]));
        }
    }
    #[rustfmt::skip]
    let hard: &[(&str, &[&str])] = &[
        (".",                     &[]),      ("",                      &[]),
        ("^",                     &[]),      ("$",                     &[]),
        ("^$",                    &[]),      ("x*",                    &[]),
        (r"\s+$",                 &[]),      (r"\s$",                  &["-U"]),
        (r"\Afn",                 &[]),      (r"\}\z",                 &[]),
        (r"^fn \w+\(\) \{$",      &[]),      (r"[^\n]fn",              &[]),
        (r"\bÉ\w+",               &["-i"]),  (r"\p{Greek}+",           &[]),
        (r"(?-u:\xff)",           &[]),      (r"(?-u)[\x80-\xff]+",    &[]),
        (r"\d{4}-\d\d",           &[]),      (r"[A-Z]{10,}_[A-Z]+",    &[]),
        (r"a\nb",                 &[]),      (r"a\nb",                 &["-U"]),
        (r"\{\n\n",               &["-U"]),  (r"(?s)fn .{1,40}\n\}",   &["-U"]),
        (r"\n",                   &["-U"]),  (r"(?m)^\}\n^fn",         &["-U"]),
        ("(",                     &[]),      ("(",                     &["-F"]),
        ("[[:^alpha:]]x",         &[]),      ("odd",                   &["-g", "*.log"]),
        ("odd",                   &["-g", "!*.txt"]), ("odd",          &["--hidden"]),
        ("fn",                    &["-t", "rust"]),   ("#",            &["-t", "md"]),
        ("odd",                   &["--hidden", "-g", "!deep"]),
        ("odd",                   &["-g", "/odd*"]),  ("odd",          &["-g", "deep/"]),
    ];
    patterns.extend(hard.iter().map(|(pattern, flags)| ((*pattern).into(), flags.to_vec())));
    patterns
}

fn lay_out_odd_files(app: &Path) {
    std::fs::create_dir_all(app.join("deep/er/target")).unwrap();
    std::fs::create_dir_all(app.join("vendor/.git")).unwrap();
    std::fs::create_dir_all(app.join(".hidden")).unwrap();
    let long = format!("odd {}É odd\nfn", "x".repeat(300_000));
    let many = "odd line\n\n".repeat(1_500) + "the last";
    #[rustfmt::skip]
    let files: &[(&str, &[u8])] = &[
        (".gitignore",               b"*.log\n/target\n!keep.log\n*.tmp\n# odd\n\nvendor/*.c\n"),
        (".ignore",                  b"deep/er/by-ignore\n"),
        (".git/info/exclude",        b"excluded.txt\n"),
        ("deep/.gitignore",          b"!shown.tmp\ntarget/\n/er/anchored\n"),
        ("vendor/.gitignore",        b"*.h\n"),
        ("odd.log",                  b"odd ignored\n"),
        ("keep.log",                 b"odd kept\n"),
        ("excluded.txt",             b"odd excluded\n"),
        ("deep/shown.tmp",           b"odd\n"),
        ("deep/er/a.tmp",            b"odd\n"),
        ("deep/er/anchored",         b"odd\n"),
        ("deep/er/by-ignore",        b"odd\n"),
        ("deep/er/target/x",         b"odd\n"),
        ("deep/target",              b"odd, and a file\n"),
        ("vendor/a.log",             b"odd in another repository\n"),
        ("vendor/a.c",               b"odd\n"),
        ("vendor/a.h",               b"odd\n"),
        (".hidden/odd.txt",          b"odd\n"),
        ("odd-crlf.txt",             b"odd\r\nfn main() {\r\n}\r\n"),
        ("odd-latin.txt",            b"odd \xe9t\xe9 \xff\n\xc9t\xe9\n"),
        ("odd-mark.txt",             b"\xef\xbb\xbffn odd() {\n"),
        ("odd-wide.txt",             b"\xff\xfeo\0d\0d\0 \0\xc9\0\n\0f\0n\0"),
        ("odd-wide-big.txt",         b"\xfe\xff\0o\0d\0d\0\n"),
        ("odd-greek.txt",            "odd \u{3b1}\u{3b2}\u{3b3} Éclair éclair\n".as_bytes()),
        ("odd-empty.txt",            b""),
        ("odd-newline.txt",          b"\n"),
        ("odd-no-end.txt",           b"a\nb\nodd"),
        ("odd-long.txt",             long.as_bytes()),
        ("odd-many.txt",             many.as_bytes()),
        ("odd name\twith: things",   b"odd\n"),
        ("-odd-dash",                b"odd\n"),
    ];
    for (name, bytes) in files {
        std::fs::write(app.join(name), bytes).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_symlink() || from.file_name().is_some_and(|name| name == ".git") {
        return;
    }
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if !std::fs::read(from).unwrap().contains(&0) {
        std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
    }
}

/// Nothing if it says that the pattern is none.
fn of_ripgrep(app: &Path, pattern: &str, flags: &[&str]) -> Option<BTreeSet<Hit>> {
    let mut command = Command::new("rg");
    command.args(["--no-config", "--color=never", "--no-heading", "-nH0", "--no-messages"]);
    command.args(["--no-ignore-global", "--no-ignore-parent"]);
    command.args(flags).args(["-e", pattern, "."]).current_dir(app).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let outcome = command.output();
    let outcome = outcome.unwrap_or_else(|error| panic!("this test needs ripgrep, `rg`: {error}"));
    if outcome.status.code() == Some(2) {
        return None;
    }
    let lines = outcome.stdout.split(|byte| *byte == b'\n');
    let hits = lines.filter(|line| !line.is_empty()).map(|line| {
        let nul = line.iter().position(|byte| *byte == 0).unwrap();
        let rest = &line[nul + 1..];
        let colon = rest.iter().position(|byte| *byte == b':').unwrap();
        let number = std::str::from_utf8(&rest[..colon]).unwrap().parse().unwrap();
        (line[..nul].strip_prefix(b"./").unwrap().to_vec(), number, cut(&rest[colon + 1..]))
    });
    Some(hits.collect())
}

fn ours(ground: &mut Ground, pattern: &str, flags: &[&str]) -> Option<BTreeSet<Hit>> {
    const APP: &str = "/case/repos/app";
    let mut asked =
        Query { case: Case::Sensitive, lines_max: 10_000_000, ..query(pattern, &[APP]) };
    asked.scope.hidden = false;
    asked.scope.repos = b"/case/repos"[..].into();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match *flag {
            "-i" => asked.case = Case::Insensitive,
            "-s" => asked.case = Case::Sensitive,
            "-S" => asked.case = Case::Smart,
            "-w" => asked.word = true,
            "-F" => asked.literal = true,
            "-U" => asked.multiline = true,
            "--hidden" => asked.scope.hidden = true,
            "-g" => asked.scope.globs.push(flags.next().unwrap().to_string()),
            "-t" => asked.scope.types.push(flags.next().unwrap().to_string()),
            other => panic!("{other}"),
        }
    }
    let mut hits = BTreeSet::new();
    let mut search = ground.hands.search(&asked).ok()?;
    while let Some(part) = search.next_part().unwrap() {
        for file in part.files {
            let path = file.path[APP.len() + 1..].to_vec();
            for line in file.lines {
                let text = if line.before + line.after == 0 { line.bytes.0 } else { Vec::new() };
                hits.insert((path.clone(), line.number, cut(&text)));
            }
        }
    }
    Some(hits)
}

/// What is left of a line when one that is too long to be told is left out, and so is
/// what ends a line elsewhere.
fn cut(line: &[u8]) -> Vec<u8> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if LINE_BYTES_MAX < line.len() { Vec::new() } else { line.to_vec() }
}
