//! The tools of a case, through the whole line: what whoever asked gets to read, what
//! is kept, and what is written down.
//!
//! Through the library, as a server calls it. One test runs all the others again as an
//! ordinary user, where root runs them.

#![allow(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests lay out files by hand; a failure here is a failed test"
)]

#[path = "../common/mod.rs"]
mod common;

mod background;
mod ground;
mod holder;
mod large;
mod line;
mod shell;

use common::{User, World, am_root, binary, this_program};

#[test]
fn all_of_this_holds_for_an_ordinary_user() {
    if !am_root() {
        return;
    }
    let world = World::of(User::Ordinary);
    let mut command = world.program(this_program());
    command.env(ground::PROGRAM, binary()).env("TMPDIR", world.path("work"));
    // It may not write beside the source.
    command.env("INSTA_UPDATE", "no");
    let outcome = world.finish(command).success();
    assert!(outcome.stdout.contains("test result: ok"), "{outcome}");
}
