//! `casefile find`: finding files in a case, as an agent does.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::report::Failure;
use super::session;
use super::surroundings::Surroundings;
use crate::tools::Call;
use crate::tools::find::{Find as Asked, FindKind, LIMIT};

/// Find files in a case by name, kind, size, or what was changed
///
/// Files that the repositories ignore are left out, and so are hidden ones.
#[derive(Args, Debug)]
pub(crate) struct Find {
    /// Its id, or the beginning of it
    case: String,
    /// A glob such as `*.rs`, or a part of the name; with a slash, of the path
    #[arg(allow_hyphen_values = true)]
    name: Option<String>,
    /// Directories, taken from `/case` [default: all of it]
    paths: Vec<String>,
    /// Only this kind
    #[arg(short = 't', long = "type", value_name = "KIND")]
    kind: Option<OfKind>,
    /// Only files of at least so many bytes
    #[arg(long, value_name = "BYTES")]
    larger: Option<u64>,
    /// Only files of at most so many bytes
    #[arg(long, value_name = "BYTES")]
    smaller: Option<u64>,
    /// Only what was changed in this case
    #[arg(long)]
    changed: bool,
    /// Only what differs between two commits; the repo is the path
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "changed")]
    between: Option<Vec<String>>,
    /// Show a tree
    #[arg(long)]
    tree: bool,
    /// How deep to look
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Look at names that begin with a dot, too
    #[arg(long)]
    hidden: bool,
    /// How many entries to show
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OfKind {
    File,
    Directory,
    Link,
}

pub(crate) fn run(find: Find, around: &Surroundings) -> Result<ExitCode, Failure> {
    let between = find.between.map(|two| {
        let mut two = two.into_iter();
        (two.next().unwrap_or_default(), two.next().unwrap_or_default())
    });
    let call = Call::Find(Asked {
        name: find.name,
        paths: find.paths,
        kind: find.kind.map(|kind| match kind {
            OfKind::File => FindKind::File,
            OfKind::Directory => FindKind::Directory,
            OfKind::Link => FindKind::Link,
        }),
        size_min: find.larger,
        size_max: find.smaller,
        changed: find.changed,
        between,
        tree: find.tree,
        depth: find.depth,
        hidden: find.hidden,
        limit: find.limit,
    });
    session::call(&find.case, around, "casefile find", &call)
}
