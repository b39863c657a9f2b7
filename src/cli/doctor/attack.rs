//! `casefile doctor --attack`: the matrix of what was tried and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::attack::{Arena, Fixture, Row, Verdict, carry_out};
use crate::cli::plain::{plain, plain_json};
use crate::cli::prepared::{Prepared, Shows, jail};
use crate::cli::report::{Failure, print};
use crate::cli::surroundings::Surroundings;
use crate::cli::table::Table;
use crate::config::Settings;
use crate::hint::Hint;
use crate::jail::Zygote;
use crate::jail::policy::{Mode, Policy, Strength};

/// The attack itself could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttackError {
    #[error("cannot lay out what the attempts are made on")]
    Fixture(#[source] std::io::Error),
    #[error("an attempt could not be made")]
    Attempt(#[source] std::io::Error),
}

impl Hint for AttackError {
    fn hint(&self) -> Option<String> {
        Some("Check that programs can be made and run in the directory for temporary files.".into())
    }
}

/// Attacks one policy, or one of each strength.
pub(super) fn run(
    name: Option<&str>,
    json: bool,
    around: &Surroundings,
) -> Result<ExitCode, Failure> {
    let (settings, library) = around.trusted()?;
    let policies = match name {
        Some(name) => vec![library.named(name).map_err(Failure::user)?],
        None => {
            let set = library.load(&settings.policy().value).map_err(Failure::user)?;
            let other = match set.least.value {
                Strength::Namespaces => "landlock-only",
                Strength::Landlock => "offline",
            };
            vec![set, library.named(other).map_err(Failure::user)?]
        }
    };
    let mut pages = Vec::new();
    let mut answers = Vec::new();
    let mut failed = false;
    for policy in &policies {
        let rows = attack(policy, &settings, around)?;
        failed |= rows.iter().any(|row| row.verdict.is_failure());
        pages.push(page(policy, &rows));
        answers.push(answer(policy, &rows));
    }
    print(&if json { plain_json(&Value::from(answers)) } else { pages.join("\n") })?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn attack(
    policy: &Policy,
    settings: &Settings,
    around: &Surroundings,
) -> Result<Vec<Row>, Failure> {
    let may_write = policy.grants(Mode::Write).is_ok();
    let passed: BTreeSet<&str> = policy
        .env_pass
        .iter()
        .map(|name| name.value.as_str())
        .chain(policy.env_set.iter().map(|(name, _)| name.as_ref()))
        .chain(["HOME", "USER", "LOGNAME", "TMPDIR"])
        .collect();
    let variable = around.variables().find(|name| !passed.contains(name.as_str()));
    let temporary = around.temporary_directory();
    let fixture = Fixture::lay(&temporary, Path::new("/proc/self/exe"), variable, may_write);
    let mut fixture = fixture.map_err(|error| Failure::user(AttackError::Fixture(error)))?;
    let directory = fixture.directory();
    let shown = policy.shown(&directory, &fixture.shown()).map_err(Failure::user)?;
    let prepared = Prepared::new(policy, settings, Shows { shown, ..Shows::default() }, around)?;
    let zygote = Zygote::start_for_one().map_err(jail)?;
    let opened = zygote.open(&prepared.plan).map_err(jail)?;
    let arena = Arena {
        jail: &opened,
        strength: policy.least.value,
        network: policy.network.value,
        local_sockets: prepared.plan.local_sockets,
        env: prepared.env.clone(),
        cwd: directory.into_os_string().into_vec(),
    };
    carry_out(&mut fixture, &arena).map_err(|error| Failure::user(AttackError::Attempt(error)))
}

/// The matrix, then why some rows are not simply held, then the count.
fn page(policy: &Policy, rows: &[Row]) -> String {
    let mut table = Table::default();
    table.row(["attempt", "what", "outside", "in the jail", "verdict"]);
    for row in rows {
        table.row([
            row.attempt.id.to_owned(),
            row.attempt.what.to_owned(),
            row.outside.to_string(),
            row.inside.to_string(),
            row.verdict.word().to_owned(),
        ]);
    }
    let mut page = format!("policy {}\n\n{table}", policy.name);
    for verdict in Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::Held) {
        let told = rows.iter().filter(|row| row.verdict == verdict && !row.why.is_empty());
        let mut why: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in told {
            why.entry(&row.why).or_default().push(row.attempt.id);
        }
        for (why, ids) in why {
            page += &format!("\n{}: {}\n    {}\n", verdict.word(), plain(why), ids.join(", "));
        }
    }
    let counts: Vec<_> = Verdict::ALL
        .iter()
        .map(|verdict| format!("{} {}", count(rows, *verdict), verdict.word()))
        .collect();
    format!("{page}\n{} attempts: {}\n", rows.len(), counts.join(", "))
}

fn count(rows: &[Row], verdict: Verdict) -> usize {
    rows.iter().filter(|row| row.verdict == verdict).count()
}

fn answer(policy: &Policy, rows: &[Row]) -> Value {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.attempt.id, "what": row.attempt.what, "probe": row.attempt.line,
                "outside": row.outside.to_string(), "inside": row.inside.to_string(),
                "verdict": row.verdict.word(), "why": row.why,
                "control": format!("{:?}", row.attempt.control),
            })
        })
        .collect();
    let failed =
        rows.iter().any(|row| row["verdict"] == "WENT THROUGH" || row["verdict"] == "BROKEN");
    let strength = match policy.least.value {
        Strength::Namespaces => "namespaces",
        Strength::Landlock => "landlock",
    };
    json!({"policy": policy.name.as_str(), "strength": strength, "held": !failed, "rows": rows})
}
