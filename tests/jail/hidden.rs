//! What is taken and hidden counts all the same: disk that no name leads to, room
//! that nothing was written to, memory of no process, time of no child. And what
//! is handed on does not outlive, or stop, whoever it came from.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};

use crate::Test;
use crate::common::User;
use crate::ground::{GONE_MAX, Ground, collect, start};
use crate::limits::ended_at;

pub(crate) const TESTS: &[Test] = &[
    ("hidden::disk_counts_that_nobody_sees", disk_counts_that_nobody_sees),
    ("hidden::a_hole_is_no_room_and_room_is_written", a_hole_is_no_room_and_room_is_written),
    ("hidden::files_in_memory_are_memory", files_in_memory_are_memory),
    ("hidden::time_of_grandchildren_counts", time_of_grandchildren_counts),
    ("hidden::a_limit_met_at_the_end_is_told", a_limit_met_at_the_end_is_told),
    ("hidden::descriptors_in_flight_stop_nobody_else", descriptors_in_flight_stop_nobody_else),
    ("hidden::an_output_that_was_handed_on_ends", an_output_that_was_handed_on_ends),
    ("hidden::a_command_may_open_its_own_streams", a_command_may_open_its_own_streams),
];

/// A part of `hiding.rs` that is given a directory to write to.
fn hide(ground: &Ground, part: &str) -> (Command, std::path::PathBuf) {
    ground.world.put("work/given/here", "");
    let given = ground.world.path("work/given");
    let dir = given.to_str().unwrap();
    (ground.part(&["--write", dir], &["hide", part, dir]), given)
}

fn used_mib(ground: &Ground, dir: &std::path::Path) -> u64 {
    let used = ground.world.program("du").arg("-sm").arg(dir).output().unwrap();
    String::from_utf8_lossy(&used.stdout).split('\t').next().unwrap().parse().unwrap()
}

fn disk_counts_that_nobody_sees(user: User) {
    let ground = Ground::new(user, "disk_mib: 24, wall_s: 15");
    for part in ["in-flight", "mapped", "empty", "backdated"] {
        let (command, given) = hide(&ground, part);
        let ran = ground.finish(command);
        println!("{part} took {:?}", ran.took);
        ended_at(&ran, "disk_mib", 24);
        assert!(used_mib(&ground, &given) < 24 + 100, "{part}");
        fs::remove_dir_all(given).unwrap();
    }
    assert_eq!(ground.sh(&[], "echo fine").said(), "fine\n");
}

fn a_hole_is_no_room_and_room_is_written(user: User) {
    let ground = Ground::new(user, "disk_mib: 24, file_mib: 16777216, wall_s: 15");
    let (command, given) = hide(&ground, "holes");
    assert_eq!(ground.finish(command).said(), format!("{} bytes\n", 1_u64 << 40));
    assert!(used_mib(&ground, &given) <= 1);

    // Without namespaces nobody's files are shown as the jail's.
    if user == User::Same {
        casefile::jail::give_to_jail(&given).unwrap();
    }
    // The kernel gives all of it in one call, before anybody can have looked.
    for policy in ["offline", "landlock-only"] {
        let dir = given.to_str().unwrap();
        let options = ["--policy", policy, "--write", dir];
        let said = ground.finish(ground.part(&options, &["hide", "reserve", dir])).said();
        let (no, never) =
            ("Operation not supported on transport endpoint", "Operation not permitted");
        let want = [no, no, no, never, never, never].join(", ");
        assert_eq!(said.trim(), want, "{policy}");
        assert!(used_mib(&ground, &given) <= 1, "{policy}");
    }
}

fn files_in_memory_are_memory(user: User) {
    let ground = Ground::new(user, "memory_mib: 96, scratch_mib: 512, wall_s: 15");
    for script in [
        "exec cat /dev/zero >/tmp/a",
        "exec cat /dev/zero >/dev/shm/a",
        "cat /dev/zero >~/a; sleep 100",
        "head -c 40000000 /dev/zero | tee /tmp/a /dev/shm/a >~/a; sleep 100",
    ] {
        let ran = ground.sh(&[], script);
        ended_at(&ran, "memory_mib", 96);
        assert!(ran.took < Duration::from_secs(5), "{script} took {:?}", ran.took);
    }
    // Nor is there any to be had that is in no file.
    for policy in ["offline", "landlock-only"] {
        let ran = ground.finish(ground.part(&["--policy", policy], &["hide", "zero"]));
        assert_eq!(ran.said(), "refused: EACCES: Permission denied\n", "{policy}");
    }
    assert_eq!(
        ground
            .sh(&[], "head -c 5 /dev/zero | wc -c; dd if=/dev/zero count=1 2>/dev/null | wc -c")
            .said(),
        "5\n512\n"
    );
    // As much as is allowed is allowed.
    let script = "head -c 40000000 /dev/zero >/tmp/a; sleep 0.3; wc -c </tmp/a";
    assert_eq!(ground.sh(&[], script).said(), "40000000\n");
}

