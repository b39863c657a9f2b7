//! A jail that shows two directories of the test, one of them to be written to.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use casefile::config::limits::{Limit, Limits};
use casefile::jail::hands::search::wire::{FoundIn, Query, Scope, Tally};
use casefile::jail::plan::{Plan, Wanted};
use casefile::jail::policy::{Giver, Mode, Mount, Network, Shown, Strength};
use casefile::jail::{Hands, HandsError, Jail, Refusal, Zygote};

use crate::common::binary;

/// The variable that names the program under test to one who could not find it.
pub const PROGRAM: &str = "CASEFILE_UNDER_TEST";

/// A test that ends hands by name must be the only one to have any.
static HANDS: RwLock<()> = RwLock::new(());

/// Held by a test for as long as it has hands.
#[derive(Debug)]
#[expect(dead_code, reason = "held, and let go of")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// In this order, so that the jail is gone before its directories are.
#[derive(Debug)]
pub struct Ground {
    pub hands: Hands,
    pub jail: Jail,
    _zygote: Zygote,
    dir: tempfile::TempDir,
    _turn: Turn,
}

impl Ground {
    pub fn new() -> Self {
        Self::with(Strength::Namespaces, &[])
    }

    pub fn with(strength: Strength, limits: &[(Limit, u64)]) -> Self {
        let turn = HANDS.read().unwrap_or_else(|fallen| fallen.into_inner());
        Self::build(strength, limits, Turn::Shared(turn))
    }

    /// While no other test has hands.
    pub fn alone(strength: Strength) -> Self {
        let turn = HANDS.write().unwrap_or_else(|fallen| fallen.into_inner());
        Self::build(strength, &[], Turn::Alone(turn))
    }

    fn build(strength: Strength, changed: &[(Limit, u64)], turn: Turn) -> Self {
        let dir = tempfile::Builder::new().prefix("casefile-hands-").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        for name in ["case", "shown", "outside", "scratch"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        casefile::jail::give_to_jail(&dir.path().join("scratch")).unwrap();
        let mut limits = Limits::default();
        for (limit, value) in changed {
            limits.set(*limit, *value).unwrap();
        }
        let place = |name: &str, mode| {
            let from = dir.path().join(name);
            let to = match strength {
                Strength::Namespaces => Path::new("/").join(name),
                Strength::Landlock => from.clone(),
            };
            Shown { mount: Mount { from, to, mode }, by: Giver::Flag(mode), optional: false }
        };
        let wanted = Wanted {
            strength,
            network: Network::None,
            local_sockets: false,
            limits: &limits,
            kept: Vec::new(),
            shown: vec![place("case", Mode::Write), place("shown", Mode::Read)],
            layered: Vec::new(),
            program_at: None,
            scratch: (strength == Strength::Landlock).then(|| dir.path().join("scratch")),
        };
        let program = std::env::var_os(PROGRAM).map_or_else(|| binary().into(), PathBuf::from);
        let zygote = Zygote::start_as(&program).unwrap();
        let jail = zygote.open(&Plan::new(&wanted).unwrap()).unwrap();
        let hands = jail.hands().unwrap();
        Self { hands, jail, _zygote: zygote, dir, _turn: turn }
    }

    /// A path on the host: `case/...` is writable in the jail, `shown/...` is not,
    /// `outside/...` is not there.
    pub fn host(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn put(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.host(name), bytes).unwrap();
    }

    /// The whole file, by chunks of so many bytes.
    pub fn read_by(&mut self, path: &[u8], max: usize) -> Result<Vec<u8>, HandsError> {
        let mut all = Vec::new();
        loop {
            let chunk = self.hands.read(path, all.len() as u64, max)?;
            all.extend_from_slice(&chunk.bytes);
            if chunk.at_end {
                return Ok(all);
            }
        }
    }

    /// A whole listing, by so many entries at once.
    pub fn list_by(&mut self, path: &[u8], max: usize) -> Result<Vec<Vec<u8>>, HandsError> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        loop {
            let after = names.last().cloned();
            let listing = self.hands.list(path, after.as_deref(), max)?;
            names.extend(listing.entries.into_iter().map(|entry| entry.name.0));
            if listing.at_end {
                return Ok(names);
            }
        }
    }

    /// A whole search, and by how many parts. A file that was begun in one part and
    /// ended in another is one again.
    pub fn search(&mut self, query: &Query) -> (Vec<FoundIn>, Tally, usize) {
        let mut search = self.hands.search(query).unwrap();
        let (mut files, mut parts): (Vec<FoundIn>, _) = (Vec::new(), 0);
        let mut tally = Tally::default();
        while let Some(part) = search.next_part().unwrap() {
            parts += 1;
            tally = part.tally;
            for file in part.files {
                match files.last_mut().filter(|last| last.path == file.path) {
                    Some(last) => last.lines.extend(file.lines),
                    None => files.push(file),
                }
            }
        }
        (files, tally, parts)
    }
}

/// A search for a pattern below some paths, with nothing left out.
pub fn query(pattern: &str, paths: &[&str]) -> Query {
    let paths = paths.iter().map(|path| path.as_bytes().into()).collect();
    let scope = Scope { paths, hidden: true, ..Scope::default() };
    Query { scope, pattern: pattern.into(), lines_max: 10_000, ..Query::default() }
}

/// What was refused; anything else fails the test.
#[track_caller]
pub fn refusal<T: std::fmt::Debug>(result: Result<T, HandsError>) -> Refusal {
    match result {
        Err(HandsError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
