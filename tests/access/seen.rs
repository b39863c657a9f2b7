//! What a token sees. A case of another is, by every way there is to ask, what a case
//! that never was is: the answers are held against each other, byte for byte.

use serde_json::{Value, json};

use crate::client::{Client, LEGACY, token};
use crate::ground;
use crate::wire::Server;
use crate::world;

const VERSION: &str = LEGACY[3];

/// An id that no case has, as long as this one.
fn never(id: &str) -> String {
    let tail = if id.ends_with("zzz") { "000" } else { "zzz" };
    format!("{}{tail}", &id[..id.len() - 3])
}

/// What is said of a case, with the id taken out.
fn said(client: &mut Client, id: &str, method: &str, params: &Value) -> String {
    let params = serde_json::from_str(&params.to_string().replace("<case>", id)).unwrap();
    let reply = client.reply(method, params);
    let mut answer = reply.json();
    answer["id"] = Value::Null;
    format!("{} {answer}", reply.status).replace(id, "<case>")
}

/// Every way to ask about one case.
fn questions() -> Vec<(&'static str, Value)> {
    let tool = |name: &str, arguments: Value| {
        let mut arguments = arguments;
        arguments["case"] = "<case>".into();
        ("tools/call", json!({"name": name, "arguments": arguments}))
    };
    let door = |door: &str, name: &str, arguments: Value| {
        let given = json!({"name": name, "arguments": arguments, "case": "<case>"});
        ("tools/call", json!({"name": door, "arguments": given}))
    };
    let read = |uri: &str| ("resources/read", json!({"uri": uri}));
    vec![
        tool("read_file", json!({"path": "notes/secret.md"})),
        tool("grep", json!({"pattern": "secret"})),
        tool("find", json!({"name": "*"})),
        tool("shell", json!({"command": "cat notes/secret.md"})),
        tool("write_file", json!({"path": "notes/other.md", "text": "x"})),
        tool("close_case", json!({})),
        tool("close_case", json!({"report": "notes/secret.md"})),
        door("call_tool", "case_status", json!({})),
        door("call_tool", "journal", json!({})),
        door("call_tool", "fork_case", json!({"title": "mine"})),
        door("call_tool", "case_diff", json!({})),
        door("call_tool", "background", json!({"handle": "b1"})),
        door("call_tool", "background", json!({"handle": "b1", "wanted": "kill"})),
        door("call_tool", "policy_why", json!({"command": "git push"})),
        door("call_read_only_tool", "case_status", json!({})),
        door("call_read_only_tool", "journal", json!({})),
        door("call_read_only_tool", "case_diff", json!({})),
        door("call_read_only_tool", "policy_why", json!({"command": "git push"})),
        tool("shell", json!({"command": "true", "background": true})),
        read("casefile://case/<case>/journal"),
        read("casefile://case/<case>/outputs/1"),
        (
            "completion/complete",
            json!({
                "ref": {"type": "ref/prompt", "name": "summarize_incident"},
                "argument": {"name": "case", "value": "<case>"},
            }),
        ),
        (
            "completion/complete",
            json!({
                "ref": {"type": "ref/resource", "uri": "casefile://case/{id}/journal"},
                "argument": {"name": "id", "value": "<case>"},
            }),
        ),
    ]
}

