//! A token that only reads: what it may ask, and how it is told what it may not.

use serde_json::json;

use crate::client::{Client, LEGACY, MODERN, token};
use crate::wire::Server;
use crate::world_of;

#[test]
fn a_token_that_only_reads_changes_nothing() {
    let world = world_of(crate::common::User::Same);
    let writer = token(&world, &["writer"]);
    let reader = token(&world, &["reader", "--read-only", "--cases", "*"]);
    let server = Server::start(&world, &[]);
    let id = Client::start(&server, &writer, MODERN).open();
    let of = |more: serde_json::Value| {
        let mut all = json!({"case": id});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    #[rustfmt::skip]
    let table = [
        // tool                  arguments                                                    may
        ("read_file",            of(json!({"path": "repos/app/one.txt"})),                    true),
        ("grep",                 of(json!({"pattern": "one"})),                               true),
        ("search_tools",         json!({"query": "journal"}),                                 true),
        ("call_read_only_tool",  json!({"name": "case_status", "arguments": of(json!({}))}),  true),
        ("open_case",            json!({"repos": ["app"]}),                                   false),
        ("shell",                of(json!({"command": "true"})),                              false),
        ("write_file",           of(json!({"path": "notes/a", "text": "a"})),                 false),
        ("close_case",           of(json!({})),                                               false),
        ("call_tool",            json!({"name": "fork_case", "arguments": of(json!({}))}),    false),
        ("call_tool",            json!({"name": "case_status", "arguments": of(json!({}))}),  false),
    ];
    // What there is, without what state it is in.
    let ids = || {
        let list = world.run(&["list", "--json"]).success().stdout;
        list.split("\"id\"").skip(1).map(|rest| rest[..40].to_owned()).collect::<Vec<_>>()
    };
    let before = ids();
    assert_eq!(before.len(), 1);
    for version in [LEGACY[3], MODERN] {
        let mut client = Client::start(&server, &reader, version);
        for (tool, arguments, may) in &table {
            let asked = json!({"name": tool, "arguments": arguments});
            let reply = client.reply("tools/call", asked);
            let whole = format!("{version} {tool} {arguments}: {reply}");
            if *may {
                assert_eq!(reply.status, 200, "{whole}");
                assert!(reply.json()["result"]["isError"] != true, "{whole}");
                continue;
            }
            assert_eq!(reply.status, 403, "{whole}");
            let challenge = reply.header("www-authenticate");
            assert!(challenge.contains("error=\"insufficient_scope\""), "{whole}");
            assert!(challenge.contains("scope=\"cases:write\""), "{whole}");
            assert!(challenge.contains("resource_metadata=\""), "{whole}");
            assert!(reply.body.contains("code: FORBIDDEN"), "{whole}");
        }
    }
    // Through the other door it is not a matter of scopes.
    let mut client = Client::start(&server, &reader, MODERN);
    let fork = json!({"name": "fork_case", "arguments": of(json!({}))});
    let (text, is_error) = client.call("call_read_only_tool", fork);
    assert!(is_error && text.ends_with("code: FORBIDDEN\n"), "{text}");
    assert_eq!(ids(), before);
}
