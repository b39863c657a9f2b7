//! A mirror: a bare repository of ours that every case shares.
//!
//! ```text
//! HOME/store/mirrors/<repo>.git/      HEAD packed-refs objects/ about.yaml (shallow)
//! HOME/store/mirrors/.incoming/<repo>/<random>/   a fetch that is under way, or was
//! HOME/store/mirrors/.locks/<repo>    held by whoever fetches it
//! ```
//!
//! **Objects only come.** A fetch brings packs beside the mirror and moves them in;
//! nothing is ever repacked or removed, since a case may be reading it.
//!
//! **Refs change in one step**, after the objects that they lead to are there. So a
//! fetch that is killed, whenever it is, has either happened or not.
//!
//! **Nothing of another's is written.** A checkout on this machine lends its objects
//! by their place alone.

mod about;
mod add;
pub(super) mod bare;
mod check;
pub(super) mod checkout;
mod fetch;
mod missing;
mod seen;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::Repository;

pub use about::{About, Origin, Submodule};
pub use add::New;
pub use check::Fault;
pub use fetch::sweep;
pub use missing::Missing;
pub use seen::{Seen, Until};

use super::{RepoError, Shared, Store};
use crate::case::{CommitId, RepoName};
use crate::disk::{self, DiskError, Holder, Lock};
use crate::hint::nearest;

/// A bare repository of ours.
#[derive(Clone, Debug)]
pub struct Mirror {
    pub name: RepoName,
    pub path: PathBuf,
    pub about: About,
}

/// A mirror of the store, or why it cannot be opened.
#[derive(Debug)]
pub struct Known {
    pub name: RepoName,
    pub mirror: Result<Mirror, RepoError>,
}

/// As deep as git follows repositories that borrow from others.
const BORROWED_DEPTH_MAX: usize = 5;

/// More than any history that ends early has ends.
const SHALLOW_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Mirror {
    /// The mirror that is called so.
    pub fn open(store: &Store, name: &RepoName) -> Result<Self, RepoError> {
        let path = store.mirror(name);
        match About::read(&path) {
            Ok(about) => Ok(Self { name: name.clone(), path, about }),
            Err(_) if !stands(&path) => Err(RepoError::NoSuch {
                given: name.to_string(),
                nearest: names(store).ok().and_then(|names| {
                    nearest(name.as_str(), names.iter().map(RepoName::as_str)).map(Into::into)
                }),
            }),
            Err(error) => Err(error),
        }
    }

    /// Every mirror, by name, also those that cannot be opened.
    pub fn list(store: &Store) -> Result<Vec<Known>, RepoError> {
        let known = |name: RepoName| Known { mirror: Self::open(store, &name), name };
        Ok(names(store)?.into_iter().map(known).collect())
    }

    /// Takes a mirror away, when nobody is fetching it. Its objects go with it, save
    /// those that were never here.
    #[expect(clippy::disallowed_methods, reason = "the host's own store")]
    pub fn remove(self, store: &Shared, holder: &Holder) -> Result<(), RepoError> {
        let store = &store.store;
        let _lock = lock(store, &self.name, holder, |_| {})?;
        let trash = store.trash();
        disk::directory(&trash)?;
        let gone = tempfile::Builder::new()
            .prefix(&format!("{}.", self.name))
            .tempdir_in(&trash)
            .map_err(DiskError::io("create", &trash))?;
        std::fs::rename(&self.path, gone.path().join("mirror"))
            .map_err(DiskError::io("remove", &self.path))?;
        let path = gone.path().to_path_buf();
        Ok(gone.close().map_err(DiskError::io("remove", &path))?)
    }

    /// Every directory that its objects are in: its own, and all that it borrows from.
    #[expect(clippy::disallowed_methods, reason = "the host's own store, and what it borrows from")]
    pub fn objects(&self) -> Result<Vec<PathBuf>, RepoError> {
        let mut found = vec![(self.path.join("objects"), 0)];
        let mut at = 0;
        while let Some((dir, depth)) = found.get(at).cloned() {
            at += 1;
            if !dir.is_dir() {
                return Err(RepoError::Gone { name: self.name.clone(), path: dir });
            }
            let alternates = dir.join("info/alternates");
            let lines = match std::fs::read(&alternates) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                lines => lines.map_err(DiskError::io("read", &alternates))?,
            };
            for line in lines.split(|byte| *byte == b'\n') {
                let borrowed = dir.join(OsStr::from_bytes(line));
                let is_new = found.iter().all(|(known, _)| *known != borrowed);
                let is_path = line.first().is_some_and(|first| *first != b'#');
                if is_path && is_new && depth < BORROWED_DEPTH_MAX {
                    found.push((borrowed, depth + 1));
                }
            }
        }
        Ok(found.into_iter().map(|(dir, _)| dir).collect())
    }

    /// The file that says where a shallow history ends, if it is one.
    pub fn shallow(&self) -> Option<PathBuf> {
        Some(self.path.join("shallow")).filter(|path| stands(path))
    }

    /// The commits whose parents are not there.
    pub fn shallow_at(&self) -> Result<Vec<CommitId>, RepoError> {
        let Some(path) = self.shallow() else { return Ok(Vec::new()) };
        let text = disk::read_small(&path, SHALLOW_BYTES_MAX)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter_map(|line| CommitId::parse(line).ok()).collect())
    }

    /// What deploy records call it.
    pub fn service(&self) -> &str {
        self.about.service.as_deref().unwrap_or(self.name.as_str())
    }

    /// The branch that counts if none is named; nothing if its origin is on none.
    pub fn branch(&self) -> Result<Option<String>, RepoError> {
        if let Some(branch) = &self.about.branch {
            return Ok(Some(branch.clone()));
        }
        let repo = self.repository()?;
        let head = repo.find_reference("HEAD").map_err(RepoError::read(&self.name, "HEAD"))?;
        let target = head.symbolic_target().map_err(RepoError::read(&self.name, "HEAD"))?;
        Ok(target.map(|name| name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()))
    }

    /// The repository as libgit2 has it. It reads the objects of all that is borrowed.
    pub(in super::super) fn repository(&self) -> Result<Repository, RepoError> {
        if let Origin::Checkout = self.about.origin {
            // libgit2 would say that commits are missing, and not why.
            self.objects()?;
        }
        Repository::open_bare(&self.path).map_err(RepoError::read(&self.name, "the mirror"))
    }
}

/// Keeps others from fetching this one meanwhile.
pub(super) fn lock(
    store: &Store,
    name: &RepoName,
    holder: &Holder,
    tell: impl FnOnce(Option<&Holder>),
) -> Result<Lock, RepoError> {
    let locks = store.mirrors().join(".locks");
    disk::directory(&locks)?;
    Ok(Lock::wait(&locks.join(name.as_str()), holder, tell)?)
}

/// The names of all mirrors, in order.
#[expect(clippy::disallowed_methods, reason = "the host's own store")]
fn names(store: &Store) -> Result<Vec<RepoName>, RepoError> {
    let dir = store.mirrors();
    let entries = match std::fs::read_dir(&dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(DiskError::io("list", &dir))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(DiskError::io("list", &dir))?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(".git"));
        if let Some(Ok(name)) = name.map(RepoName::parse) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[expect(clippy::disallowed_methods, reason = "looks at a name in the host's own store")]
fn stands(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
