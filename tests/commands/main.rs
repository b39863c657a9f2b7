//! The program as a user meets it: one process a test, its whole outcome held.

// Tests start programs and lay out files by hand; the walls are for the product.
#![allow(clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;

mod front;
