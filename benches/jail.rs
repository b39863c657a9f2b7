//! What a jail costs: a command through a warden against plain fork+exec, opening
//! a jail, reading in one, and what an idle one holds in memory.
//!
//! `cargo bench --bench jail`. The candidates take turns within each round, so
//! that a machine that changes its speed changes it for all of them; what counts
//! is the median of the differences within a round. bubblewrap joins in where it
//! is installed.

#![expect(unsafe_code, reason = "the plain fork that a command is compared with")]
#![allow(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench starts programs, prints, and fails as a test does"
)]

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use casefile::config::limits::Limits;
use casefile::jail::plan::{Layered, Plan, Wanted};
use casefile::jail::policy::{Library, Network, Strength};
use casefile::jail::wire::{Spec, Status, WallKey};
use casefile::jail::{Jail, Streams, Zygote};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, execv, fork};

const ROUNDS: usize = 400;
const JAILS_OPEN: usize = 50;
const BUBBLEWRAP: &str = "/usr/bin/bwrap";
/// What was taken down is gone by then.
const REST: Duration = Duration::from_millis(20);

fn main() {
    // A bench is a host like any other: its zygote is this program started anew.
    let name = std::env::args_os().next();
    if let Some(code) = casefile::jail::take_over(name.as_deref()) {
        std::process::exit(code);
    }
    let zygote = Zygote::start().unwrap();
    let plan = plan();
    commands(&zygote, &plan);
    opening(&zygote, &plan);
    layered(&zygote);
    hands(&zygote, &plan);
    memory(&zygote, &plan);
}

fn plan() -> Plan {
    plan_with(Vec::new())
}

fn plan_with(layered: Vec<Layered>) -> Plan {
    let offline = Library::new(None).named("offline").unwrap();
    let shown = offline.shown(Path::new("/nonexistent"), &[]).unwrap();
    let limits = Limits::default();
    let wanted = Wanted {
        strength: Strength::Namespaces,
        network: Network::None,
        local_sockets: false,
        limits: &limits,
        kept: Vec::new(),
        shown,
        layered,
        program_at: None,
        scratch: None,
    };
    Plan::new(&wanted).unwrap()
}

/// `/bin/true` in turn: plain, through a warden, through bubblewrap.
fn commands(zygote: &Zygote, plan: &Plan) {
    let jail = zygote.open(plan).unwrap();
    let bubblewrap = Path::new(BUBBLEWRAP).exists();
    let (mut plain, mut warden, mut wrapped) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        plain.push(timed(fork_and_exec));
        warden.push(timed(|| in_jail(&jail)));
        if bubblewrap {
            wrapped.push(timed(in_bubblewrap));
        }
        // As between the calls of an agent: whoever prepares something may do so.
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("a command, means: {:?}, {ROUNDS} rounds", jail.means());
    row("fork+exec of /bin/true", &plain);
    row("the same through a warden", &warden);
    row("  over fork+exec, by round", &differences(&warden, &plain));
    if bubblewrap {
        row("the same through bubblewrap", &wrapped);
        row("  over fork+exec, by round", &differences(&wrapped, &plain));
    }
    let back_to_back: Vec<_> = (0..ROUNDS).map(|_| timed(|| in_jail(&jail))).collect();
    row("through a warden, back to back", &back_to_back);
}

fn fork_and_exec() {
    let program = CString::new("/bin/true").unwrap();
    // SAFETY: the bench has one thread, and the child only execs.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => drop(waitpid(child, None).unwrap()),
        ForkResult::Child => {
            let _ = execv(&program, &[&program]);
            std::process::exit(1)
        }
    }
}

fn in_jail(jail: &Jail) {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let spec = Spec {
        args: vec![b"/bin/true".to_vec()],
        env: vec![b"PATH=/usr/bin:/bin".to_vec()],
        cwd: b"/".to_vec(),
        terminal: None,
        wall_ms: 10_000,
        wall_key: WallKey::Wall,
    };
    let null = null.as_fd();
    let end = jail.start(&spec, &Streams::Three([null, null, null])).unwrap().wait().unwrap();
    assert_eq!(end.status, Status::Exited(0));
}

