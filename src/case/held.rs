//! A case that nobody else works in: the only way to change or remove one.

use std::path::PathBuf;

use super::{CaseError, CaseId, Home, Manifest, list};
use crate::disk::{self, DiskError, Holder, Lock, trash};

/// A case whose lock is held until this is dropped.
#[derive(Debug)]
pub struct Held {
    home: Home,
    id: CaseId,
    _lock: Lock,
}

impl Held {
    /// Takes the lock of a case, or says who has it. Does not wait.
    pub fn take(home: &Home, id: &CaseId, holder: &Holder) -> Result<Self, CaseError> {
        match Lock::take(&home.lock(id), holder) {
            Ok(lock) => Ok(Self { home: home.clone(), id: id.clone(), _lock: lock }),
            Err(DiskError::Held { holder, .. }) => Err(CaseError::InUse { id: id.clone(), holder }),
            Err(error) if error.is_missing() => Err(CaseError::gone(id)),
            Err(error) => Err(error.into()),
        }
    }

    pub fn id(&self) -> &CaseId {
        &self.id
    }

    /// Where the case is.
    pub fn dir(&self) -> PathBuf {
        self.home.case(&self.id)
    }

    pub fn manifest(&self) -> Result<Manifest, CaseError> {
        list::manifest(&self.home, &self.id)
    }

    /// Writes the manifest, all of it or nothing.
    pub fn write(&self, manifest: &Manifest) -> Result<(), CaseError> {
        let text = manifest.emit()?;
        Ok(disk::replace(&self.home.manifest(&self.id), text.as_bytes())?)
    }

    /// Removes the case for good. Killed at any moment, it leaves the case whole
    /// or gone.
    pub fn remove(self) -> Result<(), CaseError> {
        Ok(trash::remove(&self.home.trash(), &self.home.case(&self.id))?)
    }
}
