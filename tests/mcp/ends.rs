//! How calls end that nobody wants any more, and how the server does.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use serde_json::json;

use crate::client::{Client, LEGACY, MODERN};
use crate::common::{World, users};
use crate::world_of;

/// Waits until a file is there, or is gone.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    began.elapsed()
}

pub(crate) fn notes(world: &World, id: &str, name: &str) -> PathBuf {
    world.state().join(format!("cases/{id}/layers/0/notes/upper/{name}"))
}

/// Whether a process runs whose command line has this in it.
pub(crate) fn runs(mark: &str) -> bool {
    let Ok(all) = std::fs::read_dir("/proc") else { return false };
    all.flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    })
}

/// A command that says when it has begun and then goes on for long, with a mark by which
/// it is known from outside.
pub(crate) fn endless(id: &str, mark: &str) -> serde_json::Value {
    let command = format!("touch /case/notes/begun; exec -a {mark} sleep 600");
    json!({"name": "shell", "arguments": {"case": id, "command": command}})
}

#[test]
fn a_cancelled_command_is_gone_at_once_and_is_not_answered() {
    for user in users() {
        for version in [LEGACY[2], MODERN] {
            let world = world_of(user);
            let mut client = Client::start(&world, &[], version);
            let id = client.open();
            let mark = format!("cancel-me-{}-{version}", client.pid());
            let asked = client.ask("tools/call", endless(&id, &mark));
            until("it begins", || notes(&world, &id, "begun").exists() && runs(&mark));
            client.notify("notifications/cancelled", json!({"requestId": asked}));
            let took = until("it ends", || !runs(&mark));
            assert!(took < Duration::from_millis(200), "{took:?}");
            // All else goes on, and nothing more is said of it.
            client.good("shell", json!({"case": id, "command": "true"}));
            assert!(client.unread().next().is_none());
            until("it is written down", || {
                let shown = world.run(&["journal", "show", &id]).success().stdout;
                shown.contains("cancelled")
            });
        }
    }
}

#[test]
fn the_server_ends_when_its_input_does_and_leaves_the_case_to_others() {
    for user in users() {
        let world = world_of(user);
        let mut client = Client::start(&world, &[], MODERN);
        let id = client.open();
        client.good("shell", json!({"case": id, "command": "true"}));
        let held = world.run(&["exec", &id, "true"]);
        assert!(held.stderr.contains("is in use by `casefile mcp`"), "{held}");
        client.hang_up();
        let (status, took) = client.ended();
        assert!(status.success() && took < Duration::from_secs(2), "{status} {took:?}");
        let _ = world.run(&["exec", &id, "true"]).success();
        let _ = world.run(&["journal", "verify", &id]).success();
    }
}

#[test]
fn a_command_does_not_outlive_the_input_by_much() {
    let world = world_of(crate::common::User::Same);
    let mut client = Client::start(&world, &[], LEGACY[3]);
    let id = client.open();
    let mark = format!("leave-me-{}", client.pid());
    let quick = client.ask(
        "tools/call",
        json!({"name": "shell", "arguments": {"case": id, "command": "sleep 1; echo done"}}),
    );
    client.ask("tools/call", endless(&id, &mark));
    until("it begins", || notes(&world, &id, "begun").exists() && runs(&mark));
    client.hang_up();
    // What is nearly done is still answered.
    let said = client.said(quick);
    assert!(said.text.ends_with("done\n"), "{}", said.text);
    let (status, took) = client.ended();
    assert!(status.success() && took < Duration::from_secs(8), "{status} {took:?}");
    assert!(!runs(&mark));
    let _ = world.run(&["journal", "verify", &id]).success();
}

#[test]
fn a_signal_ends_the_server_and_all_that_runs_in_it() {
    for user in users() {
        for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
            let world = world_of(user);
            let mut client = Client::start(&world, &[], MODERN);
            let id = client.open();
            let mark = format!("end-me-{}-{signal}", client.pid());
            client.ask("tools/call", endless(&id, &mark));
            let command = format!("exec -a behind-{mark} sleep 600");
            let behind = json!({"case": id, "background": true, "command": command});
            client.good("shell", behind);
            until("it begins", || notes(&world, &id, "begun").exists() && runs(&mark));
            kill(client.pid(), signal).unwrap();
            let (status, took) = client.ended();
            assert!(status.success() && took < Duration::from_secs(3), "{status} {took:?}");
            until("it ends", || !runs(&mark));
            let _ = world.run(&["exec", &id, "true"]).success();
            let _ = world.run(&["journal", "verify", &id]).success();
        }
    }
}

#[test]
fn the_server_ends_with_its_parent() {
    for user in users() {
        let world = World::of(user);
        // The shell goes, and leaves the server with a pipe that nobody closes.
        let (read, write) = nix::unistd::pipe().unwrap();
        let mut shell = world.program("sh");
        shell.args(["-c", "\"$0\" mcp <&0 >/dev/null 2>&1 & echo $!; sleep 1"]);
        shell.arg(crate::common::binary()).stdin(read).stdout(Stdio::piped());
        let said = shell.output().unwrap();
        drop(write);
        let pid = String::from_utf8(said.stdout).unwrap();
        let stat = PathBuf::from(format!("/proc/{}", pid.trim()));
        let took = until("it ends", || !stat.exists());
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[test]
fn progress_is_told_now_and_then_and_not_after_the_answer() {
    let world = world_of(crate::common::User::Same);
    let mut client = Client::start(&world, &[], MODERN);
    let id = client.open();
    let asked = client.ask(
        "tools/call",
        json!({"name": "shell", "arguments": {"case": id, "command": "sleep 11"},
            "_meta": {"progressToken": "t-1"}}),
    );
    let said = client.said(asked);
    assert!(said.text.starts_with("exit 0"), "{}", said.text);
    assert!(client.next(Duration::from_millis(300)).is_none());
    let told: Vec<_> = client.unread().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["method"], "notifications/progress");
    assert_eq!(told[0]["params"]["progressToken"], "t-1");
    assert_eq!(told[0]["params"]["message"], "shell has been running for 10 s");
}

#[test]
fn a_case_that_nobody_needs_is_let_go_and_comes_back_when_it_is_asked_for() {
    for user in users() {
        let world = world_of(user);
        let mut client = Client::start(&world, &["--idle", "1"], MODERN);
        let id = client.open();
        let is_free = || world.run(&["exec", &id, "true"]).status.success();
        let shell = |more: serde_json::Value| {
            let mut all = json!({"case": id});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        client.good("shell", shell(json!({"command": "touch /case/notes/mine"})));
        assert!(!is_free());
        until("it is free", is_free);
        client.good("read_file", json!({"case": id, "path": "notes/mine"}));
        // A command in the background is a use, and so is a call that is on.
        let behind = json!({"command": "sleep 600", "background": true});
        let handle = client.good("shell", shell(behind)).split('`').nth(1).unwrap().to_owned();
        std::thread::sleep(Duration::from_millis(2_500));
        assert!(!is_free());
        let kill = json!({"name": "background",
            "arguments": {"case": id, "handle": handle, "wanted": "kill"}});
        client.good("call_tool", kill);
        let asked = client.ask(
            "tools/call",
            json!({"name": "shell", "arguments": shell(json!({"command": "sleep 3"}))}),
        );
        std::thread::sleep(Duration::from_millis(2_500));
        assert!(!is_free());
        assert!(!client.said(asked).is_error);
        until("it is free again", is_free);
    }
}
