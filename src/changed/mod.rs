//! The program that tells git which files a case changed: this program, under the
//! name of [`inside::CHANGED`], in the jail.
//!
//! git asks it (`core.fsmonitor`) instead of looking at each of 90,000 files. What a
//! case changed lies in the layers that it wrote, which are shown to be read beside
//! the world, so the answer costs what was changed and not what is there.
//!
//! ```text
//! changed 2 TOKEN      in the top directory of a repository
//! exit 0, `casefile` NUL (PATH NUL)...    all else is as the snapshot has it
//! exit 1                                  git looks for itself, which is never wrong
//! ```
//!
//! The answer is the same for any token: whatever differs from the snapshot. A file
//! that was new, known to git, and removed again leaves no trace in a layer. So the
//! index is read too, for names in directories that changed which are not there any
//! more. (Remembering what the last answer said would not do: git marks files as
//! unchanged that it wrote itself after it had asked.)

mod index;
mod layers;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::case::inside;
use index::Index;
use layers::Changes;

/// There is no other way to ask from git 2.26 on that says what it wants to know.
const PROTOCOL: &str = "2";
/// Where git keeps its index, unless it is told otherwise.
const INDEX: &str = ".git/index";
const TOKEN: &[u8] = b"casefile";

/// Takes this process over if git started it to be told what changed, and says how
/// it is to exit. `program` is the name it was started by.
pub fn take_over(program: Option<&OsStr>, mut args: impl Iterator<Item = OsString>) -> Option<i32> {
    (program? == inside::CHANGED).then(|| {
        let known = args.next().is_some_and(|version| version == PROTOCOL);
        // A word to standard error would be in the way of whoever asked git.
        let told = known && answer().and_then(|answer| io::stdout().write_all(&answer)).is_ok();
        i32::from(!told)
    })
}

fn answer() -> io::Result<Vec<u8>> {
    let here = nix::unistd::getcwd()?;
    let (place, below) = place_of(&here)?;
    let mut changes = Changes::default();
    // A world shows one layer at least.
    for nth in 0.. {
        match changes.add(&inside::changes(&place, nth), &below) {
            Err(error) if 0 < nth && error.kind() == io::ErrorKind::NotFound => break,
            added => added?,
        }
    }
    let mut answer = TOKEN.to_vec();
    answer.push(0);
    let index = index_file();
    if index == Path::new(INDEX) && changes.are_none() {
        return Ok(answer);
    }
    let paths = changes.paths(&Index::read(&index)?, Path::new("."))?;
    for path in paths {
        answer.extend(path);
        answer.push(0);
    }
    Ok(answer)
}

/// The repository of the world that a directory is in, and where in it. The nearest
/// counts: one may be in another.
#[expect(clippy::disallowed_methods, reason = "looks for directories of the jail's own")]
fn place_of(here: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let places = here.ancestors().take_while(|place| *place != Path::new(inside::REPOS));
    let place = places
        .filter(|place| place.starts_with(inside::REPOS))
        .find(|place| inside::changes(place, 0).is_dir())
        .ok_or(io::ErrorKind::NotFound)?;
    Ok((place.into(), here.strip_prefix(place).unwrap_or(Path::new("")).into()))
}

/// Where git has the index that it asks about.
#[expect(clippy::disallowed_methods, reason = "git says so to what it starts, and no other way")]
fn index_file() -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    if let Some(file) = std::env::var_os("GIT_INDEX_FILE") {
        return file.into();
    }
    if let Some(dir) = std::env::var_os("GIT_DIR") {
        return PathBuf::from(dir).join("index");
    }
    // In a submodule `.git` is a file that says where it is.
    let dir = std::fs::read(".git").ok().and_then(|text| {
        let dir = text.strip_prefix(b"gitdir: ")?;
        Some(OsString::from_vec(dir.trim_ascii_end().to_vec()))
    });
    dir.map_or_else(|| INDEX.into(), |dir| PathBuf::from(dir).join("index"))
}
