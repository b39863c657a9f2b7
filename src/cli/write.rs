//! `casefile write`: a file in a case, as an agent writes it.

use std::io::Read;
use std::process::ExitCode;

use clap::{ArgGroup, Args};

use super::report::Failure;
use super::session;
use super::surroundings::Surroundings;
use crate::disk::DiskError;
use crate::tools::{Call, WriteFile, WriteMode};

/// Write a file in a case, or change one passage of it
///
/// The text comes from stdin, if `--text` does not give it. A file that is there
/// already is left alone, unless one of the options says otherwise.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("mode").multiple(false))]
pub(crate) struct Write {
    /// Its id, or the beginning of it
    case: String,
    /// The file, taken from `/case`
    path: String,
    /// The text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// Put the text in the place of the whole file
    #[arg(long, group = "mode")]
    replace: bool,
    /// Put the text at the end of the file
    #[arg(long, group = "mode")]
    append: bool,
    /// Put the text in the place of this passage, which must stand in the file once
    #[arg(long, value_name = "TEXT", group = "mode", allow_hyphen_values = true)]
    passage: Option<String>,
}

/// More is not read: the jail would not take it in one piece.
const TEXT_BYTES_MAX: u64 = 4 * 1024 * 1024;

pub(crate) fn run(write: Write, around: &Surroundings) -> Result<ExitCode, Failure> {
    let text = match write.text {
        Some(text) => text,
        None => from_stdin()?,
    };
    let mode = match (write.replace, write.append, write.passage) {
        (true, ..) => WriteMode::Replace,
        (_, true, _) => WriteMode::Append,
        (.., Some(old)) => WriteMode::Passage { old },
        _ => WriteMode::Create,
    };
    let call = Call::WriteFile(WriteFile { path: write.path, text, mode });
    session::call(&write.case, around, "casefile write", &call)
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(TEXT_BYTES_MAX + 1).read_to_string(&mut text);
    let failed =
        |source| Failure::user(DiskError::Io { act: "read", path: "stdin".into(), source });
    read.map_err(failed)?;
    if TEXT_BYTES_MAX < text.len() as u64 {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(text)
}
