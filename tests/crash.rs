//! Kills the real program with SIGKILL, again and again, and looks at what is
//! left: every file old or new, every case whole or gone, and the next command
//! none the wiser.
//!
//! A kill that comes before the work begins, or after it is done, proves
//! nothing. So the steps of the work are counted first (`crash/steps.rs`), and
//! most kills are aimed at them; the others are spread over the time of the whole
//! run, and meet the inside of a system call too. Each test fails if too few of
//! its kills have met the work itself.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the test lays out files and kills programs by hand; a failure is a failed test"
)]

#[path = "common/mod.rs"]
mod common;
#[path = "crash/steps.rs"]
mod steps;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::World;
use steps::{Step, Stepped};

/// How often each kind of work is killed.
const KILLS: u32 = 100;

/// How many of those must have met the work, or the test has tested nothing.
const MET_MIN: u32 = KILLS / 4;

/// How far around the first sign of the work a kill is aimed.
const AROUND_STEPS: u64 = 20;

/// How a file begins that a writer has not finished.
const UNFINISHED: &str = ".casefile-unfinished-";

const ID: &str = "checkout-5xx-k7f2qa";
const BYSTANDER: &str = "pay-abcdef";

/// Work of the program that can be killed.
struct Work<'a> {
    world: &'a World,
    /// From start to end.
    whole: Duration,
    /// The same, in boundaries of system calls.
    steps: u64,
    /// The step that is the first to change a directory.
    first_sign: u64,
    kills: u32,
    random: Random,
}

/// How a run ended that was to be killed.
struct Run {
    pid: u32,
    /// Otherwise it was done first.
    killed: bool,
}

impl<'a> Work<'a> {
    /// Measures the work by doing it twice, each time from what `prepare` makes.
    /// The first change in `watched` is the first sign of it.
    fn measure(world: &'a World, watched: &Path, mut prepare: impl FnMut() -> Vec<String>) -> Self {
        let args = prepare();
        let start = Instant::now();
        let status = spawn(world, &args).wait().unwrap();
        let whole = start.elapsed();
        assert!(status.success(), "{args:?}: {status}");

        let args = prepare();
        let before = look(watched);
        let mut stepped = step(world, &args);
        let (mut steps, mut first_sign) = (0, 0);
        while match stepped.step() {
            Step::Call => true,
            Step::Exit(code) => {
                assert_eq!(code, 0, "{args:?}");
                false
            }
        } {
            steps += 1;
            if first_sign == 0 && look(watched) != before {
                first_sign = steps;
            }
        }
        assert!(0 < first_sign, "{args:?} changed nothing in {}", watched.display());
        Self { world, whole, steps, first_sign, kills: 0, random: Random::new() }
    }

    /// Does the work once more and kills it somewhere on the way.
    fn kill(&mut self, args: &[String]) -> Run {
        self.kills += 1;
        let step = match self.kills % 4 {
            0 => return self.kill_at_a_time(args),
            1 => self.random.below(self.steps),
            2 => self.first_sign.saturating_sub(AROUND_STEPS) + self.random.below(2 * AROUND_STEPS),
            _ => self.first_sign + self.random.below(self.steps - self.first_sign),
        };
        self.kill_at_a_step(args, step)
    }

    fn kill_at_a_time(&mut self, args: &[String]) -> Run {
        let delay = self.random.up_to(self.whole);
        let mut child = spawn(self.world, args);
        let pid = child.id();
        wait(delay);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let killed = status.signal() == Some(libc::SIGKILL);
        assert!(killed || status.success(), "{args:?}: {status}");
        Run { pid, killed }
    }

    fn kill_at_a_step(&mut self, args: &[String], steps: u64) -> Run {
        let mut stepped = step(self.world, args);
        let pid = stepped.pid();
        for _ in 0..steps {
            if let Step::Exit(code) = stepped.step() {
                assert_eq!(code, 0, "{args:?}");
                return Run { pid, killed: false };
            }
        }
        stepped.kill();
        Run { pid, killed: true }
    }
}

