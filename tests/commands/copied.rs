//! A case whose jail has no mounts: it works on a copy of its code, at a place of the
//! host, and everything that can be done with a case can be done with it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::common::{User, World, am_root, users};

/// A world with a repo that has a submodule, taken in by URL.
fn world(user: User) -> World {
    let world = World::of(user);
    for (dir, name) in [("lib", "lib.txt"), ("app", "dir/one")] {
        world.put(&format!("work/{dir}/{name}"), "one\n");
        git(&world, dir, &["init", "-q", "-b", "main"]);
        if dir == "app" {
            std::os::unix::fs::symlink("dir/one", world.path("work/app/link")).unwrap();
            git(&world, dir, &["submodule", "--quiet", "add", "../lib", "vendor/lib"]);
        }
        git(&world, dir, &["add", "."]);
        git(&world, dir, &["commit", "-q", "-m", dir]);
    }
    for dir in ["lib", "app"] {
        let url = format!("file://{}", world.path("work").join(dir).display());
        let _ = world.run(&["repo", "add", dir, &url]).success();
    }
    world.put("work/alert.txt", "5xx\n");
    world
}

fn git(world: &World, dir: &str, args: &[&str]) {
    let mut command = world.program("git");
    command.args(["-c", "protocol.file.allow=always"]).args(args);
    command.current_dir(world.path("work").join(dir));
    let _ = world.finish(command).success();
}

fn open(world: &World, more: &[&str]) -> String {
    let args = [&["open", "--repo", "app", "--evidence", "alert.txt", "--json"], more].concat();
    let answer = world.run(&args).success().stdout;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["id"].as_str().unwrap().to_owned()
}

const LANDLOCK: &[&str] = &["--policy", "landlock-only"];

fn copy_of(world: &World, id: &str) -> PathBuf {
    world.state().join("cases").join(id).join("layers/0/copy")
}

fn shell(world: &World, id: &str, script: &str) -> String {
    world.run(&["shell", id, "--", "sh", "-ec", script]).success().stdout
}

#[test]
fn a_case_works_on_its_copy_and_on_nothing_else() {
    for user in users() {
        let world = world(user);
        let id = open(&world, LANDLOCK);
        let case = world.state().join("cases").join(&id);
        let first = world.run(&["shell", &id, "--", "pwd"]).success();
        assert!(first.stdout.ends_with("/layers/0/copy/repos/app\n"), "{user:?} {first}");
        assert!(first.stderr.starts_with("note: copied the code "), "{user:?} {first}");
        let shows = [("evidence", case.join("evidence")), ("case", case.clone())];
        let script = shows.map(|(name, path)| format!("{name}='{}'; ", path.display())).concat();
        #[rustfmt::skip]
        let table = [
            // script                                                            says
            ("git status --porcelain; git log --format=%s; git fsck 2>&1",        "app\n"),
            ("git -C vendor/lib status --porcelain; cat vendor/lib/lib.txt link", "one\none\n"),
            ("cat $evidence/alert.txt; echo x 2>&- >$evidence/alert.txt || echo no", "5xx\nno\n"),
            ("cat $case/case.yaml 2>&- || echo no; touch $case/x 2>&- || echo no",  "no\nno\n"),
            ("rm -rf ../../notes 2>&- || echo no; touch ../x 2>&- || echo no",       "no\nno\n"),
            ("echo two >>dir/one; rm link; echo new >new; echo n >../../notes/n",    ""),
            ("git -c user.name=a -c user.email=a@b commit -qam second; git log --format=%s; git status --porcelain", "second\napp\n?? new\n"),
            ("cat ../../notes/n dir/one",                                          "n\none\ntwo\n"),
        ];
        for (line, want) in table {
            let outcome = world.run(&["shell", &id, "--", "sh", "-c", &(script.clone() + line)]);
            assert_eq!(outcome.stdout, want, "{user:?} {line}: {outcome}");
            assert!(!outcome.stderr.contains("copied"), "it is copied once: {outcome}");
        }
        let diff = world.run(&["diff", &id, "app"]).success().stdout;
        assert!(
            diff.contains("+two") && diff.contains("b/new") && diff.contains("a/link"),
            "{diff}"
        );
        let said = world.run(&["branch", &id, "app", "mended"]).success().stdout;
        assert!(said.contains("published 1 commit"), "{said}");
        // What it was copied from is what it was.
        let other = open(&world, LANDLOCK);
        assert_eq!(shell(&world, &other, "cat dir/one link; git status --porcelain"), "one\none\n");
    }
}

#[test]
fn a_copy_is_whole_or_not_there() {
    for user in users() {
        let world = world(user);
        let id = open(&world, LANDLOCK);
        // What one has left who was killed while he made it.
        let left = world.state().join("cases").join(&id).join("layers/0/.copying/repos/app");
        let mut command = world.program("mkdir");
        command.arg("-p").arg(left.join("torn"));
        let _ = world.finish(command).success();
        assert_eq!(shell(&world, &id, "ls"), "dir\nlink\nvendor\n", "{user:?}");
        assert!(!left.exists(), "{user:?}");
    }
}

