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
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::{Progress, RepoError};

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

/// As much of git's stderr as is kept, and of its stdout.
const SAID_LINES_MAX: usize = 12;
const LINE_BYTES_MAX: usize = 2_000;
const STDOUT_BYTES_MAX: usize = 16 * 1024 * 1024;

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

/// git, while it runs.
struct Running {
    child: Child,
    signals: Option<Signals>,
    until: Option<Instant>,
}

impl Running {
    fn watch(&mut self, progress: &dyn Progress) -> io::Result<Answer> {
        let mut out = self.child.stdout.take();
        let mut err = self.child.stderr.take();
        let mut answer =
            Answer { status: None, stdout: Vec::new(), said: Vec::new(), interrupted: false };
        let mut lines = Lines::default();
        while out.is_some() || err.is_some() {
            let [out_ready, err_ready, stop] = self.wait(out.as_ref(), err.as_ref())?;
            if stop {
                answer.interrupted = self.signals.as_ref().is_some_and(Signals::came);
                // It also puts down its temporary files then, if it still can.
                self.end()?;
                return Ok(answer);
            }
            let mut bytes = [0; 16 * 1024];
            if out_ready && let Some(from) = &mut out {
                match from.read(&mut bytes)? {
                    0 => out = None,
                    some if answer.stdout.len() < STDOUT_BYTES_MAX => {
                        answer.stdout.extend_from_slice(&bytes[..some]);
                    }
                    _ => {}
                }
            }
            if err_ready && let Some(from) = &mut err {
                match from.read(&mut bytes)? {
                    0 => err = None,
                    some => lines.take(&bytes[..some], &mut answer.said, progress),
                }
            }
        }
        lines.finish(&mut answer.said, progress);
        let status = self.child.wait()?;
        answer.status = Some(status);
        // A ^C on the terminal reaches git too, and may reach it first.
        answer.interrupted = self.signals.as_ref().is_some_and(Signals::came);
        Ok(answer)
    }

    /// Waits for one of the two, or for the end that is wished for.
    fn wait(&self, out: Option<&impl AsFd>, err: Option<&impl AsFd>) -> io::Result<[bool; 3]> {
        let mut fds = Vec::with_capacity(3);
        for fd in [out.map(AsFd::as_fd), err.map(AsFd::as_fd)].into_iter().flatten() {
            fds.push(PollFd::new(fd, PollFlags::POLLIN));
        }
        if let Some(signals) = &self.signals {
            fds.push(PollFd::new(signals.fd.as_fd(), PollFlags::POLLIN));
        }
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let out = out.is_some() && ready.next().unwrap_or(false);
        let err = err.is_some() && ready.next().unwrap_or(false);
        let signal = ready.next().unwrap_or(false);
        let late = self.until.is_some_and(|until| until <= Instant::now());
        Ok([out, err, signal || late])
    }

    /// Asks it to end, and ends it if it does not.
    fn end(&mut self) -> io::Result<()> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX));
        let _ = nix::sys::signal::kill(pid, Signal::SIGTERM);
        let until = Instant::now() + END_WITHIN;
        while self.child.try_wait()?.is_none() {
            if until <= Instant::now() {
                self.child.kill()?;
                self.child.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.end();
        }
    }
}

/// How long git has to put down what it holds.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Signals that end a process, held back for this thread until this is dropped.
struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    fn hold(wanted: bool) -> io::Result<Option<Self>> {
        if !wanted {
            return Ok(None);
        }
        let these: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        let before = these.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
        let fd = SignalFd::with_flags(&these, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Some(Self { fd, before }))
    }

    /// Whether one has come. It is not taken: it ends this process in its own way
    /// as soon as it is let through.
    fn came(&self) -> bool {
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| 0 < ready)
    }
}

/// A hold on signals over several steps: they come through when it is dropped.
pub(super) struct Undisturbed(Option<Signals>);

impl Undisturbed {
    pub(super) fn hold(git: &Git) -> Self {
        Self(Signals::hold(git.holds_signals).ok().flatten())
    }
}

impl std::fmt::Debug for Undisturbed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Undisturbed").field(&self.0.is_some()).finish()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// git's stderr, cut into lines: progress is told, the rest is kept.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    what: String,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], said: &mut Vec<String>, progress: &dyn Progress) {
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => self.finish(said, progress),
                _ if self.line.len() < LINE_BYTES_MAX => self.line.push(*byte),
                _ => {}
            }
        }
    }

    fn finish(&mut self, said: &mut Vec<String>, progress: &dyn Progress) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
        if line.is_empty() {
            return;
        }
        if let Some(step) = Step::of(&line) {
            if step.what != self.what {
                self.what = step.what.into();
                progress.begin(step.what, step.total);
            }
            progress.at(step.done);
            return;
        }
        // What went before the last words is of no use to anybody.
        let tells = ["fatal:", "error:", "remote:", "ssh:", "warning:"];
        if tells.iter().any(|begin| line.starts_with(begin)) || line.contains("denied") {
            if said.len() == SAID_LINES_MAX {
                said.remove(0);
            }
            said.push(line);
        }
    }
}

/// A line of git's progress: `Receiving objects:  12% (3/25), 1 KiB`.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    what: &'a str,
    done: u64,
    total: Option<u64>,
}

impl<'a> Step<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.strip_prefix("remote:").unwrap_or(line).trim_start();
        let (what, rest) = line.split_once(": ")?;
        let rest = rest.trim_start();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at(digits);
        if let Some(counts) = rest.strip_prefix("% (") {
            let (done, total) = counts.split_once(')')?.0.split_once('/')?;
            return Some(Self { what, done: done.parse().ok()?, total: total.parse().ok() });
        }
        // `Enumerating objects: 25, done.` has no total.
        let counts = rest.is_empty() || rest.starts_with(',');
        (what.contains("objects") && counts)
            .then(|| Some(Self { what, done: number.parse().ok()?, total: None }))?
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn progress_is_told_from_what_git_has_to_say() {
        #[rustfmt::skip]
        let table = [
            ("Receiving objects:  12% (3/25), 1.2 KiB | 3 MiB/s", Some(("Receiving objects", 3, Some(25)))),
            ("remote: Counting objects: 100% (9/9), done.",       Some(("Counting objects", 9, Some(9)))),
            ("remote: Enumerating objects: 25, done.",            Some(("Enumerating objects", 25, None))),
            ("Resolving deltas:   0% (0/7)",                      Some(("Resolving deltas", 0, Some(7)))),
            ("fatal: could not read Username",                    None),
            ("remote: Repository not found.",                     None),
            ("remote: error: 404 of those: 12 objects",           None),
            ("From https://git.example.com/a",                    None),
            ("",                                                  None),
        ];
        for (line, want) in table {
            let want = want.map(|(what, done, total)| Step { what, done, total });
            assert_eq!(Step::of(line), want, "{line:?}");
        }
    }
}
