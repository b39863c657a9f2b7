//! Hands that are ended in the middle of what they do: told as such, nothing
//! half done, and new ones for the asking.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use casefile::jail::HandsError;
use casefile::jail::JailError;
use casefile::jail::hands::wire::WriteMode;
use casefile::jail::policy::Strength;
use casefile::jail::wire::{End, Status};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::this_program;
use crate::ground::Ground;

const ROUNDS: u64 = 150;

/// The hands of this process, by name.
fn all_hands() -> Vec<Pid> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name == "casefile-hands\n" && is_below_me(pid) {
            found.push(Pid::from_raw(pid));
        }
    }
    found
}

/// The only ones, once those that were let go of are gone.
fn only_hands() -> Pid {
    wait_until(|| all_hands().len() == 1);
    all_hands()[0]
}

/// Whether it descends from this process, and not from one that runs the same tests
/// for another user, of which only root's has any below it.
fn is_below_me(mut pid: i32) -> bool {
    let me = std::process::id().cast_signed();
    while pid != me {
        let exe = std::fs::read_link(format!("/proc/{pid}/exe"));
        if exe.is_ok_and(|exe| exe == this_program()) {
            return false;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        match fields.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()) {
            Some(parent) if 1 < parent => pid = parent,
            _ => return false,
        }
    }
    true
}

#[test]
fn hands_that_were_killed_are_told_and_new_ones_serve() {
    let mut ground = Ground::alone(Strength::Namespaces);
    ground.put("case/file", "text");
    assert!(ground.hands.read(b"/case/file", 0, 9).is_ok());
    let pid = only_hands();
    kill(pid, Signal::SIGKILL).unwrap();
    let ended = ground.hands.read(b"/case/file", 0, 9);
    let killed = Status::Killed(Signal::SIGKILL as u8);
    assert!(
        matches!(&ended, Err(HandsError::Ended(End { status, passed: None, .. })) if *status == killed),
        "{ended:?}"
    );
    // They are not asked again, and others know nothing of it.
    assert!(ground.hands.read(b"/case/file", 0, 9).is_err());
    ground.hands = ground.jail.hands().unwrap();
    assert_eq!(&*ground.hands.read(b"/case/file", 0, 9).unwrap().bytes, b"text");
}

fn names(ground: &Ground) -> Vec<OsString> {
    let entries = std::fs::read_dir(ground.host("case")).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn a_replaced_file_is_the_old_or_the_new_whenever_its_writer_dies() {
    let mut ground = Ground::alone(Strength::Namespaces);
    let old = vec![b'o'; 1 << 20];
    let new = vec![b'n'; 2 << 20];
    let (mut olds, mut news, mut left) = (0, 0, 0);
    // How long a write takes is the disk's business, and that of its other users.
    let mut reach = 6_000;
    for round in 0..ROUNDS {
        if round % 20 == 19 && news == 0 {
            reach *= 2;
        }
        ground.put("case/file", &old);
        ground.hands = ground.jail.hands().unwrap();
        assert!(ground.hands.list(b"/case", None, 1).is_ok());
        let pid = only_hands();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(round * 7_919 % reach));
            let _ = kill(pid, Signal::SIGKILL);
        });
        let wrote = ground.hands.write(b"/case/file", &new, WriteMode::Replace);
        killer.join().unwrap();
        let now = std::fs::read(ground.host("case/file")).unwrap();
        assert!(now == old || now == new, "round {round}: {} bytes", now.len());
        assert!(wrote.is_err() || now == new, "round {round}");
        if now == old {
            olds += 1;
        } else {
            news += 1;
        }
        // Its end is the warden's to see, and what it had open goes with it.
        wait_until(|| all_hands().is_empty());
        if names(&ground) != ["file"] {
            // Between the two names that it has; gone with the next one.
            left += 1;
            ground.hands = ground.jail.hands().unwrap();
            ground.hands.write(b"/case/file", &new, WriteMode::Replace).unwrap();
            assert_eq!(names(&ground), ["file"], "round {round}");
        }
    }
    assert!(left < ROUNDS / 10, "{left} left something behind");
    assert!(0 < olds && 0 < news, "{olds} and {news}: not in the middle of it");
}

#[test]
fn hands_that_are_let_go_of_are_gone_and_so_are_those_of_a_jail_that_is() {
    for strength in [Strength::Namespaces, Strength::Landlock] {
        let mut ground = Ground::alone(strength);
        let dir = match strength {
            Strength::Namespaces => "/case".into(),
            Strength::Landlock => ground.host("case"),
        };
        let dir = dir.into_os_string().into_encoded_bytes();
        let mut more: Vec<_> = (0..3).map(|_| ground.jail.hands().unwrap()).collect();
        for hands in more.iter_mut().chain([&mut ground.hands]) {
            assert!(hands.list(&dir, None, 9).is_ok(), "{strength:?}");
        }
        assert_eq!(all_hands().len(), 4, "{strength:?}");
        drop(more);
        wait_until(|| all_hands().len() == 1);
        assert!(ground.hands.list(&dir, None, 9).is_ok(), "{strength:?}");
        let kept = ground.jail.hands().unwrap();
        let mut lost = std::mem::replace(&mut ground.hands, kept);
        drop(ground);
        wait_until(|| all_hands().is_empty());
        let gone = lost.list(&dir, None, 9);
        let told = matches!(gone, Err(HandsError::Jail(JailError::Gone) | HandsError::Ended(_)));
        assert!(told, "{strength:?}: {gone:?}");
    }
}

#[test]
fn a_request_that_takes_too_long_ends_the_hands() {
    let mut ground = Ground::alone(Strength::Namespaces);
    std::fs::create_dir(ground.host("case/many")).unwrap();
    for at in 0..20_000 {
        ground.put(format!("case/many/{at}"), "");
    }
    ground.hands.set_patience(Duration::from_millis(1));
    let began = Instant::now();
    let late = ground.hands.list(b"/case/many", None, 9);
    assert!(matches!(late, Err(HandsError::Late { .. })), "{late:?}");
    wait_until(|| all_hands().is_empty());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let ended = ground.hands.list(b"/case/many", None, 9);
    assert!(matches!(ended, Err(HandsError::Ended(_))), "{ended:?}");
    ground.hands = ground.jail.hands().unwrap();
    assert_eq!(ground.list_by(b"/case/many", 100_000).unwrap().len(), 20_000);
}

#[track_caller]
fn wait_until(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(5), "it never came to be: {:?}", all_hands());
        std::thread::sleep(Duration::from_millis(1));
    }
}
