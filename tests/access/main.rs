//! Who may: two who were let in by tokens, and what each can find out about the cases of
//! the other through the real server.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a failure here is a failed test"
)]

#[allow(dead_code, reason = "shared with the tests of HTTP, which use more of it")]
#[path = "../http/client.rs"]
mod client;
#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "shared with the tests of the commands, which use more of it")]
#[path = "../commands/ground.rs"]
mod ground;
#[allow(dead_code, reason = "shared with the tests of HTTP, which use more of it")]
#[path = "../http/wire.rs"]
mod wire;

mod install;
mod issued;
mod seen;
mod tokens;

use common::World;

/// A world with one repo that is taken in.
fn world() -> World {
    let world = World::new();
    ground::checkout(&world, "work/app");
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    world
}
