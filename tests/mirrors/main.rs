//! Mirrors and the commit that was live, with real repositories: git makes them,
//! over `file://`, over its daemon and on this disk.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests start programs and lay out files by hand; the walls are for the product"
)]

#[path = "../common/mod.rs"]
mod common;

mod checkout;
mod kills;
mod lab;
mod partial;
mod remote;
mod resolve;
mod submodules;
