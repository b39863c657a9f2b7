//! `casefile shell`: a person looks around in a case, in the jail that its agent has.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::command::To;
use super::entered::Entered;
use super::report::Failure;
use super::surroundings::Surroundings;

/// Look around in a case, or run one command in it
///
/// What is changed stays in the case. The jail is the one that its policy makes, and
/// nobody else works in the case meanwhile.
#[derive(Args, Debug)]
pub(crate) struct Shell {
    /// Its id, or the beginning of it
    case: String,
    /// End it after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// A program and its arguments [default: a shell]
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The best shell that the jail has.
const A_SHELL: [&str; 3] = ["sh", "-c", "command -v bash >/dev/null && exec bash; exec sh"];

pub(crate) fn run(shell: Shell, around: &Surroundings) -> Result<ExitCode, Failure> {
    let entered = Entered::enter(&shell.case, around, "casefile shell")?;
    let command = match shell.command.is_empty() {
        true => A_SHELL.map(OsString::from).to_vec(),
        false => shell.command,
    };
    let start = entered.start.clone();
    entered.conduct(&command, start, shell.timeout, &To::Caller)?.exit()
}
