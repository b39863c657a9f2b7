//! The library as a server uses it: one process, many jails, many commands at
//! once, and nothing open afterwards that was not open before.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use casefile::config::limits::{Limit, Limits};
use casefile::jail::plan::{HOME, Plan, Wanted};
use casefile::jail::policy::Library;
use casefile::jail::wire::{PassedLimit, Spec, Status, WallKey};
use casefile::jail::{Jail, JailError, News, Running, Streams, Zygote};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};

use crate::Test;
use crate::common::{User, World};
use crate::ground::{Clock, outside};

pub(crate) const TESTS: &[Test] = &[
    ("api::two_thousand_commands_eight_at_a_time", two_thousand_commands_eight_at_a_time),
    ("api::two_hundred_jails_at_once", two_hundred_jails_at_once),
    ("api::a_cancelled_command_is_gone_at_once", a_cancelled_command_is_gone_at_once),
    ("api::the_end_is_told_whoever_speaks_last", the_end_is_told_whoever_speaks_last),
    ("api::a_jail_that_lies_leaves_nothing_open", a_jail_that_lies_leaves_nothing_open),
    ("api::commands_are_kept_apart", commands_are_kept_apart),
    ("api::a_bomb_ends_its_own_command_alone", a_bomb_ends_its_own_command_alone),
    ("api::a_dropped_handle_ends_what_it_stood_for", a_dropped_handle_ends_what_it_stood_for),
];

const COMMANDS: usize = 2_000;
const THREADS: usize = 8;
const JAILS: usize = 200;
const CANCELS: u32 = 50;
/// Nobody is promised how soon after a handle is let go of; but soon.
const DROPPED_MAX: Duration = Duration::from_secs(1);
const CANCELLED_MAX: Duration = Duration::from_millis(200);

/// Plays a part of this file as `user`, and holds that it went well.
#[track_caller]
fn go(user: User, words: &[&str]) {
    let world = World::of(user);
    let outcome = world.finish(outside(&world, &[&["api"], words].concat()));
    println!("{}", outcome.stdout);
    let _ = outcome.success();
}

fn two_thousand_commands_eight_at_a_time(user: User) {
    go(user, &["commands"]);
}

fn two_hundred_jails_at_once(user: User) {
    go(user, &["jails"]);
}

fn a_cancelled_command_is_gone_at_once(user: User) {
    go(user, &["cancel"]);
}

/// A command ends at the very moment at which it is cancelled.
fn the_end_is_told_whoever_speaks_last(_: User) {
    let kind = SockType::SeqPacket;
    let (host, jail) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let running = Running::behind(host);
    running.cancel().unwrap();
    // Ended, by itself, with 7, at no limit, after no time.
    let ended = [IoSlice::new(&[0, 2, 0, 7, 0, 0])];
    sendmsg::<()>(jail.as_raw_fd(), &ended, &[], MsgFlags::empty(), None).unwrap();
    drop(jail);
    match running.news() {
        Ok(News::Ended(end)) => assert_eq!(end.status, Status::Exited(7)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(running.news(), Err(JailError::Gone)));
}

fn commands_are_kept_apart(user: User) {
    go(user, &["apart"]);
}

fn a_bomb_ends_its_own_command_alone(user: User) {
    go(user, &["bomb"]);
}

fn a_dropped_handle_ends_what_it_stood_for(user: User) {
    go(user, &["drop"]);
}

fn a_jail_that_lies_leaves_nothing_open(user: User) {
    go(user, &["lies"]);
}

pub(crate) fn play(words: &[&str]) -> ExitCode {
    let before = descriptors();
    match words {
        ["commands"] => commands(),
        ["jails"] => jails(),
        ["cancel"] => cancel(),
        ["drop"] => drops(),
        ["apart"] => apart(),
        ["bomb"] => bomb(),
        ["lies"] => lies(),
        _ => panic!("no such part: {words:?}"),
    }
    assert_eq!(descriptors(), before, "descriptors were left open");
    ExitCode::SUCCESS
}

fn descriptors() -> BTreeMap<String, String> {
    let entries = fs::read_dir("/proc/self/fd").unwrap();
    let link = |entry: &fs::DirEntry| Some((entry.file_name(), fs::read_link(entry.path()).ok()?));
    let text = |(number, to): (std::ffi::OsString, std::path::PathBuf)| {
        (number.to_string_lossy().into_owned(), to.display().to_string())
    };
    entries
        .flatten()
        .filter_map(|entry| link(&entry).map(text))
        .filter(|(_, to)| !to.ends_with("/fd"))
        .collect()
}

fn plan(change: impl Fn(&mut Limits)) -> Plan {
    let policy = Library::default().named("offline").unwrap();
    let mut limits = policy.limits(&Limits::default());
    change(&mut limits);
    let shown = policy.shown(Path::new("/"), &[]).unwrap();
    let (strength, network) = (policy.least.value, policy.network.value);
    let wanted = Wanted {
        strength,
        network,
        local_sockets: false,
        limits: &limits,
        kept: Vec::new(),
        shown,
        layered: Vec::new(),
        program_at: None,
        scratch: None,
    };
    Plan::new(&wanted).unwrap()
}

fn spec(words: &[&str]) -> Spec {
    Spec {
        args: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
        env: vec![b"PATH=/usr/bin:/bin".to_vec()],
        cwd: HOME.into(),
        terminal: None,
        wall_ms: 60_000,
        wall_key: WallKey::Wall,
    }
}

/// Starts a command whose output is read to its end.
fn start(jail: &Jail, words: &[&str]) -> (Running, std::io::PipeReader) {
    let null = fs::File::open("/dev/null").unwrap();
    let (out, theirs) = std::io::pipe().unwrap();
    let streams = Streams::Three([null.as_fd(), theirs.as_fd(), theirs.as_fd()]);
    (jail.start(&spec(words), &streams).unwrap(), out)
}

#[track_caller]
fn says(jail: &Jail, script: &str, want: &str) {
    let (running, mut out) = start(jail, &["sh", "-c", script]);
    let mut said = String::new();
    out.read_to_string(&mut said).unwrap();
    let end = running.wait().unwrap();
    assert_eq!((said.as_str(), end.status, end.passed), (want, Status::Exited(0), None));
}

fn commands() {
    let zygote = Zygote::start().unwrap();
    let jail = zygote.open(&plan(|_| {})).unwrap();
    let began = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let jail = &jail;
            scope.spawn(move || {
                for number in 0..COMMANDS / THREADS {
                    let want = format!("{thread} {number}\n");
                    says(jail, &format!("echo {thread} {number}"), &want);
                }
            });
        }
    });
    println!("{COMMANDS} commands, {THREADS} at a time: {:?}", began.elapsed());
}

