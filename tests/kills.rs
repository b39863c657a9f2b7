//! Kills the commands of a case with SIGKILL, at moments over the whole of each run, and
//! looks at what is left: no snapshot that is torn, nothing lost that a command in a case
//! had reported, every case enterable, and after `casefile gc` nothing that nobody needs.

#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the test starts and kills programs by hand; a failure is a failed test"
)]

#[path = "common/mod.rs"]
mod common;
#[path = "commands/ground.rs"]
mod ground;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::time::{Duration, Instant};

use common::{User, World, users};
use ground::{DAY_2, checkout, fork, git, git_at, open, said};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Over all kinds of work, and all users.
const KILLS_MIN: u32 = 300;
const KINDS: [Kind; 7] =
    [Kind::Open, Kind::Again, Kind::Fork, Kind::Close, Kind::Collect, Kind::Fetch, Kind::Shell];

/// So much longer than a run was measured to take a kill may come: others use the machine.
const LATE: f64 = 1.3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A case, with a snapshot that is not there.
    Open,
    /// A case, over a snapshot that is there.
    Again,
    Fork,
    Close,
    Collect,
    Fetch,
    /// A command that writes, waits for the disk and says so.
    Shell,
}

/// A world with a repository that goes on.
struct Lab {
    world: World,
    /// The case that most is done with, and what it must have.
    case: String,
    /// How many files it was told to have.
    reported: u32,
    /// Counts commits, so that each is another.
    number: u32,
    random: u64,
}

/// Files of the repository.
const FILES: u32 = 300;

/// From where the last one ended. Each number is printed once its file is safe.
const WRITER: &str = "n=$(ls | grep -c '^f-[0-9]*$') || n=0; while :; do n=$((n+1)); \
     echo $n > new; sync new; mv new f-$n; echo $n >> one.txt; sync one.txt; echo $n; done";

/// Fails unless the files are what git has, by their contents.
const COMPARE: &str = "slow() { GIT_INDEX_FILE=/tmp/index git -c core.fsmonitor=false \
     -c core.untrackedCache=false \"$@\"; }; slow read-tree HEAD; slow update-index --refresh; \
     slow diff-files --exit-code --name-only; slow ls-files --others; git status --short; \
     git fsck --connectivity-only --no-progress --no-dangling 2>&1";

impl Lab {
    fn new(user: User) -> Self {
        let world = World::of(user);
        checkout(&world, "work/app");
        for nth in 0..FILES {
            let text = format!("{nth}\n").repeat(nth as usize % 50 + 1);
            world.put(&format!("work/app/many/{}/{nth}", nth % 7), text);
        }
        git(&world, "work/app", &["add", "."]);
        git_at(&world, "work/app", DAY_2, &["commit", "-qm", "many"]);
        let url = format!("file://{}", world.path("work/app").display());
        let _ = world.run(&["repo", "add", "app", &url]).success();
        let case = open(&world, &["--repo", "app"]);
        let random = u64::from(std::process::id()) * 2 + 1;
        Self { world, case, reported: 0, number: 0, random }
    }

