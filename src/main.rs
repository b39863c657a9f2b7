//! The program: everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "by its name a process knows that it is a helper"
    )]
    let name = std::env::args_os().next();
    match casefile::jail::take_over(name.as_deref()) {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => casefile::cli::main(),
    }
}
