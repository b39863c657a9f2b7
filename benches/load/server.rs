//! The server under load, a process like any other, and what can be seen of it from
//! outside: its memory, its descriptors, and the processes that came of it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How long a request may take to come whole.
pub(crate) const PATIENCE_S: u64 = 10;
/// So high that it is met seldom.
const RATE: &str = "5000";

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What it holds at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) rss_kib: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: u64,
    pub(crate) processes: usize,
}

/// The program, in a home of its own.
pub(crate) fn casefile(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casefile"));
    command.args(args).env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    command.current_dir(home).stdin(Stdio::null());
    command
}

/// The secret of a new token.
pub(crate) fn token(home: &Path, name: &str) -> String {
    let made = casefile(home, &["token", "create", name]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap().lines().next().unwrap().trim().to_owned()
}

impl Server {
    pub(crate) fn start(home: &Path) -> Self {
        let patience = PATIENCE_S.to_string();
        let args = ["serve", "--listen", "127.0.0.1:0", "--rate", RATE, "--patience", &patience];
        let mut command = casefile(home, &args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let at = loop {
            assert_ne!(errors.read_line(&mut said).unwrap(), 0, "it does not serve: {said}");
            if let Some((_, at)) = said.split_once("listening on http://") {
                break at.trim().trim_end_matches("/mcp").parse().unwrap();
            }
        };
        // What else it says is seen, and does not hold it up.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::stderr()));
        Self { child, address: at }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sample {
    pub(crate) fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
            line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        Self {
            rss_kib: field("VmRSS:"),
            descriptors,
            threads: field("Threads:"),
            processes: below(pid).len(),
        }
    }

    pub(crate) fn row(&self, what: &str) {
        let Self { rss_kib, descriptors, threads, processes } = self;
        println!(
            "  {what:<34} {:>6.1} MiB {descriptors:>6} descriptors {threads:>4} threads {processes:>4} processes",
            *rss_kib as f64 / 1024.0
        );
    }
}

/// What came of a process.
fn below(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut nth = 0;
    while nth < all.len() {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", all[nth])).into_iter().flatten();
        let children =
            tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("children")));
        for children in children {
            all.extend(
                children
                    .unwrap_or_default()
                    .split_whitespace()
                    .map(|pid| pid.parse::<u32>().unwrap()),
            );
        }
        nth += 1;
    }
    all.split_off(1)
}

/// How many processes have this in their command line.
pub(crate) fn running(mark: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let line = |path: PathBuf| std::fs::read(path.join("cmdline")).unwrap_or_default();
    all.filter(|entry| String::from_utf8_lossy(&line(entry.path())).contains(mark)).count()
}
