//! casefile gives an agent that investigates an incident one jailed directory,
//! the case, to work in.
//!
//! ARCHITECTURE.md is the map of this library: which room holds what, and what
//! each must never know. `tests/floors.rs` keeps that map true.
//!
//! Nothing here reads the environment, the home directory, the clock or the
//! terminal; `cli` looks at them once and hands in what it saw.

// The one exception is `jail/sys.rs`, by name.
#![deny(unsafe_code)]
// Tests lay out files and start programs by hand; the product may not.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod access;
pub mod attack;
pub mod case;
pub mod changed;
pub mod cli;
pub mod clients;
pub mod config;
pub mod disk;
pub mod govern;
pub mod hint;
pub mod jail;
pub mod mcp;
pub mod outputs;
pub mod repos;
pub mod tools;
pub mod world;
pub mod yaml;
