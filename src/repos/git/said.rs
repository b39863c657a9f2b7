//! What git says on its stderr, cut into lines: progress is told, the rest is kept.

use crate::repos::Progress;

/// As much of it as is kept.
const SAID_LINES_MAX: usize = 12;
const LINE_BYTES_MAX: usize = 2_000;

/// The line that is not over yet, and what git was last seen to do.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    what: String,
}

impl Lines {
    pub(super) fn take(&mut self, bytes: &[u8], said: &mut Vec<String>, progress: &dyn Progress) {
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => self.finish(said, progress),
                _ if self.line.len() < LINE_BYTES_MAX => self.line.push(*byte),
                _ => {}
            }
        }
    }

    pub(super) fn finish(&mut self, said: &mut Vec<String>, progress: &dyn Progress) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
        if line.is_empty() {
            return;
        }
        if let Some(step) = Step::of(&line) {
            if step.what != self.what {
                self.what = step.what.into();
                progress.begin(step.what, step.total);
            }
            progress.at(step.done);
            return;
        }
        // What went before the last words is of no use to anybody.
        let tells = ["fatal:", "error:", "remote:", "ssh:", "warning:"];
        if tells.iter().any(|begin| line.starts_with(begin)) || line.contains("denied") {
            if said.len() == SAID_LINES_MAX {
                said.remove(0);
            }
            said.push(line);
        }
    }
}

/// A line of git's progress: `Receiving objects:  12% (3/25), 1 KiB`.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    what: &'a str,
    done: u64,
    total: Option<u64>,
}

impl<'a> Step<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.strip_prefix("remote:").unwrap_or(line).trim_start();
        let (what, rest) = line.split_once(": ")?;
        let rest = rest.trim_start();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at(digits);
        if let Some(counts) = rest.strip_prefix("% (") {
            let (done, total) = counts.split_once(')')?.0.split_once('/')?;
            return Some(Self { what, done: done.parse().ok()?, total: total.parse().ok() });
        }
        // `Enumerating objects: 25, done.` has no total.
        let counts = rest.is_empty() || rest.starts_with(',');
        (what.contains("objects") && counts)
            .then(|| Some(Self { what, done: number.parse().ok()?, total: None }))?
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn progress_is_told_from_what_git_has_to_say() {
        #[rustfmt::skip]
        let table = [
            ("Receiving objects:  12% (3/25), 1.2 KiB | 3 MiB/s", Some(("Receiving objects", 3, Some(25)))),
            ("remote: Counting objects: 100% (9/9), done.",       Some(("Counting objects", 9, Some(9)))),
            ("remote: Enumerating objects: 25, done.",            Some(("Enumerating objects", 25, None))),
            ("Resolving deltas:   0% (0/7)",                      Some(("Resolving deltas", 0, Some(7)))),
            ("fatal: could not read Username",                    None),
            ("remote: Repository not found.",                     None),
            ("remote: error: 404 of those: 12 objects",           None),
            ("From https://git.example.com/a",                    None),
            ("",                                                  None),
        ];
        for (line, want) in table {
            let want = want.map(|(what, done, total)| Step { what, done, total });
            assert_eq!(Step::of(line), want, "{line:?}");
        }
    }
}