/// What is in a directory: each name, which file it stands for, and how long
/// that is. A lock is taken before the work and is no sign of it.
fn look(dir: &Path) -> Vec<(OsString, u64, u64)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let seen = entries.flatten().filter(|entry| entry.file_name() != "lock");
    seen.map(|entry| {
        (entry.file_name(), entry.ino(), entry.metadata().map_or(0, |file| file.len()))
    })
    .collect()
}

fn spawn(world: &World, args: &[String]) -> Child {
    let mut command = world.program(common::binary());
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn step(world: &World, args: &[String]) -> Stepped {
    let mut command = world.program("/bin/sh");
    command.args(["-c", steps::SCRIPT]).arg(common::binary()).args(args);
    Stepped::seize(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// Waits to the microsecond; a sleep alone is later than most windows are wide.
fn wait(delay: Duration) {
    const SPUN: Duration = Duration::from_micros(300);
    let until = Instant::now() + delay;
    std::thread::sleep(delay.saturating_sub(SPUN));
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Enough chance for a delay; no two runs of the test are alike anyway.
struct Random(u64);

impl Random {
    fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self(RandomState::new().hash_one(0) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_nanos(self.below(u64::try_from(longest.as_nanos()).unwrap().max(1)))
    }
}

fn args(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn unfinished(dir: &Path) -> bool {
    names(dir).iter().any(|name| name.starts_with(UNFINISHED))
}

/// Whether this lock file bears the name of this process.
fn signed(lock: &Path, pid: u32) -> bool {
    fs::read_to_string(lock).is_ok_and(|text| text.starts_with(&format!("pid: {pid}\n")))
}

/// A manifest of some size, so that writing it takes time.
fn manifest(title: &str, repos: usize) -> String {
    let mut text = format!(
        "format: 1\ntitle: {title}\norigin:\n  by: person\n  opened: 2026-03-01T03:20:00Z\n\
         policy: offline\nrepos:\n"
    );
    for at in 0..repos {
        text += &format!(
            "- name: repo-{at}\n  from: https://git.example.com/{at}.git\n  \
             commit: 9ab1f3c0d2e4f6a8b0c2d4e6f8091a2b3c4d5e6f\n  \
             tree: 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n  rule: commit\n"
        );
    }
    text
}

fn case_file(world: &World, id: &str, name: &str) -> PathBuf {
    world.state().join("cases").join(id).join(name)
}

fn put_case(world: &World, id: &str, manifest: &str) {
    world.put(&format!("state/casefile/cases/{id}/case.yaml"), manifest);
}

#[test]
fn a_manifest_is_the_old_one_or_the_new_one() {
    let world = World::new();
    put_case(&world, ID, &manifest("Title 0", 100));
    let dir = world.state().join("cases").join(ID);
    let (path, lock) = (dir.join("case.yaml"), dir.join("lock"));
    let mut number = 0;
    let rename = |number: u32| args(&["rename", ID, &format!("Title {number}")]);
    let mut work = Work::measure(&world, &dir, || {
        number += 1;
        rename(number)
    });

    let (mut met, mut were_unfinished, mut new_ones) = (0, 0, 0);
    for _ in 0..KILLS {
        let old = fs::read_to_string(&path).unwrap();
        let new = old.replace(&format!("Title {number}\n"), &format!("Title {}\n", number + 1));
        assert_ne!(old, new);
        let run = work.kill(&rename(number + 1));

        let got = fs::read_to_string(&path).unwrap();
        assert!(got == old || got == new, "torn: {got:?}");
        let is_new = got == new;
        number += u32::from(is_new);
        met += u32::from(run.killed && signed(&lock, run.pid));
        were_unfinished += u32::from(unfinished(&dir));
        new_ones += u32::from(run.killed && is_new);

        let listed = world.run(&["list"]).success().stdout;
        assert!(
            listed.contains(&format!("  idle   2026-03-01 03:20  Title {number}\n")),
            "{listed}"
        );
        number += 1;
        let title = format!("Title {number}");
        let _ = world.run(&["rename", ID, &title]).success();
        assert_eq!(names(&dir), ["case.yaml", "lock"], "the next writer left something");
        assert_eq!(fs::read(&lock).unwrap(), b"");
    }
    assert!(MET_MIN <= met, "only {met} of {KILLS} kills met the work");
    assert!(0 < were_unfinished, "no kill came before a rename");
    assert!(0 < new_ones, "no kill came after a rename");
}

#[test]
fn a_configuration_is_the_old_one_or_the_new_one() {
    let world = World::new();
    let dir = world.path("work");
    let path = dir.join("casefile.yaml");
    let init = args(&["config", "init", "--force"]);
    let _ = world.run(&["config", "init"]).success();
    let new = fs::read(&path).unwrap();
    let old = [b"policy: offline\n".as_slice(), &b"# an old line\n".repeat(20_000)].concat();
    let mut work = Work::measure(&world, &dir, || {
        fs::write(&path, &old).unwrap();
        init.clone()
    });

    let (mut met, mut were_unfinished, mut new_ones) = (0, 0, 0);
    for _ in 0..KILLS {
        fs::write(&path, &old).unwrap();
        let run = work.kill(&init);

        let got = fs::read(&path).unwrap();
        assert!(got == old || got == new, "torn: {:?}", String::from_utf8_lossy(&got));
        let is_new = run.killed && got == new;
        let is_unfinished = unfinished(&dir);
        met += u32::from(is_new || is_unfinished);
        were_unfinished += u32::from(is_unfinished);
        new_ones += u32::from(is_new);

        let _ = world.run(&["config", "check"]).success();
        let _ = world.run(&["config", "init", "--force"]).success();
        assert_eq!(names(&dir), ["casefile.yaml"], "the next writer left something");
        assert_eq!(fs::read(&path).unwrap(), new);
    }
    assert!(MET_MIN <= met, "only {met} of {KILLS} kills met the work");
    assert!(0 < were_unfinished, "no kill came before a rename");
    assert!(0 < new_ones, "no kill came after a rename");
}

#[test]
fn a_case_is_whole_or_gone() {
    const FILES: usize = 2_000;
    let world = World::new();
    let bystander = manifest("Another", 1);
    put_case(&world, BYSTANDER, &bystander);
    let cases = world.state().join("cases");
    let (trash, dir) = (cases.join(".trash"), cases.join(ID));
    let lay_out = || {
        if dir.exists() {
            return;
        }
        put_case(&world, ID, &manifest("One", 1));
        world.put(&format!("state/casefile/cases/{ID}/upper/0"), "x");
        for at in 1..FILES {
            // A link is laid out faster than a file, and removed the same way.
            let file = case_file(&world, ID, "upper/0");
            fs::hard_link(file, dir.join(format!("upper/{at}"))).unwrap();
        }
    };
    let rm = args(&["rm", "--yes", ID]);
    let mut work = Work::measure(&world, &cases, || {
        lay_out();
        rm.clone()
    });

    let (mut met, mut whole, mut gone) = (0, 0, 0);
    for _ in 0..KILLS {
        lay_out();
        let run = work.kill(&rm);

        let is_whole = dir.exists();
        if is_whole {
            assert_eq!(names(&dir.join("upper")).len(), FILES, "a case that is there is torn");
            assert_eq!(fs::read_to_string(dir.join("case.yaml")).unwrap(), manifest("One", 1));
        }
        let is_left = !names(&trash).is_empty();
        assert!(!(is_whole && is_left), "the case is there and in the trash");
        met += u32::from(run.killed && (is_left || signed(&dir.join("lock"), run.pid)));
        whole += u32::from(run.killed && is_whole);
        gone += u32::from(is_left);

        let listed = world.run(&["list"]).success();
        assert_eq!(listed.stderr, "", "the listing had something to warn of");
        assert_eq!(listed.stdout.contains(&format!("{ID}  idle ")), is_whole, "{listed}");
        assert!(listed.stdout.contains(&format!("{BYSTANDER} ")), "{listed}");
        assert_eq!(names(&trash), [""; 0], "the next command left something");
        let kept = fs::read_to_string(case_file(&world, BYSTANDER, "case.yaml")).unwrap();
        assert_eq!(kept, bystander);
    }
    assert!(MET_MIN <= met, "only {met} of {KILLS} kills met the work");
    assert!(0 < whole, "no kill came before the case was gone");
    assert!(0 < gone, "no kill came while it was taken apart");
}
