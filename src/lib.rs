//! casefile gives an agent that investigates an incident one jailed directory,
//! the case, to work in.
//!
//! ARCHITECTURE.md is the map of this library: which room holds what, and what
//! each must never know. `tests/floors.rs` keeps that map true.
//!
//! Nothing here reads the environment, the home directory, the clock or the
//! terminal; `cli` looks at them once and hands in what it saw.

pub mod case;
pub mod cli;
pub mod config;
pub mod disk;
pub mod hint;
pub mod yaml;