#[test]
fn a_case_of_another_is_like_one_that_never_was() {
    let world = world();
    let (one, other) = (token(&world, &["one"]), token(&world, &["other"]));
    let named = token(&world, &["named", "--cases", "nothing-*"]);
    let server = Server::start(&world, &[]);
    let mut owner = Client::start(&server, &one, VERSION);
    let id = owner.open();
    let noted = json!({"case": id, "path": "notes/secret.md", "text": "secret\n"});
    owner.good("write_file", noted);
    owner.good("shell", json!({"case": id, "command": "seq 100000"}));
    // One that a person opened is nobody's.
    let persons = ground::open(&world, &["--title", "Checkout 5xx", "--repo", "app"]);
    let before = world.run(&["list"]).success().stdout;
    for bearer in [&other, &named] {
        let mut stranger = Client::start(&server, bearer, VERSION);
        for (method, params) in questions() {
            for hidden in [&id, &persons] {
                let of_hidden = said(&mut stranger, hidden, method, &params);
                let of_none = said(&mut stranger, &never(hidden), method, &params);
                assert_eq!(of_hidden, of_none, "{method} {params}");
                assert!(!of_hidden.contains("secret\\n"), "{of_hidden}");
                // The beginning of it, which is the beginning of two, is no other thing.
                let beginning = said(&mut stranger, "checkout-5xx", method, &params);
                let of_none = said(&mut stranger, "checkout-6xx", method, &params);
                assert_eq!(beginning, of_none, "{method} {params}");
            }
        }
        for uri in ["casefile://cases/recent", "casefile://health"] {
            let read = stranger.result("resources/read", json!({"uri": uri})).to_string();
            assert!(!read.contains("checkout"), "{read}");
        }
        let tools = stranger.good("search_tools", json!({"query": "background"}));
        assert!(tools.contains("no case is in use"), "{tools}");
    }
    // The questions make sense: whoever it belongs to is answered.
    let mut answered = 0;
    for (method, params) in questions() {
        let is_end = params.to_string().contains("close_case");
        if !is_end {
            let answer = said(&mut owner, &id, method, &params);
            answered += usize::from(answer != said(&mut owner, &never(&id), method, &params));
        }
    }
    assert_eq!(answered, questions().len() - 2);
    let after = world.run(&["list"]).success().stdout;
    let mine: Vec<_> = after.lines().filter(|line| line.ends_with("  mine")).collect();
    assert_eq!((mine.len(), after.lines().count()), (1, before.lines().count() + 1), "{after}");
    let recent = json!({"uri": "casefile://cases/recent"});
    let recent = owner.result("resources/read", recent).to_string();
    assert!(recent.contains(&id) && !recent.contains(&persons), "{recent}");
    let health = owner.result("resources/read", json!({"uri": "casefile://health"}));
    assert!(health.to_string().contains(&id), "{health}");
}

#[test]
fn each_has_its_own_and_a_person_has_all() {
    let world = world();
    let (one, other) = (token(&world, &["one"]), token(&world, &["other"]));
    let all = token(&world, &["all", "--cases", "*"]);
    let server = Server::start(&world, &[]);
    let start = |bearer: &str| Client::start(&server, bearer, VERSION);
    let (mut one, mut other, mut all) = (start(&one), start(&other), start(&all));
    let (of_one, of_other) = (one.open(), other.open());
    // What begins alike is not ambiguous for one who sees a single one of them.
    for (client, id) in [(&mut one, &of_one), (&mut other, &of_other)] {
        let status = json!({"name": "case_status", "case": "checkout"});
        let status = client.good("call_read_only_tool", status);
        assert!(status.contains(id.as_str()), "{status}");
    }
    let (text, is_error) = all.call("read_file", json!({"case": "checkout", "path": "repos"}));
    assert!(is_error && text.contains("could be any of 2"), "{text}");
    // What is forked is whose who forked it, and tells nobody of what they do not see.
    let fork = json!({"name": "fork_case", "case": of_one});
    let forked = all.good("call_tool", fork);
    let forked = forked.split_whitespace().nth(1).unwrap().to_owned();
    let look = json!({"path": "repos", "case": forked});
    assert!(one.call("read_file", look.clone()).1);
    all.good("read_file", look);
    let shown = |id: &str| world.run(&["show", id]).success().stdout;
    assert!(shown(&forked).contains("belongs to   token:all"), "{}", shown(&forked));
    assert!(shown(&of_one).contains("belongs to  token:one"), "{}", shown(&of_one));
    // A person forks for whoever the case belongs to.
    let persons = ground::fork(&world, &of_other);
    other.good("read_file", json!({"case": persons, "path": "repos"}));
    assert!(one.call("read_file", json!({"case": persons, "path": "repos"})).1);
    // A name is what cases belong to, and a token of it can be replaced.
    let _ = world.run(&["token", "revoke", "one"]).success();
    let again = token(&world, &["one"]);
    let mut again = Client::start(&server, &again, VERSION);
    again.good("read_file", json!({"case": of_one, "path": "repos"}));
}

