//! `casefile open`: a case is put together, with its code at the commit that was
//! live.

mod asked;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::plain::{plain, plain_json};
use super::progress::Line;
use super::report::{Failure, note, print};
use super::surroundings::Surroundings;
use super::table::Table;
use super::time;
use crate::case::{self, Begun, CaseId, History, Home, Incident, Manifest, Opener, Origin, Repo};
use crate::repos::{Deploys, Store};
use crate::world::{Ground, prepare};
use asked::{Asked, Found};

pub(super) use asked::is_path;

/// Open a case at the commit that was live, with its evidence
///
/// Of each repository the commit is the one that was asked for, or the one that a
/// deploy record names, or the newest on its branch at the time of the incident.
#[derive(Args, Debug)]
pub(crate) struct Open {
    /// What it is about [default: the names of its repos]
    #[arg(long)]
    title: Option<String>,
    /// When it happened: `2026-03-01T03:12:00Z`, `2026-03-01 03:12 Europe/Paris`, `-2h`
    /// [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// A repo, or the path of a checkout, and what of it if that is known (can be
    /// repeated) [default: every repo]
    #[arg(long = "repo", value_name = "NAME[@COMMIT|@TIME]")]
    repos: Vec<String>,
    /// Where it happened, for deploy records
    #[arg(long, value_name = "ENVIRONMENT")]
    env: Option<String>,
    /// What its jail allows [default: the policy of casefile.yaml, else `offline`]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// A file or directory that comes with the incident; it is copied (can be repeated)
    #[arg(long, value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// What the system that reported it calls it
    #[arg(long, value_name = "ID")]
    reference: Option<String>,
    /// Give names to what came after the incident too
    #[arg(long)]
    full_history: bool,
    /// Wait for the disk at the end of each command, so that a power cut costs nothing
    #[arg(long)]
    durable: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(open: Open, around: &Surroundings) -> Result<ExitCode, Failure> {
    let at = open.at.as_deref().map(|given| moment(given, around)).transpose()?;
    let as_json = open.json;
    let wanted = Wanted {
        by: Opener::Person,
        owner: None,
        as_whom: "casefile open",
        title: open.title,
        at,
        repos: open.repos,
        environment: open.env,
        policy: open.policy,
        evidence: open.evidence,
        reference: open.reference,
        full_history: open.full_history,
        durable: open.durable,
    };
    let Made { id, dir, manifest, reasons, notes } = make(wanted, around)?;
    if as_json {
        let whys = manifest.repos.iter().zip(&reasons);
        let repos = whys.map(|(repo, why)| {
            let mut json = json!(repo);
            json["why"] = json!(why);
            json
        });
        return print(&plain_json(&json!({
            "id": id,
            "directory": dir,
            "title": manifest.title,
            "policy": manifest.policy.as_str(),
            "repos": repos.collect::<Vec<_>>(),
            "notes": notes,
        })));
    }
    notes.iter().for_each(|line| note(line));
    print(&told(&id, &dir, &manifest, &reasons))
}

/// What a case is to be made of.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) by: Opener,
    /// The key of the principal whose it is.
    pub(super) owner: Option<String>,
    /// Who waits for it, where somebody else has to wait.
    pub(super) as_whom: &'static str,
    pub(super) title: Option<String>,
    pub(super) at: Option<Timestamp>,
    pub(super) repos: Vec<String>,
    pub(super) environment: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) evidence: Vec<PathBuf>,
    pub(super) reference: Option<String>,
    pub(super) full_history: bool,
    pub(super) durable: bool,
}

/// A case that was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) id: CaseId,
    pub(super) dir: String,
    pub(super) manifest: Manifest,
    /// Why each of its repos is at its commit.
    pub(super) reasons: Vec<String>,
    /// What is worth a word.
    pub(super) notes: Vec<String>,
}

