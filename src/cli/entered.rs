//! A case that somebody is about to work in: held, laid out, and with a jail
//! prepared for it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::command::{Came, Command, To};
use super::prepared::{Prepared, Shows};
use super::progress::Line;
use super::report::{Failure, note, warn};
use super::surroundings::Surroundings;
use crate::case::{self, CaseId, Held, Manifest, Repo};
use crate::config::Settings;
use crate::hint::Hint;
use crate::jail::plan::Layered;
use crate::jail::policy::Policy;
use crate::repos::Store;
use crate::repos::snapshot::How;
use crate::world::{Ground, World, WorldError, place};

/// A case in use, until this is dropped.
#[derive(Debug)]
pub(super) struct Entered {
    held: Held,
    pub(super) manifest: Manifest,
    pub(super) repos_at: PathBuf,
    /// Where one begins.
    pub(super) start: PathBuf,
    indexes: Vec<PathBuf>,
    pub(super) layered: Vec<Layered>,
    pub(super) policy: Policy,
    pub(super) prepared: Prepared,
    pub(super) settings: Settings,
}

/// The machine went down while the case was in use.
#[derive(Debug, thiserror::Error)]
#[error("the machine went down while `{id}` was in use")]
struct WentDown {
    id: CaseId,
}

impl Hint for WentDown {
    fn hint(&self) -> Option<String> {
        Some(
            "What was written last may be missing or empty; look at it before relying on it."
                .into(),
        )
    }
}

impl Entered {
    /// Enters the case that is meant by `given`.
    pub(super) fn enter(
        given: &str,
        around: &Surroundings,
        as_whom: &str,
    ) -> Result<Self, Failure> {
        let (settings, library) = around.trusted()?;
        let home = settings.home().map(case::Home::new).map_err(Failure::user)?;
        let id = case::find(&home, given).map_err(Failure::case)?;
        let holder = around.holder(as_whom);
        let held = Held::take(&home, &id, &holder).map_err(Failure::case)?;
        let manifest = held.manifest().map_err(Failure::case)?;
        let policy = library.load(&manifest.policy).map_err(Failure::user)?;
        let store = Store::of(&home).share().map_err(Failure::user)?;
        let progress = Line::new();
        let ground = Ground {
            store: &store,
            git: &around.git(),
            holder: &holder,
            progress: &progress,
            now: around.now(),
        };
        let began = around.now();
        let world = World::lay(&ground, &held, policy.least.value).map_err(Failure::world)?;
        drop(progress);
        if let Some(how) = world.copied {
            note(&copied(how, around.now().duration_since(began).as_secs_f64()));
        }
        if world.power_cut.is_some() {
            warn(&WentDown { id });
        }
        let World {
            manifest, shown: of_case, layered, program_at, repos_at, start, indexes, ..
        } = world;
        let mut shown = policy.shown(Path::new("/"), &[]).map_err(Failure::user)?;
        shown.extend(of_case);
        let shows = Shows { shown, layered: layered.clone(), program_at };
        let prepared = Prepared::new(&policy, &settings, shows, around)?;
        Ok(Self { held, manifest, repos_at, start, indexes, layered, policy, prepared, settings })
    }

    /// Where the case is on the host.
    pub(super) fn dir(&self) -> PathBuf {
        self.held.dir()
    }

    /// Where one of its repositories is.
    pub(super) fn place(&self, repo: &Repo) -> PathBuf {
        place(&self.repos_at, &self.manifest.repos, repo)
    }

    /// Whether its code is a copy, at places of the host.
    pub(super) fn is_copied(&self) -> bool {
        self.repos_at != Path::new(case::inside::REPOS)
    }

    /// The index that one of its repositories began with.
    pub(super) fn index(&self, repo: &Repo) -> Option<&Path> {
        let nth = self.manifest.repos.iter().position(|other| other.name == repo.name)?;
        self.indexes.get(nth).map(PathBuf::as_path)
    }

    /// Runs a command in the case.
    pub(super) fn conduct(
        &self,
        args: &[OsString],
        cwd: PathBuf,
        timeout_s: Option<u64>,
        to: &To<'_>,
    ) -> Result<Came, Failure> {
        World::ready(&self.layered).map_err(Failure::world)?;
        Command { policy: &self.policy, args, cwd, timeout_s }.conduct(&self.prepared, to)
    }
}

/// What is said of a copy that was made.
fn copied(how: How, seconds: f64) -> String {
    let how = match how {
        How::Shared => "the file system shares the blocks until they are changed",
        How::Written => "byte by byte, since the file system cannot share blocks",
    };
    format!("copied the code for a jail without namespaces in {seconds:.1} s: {how}")
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Err(error) = World::leave(&self.held, &self.manifest) {
            warn(&error);
        }
    }
}

impl Failure {
    /// A world that could not be laid out.
    pub(super) fn world(error: WorldError) -> Self {
        match error {
            WorldError::Case(error) => Self::case(error),
            error => Self::user(error),
        }
    }
}