    /// A number below one.
    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % 10_000) as f64 / 10_000.0
    }

    /// One more commit at the origin, which changes some of the files.
    fn commit(&mut self) {
        self.number += 1;
        for nth in (0..FILES).filter(|nth| nth % 5 == self.number % 5) {
            let text = format!("{nth} {}\n", self.number).repeat(30);
            self.world.put(&format!("work/app/many/{}/{nth}", nth % 7), text);
        }
        git(&self.world, "work/app", &["commit", "-qam", &self.number.to_string()]);
    }

    /// Makes sure that there is something to do, and says with which arguments.
    fn prepare(&mut self, kind: Kind) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        match kind {
            Kind::Open => {
                self.commit();
                let _ = self.world.run(&["repo", "fetch", "app"]).success();
                words(&["open", "--repo", "app"])
            }
            Kind::Again => words(&["open", "--repo", "app@HEAD"]),
            Kind::Fork => {
                let _ = said(&self.world, &self.case, "echo x >> two.txt");
                words(&["fork", &self.case.clone()])
            }
            Kind::Close => {
                let case = open(&self.world, &["--repo", "app"]);
                words(&["close", &case])
            }
            Kind::Collect => {
                self.commit();
                let _ = self.world.run(&["repo", "fetch", "app"]).success();
                let case = open(&self.world, &["--repo", "app"]);
                let second = fork(&self.world, &case);
                let _ = said(&self.world, &second, "echo x > new");
                let third = fork(&self.world, &second);
                let _ = self.world.run(&["rm", "--yes", &second]).success();
                let _ = self.world.run(&["rm", "--yes", &third]).success();
                let _ = self.world.run(&["close", &case]).success();
                words(&["gc"])
            }
            Kind::Fetch => {
                self.commit();
                words(&["repo", "fetch", "app"])
            }
            Kind::Shell => words(&["shell", &self.case.clone(), "--", "sh", "-c", WRITER]),
        }
    }

    /// How long it takes if nobody kills it: the middle of a few times.
    fn measure(&mut self, kind: Kind) -> Duration {
        if kind == Kind::Shell {
            // It never ends; the first files are enough.
            return Duration::from_millis(600);
        }
        let mut took = [Duration::ZERO; 3];
        for took in &mut took {
            let args = self.prepare(kind);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let began = Instant::now();
            let _ = self.world.run(&args).success();
            *took = began.elapsed();
        }
        took.sort();
        took[1]
    }

    /// Runs a command and kills it: with all of its group, as git, or alone. Says whether
    /// it was killed before it was done, and how often a file was reported.
    fn run_and_kill(&mut self, args: &[&str], after: Duration, group: bool) -> bool {
        let mut child = self.world.command(args).process_group(0).spawn().unwrap();
        let mut err = child.stderr.take().unwrap();
        let reader = std::thread::spawn({
            let out = BufReader::new(child.stdout.take().unwrap());
            // The last line counts if it is whole.
            move || {
                let lines = out.split(b'\n').map_while(Result::ok);
                lines.filter_map(|line| String::from_utf8(line).ok()?.parse::<u32>().ok()).max()
            }
        });
        std::thread::sleep(after);
        let pid = Pid::from_raw(child.id().cast_signed());
        let _ = if group { killpg(pid, Signal::SIGKILL) } else { kill(pid, Signal::SIGKILL) };
        let status = child.wait().unwrap();
        let mut said = String::new();
        err.read_to_string(&mut said).unwrap();
        let killed = status.signal() == Some(9);
        assert!(killed || status.success(), "{args:?}: {status}\n{said}");
        if args[0] == "shell" {
            self.reported = self.reported.max(reader.join().unwrap().unwrap_or_default());
        }
        killed
    }

    fn cases(&self) -> Vec<String> {
        let listed = self.world.run(&["list", "--json"]).success().stdout;
        let json: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let all = json.as_array().or_else(|| json["cases"].as_array()).unwrap();
        all.iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Nothing was lost or torn.
    fn check(&self, kind: Kind, known: &[String]) {
        for id in self.cases().iter().filter(|id| !known.contains(id)) {
            let is_closed = self.world.run(&["show", id]).success().stdout.contains("closed");
            if kind == Kind::Open || kind == Kind::Again {
                assert!(!is_closed);
                assert_eq!(said(&self.world, id, COMPARE), "", "{kind:?}: {id}");
            }
            let _ = self.world.run(&["rm", "--yes", id]).success();
        }
        let script = "n=$(ls | grep -c '^f-[0-9]*$') || true; echo $n; \
             for i in $(seq $n); do [ \"$(cat f-$i)\" = $i ] || echo torn $i; done; tail -1 one.txt; \
             git status --short | grep -c '^?? f-' || true";
        let seen = said(&self.world, &self.case, script);
        let mut lines = seen.lines();
        let count: u32 = lines.next().unwrap().parse().unwrap();
        assert!(self.reported <= count, "{kind:?}: {} reported, {count} there", self.reported);
        if 0 < self.reported {
            let last: u32 = lines.next().unwrap().parse().unwrap();
            assert!(self.reported <= last && last <= count + 1, "{kind:?}: {seen}");
            assert_eq!(lines.next(), Some(count.to_string().as_str()), "{kind:?}: {seen}");
        }
        if kind == Kind::Fetch {
            let mirror = self.world.state().join("store/mirrors/app.git");
            git(&self.world, "work", &["--git-dir", mirror.to_str().unwrap(), "fsck", "--full"]);
        }
    }
}

