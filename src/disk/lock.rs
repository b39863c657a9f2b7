//! A lock that one process holds, and that can say which.
//!
//! The kernel's `flock` alone decides: it is gone the moment its process is,
//! however that died. The holder also writes its name into the file, for the
//! message that another one gets. A name is believed only while the lock is held
//! and the process it names is alive, because a holder that was killed leaves
//! its name behind.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::DiskError;

/// A lock is tried this often before it counts as held: whoever only looks
/// ([`Lock::holder`]) has it for microseconds, and a new holder needs a moment
/// to write its name.
const TRIES_MAX: u32 = 10;
const TRY_AGAIN_MS: u64 = 10;

/// More than any holder writes.
const HOLDER_BYTES_MAX: u64 = 4 * 1024;

/// Who holds a lock, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    /// The command as a person would know it: `casefile run`.
    pub command: String,
    pub since: Timestamp,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: Flock<File>,
}

impl Lock {
    /// Takes the lock at `path`, a file that is made if it is missing, or says
    /// who has it. Does not wait.
    pub fn take(path: &Path, holder: &Holder) -> Result<Self, DiskError> {
        let mut found = None;
        for attempt in 0..TRIES_MAX {
            if 0 < attempt {
                sleep(Duration::from_millis(TRY_AGAIN_MS));
            }
            let file = open(OpenOptions::new().write(true).create(true).mode(0o600), path)
                .map_err(DiskError::io("lock", path))?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => {
                    // Whoever had it may have removed the file, and then this
                    // is the lock of nothing.
                    if is_at(&file, path) {
                        let mut lock = Self { file };
                        lock.sign(holder).map_err(DiskError::io("write", path))?;
                        return Ok(lock);
                    }
                }
                Err((mut file, Errno::EWOULDBLOCK)) => found = Holder::read(&mut file),
                Err((_, errno)) => return Err(DiskError::io("lock", path)(errno)),
            }
        }
        Err(DiskError::Held { path: path.into(), holder: found })
    }

    /// Takes the lock at `path`, if need be when its holder is done. Who that is, is
    /// told once, before the wait.
    pub fn wait(
        path: &Path,
        holder: &Holder,
        tell: impl FnOnce(Option<&Holder>),
    ) -> Result<Self, DiskError> {
        match Self::take(path, holder) {
            Err(DiskError::Held { holder, .. }) => tell(holder.as_ref()),
            outcome => return outcome,
        }
        loop {
            let file = open(OpenOptions::new().write(true).create(true).mode(0o600), path)
                .map_err(DiskError::io("lock", path))?;
            match Flock::lock(file, FlockArg::LockExclusive) {
                Ok(file) if is_at(&file, path) => {
                    let mut lock = Self { file };
                    lock.sign(holder).map_err(DiskError::io("write", path))?;
                    return Ok(lock);
                }
                Ok(_) | Err((_, Errno::EINTR)) => {}
                Err((_, errno)) => return Err(DiskError::io("lock", path)(errno)),
            }
        }
    }

    /// Who holds the lock at `path` now: nobody, somebody unknown, or that one.
    pub fn holder(path: &Path) -> Result<Option<Option<Holder>>, DiskError> {
        let file = match open(&mut OpenOptions::new(), path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            outcome => outcome.map_err(DiskError::io("open", path))?,
        };
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(_) => Ok(None),
            Err((mut file, Errno::EWOULDBLOCK)) => Ok(Some(Holder::read(&mut file))),
            Err((_, errno)) => Err(DiskError::io("lock", path)(errno)),
        }
    }

    /// Writes the holder's name over that of the one before.
    fn sign(&mut self, holder: &Holder) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        match self.file.write_all(holder.to_text().as_bytes()) {
            // The lock is the kernel's, and room is made by those who hold one.
            Err(error) if is_full(&error) => Ok(()),
            signed => signed,
        }
    }
}

/// A lock that many hold at once, and nobody alone meanwhile.
#[derive(Debug)]
pub struct SharedLock {
    _file: Flock<File>,
}

impl SharedLock {
    /// Takes it with the others, if need be when the one who has it alone is done.
    pub fn wait(path: &Path) -> Result<Self, DiskError> {
        loop {
            let file = open(OpenOptions::new().write(true).create(true).mode(0o600), path)
                .map_err(DiskError::io("lock", path))?;
            match Flock::lock(file, FlockArg::LockShared) {
                Ok(file) if is_at(&file, path) => return Ok(Self { _file: file }),
                Ok(_) | Err((_, Errno::EINTR)) => {}
                Err((_, errno)) => return Err(DiskError::io("lock", path)(errno)),
            }
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A name that stays is harmless, so a failure is too. The kernel's lock
        // goes with the file.
        let _ = self.file.set_len(0);
    }
}

impl Holder {
    fn to_text(&self) -> String {
        let command: String =
            self.command.chars().filter(|letter| !letter.is_control()).take(200).collect();
        format!("pid: {}\nsince: {}\ncommand: {command}\n", self.pid, self.since)
    }

    /// What a lock file says, if all of it is there.
    fn from_text(text: &str) -> Option<Self> {
        let (first, rest) = text.strip_suffix('\n')?.split_once('\n')?;
        let (second, third) = rest.split_once('\n')?;
        Some(Self {
            pid: first.strip_prefix("pid: ")?.parse().ok()?,
            since: second.strip_prefix("since: ")?.parse().ok()?,
            command: third.strip_prefix("command: ")?.into(),
        })
    }

    /// The living holder that a lock file names.
    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
        let holder = Self::from_text(&text)?;
        let pid = Pid::from_raw(i32::try_from(holder.pid).ok().filter(|pid| 0 < *pid)?);
        // EPERM is an answer too: it lives, and is somebody else's.
        (kill(pid, None) != Err(Errno::ESRCH)).then_some(holder)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (pid {})", self.command, self.pid)
    }
}

