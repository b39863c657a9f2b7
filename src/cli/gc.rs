//! `casefile gc`: what no case needs is removed from the store.

use std::process::ExitCode;

use clap::Args;

use super::report::{Failure, note, print};
use super::surroundings::Surroundings;
use crate::disk;
use crate::world::collect;

/// Remove what no open case needs, and what killed commands left
///
/// Never what a case is using: a snapshot that is removed here is made again when it
/// is wanted. Mirrors stay; `casefile repo rm` removes those.
#[derive(Args, Debug)]
pub(crate) struct Gc {
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(gc: Gc, around: &Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    let tell = |holder: Option<&disk::Holder>| {
        note(&format!("waiting for {}", disk::name(holder)));
    };
    let collected =
        collect(&home, &around.holder("casefile gc"), tell, gc.dry_run).map_err(Failure::world)?;
    let verb = if gc.dry_run { "would remove" } else { "removed" };
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    };
    print(&format!(
        "{verb} {}, {}, {}, {}\n",
        count(collected.snapshots.len(), "snapshot"),
        count(collected.wirings.len(), "wiring"),
        count(collected.layers.len(), "layer"),
        count(collected.leftovers.len(), "leftover"),
    ))
}
