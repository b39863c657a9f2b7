//! Writing the files of a plan, by as many threads as help.
//!
//! Making a file costs more than filling it, so everything is done once: one look at
//! the directory, one write, no sync. Each thread takes the next few acts, which lie
//! beside each other in the tree, so that the threads rarely meet in a directory.

use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use git2::Oid;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{
    FileStat, Mode, SFlag, UtimensatFlags, fchmod, fstat, fstatat, mknodat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::symlinkat;

use super::SnapshotError;
use super::attributes::Finish;
use super::compare::{Act, What};
use super::error::{MissingObject, shown};
use super::reach::{Make, Reach, make_dir};
use crate::disk::DiskError;
use crate::repos::Progress;
use crate::repos::index::Stat;
use crate::repos::objects::{self, Kind, ObjectError, Objects};

/// Acts that a thread takes at once.
pub(super) const ACTS_AT_ONCE: usize = 128;
/// Files that may be left out: so many, or one of so many.
const ABSENT_MAX: usize = 20;
const ABSENT_PART: usize = 20;
/// More threads than this wait for each other in the file system.
const THREADS_MAX: usize = 8;

/// Does all `acts` in the directory `top`, with blobs from `mirror`. Returns what each
/// file is like, and how many bytes were written. `over` says whether it lies over
/// another tree.
///
/// A few blobs may be missing, as they are in a partial clone whose origin is gone:
/// those files are left out, for the rest is worth having. Where more are missing than
/// that, something is wrong with the mirror.
pub(super) fn write(
    top: &Path,
    mirror: &Path,
    acts: &[Act],
    over: bool,
    progress: &dyn Progress,
) -> Result<(Vec<Stat>, u64), SnapshotError> {
    let work = Work {
        top,
        mirror,
        acts,
        over,
        make: Make::here(),
        next: AtomicUsize::new(0),
        bytes: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        done: Mutex::new(Vec::new()),
        progress,
    };
    together(acts.len(), || work.run())?;
    let mut stats = vec![Stat::default(); acts.len()];
    for (begin, chunk) in work.done.into_inner().unwrap_or_default() {
        stats[begin..begin + chunk.len()].copy_from_slice(&chunk);
    }
    let absent = stats.iter().filter(|stat| stat.absent).count();
    if acts.len() < absent.saturating_mul(ABSENT_PART) && ABSENT_MAX < absent {
        let gone = acts.iter().zip(&stats).filter(|(_, stat)| stat.absent);
        return Err(SnapshotError::Missing {
            objects: gone.filter_map(|(act, _)| act.lacks()).collect(),
        });
    }
    Ok((stats, work.bytes.into_inner()))
}

/// Does `work` on as many threads as help with so many files.
pub(super) fn together(
    files: usize,
    work: impl Fn() -> Result<(), SnapshotError> + Sync,
) -> Result<(), SnapshotError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let threads = threads.min(files.div_ceil(ACTS_AT_ONCE)).max(1);
    std::thread::scope(|scope| {
        let hands: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
        let mine = work();
        let theirs =
            hands.into_iter().map(|hand| hand.join().unwrap_or(Err(SnapshotError::Thread)));
        // All of them have ended before anybody looks.
        let outcomes: Vec<_> = std::iter::once(mine).chain(theirs).collect();
        outcomes.into_iter().collect()
    })
}

/// Dates back what was written in the second that is running, to the one before.
///
/// git compares seconds, and takes a file that is not older than its index for one that
/// may have changed since: it would read those files again, and write a whole index to
/// remember it. What a case writes is never dated back, so nothing it does is missed.
pub(super) fn date_back(
    top: &Path,
    acts: &[Act],
    stats: &mut [Stat],
    now: u32,
) -> Result<(), SnapshotError> {
    let mut reach = Reach::new(top, None).map_err(DiskError::io("open", top))?;
    let time = TimeSpec::new(i64::from(now) - 1, 0);
    for (act, stat) in acts.iter().zip(stats) {
        if !matches!(act.what, What::Blob { .. }) || stat.written.0 < now || stat.absent {
            continue;
        }
        let (dir, name) = reach.to(&act.path).map_err(DiskError::io("open", top))?;
        utimensat(dir, name, &time, &time, UtimensatFlags::NoFollowSymlink)
            .map_err(DiskError::io("write", &top.join(std::ffi::OsStr::from_bytes(&act.path))))?;
        stat.written = (now - 1, 0);
    }
    Ok(())
}

/// The blobs of `acts` that are not there.
pub(super) fn missing(objects: &Objects<'_>, acts: &[Act]) -> impl Iterator<Item = MissingObject> {
    acts.iter().filter_map(|act| match act.what {
        What::Blob { id, .. } if !objects.has(id) => act.lacks(),
        _ => None,
    })
}

