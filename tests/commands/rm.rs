//! `rm`: asked for twice, refused while somebody works in the case, and then
//! whole.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use crate::cases::{hold, put_case, stoppable};
use crate::common::{Outcome, World, users};

/// Runs a command whose stdin is a terminal on which `answer` was typed.
fn on_a_terminal(world: &World, args: &[&str], answer: &str) -> Outcome {
    let pty = nix::pty::openpty(None, None).unwrap();
    let (person, terminal): (OwnedFd, OwnedFd) = (pty.master, pty.slave);
    nix::unistd::write(&person, answer.as_bytes()).unwrap();
    let mut command = world.command(args);
    command.stdin(Stdio::from(terminal));
    let outcome = world.finish(command);
    drop(person);
    outcome
}

fn cases(world: &World) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(world.state().join("cases")) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_script_has_to_say_that_it_means_it() {
    let world = World::new();
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    put_case(&world, "pay-abcdef", "Two");
    insta::assert_snapshot!(world.run(&["rm", "checkout"]).code(1), @"
    --- stderr
    error: removing case `checkout-5xx-k7f2qa` needs a yes, and there is no terminal to ask on
    hint: Pass `--yes` to remove without being asked.
    --- exit status: 1
    ");
    insta::assert_snapshot!(world.run(&["rm", "checkout", "pay", "check"]).code(1), @"
    --- stderr
    error: removing 2 cases needs a yes, and there is no terminal to ask on
    hint: Pass `--yes` to remove without being asked.
    --- exit status: 1
    ");
    assert_eq!(cases(&world), ["checkout-5xx-k7f2qa", "pay-abcdef"]);
    insta::assert_snapshot!(world.run(&["rm", "checkout", "pay", "check", "--yes"]).success(), @"
    removed checkout-5xx-k7f2qa
    removed pay-abcdef
    ");
    assert_eq!(cases(&world), [".trash"]);
    assert_eq!(world.run(&["rm"]).status.code(), Some(2));
}

#[test]
fn a_person_is_asked_and_only_a_yes_removes() {
    #[rustfmt::skip]
    let table = [
        // typed      removed
        ("y\n",       true),
        ("Y\n",       true),
        ("yes\n",     true),
        ("n\n",       false),
        ("\n",        false),
        ("yep\n",     false),
        ("\x04",      false),
    ];
    for (answer, removed) in table {
        let world = World::new();
        put_case(&world, "checkout-5xx-k7f2qa", r#""Checkout \e[31m5xx""#);
        let outcome = on_a_terminal(&world, &["rm", "checkout"], answer);
        assert_eq!(outcome.status.code(), Some(i32::from(!removed)), "{answer:?}: {outcome}");
        assert_eq!(cases(&world) == [".trash"], removed, "{answer:?}: {outcome}");
        let asked = "  checkout-5xx-k7f2qa  Checkout \\u{1b}[31m5xx\n\
                     Remove case `checkout-5xx-k7f2qa` for good? [y/N] ";
        assert!(outcome.stderr.starts_with(asked), "{answer:?}: {outcome}");
    }
}

#[test]
fn a_slip_in_one_name_removes_none() {
    let world = World::new();
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    put_case(&world, "pay-abcdef", "Two");
    insta::assert_snapshot!(world.run(&["rm", "--yes", "checkout", "pya-abcdef"]).code(1), @"
    --- stderr
    error: there is no case `pya-abcdef`
    hint: Did you mean `pay-abcdef`?
    --- exit status: 1
    ");
    assert_eq!(cases(&world), ["checkout-5xx-k7f2qa", "pay-abcdef"]);
}

#[test]
fn a_case_in_use_stays_and_so_do_those_named_with_it() {
    let world = World::new();
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    put_case(&world, "pay-abcdef", "Two");
    let held = hold(&world, "pay-abcdef");
    let outcome = world.run(&["rm", "--yes", "checkout", "pay"]).code(1);
    let pid = std::process::id();
    let want = format!("error: case `pay-abcdef` is in use by `casefile run` (pid {pid})\n");
    assert!(outcome.stderr.starts_with(&want), "{outcome}");
    assert_eq!(cases(&world), ["checkout-5xx-k7f2qa", "pay-abcdef"]);
    drop(held);
    let _ = world.run(&["rm", "--yes", "checkout", "pay"]).success();
    assert_eq!(cases(&world), [".trash"]);
}

#[test]
fn a_broken_case_can_be_removed() {
    for user in users() {
        let world = World::of(user);
        world.put("state/casefile/cases/bad-aaaaaa/case.yaml", "\0");
        world.put("state/casefile/cases/none-aaaaaa/notes/x", "");
        let _ = world.run(&["rm", "--yes", "bad", "none"]).success();
        assert_eq!(cases(&world), [".trash"], "{user:?}");
    }
}

/// As root no permission stops anybody, so this is where an ordinary user's way
/// through closed directories is walked.
#[test]
fn what_a_jail_left_is_removed_by_everybody() {
    for user in users() {
        let world = World::of(user);
        put_case(&world, "checkout-5xx-k7f2qa", "One");
        let upper = "state/casefile/cases/checkout-5xx-k7f2qa/upper";
        for dir in ["closed", "closed/deeper", "read-only", "read-only/deeper"] {
            world.put(&format!("{upper}/{dir}/a file"), "x");
        }
        world.put("precious", "kept");
        symlink(world.path("precious"), world.path(upper).join("link")).unwrap();
        symlink(world.path("home"), world.path(upper).join("link to a directory")).unwrap();
        for (dir, mode) in [
            ("closed/deeper", 0o000),
            ("closed", 0o000),
            ("read-only/deeper", 0o555),
            ("read-only", 0o555),
            ("", 0o000),
        ] {
            let dir = world.path(upper).join(dir);
            std::fs::set_permissions(dir, PermissionsExt::from_mode(mode)).unwrap();
        }
        let _ = world.run(&["rm", "--yes", "checkout"]).success();
        assert_eq!(cases(&world), [".trash"], "{user:?}");
        assert_eq!(std::fs::read(world.path("precious")).unwrap(), b"kept");
        assert!(world.path("home").is_dir());
    }
}

#[test]
fn a_case_that_cannot_be_written_stays_whole() {
    let world = World::of(stoppable());
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    let cases_dir = world.state().join("cases");
    std::fs::set_permissions(&cases_dir, PermissionsExt::from_mode(0o555)).unwrap();
    insta::assert_snapshot!(world.run(&["rm", "--yes", "checkout"]).code(1), @"
    --- stderr
    error: cannot create `<world>/state/casefile/cases/.trash`
    cause: Permission denied (os error 13)
    hint: Make it accessible to you, or run as the user that it belongs to.
    --- exit status: 1
    ");
    assert!(cases_dir.join("checkout-5xx-k7f2qa/case.yaml").exists());
    std::fs::set_permissions(&cases_dir, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Something is still mounted inside: what is behind the mount is not ours.
#[test]
fn a_mount_is_not_emptied() {
    let world = World::new();
    put_case(&world, "checkout-5xx-k7f2qa", "One");
    world.put("state/casefile/cases/checkout-5xx-k7f2qa/upper/mnt/x", "");
    world.put("elsewhere/precious", "kept");
    let mut command = world.program("unshare");
    let script = "mount --bind \"$1\" \"$2\" && \"$3\" rm --yes checkout";
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(world.path("elsewhere"));
    command.arg(world.path("state/casefile/cases/checkout-5xx-k7f2qa/upper/mnt"));
    command.arg(crate::common::binary());
    insta::assert_snapshot!(world.finish(command).code(1), @"
    --- stderr
    error: not all of `checkout-5xx-k7f2qa` could be removed; the rest is in `<world>/state/casefile/cases/.trash`
    cause: something is mounted on `upper/mnt`
    hint: Unmount it, then run the command again to remove the rest.
    --- exit status: 1
    ");
    assert_eq!(std::fs::read(world.path("elsewhere/precious")).unwrap(), b"kept");
    // Without the mount the next command finishes what was begun.
    let _ = world.run(&["list"]).success();
    assert_eq!(left(&world.state().join("cases/.trash")), 0);
}

#[test]
fn a_listing_finishes_what_a_killed_removal_left() {
    let world = World::new();
    put_case(&world, "pay-abcdef", "Two");
    world.put("state/casefile/cases/.trash/checkout-5xx-k7f2qa/upper/x", "");
    insta::assert_snapshot!(world.run(&["list"]).success(), @"
    CASE        STATE  OPENED (UTC)      TITLE
    pay-abcdef  idle   2026-03-01 03:20  Two
    ");
    assert_eq!(left(&world.state().join("cases/.trash")), 0);
}

fn left(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}
