//! The processes of a jail, as the warden's own `/proc` lists them.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{Pid, Uid, read};

/// One process, as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) parent: Pid,
    pub(super) threads: u64,
    pub(super) resident_pages: u64,
    /// Its own time.
    pub(super) cpu_ticks: u64,
    /// That of the children it has collected.
    pub(super) collected_ticks: u64,
    /// When it began, which tells it from a later one of the same number.
    pub(super) began_ticks: u64,
    /// The size of all that it has mapped, touched or not.
    pub(super) mapped_bytes: u64,
}

/// The open `/proc`.
#[derive(Debug)]
pub(super) struct Processes(OwnedFd);

const OPEN: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC);
/// One line of numbers and a name of at most 15 bytes.
const STAT_BYTES_MAX: usize = 1024;
const ROLLUP_BYTES_MAX: usize = 2048;
/// The mappings of a large program take some hundred KiB to list.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Processes {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self(open("/proc", OPEN | OFlag::O_DIRECTORY, Mode::empty())?))
    }

    /// All processes. One that ends while we look may or may not be among them.
    pub(super) fn all(&self) -> io::Result<Vec<Process>> {
        Ok(self.pids()?.into_iter().filter_map(|pid| self.look_at(pid)).collect())
    }

    /// How many tasks a user has, as far as `/proc` says whose they are.
    pub(super) fn of_user(&self, user: Uid) -> io::Result<u64> {
        let owner = |pid: Pid| fstatat(&self.0, pid.to_string().as_str(), AtFlags::empty());
        let theirs = |pid: &Pid| owner(*pid).is_ok_and(|stat| stat.st_uid == user.as_raw());
        let pids = self.pids()?.into_iter().filter(theirs);
        Ok(pids.filter_map(|pid| self.look_at(pid)).map(|process| process.threads).sum())
    }

    /// All that descend from `root` by a line that leads through none of `not`.
    pub(super) fn below(&self, root: Pid, not: &[Pid]) -> io::Result<Vec<Pid>> {
        let all = self.all()?;
        let parents: HashMap<Pid, Pid> = all.iter().map(|one| (one.pid, one.parent)).collect();
        let is_below = |pid: &Pid| {
            let line = std::iter::successors(Some(*pid), |pid| parents.get(pid).copied());
            // As many steps as there are processes, in case two of them swapped
            // numbers while we looked.
            let mut line = line.take(all.len() + 1);
            *pid != root && line.find(|pid| *pid == root || not.contains(pid)) == Some(root)
        };
        Ok(all.iter().map(|process| process.pid).filter(is_below).collect())
    }

    pub(super) fn pids(&self) -> io::Result<Vec<Pid>> {
        let flags = OPEN | OFlag::O_DIRECTORY;
        let mut dir = Dir::openat(&self.0, c".", flags, Mode::empty())?;
        let entries = dir.iter().collect::<nix::Result<Vec<_>>>()?;
        Ok(entries.iter().filter_map(|entry| pid(entry.file_name())).collect())
    }

    fn look_at(&self, pid: Pid) -> Option<Process> {
        let mut buffer = [0; STAT_BYTES_MAX];
        let line = self.read(&format!("{pid}/stat"), &mut buffer).ok()?;
        parse(pid, line)
    }

    /// The memory of these processes, each shared page counted once in all. Pages of
    /// files in memory are left out, for they are there without a process too.
    pub(super) fn exact_bytes(&self, processes: &[Process]) -> u64 {
        let proportional = |process: &Process| {
            let mut buffer = [0; ROLLUP_BYTES_MAX];
            let bytes = self.read(&format!("{}/smaps_rollup", process.pid), &mut buffer).ok()?;
            let text = String::from_utf8_lossy(bytes);
            let kib = |key: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(key));
                line?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
            };
            Some((kib("Pss:")?.saturating_sub(kib("Pss_Shmem:").unwrap_or(0))) * 1024)
        };
        // One whose pages cannot be looked at counts in full.
        processes
            .iter()
            .map(|process| proportional(process).unwrap_or(process.resident_pages * 4096))
            .sum()
    }

    /// What the kernel needs to know where a process's pages are.
    pub(super) fn page_table_bytes(&self, process: &Process) -> u64 {
        let mut buffer = [0; ROLLUP_BYTES_MAX];
        let path = format!("{}/status", process.pid);
        let Ok(bytes) = self.read(&path, &mut buffer) else { return 0 };
        let text = String::from_utf8_lossy(bytes);
        let kib =
            text.lines().find_map(|line| line.strip_prefix("VmPTE:")?.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// A file of `/proc` as text, as much of it as anybody needs.
    pub(super) fn text(&self, path: &str) -> String {
        let mut buffer = vec![0; TEXT_BYTES_MAX];
        let bytes = self.read(path, &mut buffer).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.0
    }

    fn read<'a>(&self, path: &str, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let file = openat(self.0.as_fd(), path, OPEN, Mode::empty())?;
        let mut filled = 0;
        while filled < buffer.len() {
            match read(&file, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(&buffer[..filled])
    }
}

fn pid(name: &CStr) -> Option<Pid> {
    name.to_str().ok()?.parse().ok().map(Pid::from_raw)
}

/// Takes a line of `/proc/<pid>/stat` apart. The name in it is the process's own
/// choice and may hold anything, brackets included, so the last one counts.
fn parse(pid: Pid, line: &[u8]) -> Option<Process> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let text = std::str::from_utf8(&line[after_name..]).ok()?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    // The first field after the name is number 3 in the kernel's count.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let parent = Pid::from_raw(i32::try_from(number(4)?).ok()?);
    Some(Process {
        pid,
        parent,
        threads: number(20)?,
        resident_pages: number(24)?,
        cpu_ticks: number(14)? + number(15)?,
        collected_ticks: number(16)? + number(17)?,
        began_ticks: number(22)?,
        mapped_bytes: number(23)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Pid, Process, Processes, parse};

    #[test]
    fn a_process_cannot_lie_with_its_name() {
        let rest = "S 7 1 1 0 -1 4194560 1 0 0 0 10 20 30 40 20 0 3 0 100 1000000 250 99 1 1 0";
        let want = Process {
            pid: Pid::from_raw(42),
            parent: Pid::from_raw(7),
            threads: 3,
            resident_pages: 250,
            cpu_ticks: 30,
            collected_ticks: 70,
            began_ticks: 100,
            mapped_bytes: 1_000_000,
        };
        for name in ["cat", "a b", ") S 1 1", "(((", ")", "\u{1b}[31m"] {
            let line = format!("42 ({name}) {rest}\n");
            assert_eq!(parse(Pid::from_raw(42), line.as_bytes()), Some(want), "{name:?}");
        }
        for garbage in ["", "42", "42 (cat)", "42 (cat) S", "42 (cat) S x y z"] {
            assert_eq!(parse(Pid::from_raw(42), garbage.as_bytes()), None, "{garbage:?}");
        }
    }

    #[test]
    fn a_line_that_leads_through_somebody_else_is_not_followed() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let (this, processes) = (nix::unistd::getpid(), Processes::open().unwrap());
        let below = |not: &[Pid]| processes.below(this, not).unwrap();
        assert!(below(&[]).contains(&pid) && !below(&[]).contains(&this));
        assert!(!below(&[pid]).contains(&pid));
        assert!(processes.below(pid, &[]).unwrap().is_empty());
        assert!(2 <= processes.of_user(nix::unistd::getuid()).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn this_process_is_among_all_and_uses_memory() {
        let processes = Processes::open().unwrap();
        let all = processes.all().unwrap();
        let this = all.iter().find(|process| process.pid == nix::unistd::getpid()).unwrap();
        assert!(0 < this.resident_pages && 0 < this.threads, "{this:?}");
        let exact = processes.exact_bytes(&[*this]);
        assert!(0 < exact && exact <= 2 * this.resident_pages * 4096, "{exact} of {this:?}");
    }
}