/// A holder as a message names it.
pub(crate) fn name(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".into(), Holder::to_string)
}

/// What to do about a lock that somebody holds.
pub(crate) fn way_out(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) => {
            format!("Wait until it is done, or end it with `kill {}`.", holder.pid)
        }
        None => "Wait until it is done, and try again.".into(),
    }
}

/// Opens a lock file, and neither follows a symlink nor waits at a FIFO.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = options.read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Whether `path` still leads to this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let Ok(here) = file.metadata() else { return false };
    std::fs::symlink_metadata(path)
        .is_ok_and(|there| (there.dev(), there.ino()) == (here.dev(), here.ino()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use nix::sys::stat::Mode;

    use super::{Holder, Lock, SharedLock};
    use crate::disk::DiskError;
    use crate::hint::Hint;

    fn me(command: &str) -> Holder {
        Holder {
            pid: std::process::id(),
            command: command.into(),
            since: "2026-03-01T03:12:00Z".parse().unwrap(),
        }
    }

    fn somewhere() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        (dir, path)
    }

    fn who(path: &Path) -> Option<Holder> {
        match Lock::take(path, &me("casefile rm")) {
            Err(DiskError::Held { holder, .. }) => holder,
            other => panic!("not held: {other:?}"),
        }
    }

    #[test]
    fn one_holds_it_and_the_other_is_told_who() {
        let (_dir, path) = somewhere();
        assert_eq!(Lock::holder(&path).unwrap(), None);
        let lock = Lock::take(&path, &me("casefile run")).unwrap();
        let error = Lock::take(&path, &me("casefile rm")).unwrap_err();
        let pid = std::process::id();
        assert!(error.to_string().ends_with(&format!("is in use by `casefile run` (pid {pid})")));
        assert!(error.hint().unwrap().contains(&format!("kill {pid}")));
        assert_eq!(Lock::holder(&path).unwrap(), Some(Some(me("casefile run"))));

        drop(lock);
        assert_eq!(Lock::holder(&path).unwrap(), None);
        assert_eq!(fs::read(&path).unwrap(), b"", "the name outlived the holder");
        Lock::take(&path, &me("casefile rm")).unwrap();
    }

    #[test]
    fn many_share_it_and_one_who_wants_it_alone_waits() {
        let (_dir, path) = somewhere();
        let shared = [SharedLock::wait(&path).unwrap(), SharedLock::wait(&path).unwrap()];
        assert!(matches!(Lock::take(&path, &me("x")), Err(DiskError::Held { holder: None, .. })));
        let (told, when_told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let alone = scope.spawn(|| {
                Lock::wait(&path, &me("casefile gc"), |who| told.send(who.cloned()).unwrap())
            });
            assert_eq!(when_told.recv().unwrap(), None);
            assert!(!alone.is_finished());
            drop(shared);
            let alone = alone.join().unwrap().unwrap();
            assert_eq!(who(&path), Some(me("casefile gc")));
            drop(alone);
        });
        SharedLock::wait(&path).unwrap();
    }

    #[test]
    fn a_name_without_a_lock_holds_nothing() {
        let (_dir, path) = somewhere();
        fs::write(&path, me("casefile run").to_text()).unwrap();
        assert_eq!(Lock::holder(&path).unwrap(), None);
        Lock::take(&path, &me("casefile rm")).unwrap();
    }

    #[test]
    fn a_name_that_cannot_be_the_holders_is_not_repeated() {
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let gone = Holder { pid: dead.id(), ..me("casefile run") }.to_text();
        let whole = me("casefile run").to_text();
        #[rustfmt::skip]
        let table = [
            // what the file says                   who that is
            (whole.clone(),                         Some(me("casefile run"))),
            (gone,                                  None),
            (String::new(),                         None),
            (whole[..whole.len() - 1].to_string(),  None),
            (whole.replace("pid: ", "pid: -"),      None),
            (whole.replace("pid: ", "pid: 99999999"), None),
            ("pid: 0\n\n\n".into(),                 None),
            ("x".repeat(100_000),                   None),
        ];
        for (text, want) in table {
            let (_dir, path) = somewhere();
            let _lock = Lock::take(&path, &me("casefile run")).unwrap();
            fs::write(&path, &text).unwrap();
            assert_eq!(who(&path), want, "file says {text:?}");
        }
    }

    #[test]
    fn a_command_cannot_break_the_line_it_is_on() {
        let (_dir, path) = somewhere();
        let _lock = Lock::take(&path, &me("casefile\nrun\x1b[31m")).unwrap();
        assert_eq!(who(&path).unwrap().command, "casefilerun[31m");
    }

    #[test]
    fn the_lock_of_a_removed_file_is_the_lock_of_nothing() {
        let (_dir, path) = somewhere();
        let first = Lock::take(&path, &me("casefile rm")).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Lock::take(&path, &me("casefile run")).unwrap();
        drop(first);
        assert_eq!(who(&path), Some(me("casefile run")));
        drop(second);
    }

    #[test]
    fn only_a_regular_file_is_a_lock() {
        let (dir, path) = somewhere();
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert!(matches!(Lock::take(&path, &me("x")), Err(DiskError::Io { .. })));
        assert!(matches!(Lock::holder(&path), Err(DiskError::Io { .. })));

        let target = dir.path().join("target");
        fs::write(&target, "precious").unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(Lock::take(&path, &me("x")), Err(DiskError::Io { .. })));
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert!(Lock::take(&dir.path().join("no/lock"), &me("x")).unwrap_err().is_missing());
    }
}
