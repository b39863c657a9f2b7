//! What `grep` found, in words.

use std::io::Write as _;

use super::{Answer, Gathered, Grep, LIMIT_MAX, Mode, Place};
use crate::jail::hands::search::wire::{FoundIn, Line, Unsearched};
use crate::tools::places::{Places, count_of, grouped, one_line};

impl Gathered {
    pub(super) fn into_answer(mut self, asked: &Grep, place: &Place<'_>) -> Answer {
        let limit = asked.limit.clamp(1, LIMIT_MAX);
        let mut body = Vec::new();
        match asked.mode {
            Mode::Lines => self.write_lines(&mut body, limit, asked, place),
            Mode::Files => {
                for file in &self.files {
                    line(&mut body, &shown(&file.path, place));
                }
            }
            Mode::Count => {
                self.sort_by_count();
                for file in &self.files[..self.files.len().min(limit)] {
                    line(&mut body, &format!("{}: {}", shown(&file.path, place), file.count));
                }
                for file in self.files.iter().skip(limit) {
                    self.rest.add(&file.path, place.base, file.count);
                }
            }
        }
        let next = self.rest.told(asked).map(|(more, next)| {
            line(&mut body, &more);
            next
        });
        let next = next.or_else(|| (self.files_count == 0).then(|| if_nothing(asked)).flatten());
        Answer { facts: self.facts(asked, place), body, next }
    }

    fn write_lines(&mut self, body: &mut Vec<u8>, limit: usize, asked: &Grep, place: &Place<'_>) {
        // Stable, so that the paths decide where this does not.
        self.files.sort_by_key(|file| !file.defines);
        let gaps = 0 < asked.before + asked.after;
        let mut left = limit;
        for file in &self.files {
            if left == 0 {
                self.rest.add(&file.path, place.base, file.count);
                continue;
            }
            if file.unsearched == Some(Unsearched::Binary) {
                let path = shown(&file.path, place);
                line(body, &format!("{path}: no text, {} of its lines match", file.count));
                left -= 1;
                continue;
            }
            line(body, &shown(&file.path, place));
            let lines = &file.lines[..file.lines.len().min(left)];
            left -= lines.len();
            let mut last = None;
            for told in lines {
                if gaps && last.is_some_and(|last| last + 1 < told.number) {
                    line(body, "  --");
                }
                last = Some(told.number);
                write_line(body, told);
            }
            let told = lines.iter().filter(|line| line.matches).count() as u64;
            if told < file.count {
                let more = lines_of(file.count - told);
                line(body, &format!("  … {more} more in this file"));
                self.rest.here(file.count - told);
            }
        }
    }

    /// How it went, in one line.
    fn facts(&self, asked: &Grep, place: &Place<'_>) -> String {
        let mut facts = match (self.files_count, asked.mode) {
            (0, _) => "no line matches".to_owned(),
            (files, Mode::Files) => format!("{} with a match", files_of(files)),
            (files, _) => format!("{} in {}", lines_of(self.lines_count), files_of(files)),
        };
        facts += &format!("; {} searched", files_of(self.tally.files));
        if 0 < self.tally.binary {
            facts += &format!(", {} without text skipped", grouped(self.tally.binary));
        }
        if 0 < self.refused_count {
            let told: Vec<_> = self
                .refused
                .iter()
                .map(|(path, why)| format!("`{}`: {why}", shown(path, place)))
                .collect();
            let could_not = grouped(self.refused_count);
            facts += &format!("; {could_not} could not be: {}", told.join("; "));
        }
        let unsearched = |file: &&FoundIn| {
            matches!(file.unsearched, Some(Unsearched::LongLine | Unsearched::TooLarge))
        };
        let partly: Vec<_> =
            self.files.iter().filter(unsearched).map(|file| shown(&file.path, place)).collect();
        if !partly.is_empty() {
            facts += &format!("; not all of it: {}", partly.join(", "));
        }
        if self.tally.cut {
            facts += "; there are more files than can be searched at once, name a directory";
        }
        if self.left_off {
            facts += "; it took too long and was left off there, name a directory";
        }
        facts
    }
}

/// What might find something after all.
fn if_nothing(asked: &Grep) -> Option<String> {
    let capitals = asked.pattern.chars().any(char::is_uppercase);
    let mut ways = Vec::new();
    if capitals && asked.case != super::Case::Insensitive {
        ways.push("`case: insensitive`");
    }
    if asked.word {
        ways.push("`word: false`");
    }
    if !asked.literal && asked.pattern.contains(['.', '(', '[', '{', '*', '+', '?', '$', '|']) {
        ways.push("`literal: true`");
    }
    if !asked.hidden {
        ways.push("`hidden: true`");
    }
    (!ways.is_empty()).then(|| format!("the same with {}", ways.join(" or ")))
}

/// Where there is more than is shown.
#[derive(Debug, Default)]
pub(super) struct Rest {
    files: u64,
    lines: u64,
    /// Lines in files of which others are shown.
    here: u64,
    places: Places,
}

impl Rest {
    pub(super) fn add(&mut self, path: &[u8], base: &[u8], lines: u64) {
        self.files += 1;
        self.lines += lines;
        self.places.add_file(path, base, lines);
    }

    fn here(&mut self, lines: u64) {
        self.here += lines;
    }

    /// What is not shown, and how to see it.
    fn told(&self, asked: &Grep) -> Option<(String, String)> {
        if self.files == 0 {
            return (0 < self.here).then(|| {
                let next = narrower(asked, None);
                (format!("{} more not shown", lines_of(self.here)), next)
            });
        }
        let (places, most) = self.places.told();
        let what = match asked.mode {
            Mode::Files => files_of(self.files),
            Mode::Lines | Mode::Count => {
                format!("{} in {}", lines_of(self.lines + self.here), files_of(self.files))
            }
        };
        let more = format!("{what} more not shown: {places}");
        Some((more, narrower(asked, most)))
    }
}

fn narrower(asked: &Grep, place: Option<String>) -> String {
    let mut ways = Vec::new();
    if let Some(place) = place {
        ways.push(format!("`paths: [{place:?}]`"));
    }
    if asked.mode == Mode::Lines {
        ways.push("`mode: files`".to_owned());
    }
    if asked.limit < LIMIT_MAX {
        ways.push(format!("`limit: {}`", (asked.limit.max(1) * 4).min(LIMIT_MAX)));
    }
    format!("the same with {}", ways.join(" or "))
}

fn write_line(body: &mut Vec<u8>, told: &Line) {
    let mark = if told.matches { ':' } else { '-' };
    // Writing to memory does not fail.
    let _ = write!(body, "  {}{mark} ", told.number);
    if 0 < told.before {
        let _ = write!(body, "[{} bytes]…", grouped(told.before));
    }
    body.extend_from_slice(&told.bytes);
    if 0 < told.after {
        let _ = write!(body, "…[{} bytes]", grouped(told.after));
    }
    body.push(b'\n');
}

fn line(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(text.as_bytes());
    body.push(b'\n');
}

/// A path as it is told, in one line whatever it is.
fn shown(path: &[u8], place: &Place<'_>) -> String {
    one_line(&place.shown(path))
}

fn lines_of(count: u64) -> String {
    count_of(count, "line", "lines")
}

fn files_of(count: u64) -> String {
    count_of(count, "file", "files")
}
