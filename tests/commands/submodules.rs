//! Submodules in a case: each a repo of its own, at the commit that was recorded.

use insta::assert_snapshot;

use crate::common::{World, users};
use crate::ground::{checkout, fork, git, id_in, open, plain, said, shell};

/// An app with a library in it that has one in it, and with one that was never had.
fn nested(world: &World) {
    for dir in ["work/deep", "work/lib", "work/app"] {
        checkout(world, dir);
    }
    world.put("home/.gitconfig", "[protocol \"file\"]\n\tallow = always\n");
    git(world, "work/lib", &["submodule", "--quiet", "add", "../deep", "third party"]);
    git(world, "work/lib", &["commit", "-qm", "with deep"]);
    git(world, "work/app", &["submodule", "--quiet", "add", "../lib", "vendor/lib"]);
    git(world, "work/app", &["submodule", "--quiet", "update", "--init", "--recursive"]);
    world.put("work/app/.gitmodules", MODULES);
    git(world, "work/app", &["add", ".gitmodules"]);
    let lost = "160000,0123456789012345678901234567890123456789,vendor/lost";
    git(world, "work/app", &["update-index", "--add", "--cacheinfo", lost]);
    git(world, "work/app", &["commit", "-qm", "with lib"]);
    // The library went on.
    git(world, "work/lib", &["commit", "-q", "--allow-empty", "-m", "later"]);
}

const MODULES: &str = "[submodule \"vendor/lib\"]\n\tpath = vendor/lib\n\turl = ../lib\n\
                       [submodule \"vendor/lost\"]\n\tpath = vendor/lost\n\turl = ../lost\n";

#[test]
fn each_is_there_clean_and_writable() {
    for user in users() {
        let world = World::of(user);
        nested(&world);
        let opened = world.run(&["open", "--repo", "./app"]).success();
        let id = id_in(&opened);
        insta::allow_duplicates! { assert_snapshot!(plain(&opened, &[&id]), @r"
        case       <case 1>
        directory  <world>/state/casefile/cases/<case 1>
        repo       app at 0d895017015d: the newest on `main`, committed 2026-03-03T00:00:00Z
        repo       lib at 4620fbe8d76f: `app` records it
        repo       third-party at 50a43bd49a97: `lib` records it
        next       casefile shell <case 1>
        --- stderr
        submodule `vendor/lost` of `app`: `<world>/work/app/vendor/lost` is no git repository; run `git submodule update --init` there
        note: `vendor/lost` of `app` is left empty: that submodule was not taken in
        ") }
        let seen = said(
            &world,
            &id,
            "pwd; git status --short; git submodule status; ls vendor/lib; ls vendor/lost; cd vendor/lib; git status --short; git log --format=%s; cd 'third party'; git status --short; cat one.txt",
        );
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
        /case/repos/app
         4620fbe8d76f82a1bd47ae8f6c1b11981041a86f vendor/lib (heads/main)
        -0123456789012345678901234567890123456789 vendor/lost
        data.bin
        deep
        one.txt
        third party
        two.txt
        with deep
        two
        one
        one
        ") }
        assert_eq!(world.run(&["diff", &id]).success().to_string(), "");

        let change = "cd vendor/lib; echo more >> one.txt; echo n > 'third party/new'; git add one.txt; git commit -qm cure";
        let _ = shell(&world, &id, change).success();
        let told = world.run(&["diff", &id]).success().stdout;
        let commit = said(&world, &id, "git -C vendor/lib rev-parse HEAD");
        let told = told.replace(commit.trim(), "<cure>");
        let told = told.replace(&commit[..7], "<cure>");
        insta::allow_duplicates! { assert_snapshot!(told, @r"
        diff --git a/app/vendor/lib b/app/vendor/lib
        index 4620fbe8d76f82a1bd47ae8f6c1b11981041a86f..<cure> 160000
        --- a/app/vendor/lib
        +++ b/app/vendor/lib
        @@ -1 +1 @@
        -Subproject commit 4620fbe8d76f82a1bd47ae8f6c1b11981041a86f
        +Subproject commit <cure>
        diff --git a/lib/one.txt b/lib/one.txt
        index 5626abf0f72e58d7a153368ba57db4c673c0e171..9a72323797a8566b1fecd860f0e802acafb36594 100644
        --- a/lib/one.txt
        +++ b/lib/one.txt
        @@ -1 +1,2 @@
         one
        +more
        diff --git a/third-party/new b/third-party/new
        new file mode 100644
        index 0000000000000000000000000000000000000000..8ba3a16384aacc37d01564b28401755ce8053f51
        --- /dev/null
        +++ b/third-party/new
        @@ -0,0 +1 @@
        +n
        ") }
        let one = world.run(&["diff", &id, "lib"]).success().stdout;
        assert!(one.starts_with("diff --git a/one.txt b/one.txt\n"), "{one}");

        // A fork has it all, and its git sees it.
        let second = fork(&world, &id);
        let again = world.run(&["diff", &second]).success().stdout;
        assert_eq!(again.replace(commit.trim(), "<cure>").replace(&commit[..7], "<cure>"), told);
        assert_eq!(
            said(
                &world,
                &second,
                "git -C vendor/lib log -1 --format=%s; git -C vendor/lib status --short"
            ),
            "cure\n ? \"third party\"\n"
        );

        let published = world.run(&["branch", &id, "lib", "cure"]).success();
        insta::allow_duplicates! { assert_snapshot!(published, @r"
        published 1 commit as cure of <world>/work/app/vendor/lib/
        --- stderr
        note: what the case changed and did not commit is left out
        ") }
        assert_eq!(
            git(&world, "work/app/vendor/lib", &["log", "-1", "--format=%s", "cure"]),
            "cure"
        );
    }
}

#[test]
fn the_same_one_twice_is_two_repos_of_a_case() {
    let world = World::new();
    checkout(&world, "work/lib");
    checkout(&world, "work/app");
    world.put("home/.gitconfig", "[protocol \"file\"]\n\tallow = always\n");
    git(&world, "work/app", &["submodule", "--quiet", "add", "../lib", "a"]);
    git(&world, "work/app", &["submodule", "--quiet", "add", "../lib", "b"]);
    git(&world, "work/app/b", &["checkout", "-q", "HEAD~1"]);
    git(&world, "work/app", &["commit", "-qam", "both"]);
    let id = open(&world, &["--repo", "./app"]);
    let seen =
        said(&world, &id, "git status --short; git submodule status; ls a b; echo x > b/new");
    assert_snapshot!(seen, @r"
     50a43bd49a97ffee867e5d5a66534529f3174473 a (heads/main)
     79eaf306d3102d5c7c0e149ae0fe978824301544 b (heads/main)
    a:
    data.bin
    deep
    one.txt
    two.txt

    b:
    data.bin
    deep
    one.txt
    ");
    assert_snapshot!(world.run(&["diff", &id]), @r"
    diff --git a/b/new b/b/new
    new file mode 100644
    index 0000000000000000000000000000000000000000..587be6b4c3f93f93c489c0111bba5596147a26cb
    --- /dev/null
    +++ b/b/new
    @@ -0,0 +1 @@
    +x
    ");
}
