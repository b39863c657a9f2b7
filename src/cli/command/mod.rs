//! A command in a jail of its own, joined to the streams of whoever wants it: what
//! `run`, `shell` and the commands that ask git in a case have in common.

mod pump;
mod terminal;

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use super::prepared::{Prepared, jail};
use super::report::{Failure, Turn};
use crate::config::limits::Limit;
use crate::hint::Hint;
use crate::jail::policy::{Policy, Verdict};
use crate::jail::wire::{End, Means, Passed, Spec, Status, WallKey};
use crate::jail::{JailError, Zygote};
use pump::{Allowance, Done};

/// Nothing was run, or it ran into a limit.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("the policy `{policy}` refuses `{}`: {why}", command.join(" "))]
    Refused { policy: String, command: Vec<String>, why: String },
    #[error(
        "the command was ended at the limit `{}` of {} (held by {})",
        passed.limit.limit().bounds().key, passed.value, means.of(passed.limit.limit())
    )]
    Passed { passed: Passed, means: Means, timeout: bool },
    #[error("the streams of the command broke")]
    Streams(#[source] std::io::Error),
}

impl Hint for CommandError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Refused { .. } => {
                "Run it outside the jail yourself, if that is what you want.".into()
            }
            Self::Passed { timeout: true, .. } => "Give it more time with `--timeout`.".into(),
            Self::Passed { passed, .. } => format!(
                "Raise `limits: {{{}: ...}}` in casefile.yaml or in the policy.",
                passed.limit.limit().bounds().key
            ),
            Self::Streams(_) => "Run it again.".into(),
        })
    }
}

/// A command that is to be run.
#[derive(Debug)]
pub(super) struct Command<'a> {
    pub(super) policy: &'a Policy,
    pub(super) args: &'a [OsString],
    /// Where it starts.
    pub(super) cwd: PathBuf,
    /// How long it may take, if not as long as the limits say.
    pub(super) timeout_s: Option<u64>,
}

/// Where its streams lead.
#[derive(Debug)]
pub(super) enum To<'a> {
    /// To those of the caller, who may sit at a terminal.
    Caller,
    /// What it reads comes from the first, what it prints goes to the other two.
    These([BorrowedFd<'a>; 3]),
}

/// What a command came to.
#[derive(Debug)]
pub(super) struct Came {
    done: Done,
    wall: Limit,
    pub(super) means: Means,
    pub(super) began: Instant,
}

impl Command<'_> {
    /// Runs it in a jail, and takes the jail down.
    pub(super) fn conduct(&self, prepared: &Prepared, to: &To<'_>) -> Result<Came, Failure> {
        judge(self.policy, self.args)?;
        let Prepared { plan, limits, env, .. } = prepared;
        let terminal = match to {
            To::Caller => terminal::size_if_interactive(),
            To::These(_) => None,
        };
        let (wall, wall_key) = match terminal {
            Some(_) => (Limit::Session, WallKey::Session),
            None => (Limit::Wall, WallKey::Wall),
        };
        let wall_s = self.timeout_s.unwrap_or(limits.get(wall));
        let spec = Spec {
            args: self.args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
            env: env.clone(),
            cwd: self.cwd.clone().into_os_string().into_vec(),
            terminal,
            wall_ms: wall_s.saturating_mul(1000),
            wall_key,
        };
        let began = Instant::now();
        let zygote = Zygote::start_for_one().map_err(jail)?;
        let opened = zygote.open(plan).map_err(jail)?;
        let value = limits.get(Limit::Output);
        let allowed = Allowance { bytes: value.saturating_mul(1024 * 1024), value };
        let done = match to {
            To::Caller if terminal.is_some() => terminal::converse(&opened, &spec, allowed),
            To::Caller => {
                let (own_in, own_out, own_err) =
                    (std::io::stdin(), std::io::stdout(), std::io::stderr());
                let ends = [own_in.as_fd(), own_out.as_fd(), own_err.as_fd()];
                pump::carry(&opened, &spec, allowed, ends)
            }
            To::These(ends) => pump::carry(&opened, &spec, allowed, *ends),
        };
        match done {
            Ok(done) => Ok(Came { done, wall, means: opened.means(), began }),
            Err(pump::Broken::Jail(error)) => Err(jail(error)),
            Err(pump::Broken::Streams(error)) => {
                Err(Failure::new(Turn::Ours, CommandError::Streams(error)))
            }
        }
    }
}

impl Came {
    /// How it ended, if it began.
    pub(super) fn end(&self) -> Option<&End> {
        match &self.done {
            Done::Ended(end) => Some(end),
            Done::NotStarted(_) => None,
        }
    }

    /// Says what there is to say of its end, and passes its exit code on.
    pub(super) fn exit(self) -> Result<ExitCode, Failure> {
        let end = match self.done {
            Done::Ended(end) => end,
            Done::NotStarted(fault) => return not_started(fault.into()),
        };
        if let Some(passed) = end.passed {
            let timeout = self.wall == passed.limit.limit();
            let error = CommandError::Passed { passed, means: self.means, timeout };
            Failure::user(error).report();
        }
        Ok(exit_code(&end))
    }
}

/// As shells have it: 127 for a program that is not there, 126 for one that
/// cannot be run. All else means that the jail is not what it should be.
fn not_started(error: JailError) -> Result<ExitCode, Failure> {
    if !error.is_of_the_program() {
        return Err(jail(error));
    }
    let code = if error.is_missing() { 127 } else { 126 };
    Failure::user(error).report();
    Ok(ExitCode::from(code))
}

fn exit_code(end: &End) -> ExitCode {
    const KILLED: u8 = 128 | 9;
    ExitCode::from(match (end.status, end.passed) {
        // It was as good as ended: what it did or printed is not all there is.
        (Status::Exited(0), Some(_)) => KILLED,
        (Status::Exited(code), _) => code,
        (Status::Killed(signal), _) => 128 | signal,
    })
}

fn judge(policy: &Policy, command: &[OsString]) -> Result<(), Failure> {
    match policy.judge(command) {
        Verdict::Allow => Ok(()),
        Verdict::Refuse(rule) => Err(Failure::user(CommandError::Refused {
            policy: rule.by.policy.to_string(),
            command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            why: rule.why.clone(),
        })),
    }
}
