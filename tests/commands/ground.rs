//! Repositories to open cases with, and the few things that are done to every case.

use crate::common::{Outcome, World};

pub(crate) const DAY_1: &str = "2026-03-01T00:00:00Z";
pub(crate) const DAY_2: &str = "2026-03-02T00:00:00Z";
pub(crate) const DAY_3: &str = "2026-03-03T00:00:00Z";

/// Runs git in a directory of the world, with the clock at a time; what it said.
#[track_caller]
pub(crate) fn git_at(world: &World, dir: &str, time: &str, args: &[&str]) -> String {
    let mut command = world.program("git");
    command.current_dir(world.path(dir));
    command.args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]).args(args);
    command.env("GIT_COMMITTER_DATE", time).env("GIT_AUTHOR_DATE", time);
    world.finish(command).success().stdout.trim().to_owned()
}

#[track_caller]
pub(crate) fn git(world: &World, dir: &str, args: &[&str]) -> String {
    git_at(world, dir, DAY_3, args)
}

/// A checkout with two commits, of the first and of the second day.
pub(crate) fn checkout(world: &World, dir: &str) {
    world.put(&format!("{dir}/one.txt"), "one\n");
    world.put(&format!("{dir}/deep/er/file"), "deep\n");
    world.put(&format!("{dir}/data.bin"), [0, 1, 2, 255]);
    world.put(&format!("{dir}/.gitignore"), "*.log\n");
    git(world, dir, &["init", "-q"]);
    git(world, dir, &["add", "."]);
    git_at(world, dir, DAY_1, &["commit", "-q", "-m", "one"]);
    world.put(&format!("{dir}/two.txt"), "two\n");
    git(world, dir, &["add", "."]);
    git_at(world, dir, DAY_2, &["commit", "-q", "-m", "two"]);
}

/// Opens a case and has its id.
#[track_caller]
pub(crate) fn open(world: &World, args: &[&str]) -> String {
    id_of(&world.run(&[&["open", "--json"], args].concat()))
}

#[track_caller]
pub(crate) fn fork(world: &World, id: &str) -> String {
    id_of(&world.run(&["fork", "--json", id]))
}

#[track_caller]
fn id_of(outcome: &Outcome) -> String {
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    json["id"].as_str().unwrap().to_owned()
}

/// Runs a script in a case.
pub(crate) fn shell(world: &World, id: &str, script: &str) -> Outcome {
    world.run(&["shell", id, "--", "sh", "-euc", script])
}

/// What a script in a case printed, if it went well.
#[track_caller]
pub(crate) fn said(world: &World, id: &str, script: &str) -> String {
    let outcome = shell(world, id, script).success();
    assert_eq!(outcome.stderr, "", "{script}");
    outcome.stdout
}

/// An outcome without what is another in each run: the ids of cases and the clock.
pub(crate) fn plain(outcome: &Outcome, ids: &[&str]) -> String {
    let mut text = outcome.to_string();
    for (nth, id) in ids.iter().enumerate() {
        text = text.replace(id, &format!("<case {}>", nth + 1));
    }
    text
}

/// The id in what `open` or `fork` told a person.
#[track_caller]
pub(crate) fn id_in(outcome: &Outcome) -> String {
    let line = outcome.stdout.lines().next().unwrap_or_default();
    line.strip_prefix("case ").unwrap_or_else(|| panic!("{outcome:?}")).trim().to_owned()
}
