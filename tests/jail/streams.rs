//! A command's streams, exit code and signals are those of the same command
//! without a jail.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Test;
use crate::common::User;
use crate::ground::{GONE_MAX, Ground, Ran, collect, ended, start};
use crate::part::{hash, pattern};

pub(crate) const TESTS: &[Test] = &[
    ("streams::carry_every_byte_each_way", carry_every_byte_each_way),
    ("streams::end_as_pipes_do", end_as_pipes_do),
    ("streams::are_not_held_back", are_not_held_back),
    ("streams::exit_codes_and_signals_come_out", exit_codes_and_signals_come_out),
    ("streams::signals_go_in", signals_go_in),
];

const MIB: usize = 1024 * 1024;

fn with_input(ground: &Ground, mut command: Command, bytes: Vec<u8>) -> Ran {
    let began = Instant::now();
    let mut child = start(command.stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    // The command may not want it all.
    let writer = thread::spawn(move || drop(stdin.write_all(&bytes)));
    let ran = collect(child, began);
    writer.join().unwrap();
    assert!(ground.gone_after() <= GONE_MAX);
    ran
}

fn carry_every_byte_each_way(user: User) {
    let ground = Ground::new(user, "output_mib: 200, memory_mib: 512");
    let bytes = 50 * MIB;
    let ran = ground.finish(ground.part(&[], &["pattern", "1", &bytes.to_string(), "out"]));
    assert!(ran.out == pattern(1, bytes) && ran.err.is_empty() && ran.status.success());
    // Text in both halves, so that what is compared is every byte.
    let mut command = ground.part(&[], &["pattern", "2", &bytes.to_string(), "err"]);
    let output = command.output().unwrap();
    assert!(output.stderr == pattern(2, bytes) && output.stdout.is_empty());

    let input = pattern(3, bytes);
    let want = format!("{:016x} {bytes}\n", hash(&input));
    assert_eq!(with_input(&ground, ground.part(&[], &["hash"]), input.clone()).said(), want);
    let ran = with_input(&ground, ground.part(&[], &["echo"]), input.clone());
    assert!(ran.out == input && ran.err.is_empty() && ran.status.success());

    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&b""[..], b"no newline", b"\0", b"\0\0\n\0", &all] {
        let mut cat = ground.run(&["--", "cat"]);
        cat.stdin(Stdio::piped());
        assert_eq!(with_input(&ground, cat, bytes.to_vec()).out, bytes);
    }
    let ran = ground.sh(&[], "printf out; printf err >&2; exit 3");
    assert_eq!((&ran.out[..], &*ran.err, ran.status.code()), (&b"out"[..], "err", Some(3)));
}

fn end_as_pipes_do(user: User) {
    let ground = Ground::new(user, "");
    // Nobody reads on: the command gets SIGPIPE, and casefile says so.
    let mut child = start(&mut ground.run(&["--", "yes"]));
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let began = Instant::now();
    assert_eq!((ended(&mut child).code(), &first), (Some(128 + libc::SIGPIPE), b"y\n"));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(ground.gone_after() <= GONE_MAX);

    // Closed from the start, one by one and all together.
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        let mut shell = ground.world.program("sh");
        let run = ground.run(&["--", "sh", "-c", "exit 7"]);
        let line = format!("{} run -- sh -c 'exit 7' {closed}", run.get_program().display());
        shell.args(["-c", &line]);
        let ran = ground.finish(shell);
        assert_eq!(ran.status.code(), Some(7), "{closed}: {}", ran.err);
    }

    // The command reads no further, and its caller goes on writing.
    let ran = with_input(&ground, ground.run(&["--", "head", "-c", "3"]), pattern(4, 10 * MIB));
    assert_eq!((ran.out, ran.status.code()), (pattern(4, 3), Some(0)));
    let script = "exec <&-; sleep 0.3; echo on";
    let ran = with_input(&ground, ground.run(&["--", "sh", "-c", script]), pattern(4, 10 * MIB));
    assert_eq!(ran.said(), "on\n");
    // A caller who never closes its end is not waited for.
    let mut child = start(ground.run(&["--", "true"]).stdin(Stdio::piped()));
    let held = child.stdin.take();
    assert_eq!(ended(&mut child).code(), Some(0));
    drop(held);
}

