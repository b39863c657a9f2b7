//! Which found files may weaken a jail: those that their user has looked at.
//!
//! A `casefile.yaml` is found in whatever directory a command is started in, and
//! with the policies beside it it can show a jail anything. A repository that was
//! just cloned may bring one, and so may an agent that can write where the next
//! command is started. Before a jail is built from a found file, its user has to
//! have said so, and of these very bytes: the record holds a digest of the file
//! and of every policy beside it.
//!
//! A file that was named with `--config`, and the user's own in the configuration
//! directory, need no saying.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Given, POLICY_DIR_NAME};
use crate::disk::{DiskError, Holder, Lock, replace};
use crate::hint::Hint;
use crate::yaml::{self, Located};

/// The record's name, and its lock's, in the directory where casefile keeps its own.
const RECORD: &str = "trusted";
const LOCK: &str = "trusted.lock";
/// So many policies may lie beside one file.
const POLICIES_MAX: usize = 256;

/// The files that this user trusts.
#[derive(Debug)]
pub struct Trust {
    /// Not the `home` of a file: that would be for the file itself to say.
    home: Option<PathBuf>,
    own: Option<PathBuf>,
    named: bool,
}

/// A found file cannot be relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Untrusted {
    #[error("`{}` is not trusted: it, or a policy beside it, is new or has changed", .0.display())]
    Unknown(PathBuf),
    #[error("`{}` lies beside more than {POLICIES_MAX} policies", .0.display())]
    Crowded(PathBuf),
    #[error("there is no place to keep what is trusted")]
    NoHome,
    #[error("cannot list `{}`", dir.display())]
    Unlisted { dir: PathBuf, source: io::Error },
    #[error(transparent)]
    Unread(#[from] Located),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for Untrusted {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(_) => Some(
                "Read it and the policies in `sandbox-policy/` beside it, then run `casefile \
                 config trust`."
                    .into(),
            ),
            Self::Crowded(_) => Some("Name the file with `--config`.".into()),
            Self::NoHome => Some("Set CASEFILE_HOME to a directory of your own.".into()),
            Self::Unlisted { .. } => Some("Make the directory readable to you.".into()),
            Self::Unread(error) => error.hint(),
            Self::Disk(error) => error.hint(),
        }
    }
}

impl Trust {
    pub fn new(given: &Given) -> Self {
        let casefile_home = given.casefile_home.as_ref();
        Self {
            home: casefile_home
                .map(|home| given.working_directory.join(home))
                .or_else(|| given.default_home()),
            own: given.own_directory(),
            named: given.file.is_some(),
        }
    }

    /// What this file and the policies beside it say, if a jail may be built from
    /// that. The caller goes on with these bytes: what is on the disk may be
    /// something else by now.
    pub fn read(&self, file: &Path) -> Result<Said, Untrusted> {
        let said = Said::read(file)?;
        if self.named || file.parent().is_some_and(|dir| Some(dir) == self.own.as_deref()) {
            return Ok(said);
        }
        let line = said.line();
        match self.record().lines().any(|known| known == line) {
            true => Ok(said),
            false => Err(Untrusted::Unknown(file.into())),
        }
    }

    /// Takes this file, as it is now, for good.
    pub fn grant(&self, file: &Path, holder: &Holder) -> Result<(), Untrusted> {
        let home = self.home.as_ref().ok_or(Untrusted::NoHome)?;
        make(home)?;
        let _lock = Lock::take(&home.join(LOCK), holder)?;
        let line = Said::read(file)?.line();
        // One line a file: what it said before is no longer trusted.
        let path = line.split_once(' ').map_or("", |(_, path)| path);
        let mut record: String = self
            .record()
            .lines()
            .filter(|known| known.split_once(' ').is_none_or(|(_, known)| known != path))
            .flat_map(|known| [known, "\n"])
            .collect();
        record.push_str(&line);
        record.push('\n');
        Ok(replace(&home.join(RECORD), record.as_bytes())?)
    }

    /// What is written down; nothing, if it cannot be read.
    #[expect(clippy::disallowed_methods, reason = "casefile's own record, beside the cases")]
    fn record(&self) -> String {
        let read = |home: &PathBuf| fs::read_to_string(home.join(RECORD));
        self.home.as_ref().and_then(|home| read(home).ok()).unwrap_or_default()
    }
}

