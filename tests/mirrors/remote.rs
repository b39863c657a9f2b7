//! Mirrors that git fetches: over `file://`, and over its own daemon.

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use casefile::case::RepoName;
use casefile::hint::Hint;
use casefile::repos::{Git, Mirror, New, RepoError, Source};

use crate::lab::{Heard, Lab, holder};

#[test]
fn a_mirror_has_what_its_origin_has_and_loses_no_object() {
    let lab = Lab::new();
    lab.init("origin");
    lab.commit("origin", "2026-01-01T00:00:00Z", "one");
    lab.git("origin", &["tag", "-a", "v1", "-m", "first"]);
    lab.git("origin", &["branch", "dir"]);
    let mut mirror = lab.add("app", lab.url("origin")).unwrap();
    assert_eq!(lab.refs(&mirror.path), lab.refs(&lab.path("origin/.git")));
    assert_eq!(mirror.branch().unwrap().as_deref(), Some("main"));
    assert!(mirror.path.join("objects/info/commit-graph").exists());

    // Forward, rewritten, removed, a directory in the place of a branch.
    let lost = lab.commit("origin", "2026-01-02T00:00:00Z", "two");
    lab.fetch(&mut mirror).unwrap();
    lab.git("origin", &["reset", "-q", "--hard", "HEAD~1"]);
    lab.commit("origin", "2026-01-03T00:00:00Z", "three");
    lab.git("origin", &["branch", "-D", "dir"]);
    lab.git("origin", &["branch", "dir/below"]);
    lab.git("origin", &["tag", "-f", "-a", "v1", "-m", "second"]);
    lab.fetch(&mut mirror).unwrap();
    assert_eq!(lab.refs(&mirror.path), lab.refs(&lab.path("origin/.git")));
    lab.git(".", &["--git-dir", mirror.path.to_str().unwrap(), "cat-file", "-e", &lost]);

    // The default branch is another one.
    lab.git("origin", &["branch", "-m", "main", "trunk"]);
    lab.fetch(&mut mirror).unwrap();
    assert_eq!(mirror.branch().unwrap().as_deref(), Some("trunk"));
    assert_eq!(mirror.check(), []);

    // Everything is packed, and nothing is left beside it.
    let loose = lab.path("state/store/mirrors/app.git/refs");
    assert_eq!(std::fs::read_dir(loose).unwrap().count(), 0);
    let beside = lab.path("state/store/mirrors/.incoming/app");
    assert_eq!(std::fs::read_dir(beside).unwrap().count(), 0);
}

#[test]
fn an_origin_that_is_gone_leaves_the_mirror_as_it_was() {
    let lab = Lab::new();
    lab.init("origin");
    lab.commit("origin", "2026-01-01T00:00:00Z", "one");
    let mut mirror = lab.add("app", lab.url("origin")).unwrap();
    let before = lab.refs(&mirror.path);
    std::fs::rename(lab.path("origin"), lab.path("elsewhere")).unwrap();
    let error = lab.fetch(&mut mirror).unwrap_err();
    assert!(error.to_string().starts_with("git could not fetch from `file://"), "{error}");
    assert_eq!(lab.refs(&mirror.path), before);
}

#[test]
fn a_corrupt_pack_is_found() {
    let lab = Lab::new();
    lab.init("origin");
    lab.commit("origin", "2026-01-01T00:00:00Z", "one");
    let mirror = lab.add("app", lab.url("origin")).unwrap();
    assert_eq!(mirror.check(), []);
    let packs = mirror.path.join("objects/pack");
    let pack = std::fs::read_dir(&packs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|it| it == "pack"))
        .unwrap();
    let bytes = std::fs::read(&pack).unwrap();
    std::fs::remove_file(&pack).unwrap();
    std::fs::write(&pack, &bytes[..bytes.len() - 7]).unwrap();
    let faults = mirror.check();
    assert!(faults[0].to_string().contains("is missing, cut short or another's"), "{faults:?}");
    std::fs::remove_file(&pack).unwrap();
    assert!(mirror.check().iter().any(|it| it.to_string().contains("refs/heads/main")));
}

#[test]
fn hooks_and_helpers_that_anybody_has_set_do_not_run() {
    let lab = Lab::new();
    let mark = lab.path("mark");
    let script = format!("#!/bin/sh\ntouch {}\n", mark.display());
    lab.init("origin");
    lab.commit("origin", "2026-01-01T00:00:00Z", "one");
    let hooks = ["reference-transaction", "post-fetch", "pre-auto-gc", "post-checkout"];
    for hook in hooks {
        for dir in ["origin/.git/hooks", "home/hooks", "home/template/hooks"] {
            let name = format!("{dir}/{hook}");
            lab.write(&name, &script);
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(lab.path(&name), mode).unwrap();
        }
    }
    lab.write("home/fsmonitor", &script);
    let home = lab.path("home").display().to_string();
    lab.write(
        "home/.gitconfig",
        &format!(
            "[core]\nhooksPath = {home}/hooks\nfsmonitor = {home}/fsmonitor\n[init]\ntemplateDir = {home}/template\n"
        ),
    );
    // Whoever starts casefile from a hook has these set.
    let mut git = lab.git_of();
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        git.environment.push((name.into(), lab.path("elsewhere").into()));
    }
    let new = New {
        name: RepoName::parse("app").unwrap(),
        from: lab.url("origin"),
        branch: None,
        service: None,
    };
    let mut mirror = Mirror::add(&lab.store(), &new, &git, &holder(), &Heard::default()).unwrap();
    lab.write("origin/more", "");
    std::fs::remove_file(lab.path("home/.gitconfig")).unwrap();
    lab.git("origin", &["-c", "core.hooksPath=/dev/null", "commit", "--allow-empty", "-qm", "x"]);
    std::fs::remove_file(&mark).ok();
    mirror.fetch(&lab.store(), &git, &holder(), &Heard::default()).unwrap();
    assert!(!mark.exists(), "a hook ran");
    // The control: git by itself runs them.
    let hooks = format!("core.hooksPath={home}/hooks");
    lab.git("origin", &["-c", &hooks, "branch", "another"]);
    assert!(mark.exists(), "the hook is no hook");
}

