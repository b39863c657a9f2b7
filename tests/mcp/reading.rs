//! What a client can have without calling a tool: resources, prompts, completions.

use serde_json::{Value, json};

use crate::client::{Client, MODERN};
use crate::common::users;
use crate::world_of;

fn read(client: &mut Client, uri: &str) -> Value {
    client.request("resources/read", json!({"uri": uri}))
}

fn text(client: &mut Client, uri: &str) -> String {
    let answer = read(client, uri);
    let contents = &answer["result"]["contents"][0];
    assert_eq!(contents["uri"], uri, "{answer}");
    contents["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn what_is_there_can_be_read_and_what_is_not_is_not_listed() {
    for user in users() {
        for version in ["2025-11-25", MODERN] {
            let world = world_of(user);
            let mut client = Client::start(&world, &[], version);
            assert_eq!(text(&mut client, "casefile://cases/recent"), "There are no cases.\n");
            let health = text(&mut client, "casefile://health");
            assert!(health.ends_with(": no case is in use\n"), "{health}");
            let id = client.open();
            client.good("shell", json!({"case": id, "command": "seq 1 100000"}));
            let recent = text(&mut client, "casefile://cases/recent");
            assert!(recent.contains(&id) && recent.contains("Checkout 5xx"), "{recent}");
            assert!(text(&mut client, "casefile://health").contains(&id));
            let journal = text(&mut client, &format!("casefile://case/{id}/journal"));
            assert!(journal.contains("seq 1 100000"), "{journal}");
            let output = text(&mut client, &format!("casefile://case/{id}/outputs/1"));
            assert!(output.contains("\n1\t1\n2\t2\n"), "{output}");

            let list = client.result("resources/list", json!({}));
            for resource in list["resources"].as_array().unwrap() {
                text(&mut client, resource["uri"].as_str().unwrap());
            }
            let list = client.result("resources/templates/list", json!({}));
            assert_eq!(list["resourceTemplates"].as_array().unwrap().len(), 2);
            let missing = if version == MODERN { -32602 } else { -32002 };
            for uri in [
                "casefile://cases/old".to_owned(),
                format!("casefile://case/{id}/brief"),
                format!("casefile://case/{id}/outputs/7"),
                "casefile://case/nobody-aaaaaa/journal".to_owned(),
                "file:///etc/passwd".to_owned(),
            ] {
                let answer = read(&mut client, &uri);
                assert_eq!(answer["error"]["code"], missing, "{uri}: {answer}");
                let message = answer["error"]["message"].as_str().unwrap();
                assert!(message.starts_with("error: "), "{uri}: {answer}");
            }
        }
    }
}

#[test]
fn a_bound_server_shows_nothing_of_other_cases() {
    for user in users() {
        let world = world_of(user);
        let mine = crate::ground::open(&world, &["--repo", "app", "--title", "mine"]);
        let other = crate::ground::open(&world, &["--repo", "app", "--title", "other"]);
        let mut client = Client::start(&world, &["--case", &mine], MODERN);
        let recent = text(&mut client, "casefile://cases/recent");
        assert!(recent.contains(&mine) && !recent.contains(&other), "{recent}");
        let answer = read(&mut client, &format!("casefile://case/{other}/journal"));
        assert!(answer.get("error").is_some(), "{answer}");
        let list = client.result("resources/list", json!({}));
        assert!(list.to_string().contains(&format!("casefile://case/{mine}/journal")), "{list}");
        let completed = complete(&mut client, "");
        assert_eq!(completed["values"], json!([mine]));
    }
}

fn complete(client: &mut Client, value: &str) -> Value {
    let asked = json!({
        "ref": {"type": "ref/prompt", "name": "summarize_incident"},
        "argument": {"name": "case", "value": value},
    });
    client.result("completion/complete", asked)["completion"].clone()
}

#[test]
fn a_prompt_is_a_task_with_what_is_known_in_it() {
    let world = world_of(crate::common::User::Same);
    for version in ["2024-11-05", MODERN] {
        let mut client = Client::start(&world, &[], version);
        let list = client.result("prompts/list", json!({}));
        let names: Vec<&str> = list["prompts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|prompt| prompt["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            ["investigate_incident", "triage_alert", "blast_radius_analysis", "summarize_incident"]
        );
        let asked = json!({"name": "triage_alert", "arguments": {"alert": "5xx {at} \u{1b}[2J"}});
        let prompt = client.result("prompts/get", asked);
        let text = prompt["messages"][0]["content"]["text"].as_str().unwrap();
        assert!(text.contains("It fired: now\n\n5xx {at} "), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let answer = client.request("prompts/get", json!({"name": "summarize_incident"}));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("`case`: it is needed"), "{answer}");

        let id = client.open();
        let completed = complete(&mut client, &id[..id.len() - 2]);
        assert_eq!(completed["values"], json!([id]));
        assert_eq!(complete(&mut client, "zebra")["values"], json!([]));
    }
}
