//! `casefile close`: nobody works in a case any more.

use std::process::ExitCode;

use clap::Args;

use super::report::{Failure, print};
use super::surroundings::Surroundings;
use crate::case::{self, CaseId, Held, Home};

/// Close cases: all stays, and nobody works in them any more
///
/// What they share with no other case can then be collected by `casefile gc`, and is
/// made again for a fork.
#[derive(Args, Debug)]
pub(crate) struct Close {
    /// Their ids, or the beginnings of them
    #[arg(required = true, value_name = "CASE")]
    cases: Vec<String>,
}

pub(crate) fn run(close: Close, around: &Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    let ids = close.cases.iter().map(|given| case::find(&home, given));
    let ids = ids.collect::<Result<Vec<_>, _>>().map_err(Failure::case)?;
    for id in ids {
        let said = match close_one(&home, &id, "casefile close", around)? {
            true => "is closed",
            false => "was closed already",
        };
        print(&format!("{id} {said}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Closes a case, and says whether it was open.
pub(super) fn close_one(
    home: &Home,
    id: &CaseId,
    as_whom: &str,
    around: &Surroundings,
) -> Result<bool, Failure> {
    let held = Held::take(home, id, &around.holder(as_whom)).map_err(Failure::case)?;
    let mut manifest = held.manifest().map_err(Failure::case)?;
    if manifest.closed.is_some() {
        return Ok(false);
    }
    manifest.closed = Some(around.now());
    held.write(&manifest).map_err(Failure::case)?;
    Ok(true)
}
