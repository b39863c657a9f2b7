//! Settings: every value within its bounds, and where it came from.

use std::fmt;
use std::path::{Path, PathBuf};

use super::limits::{Limit, Limits, TABLE};
use super::raw::Raw;
use super::serve::Serve;
use super::{Given, POLICY_DIR_NAME, PolicyName, find};
use crate::hint::Hint;
use crate::yaml::{self, Located, Place, Placed};

/// Everything that can be set, with its effective value.
#[derive(Debug)]
pub struct Settings {
    file: Option<PathBuf>,
    policy_dir: Option<PathBuf>,
    home: Option<Setting<PathBuf>>,
    policy: Setting<PolicyName>,
    deploys: Option<Setting<PathBuf>>,
    environment: Option<Setting<String>>,
    secrets: Secrets,
    serve: Serve,
    limits: Limits,
    limit_sources: [Source; TABLE.len()],
}

/// Where values are that must never be shown: each variable by its name, and files that
/// hold one a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    pub variables: Vec<Setting<String>>,
    pub files: Vec<Setting<PathBuf>>,
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub source: Source,
}

/// Who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Nobody did.
    Default,
    /// A line of a file.
    File { file: PathBuf, at: Place },
    /// A variable of the environment, by its name.
    Environment(&'static str),
    /// A flag of the command line, by its name.
    Flag(&'static str),
}

/// A path longer than this cannot be opened.
const PATH_BYTES_MAX: usize = 4096;

impl Settings {
    /// Finds the file that counts, if there is one, reads it and checks it.
    pub fn load(given: &Given) -> Result<Self, Located> {
        Self::of(find(given)?, given)
    }

    /// The settings of one file, or of none.
    pub fn of(file: Option<PathBuf>, given: &Given) -> Result<Self, Located> {
        match file {
            Some(file) => {
                let bytes = yaml::read(&file)?;
                Self::of_bytes(file, &bytes, given)
            }
            None => Self::of_raw(None, Raw::default(), given),
        }
    }

    /// The settings of a file that was read already.
    pub fn of_bytes(file: PathBuf, bytes: &[u8], given: &Given) -> Result<Self, Located> {
        let raw = yaml::parse(bytes, &file)?;
        Self::of_raw(Some(file), raw, given)
    }

    fn of_raw(file: Option<PathBuf>, raw: Raw, given: &Given) -> Result<Self, Located> {
        let beside = file.as_ref().map(|file| beside(file, given));
        let mut settings = Self {
            file,
            policy_dir: beside.as_ref().map(|beside| beside.join(POLICY_DIR_NAME)),
            home: given.default_home().map(|value| Setting { value, source: Source::Default }),
            policy: Setting { value: PolicyName::default(), source: Source::Default },
            deploys: None,
            environment: None,
            secrets: Secrets::default(),
            serve: Serve::default(),
            limits: Limits::default(),
            limit_sources: [const { Source::Default }; TABLE.len()],
        };
        if let Some((file, beside)) = settings.file.clone().zip(beside) {
            settings.take(raw, &file, &beside, given)?;
        }
        if let Some(home) = &given.casefile_home {
            let value = given.working_directory.join(home);
            settings.home = Some(Setting { value, source: Source::Environment("CASEFILE_HOME") });
        }
        Ok(settings)
    }

    /// The file that was read.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Where cases, mirrors, snapshots and the memory are kept.
    pub fn home(&self) -> Result<&Path, NoHome> {
        self.home_setting().map(|home| home.value.as_path()).ok_or(NoHome)
    }

    /// The same with its source, if there is such a place.
    pub fn home_setting(&self) -> Option<&Setting<PathBuf>> {
        self.home.as_ref()
    }

    /// The policy of a jail that no other is named for.
    pub fn policy(&self) -> &Setting<PolicyName> {
        &self.policy
    }

    /// Where the user's own policies lie: beside the file, if there is a file.
    pub fn policy_dir(&self) -> Option<&Path> {
        self.policy_dir.as_deref()
    }

    /// The file of deploy records.
    pub fn deploys(&self) -> Option<&Setting<PathBuf>> {
        self.deploys.as_ref()
    }

    /// Where deploys count, if nobody says otherwise.
    pub fn environment(&self) -> Option<&Setting<String>> {
        self.environment.as_ref()
    }

    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What `casefile serve` is to be.
    pub fn serve(&self) -> &Serve {
        &self.serve
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn limit_source(&self, limit: Limit) -> &Source {
        &self.limit_sources[limit as usize]
    }

    /// Lets the file have its say.
    fn take(&mut self, raw: Raw, file: &Path, beside: &Path, given: &Given) -> Result<(), Located> {
        let source = |at| Source::File { file: file.into(), at };
        if let Some(home) = raw.home {
            let value = path_of("home", "directory", &home, file, beside, given)?;
            self.home = Some(Setting { value, source: source(home.at) });
        }
        if let Some(policy) = raw.policy {
            let value = PolicyName::new(&policy.value)
                .map_err(|bad| Located::at(file, policy.at, &bad).maybe_hint(bad.hint()))?;
            self.policy = Setting { value, source: source(policy.at) };
        }
        if let Some(deploys) = raw.deploys {
            let value = path_of("deploys", "file", &deploys, file, beside, given)?;
            self.deploys = Some(Setting { value, source: source(deploys.at) });
        }
        if let Some(environment) = raw.environment {
            let value = environment.value;
            if value.trim().is_empty() || value.chars().any(char::is_control) {
                let why = "`environment` must be the name of one";
                return Err(Located::at(file, environment.at, why));
            }
            self.environment = Some(Setting { value, source: source(environment.at) });
        }
        let secrets = raw.secrets.unwrap_or_default();
        for name in secrets.variables.unwrap_or_default() {
            if name.value.is_empty() || name.value.contains(['=', '\0']) {
                let why = "`secrets.variables` holds names of variables";
                return Err(Located::at(file, name.at, why));
            }
            let source = source(name.at);
            self.secrets.variables.push(Setting { value: name.value, source });
        }
        for path in secrets.files.unwrap_or_default() {
            let value = path_of("secrets.files", "file", &path, file, beside, given)?;
            self.secrets.files.push(Setting { value, source: source(path.at) });
        }
        if let Some(serve) = raw.serve {
            self.serve = Serve::of(serve, file, beside, given)?;
        }
        for (key, value) in raw.limits.unwrap_or_default().0 {
            let limit = limit_of(&key, file)?;
            self.limits.set(limit, value.value).map_err(|out| Located::at(file, value.at, out))?;
            self.limit_sources[limit as usize] = source(value.at);
        }
        Ok(())
    }
}

/// Which limit a key names.
fn limit_of(key: &Placed<String>, file: &Path) -> Result<Limit, Located> {
    Limit::from_key(&key.value)
        .ok_or_else(|| yaml::unknown_key(key, TABLE.iter().map(|row| row.key), file))
}

/// The directory that a file's relative paths are taken from.
fn beside(file: &Path, given: &Given) -> PathBuf {
    let file = given.working_directory.join(file);
    file.parent().map_or_else(|| file.clone(), Path::to_path_buf)
}

pub(super) fn path_of(
    key: &str,
    what: &str,
    path: &Placed<String>,
    file: &Path,
    beside: &Path,
    given: &Given,
) -> Result<PathBuf, Located> {
    if path.value.is_empty() || path.value.len() > PATH_BYTES_MAX || path.value.contains('\0') {
        let why = format_args!("`{key}` must be the path of a {what}");
        return Err(Located::at(file, path.at, why));
    }
    given.expand(&path.value, beside).ok_or_else(|| {
        Located::at(file, path.at, "`~` stands for the home directory, and none is known")
            .hint("Write the path in full, or set HOME.")
    })
}

/// Nothing says where cases are kept.
#[derive(Debug, thiserror::Error)]
#[error("there is no place to keep cases")]
pub struct NoHome;

impl Hint for NoHome {
    fn hint(&self) -> Option<String> {
        Some("Set CASEFILE_HOME to a directory of your own.".into())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, at } => write!(f, "{}:{}", file.display(), at.line),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}
