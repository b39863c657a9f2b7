//! `casefile read`: lines of files of a case, as an agent reads them.

use std::process::ExitCode;

use clap::Args;

use super::report::Failure;
use super::session;
use super::surroundings::Surroundings;
use crate::tools::{Call, Part, ReadFile};

/// Print lines of files of a case, or what is in a directory
///
/// A path is taken from `/case`. `PATH:20-40` and `PATH:20` name lines of one file,
/// `--from` and `--lines` hold for all that name none.
#[derive(Args, Debug)]
pub(crate) struct Read {
    /// Its id, or the beginning of it
    case: String,
    /// Files or directories
    #[arg(required = true, value_name = "PATH[:FROM[-TO]]")]
    paths: Vec<String>,
    /// The first line; -20 begins with the twentieth from the end
    #[arg(long, value_name = "LINE", allow_negative_numbers = true, default_value_t = 1)]
    from: i64,
    /// How many lines [default: as many as fit]
    #[arg(long, value_name = "N")]
    lines: Option<u64>,
    /// The first byte of the first line, for one that is very long
    #[arg(long, value_name = "BYTE")]
    column: Option<u64>,
    /// Neither unpack what is packed nor make text of documents
    #[arg(long)]
    raw: bool,
}

pub(crate) fn run(read: Read, around: &Surroundings) -> Result<ExitCode, Failure> {
    let part = |path: &String| {
        let (path, range) = split(path);
        match range {
            Some((from, lines)) => Part { path, from, lines, column: read.column },
            None => Part { path, from: read.from, lines: read.lines, column: read.column },
        }
    };
    let parts = read.paths.iter().map(part).collect();
    let call = Call::ReadFile(ReadFile { parts, raw: read.raw });
    session::call(&read.case, around, "casefile read", &call)
}

/// A path and the lines that it names: the first one, and how many.
fn split(given: &str) -> (String, Option<(i64, Option<u64>)>) {
    let range = given.rsplit_once(':').and_then(|(path, range)| {
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (from, Some(to.parse::<u64>().ok()?)),
            None => (range, None),
        };
        let from = from.parse::<u64>().ok()?;
        // One line alone is meant by one number.
        let lines = to.unwrap_or(from).checked_sub(from)?.checked_add(1)?;
        Some((path, (i64::try_from(from).ok()?, Some(lines))))
    });
    match range {
        Some((path, range)) => (path.into(), Some(range)),
        None => (given.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_path_may_name_its_lines() {
        #[rustfmt::skip]
        let table = [
            ("src/a.rs",       ("src/a.rs", None)),
            ("src/a.rs:20",    ("src/a.rs", Some((20, Some(1))))),
            ("src/a.rs:20-40", ("src/a.rs", Some((20, Some(21))))),
            ("src/a.rs:40-20", ("src/a.rs:40-20", None)),
            ("a:b",            ("a:b", None)),
            ("a:1-",           ("a:1-", None)),
            ("12:5",           ("12", Some((5, Some(1))))),
        ];
        for (given, (path, range)) in table {
            assert_eq!(split(given), (path.to_owned(), range), "{given}");
        }
    }
}
