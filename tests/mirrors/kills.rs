//! A fetch that is killed, at any moment, has happened or has not.

use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use casefile::case::RepoName;
use casefile::repos::{Mirror, sweep};

use crate::common::World;
use crate::lab::{Lab, holder};

/// More than the fetches that the issue asks for.
const KILLS: u32 = 60;

#[test]
fn killed_at_many_moments_a_mirror_is_as_before_or_after() {
    let lab = Lab::new();
    lab.init("origin");
    for number in 0..200 {
        lab.write(&format!("origin/{number}"), &format!("{number}\n").repeat(50));
    }
    lab.commit("origin", "2026-01-01T00:00:00Z", "first");
    let world = World::new();
    let url = format!("file://{}", lab.path("origin").display());
    let _ = world.run(&["repo", "add", "app", &url]).success();
    let mirror = world.state().join("store/mirrors/app.git");
    let origin = || lab.refs(&lab.path("origin/.git"));
    assert_eq!(lab.refs(&mirror), origin());

    // How long a whole one takes, with something to fetch.
    lab.commit("origin", "2026-01-02T00:00:00Z", "timing");
    let began = Instant::now();
    let _ = world.run(&["repo", "fetch", "app"]).success();
    let whole = began.elapsed();
    let mut before = lab.refs(&mirror);

    let [mut as_before, mut as_after] = [0, 0];
    for kill in 0..KILLS {
        for file in 0..20 {
            lab.write(&format!("origin/{file}"), &format!("{kill} {file}\n").repeat(50));
        }
        lab.commit("origin", "2026-01-03T00:00:00Z", &format!("kill-{kill}"));
        lab.git("origin", &["tag", "-a", &format!("tag-{kill}"), "-m", "x"]);
        let after = origin();
        let mut command = world.command(&["repo", "fetch", "app"]);
        // Every other time git is killed with it, as by the end of a machine.
        let child = command.process_group(0).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(kill) / f64::from(KILLS) * 2.5));
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        let kill_all = nix::sys::signal::killpg;
        let kill_one = |pid, signal| nix::sys::signal::kill(pid, signal);
        let signal = nix::sys::signal::Signal::SIGKILL;
        let _ = if kill % 2 == 0 { kill_all(pid, signal) } else { kill_one(pid, signal) };
        let _ = child.wait_with_output();

        // Whole to real git, whichever of the two it is.
        let now = lab.refs(&mirror);
        assert!(now == before || now == after, "kill {kill}: neither before nor after\n{now}");
        if now == before {
            as_before += 1;
        } else {
            as_after += 1;
        }
        before = now;
        if kill % 7 == 0 {
            let _ = world.run(&["repo", "fetch", "app"]).success();
            before = lab.refs(&mirror);
            assert_eq!(before, after, "kill {kill}: the next fetch");
        }
    }
    assert!(0 < as_before && 0 < as_after, "{as_before} before, {as_after} after: no spread");

    // What they left is cleared by the next one.
    let _ = world.run(&["repo", "fetch", "app"]).success();
    assert_eq!(lab.refs(&mirror), origin());
    let beside = world.state().join("store/mirrors/.incoming/app");
    assert_eq!(std::fs::read_dir(beside).unwrap().count(), 0);
}

#[test]
fn what_a_kill_left_is_swept_and_a_fetch_that_runs_is_not() {
    let lab = Lab::new();
    lab.init("origin");
    lab.commit("origin", "2026-01-01T00:00:00Z", "one");
    lab.add("app", lab.url("origin")).unwrap();
    let store = lab.store();
    for repo in ["app", "gone"] {
        lab.write(&format!("state/store/mirrors/.incoming/{repo}/fetch-1/objects/pack/tmp_1"), "x");
    }
    let locks = lab.path("state/store/mirrors/.locks");
    let held = casefile::disk::Lock::take(&locks.join("app"), &holder()).unwrap();
    sweep(&store.store, &holder()).unwrap();
    let stands = |repo: &str| lab.path(&format!("state/store/mirrors/.incoming/{repo}")).exists();
    assert!(stands("app") && !stands("gone"));
    drop(held);
    sweep(&store.store, &holder()).unwrap();
    assert!(!stands("app"));
    let name = RepoName::parse("app").unwrap();
    assert_eq!(Mirror::open(&store.store, &name).unwrap().check(), []);
}

#[test]
fn an_interrupt_ends_git_clears_up_and_ends_casefile_by_its_signal() {
    use nix::sys::signal::Signal;
    use std::os::unix::process::ExitStatusExt;

    let lab = Lab::new();
    let world = World::new();
    // An ssh that never answers.
    world.put("work/ssh", "#!/bin/sh\necho $$ > \"$0.pid\"\nexec sleep 1000\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(world.path("work/ssh"), mode).unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut command = world.command(&["repo", "add", "app", "ssh://a.example/b"]);
        command.env("GIT_SSH", world.path("work/ssh"));
        let child = command.spawn().unwrap();
        let pid_file = world.path("work/ssh.pid");
        let until = Instant::now() + Duration::from_secs(20);
        while !std::fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n')) {
            assert!(Instant::now() < until, "ssh was never started");
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        nix::sys::signal::kill(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal as i32), "{output:?}");
        let beside = world.state().join("store/mirrors/.incoming/app");
        assert_eq!(std::fs::read_dir(&beside).unwrap().count(), 0, "{signal}");
        std::fs::remove_file(&pid_file).unwrap();
    }
    drop(lab);
}
