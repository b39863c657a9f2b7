//! How calls end that nobody wants any more, and how the server does.

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::client::{Client, LEGACY, MODERN, said, token};
use crate::common::{User, World, users};
use crate::wire::Server;
use crate::world_of;

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    began.elapsed()
}

fn notes(world: &World, id: &str, name: &str) -> PathBuf {
    world.state().join(format!("cases/{id}/layers/0/notes/upper/{name}"))
}

/// Whether a process runs whose command line has this in it.
fn runs(mark: &str) -> bool {
    let Ok(all) = std::fs::read_dir("/proc") else { return false };
    all.flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    })
}

/// A command that says when it has begun and then goes on for long, with a mark by which
/// it is known from outside.
fn endless(id: &str, mark: &str) -> serde_json::Value {
    let command = format!("touch /case/notes/begun; exec -a {mark} sleep 600");
    json!({"name": "shell", "arguments": {"case": id, "command": command}})
}

#[test]
fn a_client_that_is_gone_takes_its_command_along() {
    for user in users() {
        let world = world_of(user);
        let token = token(&world, &["ci"]);
        let server = Server::start(&world, &[]);
        let mut client = Client::start(&server, &token, MODERN);
        let id = client.open();
        let mark = format!("vanish-{}", server.pid());
        let mut gone = client.beside(&server);
        gone.ask("tools/call", endless(&id, &mark));
        until("it begins", || notes(&world, &id, "begun").exists() && runs(&mark));
        drop(gone);
        let took = until("it ends", || !runs(&mark));
        assert!(took < Duration::from_millis(200), "{took:?}");
        client.good("shell", json!({"case": id, "command": "true"}));
        until("it is written down", || {
            world.run(&["journal", "show", &id]).success().stdout.contains("cancelled")
        });
    }
}