/// Makes a case.
pub(super) fn make(wanted: Wanted, around: &Surroundings) -> Result<Made, Failure> {
    let (settings, library) = around.trusted()?;
    let home = settings.home().map(Home::new).map_err(Failure::user)?;
    let policy = match &wanted.policy {
        Some(name) => library.named(name),
        None => library.load(&settings.policy().value),
    };
    let policy = policy.map_err(Failure::user)?;
    let now = around.now();
    let store = Store::of(&home).share().map_err(Failure::user)?;
    let deploys = settings.deploys().map(|file| Deploys::read(&file.value)).transpose();
    let environment = settings.environment().map(|environment| environment.value.clone());
    let asked = Asked {
        around,
        store: &store,
        at: wanted.at,
        now,
        environment: wanted.environment.or(environment),
        deploys: deploys.map_err(Failure::user)?,
    };
    let Found { repos, reasons, mut notes } = asked.repos(&wanted.repos)?;
    let title = wanted.title.unwrap_or_else(|| title_of(&repos));
    let origin = Origin { by: wanted.by, opened: now };
    let mut manifest = Manifest::new(&title, origin, policy.name.clone())
        .map_err(|error| Failure::case(error.into()))?;
    manifest.owner = wanted.owner;
    // One that is only named is one of now, as its code is.
    let at = wanted.at.or_else(|| wanted.reference.as_ref().map(|_| now));
    manifest.incident = at.map(|at| Incident { at, reference: wanted.reference });
    manifest.environment = asked.environment.clone();
    manifest.repos = repos;
    manifest.durable = wanted.durable;
    if wanted.full_history {
        manifest.history = History::Full;
    }
    let progress = Line::new();
    let ground = Ground {
        store: &store,
        git: &around.git(),
        holder: &around.holder(wanted.as_whom),
        progress: &progress,
        now,
    };
    notes.extend(prepare(&ground, &mut manifest, policy.least.value).map_err(Failure::world)?);
    drop(progress);
    let (id, left_out) = put_together(&home, &manifest, &wanted.evidence, around)?;
    notes.extend(left_out);
    let dir = home.case(&id).to_string_lossy().into_owned();
    Ok(Made { id, dir, manifest, reasons, notes })
}

/// A case as it is shown to whoever just made it.
pub(super) fn told(id: &CaseId, dir: &str, manifest: &Manifest, reasons: &[String]) -> String {
    let mut table = Table::default();
    table.row(["case", id.as_str()]);
    table.row(["directory", &plain(dir)]);
    for (nth, repo) in manifest.repos.iter().enumerate() {
        let why = reasons.get(nth).map_or_else(|| repo.rule.to_string(), |why| plain(why));
        table.row(["repo", &format!("{} at {}: {why}", repo.name, repo.commit.short())]);
    }
    table.row(["next", &format!("casefile shell {id}")]);
    table.to_string()
}

/// The moment that was typed. Where it could be misread, how it was read is said.
pub(super) fn moment(given: &str, around: &Surroundings) -> Result<Timestamp, Failure> {
    let moment = time::parse(given, around.now(), &around.zone()).map_err(Failure::user)?;
    if let Some(told) = &moment.told {
        note(&format!("at {told}"));
    }
    Ok(moment.at)
}

fn title_of(repos: &[Repo]) -> String {
    const NAMES_MAX: usize = 4;
    let tops = repos.iter().filter(|repo| repo.within.is_none());
    let names: Vec<_> = tops.take(NAMES_MAX).map(|repo| repo.name.as_str()).collect();
    if names.is_empty() { "A case".into() } else { names.join(", ") }
}

/// Makes the case; says what of the evidence was left out.
fn put_together(
    home: &Home,
    manifest: &Manifest,
    evidence: &[PathBuf],
    around: &Surroundings,
) -> Result<(CaseId, Vec<String>), Failure> {
    let random = around.random()?;
    let begun = Begun::new(home, random).map_err(Failure::case)?;
    let here = &around.given.working_directory;
    let evidence: Vec<_> = evidence.iter().map(|path| here.join(path)).collect();
    let left_out = case::take_in(&evidence, &begun.evidence()).map_err(Failure::user)?;
    let left_out = left_out
        .iter()
        .map(|path| format!("left out of the evidence: `{}` is not a file", path.display()));
    let left_out = left_out.collect();
    let id = CaseId::new(&manifest.title, random);
    begun.finish(&id, manifest).map_err(Failure::case)?;
    Ok((id, left_out))
}
