//! What no single kernel limit sees: the sum over all processes of a jail.
//!
//! While a command runs, the warden looks at its `/proc` and adds
//! up memory, processor time and processes per command, again and again. Where a cgroup counts
//! them, its counters say whether it had to refuse or kill; the sums then only
//! tell which command to end for it.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Pid, SysconfVar, sysconf};

use super::counter::{Clock, Counter};
use super::disk::{Grows, Growth};
use super::processes::{Process, Processes};
use super::sys::Died;
use super::wire::{Means, Passed, PassedLimit, Status};
use crate::config::limits::{Limit, Limits};

/// How often the sums are made: where nothing else holds memory, and where the
/// kernel does and only time and disk are left to us.
const TICK: Duration = Duration::from_millis(20);
const TICK_COUNTED: Duration = Duration::from_millis(100);
/// Looking may cost at most this part of the time.
const SHARE_MAX: u32 = 20;
/// But the next look is never later than this.
const REST_MAX: Duration = Duration::from_millis(200);
/// Page tables are asked for where they could be this part of the limit.
const TABLES_SHARE: u64 = 16;

/// The directories in which a jail can keep something.
#[derive(Debug)]
pub(super) struct Held {
    /// On a disk of the host.
    pub(super) grows: Grows,
    /// In memory, which goes with the jail.
    pub(super) scratch: Vec<OwnedFd>,
}

/// Sums, counters and what they are held against.
#[derive(Debug)]
pub(super) struct Watch {
    limits: Limits,
    means: Means,
    processes: Processes,
    counters: Vec<Counter>,
    growth: Growth,
    scratch: Vec<OwnedFd>,
    clock: Option<Clock>,
    /// What the clock showed when the command began that has run alone since.
    alone: Option<u64>,
    /// When to look next; not at all while nothing runs.
    next: Option<Instant>,
    running: usize,
    /// By first process: what its command was last seen to use.
    last: HashMap<Pid, Sums>,
    /// By number and beginning: whose a process is, and the time it has used.
    alive: HashMap<(Pid, u64), (Pid, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    memory_bytes: u64,
    /// Of the kernel, for it.
    table_bytes: u64,
    tasks: u64,
    /// Of the processes there are, of those that they collected, and of those that
    /// were seen before and are gone.
    alive_ms: u64,
    collected_ms: u64,
    gone_ms: u64,
    cpu_ms: u64,
}

impl Watch {
    pub(super) fn new(
        limits: &Limits,
        means: Means,
        counters: Vec<Counter>,
        clock: Option<Clock>,
        held: Held,
    ) -> io::Result<Self> {
        let disk_bytes = limits.get(Limit::Disk).saturating_mul(MIB);
        Ok(Self {
            limits: limits.clone(),
            means,
            processes: Processes::open()?,
            counters,
            growth: Growth::new(held.grows, disk_bytes)?,
            scratch: held.scratch,
            clock,
            alone: None,
            next: None,
            running: 0,
            last: HashMap::new(),
            alive: HashMap::new(),
        })
    }

    fn tick(&self) -> Duration {
        if self.means == Means::RlimitsAndWatch { TICK } else { TICK_COUNTED }
    }

    /// A command began.
    pub(super) fn began(&mut self) {
        self.running += 1;
        // With several nobody could say whose time it is.
        self.alone = if self.running == 1 { self.clock.as_ref().and_then(Clock::ms) } else { None };
        let tick = self.tick();
        self.next.get_or_insert_with(|| Instant::now() + tick);
    }

    /// The jail's hands wrote something. They are not watched as a command is, for
    /// they are there all the time and do nothing by themselves.
    pub(super) fn wrote(&mut self) {
        self.next = Some(Instant::now());
    }

