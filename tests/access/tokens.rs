//! `casefile token`, as a person has it.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::World;

/// A text without what is another in each run.
fn plain(text: &str) -> String {
    let word = |word: &str| match word {
        word if word.starts_with("casefile_") => {
            assert_eq!(word.len(), "casefile_".len() + 64, "{word}");
            "<secret>".to_owned()
        }
        word if word.len() == 10 && word.starts_with("20") => "<day>".into(),
        word if word.len() == 5 && word.as_bytes()[2] == b':' => "<time>".into(),
        word => word.into(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_token_is_made_shown_once_listed_and_revoked() {
    let world = World::new();
    assert_snapshot!(world.run(&["token", "list"]), @"There are no tokens.");
    let made = world.run(&["token", "create", "ci"]).success();
    assert_snapshot!(plain(&made.to_string()), @"
    <secret>
    --- stderr
    note: this is shown only now, and is good until <day> <time> UTC
    ");
    let forever =
        ["token", "create", "me", "--expires", "never", "--read-only", "--cases", "pay-*"];
    assert_snapshot!(plain(&world.run(&forever).to_string()), @"
    <secret>
    --- stderr
    note: this is shown only now, and is good until it is revoked
    ");
    assert_snapshot!(plain(&world.run(&["token", "list"]).success().stdout), @"
    TOKEN  STATE  SCOPES                  CASES    MADE (UTC)        EXPIRES           LAST USE
    ci     good   cases:read cases:write  its own  <day> <time>  <day> <time>  never
    me     good   cases:read              pay-*    <day> <time>  never             never
    ");
    // The secret is nowhere on the disk, and what is there is its owner's alone.
    let secret = made.stdout.trim();
    let record = world.state().join("access/tokens.json");
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(!text.contains(secret) && !text.contains(&secret["casefile_".len()..]), "{text}");
    assert_eq!(std::fs::metadata(&record).unwrap().permissions().mode() & 0o777, 0o600);
    assert_snapshot!(world.run(&["token", "revoke", "ci"]), @"ci is revoked");
    assert_snapshot!(world.run(&["token", "revoke", "ci"]), @"ci was revoked already");
    assert_snapshot!(world.run(&["token", "create", "me"]), @"
    --- stderr
    error: there is a token `me` already
    hint: Revoke it first with `casefile token revoke me`, or choose another name.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["token", "revoke", "mee"]), @"
    --- stderr
    error: there is no token `mee`
    hint: Did you mean `me`?
    --- exit status: 1
    ");
    #[rustfmt::skip]
    let table: [(&[&str], &str); 5] = [
        (&["Ci"],                        "error: `Ci` is no name for a token"),
        (&["x", "--expires", "0d"],      "error: `0d` is no time that a token could be good for"),
        (&["x", "--expires", "1x"],      "error: `1x` is no time that a token could be good for"),
        (&["x", "--expires", "forever"], "error: `forever` is no time that a token could be good for"),
        (&["x", "--cases", "../*"],      "error: `../*` is no pattern of case ids"),
    ];
    for (args, want) in table {
        let outcome = world.run(&[&["token", "create"], args].concat());
        assert!(outcome.stderr.starts_with(want), "{args:?}: {outcome:?}");
        assert_eq!(outcome.stdout, "", "{args:?}");
    }
    world.put("state/casefile/access/tokens.json", "{\"format\": 1");
    let broken = world.run(&["token", "list"]);
    assert!(broken.stderr.contains("is no record of tokens\ncause: EOF"), "{broken:?}");
}

/// Whatever the moment of a kill, what was promised before it stays so.
#[test]
fn a_kill_loses_no_token_and_no_revocation() {
    let world = World::new();
    let mut good = Vec::new();
    for turn in 0..24_u64 {
        let name = format!("t{turn}");
        let _ = world.run(&["token", "create", &name]).success();
        good.push(name.clone());
        let (act, other) = match turn % 3 {
            0 => ("revoke", name.clone()),
            _ => ("create", format!("k{turn}")),
        };
        let mut child = world.command(&["token", act, &other]).spawn().unwrap();
        // From before it begins to after its end.
        let deadline = std::time::Instant::now() + std::time::Duration::from_micros(turn * 400);
        while std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        let is_done = child.wait().unwrap().success();
        if act == "revoke" {
            good.pop();
        }
        let list = world.run(&["token", "list", "--json"]).success().stdout;
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        let state = |name: &str| {
            let all = list.as_array().unwrap();
            let token = all.iter().find(|token| token["name"] == name);
            token.map(|token| token["state"].as_str().unwrap().to_owned())
        };
        for name in &good {
            assert_eq!(state(name).as_deref(), Some("good"), "turn {turn}: {name}");
        }
        if is_done {
            let want = if act == "revoke" { "revoked" } else { "good" };
            assert_eq!(state(&other).as_deref(), Some(want), "turn {turn}: {other}");
        }
    }
}
