//! Cgroups, where this user may make them: the kernel then counts memory and
//! processes of a whole jail itself.
//!
//! Version 2 needs a place in the hierarchy that is ours: a subtree that was
//! delegated and holds no process but casefile's, or the top where root may
//! write. Version 1 needs its own hierarchies writable, which is root's. Where
//! neither is to be had, limits of each process and the warden's watch take
//! over, and every result says so.
//!
//! A jail's directory carries the number of its zygote in its name. Whoever
//! starts next removes those whose zygote is dead.

#![expect(clippy::disallowed_methods, reason = "files of the kernel, not of a case")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::{Pid, getpid, getppid};

use super::counter::{Clock, Counter};
use super::plan::Plan;
use super::stage::{At, Fault, Stage};
use super::wire::{Means, PassedLimit};
use crate::config::limits::Limit;

const PREFIX: &str = "casefile-";

/// Where cgroups for jails can be made.
#[derive(Debug)]
pub(super) struct Maker {
    means: Means,
    /// One directory for version 2, one for each controller of version 1.
    parents: Vec<PathBuf>,
    count: u64,
    /// Made, when, and perhaps still in use.
    made: Vec<(PathBuf, Instant)>,
    /// What was done to make room, to be undone.
    moved: Option<Moved>,
}

/// Who was moved down from a group that was delegated, and where to.
#[derive(Debug)]
struct Moved {
    group: PathBuf,
    down_to: PathBuf,
    pids: [Pid; 2],
}

/// The cgroup of one jail.
#[derive(Debug)]
pub(super) struct Cgroup {
    means: Means,
    dirs: Vec<PathBuf>,
    /// Open for the process that is to go in, which may not open them itself.
    doors: Vec<File>,
}

impl Maker {
    /// Looks where cgroups can be made, and clears up after those who died.
    pub(super) fn find() -> Self {
        let (means, parents, moved) = find_v2()
            .map(|(parent, moved)| (Means::CgroupV2, vec![parent], moved))
            .or_else(|| find_v1().map(|parents| (Means::CgroupV1, parents, None)))
            .unwrap_or((Means::RlimitsAndWatch, Vec::new(), None));
        parents.iter().for_each(|parent| clear(parent));
        Self { means, parents, count: 0, made: Vec::new(), moved }
    }

    /// Makes the cgroup of a jail to be, without limits and empty.
    pub(super) fn make(&mut self) -> Result<Cgroup, Fault> {
        self.count += 1;
        let name = format!("{PREFIX}{}-{}", getpid(), self.count);
        let mut cgroup = Cgroup { means: self.means, dirs: Vec::new(), doors: Vec::new() };
        for parent in &self.parents {
            let dir = parent.join(&name);
            let stage = Stage::Cgroup;
            fs::create_dir(&dir).at(stage, format!("making {}", dir.display()))?;
            let door = OpenOptions::new().write(true).open(dir.join("cgroup.procs"));
            cgroup.doors.push(door.at(stage, format!("opening {}", dir.display()))?);
            cgroup.dirs.push(dir);
        }
        Ok(cgroup)
    }

    /// A cgroup has its jail, or never will: it can go as soon as it is empty.
    pub(super) fn let_go(&mut self, cgroup: &Cgroup) {
        let now = Instant::now();
        self.made.extend(cgroup.dirs.iter().map(|dir| (dir.clone(), now)));
    }

    /// Removes the cgroups that are empty by now, of those that were made so long
    /// ago: who is to go into one needs a moment for it. `false` while some are left.
    pub(super) fn remove_unused(&mut self, age: Duration) -> bool {
        self.made.retain(|(dir, since)| {
            since.elapsed() < age
                || match fs::remove_dir(dir) {
                    Ok(()) => false,
                    Err(error) => error.kind() != io::ErrorKind::NotFound,
                }
        });
        self.made.is_empty()
    }

    /// Leaves a group that was delegated as it was found: with room for processes,
    /// which version 2 takes away where there are groups with limits.
    pub(super) fn give_back(&mut self) {
        if let Some(moved) = self.moved.take() {
            moved.undo();
        }
    }
}

impl Moved {
    fn undo(&self) {
        let _ = fs::write(self.group.join("cgroup.subtree_control"), "-memory -pids");
        // The number of a host that is dead may be somebody else's by now.
        for pid in self.pids.into_iter().filter(|pid| [getpid(), getppid()].contains(pid)) {
            let _ = fs::write(self.group.join("cgroup.procs"), pid.to_string());
        }
        let _ = fs::remove_dir(&self.down_to);
    }
}

impl Cgroup {
    pub(super) fn means(&self) -> Means {
        self.means
    }

    /// Gives it the limits of a plan.
    pub(super) fn limit(&self, plan: &Plan) -> Result<(), Fault> {
        self.dirs.iter().try_for_each(|dir| {
            limit(dir, plan).at(Stage::Cgroup, format!("setting the limits of {}", dir.display()))
        })
    }

    /// Moves this process in, and so all that it will start.
    pub(super) fn enter(&self) -> Result<(), Fault> {
        for (mut door, dir) in self.doors.iter().zip(&self.dirs) {
            door.write_all(b"0").at(Stage::Cgroup, format!("entering {}", dir.display()))?;
        }
        Ok(())
    }

    /// What says how much processor time all of it has used, collected or not.
    pub(super) fn clock(&self) -> io::Result<Option<Clock>> {
        #[rustfmt::skip]
        let known = [
            // file           before the number   so many make a millisecond
            ("cpu.stat",      "usage_usec ",      1_000),
            ("cpuacct.usage", "",                 1_000_000),
        ];
        for (name, key, per_ms) in known {
            if let Some(path) =
                self.dirs.iter().map(|dir| dir.join(name)).find(|path| path.exists())
            {
                return Ok(Some(Clock { file: OwnedFd::from(File::open(path)?), key, per_ms }));
            }
        }
        Ok(None)
    }

