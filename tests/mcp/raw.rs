//! Raw bytes on the streams of the server: whatever comes, it is answered or passed over,
//! and what comes after it is heard.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde_json::{Value, json};

use crate::client::{Client, LEGACY, MODERN};
use crate::common::{User, World};
use crate::ends::{endless, notes, runs, until};
use crate::world_of;

/// Long enough for an answer that must not come.
const SOON: Duration = Duration::from_millis(50);

/// What is answered to a line: nothing, or an error with this code and id.
type Want = Option<(i64, Value)>;

/// Lines that no client should send, and what is said to each.
fn odd_lines() -> Vec<(Vec<u8>, Want)> {
    let none = Value::Null;
    let deep = format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
    let deep = format!("{{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\",\"params\":{deep}}}");
    let long =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"{}\"}}", "x".repeat(20_000_000));
    #[rustfmt::skip]
    let table: &[(&str, Want)] = &[
        // line                                                       code, id
        ("",                                                          None),
        ("\r",                                                        None),
        ("hello",                                                     Some((-32700, none.clone()))),
        ("\0\0",                                                      Some((-32700, none.clone()))),
        ("Content-Length: 12\r",                                      Some((-32700, none.clone()))),
        (r#"{"jsonrpc":"2.0","id":5,"meth"#,                          Some((-32700, none.clone()))),
        ("42",                                                        Some((-32600, none.clone()))),
        ("[]",                                                        Some((-32600, none.clone()))),
        (r#"[{"jsonrpc":"2.0","id":5,"method":"ping"}]"#,             Some((-32600, none.clone()))),
        (r#"{"jsonrpc":"2.0","id":5}"#,                               Some((-32600, none.clone()))),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,            Some((-32600, none.clone()))),
        (r#"{"jsonrpc":"2.0","id":5.5,"method":"ping"}"#,             Some((-32600, none.clone()))),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,              Some((-32600, none.clone()))),
        (r#"{"jsonrpc":"2.0","id":5,"id":6,"method":"ping"}"#,        Some((-32600, none.clone()))),
        (r#"{"id":5,"method":"ping"}"#,                               Some((-32600, 5.into()))),
        (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#,             Some((-32600, "a".into()))),
        (r#"{"jsonrpc":"2.0","id":5,"method":7}"#,                    Some((-32600, 5.into()))),
        (r#"{"jsonrpc":"2.0","id":5,"method":"ping","params":[1]}"#,  Some((-32600, 5.into()))),
        (r#"{"jsonrpc":"2.0","id":5,"method":"x","params":{"a":"\ud800"}}"#, Some((-32600, 5.into()))),
        (r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":7}}"#, Some((-32602, 5.into()))),
        (r#"{"jsonrpc":"2.0","id":5,"method":"initialize"}"#,         Some((-32602, 5.into()))),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, None),
        (r#"{"jsonrpc":"2.0","method":"notifications/nobody"}"#,      None),
        (r#"{"jsonrpc":"2.0","method":"$/setTrace","params":[]}"#,    None),
        (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#, None),
        (r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,   None),
        (r#"{"jsonrpc":"2.0","id":99,"result":{}}"#,                  None),
        (r#"{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":""}}"#, None),
        (r#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#,      None),
    ];
    let mut lines: Vec<_> =
        table.iter().map(|(line, want)| (line.as_bytes().to_vec(), want.clone())).collect();
    lines.push((b"\xff\xfe\xfd".to_vec(), Some((-32700, none.clone()))));
    lines.push((
        b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"\xc3\"}".to_vec(),
        Some((-32700, none.clone())),
    ));
    lines.push(("[".repeat(100_000).into_bytes(), Some((-32700, none.clone()))));
    lines.push((deep.into_bytes(), Some((-32600, 5.into()))));
    lines.push((long.into_bytes(), Some((-32600, none))));
    lines
}

/// Sends a line and what is beyond doubt, and holds all that is answered.
fn hold(client: &mut Client, line: &[u8], want: &Want) {
    client.bytes(&[line, b"\n"].concat());
    let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
    let after = client.ask("ping", json!({}));
    let mut said = Vec::new();
    loop {
        let message = client.next(Duration::from_secs(30));
        let message = message.unwrap_or_else(|| panic!("nothing is heard after {shown:?}"));
        if message["id"] == after {
            break;
        }
        said.push(message);
    }
    // It may come behind the answer to what was beyond doubt.
    if want.is_some() && said.is_empty() {
        said.extend(client.next(Duration::from_secs(30)));
    }
    let got: Vec<_> = said.iter().map(|it| (it["error"]["code"].as_i64(), &it["id"])).collect();
    let want: Vec<_> = want.iter().map(|(code, id)| (Some(*code), id)).collect();
    assert_eq!(got, want, "{shown:?}: {said:?}");
}

#[test]
fn an_odd_line_ends_nothing_wherever_it_comes() {
    let lines = odd_lines();
    let world = World::of(User::Same);
    for (line, want) in &lines {
        // Before a client has said what it is, and after it has only asked what there is.
        let mut client = Client::start(&world, &[], MODERN);
        hold(&mut client, line, want);
        client.result("server/discover", json!({}));
        hold(&mut client, line, want);
        assert!(client.result("tools/list", json!({}))["tools"].is_array());
        // And when it speaks the older way after all.
        let hello = json!({"protocolVersion": LEGACY[2], "capabilities": {},
            "clientInfo": {"name": "a-test", "version": "1"}});
        assert_eq!(client.result("initialize", hello)["protocolVersion"], LEGACY[2]);
    }
    for version in [LEGACY[0], LEGACY[3], MODERN] {
        let mut client = Client::start(&world, &[], version);
        client.result("tools/list", json!({}));
        for (line, want) in &lines {
            hold(&mut client, line, want);
        }
        assert!(client.result("tools/list", json!({}))["tools"].is_array());
        client.hang_up();
        assert!(client.ended().0.success());
    }
}

#[test]
fn the_end_may_come_anywhere_in_a_line() {
    let world = World::of(User::Same);
    let whole = br#"{"jsonrpc":"2.0","id":"last","method":"ping"}"#;
    for cut in [0, 1, 20, whole.len() - 1, whole.len()] {
        for version in [LEGACY[3], MODERN] {
            let mut client = Client::start(&world, &[], version);
            client.bytes(&whole[..cut]);
            client.hang_up();
            let (status, took) = client.ended();
            assert!(status.success() && took < Duration::from_secs(2), "{cut}: {status} {took:?}");
            // Nobody has to end the last line.
            let answers = std::iter::from_fn(|| client.next(SOON));
            let is_answered = answers.into_iter().any(|it| it["id"] == "last");
            assert_eq!(is_answered, cut == whole.len(), "{cut}");
        }
    }
}

#[test]
fn an_id_that_is_open_is_refused_and_the_first_one_keeps_it() {
    for version in [LEGACY[2], MODERN] {
        let world = world_of(User::Same);
        let mut client = Client::start(&world, &[], version);
        let id = client.open();
        let mark = format!("twice-{}-{version}", client.pid());
        let asked = client.ask("tools/call", endless(&id, &mark));
        until("it begins", || notes(&world, &id, "begun").exists() && runs(&mark));
        // With the id, a refusal would be taken for the answer to the first one.
        let again = json!({"jsonrpc": "2.0", "id": asked, "method": "ping"}).to_string();
        let refused = |client: &mut Client| {
            client.line(&again);
            let refused = client.next(Duration::from_secs(30)).unwrap();
            assert!(refused.get("id").is_none(), "{refused}");
            assert_eq!(refused["error"]["code"], -32600);
        };
        refused(&mut client);
        assert!(runs(&mark));
        client.notify("notifications/cancelled", json!({"requestId": asked}));
        until("it ends", || !runs(&mark));
        refused(&mut client);
        client.good("shell", json!({"case": id, "command": "true"}));
    }
}

/// The most memory that the server had so far.
fn peak_mib(client: &Client) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", client.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let world = World::of(User::Same);
    let mut client = Client::start(&world, &[], MODERN);
    client.result("tools/list", json!({}));
    let before = peak_mib(&client);
    let piece = vec![b'x'; 1024 * 1024];
    for _ in 0..200 {
        client.bytes(&piece);
    }
    assert_eq!(client.next(Duration::from_secs(30)).unwrap()["error"]["code"], -32600);
    client.bytes(b"\n");
    assert!(client.result("tools/list", json!({}))["tools"].is_array());
    // A buffer that grows is two for a moment.
    assert!(peak_mib(&client) < before + 64, "{before} and then {} MiB", peak_mib(&client));
}

#[test]
fn whoever_does_not_read_is_answered_when_they_do() {
    const ASKED: usize = 3_000;
    let world = World::of(User::Same);
    let mut command = world.command(&["mcp"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writes = std::thread::spawn(move || {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {}});
        for id in 0..ASKED {
            let asked = json!({"jsonrpc": "2.0", "id": id, "method": "tools/list",
                "params": {"_meta": meta}});
            stdin.write_all(format!("{asked}\ngarbage\n").as_bytes()).unwrap();
        }
    });
    // Nothing is read until the server has stopped reading, or has read it all.
    let mut read = BufReader::new(child.stdout.take().unwrap());
    let stat = format!("/proc/{}/stat", child.id());
    let sleeps = || std::fs::read_to_string(&stat).unwrap().contains(") S ");
    let mut calm = 0;
    until("it waits for somebody to read", || {
        calm = if sleeps() { calm + 1 } else { 0 };
        100 < calm
    });
    let (mut answered, mut garbage) = (vec![0; ASKED], 0);
    let mut line = String::new();
    while answered.iter().sum::<usize>() + garbage < 2 * ASKED {
        line.clear();
        assert_ne!(read.read_line(&mut line).unwrap(), 0, "it ended");
        let said: Value = serde_json::from_str(&line).unwrap();
        match said["id"].as_u64() {
            Some(id) => answered[usize::try_from(id).unwrap()] += 1,
            None => garbage += 1,
        }
    }
    assert_eq!(garbage, ASKED);
    assert!(answered.iter().all(|times| *times == 1));
    writes.join().unwrap();
    let mut rest = String::new();
    read.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn sockets_serve_like_pipes_and_are_left_as_they_were() {
    let world = World::of(User::Same);
    let is_waiting = |stream: &OwnedFd| {
        let flags = OFlag::from_bits_retain(fcntl(stream, FcntlArg::F_GETFL).unwrap());
        !flags.contains(OFlag::O_NONBLOCK)
    };
    let mut command: Command = world.command(&["mcp"]);
    let (to, stdin) = UnixStream::pair().unwrap();
    let (from, stdout) = UnixStream::pair().unwrap();
    let held = [OwnedFd::from(stdin.try_clone().unwrap()), stdout.try_clone().unwrap().into()];
    command.stdin(OwnedFd::from(stdin)).stdout(OwnedFd::from(stdout));
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut to = to;
    to.write_all(b"hello\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").unwrap();
    let mut lines = BufReader::new(from).lines();
    let said = [lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap()].concat();
    assert!(said.contains("-32700") && said.contains("\"id\":1"), "{said}");
    // The test can tell one from the other.
    assert!(!held.iter().any(is_waiting));
    to.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(held.iter().all(is_waiting));
}
