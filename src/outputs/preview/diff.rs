//! Diffs: which files, and how many lines came and went in each.

use std::io;

use super::page::{short, thousands};
use super::reading::each_line;
use super::{About, Sketch, Source};

/// Of so many files the lines are counted one by one, and their names shown.
const FILES_MAX: usize = 5_000;
const NAME_CHARS: usize = 120;

pub(super) fn sketch(source: &mut dyn Source, size: u64, about: &About<'_>) -> io::Result<Sketch> {
    let mut diff = Diff::default();
    let part = each_line(source, size, |_, line| diff.line(line))?;
    let mut lines = Vec::new();
    let files = if diff.files == 1 { "file" } else { "files" };
    let (all, plus, minus) = (thousands(diff.files), thousands(diff.plus), thousands(diff.minus));
    lines.push(format!("{all} {files}, +{plus} -{minus}"));
    lines.extend(part.note());
    // Where most has changed comes first.
    diff.known.sort_by_key(|file| std::cmp::Reverse(file.plus + file.minus));
    lines.extend(diff.known.iter().map(File::line));
    let next = format!("grep '^diff --git' in {0}, then read_file {0} from=LINE", about.path);
    Ok(Sketch { lines, next: Some(next) })
}

#[derive(Debug, Default)]
struct Diff {
    known: Vec<File>,
    files: u64,
    plus: u64,
    minus: u64,
    /// What is left of the hunk: lines of the old file and of the new one.
    hunk: (u64, u64),
}

#[derive(Debug, Default)]
struct File {
    name: Vec<u8>,
    plus: u64,
    minus: u64,
    /// What happened to all of it.
    what: &'static str,
    /// A line with the name of the other side has come.
    named: bool,
}

impl Diff {
    fn line(&mut self, line: &[u8]) {
        let (old, new) = &mut self.hunk;
        // Within a hunk a line may go on like anything.
        if (0 < *old || 0 < *new) && line.first().is_none_or(|byte| b" +-\\".contains(byte)) {
            let (minus, plus) = match line.first() {
                Some(b'-') => (1, 0),
                Some(b'+') => (0, 1),
                Some(b'\\') => return,
                _ => (0, 0),
            };
            *old = old.saturating_sub(1 - plus);
            *new = new.saturating_sub(1 - minus);
            self.count(plus, minus);
            return;
        }
        self.hunk = (0, 0);
        if let Some(names) = line.strip_prefix(b"diff --git ") {
            // Both are the same, save for a rename, which says so itself.
            let half = names.get(names.len() / 2 + 1..).unwrap_or(names);
            self.begin(half.strip_prefix(b"b/").unwrap_or(half), true);
        } else if let Some(name) = line.strip_prefix(b"--- ") {
            match self.known.last_mut() {
                Some(last) if last.named => {}
                _ => self.begin(path(name), false),
            }
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            self.name(path(name));
        } else if let Some(name) = line.strip_prefix(b"rename to ") {
            if let Some(last) = self.last() {
                last.name = name.into();
            }
            self.what("renamed");
        } else if line.starts_with(b"new file mode ") {
            self.what("new");
        } else if line.starts_with(b"deleted file mode ") {
            self.what("deleted");
        } else if line.starts_with(b"Binary files ") || line == b"GIT binary patch" {
            self.what("binary");
        } else if let Some(hunk) = line.strip_prefix(b"@@ -") {
            self.hunk = lengths(hunk).unwrap_or_default();
        }
    }

    /// Another file. `named` says that its `---` is still to come.
    fn begin(&mut self, name: &[u8], named: bool) {
        self.files += 1;
        if self.known.len() < FILES_MAX {
            self.known.push(File { name: name.into(), named, ..File::default() });
        }
    }

    fn last(&mut self) -> Option<&mut File> {
        // Beyond those that are known, all are counted together.
        if self.known.len() as u64 == self.files { self.known.last_mut() } else { None }
    }

    fn name(&mut self, name: &[u8]) {
        if let Some(last) = self.last() {
            last.named = false;
            if name != b"/dev/null" {
                last.name = name.into();
            }
        }
    }

    fn what(&mut self, what: &'static str) {
        if let Some(last) = self.last() {
            last.what = what;
        }
    }

