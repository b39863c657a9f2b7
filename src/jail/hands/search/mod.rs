//! Searching files for lines, a moment at a time.
//!
//! ```text
//! Query ──► Walk ──────────► Tree ──► Hunt ───────────────► Found, Found, ...
//!           directories,              files, by threads,     in the order
//!           by threads                some of one directory  of the paths
//!                                     at a time
//! ```
//!
//! A search is kept between two requests. Each goes on until the moment is over or the
//! answer is full. So a search of any size can be left off at any time, and what is
//! found does not depend on how fast the machine is, nor on how many threads there are.

mod definition;
mod file;
mod find;
mod here;
mod host;
mod hunt;
mod pattern;
mod rules;
mod team;
mod text;
mod walk;
pub mod wire;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use self::hunt::{Hunt, Unit};
use self::pattern::Pattern;
use self::rules::Rules;
use self::walk::{PATH_BYTES_MAX, Walk};
use self::wire::{Found, FoundIn, Query, Scope, Unsearched};
use super::Refusal;
use super::path::{Near, open_file};
use super::wire::{Bytes, Kind};

pub(super) use self::find::Find;
pub use self::host::{Finding, Searching};

/// How long one moment is.
pub(super) const MOMENT: Duration = Duration::from_millis(50);

/// A search that has begun.
#[derive(Debug)]
pub(super) struct Search {
    query: Query,
    state: State,
}

#[derive(Debug)]
enum State {
    Walking { walk: Walk, pattern: Pattern, begin: Begin },
    Hunting(Hunt),
    Done,
}

/// Where a search begins: what was named, in the order in which it was.
#[derive(Debug, Default)]
pub(super) struct Begin {
    pub(super) tops: Vec<Top>,
    /// Those of them that are directories.
    pub(super) dirs: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub(super) enum Top {
    File(Vec<u8>, OwnedFd),
    /// The next of the directories.
    Dir,
    Refused(Vec<u8>, Refusal),
}

impl Begin {
    pub(super) fn new(scope: &Scope) -> Self {
        let mut begin = Self::default();
        for path in &scope.paths {
            let shown = path[..path.len().min(PATH_BYTES_MAX)].to_vec();
            let top = match kind_of(path) {
                Ok(_) if shown.len() < path.len() => Top::Refused(shown, Refusal::LongName),
                Ok(Kind::Directory) => {
                    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |at| at + 1);
                    begin.dirs.push(path[..end.min(path.len())].to_vec());
                    Top::Dir
                }
                Ok(Kind::File) => match open_file(path) {
                    Ok((file, _)) => Top::File(shown, file),
                    Err(refusal) => Top::Refused(shown, refusal),
                },
                Ok(other) => Top::Refused(shown, Refusal::Is(other)),
                Err(refusal) => Top::Refused(shown, refusal),
            };
            begin.tops.push(top);
        }
        begin
    }
}

fn kind_of(path: &[u8]) -> Result<Kind, Refusal> {
    Ok(Near::to(path)?.look()?.kind)
}

impl Search {
    pub(super) fn begin(query: Query) -> Result<Self, Refusal> {
        let pattern = Pattern::new(&query)?;
        let rules = Rules::new(&query.scope)?;
        let begin = Begin::new(&query.scope);
        let walk = Walk::new(rules, &begin.dirs, None);
        Ok(Self { query, state: State::Walking { walk, pattern, begin } })
    }

    /// Goes on for a moment, or until the answer is full.
    pub(super) fn go_on(&mut self) -> Found {
        let deadline = Instant::now() + MOMENT;
        if let State::Walking { walk, .. } = &mut self.state
            && walk.go_on(deadline)
        {
            self.state = match std::mem::replace(&mut self.state, State::Done) {
                State::Walking { walk, pattern, begin } => {
                    State::Hunting(hunt(walk, pattern, begin, &self.query))
                }
                other => other,
            };
        }
        let found = match &mut self.state {
            State::Walking { .. } => return Found::default(),
            State::Hunting(hunt) => hunt.go_on(deadline),
            State::Done => Found { done: true, ..Found::default() },
        };
        if found.done {
            self.state = State::Done;
        }
        found
    }
}

/// What is to be searched once all directories are read.
fn hunt(walk: Walk, pattern: Pattern, begin: Begin, query: &Query) -> Hunt {
    let mut tree = walk.into_tree(begin.dirs.len());
    let mut units = Vec::new();
    let mut dirs = tree.tops.clone().into_iter();
    for top in begin.tops {
        match top {
            Top::File(path, file) => units.push(Unit::Named(path, file)),
            Top::Refused(path, refusal) => units.push(refused(path, refusal)),
            Top::Dir => {
                let mut runs = VecDeque::new();
                if let Some(top) = dirs.next() {
                    tree.runs(top, &mut runs);
                }
                units.extend(runs.into_iter().map(Unit::Run));
            }
        }
    }
    let told = std::mem::take(&mut tree.refused);
    units.extend(told.into_iter().map(|(path, refusal)| refused(path, refusal)));
    Hunt::new(tree, units, pattern, query)
}

fn refused(path: Vec<u8>, refusal: Refusal) -> Unit {
    let unsearched = Some(Unsearched::Refused(refusal));
    Unit::Told(FoundIn { path: Bytes(path), unsearched, ..FoundIn::default() })
}
