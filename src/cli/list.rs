//! `casefile list`: every case in a line, the broken ones with the reason.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::plain::{plain, plain_json};
use super::report::{Failure, print, warn, with_causes};
use super::show;
use super::surroundings::Surroundings;
use super::table::Table;
use crate::case::{self, CaseError, Listed, Usage};

/// List the cases, newest first
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A longer title is cut; `casefile show` has all of it.
const TITLE_CHARS_SHOWN: usize = 60;

pub(crate) fn run(list: List, around: &Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    let all = case::list(&home).map_err(Failure::case)?;
    let text = if list.json { as_json(&all) } else { as_table(&all) };
    let code = print(&text)?;
    // What a removal that was killed left behind is not worth a failed listing.
    if let Err(error) = case::finish(&home) {
        warn(&error);
    }
    Ok(code)
}

fn as_json(all: &[Listed]) -> String {
    let cases = all.iter().map(|listed| match &listed.case {
        Ok(case) => show::as_json(case),
        Err(error) => json!({
            "id": listed.name.to_string_lossy(),
            "state": "broken",
            "why": why(error),
        }),
    });
    plain_json(&Value::Array(cases.collect()))
}

pub(super) fn as_table(all: &[Listed]) -> String {
    if all.is_empty() {
        return "There are no cases.\n".into();
    }
    let mut table = Table::default();
    table.row(["CASE", "STATE", "OPENED (UTC)", "TITLE"]);
    for listed in all {
        let name = plain(&listed.name.to_string_lossy());
        match &listed.case {
            Ok(case) => {
                let state = match case.usage {
                    Usage::Idle => "idle",
                    Usage::InUse(_) => "in use",
                };
                let opened = minute(case.manifest.origin.opened);
                let title = plain(&short(&case.manifest.title));
                table.row([name, state.into(), opened, title]);
            }
            Err(error) => {
                table.row([name, "broken".into(), "-".into(), plain(&why(error))]);
            }
        }
    }
    table.to_string()
}

/// Why a case is broken; which one is said already.
fn why(error: &CaseError) -> String {
    match error {
        CaseError::Broken { why, .. } => with_causes(&**why),
        error => with_causes(error),
    }
}

/// A time as people read it, in UTC.
pub(crate) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

fn short(title: &str) -> String {
    match title.char_indices().nth(TITLE_CHARS_SHOWN) {
        Some((end, _)) => format!("{}...", &title[..end]),
        None => title.into(),
    }
}
