//! Good clients, of every version of the protocol.

use std::thread;

use serde_json::{Value, json};

use crate::client::{Client, LEGACY, MODERN, request, token};
use crate::common::{World, users};
use crate::wire::Server;
use crate::world_of;

#[test]
fn every_version_has_the_same_tools_as_on_stdio() {
    let world = World::new();
    let token = token(&world, &["ci"]);
    let server = Server::start(&world, &[]);
    let mut first: Option<Value> = None;
    for version in LEGACY.into_iter().chain([MODERN]) {
        let mut client = Client::start(&server, &token, version);
        for _ in 0..2 {
            let tools = client.result("tools/list", json!({}))["tools"].clone();
            assert_eq!(&tools, first.get_or_insert(tools.clone()), "{version}");
        }
    }
    let mut client = Client::start(&server, &token, MODERN);
    let found = client.result("server/discover", json!({}));
    assert_eq!(found["supportedVersions"].as_array().unwrap().len(), LEGACY.len() + 1);
}

#[test]
fn a_case_is_worked_in_over_one_connection() {
    for user in users() {
        let world = world_of(user);
        let token = token(&world, &["ci"]);
        let server = Server::start(&world, &[]);
        for version in [LEGACY[2], MODERN] {
            let mut client = Client::start(&server, &token, version);
            let id = client.open();
            let text = client.good("read_file", json!({"case": id, "path": "repos/app/one.txt"}));
            assert_eq!(text, "repos/app/one.txt: 1 line, 4 B\n1\tone\n");
            let text = client.good("shell", json!({"case": id, "command": "echo from the jail"}));
            assert!(text.ends_with("from the jail\n"), "{text}");
            let (text, is_error) = client.call("read_file", json!({"case": id, "path": "nowhere"}));
            assert!(is_error && text.ends_with("code: NOT_FOUND\n"), "{text}");
            // The token is not in anything that was kept.
            let kept = world.run(&["journal", "show", &id]).success().stdout;
            assert!(!kept.contains(&token), "{kept}");
        }
    }
}

#[test]
fn what_was_sent_before_an_answer_came_is_answered_in_its_turn() {
    let world = World::new();
    let token = token(&world, &["ci"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &token, MODERN);
    let (one, first) = client.written("tools/list", json!({}));
    let (two, second) = client.written("prompts/list", json!({}));
    client.connection.send(one + &two);
    for (id, what) in [(first, "tools"), (second, "prompts")] {
        let answer = client.connection.reply().json();
        assert_eq!(answer["id"], id, "{answer}");
        assert!(answer["result"][what].is_array(), "{answer}");
    }
}

#[test]
fn a_session_is_of_whoever_began_it_and_of_nobody_else() {
    let world = World::new();
    let (owner, other) = (token(&world, &["owner"]), token(&world, &["other"]));
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &owner, LEGACY[3]);
    let session = client.session.clone().unwrap();
    let bearer = format!("Bearer {other}");
    let stolen = [
        ("Authorization", bearer.as_str()),
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json"),
        ("Mcp-Session-Id", session.as_str()),
    ];
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": LEGACY[3], "capabilities": {},
        "clientInfo": {"name": "a", "version": "1"}}})
    .to_string();
    for version in [LEGACY[3], MODERN] {
        let headers = [&stolen[..], &[("MCP-Protocol-Version", version)]].concat();
        for (method, body) in [("POST", &*list), ("POST", &*hello), ("GET", ""), ("DELETE", "")] {
            let reply = server.once(&request(method, "/mcp", &headers, body));
            // Where there are no sessions, none is found by its id either.
            let want: &[u16] = if version == MODERN { &[400, 405] } else { &[404] };
            assert!(want.contains(&reply.status), "{version} {method} {body}: {reply}");
        }
    }
    // It is still there for its owner, and gone when the owner says so.
    assert!(client.result("tools/list", json!({}))["tools"].is_array());
    let end = request("DELETE", "/mcp", &client.headers(&[]), "");
    assert_eq!(server.once(&end).status, 200);
    assert_eq!(client.reply("tools/list", json!({})).status, 404);
    assert_eq!(server.once(&end).status, 404);
}

#[test]
fn many_clients_of_two_tokens_get_each_its_own_answers() {
    const CLIENTS: usize = 8;
    const CALLS: usize = 20;
    let world = world_of(crate::common::User::Same);
    let tokens = [token(&world, &["one"]), token(&world, &["two"])];
    let server = Server::start(&world, &[]);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (server, token) = (&server, &tokens[number % 2]);
            let version = if number < CLIENTS / 2 { MODERN } else { LEGACY[2] };
            scope.spawn(move || {
                let mut client = Client::start(server, token, version);
                let id = client.open();
                for call in 0..CALLS {
                    let mark = format!("{number}-{call}");
                    let path = format!("notes/{mark}");
                    let write = json!({"case": id, "path": path, "text": mark});
                    client.good("write_file", write);
                    let read = json!({"case": id, "path": path, "raw": true});
                    let text = client.good("read_file", read);
                    assert!(text.contains(&mark), "{text}");
                }
            });
        }
    });
}

#[test]
fn a_client_of_a_session_that_was_cut_off_gets_its_answer_when_it_comes_back() {
    let world = world_of(crate::common::User::Same);
    let token = token(&world, &["ci"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &token, LEGACY[3]);
    let id = client.open();
    let mut cut = client.beside(&server);
    let shell = json!({"case": id, "command": "sleep 1; echo it went on"});
    cut.ask("tools/call", json!({"name": "shell", "arguments": shell}));
    assert_eq!(cut.connection.head().status, 200);
    // The first event has nothing in it but where it is.
    let first = String::from_utf8(cut.connection.chunk()).unwrap();
    let at = first.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    drop(cut);
    let mut back = client.beside(&server);
    let again = request("GET", "/mcp", &back.headers(&[("Last-Event-ID", &at)]), "");
    back.connection.send(again);
    let head = back.connection.head();
    assert_eq!((head.status, head.header("content-type")), (200, "text/event-stream"));
    let mut text = String::new();
    while !text.contains("\"result\"") {
        text.push_str(&String::from_utf8(back.connection.chunk()).unwrap());
    }
    assert!(text.contains("it went on"), "{text}");
}
