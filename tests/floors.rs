//! The walls inside the source, held by reading it: which room may use which,
//! which words belong to one place, and how every file opens and ends.
//!
//! A new room is one row in [`MAY_USE`]. A new arrow between rooms is one word
//! in a row, so that it is seen by whoever reviews the change.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the test reads the source itself, and fails if it cannot"
)]

#[path = "floors/pages.rs"]
mod pages;
#[path = "floors/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::Path;

/// Every room, lowest first, and the rooms that it may use.
#[rustfmt::skip]
const MAY_USE: Table<'static> = &[
    ("hint",   &[]),
    ("clients", &["hint"]),
    ("yaml",   &["hint"]),
    ("disk",   &["hint"]),
    ("config", &["hint", "yaml", "disk"]),
    ("case",   &["hint", "yaml", "disk", "config"]),
    ("access", &["hint", "disk", "config", "case"]),
    ("changed", &["case"]),
    ("repos",  &["hint", "yaml", "disk", "config", "case"]),
    ("jail",   &["hint", "yaml", "disk", "config"]),
    ("attack", &["hint", "yaml", "disk", "config", "jail"]),
    ("world",  &["hint", "disk", "config", "case", "repos", "jail"]),
    ("outputs", &["hint", "disk", "config", "case"]),
    ("govern", &["hint", "disk", "config", "case"]),
    ("tools",  &["hint", "disk", "config", "case", "jail", "outputs", "govern"]),
    ("mcp",    &["hint", "case", "access", "outputs", "tools"]),
    ("cli",    &["hint", "yaml", "disk", "config", "case", "access", "repos", "jail", "attack",
                "world", "outputs", "govern", "tools", "mcp", "clients"]),
    ("main",   &["cli", "jail", "attack", "changed"]),
];

/// Words of the code that belong to one place, so that it can be changed or
/// reviewed alone.
#[rustfmt::skip]
const NAMED_IN: Table<'static> = &[
    // word         the only places in `src/` that say it
    ("unsafe",      &["src/jail/sys.rs", "src/jail/sys/", "src/repos/objects.rs"]),
    ("serde_yaml",  &["src/yaml.rs", "src/yaml/"]),
    ("clap",        &["src/cli/"]),
    ("anstream",    &["src/cli/"]),
    ("landlock",    &["src/jail/"]),
    ("grep_matcher", &["src/jail/hands/"]),
    ("grep_regex",  &["src/jail/hands/"]),
    ("git2",        &["src/repos/"]),
    ("rmcp",        &["src/mcp/"]),
    ("hyper",       &["src/mcp/"]),
    ("hyper_util",  &["src/mcp/http/"]),
    ("tokio_rustls", &["src/mcp/http/"]),
    ("jsonc_parser", &["src/clients/"]),
    ("toml_edit", &["src/clients/"]),
    ("ring",        &["src/access/jwt/", "src/mcp/http/tls.rs"]),
    ("ureq",        &["src/access/jwt/"]),
    ("tokio",       &["src/mcp/", "src/jobs/", "src/connect/", "src/agent/"]),
];

/// Attributes that switch a check off where nobody would notice.
#[rustfmt::skip]
const ATTRIBUTES: &[(&str, &str, &str)] = &[
    // attribute      below    instead
    ("allow",         "src/",  "`expect` with a reason, which fails when it is no longer needed"),
    ("ignore",        "",      "a test that states what it needs and fails without it"),
    ("should_panic",  "",      "a test that holds the error"),
];

/// Above this a file is two files, and its tests count.
const FILE_LINES_MAX: usize = 600;

