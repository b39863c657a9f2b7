//! `casefile grep`: looking for lines in a case, as an agent does.

use std::process::ExitCode;

use clap::Args;

use super::report::Failure;
use super::session;
use super::surroundings::Surroundings;
use crate::tools::Call;
use crate::tools::grep::{Case, Grep as Asked, LIMIT, Mode};

/// Look for lines in the files of a case
///
/// A pattern without a capital letter fits any case. Files that the repositories
/// ignore are left out, and so are hidden ones; evidence and outputs are searched whole.
#[derive(Args, Debug)]
pub(crate) struct Grep {
    /// Its id, or the beginning of it
    case: String,
    /// A regular expression
    #[arg(allow_hyphen_values = true)]
    pattern: String,
    /// Files and directories, taken from `/case` [default: all of it]
    paths: Vec<String>,
    /// Take the pattern as it stands
    #[arg(short = 'F', long)]
    literal: bool,
    /// Only whole words
    #[arg(short, long)]
    word: bool,
    /// Fit any case
    #[arg(short, long, conflicts_with = "case_sensitive")]
    ignore_case: bool,
    /// Fit only the case that is given
    #[arg(short = 's', long)]
    case_sensitive: bool,
    /// Let a match go over the ends of lines
    #[arg(short = 'U', long)]
    multiline: bool,
    /// Only files that this fits, `!` leaves out (can be repeated)
    #[arg(short, long, value_name = "GLOB", allow_hyphen_values = true)]
    glob: Vec<String>,
    /// Only files of this kind, such as `rust` (can be repeated)
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Look at names that begin with a dot, too
    #[arg(long)]
    hidden: bool,
    /// Lines to show before each match
    #[arg(short = 'B', long, value_name = "N", default_value_t = 0)]
    before: usize,
    /// Lines to show after each match
    #[arg(short = 'A', long, value_name = "N", default_value_t = 0)]
    after: usize,
    /// Lines to show on both sides
    #[arg(short = 'C', long, value_name = "N")]
    context: Option<usize>,
    /// Only the names of the files
    #[arg(short = 'l', long, conflicts_with = "count")]
    files: bool,
    /// Only how many lines there are in each file
    #[arg(short, long)]
    count: bool,
    /// How many lines or files to show
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: usize,
}

pub(crate) fn run(grep: Grep, around: &Surroundings) -> Result<ExitCode, Failure> {
    let case = match (grep.ignore_case, grep.case_sensitive) {
        (true, _) => Case::Insensitive,
        (_, true) => Case::Sensitive,
        _ => Case::Smart,
    };
    let mode = match (grep.files, grep.count) {
        (true, _) => Mode::Files,
        (_, true) => Mode::Count,
        _ => Mode::Lines,
    };
    let call = Call::Grep(Asked {
        pattern: grep.pattern,
        paths: grep.paths,
        globs: grep.glob,
        types: grep.types,
        literal: grep.literal,
        word: grep.word,
        case,
        multiline: grep.multiline,
        hidden: grep.hidden,
        before: grep.context.unwrap_or(grep.before),
        after: grep.context.unwrap_or(grep.after),
        mode,
        limit: grep.limit,
    });
    session::call(&grep.case, around, "casefile grep", &call)
}
