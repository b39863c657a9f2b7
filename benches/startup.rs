//! What it costs to start the program and be told its version, as a whole
//! process, beside what the machine takes to start `true`.
//!
//! An agent starts `casefile` often, so this is paid often. The median of
//! `casefile_version` is to stay under 3 ms.

#![allow(clippy::disallowed_methods, reason = "starting the program is what is measured")]

use std::process::{Command, Stdio};

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 500, sample_size = 1)]
fn casefile_version() {
    run(env!("CARGO_BIN_EXE_casefile"), &["--version"]);
}

#[divan::bench(sample_count = 500, sample_size = 1)]
fn the_program_true() {
    run("/bin/true", &[]);
}

fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).env_clear().stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "`{program}` did not succeed");
}
