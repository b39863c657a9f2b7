//! A run of the suite, and what it says of each check.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::packages::{node_program, package};

/// How a result's name ends.
const TIME: &str = "-2026-01-01T00-00-00-000Z";

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    pub(crate) succeeded: usize,
    scenarios: BTreeSet<String>,
    pub(crate) faults: Vec<Fault>,
}

/// A check that did not succeed, was only warned about, or was skipped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) scenario: String,
    pub(crate) check: String,
    outcome: String,
    why: String,
}

impl Ran {
    pub(crate) fn without_fault(&self) -> impl Iterator<Item = &str> {
        let has_none = |name: &&String| self.faults.iter().all(|it| it.scenario != **name);
        self.scenarios.iter().filter(has_none).map(String::as_str)
    }
}

/// Runs all scenarios that a version of the protocol requires of a server.
pub(crate) fn run(url: &str, revision: &str, beside: &Path) -> Ran {
    let results = beside.join(format!("results-{revision}"));
    let mut command = Command::new(node_program());
    command.arg(package("@modelcontextprotocol/conformance/dist/index.js"));
    command.args(["server", "--url", url, "--requirements", revision, "-o"]).arg(&results);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", beside);
    let said = command.output().unwrap();
    let mut ran = Ran::default();
    let all = std::fs::read_dir(&results)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&said.stdout)));
    for entry in all.flatten() {
        let name = entry.file_name().into_string().unwrap();
        let checks = std::fs::read(entry.path().join("checks.json")).unwrap();
        let checks: Vec<Value> = serde_json::from_slice(&checks).unwrap();
        // `server-`, the scenario, and the time of its run.
        let scenario = name.strip_prefix("server-").unwrap();
        let scenario = scenario[..scenario.len() - TIME.len()].to_owned();
        for check in checks {
            let of = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
            match of("status").as_str() {
                "SUCCESS" => ran.succeeded += 1,
                "INFO" => {}
                _ => ran.faults.push(Fault {
                    scenario: scenario.clone(),
                    check: of("id"),
                    outcome: of("status"),
                    why: of("errorMessage"),
                }),
            }
        }
        ran.scenarios.insert(scenario);
    }
    ran
}
