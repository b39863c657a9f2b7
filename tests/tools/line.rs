//! The line: nothing is shown, kept or written down with a secret in it, and every
//! call is written down.

use casefile::govern::Verdict;
use casefile::tools::{Call, Find, Grep, Part, ReadFile, Stop};

use crate::ground::{Ground, SECRET, call, in_session, line, shell};

#[test]
fn a_known_secret_is_nowhere() {
    let ground = Ground::new();
    ground.put("notes/env", format!("PHRASE={SECRET}\n"));
    let shown = in_session(&ground, |session| {
        let mut shown = vec![
            shell(session, "cat env"),
            shell(session, "cat env >&2; exit 1"),
            shell(session, &format!("echo {SECRET} | tr a-z A-Z")),
            // Over the ends of what is read at once.
            shell(session, "for i in $(seq 9000); do cat env; done"),
            shell(session, "sed 's/.*=//' env | fold -w 1 | tr -d '\\n'"),
        ];
        let far = call(session, &line(&format!("cd '/{SECRET}'")));
        shown.push(far.shown.text().to_owned());
        shown.concat()
    });
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains("PHRASE=[redacted: phrase #"), "{shown}");
    std::fs::remove_file(ground.host("notes/env")).unwrap();
    assert!(!ground.everything().contains(SECRET));
}

#[test]
fn shapes_of_secrets_are_known_and_the_same_one_looks_the_same() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let one = "AKIA2E0A8F3B244C9986";
        let other = "AKIA7Q1ZR5T0PLMXWVUT";
        let text = shell(session, &format!("echo {one}; echo {other}; echo again {one}"));
        assert!(!text.contains("AKIA"), "{text}");
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert!(lines[0].starts_with("[redacted: aws-key #"), "{text}");
        assert_eq!(lines[2], format!("again {}", lines[0]));
        assert_ne!(lines[0], lines[1]);
    });
}

#[test]
fn every_call_is_a_line_of_the_journal_before_its_answer_leaves() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let calls = [line("true"), line("git push"), line("exit 2")];
        for (nth, asked) in calls.iter().enumerate() {
            let reply = call(session, asked);
            assert_eq!(reply.call, nth as u64 + 1);
            // Somebody else reads it while the session goes on.
            assert_eq!(ground.journal().len(), nth + 1);
        }
    });
    let journal = ground.journal();
    let seen: Vec<_> = journal.iter().map(|line| (line.n, line.entry.tool.as_str())).collect();
    assert_eq!(seen, [(1, "shell"), (2, "shell"), (3, "shell")]);
    assert_eq!(journal[0].entry.arguments, serde_json::json!({"command": "true"}));
    assert!(matches!(journal[1].entry.verdict, Verdict::Refused { .. }));
    assert!(journal[2].entry.outcome.starts_with("exit 2, "));
    assert!(journal.iter().all(|line| 0 < line.entry.tokens && 0 < line.entry.micros));
}

#[test]
fn calls_from_many_threads_are_not_mixed_up() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for nth in 0..25 {
                        let word = format!("word-{thread}-{nth}");
                        let text = shell(session, &format!("echo {word}"));
                        assert!(text.ends_with(&format!("\n{word}\n")), "{text}");
                    }
                });
            }
        });
    });
    assert_eq!(ground.journal().len(), 100);
}

#[test]
fn the_same_answer_is_not_shown_twice_unless_it_is_asked_for() {
    let ground = Ground::new();
    ground.put("notes/long", "a line of some length\n".repeat(40));
    in_session(&ground, |session| {
        let part = Part { path: "notes/long".into(), from: 1, ..Part::default() };
        let read = Call::ReadFile(ReadFile { parts: vec![part], raw: false });
        let seek = Call::Grep(Grep { pattern: "line".into(), ..Grep::default() });
        let short = Call::Find(Find { name: Some("long".into()), ..Find::default() });
        for (nth, asked) in [(1, &read), (3, &seek)] {
            assert!(call(session, asked).shown.text().contains("a line of some length"));
            let again = call(session, asked);
            let want = format!("unchanged since call {nth}; `again: true` shows it once more\n");
            assert_eq!(again.shown.text(), want);
            assert!(!again.is_error);
        }
        let first = call(session, &short).shown.text().to_owned();
        assert_eq!(call(session, &short).shown.text(), first, "a word costs more than it");
        let stop = Stop::default();
        let shown = session.call(&read, true, &stop).unwrap();
        assert!(shown.shown.text().contains("a line of some length"));
        // It is another file now.
        shell(session, "echo more >> long");
        assert!(call(session, &read).shown.text().contains("a line of some length"));
        // A command may come out differently each time.
        let seq = line("seq 200");
        assert_eq!(call(session, &seq).shown.text().lines().count(), 201);
        assert_eq!(call(session, &seq).shown.text().lines().count(), 201);
    });
}

#[test]
fn a_search_that_nobody_wants_any_more_is_left_off() {
    let ground = Ground::new();
    ground.put("notes/a", "a line\n".repeat(1_000));
    in_session(&ground, |session| {
        let stop = Stop::default();
        stop.stop();
        for asked in [
            Call::Grep(Grep { pattern: "line".into(), ..Grep::default() }),
            Call::Find(Find::default()),
        ] {
            let reply = session.call(&asked, false, &stop).unwrap();
            assert_eq!(reply.shown.text(), "error: cancelled\n");
            // The next one has the same hands, and all of its answer.
            let whole = call(session, &asked);
            assert!(!whole.is_error, "{}", whole.shown.text());
        }
    });
}