    fn count(&mut self, plus: u64, minus: u64) {
        self.plus += plus;
        self.minus += minus;
        if let Some(last) = self.last() {
            last.plus += plus;
            last.minus += minus;
        }
    }
}

impl File {
    fn line(&self) -> String {
        let space = if self.what.is_empty() { "" } else { " " };
        let name = short(&self.name, NAME_CHARS);
        let (plus, minus) = (thousands(self.plus), thousands(self.minus));
        format!("  +{plus} -{minus} {name}{space}{}", self.what)
    }
}

/// A name without its side, and without the time that some write after it.
fn path(name: &[u8]) -> &[u8] {
    let end = name.iter().position(|byte| *byte == b'\t').unwrap_or(name.len());
    let name = &name[..end];
    name.strip_prefix(b"a/").or_else(|| name.strip_prefix(b"b/")).unwrap_or(name)
}

/// How many lines of both sides a hunk has: `@@ -1,2 +3,4 @@`.
fn lengths(hunk: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(hunk).ok()?;
    let (old, rest) = text.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let length = |side: &str| match side.split_once(',') {
        Some((_, length)) => length.parse().ok(),
        None => Some(1),
    };
    Some((length(old)?, length(new)?))
}

#[cfg(test)]
mod tests {
    use crate::outputs::preview::tests::shown;

    #[test]
    fn files_and_lines_are_counted_whatever_the_lines_look_like() {
        let mut diff = String::from(
            "diff --git a/src/pay.rs b/src/pay.rs\nindex 1..2 100644\n--- a/src/pay.rs\n+++ b/src/pay.rs\n\
             @@ -1,4 +1,4 @@ fn pay() {\n one\n--- a/looks/like/a/file\n-two\n+++ b/neither\n+three\n last\n\
             diff --git a/old name.txt b/new name.txt\nsimilarity index 90%\nrename from old name.txt\nrename to new name.txt\n\
             diff --git a/new.bin b/new.bin\nnew file mode 100644\nBinary files /dev/null and b/new.bin differ\n\
             diff --git a/gone.txt b/gone.txt\ndeleted file mode 100644\n--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n",
        );
        for n in 0..60 {
            diff += &format!(
                "diff --git a/lib/{n}.rs b/lib/{n}.rs\n--- a/lib/{n}.rs\n+++ b/lib/{n}.rs\n@@ -5,0 +6,2 @@\n+a\n+b\n"
            );
        }
        insta::assert_snapshot!(shown(diff.as_bytes(), 900), @"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · diff · 5,815 bytes · 385 lines · sha256 e3b0c44298fc1c14…
        64 files, +122 -3
          +2 -2 src/pay.rs
          +2 -0 lib/0.rs
          +2 -0 lib/1.rs
          +2 -0 lib/2.rs
          +2 -0 lib/3.rs
          +2 -0 lib/4.rs
          +2 -0 lib/5.rs
          +2 -0 lib/6.rs
          +2 -0 lib/7.rs
          +2 -0 lib/8.rs
          +2 -0 lib/9.rs
          +2 -0 lib/10.rs
          +2 -0 lib/11.rs
          +2 -0 lib/12.rs
          +2 -0 lib/13.rs
          +2 -0 lib/14.rs
          +2 -0 lib/15.rs
          +2 -0 lib/16.rs
          +2 -0 lib/17.rs
          +2 -0 lib/18.rs
          +2 -0 lib/19.rs
          +2 -0 lib/20.rs
          +2 -0 lib/21.rs
          +2 -0 lib/22.rs
          +2 -0 lib/23.rs
        … 39 more
        [line 1 of 385]
        diff --git a/src…[36 bytes]…pay.rs
        [lines 383-385]
        @@ -5,0 +6,2 @@
        +a
        +b
        next: grep '^diff --git' in /case/outputs/0007-shell.txt, then read_file /case/outputs/0007-shell.txt from=LINE
        ");
    }

    #[test]
    fn a_diff_without_git_is_one_too() {
        let one = "--- old/a.txt\t2026-03-01 12:00:00\n+++ new/a.txt\t2026-03-01 12:00:01\n@@ -1 +1 @@\n-x\n+y\n";
        let diff = one.repeat(40);
        let shown = shown(diff.as_bytes(), 700);
        assert!(shown.contains("40 files, +40 -40\n  +1 -1 new/a.txt\n"), "{shown}");
    }
}