/// What killed commands leave, if nobody cleared it.
fn leftovers(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let state = world.state();
    let mut left = vec![state.clone()];
    while let Some(dir) = left.pop() {
        // What the kernel keeps beside a layer is nobody's to read.
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let beginnings =
                [".unfinished-", ".building-", ".lock-", ".casefile-unfinished-", "fetch-"];
            let place = dir.file_name().unwrap_or_default();
            let is_left = beginnings.iter().any(|it| name.starts_with(it))
                || place == "publishing"
                || place == ".trash";
            if is_left {
                found.push(entry.path().strip_prefix(&state).unwrap().display().to_string());
            } else if entry.file_type().unwrap().is_dir() && !is_of_a_tree(&entry.path()) {
                left.push(entry.path());
            }
        }
    }
    found
}

/// What is in a case or a snapshot is not looked at.
fn is_of_a_tree(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "upper" || part.as_os_str() == "tree")
}

fn kill_all(user: User) {
    let mut lab = Lab::new(user);
    let each = KILLS_MIN.div_ceil(KINDS.len() as u32 * users().len() as u32);
    for kind in KINDS {
        let mut whole = lab.measure(kind);
        let [mut killed, mut done] = [0, 0];
        for nth in 0..each {
            let args = lab.prepare(kind);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let known = lab.cases();
            // Early and late by turns, so that the measure is soon a good one.
            let at = (f64::from(nth * 7 % each) + lab.chance()) / f64::from(each) * LATE;
            // Others use the machine too, so what was measured is only a beginning.
            let was_killed = lab.run_and_kill(&args, whole.mul_f64(at), nth % 2 == 0);
            if kind == Kind::Shell {
                killed += u32::from(was_killed);
            } else if was_killed {
                killed += 1;
                whole = if 0.8 < at { whole.mul_f64(1.3) } else { whole };
            } else {
                done += 1;
                whole = if at < 0.8 { whole.mul_f64(0.8) } else { whole };
            }
            lab.check(kind, &known);
        }
        println!("{user:?} {kind:?}: {killed} killed, {done} done, {whole:?}");
        assert!(each / 4 <= killed, "{kind:?}: only {killed} of {each} met the work");
        assert!(0 < done || kind == Kind::Shell, "{kind:?}: no kill came near the end");
    }
    assert!(0 < lab.reported, "no file was ever reported");

    // What is left is only what is needed.
    let world = &lab.world;
    let _ = world.run(&["gc"]).success();
    assert_eq!(leftovers(world), [""; 0]);
    lab.check(Kind::Collect, &lab.cases());
    for id in lab.cases() {
        let _ = world.run(&["rm", "--yes", &id]).success();
    }
    let _ = world.run(&["gc"]).success();
    assert_eq!(leftovers(world), [""; 0]);
    for kind in ["snapshots/app", "wirings/app", "layers"] {
        let left = std::fs::read_dir(world.state().join("store").join(kind)).unwrap().flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert_eq!(left, [""; 0], "{kind}");
    }
    let cases = std::fs::read_dir(world.state().join("cases")).unwrap().flatten();
    let cases: Vec<_> = cases.map(|entry| entry.file_name()).collect();
    assert_eq!(cases, [".trash"]);
}

#[test]
fn whoever_runs_the_tests_loses_nothing() {
    kill_all(User::Same);
}

#[test]
fn an_ordinary_user_loses_nothing() {
    if common::am_root() {
        kill_all(User::Ordinary);
    }
}
