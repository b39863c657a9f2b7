//! An agent works in a case: opens it, reads, searches, runs, writes and closes it.

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::client::{Client, LEGACY, MODERN};
use crate::common::users;
use crate::world_of;

const ERAS: [&str; 2] = ["2025-06-18", MODERN];

/// An answer without the times in it.
fn timeless(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(", ") {
        Some((how, _)) if how.starts_with("exit ") => format!("{how}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn a_case_from_its_beginning_to_its_end() {
    for user in users() {
        for version in ERAS {
            let world = world_of(user);
            let mut client = Client::start(&world, &[], version);
            let opened = client.good(
                "open_case",
                json!({"title": "Checkout 5xx", "at": "2026-03-01T12:00:00Z", "repos": "app"}),
            );
            let id = opened.split_whitespace().nth(1).unwrap().to_owned();
            let all = |text: &str| timeless(&text.replace(&id, "<case>"));
            insta::allow_duplicates! {
                assert_snapshot!(all(&opened), @r"
                case      <case>
                incident  2026-03-01T12:00:00Z
                policy    offline
                code      repos/app at 79eaf306d310: the newest on `main` at 2026-03-01T12:00:00Z, committed 2026-03-01T00:00:00Z
                next      read_file case=<case> path=repos
                ");
                let text = client.good("read_file", json!({"case": id, "path": "repos/app"}));
                assert_snapshot!(all(&text), @r"
                repos/app: a directory, 5 entries
                .git/
                .gitignore  6 B
                data.bin  4 B
                deep/
                one.txt  4 B
                ");
                let text = client.good(
                    "read_file",
                    json!({"case": id, "path": "repos/app/one.txt", "from": "-1", "lines": 1}),
                );
                assert_snapshot!(all(&text), @r"
                repos/app/one.txt: 1 line, 4 B
                1	one
                ");
                let text = client.good("grep", json!({"case": id, "pattern": "ONE|deep",
                    "case_sensitive": "false", "glob": ["*.txt", "file"]}));
                assert_snapshot!(all(&text), @r"
                2 lines in 2 files; 2 files searched
                repos/app/deep/er/file
                  1: deep
                repos/app/one.txt
                  1: one
                ");
                let text = client.good("shell", json!({"case": id,
                    "command": "pwd; git log --format=%s; echo err >&2; exit 3"}));
                assert_snapshot!(all(&text), @r"
                exit 3
                --- stdout
                /case/repos/app
                one
                --- stderr
                err
                ");
                let text = client.good("write_file",
                    json!({"case": id, "path": "notes/report.md", "text": "It was the pool.\n"}));
                assert_snapshot!(all(&text), @"notes/report.md: created, 1 line, 17 B");
                let text = client.good("write_file", json!({"case": id,
                    "path": "notes/report.md", "text": "the lock", "old": "the pool"}));
                assert_snapshot!(all(&text), @r"
                notes/report.md: 1 line replaced by 1 at 1, now 1 line, 17 B
                -1	It was the pool.
                +1	It was the lock.
                ");
                let text =
                    client.bad("close_case", json!({"case": id, "report": "notes/raport.md"}));
                assert_snapshot!(all(&text), @r"
                error: `notes/raport.md`
                cause: there is no such file or directory
                hint: Did you mean `notes/report.md`?
                code: NOT_FOUND
                ");
                let text =
                    client.good("close_case", json!({"case": id, "report": "notes/report.md"}));
                assert_snapshot!(all(&text), @"`<case>` is closed; its report is `notes/report.md`");
                let text = client.bad("read_file", json!({"case": id, "path": "notes"}));
                let text = text.lines().map(|line| match line.split_once(" was closed on ") {
                    Some((what, _)) => format!("{what} was closed\n"),
                    None => format!("{line}\n"),
                });
                assert_snapshot!(all(&text.collect::<String>()), @r"
                error: case `<case>` was closed
                hint: Go on in a fork of it, or open another case.
                code: INVESTIGATION_CLOSED
                ");
            }
            let verified = world.run(&["journal", "verify", &id]).success();
            assert_eq!(verified.stdout, "8 lines, each as it was written\n");
        }
    }
}

#[test]
fn what_is_too_large_is_kept_and_the_answer_names_the_file() {
    for user in users() {
        let world = world_of(user);
        let mut client = Client::start(&world, &[], MODERN);
        let id = client.open();
        let text = client.good("shell", json!({"case": id, "command": "seq 1 100000"}));
        assert!(text.chars().count() <= 8_000, "{}", text.len());
        let file = text.split_whitespace().find(|word| word.contains("outputs/"));
        let file = file.unwrap_or_else(|| panic!("{text}"));
        let file = file.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/');
        let text =
            client.good("read_file", json!({"case": id, "path": file, "from": -1, "lines": 1}));
        assert!(text.ends_with("100000\t100000\n"), "{file}: {text}");
        let again = json!({"case": id, "path": "repos/app/long", "lines": 200});
        let long = (1..200).map(|n| format!("line {n}\n")).collect::<String>();
        client.good("write_file", json!({"case": id, "path": "repos/app/long", "text": long}));
        assert_eq!(client.good("read_file", again.clone()).lines().count(), 200);
        let text = client.good("read_file", again.clone());
        assert!(text.starts_with("unchanged since call "), "{text}");
        let mut again = again;
        again["again"] = json!(true);
        assert_eq!(client.good("read_file", again).lines().count(), 200);
    }
}

#[test]
fn more_tools_are_found_and_called_through_their_doors() {
    for user in users() {
        let world = world_of(user);
        let mut client = Client::start(&world, &[], MODERN);
        let id = client.open();
        let found = client.good("search_tools", json!({"query": "background"}));
        assert!(found.contains("callable_now: no, no case is in use"), "{found}");
        let text = client.good(
            "shell",
            json!({"case": id, "background": true,
            "command": "echo begun; until [ -e /case/notes/go ]; do sleep 0.05; done; echo done"}),
        );
        let found = client.good("search_tools", json!({"query": "background"}));
        assert!(found.contains("callable_now: yes"), "{found}");
        let handle = text.split('`').nth(1).unwrap().to_owned();
        let behind = |name: &str, mut arguments: serde_json::Value| {
            arguments["case"] = json!(id);
            json!({"name": name, "arguments": arguments})
        };
        let read = behind("background", json!({"handle": handle}));
        let wait = behind("background", json!({"handle": handle, "wanted": "wait"}));
        let kill = behind("background", json!({"handle": handle, "wanted": "kill"}));

        // Neither closed nor forked under a command that runs.
        for (tool, arguments) in [
            ("close_case", json!({"case": id})),
            ("call_tool", behind("fork_case", json!({"title": "other"}))),
        ] {
            let text = client.bad(tool, arguments);
            assert!(text.contains("1 command runs in the background"), "{text}");
            assert!(text.ends_with("code: CASE_IN_USE\n"), "{text}");
        }
        let text = client.bad("call_read_only_tool", kill);
        assert!(text.ends_with("code: FORBIDDEN\n"), "{text}");
        client.good("call_read_only_tool", read);
        client.good("write_file", json!({"case": id, "path": "notes/go", "text": "go"}));
        let text = client.good("call_read_only_tool", wait);
        assert!(text.contains("exit 0") && text.contains("done"), "{text}");

        let forked = client.good("call_tool", behind("fork_case", json!({"title": "Other"})));
        let other = forked.split_whitespace().nth(1).unwrap().to_owned();
        client.good("write_file", json!({"case": other, "path": "notes/b", "text": "b"}));
        let text = client.good("read_file", json!({"case": other, "path": "notes/go"}));
        assert!(text.ends_with("1\tgo\n"), "{text}");
        client.bad("read_file", json!({"case": id, "path": "notes/b"}));

        let text = client.good("call_read_only_tool", behind("case_status", json!({})));
        assert!(text.contains("Checkout 5xx") && text.contains("casefile mcp"), "{text}");
        let diff = json!({"name": "case_diff", "case": id});
        let text = client.good("call_read_only_tool", diff.clone());
        assert_eq!(text, "1 repo compared, no change\n");
        let write =
            json!({"case": id, "path": "repos/app/one.txt", "mode": "replace", "text": "1\n"});
        client.good("write_file", write);
        let find = json!({"case": id, "name": "one.txt", "kind": "file", "changed": true});
        let text = client.good("find", find);
        assert!(text.contains("one.txt"), "{text}");
        let text = client.bad("find", json!({"case": id, "between": "HEAD"}));
        assert!(text.contains("`between`: there are 1\nhint: Give two commits."), "{text}");
        // What an agent tells git does not count.
        let hide = "git config core.pager false; git update-index --assume-unchanged one.txt; \
                    git config diff.external false; touch new.txt";
        client.good("shell", json!({"case": id, "command": hide}));
        let text = client.good("call_read_only_tool", diff);
        assert!(text.contains("\n-one\n+1\n") && text.contains("b/new.txt"), "{text}");
        let text = client.bad("call_read_only_tool", behind("case_diff", json!({"repo": "ap"})));
        assert!(text.contains("the case has no repo `ap`\nhint: It has `app`."), "{text}");

        // Where the case is given does not matter.
        let text = client.good(
            "call_read_only_tool",
            json!({"name": "journal", "case": id, "arguments": "{\"last\": 1}"}),
        );
        assert!(text.lines().count() == 1 && text.contains("case_diff"), "{text}");
        let why = behind("policy_why", json!({"command": "git push origin 'a b'"}));
        let text = client.good("call_read_only_tool", why);
        assert!(text.starts_with("`git push origin a b` "), "{text}");
        let text = client.bad("call_tool", json!({"name": "shell", "arguments": {}}));
        assert!(text.contains("Call `shell` itself."), "{text}");
    }
}

#[test]
fn the_callers_environment_does_not_reach_a_jail_and_its_secrets_are_not_shown() {
    for user in users() {
        let world = world_of(user);
        let mut command = world.command(&["mcp"]);
        command.env("ANTHROPIC_API_KEY", "xyzzy-plugh-of-the-client").env("EDITOR", "plover-1");
        command.stdin(std::process::Stdio::piped());
        let mut client = Client::of(command.spawn().unwrap(), MODERN);
        let id = client.open();
        let text = client.good("shell", json!({"case": id, "command": "env; cat /proc/*/environ"}));
        assert!(!text.contains("plugh") && !text.contains("plover-1"), "{text}");
        assert!(!text.contains("ANTHROPIC"), "{text}");
        let text =
            client.good("shell", json!({"case": id, "command": "echo xyzzy-plugh-of-the-client"}));
        assert!(text.contains("[redacted: anthropic-api-key"), "{text}");
        // Texts of the server's own are no other way out.
        let text = client.bad("read_file", json!({"case": "xyzzy-plugh-of-the-client"}));
        assert!(!text.contains("plugh"), "{text}");
    }
}

#[test]
fn calls_in_several_cases_are_not_mixed_up() {
    let world = world_of(crate::common::User::Same);
    let mut client = Client::start(&world, &[], MODERN);
    let cases: Vec<String> = (0..3).map(|_| client.open()).collect();
    let mut asked = Vec::new();
    for n in 0..30 {
        let case = &cases[n % cases.len()];
        let command = format!("echo {n}; basename $(ls -d /case/notes); echo {n} >> /case/notes/n");
        asked.push((
            n,
            client.ask(
                "tools/call",
                json!({"name": "shell", "arguments": {"case": case, "command": command}}),
            ),
        ));
    }
    for (n, id) in asked.into_iter().rev() {
        let said = client.said(id);
        assert_eq!(said.text.lines().nth(1), Some(n.to_string().as_str()), "{}", said.text);
    }
    for (nth, case) in cases.iter().enumerate() {
        let text =
            client.good("shell", json!({"case": case, "command": "sort -n /case/notes/n | xargs"}));
        let want: Vec<String> =
            (0..30).filter(|n| n % cases.len() == nth).map(|n| n.to_string()).collect();
        assert_eq!(text.lines().nth(1), Some(want.join(" ").as_str()), "{text}");
    }
}

/// The hands of the jails below a process: all of them, whoever is between.
fn hands_below(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.flat_map(|task| {
        let pids = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<i32>>()
    });
    let below = children.flat_map(|child| {
        let child = Pid::from_raw(child);
        let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        let mut hands = hands_below(child);
        hands.extend((name.trim() == "casefile-hands").then_some(child));
        hands
    });
    below.collect()
}

/// What is read at once, on the thread that hears, may have to wait all the same.
#[test]
fn a_file_that_is_waited_for_holds_up_nobody() {
    for user in users() {
        let world = world_of(user);
        let mut client = Client::start(&world, &[], LEGACY[3]);
        let id = client.open();
        client.good("write_file", json!({"case": id, "path": "notes/a", "text": "here\n"}));
        let read = json!({"name": "read_file", "arguments": {"case": id, "path": "notes/a", "again": true}});
        assert!(client.good("read_file", read["arguments"].clone()).contains("here"));
        let hands = hands_below(client.pid());
        assert!(!hands.is_empty());
        let all = |signal| hands.iter().for_each(|one| kill(*one, signal).unwrap());
        all(Signal::SIGSTOP);
        let waits = client.ask("tools/call", read);
        for _ in 0..3 {
            assert_eq!(client.result("ping", json!({})), json!({}));
            client.result("tools/list", json!({}));
            // Other hands are had for the others.
            client.good("read_file", json!({"case": id, "path": "notes/a", "again": true}));
        }
        assert!(client.unread().all(|message| message["id"] != waits));
        all(Signal::SIGCONT);
        assert!(client.said(waits).text.contains("here"));
    }
}
