//! What reading and writing a file through the jail costs: a small one, lines in the
//! middle and at the end of a log of a gigabyte, and a passage that is replaced.
//!
//! `cargo bench --bench read`. Beside them stand the programs that would answer
//! otherwise. The log is written anew each time, in the directory for passing files.

#![allow(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench starts programs, prints, and fails as a test does"
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use casefile::config::limits::Limits;
use casefile::jail::plan::{Plan, Wanted};
use casefile::jail::policy::{Giver, Mode, Mount, Network, Shown, Strength};
use casefile::jail::{Hands, Zygote};
use casefile::tools::{Part, Place, ReadFile, WriteFile, WriteMode, read_file, write_file};

const ROUNDS: usize = 2_000;
const LOG_BYTES: u64 = 1_070_000_000;
const MIDDLE: i64 = 5_000_000;

fn main() {
    // A bench is a host like any other: its zygote is this program started anew.
    let name = std::env::args_os().next();
    if let Some(code) = casefile::jail::take_over(name.as_deref()) {
        std::process::exit(code);
    }
    let dir = tempfile::Builder::new().prefix("casefile-bench-").tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let small: String = (0..64).map(|nth| format!("{nth:<63}\n")).collect();
    std::fs::write(dir.path().join("small"), &small).unwrap();
    let lines = log(&dir.path().join("log"));

    let zygote = Zygote::start().unwrap();
    let limits = Limits::default();
    let mount = Mount { from: dir.path().into(), to: "/case".into(), mode: Mode::Write };
    let wanted = Wanted {
        strength: Strength::Namespaces,
        network: Network::None,
        local_sockets: false,
        limits: &limits,
        kept: Vec::new(),
        shown: vec![Shown { mount, by: Giver::Flag(Mode::Write), optional: false }],
        layered: Vec::new(),
        program_at: None,
        scratch: None,
    };
    let jail = zygote.open(&Plan::new(&wanted).unwrap()).unwrap();
    let mut hands = jail.hands().unwrap();
    hands.set_patience(Duration::from_secs(60));

    println!("a file of {} bytes, {ROUNDS} rounds", small.len());
    let mut floor = || hands.read(b"/case/small", 0, small.len()).unwrap();
    row("its bytes", &times(ROUNDS, || drop(floor())));
    row("read_file of it", &times(ROUNDS, || drop(read(&mut hands, "small", 1, None))));

    println!("a log of {} MB and {lines} lines", LOG_BYTES / 1_000_000);
    let middle = |hands: &mut Hands| {
        let got = read(hands, "log", MIDDLE, Some(101));
        assert!(got.starts_with(&format!("{MIDDLE}\t")), "{got:.80}");
    };
    row("its last 100 lines, not counted", &times(1, || drop(read(&mut hands, "log", -100, None))));
    row("lines in the middle, not counted", &times(1, || middle(&mut hands)));
    row("lines in the middle, counted", &times(ROUNDS, || middle(&mut hands)));
    row(
        "its last 100 lines, counted so far",
        &times(20, || drop(read(&mut hands, "log", -100, None))),
    );
    row("its last line, by number", &times(1, || drop(read(&mut hands, "log", lines, None))));
    row(
        "its last 100 lines, all counted",
        &times(ROUNDS, || drop(read(&mut hands, "log", -100, None))),
    );
    row("its first 100 lines", &times(ROUNDS, || drop(read(&mut hands, "log", 1, Some(100)))));
    let log = dir.path().join("log");
    let tail = || shell(&format!("tail -n +{MIDDLE} {} | head -n 101", log.display()));
    row("tail and head, middle", &times(5, tail));
    let sed = || {
        shell(&format!("sed -n '{MIDDLE},{}p;{}q' {}", MIDDLE + 100, MIDDLE + 100, log.display()));
    };
    row("sed, middle", &times(5, sed));
    row("tail, end", &times(20, || shell(&format!("tail -n 100 {}", log.display()))));

    println!("a passage in a file of {} bytes", small.len());
    let mut nth = 0;
    row(
        "replaced",
        &times(200, || {
            nth += 1;
            let (old, new) = if nth % 2 == 1 { ("\n31 ", "\nxx ") } else { ("\nxx ", "\n31 ") };
            let mode = WriteMode::Passage { old: old.into() };
            let asked = WriteFile { path: "small".into(), text: new.into(), mode };
            write_file(&asked, &mut place(&mut hands)).unwrap();
        }),
    );
}

fn place(hands: &mut Hands) -> Place<'_> {
    Place { hands, base: b"/case", stop: None }
}

fn read(hands: &mut Hands, path: &str, from: i64, lines: Option<u64>) -> String {
    let part = Part { path: path.into(), from, lines, column: None };
    let asked = ReadFile { parts: vec![part], raw: false };
    String::from_utf8(read_file(&asked, &mut place(hands)).unwrap().body).unwrap()
}

/// Writes lines of some length, and says how many.
fn log(path: &Path) -> i64 {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let (mut written, mut number) = (0, 0);
    while written < LOG_BYTES {
        number += 1;
        let more = if number % 7 == 0 { " and the card was declined by the bank" } else { "" };
        let line = format!(
            "2026-11-02T10:{:02}:{:02}Z INFO checkout request={number} ms={} worker=3 path=/v1/pay{more}\n",
            number / 60 % 60,
            number % 60,
            number % 997
        );
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
    }
    file.flush().unwrap();
    number
}

fn shell(command: &str) {
    let status = Command::new("/bin/sh").args(["-c", command]).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
}

fn times(rounds: usize, mut work: impl FnMut()) -> Vec<Duration> {
    let mut times: Vec<_> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort();
    times
}

fn row(what: &str, times: &[Duration]) {
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!("  {what:<36} {:>10.1?}   p95 {:>10.1?}", at(50), at(95));
}
