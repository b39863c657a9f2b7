//! Searching many files by several threads, and telling of them in order.
//!
//! What is to be searched is cut into units, each some files of one directory. A thread
//! takes the next unit; what it found is told once all units before are told. If one
//! takes long, the others go ahead of it only so far, since what they find is held in
//! memory. At the end of a moment each thread lays down the unit it is in the middle of,
//! and it is taken up again first.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode as FileMode;
use nix::sys::statfs::{
    BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC,
    XFS_SUPER_MAGIC, fstatfs,
};

use super::file::Searcher;
use super::here::{Here, Went};
use super::pattern::Pattern;
use super::team::share;
use super::walk::{Run, Tree, enter};
use super::wire::{Found, FoundIn, Line, Mode, Query, Tally, Unsearched};
use crate::jail::hands::path::OPEN;
use crate::jail::hands::wire::{Bytes, CHUNK_BYTES_MAX};

/// What may have been found and not be told yet, before no other unit is begun.
const AHEAD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What a file or a line takes in an answer besides its name or its bytes, at most.
const ITEM_BYTES_MAX: usize = 64;
/// File systems whose files end where a read falls short.
const ON_DISK: &[FsType] =
    &[OVERLAYFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC];

/// A search of files that were found.
#[derive(Debug)]
pub(super) struct Hunt {
    tree: Tree,
    units: Vec<Unit>,
    pattern: Pattern,
    query: Query,
    shared: Mutex<Shared>,
    /// Taken while they are at work, so that nobody waits for it.
    threads: Mutex<Vec<Thread>>,
}

/// What one thread takes at once.
#[derive(Debug)]
pub(super) enum Unit {
    Run(Run),
    /// A file that was named.
    Named(Vec<u8>, OwnedFd),
    /// Nothing to be searched, but something to be told.
    Told(FoundIn),
}

#[derive(Debug)]
struct Thread {
    searcher: Searcher,
    /// The directory that was entered last.
    dir: Option<Entered>,
}

#[derive(Debug)]
struct Entered {
    number: u32,
    fd: OwnedFd,
    /// Whether its files are on a disk, and not made up as they are read.
    on_disk: bool,
}

#[derive(Debug)]
struct Shared {
    /// The next unit that nobody has begun.
    next: usize,
    /// Units that were laid down in the middle.
    left: BTreeMap<usize, Begun>,
    /// Units that are done, and not the first that are.
    done: BTreeMap<usize, Vec<FoundIn>>,
    /// How many units are done and in the queue.
    in_order: usize,
    queue: VecDeque<FoundIn>,
    ahead_bytes: usize,
    tally: Tally,
    /// How many lines may still be told, and of files with a definition.
    lines_left: u64,
    defining_left: u64,
}

/// A unit in the middle of being searched.
#[derive(Debug, Default)]
struct Begun {
    /// How many of its files are done.
    files: u32,
    here: Option<Here>,
    found: Vec<FoundIn>,
    tally: Tally,
}

impl Hunt {
    pub(super) fn new(tree: Tree, units: Vec<Unit>, pattern: Pattern, query: &Query) -> Self {
        let lines_left = if query.mode == Mode::Lines { query.lines_max } else { 0 };
        let shared = Shared {
            next: 0,
            left: BTreeMap::new(),
            done: BTreeMap::new(),
            in_order: 0,
            queue: VecDeque::new(),
            ahead_bytes: 0,
            tally: Tally { cut: tree.cut, ..Tally::default() },
            lines_left,
            defining_left: lines_left,
        };
        let shared = Mutex::new(shared);
        Self { tree, units, pattern, query: query.clone(), shared, threads: Mutex::default() }
    }

    pub(super) fn go_on(&mut self, deadline: Instant) -> Found {
        let mut threads = std::mem::take(&mut *lock(&self.threads));
        let make = || Thread { searcher: Searcher::new(&self.pattern, &self.query), dir: None };
        share(&mut threads, make, deadline, |thread, until| self.work(thread, until));
        *lock(&self.threads) = threads;
        let units = self.units.len();
        lock(&self.shared).answer(units)
    }

    /// Searches units until the moment is over. Says whether there are more.
    fn work(&self, thread: &mut Thread, until: Instant) -> bool {
        let mut shared = lock(&self.shared);
        loop {
            let Some((nth, mut begun)) = shared.take(self.units.len()) else { return false };
            // What is left only becomes less, so this is enough.
            let lines_max = shared.lines_left.max(shared.defining_left);
            drop(shared);
            let done = self.search(thread, nth, &mut begun, lines_max, until);
            shared = lock(&self.shared);
            if done {
                shared.put(nth, begun);
            } else {
                shared.left.insert(nth, begun);
            }
            if until <= Instant::now() {
                return shared.next < self.units.len() || !shared.left.is_empty();
            }
        }
    }

    /// Searches a unit on. Says whether it is done.
    fn search(
        &self,
        thread: &mut Thread,
        nth: usize,
        begun: &mut Begun,
        lines_max: u64,
        until: Instant,
    ) -> bool {
        match &self.units[nth] {
            Unit::Told(found) => {
                begun.found.push(found.clone());
                true
            }
            Unit::Named(path, file) => {
                let here = begun.here.take().or_else(|| {
                    let file = file.try_clone().ok()?;
                    Some(Here::new(path.clone(), file, true, lines_max))
                });
                here.is_none_or(|here| begun.go_on(&mut thread.searcher, here, until))
            }
            Unit::Run(run) => loop {
                if run.to - run.from <= begun.files {
                    return true;
                }
                let here = begun.here.take().or_else(|| self.open(thread, run, begun, lines_max));
                if let Some(here) = here
                    && !begun.go_on(&mut thread.searcher, here, until)
                {
                    return false;
                }
                begun.files += 1;
                if until <= Instant::now() {
                    return run.to - run.from <= begun.files;
                }
            },
        }
    }