fn time_of_grandchildren_counts(user: User) {
    let ground = Ground::new(user, "cpu_s: 1, wall_s: 30, processes: 4096");
    let ran = ground.finish(ground.part(&[], &["hide", "orphans"]));
    ended_at(&ran, "cpu_s", 1);
    // Of children whose end is ignored only a cgroup takes note.
    if user == User::Same && crate::common::am_root() {
        let ran = ground.finish(ground.part(&[], &["hide", "ignored"]));
        ended_at(&ran, "cpu_s", 1);
        assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
    }
}

/// A shell that cannot fork gives up at once, before anybody has looked.
fn a_limit_met_at_the_end_is_told(user: User) {
    let ground = Ground::new(user, "processes: 16, wall_s: 20");
    let ran = ground.sh(&[], "while :; do sleep 100 & done");
    // Where no cgroup counts, nobody takes note of what an rlimit refused.
    if ran.err.contains("error:") || (user == User::Same && crate::common::am_root()) {
        assert!(ran.err.contains("at the limit `processes` of 16"), "{ran:?}");
    }
    assert!(!ran.status.success() && ran.took < Duration::from_secs(5), "{ran:?}");
}

fn descriptors_in_flight_stop_nobody_else(user: User) {
    let ground = Ground::new(user, "wall_s: 30");
    // As few as many hosts give: no more than a jail asks for.
    let few = |mut command: Command| {
        let lower = || Ok(setrlimit(Resource::RLIMIT_NOFILE, 1024, 1024)?);
        // SAFETY: the call is one that may be made between fork and exec.
        #[expect(unsafe_code, reason = "there is no other way to start with fewer")]
        unsafe {
            command.pre_exec(lower);
        }
        command
    };
    let mut flood = start(&mut few(ground.part(&[], &["hide", "flood"])));
    let mut word = [0; 7];
    flood.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"flooded");
    for policy in ["offline", "landlock-only"] {
        let output = few(ground.run(&["--policy", policy, "--", "echo", "fine"])).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((&*output.stdout, &*err), (&b"fine\n"[..], ""), "{policy}");
    }
    drop(flood);
    assert!(ground.gone_after() <= GONE_MAX);
}

fn an_output_that_was_handed_on_ends(user: User) {
    let ground = Ground::new(user, "wall_s: 30");
    ground.world.put(
        "sandbox-policy/sockets.yaml",
        "name: sockets\nabout: talks\ninclude: [base]\nleast: namespaces\nlocal_sockets: true\n",
    );
    ground.world.put("work/given/here", "");
    let dir = ground.world.path("work/given");
    let (dir, socket) = (dir.to_str().unwrap(), dir.join("socket"));
    let options = ["--policy", "sockets", "--write", dir];
    let socket = socket.to_str().unwrap();
    let taker = start(&mut ground.part(&options, &["hide", "take", socket]));
    let began = Instant::now();
    while !fs::exists(socket).unwrap() {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody listens");
        std::thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    let ran = collect(start(&mut ground.part(&options, &["hide", "give", socket])), began);
    assert!(String::from_utf8_lossy(&ran.out).contains("given\n"), "{ran:?}");
    assert!(ran.status.success() && ran.took < Duration::from_secs(3), "{ran:?}");
    drop(taker);
    assert!(ground.gone_after() <= GONE_MAX);
}

fn a_command_may_open_its_own_streams(user: User) {
    let ground = Ground::new(user, "wall_s: 20");
    for policy in ["offline", "read-only"] {
        let script = "echo out >/dev/stdout; echo err >/dev/stderr; cat </dev/stdin; exit 3";
        let ran = ground.sh(&["--policy", policy], script).code(3);
        assert_eq!((&*ran.out, &*ran.err), (&b"out\n"[..], "err\n"), "{policy}");
    }
    // Whoever takes back what he said makes nobody wait for it.
    let ran = ground.finish(ground.part(&[], &["hide", "own-output"]));
    assert_eq!((ran.status.code(), ran.err.as_str()), (Some(0), "done\n"));
    let began = Instant::now();
    let ran = ground.sh(&[], "cat </dev/stdout >/dev/null & echo hello; sleep 0.2; kill $!");
    assert!(ran.status.success() && began.elapsed() < Duration::from_secs(3), "{ran:?}");
}
