//! Whoever is killed, and whenever: within a tenth of a second nothing that was
//! started is left, and the next start finds a clean host.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Test;
use crate::common::User;
use crate::ground::{GONE_MAX, Ground, collect, no_orphaned_cgroup, start};

pub(crate) const TESTS: &[Test] = &[
    ("death::of_the_server_at_any_moment", of_the_server_at_any_moment),
    ("death::of_the_zygote_or_the_warden", of_the_zygote_or_the_warden),
    ("death::does_not_come_for_what_sleeps", does_not_come_for_what_sleeps),
];

const KILLS: u32 = 200;
const CONTROLS: u32 = 40;
/// How often each of the jail's own is killed.
const EACH: usize = 5;
/// The clock leaves out what others keep the machine busy with, but only in part: a
/// few may be late, and none by much.
const LATE_MAX: u32 = 4;
const LATEST: Duration = Duration::from_millis(300);
/// From before there is a zygote to well into the command.
const MOMENTS: Duration = Duration::from_millis(60);

fn pid(child: &std::process::Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn mounts() -> usize {
    fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count()
}

/// How late this machine is to be rid of one plain process, at its worst.
fn noise(ground: &Ground) -> Duration {
    let one = || {
        let mut child = start(&mut ground.unjailed(&["spin", "0"]));
        thread::sleep(Duration::from_millis(5));
        child.kill().unwrap();
        ground.gone_after()
    };
    (0..CONTROLS).map(|_| one()).max().unwrap()
}

fn of_the_server_at_any_moment(user: User) {
    let ground = Ground::new(user, "processes: 64");
    let (before, mounted) = (ground.world.tree(), mounts());
    let given = ground.world.path("work").to_str().unwrap().to_owned();
    #[rustfmt::skip]
    let table: [(&str, &[&str], &[&str]); 4] = [
        ("offline",       &["brood", "20"], &["--write", &given]),
        ("offline",       &["spin", "4"],   &[]),
        ("offline",       &["deaf"],        &[]),
        ("landlock-only", &["brood", "20"], &[]),
    ];
    let mut state = u64::from(std::process::id()) | 1;
    let (mut worst, mut caught, mut late) = (Duration::ZERO, 0, 0);
    for kill_number in 0..KILLS {
        let (policy, words, options) = table[kill_number as usize % table.len()];
        let options = [&["--policy", policy], options].concat();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = MOMENTS.mul_f64((state >> 40) as f64 / (1_u64 << 24) as f64);
        let mut child = start(&mut ground.part(&options, words));
        thread::sleep(moment);
        caught += usize::from(1 < ground.processes().len());
        child.kill().unwrap();
        child.wait().unwrap();
        let took = ground.gone_after();
        if GONE_MAX < took {
            late += 1;
            let what = format!("{took:?} after {moment:?} of {words:?} under {policy}");
            println!("{what}, and {:?} without a jail", noise(&ground));
        }
        assert!(took <= LATEST, "{took:?} after {moment:?} of {words:?} under {policy}");
        worst = worst.max(took);
    }
    println!(
        "{KILLS} kills, {caught} of them of more than one process; gone after {worst:?} at worst"
    );
    assert!(late <= LATE_MAX, "{late} of {KILLS} took longer than {GONE_MAX:?}");
    assert!(KILLS as usize / 2 < caught, "only {caught} kills met anything");
    no_orphaned_cgroup();
    // Where there are no mounts, home is a directory of the host.
    assert_eq!(ground.sh(&["--policy", "landlock-only"], "echo fine").said(), "fine\n");
    assert_eq!(ground.sh(&[], "echo fine").said(), "fine\n");
    assert_eq!((ground.world.tree(), mounts()), (before, mounted));
}

fn of_the_zygote_or_the_warden(user: User) {
    let ground = Ground::new(user, "");
    for (name, policy) in [
        ("casefile-zygote", "offline"),
        ("casefile-warden", "offline"),
        ("casefile-init", "offline"),
        ("casefile-zygote", "landlock-only"),
        ("casefile-warden", "landlock-only"),
        ("casefile-init", "landlock-only"),
    ] {
        let mut gone: Vec<_> = (0..EACH).map(|_| gone_without(&ground, name, policy)).collect();
        gone.sort_unstable();
        println!("{name} under {policy}: {gone:?}");
        // The one that is late, if any, is not late by much.
        assert!(gone[EACH - 2] <= GONE_MAX && gone[EACH - 1] <= LATEST, "{name}, {policy}");
    }
    no_orphaned_cgroup();
    assert_eq!(ground.sh(&[], "echo fine").said(), "fine\n");
}

/// How long it takes from the end of one of the jail's own until all is gone.
fn gone_without(ground: &Ground, name: &str, policy: &str) -> Duration {
    let child = start(&mut ground.part(&["--policy", policy], &["brood", "10"]));
    ground.wait_for("part");
    let pids: Vec<_> =
        ground.processes().into_iter().filter(|process| process.name == name).collect();
    assert!(!pids.is_empty(), "no {name} among {:?}", ground.processes());
    let server = child.id().cast_signed();
    for process in pids {
        kill(Pid::from_raw(process.pid), Signal::SIGKILL).unwrap();
    }
    let began = Instant::now();
    let gone = ground.gone_but(Some(server));
    let ran = collect(child, began);
    assert!(ran.took < Duration::from_secs(1), "{name}: {:?}", ran.took);
    let code = if name == "casefile-init" { 128 + 9 } else { 125 };
    assert_eq!(ran.status.code(), Some(code), "{name} under {policy}: {}", ran.err);
    assert_eq!(ran.err.is_empty(), code != 125, "{name}: {}", ran.err);
    gone
}

fn does_not_come_for_what_sleeps(user: User) {
    let ground = Ground::new(user, "wall_s: 1");
    let began = Instant::now();
    let child = start(&mut ground.part(&[], &["deaf"]));
    ground.wait_for("part");
    kill(pid(&child), Signal::SIGSTOP).unwrap();
    // The clock is the warden's, and does not stop with its host.
    while ground.processes().iter().any(|process| process.name == "part") {
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", ground.left());
        thread::sleep(Duration::from_millis(5));
    }
    kill(pid(&child), Signal::SIGCONT).unwrap();
    let ran = collect(child, began);
    assert_eq!(ran.status.code(), Some(128 + 9));
    assert!(ran.err.contains("`wall_s` of 1"), "{}", ran.err);
    assert!(ground.gone_after() <= GONE_MAX);
}
