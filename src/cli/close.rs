//! `casefile close`: nobody works in a case any more.

use std::process::ExitCode;

use clap::Args;

use super::report::{Failure, print};
use super::surroundings::Surroundings;
use crate::case::{self, Held};

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
        let held = Held::take(&home, &id, &around.holder("casefile close"));
        let held = held.map_err(Failure::case)?;
        let mut manifest = held.manifest().map_err(Failure::case)?;
        let said = match manifest.closed {
            Some(_) => "was closed already",
            None => {
                manifest.closed = Some(around.now());
                held.write(&manifest).map_err(Failure::case)?;
                "is closed"
            }
        };
        print(&format!("{id} {said}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
