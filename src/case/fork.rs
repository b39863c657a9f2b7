//! Forking: the layer that a case writes into becomes a thing of the past, on which
//! two cases lie from then on.
//!
//! Nothing is copied. The layer is moved to where frozen layers are, the case is
//! given a new one, and only then can another case lie on the old one too. A kill
//! after the first step leaves a case whose layer is not where it should be, and
//! [`Held::settle`] moves it back.

#![expect(clippy::disallowed_methods, reason = "directories that are moved whole, never entered")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{CaseError, Held, LayerId, Manifest};
use crate::disk::{self, DiskError, trash};

/// What a case can lie on. The kernel lays no more than some eighty trees over each
/// other when their names fit into one option, and a few of those are the store's.
pub(super) const LAYERS_MAX: usize = 64;

impl Held {
    /// The directory of the layer that the case writes into. It is made when it is
    /// first needed.
    pub fn layer(&self, manifest: &Manifest) -> PathBuf {
        self.dir().join("layers").join(manifest.layer.to_string())
    }

    /// Puts right what a fork left that was killed. `frozen` is where frozen layers
    /// are.
    pub fn settle(&self, frozen: &Path) -> Result<Manifest, CaseError> {
        let manifest = self.manifest()?;
        let moved = frozen.join(self.current(&manifest).to_string());
        let layer = self.layer(&manifest);
        match fs::rename(&moved, &layer) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            outcome => outcome.map_err(DiskError::io("move", &moved))?,
        }
        Ok(manifest)
    }

    /// Freezes the layer that the case writes into, and gives it a new one.
    pub fn freeze(&self, frozen: &Path) -> Result<Manifest, CaseError> {
        let mut manifest = self.settle(frozen)?;
        let layer = self.layer(&manifest);
        let current = self.current(&manifest);
        let to = frozen.join(current.to_string());
        if LAYERS_MAX <= manifest.below.len() && disk::stands(&layer) {
            return Err(CaseError::Deep { id: self.id().clone() });
        }
        disk::directory(frozen)?;
        match fs::rename(&layer, &to) {
            // Nothing was written since the last fork.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(manifest),
            outcome => outcome.map_err(DiskError::io("move", &layer))?,
        }
        trash::sync(frozen)?;
        manifest.below.insert(0, current);
        manifest.layer += 1;
        self.write(&manifest)?;
        Ok(manifest)
    }

    fn current(&self, manifest: &Manifest) -> LayerId {
        LayerId::new(self.id().clone(), manifest.layer)
    }
}

/// Which frozen layers these manifests need: what they lie on, and what a fork that
/// was killed has left there of the one they write into.
pub fn needed_layers<'a>(
    cases: impl Iterator<Item = (&'a super::CaseId, &'a Manifest)>,
) -> std::collections::BTreeSet<LayerId> {
    cases
        .flat_map(|(id, manifest)| {
            let current = LayerId::new(id.clone(), manifest.layer);
            manifest.below.iter().cloned().chain([current])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::case::{Begun, CaseId, Held, Home, Manifest, Opener, Origin};
    use crate::config::PolicyName;
    use crate::disk::Holder;

    fn held(home: &Home) -> Held {
        let opened = "2026-03-01T03:12:00Z".parse().unwrap();
        let origin = Origin { by: Opener::Person, opened };
        let manifest = Manifest::new("x", origin, PolicyName::default()).unwrap();
        let id = CaseId::new("x", [1; 6]);
        Begun::new(home, [1; 6]).unwrap().finish(&id, &manifest).unwrap();
        let holder = Holder { pid: std::process::id(), command: "test".into(), since: opened };
        Held::take(home, &id, &holder).unwrap()
    }

    #[test]
    fn a_layer_is_frozen_once_and_a_kill_in_between_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        let frozen = dir.path().join("store/layers");
        let held = held(&home);
        // There is nothing to freeze yet.
        let manifest = held.freeze(&frozen).unwrap();
        assert_eq!((manifest.layer, manifest.below.len()), (0, 0));
        fs::create_dir_all(held.layer(&manifest).join("notes/upper")).unwrap();
        fs::write(held.layer(&manifest).join("notes/upper/a"), "first").unwrap();
        let manifest = held.freeze(&frozen).unwrap();
        let name = format!("{}.0", held.id());
        assert_eq!((manifest.layer, manifest.below[0].to_string()), (1, name.clone()));
        assert_eq!(held.manifest().unwrap(), manifest);
        assert_eq!(fs::read(frozen.join(&name).join("notes/upper/a")).unwrap(), b"first");
        assert!(!held.layer(&manifest).exists());
        // Killed after the move and before the manifest.
        fs::create_dir_all(held.layer(&manifest).join("notes")).unwrap();
        fs::rename(held.layer(&manifest), frozen.join(format!("{}.1", held.id()))).unwrap();
        assert_eq!(held.settle(&frozen).unwrap(), manifest);
        assert!(held.layer(&manifest).join("notes").is_dir());
        assert!(!frozen.join(format!("{}.1", held.id())).exists());
        // What is frozen for good stays where it is.
        assert_eq!(held.settle(&frozen).unwrap(), manifest);
        assert!(frozen.join(&name).is_dir());
    }
}
