//! From the arguments of a tool to a call in a case.

use super::arguments::Arguments;
use super::errors::Told;
use crate::tools::find::{self, FindKind};
use crate::tools::grep::{Case, LIMIT, Mode};
use crate::tools::{
    Background, Call, Diff, Find, Grep, Part, ReadFile, Shell, Wanted, WriteFile, WriteMode,
};

/// A call, and whether an answer that was shown before is to be shown again.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) call: Call,
    pub(super) again: bool,
}

/// How long is waited for a command in the background, if nobody says.
const WAIT_S: u64 = 60;

/// The call that is meant. `tool` is one that works in a case.
pub(super) fn asked(tool: &str, given: &mut Arguments) -> Result<Asked, Told> {
    let once = |call| Asked { call, again: true };
    match tool {
        "read_file" => {
            let paths = given.list("path")?;
            if paths.is_empty() {
                return Err(super::arguments::missing("path"));
            }
            let from = given.integer("from")?.unwrap_or(1);
            let (lines, column) = (given.number("lines")?, given.number("column")?);
            let part = |path| Part { path, from, lines, column };
            let parts = paths.into_iter().map(part).collect();
            let call = Call::ReadFile(ReadFile { parts, raw: given.is("raw")? });
            Ok(Asked { call, again: given.is("again")? })
        }
        "grep" => {
            let context = given.size("context")?.unwrap_or_default();
            let modes = [("lines", Mode::Lines), ("files", Mode::Files), ("count", Mode::Count)];
            let call = Call::Grep(Grep {
                pattern: given.needed_text("pattern")?,
                paths: given.list("path")?,
                globs: given.list("glob")?,
                types: given.list("type")?,
                literal: given.is("literal")?,
                word: given.is("word")?,
                case: match given.flag("case_sensitive")? {
                    None => Case::Smart,
                    Some(true) => Case::Sensitive,
                    Some(false) => Case::Insensitive,
                },
                multiline: given.is("multiline")?,
                hidden: given.is("hidden")?,
                before: context,
                after: context,
                mode: given.choice("mode", &modes)?.unwrap_or(Mode::Lines),
                limit: given.size("limit")?.unwrap_or(LIMIT),
            });
            Ok(Asked { call, again: given.is("again")? })
        }
        "find" => {
            let kinds = [
                ("file", FindKind::File),
                ("directory", FindKind::Directory),
                ("link", FindKind::Link),
            ];
            let between = match <[String; 2]>::try_from(given.list("between")?) {
                Ok([one, other]) => Some((one, other)),
                Err(none) if none.is_empty() => None,
                Err(all) => {
                    let why = format!("there are {}", all.len());
                    return Err(Told::argument("between", why, "Give two commits."));
                }
            };
            let call = Call::Find(Find {
                name: given.text("name")?,
                paths: given.list("path")?,
                kind: given.choice("kind", &kinds)?,
                size_min: given.number("size_min")?,
                size_max: given.number("size_max")?,
                changed: given.is("changed")?,
                between,
                tree: given.is("tree")?,
                depth: given.size("depth")?,
                hidden: given.is("hidden")?,
                limit: given.size("limit")?.unwrap_or(find::LIMIT),
            });
            Ok(Asked { call, again: given.is("again")? })
        }
        "shell" => Ok(once(Call::Shell(Shell {
            command: given.needed_text("command")?,
            cwd: given.text("cwd")?,
            timeout_s: given.number("timeout_s")?,
            background: given.is("background")?,
        }))),
        "write_file" => {
            let path = given.needed_text("path")?;
            let text = given.needed_text("text")?;
            let modes = ["create", "replace", "append"].map(|mode| (mode, mode));
            let mode = match (given.choice("mode", &modes)?, given.text("old")?) {
                (None, Some(old)) => WriteMode::Passage { old },
                (Some(_), Some(_)) => {
                    let hint = "Leave `mode` out to replace the passage `old`.";
                    return Err(Told::argument("old", "it does not go with `mode`", hint));
                }
                (Some("replace"), None) => WriteMode::Replace,
                (Some("append"), None) => WriteMode::Append,
                (_, None) => WriteMode::Create,
            };
            Ok(once(Call::WriteFile(WriteFile { path, text, mode })))
        }
        "case_diff" => Ok(once(Call::Diff(Diff { repo: given.text("repo")? }))),
        "background" => {
            let handle = given.needed_text("handle")?;
            let timeout_s = given.number("timeout_s")?.unwrap_or(WAIT_S);
            let wishes = [
                ("read", Wanted::Read),
                ("wait", Wanted::Wait { timeout_s }),
                ("kill", Wanted::Kill),
            ];
            let wanted = given.choice("wanted", &wishes)?.unwrap_or(Wanted::Read);
            Ok(once(Call::Background(Background { handle, wanted })))
        }
        tool => Err(super::work::unknown(tool)),
    }
}
