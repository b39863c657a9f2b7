//! What a walk leaves out: by globs, by what git ignores, by kind, by a dot.
//!
//! In the order of ripgrep: globs that were given decide alone, then `.ignore`, then
//! `.gitignore` and `.git/info/exclude`, from the inside out. What one of these takes
//! back in is seen even if it is hidden. `.git` itself is never entered.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::{Types, TypesBuilder};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;

use super::wire::Scope;
use crate::jail::hands::Refusal;
use crate::jail::hands::path::{Near, OPEN};

/// Of a longer file of names to ignore, the rest is not heeded.
const IGNORE_BYTES_MAX: usize = 256 * 1024;

const GIT: &[u8] = b".git";
const GITIGNORE: &[u8] = b".gitignore";
const IGNORE: &[u8] = b".ignore";

/// What is left out wherever it is.
#[derive(Debug)]
pub(super) struct Rules {
    globs: Override,
    types: Types,
    hidden: bool,
    ignored: bool,
    repos: Vec<u8>,
}

/// What a directory says is to be ignored below it.
#[derive(Debug)]
pub(super) struct Level {
    up: Option<Arc<Level>>,
    /// How much of a path comes before what these are about.
    from: usize,
    own: Gitignore,
    git: Gitignore,
    /// What the repository ignores whose top this is. No other is asked above it.
    exclude: Option<Gitignore>,
}

/// Which files with rules a directory has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Has {
    git: bool,
    gitignore: bool,
    ignore: bool,
}

impl Has {
    pub(super) fn see(&mut self, name: &[u8]) {
        self.git |= name == GIT;
        self.gitignore |= name == GITIGNORE;
        self.ignore |= name == IGNORE;
    }
}

impl Rules {
    pub(super) fn new(scope: &Scope) -> Result<Self, Refusal> {
        let wrong = |error: ignore::Error| Refusal::Pattern(error.to_string());
        let mut globs = OverrideBuilder::new("");
        for glob in &scope.globs {
            globs.add(&anywhere(glob)).map_err(wrong)?;
        }
        let mut types = TypesBuilder::new();
        if !scope.types.is_empty() {
            types.add_defaults();
        }
        for name in &scope.types {
            types.select(name);
        }
        Ok(Self {
            globs: globs.build().map_err(wrong)?,
            types: types.build().map_err(wrong)?,
            hidden: scope.hidden,
            ignored: scope.ignored,
            repos: scope.repos.0.clone(),
        })
    }

    /// Whether a directory is in a repository, by its path.
    pub(super) fn heeds_git(&self, path: &[u8]) -> bool {
        if self.ignored || self.repos.is_empty() || path.split(|b| *b == b'/').any(|p| p == b"..") {
            return false;
        }
        path.strip_prefix(&self.repos[..]).is_some_and(|rest| 1 < rest.len() && rest[0] == b'/')
    }

    /// What a directory adds to the levels above it.
    pub(super) fn level(
        &self,
        dir: &OwnedFd,
        path: &[u8],
        has: Has,
        up: Option<&Arc<Level>>,
    ) -> Option<Arc<Level>> {
        if has == Has::default() || !self.heeds_git(path) {
            return up.cloned();
        }
        let read = |name: &[u8], there: bool| match there {
            true => rules_of(dir.as_fd(), name),
            false => Gitignore::empty(),
        };
        Some(Arc::new(Level {
            up: up.cloned(),
            from: path.len() + 1,
            own: read(IGNORE, has.ignore),
            git: read(GITIGNORE, has.gitignore),
            exclude: has.git.then(|| read(b".git/info/exclude", true)),
        }))
    }

    /// What the directories above a path say, where a walk begins inside a repository.
    pub(super) fn levels_above(&self, path: &[u8]) -> Option<Arc<Level>> {
        if !self.heeds_git(path) {
            return None;
        }
        let begin = self.repos.len() + 1;
        let slashes = (begin..path.len()).filter(|at| path[*at] == b'/');
        slashes.fold(None, |up, end| {
            let above = &path[..end];
            let opened = Near::to(above).and_then(|near| near.open(OFlag::O_DIRECTORY));
            let Ok(dir) = opened else { return up };
            let stands = |name: &[u8]| openat(&dir, name, OFlag::O_PATH | OPEN, Mode::empty());
            let mut has = Has::default();
            for name in [GIT, GITIGNORE, IGNORE] {
                if stands(name).is_ok() {
                    has.see(name);
                }
            }
            self.level(&dir, above, has, up.as_ref())
        })
    }

    /// Whether the walk goes on with this. `below` is its path from where the walk
    /// began, and `path` the whole of it.
    pub(super) fn keep(
        &self,
        level: Option<&Arc<Level>>,
        path: &[u8],
        below: usize,
        name: &[u8],
        is_dir: bool,
    ) -> bool {
        if name == GIT {
            return false;
        }
        if !self.globs.is_empty() {
            match self.globs.matched(as_path(&path[below..]), is_dir) {
                Match::None => {}
                decided => return decided.is_whitelist(),
            }
        }
        let mut taken_in = false;
        if let Some(level) = level {
            match ignored(level, path, is_dir) {
                Match::Ignore(()) => return false,
                Match::Whitelist(()) => taken_in = true,
                Match::None => {}
            }
        }
        if !self.types.is_empty() {
            match self.types.matched(as_path(name), is_dir) {
                Match::Ignore(_) => return false,
                Match::Whitelist(_) => taken_in = true,
                Match::None => {}
            }
        }
        taken_in || self.hidden || !name.starts_with(b".")
    }
}

fn ignored(level: &Arc<Level>, path: &[u8], is_dir: bool) -> Match<()> {
    let (mut own, mut git, mut inside) = (Match::None, Match::None, true);
    let mut next = Some(level);
    while let Some(level) = next {
        let path = as_path(&path[level.from..]);
        own = own.or(level.own.matched(path, is_dir).map(|_| ()));
        if inside && git.is_none() {
            git = level.git.matched(path, is_dir).map(|_| ());
            if let (Match::None, Some(exclude)) = (&git, &level.exclude) {
                git = exclude.matched(path, is_dir).map(|_| ());
            }
        }
        inside &= level.exclude.is_none();
        next = level.up.as_ref();
    }
    own.or(git)
}

/// A glob with a slash in it, which in a `.gitignore` would be held to one place. Who
/// asks seldom knows from where it would count.
pub(super) fn anywhere(glob: &str) -> String {
    let (not, rest) = glob.strip_prefix('!').map_or(("", glob), |rest| ("!", rest));
    match rest.trim_end_matches('/').contains('/') && !rest.starts_with(['/', '*']) {
        true => format!("{not}**/{rest}"),
        false => glob.to_owned(),
    }
}

fn rules_of(dir: BorrowedFd<'_>, name: &[u8]) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    for line in read(dir, name).split(|byte| *byte == b'\n') {
        // A line that makes no sense is none, as for git.
        let _ = builder.add_line(None, &String::from_utf8_lossy(line));
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn read(dir: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OPEN;
    let Ok(file) = openat(dir, name, flags, Mode::empty()) else { return Vec::new() };
    let mut bytes = vec![0; IGNORE_BYTES_MAX];
    let mut filled = 0;
    while let Ok(more @ 1..) =
        pread(&file, &mut bytes[filled..], i64::try_from(filled).unwrap_or(i64::MAX))
    {
        filled += more;
    }
    bytes.truncate(filled);
    bytes
}

pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
