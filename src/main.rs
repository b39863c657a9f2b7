//! The program: everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "by its name a process knows that it is a helper"
    )]
    let mut args = std::env::args_os();
    let name = args.next();
    let name = name.as_deref();
    let code = casefile::jail::take_over(name)
        .or_else(|| casefile::changed::take_over(name, &mut args))
        .or_else(|| casefile::attack::probe::take_over(name, args));
    match code {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => casefile::cli::main(),
    }
}