fn jails() {
    let zygote = Zygote::start().unwrap();
    let plan = plan(|_| {});
    let began = Instant::now();
    let jails: Vec<_> = (0..JAILS).map(|_| zygote.open(&plan).unwrap()).collect();
    println!("{JAILS} jails opened: {:?}", began.elapsed());
    let began = Instant::now();
    let held: Vec<_> = jails
        .iter()
        .enumerate()
        // Each is alone: it finds no file and no process but its own.
        .map(|(number, jail)| {
            start(
                jail,
                &[
                    "sh",
                    "-c",
                    &format!("ls /tmp; echo {number} >/tmp/{number}; read x; ls /tmp; :"),
                ],
            )
        })
        .collect();
    for (number, (running, mut out)) in held.into_iter().enumerate() {
        let mut said = String::new();
        out.read_to_string(&mut said).unwrap();
        assert_eq!(said, format!("{number}\n"));
        assert_eq!(running.wait().unwrap().status, Status::Exited(0));
    }
    println!("a command in each: {:?}", began.elapsed());
}

fn cancel() {
    let zygote = Zygote::start().unwrap();
    let jail = zygote.open(&plan(|limits| limits.set(Limit::Processes, 64).unwrap())).unwrap();
    let mut worst = Duration::ZERO;
    for number in 0..CANCELS {
        let script = "trap '' TERM INT HUP; for i in 1 2 3 4 5 6 7 8; do setsid sleep 1000 & done; \
                      echo ready; while :; do :; done";
        let (running, mut out) = start(&jail, &["sh", "-c", script]);
        // At once, and after it has got going.
        if number % 2 == 0 {
            out.read_exact(&mut [0; 6]).unwrap();
        }
        let clock = Clock::start();
        running.cancel().unwrap();
        let end = running.wait().unwrap();
        worst = worst.max(clock.elapsed());
        assert_eq!((end.status, end.passed), (Status::Killed(9), None));
        // Its pipe has no writer left: everything it started is gone too.
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).unwrap();
        assert!(clock.elapsed() < CANCELLED_MAX, "{:?}", clock.elapsed());
    }
    println!("{CANCELS} cancelled: gone after {worst:?} at worst");
    says(&jail, "echo fine", "fine\n");
}

fn drops() {
    let hold = ["sh", "-c", "setsid sleep 1000 & echo ready; sleep 1000"];
    let ready = |(running, mut out): (Running, std::io::PipeReader)| {
        out.read_exact(&mut [0; 6]).unwrap();
        (running, out)
    };
    let closes = |mut out: std::io::PipeReader| {
        let clock = Clock::start();
        out.read_to_end(&mut Vec::new()).unwrap();
        assert!(clock.elapsed() < DROPPED_MAX, "{:?}", clock.elapsed());
    };
    let zygote = Zygote::start().unwrap();
    let (one, other) = (zygote.open(&plan(|_| {})).unwrap(), zygote.open(&plan(|_| {})).unwrap());

    // A command, and no other of its jail.
    let (first, first_out) = ready(start(&one, &hold));
    let (second, second_out) = ready(start(&one, &hold));
    drop(first);
    closes(first_out);
    says(&one, "echo fine", "fine\n");

    // A jail, and no other.
    let (third, third_out) = ready(start(&other, &hold));
    drop(one);
    closes(second_out);
    assert!(matches!(second.wait(), Err(JailError::Gone)), "it went without a word");
    says(&other, "echo fine", "fine\n");

    // And all of them.
    drop(zygote);
    closes(third_out);
    assert!(matches!(third.wait(), Err(JailError::Gone)), "it went without a word");
    let null = fs::File::open("/dev/null").unwrap();
    let streams = Streams::Three([null.as_fd(); 3]);
    assert!(matches!(other.start(&spec(&["true"]), &streams), Err(JailError::Gone)));
}

