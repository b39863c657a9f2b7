//! What every request has to pass, and what is told to one that does not.

use serde_json::json;

use crate::client::{Client, MODERN, request, token};
use crate::common::World;
use crate::wire::{Reply, Server};

/// The words of a refusal, which are the same kind of words as everywhere.
#[track_caller]
fn told(reply: &Reply) -> String {
    assert_eq!(reply.header("content-type"), "application/json", "{reply}");
    let json = reply.json();
    assert_eq!(json["jsonrpc"], "2.0", "{reply}");
    let text = json["error"]["message"].as_str().unwrap().to_owned();
    assert!(text.starts_with("error: ") && text.contains("\nhint: "), "{reply}");
    let code = json["error"]["data"]["code"].as_str().unwrap();
    assert!(text.ends_with(&format!("\ncode: {code}")), "{reply}");
    text
}

#[test]
fn nobody_comes_in_without_a_token() {
    let world = World::new();
    let good = token(&world, &["good"]);
    let revoked = token(&world, &["revoked"]);
    let server = Server::start(&world, &[]);
    let bearer = |token: &str| format!("Bearer {token}");
    let metadata =
        "resource_metadata=\"http://localhost/.well-known/oauth-protected-resource/mcp\"";
    let get =
        |path: &str, headers: &[(&str, &str)]| server.once(&request("GET", path, headers, ""));
    assert_eq!(get("/mcp", &[("Authorization", &bearer(&revoked))]).status, 406);
    let _ = world.run(&["token", "revoke", "revoked"]).success();
    let long = bearer(&"a".repeat(8_000));
    #[rustfmt::skip]
    let table = [
        // path                          what it sends as Authorization
        ("/mcp",                         vec![]),
        ("/mcp",                         vec!["Bearer".to_owned()]),
        ("/mcp",                         vec!["Bearer ".to_owned()]),
        ("/mcp",                         vec![bearer("casefile_no")]),
        ("/mcp",                         vec![bearer(&good[..good.len() - 1])]),
        ("/mcp",                         vec![bearer(&format!("{good}a"))]),
        ("/mcp",                         vec![bearer(&good.to_uppercase())]),
        ("/mcp",                         vec![bearer(&revoked)]),
        ("/mcp",                         vec![good.clone()]),
        ("/mcp",                         vec![format!("Basic {good}")]),
        ("/mcp",                         vec![bearer(&good), bearer(&good)]),
        ("/mcp",                         vec![long]),
        ("/mcp/",                        vec![]),
        ("/",                            vec![]),
        ("/sse",                         vec![]),
        ("/messages",                    vec![]),
        ("/health",                      vec![]),
        ("/.well-known/openid",          vec![]),
        ("/.well-known/oauth-protected-resource/sse", vec![]),
    ];
    for (path, sent) in table {
        let headers: Vec<(&str, &str)> =
            sent.iter().map(|sent| ("Authorization", sent.as_str())).collect();
        for method in ["GET", "POST", "DELETE", "OPTIONS", "PATCH"] {
            let reply = server.once(&request(method, path, &headers, ""));
            let whole = format!("{method} {path} {sent:?}: {reply}");
            assert_eq!(reply.status, 401, "{whole}");
            let challenge = reply.header("www-authenticate");
            assert!(challenge.starts_with("Bearer "), "{whole}");
            assert!(challenge.contains(metadata), "{whole}");
            assert!(challenge.ends_with("scope=\"cases:read cases:write\""), "{whole}");
            assert!(told(&reply).ends_with("code: UNAUTHORIZED"), "{whole}");
            assert!(!reply.body.contains(&good) && !reply.body.contains(&revoked), "{whole}");
        }
    }
    let query = format!("/mcp?access_token={good}");
    assert_eq!(get(&query, &[]).status, 401);
    let challenge = get("/mcp", &[("Authorization", &bearer("no"))]);
    assert!(
        challenge.header("www-authenticate").contains("error=\"invalid_token\""),
        "{challenge}"
    );
    // The same token does for whoever sends it as it should be.
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let header = format!("{scheme} {good}");
        assert_eq!(get("/mcp", &[("Authorization", &header)]).status, 406);
    }
}

