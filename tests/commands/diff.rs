//! `casefile diff`: the patch tells the truth, whatever a case did to its git.

use insta::assert_snapshot;

use crate::common::{World, users};
use crate::ground::{checkout, fork, git, open, plain, said, shell};

/// The patch, as bytes.
fn patch(world: &World, args: &[&str]) -> Vec<u8> {
    let output = world.command(&[&["diff"], args].concat()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    output.stdout
}

/// Applies a patch in a checkout, with real git.
fn apply(world: &World, dir: &str, patch: &[u8]) {
    std::fs::write(world.path("patch"), patch).unwrap();
    std::fs::set_permissions(
        world.path("patch"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let file = world.path("patch");
    git(world, dir, &["apply", "--index", "--binary", file.to_str().unwrap()]);
}

/// What a directory holds, as git would commit it.
const TREE: &str = "git add --all && git write-tree";

#[test]
fn a_patch_is_all_that_a_case_changed() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        assert_eq!(patch(&world, &[&id]), b"", "a fresh case");
        let change = "echo more >> one.txt; rm two.txt; echo new > new.txt; printf 'a\\0b' > data.bin; \
             chmod +x deep/er/file; ln -s one.txt link; printf x > \"$(printf 'n\\377me')\"; \
             echo noise > some.log; mkdir 'a dir'; echo x > 'a dir/a\tfile'; mkdir empty";
        let _ = shell(&world, &id, change).success();
        let status = said(&world, &id, "git status --short");
        let made = patch(&world, &[&id]);
        // Asking changed nothing.
        assert_eq!(said(&world, &id, "git status --short"), status);
        assert_eq!(patch(&world, &[&id, "app"]), made);
        insta::allow_duplicates! { assert_snapshot!(status, @r#"
         M data.bin
         M deep/er/file
         M one.txt
         D two.txt
        ?? "a dir/"
        ?? link
        ?? new.txt
        ?? "n\377me"
        "#) }
        apply(&world, "work/app", &made);
        let tree = said(&world, &id, TREE);
        assert_eq!(git(&world, "work/app", &["write-tree"]), tree.trim());
        // Committed or in the index, it is the same patch.
        assert_eq!(patch(&world, &[&id]), made);
        let _ = shell(&world, &id, "git commit -qm all; git checkout -qb side").success();
        assert_eq!(patch(&world, &[&id]), made);
    }
}

#[test]
fn what_an_agent_set_for_git_neither_runs_nor_counts() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let id = open(&world, &["--repo", "./app"]);
        let _ =
            shell(&world, &id, "echo more >> one.txt; echo new > new.txt; rm two.txt").success();
        let honest = patch(&world, &[&id]);
        let ran = "/case/notes/ran";
        let evil = format!("echo ran >> {ran}; cat >/dev/null");
        #[rustfmt::skip]
        let table = [
            format!("git config diff.external '{evil}'"),
            format!("git config core.fsmonitor 'printf \"x\\0\"; {evil} #'"),
            format!("mkdir -p .git/hooks; printf '#!/bin/sh\\n{evil}\\n' > .git/hooks/post-index-change; chmod +x .git/hooks/*"),
            format!("mkdir -p .git/info; echo '* diff=evil filter=evil' > .git/info/attributes; git config diff.evil.textconv '{evil}'; git config diff.evil.command '{evil}'; git config filter.evil.clean '{evil}'"),
            format!("git config alias.add '!{evil}'; git config alias.diff '!{evil}'; git config core.pager '{evil}'"),
            "git config core.autocrlf true; git config core.fileMode false; git config diff.noprefix true; git config diff.renames copies".into(),
            "printf 'new.txt\\none.txt\\n' > .git/info/exclude; git config core.excludesFile /case/repos/app/.git/info/exclude".into(),
            "git update-index --assume-unchanged one.txt; git update-index --skip-worktree two.txt || true".into(),
            "git config core.worktree /tmp; git config core.bare true".into(),
            "echo garbage > .git/index".into(),
            "echo garbage > .git/HEAD; echo '[' >> .git/config".into(),
            "rm -rf .git".into(),
            "echo a file > .git".into(),
        ];
        for evil in table {
            let _ = shell(&world, &id, &evil).success();
            let _ = shell(&world, &id, &format!("rm -f {ran}")).success();
            let made = patch(&world, &[&id]);
            assert_eq!(
                String::from_utf8_lossy(&made),
                String::from_utf8_lossy(&honest),
                "{user:?} after {evil}"
            );
            assert_eq!(
                said(&world, &id, &format!("cat {ran} 2>&1 || true")),
                format!("cat: {ran}: No such file or directory\n"),
                "{evil}"
            );
        }
    }
}

#[test]
fn what_cannot_be_told_in_a_patch_is_named_and_hides_nothing_else() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app"]);
    let script = "echo more >> one.txt; mkdir inner; cd inner; git init -q; echo x > x";
    let _ = shell(&world, &id, script).success();
    assert_snapshot!(world.run(&["diff", &id]), @r"
    diff --git a/one.txt b/one.txt
    index 5626abf0f72e58d7a153368ba57db4c673c0e171..9a72323797a8566b1fecd860f0e802acafb36594 100644
    --- a/one.txt
    +++ b/one.txt
    @@ -1 +1,2 @@
     one
    +more
    --- stderr
    note: `app`: error: 'inner/' does not have a commit checked out
    ");
}

#[test]
fn of_several_repos_each_has_its_name() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        checkout(&world, "work/lib");
        let id = open(&world, &["--repo", "./app", "--repo", "./lib"]);
        let script = "cd repos; echo a >> app/one.txt; echo b > lib/new.txt";
        let _ = shell(&world, &id, script).success();
        insta::allow_duplicates! {
            assert_snapshot!(world.run(&["diff", &id]), @r"
            diff --git a/app/one.txt b/app/one.txt
            index 5626abf0f72e58d7a153368ba57db4c673c0e171..bccf1f9b0d680d714c45d7dbe3aa7f8578642770 100644
            --- a/app/one.txt
            +++ b/app/one.txt
            @@ -1 +1,2 @@
             one
            +a
            diff --git a/lib/new.txt b/lib/new.txt
            new file mode 100644
            index 0000000000000000000000000000000000000000..61780798228d17af2d34fce4cfbdf35556832472
            --- /dev/null
            +++ b/lib/new.txt
            @@ -0,0 +1 @@
            +b
            ");
            assert_snapshot!(world.run(&["diff", &id, "lib"]), @r"
            diff --git a/new.txt b/new.txt
            new file mode 100644
            index 0000000000000000000000000000000000000000..61780798228d17af2d34fce4cfbdf35556832472
            --- /dev/null
            +++ b/new.txt
            @@ -0,0 +1 @@
            +b
            ");
            assert_snapshot!(world.run(&["diff", &id, "nope"]), @r"
            --- stderr
            error: the case has no repo `nope`
            hint: It has app, lib.
            --- exit status: 1
            ");
        }
    }
}

#[test]
fn a_fork_says_what_changed_before_it_too() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        let first = open(&world, &["--repo", "./app"]);
        let _ = shell(&world, &first, "echo more >> one.txt; rm two.txt").success();
        let before = patch(&world, &[&first]);
        let second = fork(&world, &first);
        assert_eq!(patch(&world, &[&second]), before);
        let _ = shell(&world, &second, "git checkout -q one.txt; echo x > two.txt").success();
        insta::allow_duplicates! { assert_snapshot!(world.run(&["diff", &second]), @r"
        diff --git a/two.txt b/two.txt
        index f719efd430d52bcfc8566a43b2eb655688d38871..587be6b4c3f93f93c489c0111bba5596147a26cb 100644
        --- a/two.txt
        +++ b/two.txt
        @@ -1 +1 @@
        -two
        +x
        ") }
        assert_eq!(patch(&world, &[&first]), before);
    }
}

#[test]
fn a_case_that_nobody_works_in_any_more_has_no_diff_but_a_fork_of_it_has() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app"]);
    let _ = shell(&world, &id, "echo more >> one.txt").success();
    let before = patch(&world, &[&id]);
    let _ = world.run(&["close", &id]).success();
    let refused = world.run(&["diff", &id]).code(1);
    let refused = plain(&refused, &[&id]);
    let said = refused.split(" on 2").next().unwrap_or_default();
    assert!(said.ends_with("error: case `<case 1>` was closed"), "{refused}");
    assert_eq!(patch(&world, &[&fork(&world, &id)]), before);
}
