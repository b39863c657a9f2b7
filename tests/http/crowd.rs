//! One who has a token and asks for more than a fair part: of memory, of places, of
//! sessions. It is held to its own part, and others are served.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::client::{Client, LEGACY, MODERN, request, token};
use crate::common::{User, World};
use crate::wire::{Server, WAIT};
use crate::world_of;

/// Less than what the server takes, with all that is around it.
const LARGE: usize = 4_000_000;

/// The most memory that the server ever had.
fn peak_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn a_name_that_is_far_too_long_costs_no_more_than_its_length() {
    let world = World::new();
    let reader = token(&world, &["reader", "--read-only"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &reader, LEGACY[3]);
    let long = "a".repeat(LARGE);
    let call = |name: &str, arguments: serde_json::Value| {
        ("tools/call", json!({"name": name, "arguments": arguments}))
    };
    let table = [
        ("prompts/get", json!({"name": long})),
        ("prompts/get", json!({"name": "triage_alert", "arguments": {long.as_str(): "b"}})),
        call(&long, json!({})),
        call("read_file", json!({long.as_str(): 1})),
        call("read_file", json!({"case": long, "path": "a"})),
        call("grep", json!({"case": "a", "pattern": "a", "mode": long})),
        call("call_read_only_tool", json!({"name": long})),
    ];
    for (method, params) in table {
        let reply = client.reply(method, params);
        let short: String = reply.body.chars().take(300).collect();
        assert_eq!(reply.status, 200, "{method}: {short}");
        // It is told in a bounded way, with what to do about it.
        assert!(reply.body.contains("error: ") && reply.body.contains("hint: "), "{short}");
        assert!(reply.body.len() < 10_000, "{method}: {} bytes", reply.body.len());
    }
    assert!(peak_mib(&server) < 150, "{} MiB", peak_mib(&server));
}

/// The head of a large request.
fn head(client: &Client) -> String {
    let length = LARGE.to_string();
    let headers = [("Content-Type", "application/json"), ("Content-Length", &length)];
    request("POST", "/mcp", &client.headers(&headers), "")
}

/// A connection on which all of a large request came but its last byte.
fn nearly(server: &Server, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![b' '; LARGE - 1]).unwrap();
    stream
}

