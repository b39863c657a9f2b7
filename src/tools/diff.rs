//! `case_diff`: what a case changed in its code, as a patch. git makes it in the jail,
//! since the files are an agent's.

use std::path::PathBuf;

use serde::Serialize;

use super::process::{self, Came};
use super::session::{Opened, Session};
use super::{Stop, ToolError, ended};
use crate::config::limits::Limit;
use crate::disk;
use crate::jail::wire::{Status, WallKey};
use crate::outputs::Stream;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// One of the repos; all of them, if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
}

/// A repo of a case, and what it is compared with.
#[derive(Clone, Debug)]
pub struct Code {
    pub name: String,
    /// The commit that it began with.
    pub base: String,
    /// Where it is in the jail.
    pub at: PathBuf,
    /// Where the mirror's objects are, in the words of [`SCRIPT`].
    pub objects: String,
    /// The program that tells what was changed, if there is one.
    pub changed: &'static str,
    /// The index that it began with: a file of the host's own.
    pub index: Option<PathBuf>,
}

/// A `.git` of its own over the same files: the index that the case began with (to be
/// read), the mirror's objects, and nothing of the case's. What an agent has set for
/// git (filters, programs that compare, files that are to pass for unchanged) or has
/// broken there does not count, and asking changes nothing in the case.
pub const SCRIPT: &str = r#"set -eu
base=$1 prefix=$2 objects=$3 changed=$4
scratch=$(mktemp -d)
mkdir -p "$scratch/objects/info" "$scratch/refs"
cat >"$scratch/index"
# Without one every file is read.
[ -s "$scratch/index" ] || rm "$scratch/index"
printf '%s\n' "$base" >"$scratch/HEAD"
IFS='
'
# A pattern, or a line for each.
printf '%s\n' $objects >"$scratch/objects/info/alternates"
export GIT_DIR="$scratch" GIT_WORK_TREE=. GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
# Not by `git config`, which gives files modes, and not every jail may.
{
    printf '[core]\n\trepositoryformatversion = 0\n\tautocrlf = false\n\ttrustctime = false\n'
    if [ -n "$changed" ]; then
        printf '\tuntrackedCache = true\n\tfsmonitor = %s\n' "$changed"
        printf '\tfsmonitorHookVersion = 2\n'
    fi
    printf '[diff]\n\tignoreSubmodules = dirty\n[advice]\n\taddEmbeddedRepo = false\n'
} >"$scratch/config"
# What cannot be read is told, and is no reason to be silent on the rest.
git add --all --ignore-errors >/dev/null || true
exec git --no-pager diff --cached --binary --full-index --no-color --no-ext-diff --no-textconv \
    --no-renames --ignore-submodules=none --src-prefix="a/$prefix" --dst-prefix="b/$prefix" "$base"
"#;

/// Compares, and gives the patch to `pour`; the answer says how it went.
pub(super) fn diff(
    asked: &Diff,
    session: &Session,
    opened: &Opened,
    stop: &Stop,
    mut pour: impl FnMut(Stream, &[u8]),
) -> Result<String, ToolError> {
    let all = &session.ground.code;
    let wanted: Vec<&Code> = match &asked.repo {
        None => all.iter().collect(),
        Some(name) => vec![named(all, name)?],
    };
    let start = &session.ground.start;
    let timeout_s = start.timeout_s(None)?;
    let (mut facts, mut patch_bytes) = (Vec::new(), 0);
    for code in &wanted {
        // Of several, each has its name before its paths.
        let prefix = if wanted.len() == 1 { String::new() } else { format!("{}/", code.name) };
        let args = ["sh", "-c", SCRIPT, "sh", &code.base, &prefix, &code.objects, code.changed];
        let spec = start.spec_of(&args, &code.at, (WallKey::Wall, timeout_s));
        let input = match &code.index {
            Some(index) => disk::open(index)?,
            None => disk::nothing()?,
        };
        let most = start.limits.get(Limit::Output);
        let pour = |stream, bytes: &[u8]| {
            if stream == Stream::Out {
                patch_bytes += bytes.len();
            }
            pour(stream, bytes);
        };
        let ran = process::run_with(&opened.jail, &spec, &input, most, stop, pour)?;
        let is_good = matches!(&ran.came, Came::Ended(end)
            if end.status == Status::Exited(0) && end.passed.is_none());
        if !is_good {
            facts.push(format!(
                "`{}` could not be compared: {}",
                code.name,
                ended::words(&ran, timeout_s)
            ));
        }
    }
    let repos = if wanted.len() == 1 { "repo" } else { "repos" };
    facts.insert(
        0,
        match patch_bytes {
            0 => format!("{} {repos} compared, no change", wanted.len()),
            bytes => format!("{} {repos} compared, a patch of {bytes} bytes", wanted.len()),
        },
    );
    Ok(facts.join("; "))
}

fn named<'a>(all: &'a [Code], name: &str) -> Result<&'a Code, ToolError> {
    all.iter().find(|code| code.name == name).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|code| format!("`{}`", code.name)).collect();
        ToolError::Argument {
            argument: "repo",
            why: format!("the case has no repo `{name}`"),
            way_out: match names.as_slice() {
                [] => "It was opened without one.".into(),
                names => format!("It has {}.", names.join(", ")),
            },
        }
    })
}
