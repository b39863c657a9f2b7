//! `casefile repo`: taken in, listed, fetched, resolved and removed.

use insta::assert_snapshot;

use crate::common::{World, users};

/// A checkout of this world's user, with two commits.
fn checkout(world: &World, dir: &str) {
    world.put(&format!("{dir}/one.txt"), "one\n");
    let git = |time: &str, args: &[&str]| {
        let mut command = world.program("git");
        command.current_dir(world.path(dir)).args(args);
        command.env("GIT_COMMITTER_DATE", time).env("GIT_AUTHOR_DATE", time);
        world.finish(command).success()
    };
    let _ = git("2026-03-01T00:00:00Z", &["init", "-q", "-b", "main"]);
    let _ = git("2026-03-01T00:00:00Z", &["add", "."]);
    let _ = git("2026-03-01T00:00:00Z", &["commit", "-q", "-m", "one"]);
    let _ = git("2026-03-02T00:00:00Z", &["commit", "-q", "--allow-empty", "-m", "two"]);
}

#[test]
fn a_repo_comes_is_listed_is_fetched_and_goes() {
    for user in users() {
        insta::allow_duplicates! { from_add_to_rm(&World::of(user)) }
    }
}

fn from_add_to_rm(world: &World) {
    checkout(world, "work/app");
    assert_snapshot!(world.run(&["repo", "list"]), @"There are no repos; `casefile repo add` takes one in.");
    assert_snapshot!(world.run(&["repo", "add", "app", "app"]), @"added app from <world>/work/app/");
    let url = format!("file://{}", world.path("work/app").display());
    assert_snapshot!(world.run(&["repo", "add", "copy", &url, "--service", "shop"]), @"added copy from file://<world>/work/app");
    assert_snapshot!(world.run(&["repo", "list"]), @"
        REPO  BRANCH  FROM
        app   main    <world>/work/app/
        copy  main    file://<world>/work/app
        ");
    assert_snapshot!(world.run(&["repo", "fetch"]), @"
        fetched app
        fetched copy
        ");
    assert_snapshot!(world.run(&["repo", "fetch", "app"]), @"fetched app");
    assert_snapshot!(world.run(&["repo", "rm", "copy"]), @"removed copy");
    let list = world.run(&["repo", "list", "--json"]).success();
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_snapshot!(list, @r#"[{"branch":"main","from":"<world>/work/app/","name":"app","origin":"checkout","service":"app","submodules":[]}]"#);

    std::fs::rename(world.path("work/app"), world.path("work/moved")).unwrap();
    assert_snapshot!(world.run(&["repo", "list"]), @"
        REPO  BRANCH  FROM
        app   broken  the objects of `app` are gone: they were in `<world>/work/app/.git/objects`
        ");
    assert_snapshot!(world.run(&["repo", "fetch"]), @"
        --- stderr
        error: the objects of `app` are gone: they were in `<world>/work/app/`
        hint: Put the checkout back where it was, or `casefile repo rm app` and add it anew.
        --- exit status: 1
        ");
}

#[test]
fn what_cannot_be_taken_in_says_why_and_what_to_do() {
    let world = World::new();
    checkout(&world, "work/app");
    assert_snapshot!(world.run(&["repo", "add", "a b", "app"]), @"
    --- stderr
    error: `a b` is not a name for a repo
    hint: Use letters, digits, `.`, `_` and `-`, with a letter or digit first.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["repo", "add", "app", "nowhere"]), @"
    --- stderr
    error: `<world>/work/nowhere` is no git repository
    hint: Give the path of a checkout or of a bare repository, or a URL.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["repo", "add", "app", "file:///nowhere"]), @"
    --- stderr
    error: git could not read `file:///nowhere`
    cause: fatal: '/nowhere' does not appear to be a git repository; fatal: Could not read from remote repository.
    hint: Check the URL, and that you may read what it leads to.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["repo", "add", "app", "--", "--upload-pack=touch x"]), @"
    --- stderr
    error: `--upload-pack=touch x` cannot be fetched from: git would take it for an option
    hint: Give a URL that git can fetch, or the path of a checkout.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["repo", "add", "app", "ext::sh -c 'touch x'"]), @"
    --- stderr
    error: git could not read `ext::sh -c 'touch x'`
    cause: fatal: transport 'ext' not allowed
    hint: git does not allow this transport here; use https or ssh.
    --- exit status: 1
    ");
    assert!(!world.path("work/x").exists());
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    assert_snapshot!(world.run(&["repo", "add", "app", "app"]), @"
    --- stderr
    error: there is a repo `app` already
    hint: Run `casefile repo fetch app` to bring it up to date, or choose another name.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["repo", "fetch", "ap"]), @"
    --- stderr
    error: there is no repo `ap`
    hint: Did you mean `app`?
    --- exit status: 1
    ");
}

#[test]
fn the_commit_that_was_live_is_told_with_the_reason() {
    let world = World::new();
    checkout(&world, "work/app");
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    assert_snapshot!(world.run(&["repo", "resolve", "app", "--at", "2026-03-01 13:00 Europe/Paris"]), @"
    c400ddbfc7f175f56f392d84341db1532457411c
    the newest on `main` at 2026-03-01T12:00:00Z, committed 2026-03-01T00:00:00Z
    after it: 474e169c9058aa7758bc95426403d1d543145d4f
    --- stderr
    at 2026-03-01T12:00:00Z
    ");
    assert_snapshot!(world.run(&["repo", "resolve", "app", "--at", "2026-03-02 03:12"]), @"
    474e169c9058aa7758bc95426403d1d543145d4f
    the newest on `main` at 2026-03-02T03:12:00Z, committed 2026-03-02T00:00:00Z
    before it: c400ddbfc7f175f56f392d84341db1532457411c
    --- stderr
    at 2026-03-02T03:12:00Z, as 2026-03-02T03:12:00 in UTC
    ");
    assert_snapshot!(world.run(&["repo", "resolve", "app", "--commit", "HEAD~1"]), @"
    c400ddbfc7f175f56f392d84341db1532457411c
    it was asked for as `HEAD~1`
    ");
    assert_snapshot!(world.run(&["repo", "resolve", "app", "--at", "2026-02-01T00:00:00Z"]), @"
    --- stderr
    error: 2026-02-01T00:00:00Z is before the first commit on `main` of `app`
    hint: The first is c400ddbfc7f1 of 2026-03-01T00:00:00Z; ask for that time or a later one.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["repo", "resolve", "app", "--at", "2026-03-29 02:30 Europe/Paris"]), @"
    --- stderr
    error: `2026-03-29 02:30 Europe/Paris` never was in Europe/Paris: the clocks were put forward
    hint: Did you mean `2026-03-29 03:30 Europe/Paris`?
    --- exit status: 1
    ");

    world.put("work/casefile.yaml", "deploys: live.csv\nenvironment: prod\n");
    assert_snapshot!(world.run(&["repo", "resolve", "app"]), @"
    --- stderr
    error: cannot read `<world>/work/live.csv`
    cause: No such file or directory (os error 2)
    hint: Correct `deploys` in casefile.yaml, or leave it out.
    --- exit status: 1
    ");
    world.put(
        "work/live.csv",
        "time,environment,service,commit\n2026-03-03T00:00:00Z,prod,app,main~1\n",
    );
    assert_snapshot!(world.run(&["repo", "resolve", "app", "--json"]), @"
    --- stderr
    error: <world>/work/live.csv:2: `main~1` is no commit
    hint: Each record has a `time` with its zone and a `commit`, and may have `environment` and `service`.
    --- exit status: 1
    ");
    world.put(
        "work/live.csv",
        "time,environment,service,commit\n2026-03-03T00:00:00Z,prod,app,main\n2026-03-03T01:00:00Z,test,app,v1\n",
    );
    assert_snapshot!(world.run(&["repo", "resolve", "app", "--json"]), @r#"
    {
      "after": null,
      "before": null,
      "commit": "474e169c9058aa7758bc95426403d1d543145d4f",
      "repo": "app",
      "rule": "deploy",
      "tree": "77c90b773bcdc8967fe0712c45319ee0ac6634a8",
      "why": "`app` was deployed to `prod` at 2026-03-03T00:00:00Z"
    }
    "#);
    assert_snapshot!(world.run(&["repo", "resolve", "app", "--env", "test"]), @"
    --- stderr
    error: `app` has no commit v1, which was deployed at 2026-03-03T01:00:00Z
    hint: Run `casefile repo fetch app`, or name a commit with `app@COMMIT`.
    --- exit status: 1
    ");
}
