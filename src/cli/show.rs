//! `casefile show`: all there is to know of one case without going into it.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::list::minute;
use super::plain::{plain, plain_json};
use super::report::{Failure, print};
use super::surroundings::Surroundings;
use super::table::Table;
use crate::case::{self, Summary, Usage};
use crate::disk::Holder;

/// Show one case
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Its id, or the beginning of it
    case: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(show: Show, around: &Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    let id = case::find(&home, &show.case).map_err(Failure::case)?;
    let case = case::show(&home, &id).map_err(Failure::case)?;
    if show.json {
        let mut json = as_json(&case);
        json["directory"] = json!(home.case(&id).to_string_lossy());
        return print(&plain_json(&json));
    }
    let mut table = about(&case);
    table.row(["directory", &plain(&home.case(&id).to_string_lossy())]);
    print(&table.to_string())
}

/// A case as people read it.
pub(super) fn about(case: &Summary) -> Table<2> {
    let manifest = &case.manifest;
    let mut table = Table::default();
    table.row(["case", case.id.as_str()]);
    table.row(["title", &plain(&manifest.title)]);
    table.row(["state", &plain(&state(case))]);
    let origin = &manifest.origin;
    let opened = format!("{} UTC by {}", minute(origin.opened), origin.by);
    table.row(["opened", &opened]);
    if let Some(owner) = &manifest.owner {
        table.row(["belongs to", &plain(owner)]);
    }
    if let Some(incident) = &manifest.incident {
        let reference = incident
            .reference
            .as_ref()
            .map(|text| format!(" ({})", plain(text)))
            .unwrap_or_default();
        table.row(["incident", &format!("{} UTC{reference}", minute(incident.at))]);
    }
    if let Some(environment) = &manifest.environment {
        table.row(["environment", &plain(environment)]);
    }
    if let Some(parent) = &manifest.forked_from {
        table.row(["forked from", parent.as_str()]);
    }
    table.row(["policy", manifest.policy.as_str()]);
    for repo in &manifest.repos {
        let commit = repo.commit.to_string();
        table.row(["repo", &format!("{} at {commit} ({})", repo.name, repo.rule)]);
        table.row(["", &format!("from {}", plain(&repo.from))]);
        for (word, commit) in [("before it", &repo.before), ("after it", &repo.after)] {
            if let Some(commit) = commit {
                table.row(["", &format!("{word} {commit}")]);
            }
        }
        if let Some(within) = &repo.within {
            let path = within.path.as_path().to_string_lossy();
            table.row(["", &format!("as {} of {}", plain(&path), within.repo)]);
        }
    }
    table
}

/// A case as programs read it.
pub(crate) fn as_json(case: &Summary) -> Value {
    let manifest = &case.manifest;
    let (state, holder) = match &case.usage {
        Usage::Idle if manifest.closed.is_some() => ("closed", None),
        Usage::Idle => ("idle", None),
        Usage::InUse(holder) => ("in use", holder.as_ref()),
    };
    json!({
        "id": case.id.as_str(),
        "state": state,
        "holder": holder.map(holder_json),
        "title": manifest.title,
        "origin": manifest.origin,
        "owner": manifest.owner,
        "incident": manifest.incident,
        "policy": manifest.policy.as_str(),
        "environment": manifest.environment,
        "forked_from": manifest.forked_from,
        "closed": manifest.closed,
        "repos": manifest.repos,
    })
}

fn holder_json(holder: &Holder) -> Value {
    json!({"pid": holder.pid, "command": holder.command, "since": holder.since})
}

fn state(case: &Summary) -> String {
    match &case.usage {
        Usage::Idle => case
            .manifest
            .closed
            .map_or_else(|| "idle".into(), |closed| format!("closed since {} UTC", minute(closed))),
        Usage::InUse(None) => "in use".into(),
        Usage::InUse(Some(holder)) => {
            format!("in use by {holder} since {} UTC", minute(holder.since))
        }
    }
}