type Table<'a> = &'a [(&'a str, &'a [&'a str])];

/// A file below the package, by its path there.
struct File {
    path: String,
    text: String,
}

impl File {
    /// The room it is in. `src/lib.rs` is in none: it only lists them.
    fn room(&self) -> Option<&str> {
        let room = self.path.strip_prefix("src/")?.split('/').next()?;
        let room = room.strip_suffix(".rs").unwrap_or(room);
        (room != "lib").then_some(room)
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Rows that use what is not below them, and rooms with no row or the reverse.
fn rooms(table: Table, files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut below = BTreeSet::new();
    for (room, uses) in table {
        let above = uses.iter().filter(|used| !below.contains(*used));
        faults.extend(above.map(|used| format!("`{room}` uses `{used}`, which is not below it")));
        if !below.insert(*room) {
            faults.push(format!("`{room}` has two rows"));
        }
    }
    let stand: BTreeSet<&str> = files.iter().filter_map(File::room).collect();
    faults.extend(stand.difference(&below).map(|room| format!("`{room}` is on no floor")));
    faults.extend(below.difference(&stand).map(|room| format!("`{room}` has a row but no room")));
    faults
}

/// Paths from a room into one that its row does not name.
fn arrows(table: Table, files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some(room) = file.room() else { continue };
        let row = table.iter().find(|(name, _)| *name == room);
        let uses = row.map_or(&[][..], |(_, uses)| uses);
        for reach in source::reaches(&file.path, &source::words(&file.text)) {
            if reach.text != room && !uses.contains(&reach.text) {
                let (path, line, used) = (&file.path, reach.line, reach.text);
                faults.push(format!("{path}:{line}: `{room}` may not use `{used}`"));
            }
        }
    }
    faults
}

/// Words of [`NAMED_IN`] outside their places.
fn strays(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && file.path.starts_with("src/")) {
        for word in source::words(&file.text) {
            let row = NAMED_IN.iter().find(|(name, _)| *name == word.text);
            let Some((name, places)) = row else { continue };
            if !places.iter().any(|place| file.path.starts_with(place)) {
                let places = places.join(", ");
                faults.push(format!("{}:{}: `{name}` is for {places}", file.path, word.line));
            }
        }
    }
    faults
}

/// Attributes of [`ATTRIBUTES`] where they may not be.
fn switches(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for three in source::words(&file.text).windows(3) {
            let row = ATTRIBUTES.iter().find(|(name, ..)| *name == three[2].text);
            let Some((name, below, instead)) = row else { continue };
            let is_attribute = ["#", "!"].contains(&three[0].text) && three[1].text == "[";
            if is_attribute && file.path.starts_with(below) {
                let (path, line) = (&file.path, three[2].line);
                faults.push(format!("{path}:{line}: not `{name}`, but {instead}"));
            }
        }
    }
    faults
}

/// Files that do not open by saying what they are for, or are too long.
fn shapes(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for File { path, text } in files.iter().filter(|file| file.is_rust()) {
        let says = text.lines().next().and_then(|line| line.strip_prefix("//! "));
        if says.is_none_or(|says| says.trim().is_empty()) {
            faults.push(format!("{path}:1: does not open with `//!` and what it is for"));
        }
        let lines = text.lines().count();
        if FILE_LINES_MAX < lines {
            faults.push(format!("{path}: {lines} lines; the most is {FILE_LINES_MAX}"));
        }
    }
    faults
}

/// Files that no `mod` names: they look like code and are never compiled.
fn forgotten(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let module = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let Some((dir, name)) = module.rsplit_once('/') else { continue };
        if ["main", "lib"].contains(&name) {
            continue;
        }
        let parents = [".rs", "/mod.rs", "/lib.rs", "/main.rs"].map(|end| format!("{dir}{end}"));
        let parents: Vec<_> = files.iter().filter(|file| parents.contains(&file.path)).collect();
        let is_named = parents.iter().any(|parent| {
            let words = source::words(&parent.text);
            words.windows(3).any(|three| three.iter().map(|word| word.text).eq(["mod", name, ";"]))
        });
        // Without a parent, cargo finds the file itself, but not in `src/`.
        if !is_named && (!parents.is_empty() || dir.starts_with("src")) {
            faults.push(format!("{}: no `mod {name};` anywhere", file.path));
        }
    }
    faults
}

/// Every file of the package that holds its code or could be taken for it.
fn package() -> Vec<File> {
    fn walk(dir: &Path, root: &Path, files: &mut Vec<File>) {
        let Ok(entries) = dir.read_dir() else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, files);
                continue;
            }
            let below = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let is_rust = below.ends_with(".rs");
            let text =
                if is_rust { std::fs::read_to_string(&path).unwrap() } else { String::new() };
            files.push(File { path: below, text });
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches", "examples", "fuzz/fuzz_targets"] {
        walk(&root.join(dir), root, &mut files);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let read = |path: &str| files.iter().any(|file| file.path == path && !file.text.is_empty());
    assert!(read("src/lib.rs") && read("tests/floors/source.rs"), "the walk missed the source");
    files
}

