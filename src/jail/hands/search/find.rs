//! Finding files by their names and kinds, a moment at a time.
//!
//! The walk is that of a search for lines. Once it is done everything is put in order;
//! so many entries are told, and of the others only how many there are where.

use std::collections::VecDeque;
use std::time::Instant;

use ignore::overrides::{Override, OverrideBuilder};
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;

use super::rules::{Rules, anywhere, as_path};
use super::walk::{Dir, Entry, Tree, Walk, enter};
use super::wire::{Below, FoundEntries, FoundEntry, Sought, Unentered};
use super::{Begin, MOMENT, Top};
use crate::jail::hands::Refusal;
use crate::jail::hands::path::Near;
use crate::jail::hands::wire::{Bytes, CHUNK_BYTES_MAX, Facts, Kind};

/// What an entry takes in an answer besides its path, at most.
const ITEM_BYTES_MAX: usize = 64;
/// So many directories are named in which there is more, and so many that could not be
/// entered.
const BELOW_MAX: usize = 1_000;
const REFUSED_MAX: usize = 20;

/// A search for names that has begun.
#[derive(Debug)]
pub(in crate::jail::hands) struct Find {
    sought: Sought,
    name: Name,
    begin: Begin,
    walk: Option<Walk>,
    ready: Ready,
}

/// Which names are meant.
#[derive(Debug)]
enum Name {
    Any,
    Glob(Override),
    /// A part of the name, or of the path if it has a slash in it.
    Part {
        part: Vec<u8>,
        of_path: bool,
        any_case: bool,
    },
}

/// What was found and is to be told.
#[derive(Debug, Default)]
struct Ready {
    entries: VecDeque<FoundEntry>,
    below: VecDeque<Below>,
    refused: Vec<Unentered>,
    count: u64,
    cut: bool,
}

impl Find {
    pub(in crate::jail::hands) fn begin(sought: Sought) -> Result<Self, Refusal> {
        let name = Name::new(sought.name.as_deref())?;
        let begin = Begin::new(&sought.scope);
        let walk = Walk::new(Rules::new(&sought.scope)?, &begin.dirs, sought.depth_max);
        Ok(Self { sought, name, begin, walk: Some(walk), ready: Ready::default() })
    }

    pub(in crate::jail::hands) fn go_on(&mut self) -> FoundEntries {
        if let Some(mut walk) = self.walk.take() {
            if !walk.go_on(Instant::now() + MOMENT) {
                self.walk = Some(walk);
                return FoundEntries::default();
            }
            let tree = walk.into_tree(self.begin.dirs.len());
            self.gather(tree);
        }
        self.ready.answer()
    }

    fn gather(&mut self, tree: Tree) {
        self.ready.cut = tree.cut;
        for (path, refusal) in &tree.refused {
            self.refuse(path, refusal);
        }
        let mut tops = tree.tops.iter();
        for top in std::mem::take(&mut self.begin.tops) {
            match top {
                Top::Dir => {
                    if let Some(top) = tops.next() {
                        self.gather_below(&tree, *top);
                    }
                }
                Top::File(path, _) => self.gather_file(path),
                Top::Refused(path, refusal) => self.refuse(&path, &refusal),
            }
        }
    }

    fn refuse(&mut self, path: &[u8], refusal: &Refusal) {
        if self.ready.refused.len() < REFUSED_MAX {
            let refusal = refusal.clone();
            self.ready.refused.push(Unentered { path: path.into(), refusal });
        }
    }

    /// A file that was named itself.
    fn gather_file(&mut self, path: Vec<u8>) {
        let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
        let Ok(facts) = Near::to(&path).and_then(|near| near.look()) else { return };
        if self.name.fits(&path, &path[start..], false)
            && self.sought.kind.is_none_or(|kind| kind == facts.kind)
            && self.fits_size(&facts)
        {
            self.ready.count += 1;
            let size = Some(facts.size);
            self.ready.entries.push_back(FoundEntry { path: Bytes(path), kind: facts.kind, size });
        }
    }

