//! `casefile run --policy landlock-only`: a jail without namespaces, in which
//! nothing but the warden ends what a command leaves behind.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{User, World, users};

/// Starts processes that get away from their parent in each way there is, and
/// prints their numbers: a child, an orphan, a session of its own, both, and one
/// that ignores every signal it can.
const STRAYS: &str = "\
    sleep 300 & echo $!; \
    (sleep 300 & echo $!); \
    setsid sh -c 'echo $$; exec sleep 300' & \
    (setsid sh -c 'echo $$; trap \"\" TERM INT HUP QUIT; (sleep 300 & echo $!); sleep 300' &); \
    sleep 0.3";

fn run(user: User, script: &str, more: &[&str]) -> (Vec<String>, World) {
    let world = World::of(user);
    let args = [&["run", "--policy", "landlock-only"], more, &["--", "sh", "-c", script]].concat();
    let outcome = world.run(&args);
    (outcome.stdout.lines().map(str::to_owned).collect(), world)
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}

#[test]
fn a_command_runs_with_the_hosts_names_and_a_home_of_its_own() {
    for user in users() {
        let (lines, world) = run(user, "echo x > $HOME/x && cat $TMPDIR/x; pwd; echo $HOME", &[]);
        assert_eq!(lines[0], "x", "{user:?}: {lines:?}");
        assert_eq!(lines[1], lines[2], "{user:?}: it starts at home");
        assert!(!Path::new(&lines[2].replace("<world>", "/")).exists(), "{user:?}: {lines:?}");
        assert!(!world.tree().contains("casefile-"), "{user:?}: {}", world.tree());
    }
}

#[test]
fn what_a_command_started_is_gone_when_the_command_is() {
    for user in users() {
        let never_ends = format!("{STRAYS}; kill -STOP $$");
        for (script, more) in [(STRAYS, &[][..]), (&never_ends, &["--timeout", "1"])] {
            let (pids, _world) = run(user, script, more);
            assert_eq!(pids.len(), 5, "{user:?}: {pids:?}");
            for pid in pids {
                assert!(!is_alive(&pid), "{user:?}: {pid} outlives `{script}`");
            }
        }
    }
}

#[test]
fn what_a_command_started_is_gone_when_the_host_is() {
    for user in users() {
        let world = World::of(user);
        let list = world.path("work/pids");
        let script = format!("({STRAYS}) > pids; sleep 300");
        let work = world.path("work");
        if user == User::Same && crate::common::am_root() {
            // Without mounts, root's jail is a stranger in root's own directory.
            std::fs::set_permissions(&work, std::os::unix::fs::PermissionsExt::from_mode(0o777))
                .unwrap();
        }
        let args = ["run", "--policy", "landlock-only", "--write", ".", "--", "sh", "-c", &script];
        let mut host = world.command(&args).spawn().unwrap();
        let began = Instant::now();
        let pids = loop {
            let text = std::fs::read_to_string(&list).unwrap_or_default();
            if text.lines().count() == 5 {
                break text;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{user:?}: only {text:?}");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(pids.lines().all(is_alive), "{user:?}: {pids:?} are there before");
        host.kill().unwrap();
        host.wait().unwrap();
        let killed = Instant::now();
        while pids.lines().any(is_alive) {
            assert!(killed.elapsed() < Duration::from_secs(2), "{user:?}: some of {pids:?} stay");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
