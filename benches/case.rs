//! What a case costs, against `git worktree add` of the same commit: a first snapshot,
//! one a hundred commits away from another, opening over one that is there, and the
//! first `git status`.
//!
//! `cargo bench --bench case` makes a repository of 90,000 files; `CASEFILE_BENCH_REPO`
//! names a real one, `CASEFILE_BENCH_DIR` where all of it is written. The candidates take
//! turns in each round, and what counts is the median of the ratios within a round.
//! Every round writes in directories of its own and nothing is removed before the end:
//! some file systems are slow where much was just removed.

#![allow(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench starts programs, prints, and fails as a test does"
)]

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use casefile::case::{CommitId, Home, RepoName};
use casefile::disk::Holder;
use casefile::repos::snapshot;
use casefile::repos::{Shared, Silent, Store};

const ROUNDS: usize = 3;
const OPENS: usize = 60;
const COMMITS_AWAY: usize = 100;

/// The repository that is made: so many files, and so many of them changed a commit.
const FILES: usize = 90_000;
const COMMITS: usize = 200;
const CHANGED: usize = 25;
const FILE_BYTES: usize = 6_000;

/// Set for the child that makes one snapshot, so that its memory is its own.
const PART: &str = "CASEFILE_BENCH_PART";

fn main() {
    if let Ok(part) = std::env::var(PART) {
        return one_snapshot(&part);
    }
    let dir = std::env::var_os("CASEFILE_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let scratch = tempfile::Builder::new().prefix("casefile-bench-").tempdir_in(dir).unwrap();
    let ground = Ground::new(scratch.path());
    let mut times = Times::default();
    for round in 0..ROUNDS {
        ground.round(&scratch.path().join(format!("round-{round}")), &mut times);
    }
    times.print();
}

struct Ground {
    mirror: PathBuf,
    /// The commit that is opened, and one that is so many before it.
    new: CommitId,
    old: CommitId,
}

#[derive(Default)]
struct Times {
    worktree: Vec<f64>,
    full: Vec<f64>,
    delta: Vec<f64>,
    start: Vec<f64>,
    open: Vec<f64>,
    fork: Vec<f64>,
    case_kib: Vec<f64>,
    status: Vec<f64>,
    status_plain: Vec<f64>,
    again: Vec<f64>,
    again_plain: Vec<f64>,
    full_mib: Vec<f64>,
    delta_mib: Vec<f64>,
}

impl Ground {
    fn new(scratch: &Path) -> Self {
        let source = std::env::var_os("CASEFILE_BENCH_REPO").map(PathBuf::from);
        let source = source.unwrap_or_else(|| made(&scratch.join("made.git")));
        let mirror = scratch.join("mirror.git");
        let began = Instant::now();
        git(scratch, &["clone", "-q", "--bare", "--shared", text(&source), text(&mirror)]);
        let commit = |name: &str| CommitId::parse(&git(&mirror, &["rev-parse", name])).unwrap();
        let new = commit("HEAD");
        let old = commit(&format!("HEAD~{COMMITS_AWAY}"));
        // Once, so that every candidate finds the objects in memory.
        git(&mirror, &["archive", "-o", "/dev/null", new.as_str()]);
        git(&mirror, &["archive", "-o", "/dev/null", old.as_str()]);
        println!("ready after {:.1} s", began.elapsed().as_secs_f64());
        Self { mirror, new, old }
    }

    fn round(&self, dir: &Path, times: &mut Times) {
        std::fs::create_dir(dir).unwrap();
        let plain = dir.join("plain");
        let args = ["worktree", "add", "-q", "--detach", text(&plain), self.old.as_str()];
        times.worktree.push(timed(|| drop(git(&self.mirror, &args))));
        let home = dir.join("home");
        for (commit, took, mib) in [
            (&self.old, &mut times.full, &mut times.full_mib),
            (&self.new, &mut times.delta, &mut times.delta_mib),
        ] {
            let part = format!("{}\n{}\n{commit}", self.mirror.display(), home.display());
            let me = std::env::current_exe().unwrap();
            let out = Command::new(me).env(PART, part).stderr(Stdio::inherit()).output().unwrap();
            let out = String::from_utf8(out.stdout).unwrap();
            let (ms, memory) = out.trim().split_once(' ').unwrap();
            took.push(ms.parse().unwrap());
            mib.push(memory.parse().unwrap());
        }

        self.cases(dir, &home, times);
    }

    /// Cases over the snapshots that are there, by the program itself.
    fn cases(&self, dir: &Path, home: &Path, times: &mut Times) {
        let casefile = |args: &[&str]| -> String {
            let mut command = Command::new(env!("CARGO_BIN_EXE_casefile"));
            command.args(args).env("CASEFILE_HOME", home).current_dir(dir);
            let out = command.output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{args:?}: {said}");
            String::from_utf8(out.stdout).unwrap()
        };
        casefile(&["repo", "add", "it", text(&self.mirror)]);
        let repo = format!("it@{}", self.new);
        let open = ["open", "--repo", &repo, "--title", "bench"];
        // The first one lays the wiring.
        let first = casefile(&open);
        let id = first.split_whitespace().nth(1).unwrap().to_owned();
        for _ in 0..OPENS {
            times.start.push(timed(|| drop(casefile(&["--version"]))));
            times.open.push(timed(|| drop(casefile(&open))));
            times.fork.push(timed(|| drop(casefile(&["fork", &id]))));
        }
        times.case_kib.push(kib(&home.join("cases").join(&id)));
        let ours = casefile(&["shell", &id, "--", "bash", "-euc", STATUS]);
        let [first, again] = two(&ours);
        let mut plain = Command::new("bash");
        plain.args(["-euc", STATUS]).current_dir(dir.join("plain"));
        let out = plain.output().unwrap();
        let [first_plain, again_plain] = two(&String::from_utf8(out.stdout).unwrap());
        times.status.push(first);
        times.again.push(again);
        times.status_plain.push(first_plain);
        times.again_plain.push(again_plain);
    }
}

/// Says how long the first and the second `git status` take, and that they find nothing.
const STATUS: &str = "for turn in 1 2; do begin=${EPOCHREALTIME/./}; [ -z \"$(git status --porcelain)\" ]; \
    echo $((${EPOCHREALTIME/./} - begin)); done";

fn two(text: &str) -> [f64; 2] {
    let mut times = text.lines().map(|line| line.parse::<f64>().unwrap() / 1000.0);
    [times.next().unwrap(), times.next().unwrap()]
}

/// What a directory takes up on its disk.
fn kib(dir: &Path) -> f64 {
    let out = Command::new("du").args(["-sk", text(dir)]).output().unwrap();
    String::from_utf8(out.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

impl Times {
    fn print(&self) {
        let worktree = median(&self.worktree);
        println!("\nmedians of {ROUNDS} rounds              ms   to `git worktree add`   target");
        println!("  git worktree add         {worktree:>9.1}");
        let ratio = |what: &str, times: &[f64], target: &str| {
            let ratios: Vec<f64> =
                times.iter().zip(&self.worktree).map(|(this, that)| this / that).collect();
            let (took, ratio) = (median(times), median(&ratios));
            println!("  {what:<24} {took:>9.1}   {ratio:>8.4} = 1/{:<8.1}   {target}", 1.0 / ratio);
        };
        ratio("first snapshot", &self.full, "0.6");
        ratio("100 commits away", &self.delta, "1/15");
        let start = median(&self.start);
        for (what, times) in [("open", &self.open), ("fork", &self.fork)] {
            let took = median(times);
            println!(
                "  casefile {what:<15} {took:>9.2}   {:>8.6} = 1/{:<8.1}   1/300; {:.2} past its start, 8",
                took / worktree,
                worktree / took,
                took - start
            );
        }
        println!("\na case before any write, KiB  {:>6.0}   target 100", median(&self.case_kib));
        println!(
            "\nfirst `git status`         {:>9.1}   plain {:>9.1}",
            median(&self.status),
            median(&self.status_plain)
        );
        println!(
            "second                     {:>9.1}   plain {:>9.1}",
            median(&self.again),
            median(&self.again_plain)
        );
        println!(
            "\npeak memory, MiB           {:>9.1}   delta {:>9.1}   target 150",
            median(&self.full_mib),
            median(&self.delta_mib)
        );
    }
}

/// The child: makes one snapshot, and says how long it took and what it held at most.
fn one_snapshot(part: &str) {
    let mut part = part.lines();
    let mirror = PathBuf::from(part.next().unwrap());
    let store = store(Path::new(part.next().unwrap()));
    let commit = CommitId::parse(part.next().unwrap()).unwrap();
    let ms = timed(|| {
        drop(snapshot::make(&store, &name(), &mirror, &commit, &holder(), &Silent).unwrap());
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = kib.trim().trim_end_matches(" kB").parse().unwrap();
    println!("{ms} {}", kib / 1024.0);
}

/// A repository of many files that look like source, with some history.
fn made(path: &Path) -> PathBuf {
    let began = Instant::now();
    git(path.parent().unwrap(), &["init", "-q", "--bare", "-b", "main", text(path)]);
    let mut import = Command::new("git")
        .args(["-C", text(path), "fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = BufWriter::new(import.stdin.take().unwrap());
    let mut dice = Dice(42);
    for commit in 0..COMMITS {
        let time = 1_700_000_000 + 600 * commit;
        writeln!(
            to,
            "commit refs/heads/main\ncommitter A <a@example.com> {time} +0000\ndata 4\nstep"
        )
        .unwrap();
        let count = if commit == 0 { FILES } else { CHANGED };
        for nth in 0..count {
            let file = if commit == 0 { nth } else { dice.below(FILES) };
            let (module, package) = (file / 900, file / 30 % 30);
            let source = source(&mut dice);
            write!(to, "M 100644 inline module{module:02}/src/main/package{package}/File{file}.java\ndata {}\n{source}\n", source.len()).unwrap();
        }
    }
    drop(to);
    assert!(import.wait().unwrap().success());
    println!(
        "made a repository of {FILES} files and {COMMITS} commits in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    path.into()
}

fn source(dice: &mut Dice) -> String {
    const WORDS: [&str; 16] = [
        "public", "static", "final", "void", "return", "if", "else", "for", "String", "int",
        "null", "new", "this", "class", "import", "private",
    ];
    // Most files are small, and a few are large.
    let size = FILE_BYTES / 3 + dice.below(FILE_BYTES) * (1 + dice.below(3) / 2 * dice.below(2));
    let mut text = String::with_capacity(size + 80);
    while text.len() < size {
        let indent = 4 * dice.below(4);
        let _ = write!(
            text,
            "{:indent$}{} name{} = {}",
            "",
            WORDS[dice.below(16)],
            dice.below(5000),
            WORDS[dice.below(16)]
        );
        let _ = writeln!(text, "({:x}, {});", dice.below(1 << 20), WORDS[dice.below(16)]);
    }
    text
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn store(home: &Path) -> Shared {
    Store::of(&Home::new(home)).share().unwrap()
}

fn name() -> RepoName {
    RepoName::parse("it").unwrap()
}

fn holder() -> Holder {
    let since = "2026-03-01T03:12:00Z".parse().unwrap();
    Holder { pid: std::process::id(), command: "a bench".into(), since }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git").arg("-C").arg(dir).args(args).output().unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Milliseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1000.0
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}
