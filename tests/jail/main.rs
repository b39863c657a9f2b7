//! What a jail promises, held against commands that mean harm, and against death
//! at any moment: as an ordinary user, and as root where root runs this.
//!
//! This program has a `main` of its own, because it plays three parts: the tests,
//! a zygote (a library that opens jails starts its own program anew for that),
//! and, inside a jail or beside it, the hostile or busy programs of `part.rs`.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests start programs and lay out files by hand; the walls are for the product"
)]

#[path = "../common/mod.rs"]
mod common;

mod api;
mod changed;
mod clean;
mod daemons;
mod death;
mod ground;
mod hidden;
mod hiding;
mod inner;
mod layered;
mod limits;
mod part;
mod races;
mod shown;
mod streams;
mod terminal;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use common::{User, users};
use libtest_mimic::{Arguments, Trial};

/// A test, of which there is one for each user.
type Test = (&'static str, fn(User));

fn main() -> ExitCode {
    let mut given = std::env::args_os();
    let name = given.next();
    let code = casefile::jail::take_over(name.as_deref())
        .or_else(|| casefile::changed::take_over(name.as_deref(), &mut given));
    if let Some(code) = code {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    if name.as_deref().and_then(|name| Path::new(name).file_name()) == Some(OsStr::new(part::NAME))
    {
        let words: Vec<String> = given.map(|word| word.into_string().unwrap()).collect();
        return part::play(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut arguments = Arguments::from_args();
    // Each of these fills the machine or measures it; together they would lie.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let tests = [
        streams::TESTS,
        terminal::TESTS,
        limits::TESTS,
        hidden::TESTS,
        daemons::TESTS,
        shown::TESTS,
        races::TESTS,
        clean::TESTS,
        api::TESTS,
        layered::TESTS,
        changed::TESTS,
        inner::TESTS,
        death::TESTS,
    ];
    let mut trials = Vec::new();
    for (name, test) in tests.concat() {
        for user in users() {
            let whom = match user {
                User::Same => "self",
                User::Ordinary => "ordinary",
            };
            let trial = Trial::test(format!("{name}::{whom}"), move || {
                test(user);
                Ok(())
            });
            trials.push(trial);
        }
    }
    trials
}
