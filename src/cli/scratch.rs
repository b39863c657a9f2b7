//! Home and temporary directory of a jail that has no filesystem of its own.
//!
//! It is removed when the jail is over. Who is killed cannot do that, so whoever
//! starts next does: the directory of the living is locked, and the kernel lets
//! go of the lock of the dead.

#![expect(clippy::disallowed_methods, reason = "directories of casefile's own, outside any case")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "casefile-home-";
/// So often may somebody who clears up be in between making and locking.
const TRIES_MAX: u32 = 100;

/// The directory, for as long as this is held.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one, and removes those of the dead.
    pub(super) fn make() -> io::Result<Self> {
        for _ in 0..TRIES_MAX {
            let private = PermissionsExt::from_mode(0o700);
            let dir = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir()?;
            let Ok(lock) = open(dir.path()) else { continue };
            if lock.try_lock().is_err() || !is_still_at(&lock, dir.path()) {
                continue;
            }
            crate::jail::give_to_jail(dir.path())?;
            clear(dir.path())?;
            return Ok(Self { dir, _lock: lock });
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn open(dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(dir)
}

fn is_still_at(lock: &File, path: &Path) -> bool {
    let same = |found: fs::Metadata| Some((found.dev(), found.ino()));
    let held = lock.metadata().ok().and_then(same);
    held.is_some() && held == path.symlink_metadata().ok().and_then(same)
}

/// Removes what lies beside `own`, belongs to the same users, and nobody holds.
fn clear(own: &Path) -> io::Result<()> {
    // The jail's, or one that died before it gave it to the jail.
    let users = [own.symlink_metadata()?.uid(), nix::unistd::geteuid().as_raw()];
    let Some(Ok(entries)) = own.parent().map(fs::read_dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path == own || !name.to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = open(&path) else { continue };
        if users.contains(&lock.metadata()?.uid()) && lock.try_lock().is_ok() {
            // Goes by descriptors and follows no link, whatever a jail left here.
            let _ = fs::remove_dir_all(&path);
        }
    }
    Ok(())
}
