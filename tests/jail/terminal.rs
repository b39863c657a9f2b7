//! A person at a terminal: `casefile run -- bash` is a shell as any other.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, open};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::Test;
use crate::common::User;
use crate::ground::{GONE_MAX, Ground, Started, ended, start};

pub(crate) const TESTS: &[Test] = &[
    ("terminal::a_shell_is_a_shell", a_shell_is_a_shell),
    ("terminal::is_given_back_as_it_was", is_given_back_as_it_was),
    ("terminal::what_it_shows_has_an_end", what_it_shows_has_an_end),
    ("terminal::a_paste_that_nobody_reads_does_not_hang", a_paste_that_nobody_reads_does_not_hang),
];

/// A terminal with somebody at it.
struct Seat {
    /// The person's side, to type at.
    keys: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    /// The program's side, kept to look at its settings.
    line: OwnedFd,
    child: Started,
}

impl Seat {
    /// Sits down and runs a command, with the terminal as its own.
    fn new(ground: &Ground, args: &[&str]) -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let line = open(ptsname_r(&master).unwrap().as_str(), flags, Mode::empty()).unwrap();
        casefile::jail::set_terminal_size(line.as_fd(), (33, 99)).unwrap();
        let run = ground.run(args);
        // `setsid` is the one program that makes a terminal a session's own.
        let mut command: Command = ground.world.program("setsid");
        command.arg("--ctty").arg(run.get_program()).args(run.get_args()).env("TERM", "dumb");
        let side = || Stdio::from(line.try_clone().unwrap());
        command.stdin(side()).stdout(side()).stderr(side());
        let child = start(&mut command);
        let keys = File::from(OwnedFd::from(master));
        let mut out = keys.try_clone().unwrap();
        let (send, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = out.read(&mut buffer) {
                if length == 0 || send.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keys, screen, seen: String::new(), line, child }
    }

    fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until this is on the screen; the answer is what came with it.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let left = Duration::from_secs(10).saturating_sub(began.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(_) => panic!("never saw {text:?}, but {:?}", self.seen),
            }
        }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.line).unwrap().local_flags.contains(LocalFlags::ICANON)
    }

    fn casefile(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

fn a_shell_is_a_shell(user: User) {
    let ground = Ground::new(user, "");
    let mut seat = Seat::new(&ground, &["--", "bash", "--norc", "--noprofile"]);
    // What is typed is echoed too, so what is waited for is never what was typed.
    seat.types("PS1='$ '; echo on $(tty) of $(stty size) $((1+1))\n");
    seat.sees("on /dev/pts/0 of 33 99 2");
    assert!(seat.is_raw());
    // The kernel tells casefile, and casefile the jail.
    casefile::jail::set_terminal_size(seat.keys.as_fd(), (44, 111)).unwrap();
    seat.types("sleep 0.2; echo size $(stty size) $((1+1))\n");
    seat.sees("size 44 111 2");
    // Job control.
    seat.types("sleep 1000 & echo job $((1+1)); jobs; fg\n");
    seat.sees("job 2");
    seat.sees("Running");
    thread::sleep(Duration::from_millis(200));
    // ^C ends what is in front, and the shell is still there, with its variables.
    seat.types("\x03");
    seat.types("echo code $?; x=kept\n");
    seat.sees("code 130");
    seat.types("sleep 1000\n");
    thread::sleep(Duration::from_millis(200));
    seat.types("\x1a");
    seat.sees("Stopped");
    // Waited for, since a shell does not leave while a job of its is stopped.
    seat.types("kill -9 %%; wait %%; echo still $x $((1+1))\n");
    seat.sees("still kept 2");
    seat.types("exit 42\n");
    assert_eq!(ended(&mut seat.child).code(), Some(42));
    assert!(!seat.is_raw(), "the terminal was not given back");
    assert!(ground.gone_after() <= GONE_MAX);
}

fn is_given_back_as_it_was(user: User) {
    let ground = Ground::new(user, "session_s: 30");
    let before = {
        let mut seat = Seat::new(&ground, &["--", "true"]);
        assert_eq!(ended(&mut seat.child).code(), Some(0));
        tcgetattr(&seat.line).unwrap()
    };
    #[rustfmt::skip]
    let table = [
        // script                                    signal              code
        ("echo r''eady; exit 3",                     None,                   3),
        ("echo r''eady; kill -9 $$",                 None,                   137),
        ("echo r''eady; sleep 1000",                 Some(Signal::SIGTERM),  143),
        ("echo r''eady; sleep 1000",                 Some(Signal::SIGHUP),   129),
        ("head -c 300000 /dev/zero; echo r''eady",   None,                   0),
    ];
    for (script, signal, code) in table {
        let mut seat = Seat::new(&ground, &["--", "sh", "-c", script]);
        seat.sees("ready");
        if let Some(signal) = signal {
            kill(seat.casefile(), signal).unwrap();
        }
        assert_eq!(ended(&mut seat.child).code(), Some(code), "{script}");
        assert_eq!(tcgetattr(&seat.line).unwrap(), before, "{script}");
        assert!(ground.gone_after() <= GONE_MAX);
    }
    let mut seat = Seat::new(&ground, &["--timeout", "1", "--", "sleep", "100"]);
    seat.sees("at the limit `session_s` of 1 (held by the warden's clock)");
    assert_eq!(ended(&mut seat.child).code(), Some(137));
    assert_eq!(tcgetattr(&seat.line).unwrap(), before);
}

fn a_paste_that_nobody_reads_does_not_hang(user: User) {
    let ground = Ground::new(user, "session_s: 4");
    let script = "stty raw -echo; echo r''eady; sleep 1000";
    let mut seat = Seat::new(&ground, &["--", "sh", "-c", script]);
    seat.sees("ready");
    let mut keys = seat.keys.try_clone().unwrap();
    // Blocks once everything is full, and is let go when casefile is.
    thread::spawn(move || drop(keys.write_all(&vec![b'x'; 8 << 20])));
    thread::sleep(Duration::from_secs(1));
    // It waits, and does not look again and again whether it may write.
    let before = busy_ms(seat.casefile());
    thread::sleep(Duration::from_millis(500));
    let busy = busy_ms(seat.casefile()) - before;
    assert!(busy < 100, "{busy} ms in 500");
    assert_eq!(ended(&mut seat.child).code(), Some(137));
    assert!(ground.gone_after() <= GONE_MAX);
}

/// The processor time that a process has used.
fn busy_ms(pid: Pid) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // Fields 14 and 15 in the kernel's count, in hundredths of a second.
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum()
}

fn what_it_shows_has_an_end(user: User) {
    let ground = Ground::new(user, "session_s: 30, output_mib: 2");
    for script in ["exec yes", "exec cat /dev/zero", "trap '' HUP TERM; while :; do echo y; done"] {
        let mut seat = Seat::new(&ground, &["--", "sh", "-c", script]);
        seat.sees("at the limit `output_mib` of 2 (held by a count of the bytes)");
        assert_eq!(ended(&mut seat.child).code(), Some(137), "{script}");
        assert!(!seat.is_raw(), "{script}: the terminal was not given back");
        assert!(ground.gone_after() <= GONE_MAX, "{script}");
    }
    // What comes back of what is typed counts too.
    let mut seat = Seat::new(&ground, &["--", "cat"]);
    let mut keys = seat.keys.try_clone().unwrap();
    let line = [&[b'x'; 999][..], b"\n"].concat();
    thread::spawn(move || drop((0..4_000).try_for_each(|_| keys.write_all(&line))));
    assert_eq!(ended(&mut seat.child).code(), Some(137));
}