fn in_bubblewrap() {
    let args = ["--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr"];
    let links = ["--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"];
    let rest = ["--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev"];
    let status = Command::new(BUBBLEWRAP)
        .args(args)
        .args(links)
        .args(rest)
        .args(["--tmpfs", "/tmp", "/bin/true"])
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

/// Opening one, in turn with what says how fast the machine is just now.
fn opening(zygote: &Zygote, plan: &Plan) {
    let bubblewrap = Path::new(BUBBLEWRAP).exists();
    let (mut open, mut plain, mut wrapped) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS / 4 {
        let start = Instant::now();
        let jail = zygote.open(plan).unwrap();
        open.push(start.elapsed().as_secs_f64() * 1000.0);
        drop(jail);
        std::thread::sleep(REST);
        plain.push(timed(fork_and_exec));
        if bubblewrap {
            wrapped.push(timed(in_bubblewrap));
            std::thread::sleep(REST);
        }
    }
    println!("\nopening a jail");
    row("from plan to ready", &open);
    share("  of fork+exec, by round", &open, &plain);
    if bubblewrap {
        share("  of a command in bubblewrap", &open, &wrapped);
    }
}

/// How much one takes of what another takes, within a round.
fn share(what: &str, these: &[f64], those: &[f64]) {
    let mut shares: Vec<f64> = these.iter().zip(those).map(|(this, that)| this / that).collect();
    shares.sort_by(f64::total_cmp);
    println!("  {what:<34} {:>9.2} median", shares[shares.len() / 2]);
}

/// Opening one with a tree of three layers, in turn with one that has none.
fn layered(zygote: &Zygote) {
    let dir = tempfile::tempdir().unwrap();
    let below: Vec<_> = ["top", "middle", "base"].map(|name| dir.path().join(name)).into();
    below.iter().for_each(|layer| std::fs::create_dir(layer).unwrap());
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let plain = plan();
    for round in 0..ROUNDS / 4 {
        // New ones each time, and nothing removed: some file systems are slow where much
        // was just removed, and it would be them that is measured.
        let changes = dir.path().join(format!("changes-{round}"));
        for name in ["upper", "work"] {
            std::fs::create_dir_all(changes.join(name)).unwrap();
        }
        let at = "/case/repos/code".into();
        let layered =
            plan_with(vec![Layered { at, below: below.clone(), changes, durable: false }]);
        for (plan, times) in [(&layered, &mut with), (&plain, &mut without)] {
            let start = Instant::now();
            let jail = zygote.open(plan).unwrap();
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            drop(jail);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    println!("\nopening a jail with a tree of three layers");
    row("with it", &with);
    row("without", &without);
    row("  over that, by round", &differences(&with, &without));
}

/// A read of 4 KiB through the hands, back to back, as a tool makes it; and the
/// same by this process, which it may not do in a jail.
fn hands(zygote: &Zygote, plan: &Plan) {
    let jail = zygote.open(plan).unwrap();
    let began = Instant::now();
    let mut hands = jail.hands().unwrap();
    assert_eq!(hands.read(READ, 0, READ_BYTES).unwrap().bytes.len(), READ_BYTES);
    let first = began.elapsed().as_secs_f64() * 1000.0;
    let (mut through, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..READS {
        through.push(timed(|| drop(hands.read(READ, 0, READ_BYTES).unwrap())));
        plain.push(timed(|| {
            let mut bytes = vec![0; READ_BYTES];
            let path = Path::new(std::str::from_utf8(READ).unwrap());
            File::open(path).unwrap().read_exact_at(&mut bytes, 0).unwrap();
        }));
    }
    println!("\nreading 4 KiB, {READS} rounds");
    row("through the hands", &through);
    row("open, read and close", &plain);
    row("new hands and their first read", &[first]);
}

/// A program that every host has, and so a file of more than that.
const READ: &[u8] = b"/usr/bin/env";
const READ_BYTES: usize = 4096;
const READS: usize = 10_000;

/// The private memory of idle wardens, their waiting first process included.
fn memory(zygote: &Zygote, plan: &Plan) {
    let jails: Vec<_> = (0..JAILS_OPEN).map(|_| zygote.open(plan).unwrap()).collect();
    jails.iter().for_each(in_jail);
    std::thread::sleep(Duration::from_millis(200));
    let mut kib: Vec<u64> = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let comm = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if ["casefile-warden\n", "casefile-init\n"].contains(&&*comm) {
            kib.push(private_kib(&entry.path()));
        }
    }
    println!("\nmemory of {} idle jails in {} processes", jails.len(), kib.len());
    println!(
        "  {:<34} {:>9} KiB",
        "private, per jail",
        kib.iter().sum::<u64>() / JAILS_OPEN as u64
    );
}

fn private_kib(process: &Path) -> u64 {
    let rollup = std::fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
    let value = |key: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    value("Private_Clean:") + value("Private_Dirty:")
}

/// Milliseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1000.0
}

fn differences(these: &[f64], those: &[f64]) -> Vec<f64> {
    these.iter().zip(those).map(|(this, that)| this - that).collect()
}

fn row(what: &str, times: &[f64]) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100];
    println!("  {what:<34} {:>9.3} ms median, {:.3} to {:.3} (p5 to p95)", at(50), at(5), at(95));
}
