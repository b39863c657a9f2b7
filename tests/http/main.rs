//! The server over HTTP, as clients and strangers have it: the real program, and bytes
//! on sockets.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a failure here is a failed test"
)]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "shared with the tests of the commands, which use more of it")]
#[path = "../commands/ground.rs"]
mod ground;

mod begin;
mod client;
mod crowd;
mod ends;
mod eras;
mod gate;
mod hostile;
mod scopes;
mod tls;
mod wire;

use common::{User, World};

/// A world with one repo that is taken in.
fn world_of(user: User) -> World {
    let world = World::of(user);
    ground::checkout(&world, "work/app");
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    world
}