    /// A command ended, or the hands; the answer is the processor time that it was
    /// seen to use.
    pub(super) fn ended(&mut self, first: Pid, was_command: bool) -> u64 {
        if was_command {
            self.running = self.running.saturating_sub(1);
        }
        if self.running == 0 {
            self.next = None;
        }
        self.last.remove(&first).map_or(0, |sums| sums.cpu_ms)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Adds up, if it is time; the answer is which commands are to be ended.
    pub(super) fn look(&mut self, now: Instant, firsts: &[Pid]) -> Vec<(Pid, Passed)> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        // A /proc that cannot be read for once is read again at the next tick.
        let all = self.processes.all().unwrap_or_default();
        self.add_up(&all, firsts);
        let mut over = self.over_alone();
        over.extend(self.over_together(&all));
        let cost = (now.elapsed() * SHARE_MAX).min(REST_MAX);
        let again = 0 < self.running || self.growth.is_measuring();
        self.next = again.then(|| now + self.tick().max(cost));
        over
    }

    fn add_up(&mut self, all: &[Process], firsts: &[Pid]) {
        let ticks_per_s = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100).unsigned_abs();
        let page_bytes =
            sysconf(SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096).unsigned_abs();
        let table_bytes_min = self.limits.get(Limit::Memory).saturating_mul(MIB) / TABLES_SHARE;
        self.last.retain(|first, _| firsts.contains(first));
        for sums in self.last.values_mut() {
            *sums = Sums { cpu_ms: sums.cpu_ms, gone_ms: sums.gone_ms, ..Sums::default() };
        }
        let parents: HashMap<Pid, Pid> = all.iter().map(|one| (one.pid, one.parent)).collect();
        let mut alive = HashMap::new();
        for process in all {
            let line = std::iter::successors(Some(process.pid), |pid| parents.get(pid).copied());
            // As many steps as there are processes, in case two of them swapped
            // numbers while we looked.
            let Some(first) = line.take(all.len() + 1).find(|pid| firsts.contains(pid)) else {
                continue;
            };
            let own_ms = process.cpu_ticks * 1000 / ticks_per_s;
            alive.insert((process.pid, process.began_ticks), (first, own_ms));
            let sums = self.last.entry(first).or_default();
            sums.memory_bytes += process.resident_pages * page_bytes;
            // A page of tables for 512 pages, which nothing but this counts.
            if table_bytes_min < process.mapped_bytes / 512 {
                sums.table_bytes += self.processes.page_table_bytes(process);
            }
            sums.tasks += process.threads;
            sums.alive_ms += own_ms;
            sums.collected_ms += process.collected_ticks * 1000 / ticks_per_s;
        }
        for (one, (first, own_ms)) in std::mem::replace(&mut self.alive, alive) {
            if !self.alive.contains_key(&one)
                && let Some(sums) = self.last.get_mut(&first)
            {
                sums.gone_ms += own_ms;
            }
        }
        for sums in self.last.values_mut() {
            // What a process used is its parent's to know once it was collected, and
            // nobody's where none is. Each sum misses what the other has.
            let told = sums.alive_ms + sums.collected_ms;
            sums.cpu_ms = sums.cpu_ms.max(told).max(sums.alive_ms + sums.gone_ms);
        }
        self.add_uncollected();
    }

    /// Processes that are born and die between two looks, and that nobody collects,
    /// are in no sum. A command that is alone in its jail has used all there was.
    fn add_uncollected(&mut self) {
        let used = self.clock.as_ref().and_then(Clock::ms).zip(self.alone);
        let mut all = self.last.values_mut();
        if let (Some((now, began)), Some(sums), None) = (used, all.next(), all.next()) {
            sums.cpu_ms = sums.cpu_ms.max(now.saturating_sub(began));
        }
    }

    /// Processor time is each command's own.
    fn over_alone(&self) -> Vec<(Pid, Passed)> {
        let value = self.limits.get(Limit::Cpu);
        let over = |sums: &Sums| value.saturating_mul(1000) <= sums.cpu_ms;
        let passed = Passed { limit: PassedLimit::Cpu, value };
        self.last.iter().filter(|(_, sums)| over(sums)).map(|(first, _)| (*first, passed)).collect()
    }

    /// The rest is the jail's together; the command that has most of it is ended.
    fn over_together(&mut self, all: &[Process]) -> Vec<(Pid, Passed)> {
        let mut over = Vec::new();
        for limit in self.counted().into_iter().chain(self.summed(all)) {
            over.extend(self.most(limit).map(|first| (first, self.passed(limit))));
        }
        if self.growth.passed() {
            // Nobody can say who wrote what; whoever runs may be writing still.
            let passed = self.passed(PassedLimit::Disk);
            over.extend(self.last.keys().map(|first| (*first, passed)));
        }
        over
    }

