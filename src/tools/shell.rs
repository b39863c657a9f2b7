//! `shell`: a command line in the jail.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::process::{self, Came, Ran};
use super::{Stop, ToolError, ended};
use crate::config::limits::{Limit, Limits};
use crate::jail::wire::{Spec, WallKey};
use crate::jail::{Fault, Jail, Stage};
use crate::outputs::Stream;

/// What a command line is asked for.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Shell {
    pub command: String,
    /// Where it starts, if not where the case begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
    /// Do not wait for its end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
}

/// How long a command may take that names no time.
pub const TIMEOUT_S: u64 = 120;

/// What commands are started with in one case.
#[derive(Clone, Debug)]
pub struct Start {
    pub env: Vec<Vec<u8>>,
    pub limits: Limits,
    /// Where they begin.
    pub cwd: PathBuf,
    /// What a `cwd` is relative to.
    pub base: PathBuf,
}

impl Start {
    /// How long a command may take, which no policy allows more of.
    pub(super) fn timeout_s(&self, asked: Option<u64>) -> Result<u64, ToolError> {
        let most = self.limits.get(Limit::Wall);
        match asked {
            None => Ok(TIMEOUT_S.min(most)),
            Some(0) => Err(ToolError::Argument {
                argument: "timeout_s",
                why: "a command needs some time".into(),
                way_out: format!("Name a number from 1 to {most}."),
            }),
            Some(asked) if most < asked => Err(ToolError::Argument {
                argument: "timeout_s",
                why: format!("{asked} is more than this case allows, which is {most}"),
                way_out: "Start it with `background: true`, and read, wait for or kill it later."
                    .into(),
            }),
            Some(asked) => Ok(asked),
        }
    }

    pub(super) fn spec(&self, asked: &Shell, wall: (WallKey, u64)) -> Spec {
        let cwd = match &asked.cwd {
            None => self.cwd.clone(),
            // One that begins with `/` stands for itself.
            Some(cwd) => self.base.join(cwd),
        };
        self.spec_of(&["bash", "-c", &asked.command], &cwd, wall)
    }

    pub(super) fn spec_of(
        &self,
        args: &[&str],
        cwd: &Path,
        (wall_key, wall_s): (WallKey, u64),
    ) -> Spec {
        Spec {
            args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
            env: self.env.clone(),
            cwd: cwd.as_os_str().as_bytes().to_vec(),
            terminal: None,
            wall_ms: wall_s.saturating_mul(1000),
            wall_key,
        }
    }
}

/// Runs it to its end. What it prints goes to `pour`; the answer is how it ended, in
/// words and as a number.
pub(super) fn shell(
    asked: &Shell,
    jail: &Jail,
    start: &Start,
    stop: &Stop,
    pour: impl FnMut(Stream, &[u8]),
) -> Result<(String, u8), ToolError> {
    let timeout_s = start.timeout_s(asked.timeout_s)?;
    let spec = start.spec(asked, (WallKey::Wall, timeout_s));
    let ran = started(jail, spec, start, stop, pour)?;
    Ok((ended::words(&ran, timeout_s), ended::code(&ran)))
}

/// Runs a command line with bash, or with `sh` where the jail has no bash.
pub(super) fn started(
    jail: &Jail,
    spec: Spec,
    start: &Start,
    stop: &Stop,
    mut pour: impl FnMut(Stream, &[u8]),
) -> Result<Ran, ToolError> {
    let most = start.limits.get(Limit::Output);
    let ran = process::run(jail, &spec, most, stop, &mut pour)?;
    let ran = match &ran.came {
        Came::NotStarted(fault) if is_missing(fault) => {
            let mut spec = spec;
            spec.args[0] = b"sh".to_vec();
            process::run(jail, &spec, most, stop, pour)?
        }
        _ => ran,
    };
    match ran.came {
        Came::NotStarted(fault) if fault.stage == Stage::Directory => Err(ToolError::Argument {
            argument: "cwd",
            why: fault.to_string(),
            way_out: "Name a directory of the case; `find` lists them.".into(),
        }),
        Came::NotStarted(fault) => Err(ToolError::Jail(fault.into())),
        Came::Ended(_) => Ok(ran),
    }
}

fn is_missing(fault: &Fault) -> bool {
    fault.stage == Stage::Exec && fault.errno() == nix::errno::Errno::ENOENT
}
