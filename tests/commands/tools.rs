//! `casefile read`, `grep`, `exec`, `write` and `journal`: the tools of a case, as a
//! person calls them.

use insta::assert_snapshot;

use crate::common::{Outcome, World, users};
use crate::ground::{checkout, open, plain};

/// An outcome without the times in it.
fn timeless(outcome: &Outcome) -> String {
    let text = outcome.to_string();
    let mut lines = text.lines().map(|line| {
        let line = match line.split_once(", ") {
            Some((how, _)) if how.starts_with("exit ") => how,
            _ => line,
        };
        format!("{line}\n")
    });
    lines.by_ref().collect()
}

#[test]
fn a_case_is_read_searched_and_written_from_outside() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        world.put("work/log.txt", "one\npool is empty\nthree\n");
        let id = open(&world, &["--repo", "./app", "--evidence", "log.txt"]);
        insta::allow_duplicates! {
            assert_snapshot!(world.run(&["read", &id, "evidence/log.txt:2-3", "repos/app"]), @"
            2 of 2 parts
            evidence/log.txt: lines 2-3 of 3, 24 B
            2	pool is empty
            3	three

            repos/app: a directory, 6 entries
            .git/
            .gitignore  6 B
            data.bin  4 B
            deep/
            one.txt  4 B
            two.txt  4 B
            ");
            assert_snapshot!(world.run(&["read", &id, "evidence/log.txt", "--from", "-1"]), @"
            evidence/log.txt: lines 3-3 of 3, 24 B
            3	three
            ");
            assert_snapshot!(world.run(&["read", &id, "evidence/log.text"]), @"
            --- stderr
            error: `evidence/log.text`
            cause: there is no such file or directory
            hint: Did you mean `evidence/log.txt`?
            --- exit status: 1
            ");
            assert_snapshot!(world.run(&["grep", &id, "POOL|deep", "-i"]), @"
            2 lines in 2 files; 4 files searched, 1 without text skipped
            evidence/log.txt
              2: pool is empty
            repos/app/deep/er/file
              1: deep
            ");
            assert_snapshot!(world.run(&["grep", &id, "a("]), @"
            --- stderr
            error: `pattern`: regex parse error:
                a(
                 ^
            error: unclosed group
            hint: Mend it, or pass `literal: true` to look for it as it stands.
            --- exit status: 1
            ");
            assert_snapshot!(world.run(&["write", &id, "notes/a.md", "--text", "first\nline\n"]), @"notes/a.md: created, 2 lines, 11 B");
            assert_snapshot!(world.run(&["write", &id, "notes/a.md", "--text", "x"]), @"
            --- stderr
            error: `notes/a.md`
            cause: it exists already
            hint: Replace it, or choose another name.
            --- exit status: 1
            ");
            assert_snapshot!(
                world.run(&["write", &id, "notes/a.md", "--passage", "line", "--text", "word"]), @"
            notes/a.md: 1 line replaced by 1 at 2, now 2 lines, 11 B
            -2	line
            +2	word
            ");
            assert_snapshot!(world.run(&["write", &id, "evidence/log.txt", "--append", "--text", "x"]), @"
            --- stderr
            error: `evidence/log.txt` is read-only: evidence stays as it came
            hint: Write below `repos/` or `notes/` instead.
            --- exit status: 1
            ");
            assert_snapshot!(timeless(&world.run(&["exec", &id, "git status --short; cat /case/notes/a.md; exit 4"])), @"
            exit 4
            first
            word
            --- exit status: 4
            ");
            assert_snapshot!(timeless(&world.run(&["exec", &id, "echo", "two words"])), @"
            exit 0
            two words
            ");
        }
        let verified = world.run(&["journal", "verify", &id]).success();
        assert_eq!(verified.stdout, "11 lines, each as it was written\n");
    }
}

#[test]
fn files_are_found_by_what_they_are_and_by_what_changed() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        let change = "echo x > new.rs; rm two.txt; echo more >> deep/er/file";
        let _ = world.run(&["exec", &id, change]).success();
        insta::allow_duplicates! {
            assert_snapshot!(world.run(&["find", &id, "*.txt"]), @"
            1 entry
            repos/app/one.txt
            ");
            assert_snapshot!(world.run(&["find", &id, "--changed"]), @"
            3 changed in this case
            changed repos/app/deep/er/file
            changed repos/app/new.rs
            removed repos/app/two.txt
            ");
            assert_snapshot!(world.run(&["find", &id, "--tree", "--depth", "3"]), @"
            9 entries, 3 deep
            ./
              evidence/
              notes/
              outputs/
              repos/
                app/
                  data.bin
                  deep/
                  new.rs
                  one.txt
            ");
            assert_snapshot!(
                world.run(&["find", &id, "*.txt", "repos/app", "--between", "HEAD~1", "HEAD"]), @"
            1 added
            added two.txt
            ");
            assert_snapshot!(world.run(&["find", &id, "--between", "HEAD~9", "HEAD"]), @"
            --- stderr
            error: `between`: fatal: bad revision 'HEAD~9'
            hint: Name two commits of the repository, such as `HEAD~5` and `HEAD`.
            --- exit status: 1
            ");
            assert_snapshot!(world.run(&["find", &id, "nothing-like-it"]), @"
            nothing found
            next: the same with `hidden: true`
            ");
        }
    }
}

#[test]
fn a_secret_of_the_callers_is_not_shown_whatever_prints_it() {
    for user in users() {
        let world = World::of(user).file("work/pass", "hunter2-of-the-file\n");
        checkout(&world, "work/app");
        world.put("work/casefile.yaml", "secrets: {variables: [DB_URL], files: [pass]}\n");
        let id = open(&world, &["--repo", "./app", "--config", "casefile.yaml"]);
        let command = "echo xyzzy-plugh-1; echo db:of-mine; echo hunter2-of-the-file";
        let mut run = world.command(&["--config", "casefile.yaml", "exec", &id, command]);
        run.env("MY_TOKEN", "xyzzy-plugh-1").env("DB_URL", "db:of-mine");
        let outcome = world.finish(run).success();
        let kinds: Vec<_> =
            outcome.stdout.lines().skip(1).map(|line| line.split(" #").next().unwrap()).collect();
        assert_eq!(kinds, ["[redacted: my-token", "[redacted: db-url", "[redacted: pass"]);
        let journal = world.run(&["journal", "export", &id]).success().stdout;
        for secret in ["xyzzy-plugh-1", "db:of-mine", "hunter2-of-the-file"] {
            assert!(!journal.contains(secret), "{journal}");
        }
    }
}

#[test]
fn a_journal_that_was_changed_is_told_and_located() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        for line in ["echo one", "echo two", "echo three"] {
            let _ = world.run(&["exec", &id, line]).success();
        }
        let file = world.state().join(format!("cases/{id}/journal.jsonl"));
        let whole = std::fs::read_to_string(&file).unwrap();
        let exported = world.run(&["journal", "export", &id]).success();
        assert_eq!(exported.stdout, whole);
        let shown = world.run(&["journal", "show", &id, "--last", "2"]).success().stdout;
        assert!(shown.contains("echo three") && !shown.contains("echo one"), "{shown}");

        std::fs::write(&file, whole.replacen("echo two", "echo 2wo", 1)).unwrap();
        insta::allow_duplicates! {
            assert_snapshot!(plain(&world.run(&["journal", "verify", &id]), &[&id]), @"
            --- stderr
            error: the journal of `<case 1>` is not as it was written
            cause: line 2 was changed: it has not the hash that was noted for it
            hint: Trust the lines before that one and no other; a copy may have the rest.
            --- exit status: 1
            ");
        }
        let two: String = whole.lines().take(2).map(|line| format!("{line}\n")).collect();
        std::fs::write(&file, two).unwrap();
        insta::allow_duplicates! {
            assert_snapshot!(plain(&world.run(&["journal", "verify", &id]), &[&id]), @"
            --- stderr
            error: the journal of `<case 1>` is not as it was written
            cause: it ends after line 2, and had 3 lines
            hint: Trust the lines before that one and no other; a copy may have the rest.
            --- exit status: 1
            ");
            // Nothing is written behind what was cut off.
            let refused = plain(&world.run(&["exec", &id, "true"]), &[&id]);
            assert_snapshot!(refused.replace(&*world.state().to_string_lossy(), "<state>"), @"
            --- stderr
            error: the journal `<world>/state/casefile/cases/<case 1>/journal.jsonl` does not end where it was left: it has 2 lines, and had 3
            hint: See where with `casefile journal verify`.
            --- exit status: 1
            ");
        }
        std::fs::write(&file, &whole).unwrap();
        let _ = world.run(&["journal", "verify", &id]).success();
    }
}

#[test]
fn a_signal_ends_the_command_and_what_it_said_is_told() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app"]);
    let mut command = world.command(&["exec", &id, "echo begun; touch /case/notes/here; sleep 60"]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let notes = world.state().join(format!("cases/{id}/layers/0/notes/upper/here"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !notes.exists() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("cancelled; it and all that it started are gone"), "{text}");
    assert!(text.ends_with("\nbegun\n"), "{text}");
    assert_eq!(output.status.code(), Some(137));
}