#[test]
fn a_client_learns_without_a_token_which_one_it_needs() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    for path in ["", "/mcp"] {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let reply = server.once(&request("GET", &path, &[("Host", "127.0.0.1:8811")], ""));
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(
            reply.json(),
            json!({
                "resource": "http://127.0.0.1:8811/mcp",
                "resource_name": "casefile",
                "scopes_supported": ["cases:read", "cases:write"],
                "bearer_methods_supported": ["header"],
            })
        );
        let reply = server.once(&request("POST", &path, &[], "{}"));
        assert_eq!((reply.status, reply.header("allow")), (405, "GET"), "{reply}");
    }
    // Behind something that does TLS, the client knows it by another address.
    let server = Server::start(&world, &["--url", "https://cases.example.com"]);
    let host = [("Host", "cases.example.com")];
    let path = "/.well-known/oauth-protected-resource/mcp";
    let reply = server.once(&request("GET", path, &host, ""));
    assert_eq!(reply.json()["resource"], "https://cases.example.com/mcp", "{reply}");
    let reply = server.once(&request("GET", "/mcp", &host, ""));
    let challenge = reply.header("www-authenticate");
    assert!(challenge.contains(&format!("\"https://cases.example.com{path}\"")), "{reply}");
}

#[test]
fn only_its_own_names_and_pages_that_may_get_further() {
    let world = World::new();
    let more = ["--allow-host", "cases.example.com", "--allow-origin", "https://app.example.com"];
    let server = Server::start(&world, &more);
    let address = server.address.to_string();
    #[rustfmt::skip]
    let table = [
        // headers                                                           status
        (vec![("Host", "localhost:8811")],                                   401),
        (vec![("Host", address.as_str())],                                   401),
        (vec![("Host", "cases.example.com")],                                401),
        (vec![("Host", "evil.example.com")],                                 403),
        (vec![("Host", "localhost.evil.example.com")],                       403),
        (vec![("Host", "localhost"), ("Host", "localhost")],                 400),
        (vec![("Host", "")],                                                 403),
        (vec![("Origin", "http://localhost:6274")],                          401),
        (vec![("Origin", "https://app.example.com")],                        401),
        (vec![("Origin", "https://evil.example.com")],                       403),
        (vec![("Origin", "null")],                                           403),
        (vec![("Origin", "http://localhost"), ("Origin", "http://evil.com")], 403),
    ];
    for (headers, want) in table {
        for path in ["/mcp", "/", "/.well-known/oauth-protected-resource"] {
            let reply = server.once(&request("GET", path, &headers, ""));
            let want = if want == 401 && path.starts_with("/.well") { 200 } else { want };
            assert_eq!(reply.status, want, "{path} {headers:?}: {reply}");
            if want == 403 {
                assert!(told(&reply).ends_with("code: FORBIDDEN"), "{reply}");
            }
        }
    }
    // A browser asks before it sends a token, and is told of its own page alone.
    for (origin, want) in [("https://app.example.com", 204), ("https://evil.example.com", 403)] {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        let reply = server.once(&request("OPTIONS", "/mcp", &headers, ""));
        assert_eq!(reply.status, want, "{reply}");
        let is_told = reply.header("access-control-allow-origin") == origin;
        assert_eq!(is_told, want == 204, "{reply}");
        assert!(!reply.header("access-control-allow-origin").contains('*'), "{reply}");
        let reply = server.once(&request("GET", "/mcp", &[("Origin", origin)], ""));
        let exposed = reply.header("access-control-expose-headers");
        assert_eq!(exposed.contains("mcp-session-id"), want == 204, "{reply}");
    }
    // Who names nobody is answered, too.
    assert_eq!(server.once("GET /mcp HTTP/1.1\r\n\r\n").status, 400);
}

