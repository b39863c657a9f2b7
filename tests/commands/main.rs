//! The program as a user meets it: one process a test, its whole outcome held.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests start programs and lay out files by hand; the walls are for the product"
)]

#[path = "../common/mod.rs"]
mod common;

mod attack;
mod branch;
mod cases;
mod config;
mod copied;
mod diff;
mod doctor;
mod fork;
mod front;
mod gc;
mod ground;
mod harness;
mod hostile_config;
mod landlock;
mod open;
mod policy;
mod repo;
mod rm;
mod room;
mod shell;
mod submodules;
mod tools;
mod trust;
