//! `casefile exec`: a command line in a case, through the same line as an agent's.

use std::process::ExitCode;

use clap::Args;

use super::report::Failure;
use super::session;
use super::surroundings::Surroundings;
use crate::tools::{Call, Shell};

/// Run a command line in a case, and show what an agent would see
///
/// What it prints is redacted; what is too large to show is kept in the case, and a
/// preview is shown. The exit code is the command's own, 128 and the number of the
/// signal where one killed it.
#[derive(Args, Debug)]
pub(crate) struct Exec {
    /// Its id, or the beginning of it
    case: String,
    /// Where it starts [default: where the case begins]
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// End it after so many seconds [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// A command line for `bash -c`, or a program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(exec: Exec, around: &Surroundings) -> Result<ExitCode, Failure> {
    let command = match exec.command.as_slice() {
        [line] => line.clone(),
        words => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    };
    let call =
        Call::Shell(Shell { command, cwd: exec.cwd, timeout_s: exec.timeout, background: false });
    session::call(&exec.case, around, "casefile exec", &call)
}

/// One word for a shell, whatever is in it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_stays_one_word() {
        #[rustfmt::skip]
        let table = [
            ("ls",    "ls"),
            ("a b",   "'a b'"),
            ("",      "''"),
            ("it's",  r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
        ];
        for (word, want) in table {
            assert_eq!(quoted(word), want);
        }
    }
}
