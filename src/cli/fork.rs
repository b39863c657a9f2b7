//! `casefile fork`: a second hypothesis, which begins where a case stands.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::plain::plain_json;
use super::report::{Failure, print};
use super::surroundings::Surroundings;
use crate::case::{self, Begun, CaseId, Held, Home, Manifest, Opener, Origin};
use crate::repos::Store;
use crate::world::can_fork;

/// Begin a second case where one stands
///
/// Both have the same evidence, notes and code, and from now on each writes for
/// itself. Nothing is copied, so it takes no time and no room.
#[derive(Args, Debug)]
pub(crate) struct Fork {
    /// Its id, or the beginning of it
    case: String,
    /// What the new one is about [default: the same]
    #[arg(long)]
    title: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(fork: Fork, around: &Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    let id = case::find(&home, &fork.case).map_err(Failure::case)?;
    let store = Store::of(&home).share().map_err(Failure::user)?;
    let held = Held::take(&home, &id, &around.holder("casefile fork")).map_err(Failure::case)?;
    let parent = held.manifest().map_err(Failure::case)?;
    can_fork(&held, &parent).map_err(Failure::world)?;
    let parent = held.freeze(&store.store.layers()).map_err(Failure::case)?;
    let title = fork.title.as_deref().unwrap_or(&parent.title);
    let origin = Origin { by: Opener::Person, opened: around.now() };
    let mut manifest = Manifest::new(title, origin, parent.policy.clone())
        .map_err(|error| Failure::case(error.into()))?;
    manifest.incident = parent.incident;
    manifest.environment = parent.environment;
    manifest.repos = parent.repos;
    manifest.history = parent.history;
    manifest.durable = parent.durable;
    manifest.below = parent.below;
    manifest.forked_from = Some(id.clone());
    let new = begin(&home, &held, &manifest, around)?;
    let dir = home.case(&new).to_string_lossy().into_owned();
    print(&match fork.json {
        true => plain_json(&json!({"id": new, "directory": dir, "forked_from": id})),
        false => super::open::told(&new, &dir, &manifest, &[]),
    })
}

fn begin(
    home: &Home,
    parent: &Held,
    manifest: &Manifest,
    around: &Surroundings,
) -> Result<CaseId, Failure> {
    let random = around.random()?;
    let begun = Begun::new(home, random).map_err(Failure::case)?;
    // The one to read again, and what the notes speak of.
    case::share(&parent.dir().join("evidence"), &begun.evidence()).map_err(Failure::user)?;
    case::share(&parent.dir().join("outputs"), &begun.outputs()).map_err(Failure::user)?;
    let id = CaseId::new(&manifest.title, random);
    begun.finish(&id, manifest).map_err(Failure::case)?;
    Ok(id)
}
