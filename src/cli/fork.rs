//! `casefile fork`: a second hypothesis, which begins where a case stands.

use std::ffi::OsString;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::command::{Command, To};
use super::plain::plain_json;
use super::prepared::{Prepared, Shows};
use super::report::{Failure, print};
use super::surroundings::Surroundings;
use crate::case::{self, Begun, CaseId, Held, Home, Manifest, Opener, Origin};
use crate::hint::Hint;
use crate::jail::wire::{End, Status};
use crate::repos::Store;
use crate::world::{Copying, copying, is_copied};

/// Begin a second case where one stands
///
/// Both have the same evidence, notes and code, and from now on each writes for
/// itself. Nothing is copied, so it takes no time and no room; only what works on a
/// copy already, as its policy has no namespaces, is copied again.
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
    let title = fork.title.as_deref();
    let (new, manifest) = make(&home, &id, title, By::PERSON, "casefile fork", around)?;
    let dir = home.case(&new).to_string_lossy().into_owned();
    print(&match fork.json {
        true => plain_json(&json!({"id": new, "directory": dir, "forked_from": id})),
        false => super::open::told(&new, &dir, &manifest, &[]),
    })
}

/// Who begins a second case.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    pub(super) opener: Opener,
    /// Whose it will be; without one, whose the first is.
    pub(super) key: Option<&'a str>,
}

impl By<'_> {
    const PERSON: Self = Self { opener: Opener::Person, key: None };
}

/// Begins a second case where one stands.
pub(super) fn make(
    home: &Home,
    id: &CaseId,
    title: Option<&str>,
    by: By<'_>,
    as_whom: &str,
    around: &Surroundings,
) -> Result<(CaseId, Manifest), Failure> {
    let store = Store::of(home).share().map_err(Failure::user)?;
    let held = Held::take(home, id, &around.holder(as_whom)).map_err(Failure::case)?;
    let parent = held.manifest().map_err(Failure::case)?;
    let is_copied = is_copied(&held, &parent);
    let parent = match is_copied {
        true => parent,
        false => held.freeze(&store.store.layers()).map_err(Failure::case)?,
    };
    let title = title.unwrap_or(&parent.title);
    let origin = Origin { by: by.opener, opened: around.now() };
    let mut manifest = Manifest::new(title, origin, parent.policy.clone())
        .map_err(|error| Failure::case(error.into()))?;
    manifest.owner = by.key.map(str::to_owned).or(parent.owner);
    manifest.incident = parent.incident;
    manifest.environment = parent.environment;
    manifest.repos = parent.repos;
    manifest.history = parent.history;
    manifest.durable = parent.durable;
    manifest.below = parent.below;
    manifest.forked_from = Some(id.clone());
    let new = begin(home, &held, &manifest, is_copied, around)?;
    Ok((new, manifest))
}

fn begin(
    home: &Home,
    parent: &Held,
    manifest: &Manifest,
    is_copied: bool,
    around: &Surroundings,
) -> Result<CaseId, Failure> {
    let random = around.random()?;
    let begun = Begun::new(home, random).map_err(Failure::case)?;
    // The one to read again, and what the notes speak of.
    case::share(&parent.dir().join("evidence"), &begun.evidence()).map_err(Failure::user)?;
    case::share(&parent.dir().join("outputs"), &begun.outputs()).map_err(Failure::user)?;
    if is_copied {
        let was = parent.manifest().map_err(Failure::case)?;
        copy(&copying(parent, &was, &begun).map_err(Failure::world)?, &was, around)?;
    }
    let id = CaseId::new(&manifest.title, random);
    begun.finish(&id, manifest).map_err(Failure::case)?;
    Ok(id)
}

/// For `sh`: what is in one copy, to another. Times are not kept, which no jail without
/// namespaces can set, so git will read the files once.
const COPY: &str = r#"set -eu
share=
if cp --help 2>&1 | grep -q reflink; then share=--reflink=auto; fi
cd "$1"
for part in notes repos/*; do
    [ ! -d "$part" ] || cp -dR $share "$part/." "$2/$part"
done
"#;

/// So much of what went wrong is repeated.
const SAID_BYTES_MAX: u64 = 2_000;

#[derive(Debug, thiserror::Error)]
enum NotCopied {
    #[error("copying what the case has written failed: {said}")]
    Failed { said: String },
    #[error("what was said of it could not be kept")]
    Kept(#[source] io::Error),
}

impl Hint for NotCopied {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Failed { .. } => "Look at it with `casefile shell`.".into(),
            Self::Kept(_) => "Free some space for temporary files and try again.".into(),
        })
    }
}

/// An agent wrote what is copied, so a jail copies it.
fn copy(copying: &Copying, parent: &Manifest, around: &Surroundings) -> Result<(), Failure> {
    let (settings, library) = around.trusted()?;
    let policy = library.load(&parent.policy).map_err(Failure::user)?;
    let mut shown = policy.shown(Path::new("/"), &[]).map_err(Failure::user)?;
    shown.extend(copying.shown.iter().cloned());
    let shows = Shows { shown, ..Shows::default() };
    let prepared = Prepared::new(&policy, &settings, shows, around)?;
    let words = ["sh", "-c", COPY, "sh"].map(OsString::from).into_iter();
    let places = [&copying.from, &copying.to].map(|path| path.clone().into_os_string());
    let args: Vec<OsString> = words.chain(places).collect();
    let kept = |error| Failure::user(NotCopied::Kept(error));
    let mut said = tempfile::tempfile_in(around.temporary_directory()).map_err(kept)?;
    let cwd = prepared.home.clone();
    let command = Command { policy: &policy, args: &args, cwd, timeout_s: None };
    let nothing = crate::disk::nothing().map_err(Failure::user)?;
    let ends = [nothing.as_fd(), said.as_fd(), said.as_fd()];
    let came = command.conduct(&prepared, &To::These(ends))?;
    match came.end() {
        Some(End { status: Status::Exited(0), passed: None, .. }) => return Ok(()),
        Some(End { passed: None, .. }) => {}
        // That has its own words.
        _ => drop(came.exit()?),
    }
    let mut bytes = Vec::new();
    let read = said.rewind().and_then(|()| said.take(SAID_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(kept)?;
    let said = String::from_utf8_lossy(&bytes).trim().to_owned();
    let said = if said.is_empty() { "it was ended".into() } else { said };
    Err(Failure::user(NotCopied::Failed { said }))
}
