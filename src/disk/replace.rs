//! Replacing a file whole: written beside, synced, renamed, directory synced.
//!
//! A writer holds the `flock` of the directory meanwhile. So two writers never
//! meet, and whatever carries [`LEFTOVER`] in its name there belongs to a writer
//! that died: it is taken away before anything new is written. The directory
//! itself is what is locked, because a lock file would be one more thing to
//! leave behind in a directory that may be a user's own.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::DiskError;

/// How the name of a file begins that was never finished.
pub const LEFTOVER: &str = ".casefile-unfinished-";

/// Gives `path` these bytes, all or nothing, and returns once they are on disk.
///
/// A file that is replaced keeps its mode; a new one is its owner's alone. A
/// symlink at `path` is itself replaced, never followed.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    replace_as(path, bytes, 0o600)
}

/// The same, where a new file gets `mode` less what the umask takes.
pub fn replace_as(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DiskError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let held = HeldDir::open(dir)?;
    held.sweep(dir)?;

    let cannot_write = || DiskError::io("write", path);
    let mut beside = tempfile::Builder::new()
        .prefix(LEFTOVER)
        .make_in(dir, |path| OpenOptions::new().write(true).create_new(true).mode(mode).open(path))
        .map_err(cannot_write())?;
    if let Ok(old) = fs::symlink_metadata(path)
        && old.is_file()
    {
        let kept = Permissions::from_mode(old.permissions().mode() & 0o777);
        beside.as_file().set_permissions(kept).map_err(cannot_write())?;
    }
    beside.as_file_mut().write_all(bytes).map_err(cannot_write())?;
    // Before the rename: a name must never lead to bytes that are not there yet.
    beside.as_file().sync_all().map_err(cannot_write())?;
    beside.persist(path).map_err(|error| cannot_write()(error.error))?;
    held.sync(dir)
}

/// Takes away what writers left in `dir` that were killed. Not needed before a file is
/// replaced there, but nobody may ever do that again.
pub(crate) fn sweep(dir: &Path) -> Result<(), DiskError> {
    match HeldDir::open(dir).and_then(|held| held.sweep(dir)) {
        Err(error) if error.is_missing() => Ok(()),
        swept => swept,
    }
}

/// A directory in which nobody else replaces a file.
struct HeldDir {
    /// The lock, or the bare directory where the file system has no locks. Then
    /// nothing is swept, since a writer may be alive; the rename is whole anyway.
    dir: Result<Flock<File>, File>,
}

impl HeldDir {
    fn open(dir: &Path) -> Result<Self, DiskError> {
        let mut file = File::open(dir).map_err(DiskError::io("open", dir))?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusive) {
                Ok(held) => return Ok(Self { dir: Ok(held) }),
                Err((back, Errno::EINTR)) => file = back,
                Err((back, _)) => return Ok(Self { dir: Err(back) }),
            }
        }
    }

    fn sweep(&self, dir: &Path) -> Result<(), DiskError> {
        if self.dir.is_err() {
            return Ok(());
        }
        for entry in fs::read_dir(dir).map_err(DiskError::io("list", dir))? {
            let entry = entry.map_err(DiskError::io("list", dir))?;
            let ours = entry.file_name().as_bytes().starts_with(LEFTOVER.as_bytes());
            if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                fs::remove_file(entry.path()).map_err(DiskError::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    /// Makes the rename itself survive a power cut.
    fn sync(&self, dir: &Path) -> Result<(), DiskError> {
        let file = match &self.dir {
            Ok(held) => held,
            Err(bare) => bare,
        };
        match file.sync_all() {
            // Some file systems cannot sync a directory and need not.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            outcome => outcome.map_err(DiskError::io("sync", dir)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::{LEFTOVER, replace, replace_as};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        replace(&path, b"one").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"one".to_vec(), 0o600));

        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        replace_as(&path, b"two", 0o666).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o640));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something was left beside");
    }

    #[test]
    fn a_symlink_is_replaced_and_what_it_points_at_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "not ours").unwrap();
        symlink(&target, &link).unwrap();
        replace(&link, b"ours").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"not ours");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
    }

    #[test]
    fn the_next_writer_takes_away_what_a_dead_one_left_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join(format!("{LEFTOVER}x7Yq"));
        fs::write(&left, "half of a manif").unwrap();
        let like = dir.path().join(format!("{LEFTOVER}dir"));
        fs::create_dir(&like).unwrap();
        fs::write(dir.path().join(".casefile"), "").unwrap();

        replace(&dir.path().join("state"), b"whole").unwrap();
        assert!(!left.exists());
        assert!(like.exists(), "a directory was never ours");
        assert!(dir.path().join(".casefile").exists());
    }

    #[test]
    fn a_failure_leaves_the_directory_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = replace(&path, b"file").unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write `{}`", path.display()));
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        assert!(replace(&dir.path().join("no/such"), b"").unwrap_err().is_missing());
        // Nobody who reads the cause knows the name of the file beside.
        for refused in [Path::new("/proc/casefile"), &dir.path().join("n".repeat(256))] {
            let error = replace(refused, b"").unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(!cause.contains(LEFTOVER), "{cause}");
        }
    }

    #[test]
    fn writers_at_once_leave_one_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        std::thread::scope(|scope| {
            for letter in b'a'..=b'h' {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        replace(path, &[letter; 5_000]).unwrap();
                    }
                });
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 5_000);
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "two writers' bytes are mixed");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