#[test]
fn a_case_keeps_its_strength() {
    for user in users() {
        let world = world(user);
        let (copied, laid) = (open(&world, LANDLOCK), open(&world, &[]));
        for id in [&copied, &laid] {
            let _ = shell(&world, id, "true");
        }
        let policies = [(&copied, "landlock-only", "offline"), (&laid, "offline", "landlock-only")];
        for (id, was, now) in policies {
            let file = world.state().join("cases").join(id).join("case.yaml");
            let text = std::fs::read_to_string(&file).unwrap();
            let changed = text.replace(&format!("policy: {was}"), &format!("policy: {now}"));
            assert_ne!(text, changed);
            std::fs::write(&file, changed).unwrap();
            let refused = world.run(&["shell", id, "--", "true"]).code(1);
            assert!(refused.stderr.contains("was worked in with the strength"), "{refused}");
            std::fs::write(&file, text).unwrap();
            let _ = shell(&world, id, "true");
        }
        let _ = world.run(&["close", &copied]).success();
        let refused = world.run(&["shell", &copied]).code(1);
        assert!(refused.stderr.contains("casefile fork"), "{refused}");
        let _ = forked(&world, &copied);
        let _ = world.run(&["gc"]).success();
        let _ = world.run(&["rm", "--yes", &copied]).success();
        assert!(!copy_of(&world, &copied).exists());
    }
}

fn forked(world: &World, id: &str) -> String {
    let answer = world.run(&["fork", id, "--json"]).success().stdout;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_fork_is_a_copy_that_a_jail_made() {
    for user in users() {
        let world = world(user);
        let id = open(&world, LANDLOCK);
        // One that nobody has worked in has nothing to copy.
        let fresh = forked(&world, &id);
        assert!(!copy_of(&world, &fresh).exists());
        let _ = shell(
            &world,
            &id,
            "echo two >>dir/one; rm link; ln -s /etc/passwd out; \
                                    mkfifo pipe; echo n >../../notes/.n; git add dir; mkdir empty",
        );
        let before = shell(&world, &id, "git status --porcelain");
        let fork = forked(&world, &id);
        let said = world.run(&["shell", &fork, "--", "git", "status", "--porcelain"]).success();
        assert_eq!((said.stdout, said.stderr.as_str()), (before, ""), "{user:?}");
        #[rustfmt::skip]
        let table = [
            ("cat dir/one ../../notes/.n; readlink out; ls -d empty",  "one\ntwo\nn\n/etc/passwd\nempty\n"),
            ("stat -c %F pipe; git -C vendor/lib log --format=%s",     "fifo\nlib\n"),
            ("echo three >>dir/one; git log --format=%s; git fsck 2>&1", "app\n"),
        ];
        for (script, want) in table {
            assert_eq!(shell(&world, &fork, script), want, "{user:?} {script}");
        }
        assert_eq!(shell(&world, &id, "cat dir/one"), "one\ntwo\n", "{user:?}");
        let diff = world.run(&["diff", &fork, "app"]).success().stdout;
        assert!(diff.contains("+three"), "{diff}");
        let list = world.run(&["list"]).success().stdout;
        assert_eq!(list.lines().count(), 4, "{list}");
    }
}

/// A file that the jail cannot copy ends the fork, and nothing is left of it.
#[test]
fn a_fork_that_fails_leaves_nothing() {
    for user in users() {
        let world = world(user);
        let id = open(&world, LANDLOCK);
        let _ = shell(&world, &id, "umask 777; echo closed >closed");
        let outcome = world.run(&["fork", &id]).code(1);
        assert!(outcome.stderr.contains("copying what the case has written failed"), "{outcome}");
        assert!(outcome.stderr.contains("closed"), "{outcome}");
        let names = std::fs::read_dir(world.state().join("cases")).unwrap().flatten();
        let names: Vec<_> = names.map(|it| it.file_name()).filter(|it| it != ".trash").collect();
        assert_eq!(names, [id.as_str()], "{user:?}");
        let _ = shell(&world, &id, "rm -f closed");
        let _ = forked(&world, &id);
    }
}

/// Root's jail is another user. It is let in where casefile's own is, by its group, and
/// nobody else is.
#[test]
fn roots_jail_is_let_in_and_nobody_else() {
    if !am_root() {
        // There is no other user to be let in or kept out.
        return;
    }
    let world = world(User::Same);
    let id = open(&world, LANDLOCK);
    let _ = shell(&world, &id, "true");
    let below = |path: &Path| path.symlink_metadata().unwrap();
    for name in ["", "cases", "store", "store/mirrors"] {
        let about = below(&world.state().join(name));
        assert_eq!((about.mode() & 0o777, about.uid()), (0o710, 0), "{name}");
    }
    let copy = copy_of(&world, &id);
    assert_eq!(below(&copy).mode() & 0o777, 0o750);
    assert_eq!(below(&copy.join("repos/app")).mode() & 0o777, 0o700);
    assert_ne!(below(&copy.join("repos/app")).uid(), 0);
    let mut command = world.program("ls");
    std::os::unix::process::CommandExt::uid(&mut command, crate::common::ORDINARY_UID);
    std::os::unix::process::CommandExt::gid(&mut command, crate::common::ORDINARY_UID);
    command.arg(&copy);
    let refused = world.finish(command);
    assert!(!refused.status.success() && refused.stderr.contains("denied"), "{refused}");

    // What is not casefile's own stays as it is, and that is said.
    std::fs::set_permissions(world.path("state"), PermissionsExt::from_mode(0o700)).unwrap();
    let refused = world.run(&["shell", &id, "--", "true"]).code(1);
    assert!(refused.stderr.contains("may not enter or read `<world>/state`"), "{refused}");
    assert!(refused.stderr.contains("Set `home`"), "{refused}");
    assert_eq!(below(&world.path("state")).mode() & 0o777, 0o700);
}
