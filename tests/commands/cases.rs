//! `list`, `show` and `rename`, on cases that a test laid out by hand.

use nix::fcntl::{Flock, FlockArg};

use crate::common::{User, World, am_root, users};

/// A manifest as the product writes it.
pub(crate) fn manifest(title: &str, opened: &str) -> String {
    format!(
        "format: 1\ntitle: {title}\norigin:\n  by: person\n  opened: {opened}\npolicy: offline\n"
    )
}

pub(crate) fn put_case(world: &World, id: &str, title: &str) {
    let opened = "2026-03-01T03:20:00Z";
    world.put(&format!("state/casefile/cases/{id}/case.yaml"), manifest(title, opened));
}

/// Holds the lock of a case, as a command would that works in it.
pub(crate) fn hold(world: &World, id: &str) -> Flock<std::fs::File> {
    let pid = std::process::id();
    let text = format!("pid: {pid}\nsince: 2026-03-01T03:30:00Z\ncommand: casefile run\n");
    let name = format!("state/casefile/cases/{id}/lock");
    world.put(&name, text);
    let file = std::fs::File::open(world.path(&name)).unwrap();
    Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap()
}

/// Somebody whom permissions stop, which root is not.
pub(crate) fn stoppable() -> User {
    if am_root() { User::Ordinary } else { User::Same }
}

