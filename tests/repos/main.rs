//! Snapshots and wirings, held against what the real `git` makes of the same
//! repository: every byte, every mode, and what `git status` says in an overlay.
//!
//! One test runs all the others again as an ordinary user, where root runs them.

#![allow(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests lay out files by hand; a failure here is a failed test"
)]

#[path = "../common/mod.rs"]
mod common;

mod ground;
mod overlay;
mod strange;
mod trees;

use common::{User, World, am_root, this_program};

#[test]
fn all_of_this_holds_for_an_ordinary_user() {
    if !am_root() {
        return;
    }
    let world = World::of(User::Ordinary);
    let mut command = world.program(this_program());
    command.env("TMPDIR", world.path("work"));
    let outcome = world.finish(command).success();
    assert!(outcome.stdout.contains("test result: ok"), "{outcome}");
}