#[test]
fn a_branch_that_is_named_must_be_there() {
    let lab = Lab::new();
    lab.init("origin");
    lab.commit("origin", "2026-01-01T00:00:00Z", "one");
    lab.git("origin", &["branch", "release"]);
    let add = |branch: &str| {
        let new = New {
            name: RepoName::parse("app").unwrap(),
            from: lab.url("origin"),
            branch: Some(branch.into()),
            service: None,
        };
        Mirror::add(&lab.store(), &new, &lab.git_of(), &holder(), &Heard::default())
    };
    let error = add("relaese").unwrap_err();
    assert_eq!(error.to_string(), "`app` has no branch `relaese`");
    assert_eq!(error.hint().unwrap(), "Did you mean `release`?");
    assert_eq!(add("release").unwrap().branch().unwrap().as_deref(), Some("release"));
}

#[test]
fn a_password_is_in_no_message_and_nobody_is_asked_for_one() {
    let lab = Lab::new();
    // Nothing listens there.
    let from = Source::Url("http://me:s3cret@127.0.0.1:9/app.git".into());
    let error = lab.add("app", from).unwrap_err();
    let mut text = format!("{error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    assert!(text.contains("127.0.0.1"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn without_git_it_says_so() {
    let lab = Lab::new();
    let git = Git { program: "git-that-is-not-there".into(), ..lab.git_of() };
    let new = New {
        name: RepoName::parse("app").unwrap(),
        from: lab.url("origin"),
        branch: None,
        service: None,
    };
    let error = Mirror::add(&lab.store(), &new, &git, &holder(), &Heard::default()).unwrap_err();
    assert!(matches!(error, RepoError::NoGit), "{error:?}");
}

#[test]
fn over_the_network_with_progress() {
    let lab = Lab::new();
    lab.init("origin");
    for number in 0..40 {
        lab.write(&format!("origin/{number}"), &format!("{number}\n").repeat(500));
    }
    lab.commit("origin", "2026-01-01T00:00:00Z", "one");
    // A port that is free now; the daemon cannot say which one it chose.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut daemon = lab
        .command(".")
        .args(["daemon", "--reuseaddr", "--listen=127.0.0.1", "--export-all"])
        .arg(format!("--port={port}"))
        .arg(format!("--base-path={}", lab.path(".").display()))
        .arg(lab.path("."))
        .stderr(Stdio::null())
        // It is two processes, and the second does not end with the first.
        .process_group(0)
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "the daemon does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    let heard = Heard::default();
    let new = New {
        name: RepoName::parse("app").unwrap(),
        from: Source::Url(format!("git://127.0.0.1:{port}/origin")),
        branch: None,
        service: Some("shop".into()),
    };
    let added = Mirror::add(&lab.store(), &new, &lab.git_of(), &holder(), &heard);
    let group = nix::unistd::Pid::from_raw(daemon.id().cast_signed());
    nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap();
    daemon.wait().unwrap();
    let mirror = added.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(mirror.service(), "shop");
    assert_eq!(lab.refs(&mirror.path), lab.refs(&lab.path("origin/.git")));
    let began = heard.began.lock().unwrap();
    assert!(began.iter().any(|it| it == "Receiving objects"), "{began:?}");
}

#[test]
fn a_commit_that_no_branch_leads_to_can_be_fetched_by_its_id() {
    let lab = Lab::new();
    lab.init("origin");
    lab.commit("origin", "2026-01-01T00:00:00Z", "one");
    let mirror = lab.add("app", lab.url("origin")).unwrap();
    let before = lab.refs(&mirror.path);
    let lost = lab.commit("origin", "2026-01-02T00:00:00Z", "two");
    lab.git("origin", &["reset", "-q", "--hard", "HEAD~1"]);
    let id = casefile::case::CommitId::parse(&lost).unwrap();
    let fetch =
        || mirror.fetch_commit(&lab.store(), &id, &lab.git_of(), &holder(), &Heard::default());
    lab.git("origin", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    fetch().unwrap();
    let path = mirror.path.to_str().unwrap();
    assert_eq!(lab.git(".", &["--git-dir", path, "show", "-s", "--format=%s", &lost]), "two");
    assert_eq!(lab.refs(&mirror.path), before);
    // One that is nowhere is an error, and changes nothing.
    let nowhere = casefile::case::CommitId::parse(&"1".repeat(40)).unwrap();
    let none =
        mirror.fetch_commit(&lab.store(), &nowhere, &lab.git_of(), &holder(), &Heard::default());
    assert!(matches!(none, Err(RepoError::Git { .. })), "{none:?}");
    assert_eq!(lab.refs(&mirror.path), before);
}