#[track_caller]
fn holds(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_room_is_on_one_floor_and_uses_only_lower_ones() {
    holds(&rooms(MAY_USE, &package()));
}

#[test]
fn no_import_points_where_its_row_does_not() {
    holds(&arrows(MAY_USE, &package()));
}

#[test]
fn a_word_that_belongs_to_one_place_is_said_only_there() {
    holds(&strays(&package()));
}

#[test]
fn no_check_is_switched_off_in_passing() {
    holds(&switches(&package()));
}

#[test]
fn every_file_says_what_it_is_for_and_is_short_enough_to_read() {
    holds(&shapes(&package()));
}

#[test]
fn no_file_is_forgotten() {
    holds(&forgotten(&package()));
}

/// Guards the guards: each wall is shown a fault, and the fault mended.
#[test]
fn every_wall_can_fail() {
    const TABLE: Table = &[("low", &[]), ("high", &["low"])];
    type Wall = fn(&[File]) -> Vec<String>;
    type Planted<'a> = &'a [(&'a str, &'a str)];
    let rooms: Wall = |files| rooms(TABLE, files);
    let arrows: Wall = |files| arrows(TABLE, files);
    let loops: Wall = |files| self::rooms(&[("low", &["high"]), ("high", &["low"])], files);
    let long = format!("//! Long.\n{}", "\n".repeat(FILE_LINES_MAX));
    let just = format!("//! Long.\n{}", "\n".repeat(FILE_LINES_MAX - 1));
    let both = [("src/low.rs", ""), ("src/high/mod.rs", "")];
    let deep = [("src/low.rs", ""), ("src/high/a/b.rs", ""), ("src/lib.rs", "")];
    let open = "src/low.rs:1: does not open with `//!` and what it is for";
    #[rustfmt::skip]
    let table: &[(Wall, Planted, &[&str])] = &[
        // wall     planted                                           faults
        (rooms,     &both,                                            &[]),
        (rooms,     &deep,                                            &[]),
        (rooms,     &[("src/low.rs", "")],                            &["`high` has a row but no room"]),
        (rooms,     &[both[0], both[1], ("src/new/a.yaml", "")],      &["`new` is on no floor"]),
        (loops,     &both,                                            &["`low` uses `high`, which is not below it"]),
        (arrows,    &[("src/high/mod.rs", "use crate::low;")],        &[]),
        (arrows,    &[("src/high/mod.rs", "use crate::high::a;")],    &[]),
        (arrows,    &[("src/low.rs", "\nuse crate::{\nhigh::A};")],   &["src/low.rs:3: `low` may not use `high`"]),
        (arrows,    &[("src/low.rs", "use super::high;")],            &["src/low.rs:1: `low` may not use `high`"]),
        (arrows,    &[("src/high/a.rs", "use crate::*;")],            &["src/high/a.rs:1: `high` may not use `*`"]),
        (arrows,    &[("src/new.rs", "fn f() { crate::low::f() }")],  &["src/new.rs:1: `new` may not use `low`"]),
        (strays,    &[("src/yaml.rs", "use serde_yaml;")],            &[]),
        (strays,    &[("src/jail/sys/a.rs", "unsafe { f() }")],       &[]),
        (strays,    &[("src/jail/a.rs", "// unsafe\nunsafe { }")],    &["src/jail/a.rs:2: `unsafe` is for src/jail/sys.rs, src/jail/sys/, src/repos/objects.rs"]),
        (strays,    &[("src/config/a.rs", "serde_yaml::from_str")],   &["src/config/a.rs:1: `serde_yaml` is for src/yaml.rs, src/yaml/"]),
        (strays,    &[("src/tools/a.rs", "use rmcp::model;")],        &["src/tools/a.rs:1: `rmcp` is for src/mcp/"]),
        (switches,  &[("src/low.rs", "#[expect(x)]\nlet a = [allow];")], &[]),
        (switches,  &[("tests/a.rs", "#![allow(x)]")],                &[]),
        (switches,  &[("src/low.rs", "#[allow(x)]")],                 &["src/low.rs:1: not `allow`, but `expect` with a reason, which fails when it is no longer needed"]),
        (switches,  &[("tests/a.rs", "#[test]\n#[ignore]")],          &["tests/a.rs:2: not `ignore`, but a test that states what it needs and fails without it"]),
        (switches,  &[("tests/a.rs", "#[should_panic]")],             &["tests/a.rs:1: not `should_panic`, but a test that holds the error"]),
        (shapes,    &[("src/low.rs", &just)],                         &[]),
        (shapes,    &[("src/low.rs", &long)],                         &["src/low.rs: 601 lines; the most is 600"]),
        (shapes,    &[("src/low.rs", "use a;\n//! Late.")],           &[open]),
        (shapes,    &[("src/low.rs", "//! \n")],                      &[open]),
        (shapes,    &[("src/low.rs", "")],                            &[open]),
        (forgotten, &[("src/lib.rs", "mod a;"), ("src/a.rs", "")],    &[]),
        (forgotten, &[("src/lib.rs", "mod a;"), ("src/a/mod.rs", "pub mod b;"), ("src/a/b.rs", "")], &[]),
        (forgotten, &[("tests/a.rs", ""), ("tests/common/mod.rs", "")], &[]),
        (forgotten, &[("src/lib.rs", "// mod a;"), ("src/a.rs", "")], &["src/a.rs: no `mod a;` anywhere"]),
        (forgotten, &[("src/lib.rs", ""), ("src/a/mod.rs", "")],      &["src/a/mod.rs: no `mod a;` anywhere"]),
        (forgotten, &[("src/lib.rs", "mod a;"), ("src/a/b.rs", "")],  &["src/a/b.rs: no `mod b;` anywhere"]),
        (forgotten, &[("tests/commands/main.rs", "mod a;"), ("tests/commands/b.rs", "")], &["tests/commands/b.rs: no `mod b;` anywhere"]),
    ];
    for (wall, planted, want) in table {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        let files: Vec<File> = planted.iter().map(file).collect();
        assert_eq!(wall(&files), *want, "planted {planted:?}");
    }
}