fn are_not_held_back(user: User) {
    let ground = Ground::new(user, "");
    let script = "for i in 1 2 3; do printf $i; sleep 0.4; done";
    let mut child = start(&mut ground.run(&["--", "sh", "-c", script]));
    let mut out = child.stdout.take().unwrap();
    let (mut byte, mut last) = ([0], None::<Instant>);
    for want in b"123" {
        out.read_exact(&mut byte).unwrap();
        assert_eq!(&byte[0], want);
        if let Some(last) = last.replace(Instant::now()) {
            let apart = last.elapsed();
            assert!(Duration::from_millis(200) < apart, "held back: {apart:?}");
        }
    }
    assert!(ended(&mut child).success());
}

fn exit_codes_and_signals_come_out(user: User) {
    let ground = Ground::new(user, "");
    for code in 0..=255 {
        let mut run = ground.run(&["--", "sh", "-c", &format!("exit {code}")]);
        let output = run.output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(code), vec![]), "exit {code}");
    }
    let not_deadly = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
    let stopping = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    let told = [libc::SIGXCPU, libc::SIGXFSZ];
    for signal in (1..=31).chain(34..=64) {
        if [&not_deadly[..], &stopping].concat().contains(&signal) {
            continue;
        }
        let ran = ground.finish(ground.part(&[], &["signal", &signal.to_string()]));
        assert_eq!(ran.status.code(), Some(128 + signal), "signal {signal}");
        assert_eq!(ran.err.is_empty(), !told.contains(&signal), "signal {signal}: {}", ran.err);
    }
    #[rustfmt::skip]
    let table = [
        ("no-such-program", 127, "starting `no-such-program`: No such file or directory"),
        ("./none",          127, "starting `./none`: No such file or directory"),
        ("/etc/passwd",     126, "starting `/etc/passwd`: Permission denied"),
        ("/usr/bin",        126, "starting `/usr/bin`: Permission denied"),
    ];
    for (program, code, said) in table {
        let ran = ground.finish(ground.run(&["--", program])).code(code);
        let line = format!("error: the command could not be started: {said}\nhint: ");
        assert!(ran.err.starts_with(&line), "{}", ran.err);
    }
}

fn signals_go_in(user: User) {
    let ground = Ground::new(user, "");
    #[rustfmt::skip]
    let table = [
        (Signal::SIGINT,  "INT"),
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGHUP,  "HUP"),
        (Signal::SIGQUIT, "QUIT"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGUSR2, "USR2"),
    ];
    for (signal, name) in table {
        // Two times: with a handler, whose code comes out, and without.
        for (trap, code) in [
            (format!("trap 'echo got {name}; exit 9' {name};"), 9),
            (String::new(), 128 + signal as i32),
        ] {
            let script = format!("{trap} echo ready; while :; do sleep 0.01; done");
            let mut child = start(&mut ground.heeding(&["--", "sh", "-c", &script]));
            let mut out = child.stdout.take().unwrap();
            out.read_exact(&mut [0; 6]).unwrap();
            kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
            let status = ended(&mut child);
            let mut said = String::new();
            out.read_to_string(&mut said).unwrap();
            let want = if code == 9 { format!("got {name}\n") } else { String::new() };
            assert_eq!((status.code(), said), (Some(code), want), "{name}");
        }
    }
    // One that will not hear is given its time, and no more.
    let mut child = start(&mut ground.part(&[], &["deaf"]));
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let began = Instant::now();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(ended(&mut child).code(), Some(128 + 9));
    let took = began.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(6)).contains(&took), "{took:?}");
    assert!(ground.gone_after() <= GONE_MAX);
}
