//! The ground a test stands on: a world with a copy of the program of its own, by
//! which every process that a test has started can be found, wherever it went.

use std::fs;
use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{User, World, binary, this_program};
use crate::part;

/// Longer than anything here may take; what takes longer hangs.
const HANGS: Duration = Duration::from_secs(60);

/// By when nothing must be left of what was killed.
pub(crate) const GONE_MAX: Duration = Duration::from_millis(100);

const SETTINGS: &str = "settings.yaml";

/// A world, and a mark on all that is started in it.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) world: World,
    program: PathBuf,
    part: PathBuf,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

/// A process that was started, and does not outlive the test that did.
#[derive(Debug)]
pub(crate) struct Started(Child);

/// Starts a command.
#[track_caller]
pub(crate) fn start(command: &mut Command) -> Started {
    Started(command.spawn().unwrap())
}

impl Deref for Started {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Started {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ran {
    /// Standard output as text, if the command succeeded and complained of nothing.
    #[track_caller]
    pub(crate) fn said(self) -> String {
        assert_eq!((self.status.code(), self.err.as_str()), (Some(0), ""), "{self:?}");
        String::from_utf8(self.out).unwrap()
    }

    #[track_caller]
    pub(crate) fn code(self, want: i32) -> Self {
        assert_eq!(self.status.code(), Some(want), "{}", self.err);
        self
    }
}

impl Ground {
    /// `limits` are those of casefile.yaml, as `key: value, key: value`.
    pub(crate) fn new(user: User, limits: &str) -> Self {
        let world = World::of(user);
        world.put(SETTINGS, format!("limits: {{{limits}}}\n"));
        world.put("tmp/here", "");
        let copy = |from: &Path, name: &str| {
            let to = world.path(name);
            if fs::hard_link(from, &to).is_err() {
                fs::copy(from, &to).unwrap();
            }
            to
        };
        let (program, part) = (copy(binary(), "casefile"), copy(this_program(), part::NAME));
        Self { world, program, part }
    }

    /// What every command in a jail of this ground has in its environment. It is
    /// passed on by every policy, and to a program that asks for no time it
    /// means nothing.
    fn mark(&self) -> String {
        let name = self.world.path("");
        format!("TZ=mark-{}", name.file_name().unwrap().to_str().unwrap())
    }

    /// `casefile run` with these arguments.
    pub(crate) fn run(&self, args: &[&str]) -> Command {
        let mut command = self.world.program(&self.program);
        command.env("TZ", &self.mark()[3..]).env("TMPDIR", self.world.path("tmp"));
        // Named, so that it needs no trust.
        command.arg("--config").arg(self.world.path(SETTINGS)).arg("run").args(args);
        command
    }

    /// The same, deaf to no signal, even where these tests are: a shell that starts
    /// them in the background makes them ignore what its terminal sends.
    pub(crate) fn heeding(&self, args: &[&str]) -> Command {
        let run = self.run(args);
        let mut command = self.world.program("env");
        command.arg("--default-signal").arg(run.get_program()).args(run.get_args());
        command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// `casefile run` of a part of `part.rs`, with these options before it.
    pub(crate) fn part(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = self.run(&["--read"]);
        // Without namespaces everything is at its own place.
        command.arg(&self.part).args(options).arg("--").arg(&self.part).args(words);
        command
    }

    /// The same part outside of any jail, to be found as those inside are.
    pub(crate) fn unjailed(&self, words: &[&str]) -> Command {
        let mut command = self.world.program(&self.part);
        command.args(words);
        command
    }

    /// Runs a shell script in a jail to its end.
    #[track_caller]
    pub(crate) fn sh(&self, options: &[&str], script: &str) -> Ran {
        let mut command = self.run(options);
        command.args(["--", "sh", "-c", script]);
        self.finish(command)
    }

    /// Runs a command to its end, and holds that nothing of it is left by then.
    #[track_caller]
    pub(crate) fn finish(&self, mut command: Command) -> Ran {
        let began = Instant::now();
        let ran = collect(start(&mut command), began);
        // What is left of the jail itself has nobody in it and is about to end.
        let all = self.processes();
        let left: Vec<_> = all.iter().filter(|one| !one.name.starts_with("casefile")).collect();
        assert!(left.is_empty(), "left over: {left:#?}\nby {command:?}\n{}", ran.err);
        let gone = self.gone_after();
        assert!(gone < GONE_MAX, "the jail outlived casefile by {gone:?}");
        ran
    }

    /// The processes that are there because of this ground, a line each.
    pub(crate) fn left(&self) -> Vec<String> {
        self.processes().into_iter().map(|process| format!("{process:?}")).collect()
    }

    pub(crate) fn processes(&self) -> Vec<Process> {
        let (program, part, mark) = (&self.program, &self.part, self.mark());
        let mine = |pid: i32| {
            let at = PathBuf::from(format!("/proc/{pid}"));
            let name = fs::read_to_string(at.join("comm")).unwrap_or_default().trim().to_owned();
            let is_ours = match fs::read_link(at.join("exe")) {
                Ok(exe) => exe == *program || exe == *part || is_marked(&at, &mark),
                // Only its own kind hides from a user whose it is.
                Err(_) => name.starts_with("casefile-") && owner(&at) == Some(own_uid()),
            };
            // One that has ended and waits to be collected is gone.
            (is_ours && !is_over(&at)).then_some(Process { pid, name })
        };
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != i32::try_from(std::process::id()).unwrap())
            .filter_map(mine)
            .collect()
    }

