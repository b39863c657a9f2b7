//! `casefile rename`: another title for a case. Its id stays, because others
//! have written it down.

use std::process::ExitCode;

use clap::Args;

use super::plain::plain;
use super::report::{Failure, print};
use super::surroundings::Surroundings;
use crate::case::{self, CaseError, CaseId, Held, Home};
use crate::disk::Holder;

/// Give a case another title; its id stays
#[derive(Args, Debug)]
pub(crate) struct Rename {
    /// Its id, or the beginning of it
    case: String,
    /// The new title, one line
    title: String,
}

pub(crate) fn run(rename: Rename, around: &Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    let holder = around.holder("casefile rename");
    let (id, title) = retitle(&home, &rename, &holder).map_err(Failure::case)?;
    print(&format!("{id} is now titled: {}\n", plain(&title)))
}

fn retitle(home: &Home, rename: &Rename, holder: &Holder) -> Result<(CaseId, String), CaseError> {
    let held = Held::take(home, &case::find(home, &rename.case)?, holder)?;
    let mut manifest = held.manifest()?;
    manifest.retitle(&rename.title)?;
    held.write(&manifest)?;
    Ok((held.id().clone(), manifest.title))
}