#[test]
fn each_mistake_has_its_number_and_a_way_out() {
    let world = World::new();
    let token = token(&world, &["ci"]);
    let server = Server::start(&world, &[]);
    let bearer = format!("Bearer {token}");
    let json = ("Content-Type", "application/json");
    let both = ("Accept", "application/json, text/event-stream");
    let call = "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/list\", \"params\": {}}";
    #[rustfmt::skip]
    let table = [
        // method    path        headers                          body        status  a part of what is told
        ("GET",      "/",        vec![both],                      "",         404,    "hint: Use `/mcp`, with streamable HTTP."),
        ("GET",      "/mcp/",    vec![both],                      "",         404,    "nothing is here"),
        ("POST",     "/mcp/x",   vec![both, json],                call,       404,    "nothing is here"),
        ("GET",      "/sse",     vec![both],                      "",         410,    "hint: Use `/mcp`, with streamable HTTP."),
        ("POST",     "/messages", vec![both, json],               call,       410,    "HTTP with SSE, as in 2024-11-05, is not served"),
        ("PUT",      "/mcp",     vec![both, json],                call,       405,    "hint: Send it with one of GET, POST, DELETE."),
        ("OPTIONS",  "/mcp",     vec![both],                      "",         405,    "does not know the method OPTIONS"),
        ("POST",     "/mcp",     vec![both],                      call,       415,    "hint: Send `Content-Type: application/json`."),
        ("POST",     "/mcp",     vec![both, ("Content-Type", "text/plain")], call, 415, "not said to be JSON"),
        ("POST",     "/mcp",     vec![json],                      call,       406,    ""),
        ("GET",      "/mcp",     vec![json],                      "",         406,    ""),
        ("POST",     "/mcp",     vec![both, json],                "",         400,    "the body is no JSON"),
        ("POST",     "/mcp",     vec![both, json],                "hello",    400,    "the body is no JSON"),
        ("POST",     "/mcp",     vec![both, json],                "{\"id\": 1", 400,  "the body is no JSON"),
        ("POST",     "/mcp",     vec![both, json],                "{}",       400,    "no message of the protocol"),
        ("POST",     "/mcp",     vec![both, json],                "[]",       400,    "it is a list"),
        ("POST",     "/mcp",     vec![both, json],                "7",        400,    "no JSON-RPC message"),
        ("POST",     "/mcp",     vec![both, json],                "{\"method\": \"a\", \"method\": \"b\"}", 400, "duplicate field"),
        ("POST",     "/mcp",     vec![both, json, ("Mcp-Session-Id", "nobodys")], call, 404, "there is no such session"),
        ("GET",      "/mcp",     vec![both, ("Mcp-Session-Id", "nobodys")], "",  404, "hint: Begin again with `initialize`."),
        ("DELETE",   "/mcp",     vec![both, ("Mcp-Session-Id", "nobodys")], "",  404, "there is no such session"),
    ];
    // All of it on one connection: a mistake is no reason to hang up.
    let mut connection = server.connect();
    for (method, path, headers, body, status, part) in table {
        let headers = [vec![("Authorization", bearer.as_str())], headers].concat();
        connection.send(request(method, path, &headers, body));
        let reply = connection.reply();
        let whole = format!("{method} {path} {headers:?} {body}: {reply}");
        assert_eq!(reply.status, status, "{whole}");
        if !part.is_empty() {
            assert!(told(&reply).contains(part), "{whole}");
        }
        if status == 405 {
            assert_eq!(reply.header("allow"), "GET, POST, DELETE", "{whole}");
        }
    }
    let mut client = Client::of(connection, &token, MODERN);
    assert!(client.result("tools/list", json!({}))["tools"].is_array());
}

#[test]
fn who_asks_too_much_is_told_to_wait_and_nobody_else_is() {
    let world = World::new();
    let (busy, calm) = (token(&world, &["busy"]), token(&world, &["calm"]));
    let server = Server::start(&world, &["--rate", "1"]);
    let mut client = Client::start(&server, &busy, MODERN);
    let mut other = Client::start(&server, &calm, MODERN);
    // The burst is two; what time brings meanwhile is little.
    let limited =
        (0..20).map(|_| client.reply("tools/list", json!({}))).find(|it| it.status != 200);
    let limited = limited.unwrap();
    assert_eq!((limited.status, limited.header("retry-after")), (429, "1"), "{limited}");
    assert_eq!(limited.json()["error"]["data"]["retry_after_s"], 1, "{limited}");
    let text = told(&limited);
    assert!(text.contains("`token:busy` asks too much at a time"), "{text}");
    assert!(text.contains("hint: Wait 1 s, then send it again."), "{text}");
    assert!(text.ends_with("code: RATE_LIMITED"), "{text}");
    assert!(other.result("tools/list", json!({}))["tools"].is_array());
    // As long as it was told, and no longer.
    std::thread::sleep(std::time::Duration::from_millis(1_050));
    assert!(client.result("tools/list", json!({}))["tools"].is_array());
}