    fn gather_below(&mut self, tree: &Tree, top: u32) {
        let asks_size = self.sought.size_min.is_some() || self.sought.size_max.is_some();
        let most = usize::try_from(self.sought.entries_max).unwrap_or(usize::MAX);
        let mut path = Vec::new();
        let (mut entered, mut last_below) = (None, None);
        tree.visit(top, |number, _, entry| {
            let dir = &tree.dirs[number as usize];
            if self.sought.kind.is_some_and(|kind| kind != entry.kind) {
                return;
            }
            if !matches!(self.name, Name::Any) {
                dir.write_path_of(entry, &mut path);
                let is_dir = entry.kind == Kind::Directory;
                if !self.name.fits(&path, dir.name(entry), is_dir) {
                    return;
                }
            }
            let mut size = None;
            if asks_size {
                let Some(facts) = facts_of(dir, number, entry, &mut entered) else { return };
                if !self.fits_size(&facts) {
                    return;
                }
                size = Some(facts.size);
            }
            self.ready.count += 1;
            if self.ready.entries.len() < most {
                let path = Bytes(dir.path_of(entry));
                self.ready.entries.push_back(FoundEntry { path, kind: entry.kind, size });
                return;
            }
            if last_below == Some(number) {
                if let Some(below) = self.ready.below.back_mut() {
                    below.count += 1;
                }
            } else if self.ready.below.len() < BELOW_MAX {
                last_below = Some(number);
                self.ready.below.push_back(Below { path: Bytes(dir.path.clone()), count: 1 });
            } else {
                last_below = None;
            }
        });
    }

    fn fits_size(&self, facts: &Facts) -> bool {
        let asks = self.sought.size_min.is_some() || self.sought.size_max.is_some();
        !asks
            || (facts.kind == Kind::File
                && self.sought.size_min.is_none_or(|least| least <= facts.size)
                && self.sought.size_max.is_none_or(|most| facts.size <= most))
    }
}

fn facts_of(
    dir: &Dir,
    number: u32,
    entry: &Entry,
    entered: &mut Option<(u32, std::os::fd::OwnedFd)>,
) -> Option<Facts> {
    if entered.as_ref().is_none_or(|(entered, _)| *entered != number) {
        *entered = Some((number, enter(&dir.path).ok()?));
    }
    let (_, fd) = entered.as_ref()?;
    let stat = fstatat(fd, dir.name(entry), AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
    Some(Facts::of(&stat))
}

impl Name {
    fn new(name: Option<&str>) -> Result<Self, Refusal> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(Self::Any) };
        let any_case = !name.chars().any(char::is_uppercase);
        if !name.contains(['*', '?', '[', '{']) {
            let (part, of_path) = (name.as_bytes().to_vec(), name.contains('/'));
            return Ok(Self::Part { part, of_path, any_case });
        }
        let wrong = |error: ignore::Error| Refusal::Pattern(error.to_string());
        let mut glob = OverrideBuilder::new("");
        glob.case_insensitive(any_case).map_err(wrong)?;
        glob.add(&anywhere(name)).map_err(wrong)?;
        Ok(Self::Glob(glob.build().map_err(wrong)?))
    }

    fn fits(&self, path: &[u8], name: &[u8], is_dir: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Glob(glob) => glob.matched(as_path(path), is_dir).is_whitelist(),
            Self::Part { part, of_path, any_case } => {
                let held = if *of_path { path } else { name };
                match any_case {
                    false => memchr::memmem::find(held, part).is_some(),
                    true => held.windows(part.len()).any(|some| some.eq_ignore_ascii_case(part)),
                }
            }
        }
    }
}

impl Ready {
    /// What fits one answer.
    fn answer(&mut self) -> FoundEntries {
        let mut told = FoundEntries {
            refused: std::mem::take(&mut self.refused),
            count: self.count,
            cut: self.cut,
            ..FoundEntries::default()
        };
        let mut room = CHUNK_BYTES_MAX;
        room = room.saturating_sub(told.refused.iter().map(|one| one.path.len() + 64).sum());
        while let Some(entry) = self.entries.front() {
            let cost = entry.path.len() + ITEM_BYTES_MAX;
            if room < cost {
                return told;
            }
            room -= cost;
            told.entries.extend(self.entries.pop_front());
        }
        while let Some(below) = self.below.front() {
            let cost = below.path.len() + ITEM_BYTES_MAX;
            if room < cost {
                return told;
            }
            room -= cost;
            told.below.extend(self.below.pop_front());
        }
        told.done = true;
        told
    }
}
