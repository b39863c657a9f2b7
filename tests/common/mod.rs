//! A `World` of its own for each test: home, state, working directory, clock and
//! git identity, and not one variable of the environment it was started from.
//!
//! A command's whole outcome (stdout, stderr, status) is one value that prints
//! itself, so that a snapshot states all that a user would see; what it fails
//! with shows the command and what lies in the directory.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "shared by test programs that each use a part; a failure here is a failed test"
)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;

/// Nobody on any machine; what a test drops to when the suite runs as root.
pub const ORDINARY_UID: u32 = 54_321;

/// A failure shows no more of the directory than this.
const LISTED_LINES_MAX: usize = 200;

/// Whom a command is run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Whoever runs the tests.
    Same,
    /// An ordinary uid, which only root can change to.
    Ordinary,
}

/// Everybody that the tests can be on this machine: an ordinary user, and root
/// too when root runs them.
pub fn users() -> Vec<User> {
    if am_root() { vec![User::Same, User::Ordinary] } else { vec![User::Same] }
}

pub fn am_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A directory in which nothing of the machine's own settings can be seen.
#[derive(Debug)]
pub struct World {
    dir: tempfile::TempDir,
    user: User,
}

impl World {
    pub fn new() -> Self {
        Self::of(User::Same)
    }

    /// A world that belongs to `user`, who also runs its commands.
    pub fn of(user: User) -> Self {
        let dir = tempfile::Builder::new().prefix("casefile-test-").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let world = Self { dir, user };
        world.give(world.dir.path());
        for name in ["home", "state", "work"] {
            std::fs::create_dir(world.path(name)).unwrap();
            world.give(&world.path(name));
        }
        world
    }

    /// A path in this world; `work` is where commands run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where cases, mirrors and snapshots of this world are kept.
    pub fn state(&self) -> PathBuf {
        self.path("state/casefile")
    }

    /// Writes a file, with the directories that it needs.
    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.put(name, text);
        self
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        let mut missing: Vec<&Path> =
            path.ancestors().skip(1).take_while(|dir| !dir.exists()).collect();
        while let Some(dir) = missing.pop() {
            std::fs::create_dir(dir).unwrap();
            self.give(dir);
        }
        std::fs::write(&path, text).unwrap();
        self.give(&path);
    }

    fn give(&self, path: &Path) {
        if self.user == User::Ordinary {
            std::os::unix::fs::lchown(path, Some(ORDINARY_UID), Some(ORDINARY_UID)).unwrap();
        }
    }

    /// A `casefile` command, ready to be given more or run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(binary());
        command.args(args);
        command
    }

    /// Any program, as this world's user and with this world's environment.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.environment())
            .current_dir(self.path("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.user == User::Ordinary {
            command.uid(ORDINARY_UID).gid(ORDINARY_UID);
        }
        command
    }

    fn environment(&self) -> BTreeMap<&'static str, OsString> {
        let text = OsString::from;
        BTreeMap::from([
            ("PATH", text("/usr/local/bin:/usr/bin:/bin")),
            ("HOME", self.path("home").into()),
            ("XDG_STATE_HOME", self.path("state").into()),
            ("XDG_CONFIG_HOME", self.path("home/.config").into()),
            ("TMPDIR", self.dir.path().into()),
            ("TZ", text("UTC")),
            ("LANG", text("C.UTF-8")),
            ("GIT_CONFIG_NOSYSTEM", text("1")),
            ("GIT_AUTHOR_NAME", text("A. Tester")),
            ("GIT_AUTHOR_EMAIL", text("tester@example.com")),
            ("GIT_AUTHOR_DATE", text("2026-03-01T03:12:00Z")),
            ("GIT_COMMITTER_NAME", text("A. Tester")),
            ("GIT_COMMITTER_EMAIL", text("tester@example.com")),
            ("GIT_COMMITTER_DATE", text("2026-03-01T03:12:00Z")),
        ])
    }

    /// Runs a `casefile` command to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.finish(self.command(args))
    }

    /// Runs any command to its end.
    pub fn finish(&self, mut command: Command) -> Outcome {
        let output = command.output().unwrap();
        Outcome {
            stdout: self.plain(&output.stdout),
            stderr: self.plain(&output.stderr),
            status: output.status,
            context: format!("{command:?}\nin {}", self.listing(LISTED_LINES_MAX)),
        }
    }

    /// The same text in every run: this world's directory becomes `<world>`.
    fn plain(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(&*self.dir.path().to_string_lossy(), "<world>")
    }

    /// Every file and directory of this world, a line each.
    pub fn tree(&self) -> String {
        self.listing(usize::MAX)
    }

    /// The same, but no more lines than somebody reads.
    fn listing(&self, lines_max: usize) -> String {
        let mut lines = vec![String::from("<world>")];
        if !list(self.dir.path(), 1, lines_max, &mut lines) {
            lines.push(format!("... (only the first {lines_max} lines are listed)"));
        }
        lines.join("\n") + "\n"
    }
}