#[test]
fn one_who_wants_one_answer_and_goes_takes_its_command_along() {
    let world = world_of(User::Same);
    let token = token(&world, &["ci"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &token, MODERN);
    let id = client.open();
    let mark = format!("close-{}", server.pid());
    let mut gone = client.beside(&server);
    let (request, _) = gone.written("tools/call", endless(&id, &mark));
    gone.connection.send(request.replacen("\r\n", "\r\nConnection: close\r\n", 1));
    until("it begins", || notes(&world, &id, "begun").exists() && runs(&mark));
    drop(gone);
    let took = until("it ends", || !runs(&mark));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_call_that_is_cancelled_in_its_session_ends_at_once() {
    let world = world_of(User::Same);
    let token = token(&world, &["ci"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &token, LEGACY[2]);
    let id = client.open();
    let mark = format!("cancel-{}", server.pid());
    let mut other = client.beside(&server);
    let asked = other.ask("tools/call", endless(&id, &mark));
    until("it begins", || notes(&world, &id, "begun").exists() && runs(&mark));
    client.notify("notifications/cancelled", json!({"requestId": asked}));
    let took = until("it ends", || !runs(&mark));
    assert!(took < Duration::from_millis(200), "{took:?}");
    client.good("shell", json!({"case": id, "command": "true"}));
}

#[test]
fn in_a_session_a_client_may_come_back_for_a_while() {
    let world = world_of(User::Same);
    let token = token(&world, &["ci"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &token, LEGACY[2]);
    let id = client.open();
    let mark = format!("leave-{}", server.pid());
    let mut gone = client.beside(&server);
    gone.ask("tools/call", endless(&id, &mark));
    until("it begins", || notes(&world, &id, "begun").exists() && runs(&mark));
    drop(gone);
    let took = until("it ends", || !runs(&mark));
    assert!((Duration::from_secs(8)..Duration::from_secs(13)).contains(&took), "{took:?}");
    client.good("shell", json!({"case": id, "command": "true"}));
}

#[test]
fn at_the_end_calls_are_answered_and_nobody_new_comes_in() {
    for user in users() {
        for (version, signal) in [(MODERN, Signal::SIGTERM), (LEGACY[2], Signal::SIGINT)] {
            let world = world_of(user);
            let token = token(&world, &["ci"]);
            let mut server = Server::start(&world, &[]);
            let mut client = Client::start(&server, &token, version);
            let id = client.open();
            // One connection that only waits, and one that says nothing.
            let _idle = client.beside(&server);
            let _silent = TcpStream::connect(server.address).unwrap();
            let command = "touch /case/notes/begun; sleep 1; echo done";
            let shell = json!({"name": "shell", "arguments": {"case": id, "command": command}});
            client.ask("tools/call", shell);
            until("it begins", || notes(&world, &id, "begun").exists());
            server.signal(signal);
            until("nobody listens", || TcpStream::connect(server.address).is_err());
            let (text, is_error) = said(&client.connection.reply().json()["result"]);
            assert!(!is_error && text.ends_with("done\n"), "{text}");
            let (status, took) = server.ended();
            assert!(status.success() && took < Duration::from_secs(3), "{status} {took:?}");
            let _ = world.run(&["exec", &id, "true"]).success();
            let _ = world.run(&["journal", "verify", &id]).success();
        }
    }
}

#[test]
fn a_call_does_not_hold_up_the_end_for_longer_than_is_allowed() {
    let world = world_of(User::Same);
    let token = token(&world, &["ci"]);
    // By the time that is given, and by a second signal.
    for (grace, signals) in [("1", 1), ("600", 2)] {
        let mut server = Server::start(&world, &["--grace", grace]);
        let mut client = Client::start(&server, &token, MODERN);
        let id = client.open();
        let mark = format!("end-{}", server.pid());
        client.ask("tools/call", endless(&id, &mark));
        let begun = notes(&world, &id, "begun");
        until("it begins", || begun.exists() && runs(&mark));
        server.signal(Signal::SIGTERM);
        if signals == 2 {
            until("nobody listens", || TcpStream::connect(server.address).is_err());
            server.signal(Signal::SIGTERM);
        }
        let reply = client.connection.reply();
        let (text, _) = said(&reply.json()["result"]);
        assert!(text.starts_with("cancelled; it and all that it started are gone"), "{text}");
        let (status, took) = server.ended();
        assert!(status.success() && took < Duration::from_secs(4), "{status} {took:?}");
        assert!(!runs(&mark));
        let _ = world.run(&["journal", "verify", &id]).success();
    }
}

#[test]
fn calls_of_clients_that_are_gone_keep_nobody_else_waiting() {
    let world = world_of(User::Same);
    let good = token(&world, &["good"]);
    let server = Server::start(&world, &[]);
    let mut other = Client::start(&server, &good, MODERN);
    let others = other.open();
    other.good("find", json!({"case": others, "path": "notes"}));
    let mut waiting = Vec::new();
    for (name, worked_on) in [("careless", 32), ("hostile", 16), ("and a friend", 8)] {
        let careless = token(&world, &[&name.replace(' ', "-")]);
        let mut client = Client::start(&server, &careless, LEGACY[2]);
        let command = json!({"case": client.open(), "command": "sleep 600"});
        let shell = json!({"name": "shell", "arguments": command});
        // As many as are done at a time for this one; they go on, for these could come back.
        for _ in 0..worked_on {
            let mut gone = client.beside(&server);
            gone.ask("tools/call", shell.clone());
            assert_eq!(gone.connection.head().status, 200);
        }
        let mut more: Vec<Client> = (0..32).map(|_| client.beside(&server)).collect();
        more.iter_mut().for_each(|more| {
            more.ask("tools/call", shell.clone());
        });
        waiting.push((client, more));
        let began = Instant::now();
        other.good("find", json!({"case": others, "path": "notes"}));
        assert!(began.elapsed() < Duration::from_secs(5), "{name}: {:?}", began.elapsed());
    }
}
