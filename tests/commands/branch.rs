//! `casefile branch`: what a case committed leaves it, and nothing else does.

use insta::assert_snapshot;

use crate::common::{World, users};
use crate::ground::{checkout, git, open, plain, said, shell};

const COMMIT: &str = "echo more >> one.txt; git commit -qam 'the cure'";

/// All that a repository has, but for its objects.
fn refs(world: &World, dir: &str) -> String {
    git(world, dir, &["for-each-ref", "--format=%(refname) %(objectname)"])
}

#[test]
fn a_branch_is_made_where_the_repo_came_from_and_nothing_else_changes_there() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        git(&world, "work", &["clone", "-q", "--bare", "app", "app.git"]);
        let url = format!("file://{}", world.path("work/app.git").display());
        let _ = world.run(&["repo", "add", "remote", &url]).success();
        for (repo, from) in [("./app", "work/app"), ("remote", "work/app.git")] {
            let id = open(&world, &["--repo", repo]);
            let name = repo.trim_start_matches("./");
            assert_eq!(world.run(&["branch", &id, name, "fix/it"]).code(1).stdout, "");
            let _ =
                shell(&world, &id, &format!("{COMMIT}; echo not committed > new.txt")).success();
            let before = refs(&world, from);
            let outcome = world.run(&["branch", &id, name, "fix/it"]).success();
            if name == "app" {
                insta::allow_duplicates! { assert_snapshot!(outcome, @r"
                published 1 commit as fix/it of <world>/work/app/
                --- stderr
                note: what the case changed and did not commit is left out
                ") }
                assert_eq!(git(&world, from, &["status", "--short", "--branch"]), "## main");
            } else {
                insta::allow_duplicates! { assert_snapshot!(outcome, @r"
                published 1 commit as fix/it of file://<world>/work/app.git
                --- stderr
                note: what the case changed and did not commit is left out
                ") }
            }
            let tip = said(&world, &id, "git rev-parse HEAD");
            let after = refs(&world, from);
            assert_eq!(after, format!("refs/heads/fix/it {}\n{before}", tip.trim()));
            git(&world, from, &["fsck", "--full", "--strict"]);
            assert_eq!(
                git(&world, from, &["log", "-1", "--format=%s %an %ae", "fix/it"]),
                "the cure casefile casefile@localhost"
            );
            assert_eq!(
                git(&world, from, &["show", "--name-only", "--format=", "fix/it"]),
                "one.txt"
            );
            // One that is there is never moved: not the same, not with more on it, not one
            // of somebody else's.
            let taken = world.run(&["branch", &id, name, "fix/it"]).code(1);
            let _ = shell(&world, &id, "git commit -q --allow-empty -m more").success();
            let ahead = world.run(&["branch", &id, name, "fix/it"]).code(1);
            let main = world.run(&["branch", &id, name, "main"]).code(1);
            if name == "app" {
                insta::allow_duplicates! {
                    assert_snapshot!(taken, @r"
                    --- stderr
                    note: what the case changed and did not commit is left out
                    error: `fix/it` is at `<world>/work/app/` already
                    hint: Choose another name, or make a patch with `--patch FILE`.
                    --- exit status: 1
                    ");
                    assert_snapshot!(ahead, @r"
                    --- stderr
                    note: what the case changed and did not commit is left out
                    error: `fix/it` is at `<world>/work/app/` already
                    hint: Choose another name, or make a patch with `--patch FILE`.
                    --- exit status: 1
                    ");
                    assert_snapshot!(main, @r"
                    --- stderr
                    note: what the case changed and did not commit is left out
                    error: `main` is at `<world>/work/app/` already
                    hint: Choose another name, or make a patch with `--patch FILE`.
                    --- exit status: 1
                    ");
                }
            }
            assert_eq!(refs(&world, from), after);
        }
        let publishing = world.state().join("store/publishing");
        assert_eq!(std::fs::read_dir(publishing).unwrap().count(), 0);
        // A mirror learns of it as of any other branch, by fetching.
        let objects = world.state().join("store/mirrors/remote.git");
        assert!(!std::fs::read_to_string(objects.join("packed-refs")).unwrap().contains("fix/it"));
    }
}

#[test]
fn a_patch_is_what_git_am_takes() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        let script = format!(
            "{COMMIT}; printf 'a\\0b' > data.bin; chmod +x deep/er/file; rm two.txt; git commit -qam second"
        );
        let _ = shell(&world, &id, &script).success();
        let before = refs(&world, "work/app");
        let outcome = world.run(&["branch", &id, "app", "--patch", "cure.patch"]).success();
        insta::allow_duplicates! { assert_snapshot!(outcome, @"wrote 2 commits to <world>/work/cure.patch") }
        assert_eq!(refs(&world, "work/app"), before);
        git(&world, "work/app", &["am", "-q", "../cure.patch"]);
        let tree = said(&world, &id, "git rev-parse 'HEAD^{tree}'");
        assert_eq!(git(&world, "work/app", &["rev-parse", "HEAD^{tree}"]), tree.trim());
        assert_eq!(git(&world, "work/app", &["log", "--format=%s"]), "second\nthe cure\ntwo\none");
        let again = world.run(&["branch", &id, "app", "--patch", "cure.patch"]);
        insta::allow_duplicates! { assert_snapshot!(again, @r"
        --- stderr
        error: `<world>/work/cure.patch` is there already
        hint: Name a file that is not there.
        --- exit status: 1
        ") }
    }
}

#[test]
fn what_is_no_branch_says_so() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app"]);
    let run = |args: &[&str]| plain(&world.run(&[&["branch", &id], args].concat()), &[&id]);
    assert_snapshot!(run(&["app", "fix"]), @r"
    --- stderr
    error: the case has committed nothing in `app`
    hint: Commit in `casefile shell`, or take `casefile diff` as it is.
    --- exit status: 1
    ");
    assert_snapshot!(run(&["nope", "fix"]), @r"
    --- stderr
    error: the case has no repo `nope`
    hint: It has app.
    --- exit status: 1
    ");
    assert_snapshot!(run(&["app"]), @r"
    --- stderr
    error: the following required arguments were not provided:
      <NAME>

    Usage: casefile branch <CASE> <REPO> <NAME>

    For more information, try '--help'.
    --- exit status: 2
    ");
    let _ = shell(&world, &id, COMMIT).success();
    for bad in
        ["a b", "-x", "a..b", "a.lock", "/a", "a/", "@{1}", "a~1", "refs/heads/", "", "a:b", "a\nb"]
    {
        let refused = run(&["app", "--", bad]);
        assert!(refused.contains("is not a name for a branch"), "{bad:?}: {refused}");
    }
    assert_eq!(refs(&world, "work/app").lines().count(), 1);

    // Merged: a branch can say so, a patch cannot.
    let script = "git checkout -qb side HEAD~1; echo s > s; git add s; git commit -qm side; git merge -q -m both -; git log --oneline | wc -l";
    let _ = shell(&world, &id, script).success();
    assert_snapshot!(run(&["app", "--patch", "x.patch"]), @r"
    --- stderr
    error: the case has merged, which no patch can tell
    hint: Publish a branch, or rebase in `casefile shell`.
    --- exit status: 1
    ");
    assert!(run(&["app", "merged"]).starts_with("published 3 commits as merged of "));

    // A history of its own.
    let script = "git checkout -q --orphan lone; git commit -qm lone";
    let _ = shell(&world, &id, script).success();
    assert_snapshot!(run(&["app", "lone"]), @r"
    --- stderr
    error: the commits of the case do not grow out of 50a43bd49a97, with which it began
    hint: Begin a branch at that commit in `casefile shell`, and commit there.
    --- exit status: 1
    ");

    // The origin is gone; what is there can still be had.
    let script = "git checkout -q --detach side^";
    let _ = shell(&world, &id, script).success();
    std::fs::rename(world.path("work/app"), world.path("work/moved")).unwrap();
    assert_snapshot!(run(&["app", "late"]), @r"
    --- stderr
    error: the objects of `app` are gone: they were in `<world>/work/app/.git/objects`
    hint: Put the checkout back where it was, or `casefile repo rm app` and add it anew.
    --- exit status: 1
    ");
}

#[test]
fn a_hostile_bundle_reaches_nobody() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let before = refs(&world, "work/app");
        #[rustfmt::skip]
        let table = [
            // what the case did to the git that is asked
            "git config alias.bundle '!echo garbage'; git commit -q --allow-empty -m x; echo garbage > .git/HEAD",
            "git commit -q --allow-empty -m x; rm -rf .git/objects; mkdir -p .git/objects",
            "git commit -q --allow-empty -m x; rm -rf .git; ln -s / .git",
            // A tree with a `.git` in it, a parent that is not there, a name that climbs.
            "b=$(echo x | git hash-object -w --stdin); t=$(printf '100644 blob %s\\t.GIT\\n' $b | git mktree); git checkout -q --detach $(git commit-tree -p HEAD -m evil $t) 2>/dev/null || git update-ref --no-deref HEAD $(git commit-tree -p HEAD -m evil $t)",
            "b=$(echo x | git hash-object -w --stdin); t=$(printf '100644 blob %s\\t..\\n' $b | git mktree); git update-ref --no-deref HEAD $(git commit-tree -p HEAD -m evil $t)",
            "printf 'tree %s\\nparent 0123456789012345678901234567890123456789\\nauthor a <b> 1 +0000\\ncommitter a <b> 1 +0000\\n\\nx' $(git rev-parse 'HEAD^{tree}') > /tmp/c; git update-ref --no-deref HEAD $(git hash-object -t commit -w --literally /tmp/c)",
            "printf '[submodule \"x\"]\\n\\tpath = x\\n\\turl = -u./evil\\n' > .gitmodules; git add .gitmodules; git commit -qm x",
        ];
        for script in table {
            let id = open(&world, &["--repo", "./app"]);
            let _ = shell(&world, &id, script);
            let refused = world.run(&["branch", &id, "app", "evil"]);
            assert_eq!(refused.status.code(), Some(1), "{script}: {refused}");
            assert!(refused.stderr.contains("\nhint: "), "{script}: {refused}");
            assert!(refused.stdout.is_empty(), "{script}: {refused}");
            assert_eq!(refs(&world, "work/app"), before, "{script}");
            let publishing = world.state().join("store/publishing");
            let left = std::fs::read_dir(publishing).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{script}");
        }
        let mirror = world.state().join("store/mirrors/app.git");
        git(&world, "work", &["--git-dir", mirror.to_str().unwrap(), "fsck", "--full"]);
    }
}