impl Act {
    /// The blob that it needs, for a message.
    fn lacks(&self) -> Option<MissingObject> {
        let What::Blob { id, .. } = self.what else { return None };
        Some(MissingObject { id: id.to_string(), path: self.path.clone() })
    }
}

/// What the threads share.
struct Work<'a> {
    top: &'a Path,
    mirror: &'a Path,
    acts: &'a [Act],
    over: bool,
    make: Make,
    next: AtomicUsize,
    bytes: AtomicU64,
    /// One thread has failed, and the others need not go on.
    failed: AtomicBool,
    done: Mutex<Vec<(usize, Vec<Stat>)>>,
    progress: &'a dyn Progress,
}

impl Work<'_> {
    fn run(&self) -> Result<(), SnapshotError> {
        let outcome = self.take_turns();
        if outcome.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    fn take_turns(&self) -> Result<(), SnapshotError> {
        let unreadable = |source| SnapshotError::Mirror { path: self.mirror.into(), source };
        let repo = objects::open(self.mirror).map_err(unreadable)?;
        let objects = Objects::of(&repo).map_err(unreadable)?;
        let mut reach =
            Reach::new(self.top, Some(self.make)).map_err(DiskError::io("open", self.top))?;
        loop {
            let begin = self.next.fetch_add(ACTS_AT_ONCE, Ordering::Relaxed);
            if self.acts.len() <= begin || self.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let end = (begin + ACTS_AT_ONCE).min(self.acts.len());
            let acts = &self.acts[begin..end];
            let stats: Result<Vec<Stat>, SnapshotError> =
                acts.iter().map(|act| self.act(act, &objects, &mut reach)).collect();
            if let Ok(mut done) = self.done.lock() {
                done.push((begin, stats?));
            }
            self.progress.at(end as u64);
        }
    }

    fn act(
        &self,
        act: &Act,
        objects: &Objects<'_>,
        reach: &mut Reach,
    ) -> Result<Stat, SnapshotError> {
        let outcome = match act.what {
            What::Blob { id, kind, finish } => {
                let read = objects.blob(id, |blob| self.blob(act, blob, (id, kind, finish), reach));
                let written = match read {
                    Err(ObjectError::Missing) => self.leave_out(act, reach),
                    read => read.map_err(|source| SnapshotError::object(id, &act.path, source))?,
                };
                if written == Err(Errno::EINVAL) && kind == Kind::Link {
                    let why = "no symbolic link leads there";
                    return Err(SnapshotError::Refused { path: shown(&act.path), why });
                }
                written
            }
            What::Module(_) => reach
                .to(&act.path)
                .and_then(|(dir, name)| make_dir(dir, name, self.make))
                .map(|()| Stat::default()),
            What::Whiteout => hide(act, reach).map(|()| Stat::default()),
        };
        let path = self.top.join(std::ffi::OsStr::from_bytes(&act.path));
        outcome.map_err(|errno| DiskError::io("write", &path)(errno).into())
    }

    /// Whatever lies below must not show in its place.
    fn leave_out(&self, act: &Act, reach: &mut Reach) -> nix::Result<Stat> {
        if self.over {
            hide(act, reach)?;
        }
        Ok(Stat { absent: true, ..Stat::default() })
    }

    fn blob(
        &self,
        act: &Act,
        blob: &[u8],
        (id, kind, finish): (Oid, Kind, Finish),
        reach: &mut Reach,
    ) -> nix::Result<Stat> {
        let (dir, name) = reach.to(&act.path)?;
        if kind == Kind::Link {
            if blob.is_empty() || blob.contains(&0) {
                return Err(Errno::EINVAL);
            }
            symlinkat(blob, dir, name)?;
            return Ok(stat(&fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?));
        }
        let finished = if finish == Finish::default() { None } else { finish.apply(blob, id) };
        let bytes = finished.as_deref().unwrap_or(blob);
        let mode = Mode::from_bits_truncate(if kind == Kind::Program { 0o755 } else { 0o644 });
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(dir, name, flags, mode)?);
        if self.make.change_modes {
            fchmod(&file, mode)?;
        }
        file.write_all(bytes)
            .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(stat(&fstat(&file)?))
    }
}

/// Makes a whiteout.
fn hide(act: &Act, reach: &mut Reach) -> nix::Result<()> {
    let (dir, name) = reach.to(&act.path)?;
    mknodat(dir, name, SFlag::S_IFCHR, Mode::empty(), 0)
}

/// As an index has it: the low 32 bits of each number.
pub(super) fn stat(about: &FileStat) -> Stat {
    Stat {
        changed: (about.st_ctime as u32, about.st_ctime_nsec as u32),
        written: (about.st_mtime as u32, about.st_mtime_nsec as u32),
        inode: about.st_ino as u32,
        size: about.st_size as u32,
        absent: false,
    }
}
