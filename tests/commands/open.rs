//! `casefile open`: which repos, at which commit, with what beside them.

use insta::assert_snapshot;

use crate::common::{World, users};
use crate::ground::{DAY_3, checkout, git, git_at, id_in, open, plain, said};

#[test]
fn in_a_checkout_nothing_has_to_be_configured() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let before = git(&world, "work/app", &["for-each-ref"]);
        for dir in ["work/app", "work/app/deep/er"] {
            let mut command = world.command(&["open", "--repo", "."]);
            command.current_dir(world.path(dir));
            let opened = world.finish(command).success();
            let id = id_in(&opened);
            insta::allow_duplicates! { assert_snapshot!(plain(&opened, &[&id]), @r"
            case       <case 1>
            directory  <world>/state/casefile/cases/<case 1>
            repo       app at 50a43bd49a97: the newest on `main`, committed 2026-03-02T00:00:00Z
            next       casefile shell <case 1>
            ") }
            let seen = said(
                &world,
                &id,
                "pwd; cat one.txt; git status --short; git log --format=%s; stat -c %U:%G . one.txt .git",
            );
            insta::allow_duplicates! { assert_snapshot!(seen, @r"
            /case/repos/app
            one
            two
            one
            case:case
            case:case
            case:case
            ") }
        }
        // The checkout itself is as it was.
        assert_eq!(git(&world, "work/app", &["status", "--short"]), "");
        assert_eq!(git(&world, "work/app", &["for-each-ref"]), before);
    }
}

#[test]
fn what_is_asked_of_a_repo_decides_its_commit() {
    let world = World::new();
    checkout(&world, "work/app");
    git(&world, "work/app", &["tag", "v1", "HEAD~1"]);
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    let two = git(&world, "work/app", &["rev-parse", "HEAD"]);
    let one = git(&world, "work/app", &["rev-parse", "HEAD~1"]);
    #[rustfmt::skip]
    let table = [
        // asked                              commit  rule
        ("app",                               &two,   "branch"),
        ("./app",                             &two,   "branch"),
        ("app@v1",                            &one,   "commit"),
        ("app@main",                          &two,   "commit"),
        ("app@HEAD~1",                        &one,   "commit"),
        ("./app@HEAD~1",                      &one,   "commit"),
        (&format!("app@{}", &one[..10]),      &one,   "commit"),
        ("app@2026-03-01T12:00:00Z",          &one,   "branch"),
        ("./app@2026-03-01T12:00:00Z",        &one,   "branch"),
        ("app@2026-03-02T00:30:00+01:00",     &one,   "branch"),
        ("app@2026-03-02 00:30 Europe/Paris", &one,   "branch"),
        ("app@2026-03-02T00:00:00Z",          &two,   "branch"),
    ];
    for (asked, commit, rule) in table {
        let opened = world.run(&["open", "--json", "--repo", asked]).success();
        let json: serde_json::Value = serde_json::from_str(&opened.stdout).unwrap();
        assert_eq!(json["repos"][0]["commit"], **commit, "{asked}: {json}");
        assert_eq!(json["repos"][0]["rule"], rule, "{asked}: {json}");
        let id = json["id"].as_str().unwrap();
        assert_eq!(said(&world, id, "git rev-parse HEAD").trim(), *commit, "{asked}");
    }
}

#[test]
fn what_cannot_be_opened_says_why_and_leaves_no_case() {
    let world = World::new();
    checkout(&world, "work/app");
    checkout(&world, "work/other/app");
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    assert_snapshot!(world.run(&["open", "--repo", "nope"]), @r"
    --- stderr
    error: there is no repo `nope`
    hint: Run `casefile repo list` to see which there are, or `casefile repo add`.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--repo", "ap"]), @r"
    --- stderr
    error: there is no repo `ap`
    hint: Did you mean `app`?
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--repo", "."]), @r"
    --- stderr
    error: `<world>/work/.` is no git repository
    hint: Give the path of a checkout or of a bare repository, or a URL.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--repo", "./none"]), @r"
    --- stderr
    error: `<world>/work/./none` is no git repository
    hint: Give the path of a checkout or of a bare repository, or a URL.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--repo", "app@nope"]), @r"
    --- stderr
    error: `app` knows no revision `nope`
    hint: Run `casefile repo fetch app` if it is new, or correct it.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--repo", "app@"]), @r"
    --- stderr
    error: `app` knows no revision ``
    hint: Run `casefile repo fetch app` if it is new, or correct it.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--repo", "app@2020-01-01T00:00:00Z"]), @r"
    --- stderr
    error: 2020-01-01T00:00:00Z is before the first commit on `main` of `app`
    hint: The first is 79eaf306d310 of 2026-03-01T00:00:00Z; ask for that time or a later one.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--at", "2020-01-01T00:00:00Z"]), @r"
    --- stderr
    error: 2020-01-01T00:00:00Z is before the first commit on `main` of `app`
    hint: The first is 79eaf306d310 of 2026-03-01T00:00:00Z; ask for that time or a later one.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--at", "yesterday"]), @r"
    --- stderr
    error: `yesterday` is no time
    hint: Write `2026-03-01T03:12:00Z`, `2026-03-01 03:12 Europe/Paris`, `yesterday 14:00` or `-2h`.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--repo", "./other/app"]), @r"
    --- stderr
    error: the repo `app` is of `<world>/work/app/`, not of `<world>/work/other/app`
    hint: Take it in under a name of its own: `casefile repo add NAME <world>/work/other/app`.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--repo", "app", "--repo", "app@HEAD~1"]), @r"
    --- stderr
    error: `app` is asked for twice
    hint: Open two cases, and compare them.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--policy", "ofline"]), @r"
    --- stderr
    error: there is no policy `ofline`
    hint: Did you mean `offline`?
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--evidence", "missing.json"]), @r"
    --- stderr
    error: cannot take in `<world>/work/missing.json`
    cause: No such file or directory (os error 2)
    hint: Create the directory that it belongs in, or correct the path.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--evidence", "app/one.txt", "--evidence", "other/app/one.txt"]), @r"
    --- stderr
    error: two pieces of evidence are called `one.txt`
    hint: Put them into one directory under other names, and name that.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--title", ""]), @r"
    --- stderr
    error: the title is empty
    hint: Give a title of one line, such as `Checkout answers 5xx`.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["open", "--title", "x\u{1b}[31m"]), @r"
    --- stderr
    error: the title holds a control character
    hint: Give a title of one line, such as `Checkout answers 5xx`.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["list"]), @"There are no cases.");
    let left: Vec<_> = std::fs::read_dir(world.state().join("cases"))
        .map(|names| names.flatten().map(|entry| entry.file_name()).collect())
        .unwrap_or_default();
    assert!(left.iter().all(|name| name == ".trash"), "{left:?}");
}

