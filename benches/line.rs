//! What the whole line costs, redaction and journal included: a command that does
//! nothing, against fork and exec of the same; 4 KiB of a file, read again and again;
//! and an output of two gigabytes, with the memory that it takes.
//!
//! `cargo bench --bench line`. The candidates take turns within each round, and what
//! counts is the median of the differences within a round. `CASEFILE_BENCH_LARGE_MIB`
//! makes the large output smaller or larger, 0 leaves it out.

#![allow(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench starts programs, prints, and fails as a test does"
)]

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use casefile::config::PolicyName;
use casefile::config::limits::{Limit, Limits};
use casefile::jail::Zygote;
use casefile::jail::plan::{Plan, Wanted};
use casefile::jail::policy::{Giver, Library, Mode, Mount, Network, Policy, Shown, Strength};
use casefile::outputs::{Budget, Secrets};
use casefile::tools::{Call, Ground, Opened, Part, ReadFile, Session, Shell, Start, Stop};
use sha2::{Digest, Sha256};

const ROUNDS: usize = 400;
const READS: usize = 4_000;
const LARGE_MIB: u64 = 2_048;

fn main() {
    // A bench is a host like any other: its zygote is this program started anew.
    let name = std::env::args_os().next();
    if let Some(code) = casefile::jail::take_over(name.as_deref()) {
        std::process::exit(code);
    }
    let dir = tempfile::Builder::new().prefix("casefile-bench-").tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let small: String = (0..64).map(|nth| format!("{nth:<63}\n")).collect();
    for name in ["notes", "outputs"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    std::fs::write(dir.path().join("notes/small"), small).unwrap();
    let session = session(dir.path());
    commands(&session);
    reads(&session);
    let given = std::env::var("CASEFILE_BENCH_LARGE_MIB").ok();
    let mib = given.map_or(LARGE_MIB, |given| given.parse().unwrap());
    if 0 < mib {
        large(&session, dir.path(), mib);
    }
}

fn session(dir: &Path) -> Session {
    let policy = Library::new(None).load(&PolicyName::default()).unwrap();
    let mut limits = policy.limits(&Limits::default());
    limits.set(Limit::Output, 8 * 1024).unwrap();
    limits.set(Limit::Outputs, 8 * 1024).unwrap();
    let plan = plan(dir, &policy, &limits);
    let open = move || {
        let zygote = Zygote::start().unwrap();
        let jail = zygote.open(&plan).unwrap();
        Ok(Opened { jail, zygote })
    };
    let ground = Ground {
        code: Vec::new(),
        case: dir.into(),
        policy,
        start: Start {
            env: vec![b"PATH=/usr/bin:/bin".to_vec()],
            limits,
            cwd: "/case/notes".into(),
            base: "/case".into(),
        },
        secrets: Arc::new(Secrets::new([7; 16], Vec::new()).unwrap()),
        budget: Budget::default(),
        outputs_bytes_max: 8 << 30,
        outputs_at: "/case/outputs".into(),
        open: Box::new(open),
        clock: Box::new(jiff::Timestamp::now),
        key: [7; 16],
    };
    Session::begin(ground).unwrap()
}

fn plan(dir: &Path, policy: &Policy, limits: &Limits) -> Plan {
    let mut shown = policy.shown(Path::new("/"), &[]).unwrap();
    for (name, mode) in [("notes", Mode::Write), ("outputs", Mode::Read)] {
        let mount = Mount { from: dir.join(name), to: Path::new("/case").join(name), mode };
        shown.push(Shown { mount, by: Giver::Flag(mode), optional: false });
    }
    let wanted = Wanted {
        strength: Strength::Namespaces,
        network: Network::None,
        local_sockets: false,
        limits,
        kept: Vec::new(),
        shown,
        layered: Vec::new(),
        program_at: None,
        scratch: None,
    };
    Plan::new(&wanted).unwrap()
}

fn commands(session: &Session) {
    let stop = Stop::default();
    let call = shell("true", None);
    let (mut plain, mut through, mut over) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut child = Command::new("bash")
            .args(["-c", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
        child.stderr.take().unwrap().read_to_end(&mut said).unwrap();
        assert!(child.wait().unwrap().success() && said.is_empty());
        let forked = began.elapsed().as_secs_f64() * 1e3;
        let began = Instant::now();
        let reply = session.call(&call, false, &stop).unwrap();
        let called = began.elapsed().as_secs_f64() * 1e3;
        assert_eq!(reply.status, Some(0));
        plain.push(forked);
        through.push(called);
        over.push(called - forked);
    }
    println!("`bash -c true`, {ROUNDS} rounds, ms");
    told("fork and exec", plain);
    told("shell, the whole line", through);
    told("  over that, by round", over);
}

fn reads(session: &Session) {
    let stop = Stop::default();
    let part = Part { path: "notes/small".into(), from: 1, ..Part::default() };
    let call = Call::ReadFile(ReadFile { parts: vec![part], raw: false });
    let mut times = Vec::new();
    for _ in 0..READS {
        let began = Instant::now();
        let reply = session.call(&call, true, &stop).unwrap();
        times.push(began.elapsed().as_secs_f64() * 1e3);
        assert!(!reply.is_error && 4_096 < reply.shown.text().len());
    }
    println!("\nread_file of 4 KiB, {READS} rounds, ms");
    told("the whole line", times);
}

/// An output of so many MiB, which a program of C's speed prints.
fn large(session: &Session, dir: &Path, mib: u64) {
    let stop = Stop::default();
    let line = "2026-03-01T03:12:00.123Z INFO pool=checkout waited 12 ms for a connection";
    let bytes = mib * 1024 * 1024;
    let command = format!("yes '{line}' | head -c {bytes}");
    let before = peak_kib();
    let began = Instant::now();
    let reply = session.call(&shell(&command, Some(280)), false, &stop).unwrap();
    let took = began.elapsed().as_secs_f64();
    let peak = peak_kib() - before;
    let name = reply.shown.text().split("/case/outputs/").nth(1).unwrap();
    let kept: PathBuf = dir.join("outputs").join(name.split(' ').next().unwrap());
    assert_eq!(kept.metadata().unwrap().len(), bytes);
    println!("\nan output of {mib} MiB");
    println!("  took {took:.1} s, {:.0} MB/s", bytes as f64 / 1e6 / took);
    println!("  memory of the host, over what it had: {} MiB", peak / 1024);
    println!(
        "  shown: {} characters, about {} tokens",
        reply.shown.text().chars().count(),
        reply.shown.tokens()
    );
    let mut digest = Sha256::new();
    let mut file = std::fs::File::open(&kept).unwrap();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => break,
            more => digest.update(&buffer[..more]),
        }
    }
    let sha256: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(reply.shown.text().contains(&sha256[..16]), "{}", reply.shown.text());
    println!("  its file is whole, sha256 {}", &sha256[..16]);
    let began = Instant::now();
    let path = format!("/case/outputs/{}", kept.file_name().unwrap().to_string_lossy());
    let found = shell(&format!("grep -c 'waited 12 ms' {path}"), Some(280));
    let reply = session.call(&found, false, &stop).unwrap();
    println!(
        "  grep in the shell: {:?} in {:.1} s",
        reply.shown.text().lines().nth(1),
        began.elapsed().as_secs_f64()
    );
}

fn shell(command: &str, timeout_s: Option<u64>) -> Call {
    Call::Shell(Shell { command: command.into(), timeout_s, ..Shell::default() })
}

/// The most memory that this process has ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn told(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!("  {what:<26} {:.3} median, {:.3} to {:.3} (p5 to p95)", at(50), at(5), at(95));
}