/// What a command sees of processes: its own, and of the one that started it no
/// more than that it is there.
fn apart() {
    let zygote = Zygote::start().unwrap();
    let jail = zygote.open(&plan(|_| {})).unwrap();
    let hold = "secret=in-its-memory; export secret; sh -c 'echo ready; sleep 1000'";
    let (first, mut first_out) = start(&jail, &["sh", "-c", hold]);
    first_out.read_exact(&mut [0; 6]).unwrap();
    assert!(matches!(first.news(), Ok(News::Started(None))));
    let look = "cd /proc; for pid in [0-9]*; do read name <$pid/comm && echo $name; done; \
                for file in environ maps mem fd/0 root/etc cwd/. exe auxv stack ns/pid; do \
                    head -c 1 1/$file >/dev/null 2>&1 && echo read 1/$file; \
                    ls 1/$file/ >/dev/null 2>&1 && echo listed 1/$file; \
                done; \
                cat [0-9]*/environ 2>/dev/null | grep -c in-its-memory; \
                kill -9 1 2>/dev/null; kill -9 -1 2>/dev/null; echo alive";
    says(&jail, look, "casefile-init\nsh\n0\nalive\n");
    // Nor has its end, which was its own doing, touched the other.
    assert!(!readable(&first), "the first command is over");
    first.cancel().unwrap();
    assert_eq!(first.wait().unwrap().status, Status::Killed(9));
}

fn readable(running: &Running) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    poll(&mut [PollFd::new(running.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 1
}

/// Memory runs out in a jail: whoever took it is ended, and nobody else, the
/// warden least of all.
fn bomb() {
    let zygote = Zygote::start().unwrap();
    let plan = plan(|limits| limits.set(Limit::Memory, 96).unwrap());
    let jail = zygote.open(&plan).unwrap();
    let (other, mut other_out) = start(&jail, &["sh", "-c", "echo ready; sleep 1000"]);
    other_out.read_exact(&mut [0; 6]).unwrap();
    assert!(matches!(other.news(), Ok(News::Started(None))));
    for _ in 0..3 {
        // Of several, each far below what one may have: a shell that is refused memory
        // gives up, and would leave the others enough. Nor may it become the last thing
        // that it does, which would have no memory to speak of.
        let script = "x=$(head -c 6000000 /dev/zero | tr '\\0' a); \
                      for i in $(seq 30); do (y=$x$i; sleep 1000; :) & done; wait";
        let (running, mut out) = start(&jail, &["sh", "-c", script]);
        out.read_to_string(&mut String::new()).unwrap();
        let end = running.wait().unwrap();
        let passed = end.passed.map(|passed| passed.limit);
        assert_eq!((end.status, passed), (Status::Killed(9), Some(PassedLimit::Memory)));
        says(&jail, "echo fine", "fine\n");
        assert!(!readable(&other), "the other command is over");
    }
    other.cancel().unwrap();
    assert_eq!(other.wait().unwrap().status, Status::Killed(9));
}

/// Speaks as a warden would that was taken over, with more descriptors than any
/// message has, and with bytes that are none.
fn lies() {
    const CARRIED_MAX: usize = 253;
    let null = fs::File::open("/dev/null").unwrap();
    let started = [0, 0];
    let started_twice = [0, 0, 0];
    let long = vec![0; 20_000];
    for bytes in [&started[..], &started_twice, &[1], &[2], &long] {
        for count in [0, 1, 5, 6, 250, CARRIED_MAX] {
            let before = descriptors();
            let pair = || {
                let kind = SockType::SeqPacket;
                socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap()
            };
            let said = || {
                let (host, jail) = pair();
                let numbers = vec![null.as_raw_fd(); count];
                let control = [ControlMessage::ScmRights(&numbers)];
                let control = if count == 0 { &[] } else { &control[..] };
                let parts = [IoSlice::new(bytes)];
                sendmsg::<()>(jail.as_raw_fd(), &parts, control, MsgFlags::empty(), None).unwrap();
                host
            };
            let running = Running::behind(said());
            match running.news() {
                Ok(News::Started(terminal)) => {
                    assert_eq!(bytes, started);
                    assert_eq!(terminal.is_some(), 0 < count);
                }
                other => {
                    assert_ne!(bytes, started, "{other:?}");
                    assert!(matches!(other, Err(JailError::Garbage(_))), "{other:?}");
                }
            }
            assert!(matches!(running.news(), Err(JailError::Gone)));
            drop(running);
            // Three zeros are a jail that stands, and all else is none.
            assert_eq!(Jail::behind(said()).is_ok(), bytes == started_twice);
            assert_eq!(descriptors(), before, "{count} descriptors with {} bytes", bytes.len());
        }
    }
}
