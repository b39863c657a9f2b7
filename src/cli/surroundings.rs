//! What this process sees around it: directories and variables.
//!
//! The only place that looks. A command asks for it when it needs it, so that
//! `casefile --version` reads nothing.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::case::Home;
use crate::cli::report::Failure;
use crate::config::{Given, Settings, Trust, find};
use crate::disk::Holder;
use crate::hint::Hint;
use crate::jail::policy::Library;
use crate::repos::Git;

/// Where a command was started, and by whom.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) given: Given,
}

/// The working directory cannot be named.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell the working directory")]
pub(crate) struct NoWorkingDirectory(#[source] io::Error);

impl Hint for NoWorkingDirectory {
    fn hint(&self) -> Option<String> {
        Some("Change to a directory that exists and that you may enter.".into())
    }
}

/// The kernel gives no randomness.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `/dev/urandom`")]
struct NoRandomness(#[source] io::Error);

impl Hint for NoRandomness {}

impl Surroundings {
    /// Looks around. `file` is what `--config` named.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn look(file: Option<PathBuf>) -> Result<Self, Failure> {
        let working_directory =
            env::current_dir().map_err(|error| Failure::user(NoWorkingDirectory(error)))?;
        let given = Given {
            working_directory,
            home: directory("HOME").filter(|home| home.is_absolute()),
            config_home: directory("XDG_CONFIG_HOME"),
            state_home: directory("XDG_STATE_HOME"),
            casefile_home: directory("CASEFILE_HOME"),
            file,
        };
        Ok(Self { given })
    }

    /// Where the cases are kept.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        let settings = self.settings()?;
        settings.home().map(Home::new).map_err(Failure::user)
    }

    /// This process, as the holder of a lock.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn holder(&self, command: &str) -> Holder {
        Holder { pid: std::process::id(), command: command.into(), since: Timestamp::now() }
    }

    /// Bytes that nobody can guess, for names.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes))
            .map_err(|error| Failure::user(NoRandomness(error)))?;
        Ok(bytes)
    }

    /// The settings and policies that hold here, for one who builds a jail from them:
    /// a file that was merely found has to be trusted, and counts as it was then.
    pub(crate) fn trusted(&self) -> Result<(Settings, Library), Failure> {
        let Some(file) = find(&self.given).map_err(Failure::user)? else {
            let settings = Settings::of(None, &self.given).map_err(Failure::user)?;
            return Ok((settings, Library::new(None)));
        };
        let said = Trust::new(&self.given).read(&file).map_err(Failure::user)?;
        let settings = Settings::of_bytes(said.file, &said.bytes, &self.given);
        let settings = settings.map_err(Failure::user)?;
        let library = match settings.policy_dir() {
            Some(dir) => Library::of(dir, said.policies),
            None => Library::new(None),
        };
        Ok((settings, library))
    }

    /// A variable of the caller's, for a jail whose policy passes it on.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        env::var_os(name)
    }

    /// The names of all of them.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn variables(&self) -> impl Iterator<Item = String> {
        env::vars_os().filter_map(|(name, _)| name.into_string().ok())
    }

    /// Where files go that are gone when the command is.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn temporary_directory(&self) -> PathBuf {
        env::temp_dir()
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        Self::clock()
    }

    /// The same, for one who has no surroundings.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn clock() -> Timestamp {
        Timestamp::now()
    }

    /// The time zone of whoever types.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn zone(&self) -> TimeZone {
        TimeZone::system()
    }

    /// The user's git, with all that it knows of credentials and proxies.
    #[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
    pub(crate) fn git(&self) -> Git {
        Git {
            program: "git".into(),
            environment: env::vars_os().collect(),
            asks: io::stdin().is_terminal() && io::stderr().is_terminal(),
            holds_signals: true,
        }
    }

    /// The settings that hold here.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::load(&self.given).map_err(Failure::user)
    }
}

/// A variable that is set to nothing is not set.
#[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
fn directory(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