    /// What the cgroup's counters say was refused since the last look.
    fn counted(&mut self) -> Vec<PassedLimit> {
        let mut passed = Vec::new();
        for counter in &mut self.counters {
            let value = counter.read().unwrap_or(counter.seen);
            if counter.seen < value {
                counter.seen = value;
                passed.push(counter.limit);
            }
        }
        passed
    }

    fn summed(&self, all: &[Process]) -> Vec<PassedLimit> {
        let mut passed = Vec::new();
        // Whoever refuses the next one, a cgroup or an rlimit, only the latter does
        // not tell.
        let tasks: u64 = self.last.values().map(|sums| sums.tasks).sum();
        if self.limits.get(Limit::Processes) <= tasks + OWN_TASKS_MAX {
            passed.push(PassedLimit::Processes);
        }
        if self.means != Means::RlimitsAndWatch {
            return passed;
        }
        let memory_bytes: u64 = self.last.values().map(|sums| sums.memory_bytes).sum();
        let limit_bytes = self.limits.get(Limit::Memory).saturating_mul(MIB);
        // Pages that processes share count once for each here. Only if that would
        // be too much is the exact sum made, which costs the kernel a walk.
        let table_bytes: u64 = self.last.values().map(|sums| sums.table_bytes).sum();
        // Of no process, and there for as long as the jail is.
        let file_bytes: u64 = self.scratch.iter().map(used_bytes).sum();
        let over = |bytes: u64| limit_bytes < bytes + table_bytes + file_bytes;
        if over(memory_bytes) && over(self.processes.exact_bytes(all)) {
            passed.push(PassedLimit::Memory);
        }
        passed
    }

    fn most(&self, limit: PassedLimit) -> Option<Pid> {
        let measure = |sums: &Sums| match limit {
            PassedLimit::Processes => sums.tasks,
            _ => sums.memory_bytes + sums.table_bytes,
        };
        self.last.iter().max_by_key(|(_, sums)| measure(sums)).map(|(first, _)| *first)
    }

    fn passed(&self, limit: PassedLimit) -> Passed {
        Passed { limit, value: self.limits.get(limit.limit()) }
    }

    /// Which limit a program ran into that ended so, before anybody looked.
    pub(super) fn explain(&mut self, status: Status) -> Option<Passed> {
        let limit = match status {
            Status::Killed(signal) if i32::from(signal) == libc::SIGXCPU => PassedLimit::Cpu,
            Status::Killed(signal) if i32::from(signal) == libc::SIGXFSZ => PassedLimit::File,
            Status::Killed(signal) if i32::from(signal) == libc::SIGKILL => {
                self.counted().into_iter().find(|limit| *limit == PassedLimit::Memory)?
            }
            // Its own end was in order, but one that it had started was killed, or could
            // not be started. With several commands only the next look can tell whose
            // that was.
            Status::Exited(_) if self.running == 0 => self.counted().into_iter().next()?,
            _ => return None,
        };
        Some(self.passed(limit))
    }

    /// The child that measures the disk, if one does.
    pub(super) fn measuring(&self) -> Option<Pid> {
        self.growth.child()
    }

    /// The processes in sight.
    pub(super) fn processes(&self) -> &Processes {
        &self.processes
    }

    /// A child that measured the disk ended, if this is the one.
    pub(super) fn measured(&mut self, child: Pid, died: Died) {
        self.growth.measured(child, died);
    }
}

/// What the files of a directory in memory take up.
fn used_bytes(dir: &OwnedFd) -> u64 {
    fstatvfs(dir).map_or(0, |stat| {
        stat.blocks().saturating_sub(stat.blocks_free()).saturating_mul(stat.fragment_size())
    })
}

const MIB: u64 = 1024 * 1024;
/// Whom the kernel counts too: the warden, the first process of the command to
/// come, and who measures the disk.
const OWN_TASKS_MAX: u64 = 3;
