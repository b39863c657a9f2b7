//! What a client sees before it calls anything, in both eras of the protocol.

use serde_json::{Value, json};

use crate::client::{Client, LEGACY, MODERN};
use crate::common::users;
use crate::{common::World, world_of};

/// All that a client is told of the tools.
const LIST_BYTES_MAX: usize = 6_000;

fn tools(client: &mut Client) -> Value {
    client.result("tools/list", json!({}))["tools"].clone()
}

#[test]
fn every_version_has_the_same_tools_in_the_same_bytes() {
    let world = World::new();
    let mut first: Option<String> = None;
    for version in LEGACY.into_iter().chain([MODERN]) {
        let mut client = Client::start(&world, &[], version);
        for _ in 0..2 {
            let list = client.result("tools/list", json!({}));
            let text = list["tools"].to_string();
            assert_eq!(&text, first.get_or_insert(text.clone()), "{version}");
            let mut whole = list.clone();
            whole.as_object_mut().unwrap().remove("_meta");
            let bytes = whole.to_string().len();
            assert!(bytes <= LIST_BYTES_MAX, "{version}: {bytes} bytes");
            assert_eq!(list.get("ttlMs").is_some(), version == MODERN, "{list}");
            assert_eq!(list.get("resultType").is_some(), version == MODERN, "{list}");
        }
    }
}

#[test]
fn the_tools_are_these_with_these_hints() {
    let world = World::new();
    let mut client = Client::start(&world, &[], MODERN);
    let rows: Vec<String> = tools(&mut client)
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            let is_core = ["open_", "read_", "grep", "find", "shell", "write_", "search_"]
                .iter()
                .any(|core| tool["name"].as_str().unwrap().starts_with(core));
            assert_eq!(tool["_meta"]["anthropic/alwaysLoad"] == true, is_core, "{tool}");
            assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
            assert!(tool.get("outputSchema").is_none(), "{tool}");
            let hints = tool["annotations"].as_object().unwrap();
            let hints: Vec<String> =
                hints.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}: {}\n", tool["name"].as_str().unwrap(), hints.join(" "))
        })
        .collect();
    insta::assert_snapshot!(rows.concat(), @r"
    open_case: destructiveHint=false openWorldHint=false readOnlyHint=false
    read_file: openWorldHint=false readOnlyHint=true
    grep: openWorldHint=false readOnlyHint=true
    find: openWorldHint=false readOnlyHint=true
    shell: destructiveHint=false openWorldHint=false readOnlyHint=false
    write_file: destructiveHint=false openWorldHint=false readOnlyHint=false
    close_case: destructiveHint=false openWorldHint=false readOnlyHint=false
    search_tools: openWorldHint=false readOnlyHint=true
    call_tool: destructiveHint=false openWorldHint=false readOnlyHint=false
    call_read_only_tool: openWorldHint=false readOnlyHint=true
    ");
}

#[test]
fn a_bound_server_asks_for_no_case_and_opens_none() {
    for user in users() {
        let world = world_of(user);
        let id = crate::ground::open(&world, &["--repo", "app"]);
        let mut client = Client::start(&world, &["--case", &id[..id.len() - 1]], MODERN);
        let tools = tools(&mut client);
        let names: Vec<&str> =
            tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert!(!names.contains(&"open_case") && names.contains(&"read_file"), "{names:?}");
        let read = tools.as_array().unwrap().iter().find(|tool| tool["name"] == "read_file");
        assert_eq!(read.unwrap()["inputSchema"]["required"], json!(["path"]));
        let text = client.good("read_file", json!({"path": "repos/app/one.txt"}));
        assert_eq!(text, "repos/app/one.txt: 1 line, 4 B\n1\tone\n");
        let other = crate::ground::open(&world, &["--repo", "app", "--title", "another"]);
        let text = client.bad("read_file", json!({"case": other, "path": "repos"}));
        assert_eq!(
            text,
            format!(
                "error: this server is bound to `{id}`, not to `{other}`\n\
                 hint: Leave `case` out.\ncode: FORBIDDEN\n"
            )
        );
        for (tool, arguments) in
            [("open_case", json!({})), ("call_tool", json!({"name": "fork_case"}))]
        {
            let text = client.bad(tool, arguments);
            assert!(text.ends_with("code: FORBIDDEN\n"), "{text}");
        }
    }
}

#[test]
fn a_client_of_either_era_learns_who_this_is() {
    let world = World::new();
    let mut client = Client::start(&world, &[], MODERN);
    let found = client.result("server/discover", json!({}));
    let versions = found["supportedVersions"].as_array().unwrap();
    for version in LEGACY.into_iter().chain([MODERN]) {
        assert!(versions.contains(&json!(version)), "{found}");
    }
    let modern = found["instructions"].as_str().unwrap().to_owned();
    assert!(modern.starts_with("casefile: a jailed directory"), "{found}");

    let mut client = Client::start(&world, &[], "2025-06-18");
    let hello = client.hello();
    // A client may begin anew.
    let found = client.result("initialize", hello);
    assert_eq!(found["serverInfo"]["name"], "casefile");
    assert_eq!(found["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["instructions"], json!(modern));
    assert_eq!(
        found["capabilities"],
        json!({"completions": {}, "prompts": {}, "resources": {}, "tools": {}})
    );
}

#[test]
fn what_is_no_request_is_left_and_the_rest_goes_on() {
    let world = World::new();
    let mut client = Client::start(&world, &[], "2025-11-25");
    client.line("this is no JSON");
    client.line("{\"jsonrpc\": \"2.0\", \"id\": 900");
    client.line("[]");
    client.line("{\"jsonrpc\": \"2.0\", \"id\": 901, \"method\": 7}");
    client.line(&format!("{{\"a\": \"{}\"}}", "x".repeat(100_000)));
    client.line("");
    let answer = client.request("no/such/method", json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    let answer = client.request("tools/call", json!({"arguments": {}}));
    assert!(answer.get("error").is_some(), "a call without a name is no request: {answer}");
    assert!(tools(&mut client).is_array());
}

#[test]
fn who_cannot_be_answered_is_told_of_on_stderr_and_nobody_at_all_is_no_fault() {
    let world = World::new();
    let begin = |name: &str, line: &str| {
        world.put(&format!("work/{name}"), line);
        std::fs::File::open(world.path(&format!("work/{name}"))).unwrap()
    };
    let mut command = world.command(&["mcp"]);
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": LEGACY[3], "capabilities": {},
        "clientInfo": {"name": "a-test", "version": "1"}}});
    command.stdin(begin("hello", &hello.to_string()));
    // Nobody reads there.
    let (read, write) = nix::unistd::pipe().unwrap();
    drop(read);
    command.stdout(write).stderr(std::process::Stdio::piped());
    let outcome = command.output().unwrap();
    assert_eq!(outcome.status.code(), Some(1));
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert!(stderr.starts_with("error: there is no client that could be answered"), "{stderr}");
    assert!(stderr.contains("\nhint: Start it from an MCP client"), "{stderr}");
    // Whoever goes without having asked anything.
    let mut command = world.command(&["mcp"]);
    let news = "{\"jsonrpc\": \"2.0\", \"method\": \"notifications/initialized\"}\n";
    command.stdin(begin("news", news));
    assert_eq!(world.finish(command).success().to_string(), "");
    assert_eq!(world.run(&["mcp"]).success().to_string(), "");
}
