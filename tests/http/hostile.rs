//! Senders that mean no good, or do not know better. All of them are let go of in time,
//! and a good client is served while they try.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, MODERN, request, token};
use crate::common::World;
use crate::wire::Server;

/// A server that does not wait long, and somebody who may ask it.
fn hasty(world: &World) -> (Server, Client) {
    let token = token(world, &["good"]);
    let server = Server::start(world, &["--patience", "1"]);
    let client = Client::start(&server, &token, MODERN);
    (server, client)
}

#[test]
fn what_is_no_http_is_answered_or_dropped_and_the_rest_goes_on() {
    let world = World::new();
    let (server, client) = hasty(&world);
    let many: String = (0..100).map(|number| format!("X-{number}: a\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "a".repeat(40_000));
    let path = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(70_000));
    #[rustfmt::skip]
    let table = [
        // sent                                                              status, or none
        ("hello\r\n\r\n".to_owned(),                                         Some(400)),
        ("GET /mcp HTTP/9.9\r\n\r\n".to_owned(),                             Some(400)),
        ("GET /mcp HTTP/1.1\r\nHost localhost\r\n\r\n".to_owned(),           Some(400)),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03".to_owned(),        Some(400)),
        (format!("GET /mcp HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),      Some(431)),
        (format!("GET /mcp HTTP/1.1\r\nHost: localhost\r\n{large}\r\n"),     Some(431)),
        (path,                                                               Some(431)),
        ("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(), Some(400)),
        ("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n".to_owned(), Some(400)),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),                      None),
        (String::new(),                                                      None),
        ("GET /mcp HT".to_owned(),                                           None),
    ];
    for (sent, want) in table {
        let mut connection = server.connect();
        let _ = connection.try_send(&sent);
        let short: String = sent.chars().take(80).collect();
        match want {
            Some(want) => {
                assert!(!connection.is_closed(), "{short:?}");
                assert_eq!(connection.reply().status, want, "{short:?}");
            }
            None => {
                let began = Instant::now();
                while !connection.is_closed() {
                    assert!(began.elapsed() < Duration::from_secs(10), "{short:?}");
                    let _ = connection.reply();
                }
            }
        }
        assert!(client.beside(&server).result("tools/list", json!({}))["tools"].is_array());
    }
}

#[test]
fn ten_megabytes_of_headers_are_not_taken_in() {
    let world = World::new();
    let (server, client) = hasty(&world);
    let mut connection = server.connect();
    connection.send("GET /mcp HTTP/1.1\r\nHost: localhost\r\n");
    let line = format!("X-Large: {}\r\n", "a".repeat(1_000));
    let sent = (0..10_000).take_while(|_| connection.try_send(&line).is_ok()).count();
    assert!(sent < 10_000, "all of it was taken");
    assert!(client.beside(&server).result("tools/list", json!({}))["tools"].is_array());
}

#[test]
fn who_sends_slowly_does_not_keep_a_place() {
    let world = World::new();
    let (server, client) = hasty(&world);
    // One byte now and then, of the headers.
    let mut connection = server.connect();
    let began = Instant::now();
    for byte in "GET /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: aaaaaaaaaaaaaaaaa".bytes() {
        if connection.try_send([byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(connection.is_closed(), "headers");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    // The same of a body.
    let mut connection = server.connect();
    let json = ("Content-Type", "application/json");
    let headers = client.headers(&[json, ("Content-Length", "1000")]);
    connection.send(request("POST", "/mcp", &headers, ""));
    let mut reply = None;
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| connection.reply());
        reply = slow.join().ok();
    });
    let reply = reply.unwrap();
    assert_eq!(reply.status, 408, "{reply}");
    assert!(reply.body.contains("hint: Send it again, all at once."), "{reply}");
    assert!(client.beside(&server).result("tools/list", json!({}))["tools"].is_array());
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let world = World::new();
    let (server, client) = hasty(&world);
    let json = ("Content-Type", "application/json");
    let huge = (100 * 1024 * 1024).to_string();
    // Told before: the answer is there before anything is sent.
    let mut connection = server.connect();
    let expects = ("Expect", "100-continue");
    let headers = client.headers(&[json, expects, ("Content-Length", &huge)]);
    connection.send(request("POST", "/mcp", &headers, ""));
    assert_eq!(connection.reply().status, 413);
    // Not told: as much is taken as may be.
    let mut connection = server.connect();
    let headers = client.headers(&[json, ("Transfer-Encoding", "chunked")]);
    connection.send(request("POST", "/mcp", &headers, ""));
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    (0..80).for_each(|_| connection.send(&chunk));
    connection.send("0\r\n\r\n");
    let reply = connection.reply();
    assert_eq!(reply.status, 413, "{reply}");
    assert!(reply.body.contains("the body has more than 4 MiB"), "{reply}");
    // All at once, by one who reads the answer only after that.
    let mut connection = server.connect();
    let body = "a".repeat(8 * 1024 * 1024);
    connection.send(request("POST", "/mcp", &client.headers(&[json]), &body));
    assert_eq!(connection.reply().status, 413);
    // The most that may be sent is no JSON, but is read.
    let mut connection = server.connect();
    let body = "a".repeat(4 * 1024 * 1024);
    connection.send(request("POST", "/mcp", &client.headers(&[json]), &body));
    assert_eq!(connection.reply().status, 400);
    assert!(client.beside(&server).result("tools/list", json!({}))["tools"].is_array());
}

#[test]
fn a_crowd_that_says_nothing_only_keeps_others_waiting() {
    let world = World::new();
    let (server, client) = hasty(&world);
    let began = Instant::now();
    let crowd: Vec<_> =
        (0..600).map(|_| std::net::TcpStream::connect(server.address).unwrap()).collect();
    let mut late = client.beside(&server);
    assert!(late.result("tools/list", json!({}))["tools"].is_array());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    drop(crowd);
}
