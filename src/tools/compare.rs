//! `find` between two commits: git is asked, in the jail like any other command.

use std::path::PathBuf;

use super::find::between;
use super::process::{self, Came};
use super::{Answer, Find, Start, Stop, ToolError};
use crate::jail::Jail;
use crate::jail::wire::{Status, WallKey};
use crate::outputs::Stream;

/// A longer list says little to anybody.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;
const OUTPUT_MIB_MAX: u64 = 16;
const SAID_CHARS_MAX: usize = 300;
const TIME_S_MAX: u64 = 60;

/// Which files differ between two commits of a repository.
pub(super) fn compare(
    asked: &Find,
    (old, new): (&str, &str),
    jail: &Jail,
    start: &Start,
    stop: &Stop,
) -> Result<Answer, ToolError> {
    let wrong = |why: String, way_out: &str| ToolError::Argument {
        argument: "between",
        why,
        way_out: way_out.into(),
    };
    let repo: PathBuf = match &asked.paths[..] {
        // Where the case begins, which is its repository if it has only one.
        [] => start.cwd.clone(),
        [only] => start.base.join(only),
        _ => {
            return Err(wrong(
                "two commits are of one repository".into(),
                "Name one path: the repository, or a directory in it.",
            ));
        }
    };
    let pathspec = match &asked.name {
        None => ".".to_owned(),
        Some(name) if name.contains('/') => format!(":(glob){name}"),
        Some(name) => format!(":(glob)**/{name}"),
    };
    let args = ["git", "-c", "core.quotePath=false", "diff", "--name-status", "--relative"];
    let args = [&args[..], &["--end-of-options", old, new, "--", &pathspec]].concat();
    let spec = start.spec_of(&args, &repo, (WallKey::Wall, TIME_S_MAX));
    let (mut list, mut said) = (Vec::new(), Vec::new());
    let ran = process::run(jail, &spec, OUTPUT_MIB_MAX, stop, |stream, bytes| {
        let into = if stream == Stream::Out { &mut list } else { &mut said };
        into.extend_from_slice(bytes);
    })?;
    match ran.came {
        Came::Ended(end) if end.status == Status::Exited(0) && end.passed.is_none() => {
            if LIST_BYTES_MAX < list.len() {
                let why = format!("the list of what differs has {} bytes", list.len());
                return Err(wrong(why, "Name a directory, or what the files are called."));
            }
            Ok(between(&list))
        }
        Came::Ended(_) => {
            let said = String::from_utf8_lossy(&said);
            let last = said.lines().rev().find(|line| !line.trim().is_empty());
            let why: String =
                last.unwrap_or("git gave no answer").chars().take(SAID_CHARS_MAX).collect();
            Err(wrong(why, "Name two commits of the repository, such as `HEAD~5` and `HEAD`."))
        }
        Came::NotStarted(fault) => Err(ToolError::Jail(fault.into())),
    }
}