#[test]
fn without_a_case_there_is_nothing_and_nothing_is_made() {
    let world = World::new();
    let before = world.tree();
    insta::assert_snapshot!(world.run(&["list"]).success(), @"There are no cases.");
    insta::assert_snapshot!(world.run(&["list", "--json"]).success(), @"[]");
    insta::assert_snapshot!(world.run(&["show", "checkout"]).code(1), @r"
    --- stderr
    error: there is no case `checkout`
    hint: Run `casefile list` to see which cases there are.
    --- exit status: 1
    ");
    assert_eq!(world.tree(), before);
}

#[test]
fn the_newest_comes_first_and_a_broken_one_hides_nobody() {
    let world = World::new();
    let put =
        |id: &str, text: &str| world.put(&format!("state/casefile/cases/{id}/case.yaml"), text);
    put("old-aaaaaa", &manifest("An old one", "2026-01-01T00:00:00Z"));
    put("new-aaaaaa", &manifest("A new one", "2026-03-01T03:20:00Z"));
    put("bad-key-aaaaaa", "format: 1\ntitel: x\n");
    put("later-aaaaaa", "format: 7\nwhat: ever\n");
    put("binary-aaaaaa", "\0\0\0");
    put("Not an id", "");
    world.put("state/casefile/cases/none-aaaaaa/notes/x", "");
    world.put("state/casefile/cases/a stray file", "");
    let cases = world.state().join("cases");
    std::os::unix::fs::symlink("old-aaaaaa", cases.join("link-aaaaaa")).unwrap();
    std::fs::create_dir(cases.join("dir-aaaaaa")).unwrap();
    std::fs::create_dir(cases.join("dir-aaaaaa/case.yaml")).unwrap();
    std::fs::create_dir(cases.join("fifo-aaaaaa")).unwrap();
    let fifo = cases.join("fifo-aaaaaa/case.yaml");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let before = world.tree();
    insta::assert_snapshot!(world.run(&["list"]).success(), @"
    CASE            STATE   OPENED (UTC)      TITLE
    new-aaaaaa      idle    2026-03-01 03:20  A new one
    old-aaaaaa      idle    2026-01-01 00:00  An old one
    Not an id       broken  -                 `Not an id` is not a case id
    bad-key-aaaaaa  broken  -                 case.yaml:2:1: unknown key `titel`
    binary-aaaaaa   broken  -                 case.yaml:1:1: a control character, U+0000
    dir-aaaaaa      broken  -                 `case.yaml` is a directory, not a file
    fifo-aaaaaa     broken  -                 `case.yaml` is a FIFO, not a file
    later-aaaaaa    broken  -                 case.yaml: format 7 is newer than this casefile reads
    link-aaaaaa     broken  -                 cannot open `<world>/state/casefile/cases/link-aaaaaa`: Not a directory (os error 20)
    none-aaaaaa     broken  -                 the case has no `case.yaml`
    ");
    insta::assert_snapshot!(world.run(&["show", "bad"]).code(1), @"
    --- stderr
    error: case `bad-key-aaaaaa` is broken
    cause: case.yaml:2:1: unknown key `titel`
    hint: Did you mean `title`?
    --- exit status: 1
    ");
    insta::assert_snapshot!(world.run(&["show", "later"]).code(1), @"
    --- stderr
    error: case `later-aaaaaa` is broken
    cause: case.yaml: format 7 is newer than this casefile reads
    hint: Upgrade casefile, or use the one that opened the case.
    --- exit status: 1
    ");
    assert_eq!(world.tree(), before, "a listing changed something");
}

#[test]
fn all_of_a_case_is_shown() {
    let world = World::new().file(
        "state/casefile/cases/checkout-5xx-k7f2qa/case.yaml",
        "\
format: 1
title: Checkout answers 5xx
origin: {by: agent, opened: 2026-03-01T03:20:00Z}
incident: {at: 2026-03-01T03:12:00Z, reference: PD-4411}
policy: offline
repos:
  - name: checkout
    from: https://git.example.com/checkout.git
    commit: 9ab1f3c0d2e4f6a8b0c2d4e6f8091a2b3c4d5e6f
    tree: 4b825dc642cb6eb9a060e54bf8d69288fbee4904
    rule: deploy
",
    );
    insta::assert_snapshot!(world.run(&["show", "checkout-5xx"]).success(), @"
    case       checkout-5xx-k7f2qa
    title      Checkout answers 5xx
    state      idle
    opened     2026-03-01 03:20 UTC by an agent
    incident   2026-03-01 03:12 UTC (PD-4411)
    policy     offline
    repo       checkout at 9ab1f3c0d2e4f6a8b0c2d4e6f8091a2b3c4d5e6f (a deploy record)
               from https://git.example.com/checkout.git
    directory  <world>/state/casefile/cases/checkout-5xx-k7f2qa
    ");
    insta::assert_snapshot!(world.run(&["show", "check", "--json"]).success(), @r#"
    {
      "closed": null,
      "directory": "<world>/state/casefile/cases/checkout-5xx-k7f2qa",
      "environment": null,
      "forked_from": null,
      "holder": null,
      "id": "checkout-5xx-k7f2qa",
      "incident": {
        "at": "2026-03-01T03:12:00Z",
        "reference": "PD-4411"
      },
      "origin": {
        "by": "agent",
        "opened": "2026-03-01T03:20:00Z"
      },
      "owner": null,
      "policy": "offline",
      "repos": [
        {
          "commit": "9ab1f3c0d2e4f6a8b0c2d4e6f8091a2b3c4d5e6f",
          "from": "https://git.example.com/checkout.git",
          "name": "checkout",
          "rule": "deploy",
          "tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        }
      ],
      "state": "idle",
      "title": "Checkout answers 5xx"
    }
    "#);
    let _held = hold(&world, "checkout-5xx-k7f2qa");
    let shown = world.run(&["show", "checkout"]).success().stdout;
    let pid = std::process::id();
    assert!(
        shown.contains(&format!("in use by `casefile run` (pid {pid}) since 2026-03-01 03:30 UTC")),
        "{shown}"
    );
    assert!(world.run(&["list"]).success().stdout.contains("  in use  "));
}

#[test]
fn a_beginning_that_fits_several_names_them() {
    let world = World::new();
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    put_case(&world, "checkout-5xx-k9f2qa", "Two");
    insta::assert_snapshot!(world.run(&["show", "checkout-5xx"]).code(1), @"
    --- stderr
    error: `checkout-5xx` could be any of 2 cases
    hint: Name one of `checkout-5xx-k7f2qa`, `checkout-5xx-k9f2qa`.
    --- exit status: 1
    ");
    insta::assert_snapshot!(world.run(&["show", "checkout-5xx-k7f2qz"]).code(1), @"
    --- stderr
    error: there is no case `checkout-5xx-k7f2qz`
    hint: Did you mean `checkout-5xx-k7f2qa`?
    --- exit status: 1
    ");
    insta::assert_snapshot!(world.run(&["show", "../checkout-5xx-k7f2qa"]).code(1), @"
    --- stderr
    error: there is no case `../checkout-5xx-k7f2qa`
    hint: Did you mean `checkout-5xx-k7f2qa`?
    --- exit status: 1
    ");
}

/// Whatever somebody managed to write into a manifest, a name or a lock, the
/// terminal of whoever looks at it is left alone.
#[test]
fn nothing_that_is_shown_can_act_on_a_terminal() {
    let world = World::new();
    put_case(&world, "evil-aaaaaa", r#""\e[2J\e]0;owned\a \u202egnp \u009b31m \n new line""#);
    let name = "state/casefile/cases/\u{1b}[31mred\nline/case.yaml";
    world.put(name, "\"\\e[31m\": 1\n");
    world.put("state/casefile/cases/worse-aaaaaa/case.yaml", "format: 1\n\"\\e[31mkey\": 1\n");
    world.put(
        "state/casefile/cases/evil-aaaaaa/lock",
        format!("pid: {}\nsince: 2026-03-01T03:30:00Z\ncommand: \x1b[31mrun\n", std::process::id()),
    );
    let lock = world.path("state/casefile/cases/evil-aaaaaa/lock");
    let file = std::fs::File::open(lock).unwrap();
    let _held = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    let commands: &[&[&str]] = &[
        &["list"],
        &["list", "--json"],
        &["show", "evil"],
        &["show", "evil", "--json"],
        &["show", "worse"],
        &["show", "\x1b[31m"],
        &["rename", "evil", "x"],
        &["rename", "evil", "\x1b[31m"],
        &["rm", "evil", "--yes"],
        &["rm", "\x1b[31mred", "--yes"],
    ];
    for args in commands {
        let outcome = world.run(args);
        let shown = outcome.stdout.clone() + &outcome.stderr;
        assert!(!shown.is_empty(), "{args:?}");
        let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(acts), "{args:?} shows {shown:?}");
    }
    let list = world.run(&["list"]).success().stdout;
    assert!(list.contains(r"\u{1b}[2J"), "{list}");
    assert_eq!(list.lines().count(), 4, "{list}");
}

#[test]
fn another_title_and_the_same_id() {
    insta::allow_duplicates! {
        for user in users() {
            let world = World::of(user);
            put_case(&world, "checkout-5xx-k7f2qa", "One");
            let titled = world.run(&["rename", "checkout", " It was DNS: \"again\" "]).success();
            insta::assert_snapshot!(titled, @r#"checkout-5xx-k7f2qa is now titled: It was DNS: "again""#);
            insta::assert_snapshot!(world.run(&["list"]).success(), @r#"
            CASE                 STATE  OPENED (UTC)      TITLE
            checkout-5xx-k7f2qa  idle   2026-03-01 03:20  It was DNS: "again"
            "#);
            insta::assert_snapshot!(world.run(&["rename", "checkout", "a\nb"]).code(1), @"
            --- stderr
            error: the title holds a control character
            hint: Give a title of one line, such as `Checkout answers 5xx`.
            --- exit status: 1
            ");
            insta::assert_snapshot!(world.tree(), @"
            <world>
              home/
              state/
                casefile/
                  cases/
                    checkout-5xx-k7f2qa/
                      case.yaml
                      lock
              work/
            ");
        }
    }
}

#[test]
fn a_case_in_use_keeps_its_title() {
    let world = World::new();
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    let _held = hold(&world, "checkout-5xx-k7f2qa");
    let outcome = world.run(&["rename", "checkout", "Two"]).code(1);
    let pid = std::process::id();
    let want = format!(
        "--- stderr\n\
         error: case `checkout-5xx-k7f2qa` is in use by `casefile run` (pid {pid})\n\
         hint: Wait until it is done, or end it with `kill {pid}`.\n\
         --- exit status: 1"
    );
    assert_eq!(outcome.to_string(), want);
    assert!(world.run(&["list"]).success().stdout.contains("One"));
}

/// Names of commands that died are no holders, also for another user's eyes.
#[test]
fn the_name_that_a_dead_holder_left_means_nothing() {
    let world = World::new();
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    drop(hold(&world, "checkout-5xx-k7f2qa"));
    assert!(world.run(&["list"]).success().stdout.contains("  idle  "));
    let _ = world.run(&["rename", "checkout", "Two"]).success();
}

#[test]
fn two_thousand_cases_are_listed_while_a_person_waits() {
    let world = World::new();
    for at in 0..2_000 {
        put_case(&world, &format!("case-{at}-aaaaaa"), "One of many");
    }
    let begun = std::time::Instant::now();
    let listed = world.run(&["list"]).success().stdout;
    let took = begun.elapsed();
    assert_eq!(listed.lines().count(), 2_001);
    // Generous for a debug build on a busy machine; a listing that is not linear
    // would still be far over it.
    assert!(took.as_secs() < 10, "took {took:?}");
}

#[test]
fn what_cannot_be_read_says_so() {
    let world = World::of(stoppable());
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    let manifest = world.path("state/casefile/cases/checkout-5xx-k7f2qa/case.yaml");
    std::fs::set_permissions(manifest, std::os::unix::fs::PermissionsExt::from_mode(0o000))
        .unwrap();
    insta::assert_snapshot!(world.run(&["show", "checkout"]).code(1), @"
    --- stderr
    error: case `checkout-5xx-k7f2qa` is broken
    cause: cannot open `case.yaml` in the case
    cause: Permission denied (os error 13)
    hint: Make it accessible to you, or run as the user that it belongs to.
    --- exit status: 1
    ");
}