#[test]
fn a_repo_without_a_commit_is_in_nobodys_way() {
    let world = World::new();
    checkout(&world, "work/app");
    std::fs::create_dir(world.path("work/empty")).unwrap();
    git(&world, "work/empty", &["init", "-q"]);
    assert_snapshot!(world.run(&["open", "--repo", "./empty"]), @r"
    --- stderr
    error: `empty` has no commit yet
    hint: Push to its origin first, then run `casefile repo fetch empty`.
    --- exit status: 1
    ");
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    let opened = world.run(&["open"]).success();
    assert_snapshot!(plain(&opened, &[&id_in(&opened)]), @r"
    case       <case 1>
    directory  <world>/state/casefile/cases/<case 1>
    repo       app at 50a43bd49a97: the newest on `main`, committed 2026-03-02T00:00:00Z
    next       casefile shell <case 1>
    --- stderr
    note: left out: `empty` has no commit yet
    ");
}

#[test]
fn a_case_needs_no_repo() {
    for user in users() {
        let world = World::of(user);
        let opened = world.run(&["open"]).success();
        let id = id_in(&opened);
        insta::allow_duplicates! { assert_snapshot!(plain(&opened, &[&id]), @r"
        case       <case 1>
        directory  <world>/state/casefile/cases/<case 1>
        next       casefile shell <case 1>
        ") }
        let seen = said(&world, &id, "pwd; ls; echo x > notes/findings.md; cat notes/*");
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
        /case
        evidence
        notes
        outputs
        x
        ") }
        assert_eq!(said(&world, &id, "cat notes/findings.md"), "x\n");
        assert_eq!(world.run(&["diff", &id]).success().to_string(), "");
    }
}

#[test]
fn two_repos_are_side_by_side() {
    let world = World::new();
    checkout(&world, "work/app");
    checkout(&world, "work/lib");
    let id = open(&world, &["--repo", "./app", "--repo", "./lib@HEAD~1"]);
    let seen = said(&world, &id, "pwd; ls repos/*; git -C repos/lib log --format=%s");
    assert_snapshot!(seen, @r"
    /case
    repos/app:
    data.bin
    deep
    one.txt
    two.txt

    repos/lib:
    data.bin
    deep
    one.txt
    one
    ");
    // All there are, if none is named.
    let all = open(&world, &[]);
    assert_eq!(said(&world, &all, "ls repos"), "app\nlib\n");
}

#[test]
fn a_deploy_record_decides() {
    let world = World::new();
    checkout(&world, "work/app");
    let two = git(&world, "work/app", &["rev-parse", "HEAD"]);
    let one = git(&world, "work/app", &["rev-parse", "HEAD~1"]);
    world.put(
        "home/deploys.csv",
        format!(
            "time,environment,service,commit\n\
             2026-03-02T10:00:00Z,production,app,{two}\n\
             2026-03-02T12:00:00Z,production,app,{one}\n\
             2026-03-02T12:00:00Z,staging,app,{two}\n"
        ),
    );
    let deploys = world.path("home/deploys.csv");
    world.put(
        "home/.config/casefile/casefile.yaml",
        format!("deploys: {}\nenvironment: production\n", deploys.display()),
    );
    let at = ["--repo", "./app", "--at", "2026-03-02T13:00:00Z"];
    // A rollback: the older commit was live.
    let opened = world.run(&[&["open"], &at[..]].concat()).success();
    assert_snapshot!(plain(&opened, &[&id_in(&opened)]), @r"
    case       <case 1>
    directory  <world>/state/casefile/cases/<case 1>
    repo       app at 79eaf306d310: `app` was deployed to `production` at 2026-03-02T12:00:00Z, which was a rollback
    next       casefile shell <case 1>
    ");
    let opened = world.run(&[&["open", "--env", "staging"], &at[..]].concat()).success();
    assert_snapshot!(plain(&opened, &[&id_in(&opened)]), @r"
    case       <case 1>
    directory  <world>/state/casefile/cases/<case 1>
    repo       app at 50a43bd49a97: `app` was deployed to `staging` at 2026-03-02T12:00:00Z
    next       casefile shell <case 1>
    ");
    let opened = world.run(&[&["open", "--env", "nowhere"], &at[..]].concat()).success();
    assert_snapshot!(plain(&opened, &[&id_in(&opened)]), @r"
    case       <case 1>
    directory  <world>/state/casefile/cases/<case 1>
    repo       app at 50a43bd49a97: the newest on `main` at 2026-03-02T13:00:00Z, committed 2026-03-02T00:00:00Z (no deploy of `app` is recorded by then)
    next       casefile shell <case 1>
    ");
    // A commit that was asked for comes before any record.
    let asked = world.run(&["open", "--repo", "./app@HEAD", "--at", "2026-03-02T13:00:00Z"]);
    assert!(asked.stdout.contains(&two[..12]), "{asked}");
    world.put("home/deploys.csv", "time,commit\nyesterday,abc\n");
    assert_snapshot!(world.run(&[&["open"], &at[..]].concat()), @r"
    --- stderr
    error: <world>/home/deploys.csv:2: `yesterday` is no time
    hint: Each record has a `time` with its zone and a `commit`, and may have `environment` and `service`.
    --- exit status: 1
    ");
    std::fs::remove_file(&deploys).unwrap();
    assert_snapshot!(world.run(&[&["open"], &at[..]].concat()), @r"
    --- stderr
    error: cannot read `<world>/home/deploys.csv`
    cause: No such file or directory (os error 2)
    hint: Correct `deploys` in casefile.yaml, or leave it out.
    --- exit status: 1
    ");
}

#[test]
fn what_came_after_the_incident_has_no_name_unless_it_is_wanted() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        git(&world, "work/app", &["tag", "v1", "HEAD~1"]);
        git(&world, "work/app", &["tag", "v2"]);
        git(&world, "work/app", &["checkout", "-q", "-b", "later"]);
        git_at(&world, "work/app", DAY_3, &["commit", "-q", "--allow-empty", "-m", "three"]);
        git_at(&world, "work/app", DAY_3, &["tag", "-a", "v3", "-m", "three"]);
        git(&world, "work/app", &["checkout", "-q", "main"]);
        let script = "git log --all --format=%s; git tag; git branch -a --format='%(refname)'; git for-each-ref | wc -l; git rev-parse -q --verify origin/later || echo none";
        let at = ["--repo", "./app", "--at", "2026-03-01T12:00:00Z"];
        let seen = said(&world, &open(&world, &at), script);
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
        one
        v1
        (no branch)
        refs/heads/later
        refs/heads/main
        3
        none
        ") }
        let full = open(&world, &[&at[..], &["--full-history"]].concat());
        let seen = said(&world, &full, &format!("{script}; git log -1 --format=%s"));
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
        three
        two
        one
        v1
        v2
        v3
        (no branch)
        refs/heads/later
        refs/heads/main
        5
        none
        one
        ") }
    }
}

#[test]
fn an_incident_that_is_only_named_is_one_of_now() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app", "--reference", "PD-4411"]);
    let shown = world.run(&["show", &id, "--json"]).success().stdout;
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json["incident"]["reference"], "PD-4411", "{json}");
    let at: jiff::Timestamp = json["incident"]["at"].as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(at);
    assert!((0..600).contains(&age.as_secs()), "{age:?} ago");
    // Who was on no incident has none.
    let plain = open(&world, &["--repo", "./app"]);
    let shown = world.run(&["show", &plain, "--json"]).success().stdout;
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(json["incident"].is_null(), "{json}");
}

#[test]
fn evidence_comes_along_to_be_read() {
    for user in users() {
        let world = World::of(user);
        world.put("work/alert.json", "{}\n");
        world.put("work/logs/deep/a.log", "line\n");
        std::os::unix::fs::symlink("/etc/passwd", world.path("work/logs/link")).unwrap();
        let opened = world
            .run(&["open", "--title", "An alert", "--evidence", "alert.json", "--evidence", "logs"])
            .success();
        let id = id_in(&opened);
        insta::allow_duplicates! { assert_snapshot!(plain(&opened, &[&id]), @r"
        case       <case 1>
        directory  <world>/state/casefile/cases/<case 1>
        next       casefile shell <case 1>
        --- stderr
        note: left out of the evidence: `<world>/work/logs/link` is not a file
        ") }
        let seen = said(
            &world,
            &id,
            "cd /case/evidence; find . | sort; cat alert.json logs/deep/a.log; \
             (echo x > new) 2>/dev/null || echo no; (echo x >> alert.json) 2>/dev/null || echo no; \
             rm -f alert.json 2>/dev/null || echo no",
        );
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
        .
        ./alert.json
        ./logs
        ./logs/deep
        ./logs/deep/a.log
        {}
        line
        no
        no
        no
        ") }
        assert_eq!(std::fs::read(world.path("work/alert.json")).unwrap(), b"{}\n");
    }
}

#[test]
fn json_says_all_there_is_to_know() {
    let world = World::new();
    checkout(&world, "work/app");
    let opened = world.run(&["open", "--json", "--repo", "./app", "--at", "2026-03-01T12:00:00Z"]);
    let opened = opened.success();
    assert_eq!(opened.stderr, "");
    let mut json: serde_json::Value = serde_json::from_str(&opened.stdout).unwrap();
    let id = json["id"].as_str().unwrap().to_owned();
    assert_eq!(json["directory"], format!("<world>/state/casefile/cases/{id}"));
    json["id"] = "<case>".into();
    json["directory"] = "<directory>".into();
    // It is a digest of where this world is, too.
    assert_eq!(json["repos"][0]["wiring"].as_str().unwrap().len(), 40);
    json["repos"][0]["wiring"] = "<wiring>".into();
    assert_snapshot!(format!("{json:#}"), @r#"
    {
      "directory": "<directory>",
      "id": "<case>",
      "notes": [],
      "policy": "offline",
      "repos": [
        {
          "after": "50a43bd49a97ffee867e5d5a66534529f3174473",
          "commit": "79eaf306d3102d5c7c0e149ae0fe978824301544",
          "from": "<world>/work/app/",
          "name": "app",
          "rule": "branch",
          "tree": "86084c01a6ffc5eb200119f7dcbf25cd1f297b32",
          "why": "the newest on `main` at 2026-03-01T12:00:00Z, committed 2026-03-01T00:00:00Z",
          "wiring": "<wiring>"
        }
      ],
      "title": "app"
    }
    "#);
}

#[test]
fn a_durable_case_says_so_and_works() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app", "--durable"]);
        let manifest = world.state().join("cases").join(&id).join("case.yaml");
        assert!(std::fs::read_to_string(manifest).unwrap().contains("\ndurable: true\n"));
        let mount =
            said(&world, &id, "echo x > new; grep ' /case/repos/app ' /proc/self/mountinfo");
        assert!(!mount.contains("volatile"), "{mount}");
        assert_eq!(said(&world, &id, "cat new"), "x\n");
        let usual = open(&world, &["--repo", "./app"]);
        let mount = said(&world, &usual, "grep ' /case/repos/app ' /proc/self/mountinfo");
        assert!(mount.contains("volatile"), "{mount}");
    }
}

#[test]
fn many_at_once_make_one_snapshot() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let children: Vec<_> = (0..8)
            .map(|_| world.command(&["open", "--json", "--repo", "./app"]).spawn().unwrap())
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let id = json["id"].as_str().unwrap();
            assert_eq!(said(&world, id, "git status --short; cat one.txt"), "one\n");
        }
        let snapshots = std::fs::read_dir(world.state().join("store/snapshots/app")).unwrap();
        assert_eq!(snapshots.count(), 1);
    }
}
