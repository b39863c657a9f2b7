//! Letting root's jail in, where it has no mounts of its own.
//!
//! Root's jail runs as a user that owns nothing. With namespaces it is shown trees under
//! owners of its choice; without, the kernel asks the modes of every directory on the
//! way. So what is casefile's own, and what the world of this case shows, is opened to
//! the group of that user, which nobody else is in, and to be read only. What belongs to
//! others is left as it is; where it is in the way, that is said.
//!
//! Whoever is not root has jails of the same user, and there is nothing to do.

#![expect(clippy::disallowed_methods, reason = "the host's own; no jail can write it")]

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use super::WorldError;
use crate::disk::DiskError;
use crate::jail::jail_user;

/// Whom to let in, and where.
#[derive(Debug)]
pub(super) struct Access {
    /// The group of the jail, if that is another user's.
    gid: Option<u32>,
    /// What is casefile's own.
    home: PathBuf,
}

const ENTER: u32 = 0o1;
const READ: u32 = 0o4;

impl Access {
    /// For the jail of the case in this directory, which is `HOME/cases/<id>`.
    pub(super) fn of(case: &Path) -> Self {
        let home = case.ancestors().nth(2).unwrap_or(case);
        let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
        Self { gid: jail_user().map(|(_, gid)| gid), home }
    }

    /// Lets the jail read all that is in a directory.
    pub(super) fn read(&self, dir: &Path) -> Result<(), WorldError> {
        let Some(real) = self.way_to(dir)? else { return Ok(()) };
        self.allow_all(&real)
    }

    /// The same of the directory alone.
    pub(super) fn read_one(&self, dir: &Path) -> Result<(), WorldError> {
        let Some(real) = self.way_to(dir)? else { return Ok(()) };
        self.allow(&real, &look(&real)?, READ | ENTER)
    }

    /// Lets the jail come to what `path` is; nothing, if it can go where casefile can.
    fn way_to(&self, path: &Path) -> Result<Option<PathBuf>, WorldError> {
        if self.gid.is_none() {
            return Ok(None);
        }
        let real = path.canonicalize().map_err(DiskError::io("open", path))?;
        for above in real.ancestors().skip(1) {
            self.allow(above, &look(above)?, ENTER)?;
        }
        Ok(Some(real))
    }

    fn allow_all(&self, path: &Path) -> Result<(), WorldError> {
        let about = look(path)?;
        if about.is_file() {
            return self.allow(path, &about, READ);
        }
        if !about.is_dir() {
            return Ok(());
        }
        self.allow(path, &about, READ | ENTER)?;
        if !path.starts_with(&self.home) {
            // Another's objects: whoever opens the directory to all does so with them.
            return Ok(());
        }
        for entry in fs::read_dir(path).map_err(DiskError::io("list", path))? {
            self.allow_all(&entry.map_err(DiskError::io("list", path))?.path())?;
        }
        Ok(())
    }

    fn allow(&self, path: &Path, about: &Metadata, what: u32) -> Result<(), WorldError> {
        let Some(gid) = self.gid else { return Ok(()) };
        let mode = about.mode();
        let is_its_group = about.gid() == gid;
        let has = if is_its_group { mode >> 3 } else { mode };
        if has & what == what {
            return Ok(());
        }
        // A group that somebody has given it is there for a reason.
        let is_free = is_its_group || about.gid() == nix::unistd::getegid().as_raw();
        if !path.starts_with(&self.home) || !is_free {
            return Err(WorldError::NoWay { path: path.into(), home: self.home.clone() });
        }
        lchown(path, None, Some(gid)).map_err(DiskError::io("give away", path))?;
        // What root's own group could do is root's to do anyway, and not the jail's.
        let group = if is_its_group { mode & 0o070 } else { 0 };
        let mode = (mode & 0o7707) | group | (what << 3);
        let permissions: Permissions = PermissionsExt::from_mode(mode);
        Ok(fs::set_permissions(path, permissions).map_err(DiskError::io("give away", path))?)
    }
}

fn look(path: &Path) -> Result<Metadata, DiskError> {
    path.symlink_metadata().map_err(DiskError::io("open", path))
}