/// A file and the policies beside it, read once.
#[derive(Debug)]
pub struct Said {
    pub file: PathBuf,
    pub bytes: Vec<u8>,
    /// By path, in a fixed order.
    pub policies: BTreeMap<PathBuf, Vec<u8>>,
}

impl Said {
    fn read(file: &Path) -> Result<Self, Untrusted> {
        let read = |path: PathBuf| -> Result<_, Untrusted> {
            let bytes = yaml::read(&path)?;
            Ok((path, bytes))
        };
        let bytes = yaml::read(file)?;
        let policies = policies(file)?.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { file: file.into(), bytes, policies })
    }

    /// How this stands in the record: the digest of all it says, and its path.
    fn line(&self) -> String {
        let mut digest = Sha256::new();
        for (path, bytes) in [(&self.file, &self.bytes)].into_iter().chain(&self.policies) {
            digest.update(path.file_name().unwrap_or_default().as_encoded_bytes());
            // The length keeps one file's end from being taken for another's start.
            digest.update([0]);
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        }
        let file = self.file.as_os_str().as_encoded_bytes().escape_ascii();
        format!("{} {file}", base16ct::lower::encode_string(&digest.finalize()))
    }
}

/// The policies beside a file, in a fixed order.
#[expect(clippy::disallowed_methods, reason = "lists names; what they hold is read with care")]
fn policies(file: &Path) -> Result<Vec<PathBuf>, Untrusted> {
    let dir = file.with_file_name(POLICY_DIR_NAME);
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| Untrusted::Unlisted { dir: dir.clone(), source })?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| Untrusted::Unlisted { dir: dir.clone(), source })?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
        if POLICIES_MAX < found.len() {
            return Err(Untrusted::Crowded(file.into()));
        }
    }
    found.sort();
    Ok(found)
}

#[expect(clippy::disallowed_methods, reason = "the directory of casefile's own")]
fn make(home: &Path) -> Result<(), DiskError> {
    fs::create_dir_all(home).map_err(DiskError::io("make", home))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_trusted_as_it_was_when_that_was_said() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("work/sandbox-policy")).unwrap();
        let file = at("work/casefile.yaml");
        let given = Given {
            working_directory: at("work"),
            casefile_home: Some(at("state")),
            config_home: Some(at("config")),
            ..Given::default()
        };
        let trust = Trust::new(&given);
        let holder = Holder {
            pid: std::process::id(),
            command: "test".into(),
            since: jiff::Timestamp::UNIX_EPOCH,
        };
        let trusted = || trust.read(&file).is_ok();
        // Each of these changes what a jail could be, and none goes unseen.
        for (name, text) in [
            ("work/casefile.yaml", "policy: offline"),
            ("work/casefile.yaml", "policy: open-network"),
            ("work/sandbox-policy/mine.yaml", "name: mine"),
            ("work/sandbox-policy/mine.yaml", "name: mine\n"),
            ("work/sandbox-policy/offline.yaml", ""),
        ] {
            fs::write(at(name), text).unwrap();
            assert!(!trusted(), "{name} became {text:?}");
            trust.grant(&file, &holder).unwrap();
            assert!(trusted(), "{name}");
        }
        fs::remove_file(at("work/sandbox-policy/offline.yaml")).unwrap();
        assert!(!trusted(), "a policy is gone");
        // What it was before is not trusted again by itself.
        fs::write(at("work/sandbox-policy/offline.yaml"), "").unwrap();
        assert!(trusted(), "the last state that was trusted");
        fs::rename(at("work"), at("elsewhere")).unwrap();
        assert!(trust.read(&at("elsewhere/casefile.yaml")).is_err(), "the place counts too");

        fs::create_dir_all(at("config/casefile")).unwrap();
        for name in ["config/casefile/casefile.yaml", "config/casefile.yaml"] {
            fs::write(at(name), "").unwrap();
        }
        let named = Given { file: Some("x".into()), ..given.clone() };
        assert!(Trust::new(&named).read(&at("elsewhere/casefile.yaml")).is_ok());
        assert!(trust.read(&at("config/casefile/casefile.yaml")).is_ok(), "the user's own");
        assert!(trust.read(&at("config/casefile.yaml")).is_err(), "not the user's own");
    }
}