    /// The process of this name, once there is one.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(found) = self.processes().iter().find(|process| process.name == name) {
                return found.pid;
            }
            assert!(began.elapsed() < HANGS, "no `{name}` among {:?}", self.left());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// When, from now, something was there for the last time. What the machine is
    /// late by itself, as a short sleep shows, is not counted.
    #[track_caller]
    pub(crate) fn gone_after(&self) -> Duration {
        self.gone_but(None)
    }

    /// The same for all but one process.
    #[track_caller]
    pub(crate) fn gone_but(&self, stays: Option<i32>) -> Duration {
        let (clock, mut seen) = (Clock::start(), Duration::ZERO);
        loop {
            let at = clock.elapsed();
            let mut left = self.processes();
            left.retain(|process| Some(process.pid) != stays);
            if left.is_empty() {
                return seen;
            }
            // It was there when the look at it began.
            seen = at;
            assert!(clock.began.elapsed() < Duration::from_secs(5), "still there: {left:#?}");
        }
    }
}

/// A clock that stands still while the machine is busy with others: what a
/// thread that only naps is late by is not counted.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    late_us: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        const NAP: Duration = Duration::from_millis(1);
        let clock =
            Self { began: Instant::now(), late_us: Arc::default(), is_over: Arc::default() };
        let (late_us, is_over) = (clock.late_us.clone(), clock.is_over.clone());
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let slept = Instant::now();
                thread::sleep(NAP);
                let late = slept.elapsed().saturating_sub(NAP);
                late_us.fetch_add(u64::try_from(late.as_micros()).unwrap(), Ordering::Relaxed);
            }
        });
        clock
    }

    pub(crate) fn elapsed(&self) -> Duration {
        let late = Duration::from_micros(self.late_us.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(late)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) name: String,
}

fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

fn owner(at: &Path) -> Option<u32> {
    let status = fs::read_to_string(at.join("status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok())
}

fn is_marked(at: &Path, mark: &str) -> bool {
    let environment = fs::read(at.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

fn is_over(at: &Path) -> bool {
    let stat = fs::read_to_string(at.join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Waits for the end of a command whose output is piped.
#[track_caller]
pub(crate) fn collect(mut child: Started, began: Instant) -> Ran {
    fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            bytes
        })
    }
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = ended(&mut child);
    let took = began.elapsed();
    let err = String::from_utf8_lossy(&err.join().unwrap()).into_owned();
    Ran { status, out: out.join().unwrap(), err, took }
}

/// How a child ends, if it does not hang.
#[track_caller]
pub(crate) fn ended(child: &mut Started) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if HANGS < began.elapsed() {
            child.kill().unwrap();
            panic!("it hangs: {:?}", child.wait());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A part that is played outside of any jail, by `user`.
pub(crate) fn outside(world: &World, words: &[&str]) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = world.program(this_program());
    command.arg0(part::NAME).args(words).stdin(Stdio::null());
    command
}

/// What zygotes of root's left in the cgroups that jails of this process are made
/// in, and that the next start clears away.
fn orphaned_cgroups() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = table.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let top = Path::new("/sys/fs/cgroup");
        Some(if controllers.is_empty() { top.join(path) } else { top.join(controllers).join(path) })
    });
    let of_the_dead = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()?.strip_prefix("casefile-"));
        let zygote = name.and_then(|name| name.split('-').next());
        // Who is still in one is somebody's, and this ground's are looked for by name.
        let is_empty = fs::read(path.join("cgroup.procs")).is_ok_and(|pids| pids.is_empty());
        is_empty && zygote.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
    };
    own.filter_map(|dir| fs::read_dir(dir).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(of_the_dead)
        .collect()
}

/// Holds that no cgroup is left for longer than it takes to tidy up.
#[track_caller]
pub(crate) fn no_orphaned_cgroup() {
    let began = Instant::now();
    while !orphaned_cgroups().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(3), "{:#?}", orphaned_cgroups());
        thread::sleep(Duration::from_millis(20));
    }
}