    /// Opens the next file of a run, if it can be.
    fn open(
        &self,
        thread: &mut Thread,
        run: &Run,
        begun: &mut Begun,
        lines_max: u64,
    ) -> Option<Here> {
        let dir = &self.tree.dirs[run.dir as usize];
        let entry = &dir.entries[(run.from + begun.files) as usize];
        let entered = match &thread.dir {
            Some(entered) if entered.number == run.dir => entered,
            _ => {
                let fd = enter(&dir.path).ok()?;
                let on_disk = fstatfs(&fd).is_ok_and(|fs| ON_DISK.contains(&fs.filesystem_type()));
                thread.dir.insert(Entered { number: run.dir, fd, on_disk })
            }
        };
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OPEN;
        match openat(&entered.fd, dir.name(entry), flags, FileMode::empty()) {
            Ok(file) => {
                let here = Here::new(dir.path_of(entry), file, false, lines_max);
                Some(here.ends_with_a_short_read(entered.on_disk))
            }
            // It is gone since it was listed, or something else.
            Err(Errno::ENOENT | Errno::ELOOP | Errno::ENXIO | Errno::ENOTDIR) => None,
            Err(errno) => {
                let path = Bytes(dir.path_of(entry));
                let unsearched = Some(Unsearched::Refused(errno.into()));
                begun.found.push(FoundIn { path, unsearched, ..FoundIn::default() });
                None
            }
        }
    }
}

impl Begun {
    /// Searches its file on. Says whether that is done.
    fn go_on(&mut self, searcher: &mut Searcher, here: Here, until: Instant) -> bool {
        match searcher.go_on(here, until) {
            Went::Left(here) => {
                self.here = Some(here);
                return false;
            }
            Went::Binary => self.tally.binary += 1,
            Went::Done(found) => {
                self.tally.files += 1;
                if 0 < found.count || found.unsearched.is_some() {
                    self.found.push(found);
                }
            }
        }
        true
    }
}

impl Shared {
    /// The next unit to be searched: one that was begun, or a new one.
    fn take(&mut self, units: usize) -> Option<(usize, Begun)> {
        let first_left = self.left.first_key_value().map(|(nth, _)| *nth);
        if (self.ahead_bytes < AHEAD_BYTES_MAX || first_left == Some(self.in_order))
            && let Some(begun) = self.left.pop_first()
        {
            return Some(begun);
        }
        if units <= self.next || AHEAD_BYTES_MAX <= self.ahead_bytes {
            return None;
        }
        self.next += 1;
        Some((self.next - 1, Begun::default()))
    }

    fn put(&mut self, nth: usize, begun: Begun) {
        self.tally.files += begun.tally.files;
        self.tally.binary += begun.tally.binary;
        self.ahead_bytes += begun.found.iter().map(cost).sum::<usize>();
        self.done.insert(nth, begun.found);
        while let Some(found) = self.done.remove(&self.in_order) {
            self.in_order += 1;
            for mut found in found {
                let before = cost(&found);
                self.ration(&mut found);
                self.ahead_bytes -= before - cost(&found);
                self.queue.push_back(found);
            }
        }
    }

    /// Leaves of a file the lines that may still be told.
    fn ration(&mut self, found: &mut FoundIn) {
        let left = match found.defines {
            true if self.lines_left < found.lines.len() as u64 => &mut self.defining_left,
            _ => &mut self.lines_left,
        };
        found.lines.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= found.lines.len() as u64;
    }

    /// What fits one answer.
    fn answer(&mut self, units: usize) -> Found {
        let mut files = Vec::new();
        let mut bytes = 0;
        while let Some(first) = self.queue.front_mut() {
            bytes += first.path.len() + ITEM_BYTES_MAX;
            let fit = first
                .lines
                .iter()
                .take_while(|line| {
                    bytes += line_cost(line);
                    bytes <= CHUNK_BYTES_MAX
                })
                .count();
            if bytes <= CHUNK_BYTES_MAX {
                let Some(first) = self.queue.pop_front() else { break };
                self.ahead_bytes -= cost(&first);
                files.push(first);
                continue;
            }
            if 0 < fit {
                // The rest of its lines come in the next answer.
                let rest = first.lines.split_off(fit);
                let lines = std::mem::replace(&mut first.lines, rest);
                let part = FoundIn { lines, ..first.clone_without_lines() };
                self.ahead_bytes -= part.lines.iter().map(line_cost).sum::<usize>();
                files.push(part);
            }
            break;
        }
        let done = self.queue.is_empty() && self.in_order == units;
        Found { files, tally: self.tally, done }
    }
}

impl FoundIn {
    fn clone_without_lines(&self) -> Self {
        Self {
            path: self.path.clone(),
            count: self.count,
            lines: Vec::new(),
            defines: self.defines,
            unsearched: self.unsearched.clone(),
        }
    }
}

fn cost(found: &FoundIn) -> usize {
    found.path.len() + ITEM_BYTES_MAX + found.lines.iter().map(line_cost).sum::<usize>()
}

fn line_cost(line: &Line) -> usize {
    line.bytes.len() + ITEM_BYTES_MAX
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
