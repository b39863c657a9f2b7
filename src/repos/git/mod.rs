//! The `git` program, started for what only it can do: the network, with the
//! user's own credentials, and files of its own making such as a commit-graph.
//!
//! This is the one place that starts it, and only in directories of ours, which no
//! jail can write. It gets the user's environment, because that is where agents,
//! proxies and credential helpers are found, less what would point it at another
//! repository. It runs nobody's hooks, and asks nothing where nobody sits.
//!
//! `^C` is caught while git runs, so that what git had begun is cleared away before
//! this process ends as it was asked to.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use self::running::Running;
use self::signals::Signals;
pub(super) use self::signals::Undisturbed;
use super::{Progress, RepoError};

mod running;
mod said;
mod signals;

/// The user's git, as whoever looked around found it.
#[derive(Clone, Debug)]
pub struct Git {
    /// The program: `git`, to be found by the `PATH` below, or a path.
    pub program: OsString,
    /// The whole environment that it gets.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether somebody sits there who can be asked for a password.
    pub asks: bool,
    /// Whether signals that end this process are held back until git is ended and
    /// what it left is cleared.
    pub holds_signals: bool,
}

/// What git answered.
#[derive(Debug)]
pub(super) struct Answer {
    status: Option<ExitStatus>,
    pub(super) stdout: Vec<u8>,
    /// The last lines of its stderr, without the progress.
    said: Vec<String>,
    interrupted: bool,
}

/// Whose wish a fetch is: git lets the contents of a repository wish for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A person typed the URL.
    Users,
    /// A repository named it, as that of a submodule.
    Repositorys,
}

/// Variables that would make git work on another repository, or in another way.
const REMOVED: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
    "LANGUAGE",
];

/// Settings under which git does what it was asked to and nothing besides.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
    "transfer.unpackLimit=1",
    "fetch.unpackLimit=1",
];

impl Git {
    /// Runs git in a repository of ours to its end.
    pub(super) fn run(
        &self,
        git_dir: &Path,
        args: &[&OsStr],
        wish: Wish,
        progress: &dyn Progress,
        within: Option<Duration>,
    ) -> Result<Answer, RepoError> {
        self.run_with(git_dir, args, Stdio::null(), wish, progress, within)
    }

    /// The same, with something for it to read.
    pub(super) fn run_with(
        &self,
        git_dir: &Path,
        args: &[&OsStr],
        stdin: Stdio,
        wish: Wish,
        progress: &dyn Progress,
        within: Option<Duration>,
    ) -> Result<Answer, RepoError> {
        // Held before git is there, so that no signal falls between.
        let signals = Signals::hold(self.holds_signals).map_err(RepoError::Start)?;
        let mut command = self.command(git_dir, args, wish);
        let child = command.stdin(stdin).spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => RepoError::NoGit,
            _ => RepoError::Start(error),
        })?;
        let mut running =
            Running { child, signals, until: within.map(|for_| Instant::now() + for_) };
        running.watch(progress).map_err(RepoError::Start)
    }

    #[expect(clippy::disallowed_methods, reason = "the one program that is not for a jail")]
    fn command(&self, git_dir: &Path, args: &[&OsStr], wish: Wish) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear();
        let kept = self.environment.iter().filter(|(name, _)| !REMOVED.iter().any(|it| name == it));
        command.envs(kept.map(|(name, value)| (name, value)));
        // What it says is read, and the words of its progress.
        command.env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0").env("GIT_PAGER", "cat");
        if wish == Wish::Repositorys {
            command.env("GIT_PROTOCOL_FROM_USER", "0");
        }
        if !self.asks {
            command.env("GIT_TERMINAL_PROMPT", "0");
            let has = |wanted: &str| self.environment.iter().any(|(name, _)| name == wanted);
            if !has("SSH_ASKPASS") {
                // ssh asks on the terminal by itself, unless it is told whom to ask.
                command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
            }
        }
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        let mut dir = OsString::from("--git-dir=");
        dir.push(git_dir);
        command.arg(dir).args(args).current_dir(git_dir);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Answer {
    /// Whether it did what it was asked to.
    pub(super) fn is_good(&self) -> bool {
        !self.interrupted && self.status.is_some_and(|status| status.success())
    }

    /// The answer if it is good, else what git said, with `secret` left out.
    pub(super) fn good(self, act: &str, secret: &super::Source) -> Result<Self, RepoError> {
        if self.is_good() {
            return Ok(self);
        }
        if self.interrupted {
            return Err(RepoError::Interrupted { act: act.into() });
        }
        let mut said = self.said.join("; ");
        if said.is_empty() {
            said = self.status.map_or_else(|| "git took too long".into(), |it| it.to_string());
        }
        Err(RepoError::Git { act: act.into(), said: secret.without_secrets(&said).into() })
    }
}