    /// What says that the kernel had to refuse or kill.
    pub(super) fn counters(&self) -> io::Result<Vec<Counter>> {
        #[rustfmt::skip]
        let known = [
            // file                 before the number   what was passed
            ("memory.oom_control",  "oom_kill ",        PassedLimit::Memory),
            ("memory.events",       "oom_kill ",        PassedLimit::Memory),
            ("pids.events",         "max ",             PassedLimit::Processes),
        ];
        let mut counters = Vec::new();
        for (name, key, limit) in known {
            for path in self.dirs.iter().map(|dir| dir.join(name)).filter(|path| path.exists()) {
                let file = OwnedFd::from(File::open(path)?);
                counters.push(Counter { file, key, limit, seen: 0 });
            }
        }
        Ok(counters)
    }
}

/// Writes the plan's limits into whichever files this directory has for them.
fn limit(dir: &Path, plan: &Plan) -> io::Result<()> {
    let memory = plan.bytes(Limit::Memory).to_string();
    let processes = plan.limits.get(Limit::Processes).to_string();
    #[rustfmt::skip]
    let known = [
        // file                          value        does the kernel always have it
        ("memory.limit_in_bytes",        &*memory,    true),
        ("memory.memsw.limit_in_bytes",  &*memory,    false),
        ("memory.max",                   &*memory,    true),
        ("memory.swap.max",              "0",         false),
        ("pids.max",                     &*processes, true),
    ];
    for (name, value, needed) in known {
        let path = dir.join(name);
        if path.exists() {
            match fs::write(&path, value) {
                Err(error) if needed => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// A directory of version 2 in which children with limits can be made, and who had
/// to move for it.
fn find_v2() -> Option<(PathBuf, Option<Moved>)> {
    let top = mounts().into_iter().find(|mount| mount.kind == "cgroup2")?;
    let own = top.at.join(own_paths().into_iter().find(|(names, _)| names.is_empty())?.1);
    if has_both(&own.join("cgroup.controllers"))
        && is_only_ours(&own)
        && let Ok(moved) = delegate(&own)
    {
        return Some((own, Some(moved)));
    }
    // At the top there may be processes beside groups, so root can use it as it is.
    let can = has_both(&top.at.join("cgroup.subtree_control")) && may_make(&top.at);
    can.then_some((top.at, None))
}

fn has_both(list: &Path) -> bool {
    let list = fs::read_to_string(list).unwrap_or_default();
    ["memory", "pids"].iter().all(|name| list.split_ascii_whitespace().any(|word| word == *name))
}

/// Whether nobody is in this group but the zygote and its host.
fn is_only_ours(dir: &Path) -> bool {
    let ours = [getpid().to_string(), getppid().to_string()];
    fs::read_to_string(dir.join("cgroup.procs"))
        .is_ok_and(|pids| pids.lines().all(|pid| ours.iter().any(|own| own == pid)))
}

/// Makes room for children with limits: version 2 wants no process beside them,
/// so casefile itself moves one down.
fn delegate(dir: &Path) -> io::Result<Moved> {
    let down_to = dir.join(format!("{PREFIX}{}-host", getpid()));
    fs::create_dir(&down_to)?;
    let moved = Moved { group: dir.into(), down_to, pids: [getppid(), getpid()] };
    let (pids, down_to) = (moved.pids, &moved.down_to);
    let done = pids
        .iter()
        .try_for_each(|pid| fs::write(down_to.join("cgroup.procs"), pid.to_string()))
        .and_then(|()| fs::write(dir.join("cgroup.subtree_control"), "+memory +pids"));
    match done {
        Ok(()) => Ok(moved),
        Err(error) => {
            moved.undo();
            Err(error)
        }
    }
}

/// The directories of the controllers of version 1, if jails can have some.
fn find_v1() -> Option<Vec<PathBuf>> {
    let mounts = mounts();
    let own = own_paths();
    let parent = |controller: &str| {
        let is_it = |list: &str| list.split(',').any(|name| name == controller);
        let mount = mounts.iter().find(|mount| mount.kind == "cgroup" && is_it(&mount.options))?;
        let (_, path) = own.iter().find(|(names, _)| is_it(names))?;
        let parent = mount.at.join(path.strip_prefix(&mount.root).unwrap_or(path));
        may_make(&parent).then_some(parent)
    };
    let mut parents = vec![parent("memory")?, parent("pids")?];
    // Time is watched where nobody counts it.
    parents.extend(parent("cpuacct"));
    // Several controllers may have one hierarchy.
    parents.sort();
    parents.dedup();
    Some(parents)
}

/// Whether a directory can be made here, tried by making one.
fn may_make(parent: &Path) -> bool {
    let probe = parent.join(format!("{PREFIX}{}-0", getpid()));
    fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe)).is_ok()
}

/// Removes what zygotes left that are dead. Those in use cannot be removed anyway.
fn clear(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let zygote = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if zygote.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[derive(Debug)]
struct Mount {
    /// The part of the hierarchy that is mounted.
    root: PathBuf,
    at: PathBuf,
    kind: String,
    options: String,
}

fn mounts() -> Vec<Mount> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Mount {
            root: before.next()?.into(),
            at: before.next()?.into(),
            kind: after.next()?.into(),
            options: after.nth(1)?.into(),
        })
    };
    text.lines().filter_map(mount).collect()
}

/// Where this process is in each hierarchy: its controllers, and the path
/// without the leading slash.
fn own_paths() -> Vec<(String, PathBuf)> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?.to_owned(), parts.next()?.trim_start_matches('/').into()))
    };
    text.lines().filter_map(own).collect()
}
