//! Reading directories, all that are below some paths, before anything in them is
//! looked at.
//!
//! Directories are read by several threads in any order, and put in order afterwards.
//! A walk is gone on with for a moment at a time, as all that the hands do.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::fstatat;
use rustix::fs::{FileType, RawDir};

use super::rules::{Has, Level, Rules};
use super::team::share;
use crate::jail::hands::Refusal;
use crate::jail::hands::path::Near;
use crate::jail::hands::wire::{Facts, Kind};

/// More than any tree that somebody works in; of a larger one, the rest is left out.
const ENTRIES_MAX: usize = 2_000_000;
const NAMES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What the kernel tells of a directory at once.
const TOLD_BYTES: usize = 32 * 1024;
/// Nothing is looked at below a longer path: an answer would have no room for it.
pub(super) const PATH_BYTES_MAX: usize = 32 * 1024;
/// How many files of one directory are one piece of work.
const RUN_FILES_MAX: usize = 32;

/// A directory that was read: what is kept of it, in the order of the names.
#[derive(Debug, Default)]
pub(super) struct Dir {
    pub(super) path: Vec<u8>,
    names: Vec<u8>,
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    start: u32,
    end: u32,
    pub(super) kind: Kind,
    /// The number of the directory that this is, if it is one that is read.
    pub(super) below: Option<u32>,
}

impl Dir {
    pub(super) fn name(&self, entry: &Entry) -> &[u8] {
        &self.names[entry.start as usize..entry.end as usize]
    }

    pub(super) fn path_of(&self, entry: &Entry) -> Vec<u8> {
        joined(&self.path, self.name(entry))
    }

    /// The same in place of what is in `path`.
    pub(super) fn write_path_of(&self, entry: &Entry, path: &mut Vec<u8>) {
        path.clear();
        path.extend_from_slice(&self.path);
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
        path.extend_from_slice(self.name(entry));
    }
}

pub(super) fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if dir.ends_with(b"/") { b"" } else { b"/" };
    [dir, slash, name].concat()
}

/// A walk that has begun.
#[derive(Debug)]
pub(super) struct Walk {
    rules: Rules,
    depth_max: Option<u32>,
    shared: Mutex<Shared>,
    news: Condvar,
    readers: Vec<Reader>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Vec<Task>,
    busy: usize,
    /// By number; empty where it was not read yet, or could not be.
    dirs: Vec<Dir>,
    refused: Vec<(Vec<u8>, Refusal)>,
    entries: usize,
    names_bytes: usize,
    cut: bool,
}

/// A directory to be read.
#[derive(Debug)]
struct Task {
    number: u32,
    path: Vec<u8>,
    level: Option<Arc<Level>>,
    /// How much of the path comes before what is below the beginning.
    below: usize,
    depth: u32,
}

/// What a thread needs to read directories.
#[derive(Debug)]
struct Reader {
    told: Vec<u8>,
}

/// All that was read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) dirs: Vec<Dir>,
    /// Where the walk began, in order.
    pub(super) tops: Vec<u32>,
    pub(super) refused: Vec<(Vec<u8>, Refusal)>,
    pub(super) cut: bool,
}

impl Walk {
    pub(super) fn new(rules: Rules, tops: &[Vec<u8>], depth_max: Option<u32>) -> Self {
        let mut shared = Shared::default();
        for path in tops.iter().rev() {
            let number = shared.number();
            let level = rules.levels_above(path);
            let below = path.len() + usize::from(!path.ends_with(b"/"));
            shared.waiting.push(Task { number, path: path.clone(), level, below, depth: 0 });
        }
        Self {
            rules,
            depth_max,
            shared: Mutex::new(shared),
            news: Condvar::new(),
            readers: Vec::new(),
        }
    }

    /// Reads on. Says whether all is read.
    pub(super) fn go_on(&mut self, deadline: Instant) -> bool {
        let mut readers = std::mem::take(&mut self.readers);
        let make = || Reader { told: Vec::with_capacity(TOLD_BYTES) };
        share(&mut readers, make, deadline, |reader, until| self.read_on(reader, until));
        self.readers = readers;
        self.lock().waiting.is_empty()
    }

