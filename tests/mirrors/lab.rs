//! A place with repositories in it: git with nobody's settings but the lab's own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use casefile::case::{Home, RepoName};
use casefile::disk::Holder;
use casefile::repos::{Git, Mirror, New, Progress, RepoError, Shared, Source, Store};

/// A directory of its own, with a store in it.
#[derive(Debug)]
pub struct Lab {
    dir: tempfile::TempDir,
}

impl Lab {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("casefile-mirrors-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn store(&self) -> Shared {
        Store::of(&Home::new(self.path("state"))).share().unwrap()
    }

    /// What git sees of the world.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        let text = OsString::from;
        vec![
            (text("PATH"), text("/usr/local/bin:/usr/bin:/bin")),
            (text("HOME"), self.path("home").into()),
            (text("GIT_CONFIG_NOSYSTEM"), text("1")),
            (text("GIT_AUTHOR_NAME"), text("A. Tester")),
            (text("GIT_AUTHOR_EMAIL"), text("tester@example.com")),
            (text("GIT_COMMITTER_NAME"), text("A. Tester")),
            (text("GIT_COMMITTER_EMAIL"), text("tester@example.com")),
        ]
    }

    /// The user's git, as `cli` would hand it in.
    pub fn git_of(&self) -> Git {
        Git {
            program: "git".into(),
            environment: self.environment(),
            asks: false,
            holds_signals: false,
        }
    }

    /// Runs git in a directory of the lab, and has what it said.
    #[track_caller]
    pub fn git(&self, dir: &str, args: &[&str]) -> String {
        self.git_at(dir, "2026-01-01T00:00:00Z", args)
    }

    /// The same, with the clock at a time: RFC 3339, or seconds and a zone.
    #[track_caller]
    pub fn git_at(&self, dir: &str, time: &str, args: &[&str]) -> String {
        let output = self
            .command(dir)
            .env("GIT_COMMITTER_DATE", time)
            .env("GIT_AUTHOR_DATE", time)
            .args(args)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?} in {dir}: {stderr}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn command(&self, dir: &str) -> Command {
        let mut command = Command::new("git");
        command.env_clear().envs(self.environment()).current_dir(self.path(dir));
        command.args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]);
        command.stdin(Stdio::null());
        command
    }

    /// A repository with nothing in it.
    pub fn init(&self, dir: &str) {
        std::fs::create_dir_all(self.path(dir)).unwrap();
        self.git(dir, &["init", "-q", "."]);
    }

    /// A commit with one more file, and its id.
    #[track_caller]
    pub fn commit(&self, dir: &str, time: &str, message: &str) -> String {
        self.write(&format!("{dir}/{message}.txt"), &format!("{message}\n"));
        self.git(dir, &["add", "."]);
        self.git_at(dir, time, &["commit", "-q", "--allow-empty", "-m", message]);
        self.git(dir, &["rev-parse", "HEAD"])
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn url(&self, dir: &str) -> Source {
        Source::Url(format!("file://{}", self.path(dir).display()))
    }

    pub fn add(&self, name: &str, from: Source) -> Result<Mirror, RepoError> {
        let new = New { name: RepoName::parse(name).unwrap(), from, branch: None, service: None };
        Mirror::add(&self.store(), &new, &self.git_of(), &holder(), &Heard::default())
    }

    pub fn fetch(&self, mirror: &mut Mirror) -> Result<(), RepoError> {
        mirror.fetch(&self.store(), &self.git_of(), &holder(), &Heard::default())
    }

    /// Whether real git finds nothing wrong in a repository, and its refs.
    #[track_caller]
    pub fn refs(&self, repo: &Path) -> String {
        let run = |args: &[&str]| {
            let output = self.command(".").arg("--git-dir").arg(repo).args(args).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "git {args:?} in {}: {stderr}", repo.display());
            String::from_utf8(output.stdout).unwrap()
        };
        run(&["fsck", "--full", "--no-dangling", "--no-progress"]);
        run(&["for-each-ref", "--format=%(objectname) %(refname) %(*objectname)"])
    }
}

pub fn holder() -> Holder {
    Holder { pid: std::process::id(), command: "a test".into(), since: jiff::Timestamp::UNIX_EPOCH }
}

/// What was told while something took long.
#[derive(Debug, Default)]
pub struct Heard {
    pub began: Mutex<Vec<String>>,
    pub notes: Mutex<Vec<String>>,
}

impl Progress for Heard {
    fn begin(&self, what: &str, _total: Option<u64>) {
        self.began.lock().unwrap().push(what.into());
    }

    fn at(&self, _done: u64) {}

    fn note(&self, line: &str) {
        self.notes.lock().unwrap().push(line.into());
    }
}

/// Every file below a directory, with all that would change if it were touched.
pub fn state_of(dir: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(path) = left.pop() {
        let about = path.symlink_metadata().unwrap();
        let mut bytes = Vec::new();
        if about.is_dir() {
            left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else if about.is_file() {
            bytes = std::fs::read(&path).unwrap();
        }
        let times = (about.mode(), about.mtime(), about.mtime_nsec(), about.ctime_nsec());
        found.insert(path, (times.0, times.1, times.2, times.3, bytes));
    }
    found
}
