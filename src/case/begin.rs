//! A case that is being put together: beside the others, under a name that is no
//! id, until one rename makes it one of them.
//!
//! Whoever puts it together holds the `flock` of its directory. What nobody holds
//! was left by somebody who was killed, and [`clear`] takes it away.

#![expect(clippy::disallowed_methods, reason = "directories that this process makes")]

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::Mode;

use super::{CaseError, CaseId, Home, LOCK, MANIFEST, Manifest};
use crate::disk::{self, DiskError, trash};

/// How the name of a case begins that was never finished.
const LEFTOVER: &str = ".unfinished-";

/// A case without an id.
#[derive(Debug)]
pub struct Begun {
    home: Home,
    dir: PathBuf,
    /// Whether it has become a case, or is to be taken away.
    is_done: bool,
    lock: Option<Flock<OwnedFd>>,
}

impl Begun {
    /// Makes its directories. The caller brings the randomness of its name.
    pub fn new(home: &Home, random: [u8; 6]) -> Result<Self, CaseError> {
        let cases = home.cases();
        disk::directory(&cases)?;
        let name = base16ct::lower::encode_string(&random);
        let dir = cases.join(format!("{LEFTOVER}{name}"));
        make(&dir)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = open(&dir, flags, Mode::empty()).map_err(DiskError::io("open", &dir))?;
        let lock = Flock::lock(fd, FlockArg::LockExclusive)
            .map_err(|(_, errno)| DiskError::io("lock", &dir)(errno))?;
        let begun = Self { home: home.clone(), dir, is_done: false, lock: Some(lock) };
        for name in ["evidence", "outputs", "layers"] {
            make(&begun.dir.join(name))?;
        }
        Ok(begun)
    }

    /// Where its evidence goes.
    pub fn evidence(&self) -> PathBuf {
        self.dir.join("evidence")
    }

    /// Where its kept outputs go.
    pub fn outputs(&self) -> PathBuf {
        self.dir.join("outputs")
    }

    /// Where the first layer goes that it writes into.
    pub fn layer(&self) -> PathBuf {
        self.dir.join("layers").join("0")
    }

    /// Makes it a case, in one step.
    pub fn finish(mut self, id: &CaseId, manifest: &Manifest) -> Result<(), CaseError> {
        let text = manifest.emit()?;
        for (name, text) in [(LOCK, ""), (MANIFEST, text.as_str())] {
            let path = self.dir.join(name);
            write(&path, text).map_err(DiskError::io("write", &path))?;
        }
        let place = self.home.case(id);
        // A directory that is there and empty would be replaced without a word; a
        // case never is empty, so another of this id is an error here.
        fs::rename(&self.dir, &place).map_err(DiskError::io("create", &place))?;
        self.is_done = true;
        trash::sync(&self.home.cases())?;
        Ok(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_done {
            // Whoever takes it apart locks it too. What stays is cleared by the next
            // one who looks.
            self.lock = None;
            let _ = trash::remove(&self.home.trash(), &self.dir);
        }
    }
}

fn make(dir: &Path) -> Result<(), DiskError> {
    DirBuilder::new().mode(0o700).create(dir).map_err(DiskError::io("create", dir))
}

/// Nobody else sees the directory yet, so the file need not be replaced in one step.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What those have left who were killed while they began or removed a case. Nobody else
/// is at it: the caller has what cases share for itself.
pub fn leftovers(home: &Home) -> Result<Vec<PathBuf>, CaseError> {
    let is_left = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LEFTOVER))
    };
    let mut left: Vec<_> = disk::list(&home.cases())?.into_iter().filter(is_left).collect();
    left.extend(disk::list(&home.trash())?);
    Ok(left)
}

/// Takes away what those have left who were killed while they began a case.
pub fn clear(home: &Home) -> Result<(), CaseError> {
    let cases = home.cases();
    let Ok(entries) = fs::read_dir(&cases) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(DiskError::io("list", &cases))?;
        if !entry.file_name().to_string_lossy().starts_with(LEFTOVER) {
            continue;
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = match open(&entry.path(), flags, Mode::empty()) {
            Err(Errno::ENOENT) => continue,
            opened => opened.map_err(DiskError::io("open", &entry.path()))?,
        };
        if let Ok(_held) = Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
            trash::move_in(&home.trash(), &entry.path())?;
        }
    }
    Ok(trash::finish(&home.trash())?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Begun, clear};
    use crate::case::{CaseId, Home, Manifest, Opener, Origin, list, show};
    use crate::config::PolicyName;

    fn manifest() -> Manifest {
        let opened = "2026-03-01T03:12:00Z".parse().unwrap();
        let origin = Origin { by: Opener::Person, opened };
        Manifest::new("Checkout answers 5xx", origin, PolicyName::default()).unwrap()
    }

    fn names(home: &Home) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(home.cases())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_case_is_there_once_it_is_finished_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("state"));
        let id = CaseId::new("Checkout answers 5xx", [1; 6]);
        let begun = Begun::new(&home, [1; 6]).unwrap();
        fs::write(begun.evidence().join("alert.json"), "{}").unwrap();
        assert!(list(&home).unwrap().is_empty());
        clear(&home).unwrap();
        begun.finish(&id, &manifest()).unwrap();
        assert_eq!(show(&home, &id).unwrap().manifest, manifest());
        assert_eq!(fs::read(home.case(&id).join("evidence/alert.json")).unwrap(), b"{}");
        assert_eq!(names(&home), [id.as_str()]);
        // No second one of that id, and nothing of the attempt stays.
        Begun::new(&home, [2; 6]).unwrap().finish(&id, &manifest()).unwrap_err();
        assert_eq!(names(&home), [".trash", id.as_str()]);
        assert!(fs::read_dir(home.trash()).unwrap().next().is_none());
    }

    #[test]
    fn what_a_killed_beginner_left_is_cleared_and_what_is_being_made_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        let alive = Begun::new(&home, [1; 6]).unwrap();
        fs::create_dir_all(home.cases().join(".unfinished-dead/evidence")).unwrap();
        clear(&home).unwrap();
        assert_eq!(names(&home), [".trash", ".unfinished-010101010101"]);
        drop(alive);
        assert_eq!(names(&home), [".trash"]);
    }
}
