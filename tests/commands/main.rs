//! The program as a user meets it: one process a test, its whole outcome held.

// Tests start programs and lay out files by hand; the walls are for the product.
#![allow(clippy::disallowed_methods)]
// Helpers of tests are tests too, and fail like them.
#![allow(clippy::expect_used, clippy::unwrap_used)]

// Each test binary uses a part of it.
#[allow(dead_code, unreachable_pub)]
#[path = "../common/mod.rs"]
mod common;

mod cases;
mod config;
mod front;
mod hostile_config;
mod rm;