#[test]
fn a_token_that_only_looks_is_shown_only_what_it_may_call() {
    let world = world();
    let writer = token(&world, &["writer"]);
    let reader = token(&world, &["reader", "--read-only", "--cases", "*"]);
    let server = Server::start(&world, &[]);
    let names = |bearer: &str| {
        let mut client = Client::start(&server, bearer, VERSION);
        let list = client.result("tools/list", json!({}));
        assert_eq!(list, client.result("tools/list", json!({})));
        let tools = list["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let looks = ["read_file", "grep", "find", "search_tools", "call_read_only_tool"];
    assert_eq!(names(&reader), looks);
    assert_eq!(names(&writer).len(), 10);
    let mut reader = Client::start(&server, &reader, VERSION);
    let tools = reader.good("search_tools", json!({"query": "fork"}));
    assert!(tools.contains("callable_now: no, this token lacks the scope"), "{tools}");
}

#[test]
fn a_revocation_ends_a_session_that_is_on() {
    let world = world();
    let one = token(&world, &["one"]);
    let server = Server::start(&world, &[]);
    let mut client = Client::start(&server, &one, VERSION);
    let id = client.open();
    let look = json!({"name": "read_file", "arguments": {"case": id, "path": "repos"}});
    assert_eq!(client.reply("tools/call", look.clone()).status, 200);
    let _ = world.run(&["token", "revoke", "one"]).success();
    let reply = client.reply("tools/call", look);
    assert_eq!(reply.status, 401, "{reply}");
    assert!(reply.body.contains("the token was revoked"), "{reply}");
    let list = world.run(&["token", "list", "--json"]).success().stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert!(list[0]["last_use"].is_string() && list[0]["state"] == "revoked", "{list}");
}

#[test]
fn each_is_told_only_of_what_it_was_shown_itself_and_the_journal_names_who_asked() {
    let world = world();
    let one = token(&world, &["one"]);
    let all = token(&world, &["all", "--cases", "*"]);
    let server = Server::start(&world, &[]);
    let mut one = Client::start(&server, &one, VERSION);
    let mut all = Client::start(&server, &all, VERSION);
    let id = one.open();
    let text = "a line of some length\n".repeat(40);
    one.good("write_file", json!({"case": id, "path": "notes/a.md", "text": text}));
    let look = json!({"case": id, "path": "notes/a.md"});
    let shown = one.good("read_file", look.clone());
    assert!(one.good("read_file", look.clone()).starts_with("unchanged since call 2;"));
    assert_eq!(all.good("read_file", look.clone()), shown);
    assert!(all.good("read_file", look).starts_with("unchanged since call 4;"));
    // A person has no token.
    let _ = world.run(&["read", &id, "notes/a.md"]).code(1);
    drop(server);
    let _ = world.run(&["read", &id, "notes/a.md"]).success();
    let lines = world.run(&["journal", "export", &id]).success().stdout;
    let by: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["by"].clone())
        .collect();
    let (one, all) = (json!("token:one"), json!("token:all"));
    assert_eq!(by, [one.clone(), one.clone(), one, all.clone(), all, Value::Null]);
    let table = world.run(&["journal", "show", &id]).success().stdout;
    assert!(table.lines().nth(3).unwrap().contains("  read_file by token:all  "), "{table}");
    assert!(table.lines().nth(5).unwrap().contains("  read_file  "), "{table}");
}