    /// All that was read, of a walk that is done and began at so many places.
    pub(super) fn into_tree(self, tops: usize) -> Tree {
        let shared = self.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut refused = shared.refused;
        refused.sort_by(|one, other| one.0.cmp(&other.0));
        // They got their numbers from the last on.
        let tops = (0..u32::try_from(tops).unwrap_or(0)).rev().collect();
        Tree { dirs: shared.dirs, tops, refused, cut: shared.cut }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_on(&self, reader: &mut Reader, until: Instant) -> bool {
        let mut shared = self.lock();
        loop {
            let Some(task) = shared.waiting.pop() else {
                if shared.busy == 0 {
                    self.news.notify_all();
                    return false;
                }
                // Whoever is busy may have found directories when it is done.
                shared = self.news.wait(shared).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            shared.busy += 1;
            drop(shared);
            let read = self.read(reader, &task);
            shared = self.lock();
            shared.busy -= 1;
            shared.take(task, read);
            self.news.notify_all();
            if until <= Instant::now() {
                return !shared.waiting.is_empty();
            }
        }
    }

    fn read(&self, reader: &mut Reader, task: &Task) -> Result<Read, Errno> {
        if PATH_BYTES_MAX < task.path.len() {
            return Err(Errno::ENAMETOOLONG);
        }
        let dir = Near::to(&task.path)?.open(OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let mut read = Read::default();
        let mut has = Has::default();
        let mut listed = RawDir::new(&dir, reader.told.spare_capacity_mut());
        while let Some(entry) = listed.next() {
            let entry = entry.map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if ENTRIES_MAX <= read.entries.len() || NAMES_BYTES_MAX <= read.names.len() {
                read.cut = true;
                break;
            }
            has.see(name);
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Link,
                FileType::Fifo => Kind::Fifo,
                FileType::Socket => Kind::Socket,
                FileType::Unknown => match fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Ok(stat) => Facts::of(&stat).kind,
                    Err(_) => continue,
                },
                _ => Kind::Device,
            };
            read.add(name, kind);
        }
        read.level = self.rules.level(&dir, &task.path, has, task.level.as_ref());
        self.sift(&mut read, task);
        Ok(read)
    }

    /// Leaves out what the rules do.
    fn sift(&self, read: &mut Read, task: &Task) {
        let mut path = joined(&task.path, b"");
        let dir_bytes = path.len();
        let Read { names, entries, level, .. } = read;
        entries.retain(|entry| {
            let name = &names[entry.start as usize..entry.end as usize];
            path.truncate(dir_bytes);
            path.extend_from_slice(name);
            let is_dir = entry.kind == Kind::Directory;
            self.rules.keep(level.as_ref(), &path, task.below, name, is_dir)
        });
        entries.sort_unstable_by(|one, other| {
            let name = |entry: &Entry| &names[entry.start as usize..entry.end as usize];
            name(one).cmp(name(other))
        });
        read.goes_deeper = self.depth_max.is_none_or(|most| task.depth + 1 < most);
    }
}

/// What was read of one directory.
#[derive(Debug, Default)]
struct Read {
    names: Vec<u8>,
    entries: Vec<Entry>,
    level: Option<Arc<Level>>,
    goes_deeper: bool,
    cut: bool,
}

impl Read {
    fn add(&mut self, name: &[u8], kind: Kind) {
        // Both are bounded above.
        let start = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.extend_from_slice(name);
        let end = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { start, end, kind, below: None });
    }
}

impl Shared {
    fn number(&mut self) -> u32 {
        self.dirs.push(Dir::default());
        u32::try_from(self.dirs.len() - 1).unwrap_or(u32::MAX)
    }

    fn take(&mut self, task: Task, read: Result<Read, Errno>) {
        let mut read = match read {
            Ok(read) => read,
            // What was removed or replaced since it was listed is simply not there.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) if 0 < task.depth => return,
            Err(errno) => return self.refused.push((task.path, errno.into())),
        };
        self.entries += read.entries.len();
        self.names_bytes += read.names.len() + task.path.len();
        self.cut |= read.cut;
        if ENTRIES_MAX < self.entries || NAMES_BYTES_MAX < self.names_bytes {
            self.cut = true;
            self.waiting.clear();
            return;
        }
        if read.goes_deeper && !self.cut {
            // The first in order is taken first.
            for entry in read.entries.iter_mut().rev().filter(|e| e.kind == Kind::Directory) {
                let number = self.number();
                entry.below = Some(number);
                let name = &read.names[entry.start as usize..entry.end as usize];
                self.waiting.push(Task {
                    number,
                    path: joined(&task.path, name),
                    level: read.level.clone(),
                    below: task.below,
                    depth: task.depth + 1,
                });
            }
        }
        let (names, entries) = (read.names, read.entries);
        if let Some(dir) = self.dirs.get_mut(task.number as usize) {
            *dir = Dir { path: task.path, names, entries };
        }
    }
}

/// Some files of one directory that come one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) dir: u32,
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Tree {
    /// All files below a directory in the order of their paths.
    pub(super) fn runs(&self, top: u32, runs: &mut VecDeque<Run>) {
        self.visit(top, |number, nth, entry| {
            if entry.kind != Kind::File {
                return;
            }
            match runs.back_mut() {
                Some(run)
                    if run.dir == number
                        && run.to == nth
                        && ((run.to - run.from) as usize) < RUN_FILES_MAX =>
                {
                    run.to += 1;
                }
                _ => runs.push_back(Run { dir: number, from: nth, to: nth + 1 }),
            }
        });
    }

    /// Everything below a directory in the order of the paths.
    pub(super) fn visit(&self, top: u32, mut each: impl FnMut(u32, u32, &Entry)) {
        let mut open = vec![(top, 0)];
        while let Some((number, next)) = open.last_mut() {
            let entry = self.dirs.get(*number as usize).and_then(|dir| dir.entries.get(*next));
            let Some(entry) = entry else {
                open.pop();
                continue;
            };
            each(*number, u32::try_from(*next).unwrap_or(u32::MAX), entry);
            *next += 1;
            if let Some(below) = entry.below {
                open.push((below, 0));
            }
        }
    }
}

/// Opens a directory only to find files in it.
pub(super) fn enter(path: &[u8]) -> Result<OwnedFd, Errno> {
    Near::to(path)?.open(OFlag::O_PATH | OFlag::O_DIRECTORY)
}

const _: () = assert!(NAMES_BYTES_MAX + u16::MAX as usize <= u32::MAX as usize);