/// Whether an answer begins to come within a moment.
fn is_answered(stream: &mut TcpStream, moment: Duration) -> bool {
    stream.set_read_timeout(Some(moment)).unwrap();
    match stream.read(&mut [0]) {
        Ok(read) => 0 < read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn of_large_requests_only_a_few_of_one_are_held() {
    let world = World::new();
    let (busy, calm) = (token(&world, &["busy"]), token(&world, &["calm"]));
    let server = Server::start(&world, &[]);
    let busy = Client::start(&server, &busy, MODERN);
    let calm = Client::start(&server, &calm, MODERN);
    let (busys, calms) = (head(&busy), head(&calm));
    let mut held: Vec<_> = (0..8).map(|_| nearly(&server, &busys)).collect();
    // All of it is there, and still it has to wait until one of the others is done.
    let mut ninth = std::thread::scope(|scope| {
        let ninth = scope.spawn(|| {
            let mut ninth = nearly(&server, &busys);
            ninth.write_all(b"x").unwrap();
            ninth
        });
        // What is small waits for nothing, and neither does anybody else.
        for client in [&busy, &calm] {
            let tools = client.beside(&server).result("tools/list", json!({}));
            assert!(tools["tools"].is_array());
        }
        let mut other = nearly(&server, &calms);
        other.write_all(b"x").unwrap();
        assert!(is_answered(&mut other, WAIT));
        if ninth.is_finished() {
            // It lies in the kernel.
            let mut ninth = ninth.join().unwrap();
            assert!(!is_answered(&mut ninth, Duration::from_millis(300)), "it was taken in");
            held[0].write_all(b"x").unwrap();
            return ninth;
        }
        held[0].write_all(b"x").unwrap();
        ninth.join().unwrap()
    });
    assert!(is_answered(&mut held[0], WAIT));
    assert!(is_answered(&mut ninth, WAIT));
}

#[test]
fn so_many_requests_of_one_are_on_at_a_time() {
    let world = World::new();
    let (busy, calm) = (token(&world, &["busy"]), token(&world, &["calm"]));
    let server = Server::start(&world, &[]);
    let busy = Client::start(&server, &busy, MODERN);
    let calm = Client::start(&server, &calm, MODERN);
    let headers = [("Content-Type", "application/json"), ("Content-Length", "9")];
    let begin = || {
        let mut connection = server.connect();
        connection.send(request("POST", "/mcp", &busy.headers(&headers), ""));
        connection
    };
    let mut on: Vec<_> = (0..256).map(|_| begin()).collect();
    // Those are on once they have been read, in whatever order that is: each more is one
    // too many as soon as they are.
    let limited = loop {
        let mut more = begin();
        more.send("123456789");
        let reply = more.reply();
        if reply.status == 429 {
            break reply;
        }
        assert_eq!(reply.status, 400, "{reply}");
    };
    assert_eq!(limited.header("retry-after"), "1", "{limited}");
    assert!(limited.body.contains("RATE_LIMITED"), "{limited}");
    let tools = calm.beside(&server).result("tools/list", json!({}));
    assert!(tools["tools"].is_array());
    // One that is answered makes room for one.
    let mut first = on.swap_remove(0);
    first.send("123456789");
    assert_eq!(first.reply().status, 400);
    let mut again = begin();
    again.send("123456789");
    assert_eq!(again.reply().status, 400);
}

#[test]
fn a_session_that_nobody_uses_makes_room_and_one_in_use_does_not() {
    let world = World::new();
    let (busy, calm) = (token(&world, &["busy"]), token(&world, &["calm"]));
    let server = Server::start(&world, &[]);
    let mut calm = Client::start(&server, &calm, LEGACY[3]);
    let mut first = Client::start(&server, &busy, LEGACY[3]);
    // Each with its stream open, so that none can go but the first.
    let mut streams = Vec::new();
    for _ in 0..255 {
        let client = Client::start(&server, &busy, LEGACY[3]);
        let mut stream = client.connection;
        let bearer = format!("Bearer {}", busy);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Accept", "text/event-stream"),
            ("MCP-Protocol-Version", LEGACY[3]),
            ("Mcp-Session-Id", client.session.as_deref().unwrap()),
        ];
        stream.send(request("GET", "/mcp", &headers, ""));
        assert_eq!(stream.head().status, 200);
        streams.push(stream);
    }
    assert!(first.result("tools/list", json!({}))["tools"].is_array());
    let mut late = Client::start(&server, &busy, LEGACY[3]);
    let gone = first.reply("tools/list", json!({}));
    assert_eq!(gone.status, 404, "{gone}");
    assert!(late.result("tools/list", json!({}))["tools"].is_array());
    // Others keep theirs, however many one has.
    assert!(calm.result("tools/list", json!({}))["tools"].is_array());
}

#[test]
fn where_tokens_cannot_be_checked_nobody_comes_in_until_they_can() {
    let world = World::new();
    let good = token(&world, &["good"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &good, MODERN);
    assert!(client.result("tools/list", json!({}))["tools"].is_array());
    let record = world.state().join("access/tokens.json");
    let whole = std::fs::read(&record).unwrap();
    std::fs::write(&record, "{").unwrap();
    let reply = client.reply("tools/list", json!({}));
    assert_eq!((reply.status, reply.header("retry-after")), (503, "5"), "{reply}");
    assert!(reply.body.contains("tokens cannot be checked at the moment"), "{reply}");
    assert!(!reply.body.contains("tokens.json"), "{reply}");
    std::fs::write(&record, whole).unwrap();
    assert!(client.result("tools/list", json!({}))["tools"].is_array());
}

#[test]
fn no_case_is_made_that_nobody_could_read() {
    let world = world_of(User::Same);
    let one = token(&world, &["one"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &one, LEGACY[3]);
    let at = "2026-03-01T03:12:00Z";
    let long = "a".repeat(300_000);
    for (argument, given) in [
        ("incident", long.as_str()),
        ("incident", "PD-1\nowner: token:other"),
        ("environment", long.as_str()),
        ("environment", "a\u{1b}[2J"),
        ("title", long.as_str()),
    ] {
        let asked = json!({"repos": ["app"], "at": at, argument: given});
        let (text, is_error) = client.call("open_case", asked);
        assert!(is_error && text.contains(argument), "{text}");
        assert!(text.ends_with("code: VALIDATION_ERROR\n"), "{text}");
    }
    let all = world.run(&["list", "--json"]).success().stdout;
    assert_eq!(all.trim(), "[]");
    let asked = json!({"repos": ["app"], "at": at, "incident": "PD-4411"});
    let opened = client.good("open_case", asked);
    assert!(opened.contains("incident  2026-03-01T03:12:00Z (PD-4411)\n"), "{opened}");
    let opened = client.good("open_case", json!({"repos": ["app"], "incident": "PD-1"}));
    assert!(opened.contains("Z (PD-1)\n"), "{opened}");
}
