//! `casefile journal`: what was done in a case, and whether that still stands as it
//! was written.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::plain::plain;
use super::report::{Failure, print};
use super::surroundings::Surroundings;
use super::table::Table;
use crate::case;
use crate::govern::{Fault, Line, Verdict, check};
use crate::hint::Hint;

/// See what was done in a case, check it, or take it along
///
/// Every call in a case is a line of its journal, and names the hash of the line
/// before. A line that was changed, moved or taken away is found that way.
#[derive(Args, Debug)]
pub(crate) struct Journal {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Print the calls, a line each, the oldest first
    Show {
        /// Its id, or the beginning of it
        case: String,
        /// Only the last so many
        #[arg(long, value_name = "N")]
        last: Option<usize>,
    },
    /// Say whether every line is as it was written
    Verify {
        /// Its id, or the beginning of it
        case: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the lines as they are kept, once they are verified
    Export {
        /// Its id, or the beginning of it
        case: String,
    },
}

/// The journal does not say any more what it said.
#[derive(Debug, thiserror::Error)]
#[error("the journal of `{case}` is not as it was written")]
struct NotAsWritten {
    case: case::CaseId,
    #[source]
    fault: Why,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Why(Fault);

impl Hint for NotAsWritten {
    fn hint(&self) -> Option<String> {
        Some(match self.fault.0 {
            Fault::Torn { .. } => {
                "Use the case once more: what was never finished is then taken away.".into()
            }
            _ => "Trust the lines before that one and no other; a copy may have the rest.".into(),
        })
    }
}

pub(crate) fn run(journal: Journal, around: &Surroundings) -> Result<ExitCode, Failure> {
    match journal.act {
        Act::Show { case, last } => show(&case, last, around),
        Act::Verify { case, json } => verify(&case, json, around),
        Act::Export { case } => export(&case, around),
    }
}

fn find(given: &str, around: &Surroundings) -> Result<(case::CaseId, PathBuf), Failure> {
    let home = around.home()?;
    let id = case::find(&home, given).map_err(Failure::case)?;
    let dir = home.case(&id);
    Ok((id, dir))
}

fn show(given: &str, last: Option<usize>, around: &Surroundings) -> Result<ExitCode, Failure> {
    let (id, dir) = find(given, around)?;
    let (text, fault) = calls(&dir, last)?;
    let code = print(&text)?;
    found(id, fault).map(|()| code)
}

/// The calls, a line each, and where the journal is not as it was written.
pub(super) fn calls(dir: &Path, last: Option<usize>) -> Result<(String, Option<Fault>), Failure> {
    let mut rows = std::collections::VecDeque::new();
    let finding = check(dir, |line, _| {
        rows.push_back(row(line));
        if last.is_some_and(|last| last < rows.len()) {
            rows.pop_front();
        }
    });
    let finding = finding.map_err(Failure::user)?;
    let mut table = Table::default();
    for row in rows {
        table.row(row);
    }
    Ok((table.to_string(), finding.fault))
}

/// A call as a person reads it.
fn row(line: &Line) -> [String; 5] {
    let entry = &line.entry;
    let arguments = serde_json::to_string(&entry.arguments).unwrap_or_default();
    let outcome = match &entry.verdict {
        Verdict::Allowed => entry.outcome.clone(),
        Verdict::Refused { why } => format!("refused: {why}"),
    };
    let kept = entry.kept.iter().map(|kept| format!(" -> {}", kept.path)).collect::<String>();
    let tool = match &entry.by {
        Some(who) => format!("{} by {}", entry.tool, shortened(&plain(who))),
        None => entry.tool.clone(),
    };
    [
        line.n.to_string(),
        format!("{:.0}", entry.at),
        tool,
        shortened(&plain(&arguments)),
        format!("{}{kept}", shortened(&plain(&outcome))),
    ]
}

fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}

fn verify(given: &str, as_json: bool, around: &Surroundings) -> Result<ExitCode, Failure> {
    let (id, dir) = find(given, around)?;
    let finding = check(&dir, |_, _| {}).map_err(Failure::user)?;
    if as_json {
        let fault = finding.fault.as_ref().map(ToString::to_string);
        let whole = json!({"case": id.as_str(), "good_lines": finding.good, "fault": fault});
        let code = print(&format!("{whole:#}\n"))?;
        return Ok(if finding.fault.is_none() { code } else { ExitCode::from(1) });
    }
    let lines = if finding.good == 1 { "line" } else { "lines" };
    found(id, finding.fault)?;
    print(&format!("{} {lines}, each as it was written\n", finding.good))
}

fn export(given: &str, around: &Surroundings) -> Result<ExitCode, Failure> {
    let (id, dir) = find(given, around)?;
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut failed = None;
    let finding = check(&dir, |_, bytes| {
        if failed.is_none() {
            failed = out.write_all(bytes).err();
        }
    });
    let finding = finding.map_err(Failure::user)?;
    let flushed = failed.map_or_else(|| out.flush(), Err);
    match flushed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            return Err(Failure::user(crate::disk::DiskError::Io {
                act: "write",
                path: "stdout".into(),
                source: error,
            }));
        }
        _ => {}
    }
    found(id, finding.fault)?;
    Ok(ExitCode::SUCCESS)
}

fn found(case: case::CaseId, fault: Option<Fault>) -> Result<(), Failure> {
    match fault {
        None => Ok(()),
        Some(fault) => Err(Failure::user(NotAsWritten { case, fault: Why(fault) })),
    }
}
