//! What is wrong with a mirror, found without reading all of it.
//!
//! A pack carries its own digest at its end, and its index the same one. That they
//! agree, and that every ref leads to a commit whose tree is there, is looked at in
//! moments; `git fsck` reads every object and takes as long as that takes.

#![expect(clippy::disallowed_methods, reason = "the host's own store, and what it borrows from")]

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use git2::ObjectType;

use super::{Mirror, RepoError};
use crate::hint::Hint;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It, or what it borrows from, cannot be opened.
    Unreadable { why: String, way_out: Option<String> },
    /// A pack or its index is cut short, or not of the other.
    Pack { path: PathBuf },
    /// A ref leads to what is not there.
    Ref { name: String },
}

/// After so many, the rest says nothing new.
const FAULTS_MAX: usize = 20;

impl Mirror {
    /// What is wrong with it; nothing, if all is well.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Err(error) = self.look(&mut faults) {
            let mut why = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                why.push_str(&format!(": {source}"));
            }
            faults.push(Fault::Unreadable { why, way_out: error.hint() });
        }
        faults.truncate(FAULTS_MAX);
        faults
    }

    fn look(&self, faults: &mut Vec<Fault>) -> Result<(), RepoError> {
        for objects in self.objects()? {
            let Ok(entries) = std::fs::read_dir(objects.join("pack")) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                if path.extension().is_some_and(|it| it == "idx") && !agrees(&path) {
                    faults.push(Fault::Pack { path });
                }
            }
        }
        let repo = self.repository()?;
        let failed = || RepoError::read(&self.name, "the refs");
        for reference in repo.references().map_err(failed())? {
            let reference = reference.map_err(failed())?;
            let leads =
                reference.peel(ObjectType::Any).is_ok_and(|object| match object.as_commit() {
                    Some(commit) => commit.tree().is_ok(),
                    None => true,
                });
            if !leads {
                let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
                faults.push(Fault::Ref { name });
            }
        }
        Ok(())
    }
}

/// Whether an index and its pack are whole, as far as their ends tell.
fn agrees(index: &Path) -> bool {
    const DIGEST: usize = 20;
    let end = |path: &Path, back: u64| -> Option<[u8; DIGEST]> {
        let file = File::open(path).ok()?;
        let mut digest = [0; DIGEST];
        let at = file.metadata().ok()?.len().checked_sub(back)?;
        file.read_exact_at(&mut digest, at).ok()?;
        Some(digest)
    };
    let said = end(index, 2 * DIGEST as u64);
    let is = end(&index.with_extension("pack"), DIGEST as u64);
    said.is_some() && said == is
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { why, .. } => f.write_str(why),
            Self::Pack { path } => {
                write!(f, "the pack of `{}` is missing, cut short or another's", path.display())
            }
            Self::Ref { name } => write!(f, "`{name}` leads to what is not there"),
        }
    }
}
