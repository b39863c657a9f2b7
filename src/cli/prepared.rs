//! A jail as a command is about to open it: the plan that a policy makes, and the
//! environment and the home that go with it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::report::{Failure, Turn};
use super::scratch::Scratch;
use super::surroundings::Surroundings;
use crate::config::Settings;
use crate::config::limits::Limits;
use crate::jail::JailError;
use crate::jail::plan::{HOME, Layered, Plan, USER, Wanted};
use crate::jail::policy::{Policy, Shown, Strength};

/// All that a jail is opened and a command in it is started with.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) limits: Limits,
    pub(super) env: Vec<Vec<u8>>,
    pub(super) home: PathBuf,
    /// Kept for as long as the jail is.
    _scratch: Option<Scratch>,
}

/// What a jail shows.
#[derive(Debug, Default)]
pub(super) struct Shows {
    pub(super) shown: Vec<Shown>,
    pub(super) layered: Vec<Layered>,
    /// Where it has this very program.
    pub(super) program_at: Option<PathBuf>,
}

impl Prepared {
    pub(super) fn new(
        policy: &Policy,
        settings: &Settings,
        shows: Shows,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        let limits = policy.limits(settings.limits());
        let scratch = match policy.least.value {
            Strength::Namespaces => None,
            Strength::Landlock => {
                Some(Scratch::make().map_err(|error| jail(JailError::Start(error)))?)
            }
        };
        let home = match &scratch {
            Some(scratch) => scratch.path().to_owned(),
            None => PathBuf::from(HOME),
        };
        let wanted = Wanted {
            strength: policy.least.value,
            network: policy.network.value,
            local_sockets: policy.local_sockets.value,
            limits: &limits,
            kept: around.given.kept(),
            shown: shows.shown,
            layered: shows.layered,
            program_at: shows.program_at,
            scratch: scratch.is_some().then(|| home.clone()),
        };
        let plan = Plan::new(&wanted).map_err(Failure::user)?;
        let env = environment(policy, around, &home);
        Ok(Self { plan, limits, env, home, _scratch: scratch })
    }
}

/// A jail that could not be had, on its way to a person.
pub(super) fn jail(error: JailError) -> Failure {
    Failure::new(Turn::Jail, error)
}

/// The policy's variables and nothing else, beside those that name the jail's
/// own user and home.
fn environment(policy: &Policy, around: &Surroundings, home: &Path) -> Vec<Vec<u8>> {
    let mut vars: Vec<(OsString, OsString)> = vec![
        ("HOME".into(), home.into()),
        ("USER".into(), USER.into()),
        ("LOGNAME".into(), USER.into()),
    ];
    if home != OsStr::new(HOME) {
        vars.push(("TMPDIR".into(), home.into()));
    }
    let passed = policy
        .env_pass
        .iter()
        .filter_map(|name| Some((OsString::from(&name.value), around.variable(&name.value)?)));
    let set = policy.env_set.iter().map(|(name, value)| (name.into(), (&value.value).into()));
    for (name, value) in passed.chain(set) {
        vars.retain(|(known, _)| *known != name);
        vars.push((name, value));
    }
    vars.into_iter()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
        .collect()
}
