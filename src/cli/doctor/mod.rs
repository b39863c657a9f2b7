//! `casefile doctor`: what jails this host can give, and whether they hold.

mod attack;

use std::process::ExitCode;

use super::report::Failure;
use super::surroundings::Surroundings;

/// See what jails this host can give, and attack one
///
/// Looks at what the kernel and its settings give, opens a jail for each policy,
/// and says what is missing and how to mend it. The exit code is 0 if the policy
/// that is set can run in full.
///
/// With `--attack` it tries to get out of a jail that it makes for this alone:
/// each attempt is made outside too, where it has to succeed, and what comes of
/// it is looked at from the host. Nothing of yours is touched. The exit code is 0
/// if nothing went through.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Try to get out of a jail, in every way that is known
    #[arg(long)]
    attack: bool,
    /// Attack this policy [default: the one that is set, then `landlock-only`]
    #[arg(long, value_name = "NAME", requires = "attack")]
    policy: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, around: &Surroundings) -> Result<ExitCode, Failure> {
    attack::run(args.policy.as_deref(), args.json, around)
}
