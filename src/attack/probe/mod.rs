//! The probe: a program that makes one attempt and says how it went.
//!
//! It is this program under another name, so it is there wherever casefile is,
//! and an attempt never looks refused only because `curl` or `ping` is missing.
//!
//! ```text
//! casefile-probe VERB OBJECT...
//! exit 0   done WHAT             the attempt went through
//! exit 1   refused ERRNO WHY     the kernel said no
//! exit 2   broken WHY            it was never made: that is no answer at all
//! ```
//!
//! Verbs do no harm where they succeed. One that would (`reboot`, `kexec_load`)
//! is asked with arguments that make no sense: who lacks the right is told so
//! before the kernel looks at them.

mod files;
mod kernel;
mod network;
mod processes;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;

use super::Answer;

/// The name under which this program is started to be a probe.
pub(super) const NAME: &str = "casefile-probe";

/// No attempt takes longer; a probe that does is ended by its own alarm.
const ATTEMPT_S_MAX: libc::c_uint = 10;

/// Why an attempt did not go through.
#[derive(Debug)]
enum Obstacle {
    /// The kernel refused it.
    Refused(Errno, String),
    /// It was never made.
    Broken(String),
}

/// What was reached, in words, or what was in the way.
type Tried = Result<String, Obstacle>;

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Errno::from_raw(number).into(),
            None => Self::Broken(error.to_string()),
        }
    }
}

impl From<Errno> for Obstacle {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno, errno.desc().into())
    }
}

/// Takes this process over if it was started as a probe, and says how it is to
/// exit. `program` is the name it was started by.
pub fn take_over(program: Option<&OsStr>, args: impl Iterator<Item = OsString>) -> Option<i32> {
    (Path::new(program?).file_name()? == NAME).then(|| {
        nix::unistd::alarm::set(ATTEMPT_S_MAX);
        let tried = words(program, args).and_then(|words| dispatch(&words));
        let (code, line) = match tried {
            Ok(what) => (0, format!("done {what}")),
            Err(Obstacle::Refused(errno, why)) => (1, format!("refused {errno:?} {why}")),
            Err(Obstacle::Broken(why)) => (2, format!("broken {why}")),
        };
        match writeln!(io::stdout(), "{line}") {
            Ok(()) => code,
            Err(_) => 2,
        }
    })
}

/// Makes one attempt on this host, in a process of its own, without any jail.
#[expect(clippy::disallowed_methods, reason = "it is this very program")]
pub fn ask(words: &[&str]) -> Answer {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).args(words).stdin(Stdio::null()).stderr(Stdio::null());
    match command.output() {
        Ok(output) => Answer::of_output(&output),
        Err(error) => Answer::Broken(error.to_string()),
    }
}

/// The program's own name, and its arguments.
fn words(
    program: Option<&OsStr>,
    args: impl Iterator<Item = OsString>,
) -> Result<Vec<String>, Obstacle> {
    let all = program.map(OsStr::to_owned).into_iter().chain(args);
    all.map(OsString::into_string)
        .collect::<Result<_, _>>()
        .map_err(|word| Obstacle::Broken(format!("{} is not UTF-8", word.to_string_lossy())))
}

fn dispatch(words: &[String]) -> Tried {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [program, verb, objects @ ..] = words.as_slice() else {
        return Err(Obstacle::Broken("no verb".into()));
    };
    if *verb == "own" {
        kernel::enter_own_namespaces()?;
        let rest: Vec<String> =
            [*program].iter().chain(objects).map(|word| (*word).to_owned()).collect();
        return dispatch(&rest);
    }
    files::attempt(verb, objects)
        .or_else(|| processes::attempt(program, verb, objects))
        .or_else(|| network::attempt(verb, objects))
        .or_else(|| kernel::attempt(verb, objects))
        .unwrap_or_else(|| Err(Obstacle::Broken(format!("no verb `{}`", words[1..].join(" ")))))
}

/// What a number on the command line stands for.
fn number<T: TryFrom<i64>>(word: &str) -> Result<T, Obstacle> {
    let (digits, radix) = match word.strip_prefix("0o") {
        Some(digits) => (digits, 8),
        None => (word, 10),
    };
    let parsed = i64::from_str_radix(digits, radix).ok().and_then(|number| number.try_into().ok());
    parsed.ok_or_else(|| Obstacle::Broken(format!("`{word}` is no fitting number")))
}

fn text(word: &str) -> Result<std::ffi::CString, Obstacle> {
    std::ffi::CString::new(word).map_err(|_| Obstacle::Broken("a NUL in a word".into()))
}

/// What looks like success but reached nothing.
fn nothing(why: &str) -> Tried {
    Err(Obstacle::Refused(Errno::ENODATA, why.into()))
}

#[cfg(test)]
mod tests {
    use super::{Obstacle, dispatch};

    #[test]
    fn what_was_never_tried_is_broken_and_not_refused() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for line in ["probe", "probe fly", "probe chmod /x 0o9", "probe read", "probe kill x 15"] {
            let tried = dispatch(&words(line));
            assert!(matches!(tried, Err(Obstacle::Broken(_))), "{line}: {tried:?}");
        }
        let tried = dispatch(&words("probe read /no/such/file"));
        assert!(matches!(tried, Err(Obstacle::Refused(nix::errno::Errno::ENOENT, _))), "{tried:?}");
        assert!(dispatch(&words("probe stat /")).is_ok());
    }
}
