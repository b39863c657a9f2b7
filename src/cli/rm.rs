//! `casefile rm`: cases are removed for good, so a person is asked first, and a
//! script has to say that it means it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;

use super::plain::plain;
use super::report::{Failure, print, warn};
use super::surroundings::Surroundings;
use crate::case::{self, CaseError, CaseId, Held, Home, Usage};
use crate::hint::Hint;

/// Remove cases for good
#[derive(Args, Debug)]
pub(crate) struct Rm {
    /// Their ids, or the beginnings of them
    #[arg(required = true, value_name = "CASE")]
    cases: Vec<String>,
    /// Remove without asking
    #[arg(long)]
    yes: bool,
}

/// Nothing was removed.
#[derive(Debug, thiserror::Error)]
enum NotRemoved {
    #[error("removing {0} needs a yes, and there is no terminal to ask on")]
    NobodyToAsk(String),
    #[error("nothing was removed")]
    No,
    #[error("the answer could not be read")]
    NoAnswer(#[source] io::Error),
}

impl Hint for NotRemoved {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NobodyToAsk(_) => Some("Pass `--yes` to remove without being asked.".into()),
            Self::No | Self::NoAnswer(_) => None,
        }
    }
}

pub(crate) fn run(rm: Rm, around: &Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    let ids = meant(&home, &rm.cases).map_err(Failure::case)?;
    if !rm.yes {
        ask(&home, &ids).map_err(Failure::user)?;
    }
    let outcome = ids.into_iter().try_for_each(|id| {
        Held::take(&home, &id, &around.holder("casefile rm"))
            .and_then(Held::remove)
            .map_err(Failure::case)?;
        print(&format!("removed {id}\n")).map(drop)
    });
    // Also what earlier removals left that were killed.
    match case::finish(&home) {
        Err(error) if outcome.is_ok() => warn(&error),
        _ => (),
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

/// The cases that are meant, once each, if all of them can be removed: a slip in
/// the third name must not be noticed after the first two are gone.
fn meant(home: &Home, given: &[String]) -> Result<Vec<CaseId>, CaseError> {
    let mut ids = Vec::new();
    for given in given {
        let id = case::find(home, given)?;
        if let Usage::InUse(holder) = case::usage(home, &id)? {
            return Err(CaseError::InUse { id, holder });
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// Asks on the terminal, and nowhere else.
#[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
fn ask(home: &Home, ids: &[CaseId]) -> Result<(), NotRemoved> {
    let these = match ids {
        [only] => format!("case `{only}`"),
        _ => format!("{} cases", ids.len()),
    };
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(NotRemoved::NobodyToAsk(these));
    }
    let mut question = String::new();
    for id in ids {
        // A broken case may be removed too; its title is then not known.
        let title = case::show(home, id).map(|case| plain(&case.manifest.title));
        question.push_str(&format!("  {id}  {}\n", title.unwrap_or_else(|_| "(broken)".into())));
    }
    question.push_str(&format!("Remove {these} for good? [y/N] "));
    let mut err = anstream::stderr();
    err.write_all(question.as_bytes()).and_then(|()| err.flush()).map_err(NotRemoved::NoAnswer)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(NotRemoved::NoAnswer)?;
    if !answer.ends_with('\n') {
        // The question still stands on the line.
        let _ = writeln!(err);
    }
    match answer.trim() {
        "y" | "Y" | "yes" | "Yes" | "YES" => Ok(()),
        _ => Err(NotRemoved::No),
    }
}