/// Lists what is below `dir`; whether all of it fitted.
fn list(dir: &Path, depth: usize, lines_max: usize, lines: &mut Vec<String>) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return true };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    entries.iter().all(|entry| {
        if lines_max <= lines.len() {
            return false;
        }
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name();
        let slash = if is_dir { "/" } else { "" };
        lines.push(format!("{}{}{slash}", "  ".repeat(depth), name.to_string_lossy()));
        !is_dir || list(&entry.path(), depth + 1, lines_max, lines)
    })
}

/// What a command left behind for its caller.
#[must_use = "snapshot it, or say what it should be with `.success()` or `.code(1)`"]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    pub status: ExitStatus,
    context: String,
}

impl Outcome {
    /// The same, if it succeeded; else the test fails with all there is to know.
    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// The same, if it exited with this code.
    #[track_caller]
    pub fn code(self, want: i32) -> Self {
        assert_eq!(self.status.code(), Some(want), "{self}\n{}", self.context);
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "--- stderr\n{}", self.stderr)?;
        }
        if !self.status.success() {
            write!(f, "--- {}", self.status)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}\n{}", self.context)
    }
}

/// The program under test, where an ordinary user can start it too: a checkout
/// below root's home cannot be entered by anybody else.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| for_everybody(Path::new(env!("CARGO_BIN_EXE_casefile"))))
}

/// The program that is running now, where an ordinary user can start it too.
pub fn this_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| for_everybody(&std::env::current_exe().unwrap()))
}

fn for_everybody(built: &Path) -> PathBuf {
    let open = |dir: &Path| dir.metadata().is_ok_and(|dir| dir.permissions().mode() & 1 == 1);
    if am_root() && !built.ancestors().all(open) { shared_copy(built) } else { built.to_owned() }
}

/// A copy in one known place for each checkout, so that runs leave no heap of
/// them. It is the same program as long as its size and time are.
fn shared_copy(built: &Path) -> PathBuf {
    let dir = std::env::temp_dir().join("casefile-under-test");
    let _ = std::fs::DirBuilder::new().mode(0o755).create(&dir);
    let about = dir.symlink_metadata().unwrap();
    let is_ours = about.is_dir() && about.uid() == 0 && about.mode() & 0o022 == 0;
    assert!(is_ours, "`{}` is somebody else's; root runs nothing from there", dir.display());

    let mut name = DefaultHasher::new();
    built.hash(&mut name);
    let copy = dir.join(format!("casefile-{:016x}", name.finish()));
    let built_about = built.metadata().unwrap();
    let same = |copy: std::fs::Metadata| {
        copy.len() == built_about.len() && copy.modified().ok() == built_about.modified().ok()
    };
    if !copy.symlink_metadata().is_ok_and(same) {
        // Written beside and renamed: another run may be starting the old one.
        let new = tempfile::NamedTempFile::new_in(&dir).unwrap();
        std::fs::copy(built, new.path()).unwrap();
        let (file, new) = new.into_parts();
        file.set_modified(built_about.modified().unwrap()).unwrap();
        file.set_permissions(PermissionsExt::from_mode(0o755)).unwrap();
        // Nobody can start a program that is still open for writing.
        drop(file);
        new.persist(&copy).unwrap();
    }
    copy
}
