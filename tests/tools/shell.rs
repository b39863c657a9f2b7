//! `shell`: what it shows of a command, and how a command ends.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use casefile::tools::{Call, Shell, Stop};

use crate::ground::{Ground, call, in_session, line, shell};

/// Without the time, which is another each time.
fn timeless(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let how = first.rsplit_once(", ").map_or(first, |(how, _)| how);
    let rest: String = lines.map(|line| format!("{line}\n")).collect();
    format!("{how}\n{rest}")
}

#[test]
fn what_a_command_prints_and_how_it_ends() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        #[rustfmt::skip]
        let table = [
            // command                          what is shown of it, without the time
            ("echo hello",                      "exit 0\nhello\n"),
            ("true",                            "exit 0\n"),
            ("printf 'no end'",                 "exit 0\nno end\n"),
            ("echo bad >&2; exit 3",            "exit 3\n--- stderr\nbad\n"),
            ("echo out; echo err >&2",          "exit 0\n--- stdout\nout\n--- stderr\nerr\n"),
            ("kill -SEGV $$",                   "killed by SIGSEGV\n"),
            ("bash -c 'kill -9 $$'; true",      "exit 0\n--- stderr\nbash: line 1:"),
            ("(kill -9 $BASHPID); exit $?",     "exit 137 (128 and the number of SIGKILL)\n"),
            ("pwd; id -u",                      "exit 0\n/case/notes\n1000\n"),
            ("printf '\\033[31mred\\a\\n'",     "exit 0\n"),
        ];
        for (command, want) in table {
            let got = timeless(&shell(session, command));
            assert!(got.starts_with(want), "{command}: {got:?}");
        }
        let red = shell(session, "printf '\\033[31mred\\a\\n'");
        assert!(!red.contains(['\u{1b}', '\u{7}']) && red.contains("[31mred"), "{red:?}");
    });
}

#[test]
fn a_command_begins_where_it_is_told_to() {
    let ground = Ground::new();
    std::fs::create_dir(ground.host("evidence/logs")).unwrap();
    in_session(&ground, |session| {
        let at = |cwd: &str| {
            let cwd = Some(cwd.to_owned());
            let asked = Shell { command: "pwd".into(), cwd, ..Shell::default() };
            call(session, &Call::Shell(asked))
        };
        for cwd in ["evidence/logs", "/case/evidence/logs"] {
            assert!(at(cwd).shown.text().ends_with("\n/case/evidence/logs\n"), "{cwd}");
        }
        let nowhere = at("nowhere");
        insta::assert_snapshot!(nowhere.shown.text(), @r"
        error: `cwd`: working directory: entering /case/nowhere: No such file or directory
        hint: Name a directory of the case; `find` lists them.
        ");
        assert!(nowhere.is_error);
    });
}

#[test]
fn what_runs_out_of_time_shows_what_it_had_to_say() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let with = |timeout_s| {
            let command = "echo begun; sleep 60; echo never".into();
            call(session, &Call::Shell(Shell { command, timeout_s, ..Shell::default() }))
        };
        let began = Instant::now();
        let late = with(Some(1));
        assert!(began.elapsed() < Duration::from_secs(5));
        let text = late.shown.text();
        assert!(text.starts_with("ended after timeout_s 1 with all that it started"), "{text}");
        assert!(text.ends_with("\nbegun\n"), "{text}");
        assert_eq!(late.status, Some(137));
        insta::assert_snapshot!(with(Some(0)).shown.text(), @r"
        error: `timeout_s`: a command needs some time
        hint: Name a number from 1 to 280.
        ");
        insta::assert_snapshot!(with(Some(281)).shown.text(), @r"
        error: `timeout_s`: 281 is more than this case allows, which is 280
        hint: Start it with `background: true`, and read, wait for or kill it later.
        ");
    });
}

#[test]
fn a_call_that_nobody_wants_any_more_is_over_at_once() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let mut times = Vec::new();
        for _ in 0..9 {
            let stop = Stop::default();
            let (ended, asked) = std::thread::scope(|scope| {
                let asking = scope.spawn(|| {
                    // It ignores what can be ignored, and has a child that does too.
                    let command = "trap '' INT TERM HUP; echo begun; sleep 60 & touch on; sleep 60";
                    let reply = session.call(&line(command), false, &stop).unwrap();
                    (reply, Instant::now())
                });
                let deadline = Instant::now() + Duration::from_secs(20);
                while !ground.host("notes/on").exists() {
                    assert!(Instant::now() < deadline);
                    std::thread::yield_now();
                }
                let asked = Instant::now();
                stop.stop();
                (asking.join().unwrap(), asked)
            });
            let (reply, over) = ended;
            times.push(over - asked);
            std::fs::remove_file(ground.host("notes/on")).unwrap();
            let text = reply.shown.text();
            assert!(text.starts_with("cancelled; it and all that it started are gone"), "{text}");
            assert!(text.ends_with("\nbegun\n"), "{text}");
        }
        times.sort();
        // A busy machine may be slow once, and not mostly.
        assert!(times[4] < Duration::from_millis(200), "{times:?}");
        assert!(times[8] < Duration::from_secs(1), "{times:?}");
        assert_eq!(shell(session, "pgrep -c sleep").lines().nth(1), Some("0"));
    });
}

#[test]
fn a_rule_of_the_policy_is_told_with_its_reason_and_nothing_is_run() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        let reply = call(session, &line("touch here && git push origin main"));
        insta::assert_snapshot!(reply.shown.text(), @r"
        error: the policy `offline` refuses this: publishing is a person's decision; leave a branch and say so instead
        hint: Do it in another way, or leave it to a person.
        ");
        assert!(reply.is_error);
        assert!(!ground.host("notes/here").exists());
    });
}

#[test]
fn a_jail_that_is_gone_is_opened_anew() {
    let ground = Ground::new();
    in_session(&ground, |session| {
        shell(session, "echo one > a");
        assert_eq!(ground.opened.load(Ordering::Relaxed), 1);
        // The process from which the jail was forked takes it along.
        let zygote = ground.zygote.lock().unwrap().unwrap();
        nix::sys::signal::kill(zygote, nix::sys::signal::Signal::SIGKILL).unwrap();
        // It is gone in moments. What may have been done is not done twice by itself: that
        // one call fails, and then all is well.
        let opened = || ground.opened.load(Ordering::Relaxed);
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut failed = 0;
        while opened() < 2 {
            assert!(Instant::now() < deadline);
            match timeless(&shell(session, "cat a")).as_str() {
                "exit 0\none\n" => {}
                told => {
                    assert!(told.starts_with("error:"), "{told}");
                    failed += 1;
                }
            }
        }
        assert!(failed <= 2, "{failed}");
        assert_eq!(timeless(&shell(session, "cat a")), "exit 0\none\n");
        assert_eq!(opened(), 2);
    });
}
