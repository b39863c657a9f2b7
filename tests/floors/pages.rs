//! Holds the pages to what they tell of: every dependency has its line in
//! CONTRIBUTING.md, and every room its row in ARCHITECTURE.md.
//!
//! A page that nothing holds drifts from the code within weeks.

use std::collections::BTreeSet;

use crate::{File, MAY_USE};

/// The names in one column of the tables below `heading`, without their quotes.
fn column<'a>(page: &'a str, heading: &str, column: usize) -> BTreeSet<&'a str> {
    let section = page.lines().skip_while(|line| *line != heading).skip(1);
    let section = section.take_while(|line| !line.starts_with("## "));
    let mut names = BTreeSet::new();
    // A table is a head, a rule, and rows.
    let mut is_below_rule = false;
    for line in section {
        if line.starts_with("|---") {
            is_below_rule = true;
        } else if !line.starts_with('|') {
            is_below_rule = false;
        } else if is_below_rule {
            let cell = line.split('|').nth(column + 1).unwrap_or_default();
            names.extend(cell.split(',').map(|name| name.trim().trim_matches('`')));
        }
    }
    names
}

/// What `Cargo.toml` takes from others.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut section = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && !line.starts_with('#') {
            names.extend(line.split_once('=').map(|(name, _)| name.trim()));
        }
    }
    names
}

/// Dependencies without a line, and lines without a dependency.
fn unexplained(manifest: &str, page: &str) -> Vec<String> {
    let taken = dependencies(manifest);
    let told = column(page, "## Dependencies", 0);
    let mut faults = Vec::new();
    faults.extend(taken.difference(&told).map(|name| format!("`{name}` has no line")));
    faults.extend(told.difference(&taken).map(|name| format!("`{name}` is told of, but not used")));
    faults
}

/// Rooms that the map leaves out.
fn unmapped(table: &[&str], page: &str) -> Vec<String> {
    let told = column(page, "## Rooms", 1);
    let missing = table.iter().filter(|room| !told.contains(*room));
    missing.map(|room| format!("`{room}` is not on the map")).collect()
}

fn page(path: &str) -> File {
    let whole = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    File { path: path.into(), text: std::fs::read_to_string(whole).unwrap() }
}

#[test]
fn every_dependency_earns_its_line() {
    let faults = unexplained(&page("Cargo.toml").text, &page("CONTRIBUTING.md").text);
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn every_room_is_on_the_map() {
    // `main` is the door to the door; the text above the table says so.
    let rooms: Vec<&str> =
        MAY_USE.iter().map(|(room, _)| *room).filter(|room| *room != "main").collect();
    let faults = unmapped(&rooms, &page("ARCHITECTURE.md").text);
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn a_page_that_drifts_is_caught() {
    let manifest = "\
        [package]\nname = \"x\"\n\
        [dependencies]\na = \"1\"\n# e = \"1\"\nb = { version = \"1\" }\n\
        [dev-dependencies]\nc = \"1\"\n\
        [lints.rust]\nd = \"warn\"\n";
    let contributing = |rows: &str| {
        let head = "|---|---|\n| z | z |\n\n## Dependencies\n\n| crate | job |\n|---|---|\n";
        format!("{head}{rows}\n## Next\n\n|---|---|\n| y | y |\n")
    };
    #[rustfmt::skip]
    let table: &[(&str, &[&str])] = &[
        // rows                                    faults
        ("| a, b | x |\n| `c` | y |\n",            &[]),
        ("| a | x |\n\nAnd:\n\n| crate | job |\n|---|---|\n| b | x |\n| c | x |\n", &[]),
        ("| a | x |\n| c | y |\n",                 &["`b` has no line"]),
        ("| a, b, c | x |\n| e | y |\n",           &["`e` is told of, but not used"]),
    ];
    for (rows, want) in table {
        assert_eq!(unexplained(manifest, &contributing(rows)), *want, "rows {rows:?}");
    }
    let map = "## Rooms\n\n| floor | room |\n|---|---|\n| 0 | `a` |\n";
    assert_eq!(unmapped(&["a"], map), [""; 0]);
    assert_eq!(unmapped(&["a", "b"], map), ["`b` is not on the map"]);
}
