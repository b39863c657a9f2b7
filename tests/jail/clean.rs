//! Nothing of the caller's gets in but what was named: no variable, no
//! descriptor, no terminal.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::Test;
use crate::common::User;
use crate::ground::Ground;

pub(crate) const TESTS: &[Test] = &[
    ("clean::the_environment_is_the_policys", the_environment_is_the_policys),
    ("clean::three_descriptors_and_no_more", three_descriptors_and_no_more),
];

fn the_environment_is_the_policys(user: User) {
    let ground = Ground::new(user, "");
    let mut command = ground.run(&["--", "env"]);
    command
        .env("SECRET", "x")
        .env("LD_LIBRARY_PATH", "/x")
        .env("BASH_ENV", "x")
        .env("TERM", "dumb");
    let said = ground.finish(command).said();
    let mut lines: Vec<_> = said.lines().filter(|line| !line.starts_with("TZ=")).collect();
    lines.sort_unstable();
    let want = [
        "GIT_PAGER=cat",
        "GIT_TERMINAL_PROMPT=0",
        "HOME=/home/case",
        "LANG=C.UTF-8",
        "LOGNAME=case",
        "PAGER=cat",
        "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
        "TERM=dumb",
        "USER=case",
    ];
    assert_eq!(lines, want);
}

fn three_descriptors_and_no_more(user: User) {
    let ground = Ground::new(user, "");
    let mut held: Vec<OwnedFd> = Vec::new();
    for _ in 0..20 {
        let file = File::open("/etc/passwd").unwrap();
        // Without the mark that would close it when a program starts.
        held.push(raw_copy(&file));
    }
    for policy in ["offline", "landlock-only"] {
        let outside = ground.world.program("ls").arg("/proc/self/fd").output().unwrap();
        assert!(20 < String::from_utf8_lossy(&outside.stdout).lines().count());
        let ran = ground.finish(ground.part(&["--policy", policy], &["open-fds"]));
        assert_eq!(ran.said(), "[0, 1, 2]\n");
    }
    drop(held);
}

#[expect(unsafe_code, reason = "no crate makes a descriptor that outlives exec")]
fn raw_copy(file: &File) -> OwnedFd {
    // SAFETY: the number is new, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(libc::dup(file.as_raw_fd())) }
}
