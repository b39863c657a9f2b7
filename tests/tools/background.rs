//! Commands in the background: by their handle, and no longer than their session.

use std::time::Duration;

use casefile::tools::{Background, Call, Session, Shell, Wanted};

use crate::ground::{Ground, SECRET, call, in_session, shell};

fn start(session: &Session, command: &str) -> String {
    let asked = Shell { command: command.into(), background: true, ..Shell::default() };
    let told = call(session, &Call::Shell(asked)).shown.text().to_owned();
    let handle = told.split('`').nth(1).unwrap_or_default().to_owned();
    assert!(handle.starts_with("bg-") && handle.len() == 11, "{told}");
    assert!(told.contains("it ends with the session of this case"), "{told}");
    handle
}

fn look(session: &Session, handle: &str, wanted: Wanted) -> String {
    let asked = Background { handle: handle.into(), wanted };
    call(session, &Call::Background(asked)).shown.text().to_owned()
}

#[test]
fn one_is_read_as_it_goes_and_kept_whole() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let command =
            format!("echo one; echo '{SECRET}'; until [ -e go ]; do sleep 0.01; done; echo two");
        let handle = start(session, &command);
        let mut seen = String::new();
        while !seen.contains("\n[redacted: phrase #") {
            let told = look(session, &handle, Wanted::Read);
            assert!(told.contains(" runs\n"), "{told}");
            seen.push_str(&told);
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(seen.contains("\none\n") && !seen.contains(SECRET), "{seen}");
        shell(session, "touch go");
        let told = look(session, &handle, Wanted::Wait { timeout_s: 20 });
        assert!(told.contains(": exit 0, ") && told.contains("\ntwo\n"), "{told}");
        assert!(!told.contains("\none\n"), "what was looked at is not shown twice: {told}");
        assert!(told.contains("all of it is in /case/outputs/0001-shell.txt"), "{told}");
        let kept = shell(session, "cat /case/outputs/0001-shell.txt");
        assert!(kept.contains("one\n[redacted: phrase #") && kept.ends_with("two\n"), "{kept}");
    });
    let ended = ground.journal().into_iter().find(|line| line.entry.tool == "background");
    assert!(ended.is_some());
    assert!(!ground.everything().contains(SECRET));
}

#[test]
fn one_is_killed_and_none_outlives_its_session() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let killed = start(session, "echo here; sleep 60");
        let other = start(session, "sleep 60");
        assert_ne!(killed, other);
        let told = look(session, &killed, Wanted::Kill);
        assert!(told.contains("cancelled; it and all that it started are gone"), "{told}");
        let told = look(session, "bg-nobody", Wanted::Read);
        assert!(told.contains("there is no command `bg-nobody`"), "{told}");
        assert!(told.contains(&other), "{told}");
        let waited = look(session, &other, Wanted::Wait { timeout_s: 1 });
        assert!(waited.contains("`sleep 60` runs"), "{waited}");
    });
    // How both ended is written down.
    let ended: Vec<_> = ground
        .journal()
        .into_iter()
        .filter(|line| line.entry.arguments.get("ended").is_some())
        .map(|line| line.entry.outcome)
        .collect();
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(ended.iter().all(|how| how.starts_with("cancelled")), "{ended:?}");
}
