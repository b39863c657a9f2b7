//! Outputs that are too large to read: what they cost, and that they are whole.

use casefile::config::limits::Limit;
use sha2::{Digest, Sha256};

use crate::ground::{Ground, call, in_session, line, shell};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_large_output_is_whole_and_answers_from_its_file() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let reply = call(session, &line("for i in $(seq 300000); do echo \"line $i of it\"; done"));
        let text = reply.shown.text();
        assert!(text.chars().count() <= 8_000, "{}", text.len());
        assert!(reply.shown.tokens() < 1_000, "{text}");
        let want: String = (1..=300_000).map(|n| format!("line {n} of it\n")).collect();
        let kept = std::fs::read(ground.host("outputs/0001-shell.txt")).unwrap();
        assert!(kept == want.as_bytes(), "{} bytes", kept.len());
        assert!(text.contains(&sha256(&kept)[..16]), "{text}");
        assert!(text.contains("\nline 1 of it\n") && text.contains("\nline 300000 of it\n"));
        let found = shell(session, "grep -c 'line 29999. of' /case/outputs/0001-shell.txt");
        assert!(found.ends_with("\n10\n"), "{found}");
        // It is the host's.
        let denied = shell(session, "echo x >> /case/outputs/0001-shell.txt");
        let is_refused = ["Read-only file system", "Permission denied"];
        assert!(is_refused.iter().any(|why| denied.contains(why)), "{denied}");
    });
    let line = &ground.journal()[0];
    assert_eq!(line.entry.kept[0].path, "/case/outputs/0001-shell.txt");
    let kept = std::fs::read(ground.host("outputs/0001-shell.txt")).unwrap();
    assert_eq!(line.entry.kept[0].sha256, sha256(&kept));
}

#[test]
fn both_streams_are_kept_if_both_are_large() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let text = shell(session, "seq 20000; seq 20000 >&2");
        assert!(text.chars().count() <= 8_000, "{}", text.len());
        assert_eq!(ground.outputs(), ["0001-shell.txt", "0002-shell.err.txt"]);
        let small = shell(session, "seq 20000; echo oh >&2");
        assert!(small.ends_with("--- stderr\noh\n"), "{small}");
        assert_eq!(ground.outputs().len(), 3);
    });
}

#[test]
fn the_oldest_goes_when_there_is_no_room_and_that_is_said() {
    let ground = Ground::with(&[(Limit::Outputs, 1)]);
    in_session(&ground, |session| {
        for _ in 0..3 {
            shell(session, "head -c 500000 /dev/zero | tr '\\0' 'x' | fold -w 80");
        }
        assert_eq!(ground.outputs(), ["0002-shell.txt", "0003-shell.txt"]);
        let text = shell(session, "head -c 500000 /dev/zero | tr '\\0' 'y' | fold -w 80");
        assert!(text.contains("dropped to make room: 0002-shell.txt"), "{text}");
    });
    let dropped: Vec<_> =
        ground.journal().into_iter().flat_map(|line| line.entry.dropped).collect();
    assert_eq!(dropped, ["0001-shell.txt", "0002-shell.txt"]);
}

#[test]
fn what_the_agent_named_stays() {
    let ground = Ground::with(&[(Limit::Outputs, 1)]);
    in_session(&ground, |session| {
        let large = "head -c 500000 /dev/zero | tr '\\0' 'x' | fold -w 80";
        shell(session, large);
        shell(session, "echo 'see outputs/0001-shell.txt, line 4' > findings.md");
        shell(session, large);
        shell(session, large);
        assert_eq!(ground.outputs(), ["0001-shell.txt", "0003-shell.txt"]);
        shell(session, "echo 'and 0003-shell' >> findings.md");
        let full = shell(session, large);
        let why = "only the beginning is left of this: no room for an output of 506249 bytes: \
                   1012498 of 1048576 are in files that were named";
        assert_eq!(full.lines().nth(1), Some(why));
        assert!(full.ends_with(&format!("\n{}\n", "x".repeat(80))), "{full}");
        assert_eq!(ground.outputs(), ["0001-shell.txt", "0003-shell.txt"]);
    });
}

#[test]
fn what_cannot_be_written_is_shown_as_far_as_it_came() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        shell(session, "true");
        std::fs::remove_dir(ground.host("outputs")).unwrap();
        let text = shell(session, "seq 100000; touch done");
        let why = "only the beginning is left of this: cannot write an output to";
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with(why)), "{text}");
        assert!(text.contains("\n1\n2\n3\n"), "{text}");
        assert!(ground.host("notes/done").exists());
        // What is small needs no file.
        assert!(shell(session, "echo fine").ends_with("\nfine\n"));
        std::fs::create_dir(ground.host("outputs")).unwrap();
        assert!(shell(session, "seq 100000").contains("/case/outputs/0001-shell.txt"));
    });
}

#[test]
fn an_output_has_an_end() {
    let ground = Ground::with(&[(Limit::Output, 1)]);
    in_session(&ground, |session| {
        let text = shell(session, "yes 'a line of it'");
        assert!(text.starts_with("ended at the limit `output_mib` of 1"), "{text}");
        assert!(text.contains("/case/outputs/0001-shell."), "{text}");
    });
}
