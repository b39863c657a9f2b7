//! A command whose pipe another one holds, and writes into for ever.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

use crate::ground::{Ground, PROBE, call, in_session, line};

const ROLE: &str = "CASEFILE_TEST_ROLE";
const SOCKET: &str = "/case/notes/socket";

/// What this program does in the jail of the test below. Outside it has no role, and
/// nothing to do.
#[test]
fn part() {
    match std::env::var(ROLE).as_deref() {
        Ok("hold") => hold(),
        Ok("give") => give(),
        _ => {}
    }
}

/// Takes a pipe from somebody, and writes as long as it is read.
fn hold() {
    let socket = UnixDatagram::bind(SOCKET).unwrap();
    let mut byte = [0];
    let mut room = nix::cmsg_space!(RawFd);
    let mut buffer = [IoSliceMut::new(&mut byte)];
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut buffer, Some(&mut room), MsgFlags::empty()).unwrap();
    let Some(ControlMessageOwned::ScmRights(pipes)) = message.cmsgs().unwrap().next() else {
        panic!("no pipe came");
    };
    let pipe =
        std::fs::File::options().write(true).open(format!("/proc/self/fd/{}", pipes[0])).unwrap();
    let lines = "still here\n".repeat(5_000);
    std::fs::write("/case/notes/held", "").unwrap();
    while std::io::Write::write_all(&mut &pipe, lines.as_bytes()).is_ok() {}
    std::fs::write("/case/notes/let-go", "").unwrap();
}

/// Gives its own output away, and ends once it is held.
fn give() {
    let socket = UnixDatagram::unbound().unwrap();
    while socket.connect(SOCKET).is_err() {
        std::thread::yield_now();
    }
    let out = [std::io::stdout().as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&out)];
    let byte = [IoSlice::new(b"x")];
    sendmsg::<()>(socket.as_raw_fd(), &byte, &rights, MsgFlags::empty(), None).unwrap();
    while !std::path::Path::new("/case/notes/held").exists() {
        std::thread::yield_now();
    }
}

#[test]
fn a_command_is_over_whoever_holds_its_pipe() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let part =
            |role: &str| line(&format!("{ROLE}={role} {PROBE} holder::part --exact --nocapture"));
        std::thread::scope(|scope| {
            let holding = scope.spawn(|| call(session, &part("hold")));
            let began = Instant::now();
            let given = call(session, &part("give"));
            assert!(began.elapsed() < Duration::from_secs(30));
            // What the pipe could hold is let out, and not what comes after.
            let kept = std::fs::read_dir(ground.host("outputs")).unwrap();
            let kept: u64 = kept.map(|it| it.unwrap().metadata().unwrap().len()).sum();
            assert!(kept < 16 << 20, "{kept} bytes were kept");
            assert_eq!(given.status, Some(0), "{}", given.shown.text());
            assert!(given.shown.text().contains("still here"), "{}", given.shown.text());
            // Its pipe is closed then, which ends the other one.
            assert_eq!(holding.join().unwrap().status, Some(0));
        });
        assert!(ground.host("notes/let-go").exists());
    });
}
