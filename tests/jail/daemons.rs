//! What a command leaves running dies with it, and before its caller is told.

use std::time::Duration;

use crate::Test;
use crate::common::User;
use crate::ground::Ground;

pub(crate) const TESTS: &[Test] = &[
    ("daemons::die_with_the_command", die_with_the_command),
    ("daemons::die_without_namespaces_too", die_without_namespaces_too),
];

/// Ways to stay behind. `Ground::finish` holds that nobody did.
const SCRIPTS: &[&str] = &[
    "sleep 1000 & echo",
    "setsid sleep 1000 & echo",
    "(setsid sh -c 'sleep 1000 & sleep 1000' &) ; sleep 0.1; echo",
    "setsid sh -c \"trap '' TERM HUP INT; sleep 1000\" <&- >&- 2>&- & sleep 0.05; echo",
    // Somebody who was stopped, and somebody who holds the pipes.
    "sleep 1000 & kill -STOP $!; echo",
    "(exec sleep 1000) >/dev/null & echo",
    "kill -9 $$; echo",
];

fn die_with_the_command(user: User) {
    let ground = Ground::new(user, "wall_s: 30");
    for script in SCRIPTS {
        let ran = ground.sh(&[], script);
        assert!(ran.took < Duration::from_secs(3), "{script}: {:?}", ran.took);
        let want = if script.starts_with("kill -9") { (Some(137), "") } else { (Some(0), "\n") };
        assert_eq!((ran.status.code(), &*String::from_utf8_lossy(&ran.out)), want, "{script}");
    }
    let ran = ground.finish(ground.part(&[], &["daemon"]));
    assert_eq!(ran.said(), "left a daemon\n");
}

fn die_without_namespaces_too(user: User) {
    let ground = Ground::new(user, "wall_s: 30");
    for script in SCRIPTS {
        let ran = ground.sh(&["--policy", "landlock-only"], script);
        assert!(ran.took < Duration::from_secs(3), "{script}: {:?}", ran.took);
        let want = if script.starts_with("kill -9") { (Some(137), "") } else { (Some(0), "\n") };
        assert_eq!((ran.status.code(), &*String::from_utf8_lossy(&ran.out)), want, "{script}");
    }
}
