//! The store: what cases share, and the lock that keeps it from being cleared
//! under their feet.
//!
//! ```text
//! HOME/store/lock                              shared by who uses it, alone for who clears it
//! HOME/store/mirrors/<repo>.git/               objects, fetched once
//! HOME/store/snapshots/<repo>/<tree id>/       immutable trees
//! HOME/store/wirings/<repo>/<key>/             immutable layers with a `.git`
//! HOME/store/layers/<layer id>/                what cases had changed when they were forked
//! HOME/store/.trash/                           what is being removed
//! ```

use std::path::{Path, PathBuf};

use crate::case::{Home, RepoName};
use crate::disk::{self, DiskError, Holder, Lock, SharedLock};

/// The directory of what cases share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store(PathBuf);

/// The store, which nobody clears while this is held.
#[derive(Debug)]
pub struct Shared {
    pub store: Store,
    _lock: SharedLock,
}

/// The store, which nobody else uses while this is held.
#[derive(Debug)]
pub struct Alone {
    pub store: Store,
    _lock: Lock,
}

impl Store {
    pub fn of(home: &Home) -> Self {
        Self(home.path().join("store"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn mirrors(&self) -> PathBuf {
        self.0.join("mirrors")
    }

    /// The bare repository that is called so.
    pub fn mirror(&self, name: &RepoName) -> PathBuf {
        self.mirrors().join(format!("{name}.git"))
    }

    pub fn snapshots(&self, name: &RepoName) -> PathBuf {
        self.0.join("snapshots").join(name.as_str())
    }

    pub fn wirings(&self, name: &RepoName) -> PathBuf {
        self.0.join("wirings").join(name.as_str())
    }

    pub fn layers(&self) -> PathBuf {
        self.0.join("layers")
    }

    pub fn trash(&self) -> PathBuf {
        self.0.join(".trash")
    }

    /// Keeps what is in the store there. Waits for one who clears it, which takes
    /// moments: what is removed is only moved aside meanwhile.
    pub fn share(&self) -> Result<Shared, DiskError> {
        disk::directory(&self.0)?;
        let lock = SharedLock::wait(&self.lock())?;
        Ok(Shared { store: self.clone(), _lock: lock })
    }

    /// Takes the store for oneself, if need be when the others are done with it. Who
    /// that is, is told once before the wait, if it is known.
    pub fn alone(
        &self,
        holder: &Holder,
        tell: impl FnOnce(Option<&Holder>),
    ) -> Result<Alone, DiskError> {
        disk::directory(&self.0)?;
        let lock = Lock::wait(&self.lock(), holder, tell)?;
        Ok(Alone { store: self.clone(), _lock: lock })
    }

    /// Takes the store for oneself, if nobody else uses it now.
    pub fn alone_now(&self, holder: &Holder) -> Result<Option<Alone>, DiskError> {
        match Lock::take(&self.lock(), holder) {
            Ok(lock) => Ok(Some(Alone { store: self.clone(), _lock: lock })),
            Err(DiskError::Held { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }
}
