//! Collecting garbage: what no case needs goes, and what a killed process has left.
//!
//! Everything is decided and moved aside while nobody else uses the store, which
//! takes moments; taking it apart afterwards takes as long as it takes, and nobody
//! waits for it.
//!
//! Nothing is decided by guessing: if one manifest cannot be read, nothing goes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::WorldError;
use crate::case::{self, CaseId, Home, LayerId, Manifest, RepoName, TreeId};
use crate::disk::{self, Holder, trash};
use crate::repos::{self, Store, snapshot, wiring};

/// What was collected.
#[derive(Debug, Default)]
pub struct Collected {
    pub snapshots: Vec<PathBuf>,
    pub wirings: Vec<PathBuf>,
    pub layers: Vec<PathBuf>,
    /// What was left by those that were killed.
    pub leftovers: Vec<PathBuf>,
}

impl Collected {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        let Self { snapshots, wirings, layers, leftovers } = self;
        [snapshots, wirings, layers, leftovers].into_iter().flatten()
    }
}

/// Moves something into the trash; a file is simply removed.
fn aside(trash: &Path, path: &Path) -> Result<(), WorldError> {
    if disk::is_directory(path) {
        return Ok(trash::move_in(trash, path)?);
    }
    Ok(disk::remove_file(path)?)
}

/// Collects. With `try_only`, only says what would go.
pub fn collect(
    home: &Home,
    holder: &Holder,
    tell: impl FnOnce(Option<&Holder>),
    try_only: bool,
) -> Result<Collected, WorldError> {
    let store = Store::of(home);
    let trash = store.trash();
    let collected = {
        let _alone = store.alone(holder, tell)?;
        let cases = cases(home)?;
        let collected = unneeded(&store, &cases)?;
        if !try_only {
            for path in collected.all() {
                aside(&trash, path)?;
            }
            wiring::forget(&store)?;
        }
        collected
    };
    if !try_only {
        case::clear(home)?;
        for dir in written(home, &store)? {
            disk::sweep(&dir)?;
        }
        repos::sweep(&store, holder)?;
        trash::finish(&trash)?;
    }
    Ok(collected)
}

/// What those have left that were killed, which [`collect`] removes. Nothing, if somebody
/// uses the store: what is being made then looks the same.
pub fn leftovers(home: &Home, holder: &Holder) -> Result<Option<Vec<PathBuf>>, WorldError> {
    let store = Store::of(home);
    let Some(_alone) = store.alone_now(holder)? else { return Ok(None) };
    let mut left = repos::leftovers(&store)?;
    left.extend(disk::list(&store.trash())?);
    left.extend(case::leftovers(home)?);
    Ok(Some(left))
}

/// The directories in which files are replaced, and a replacement may have been left.
fn written(home: &Home, store: &Store) -> Result<Vec<PathBuf>, WorldError> {
    let mut dirs = vec![home.path().into(), store.path().into()];
    dirs.extend(case::list(home)?.into_iter().map(|listed| home.cases().join(listed.name)));
    dirs.extend(disk::list(&store.mirrors())?.into_iter().filter(|dir| disk::is_directory(dir)));
    Ok(dirs)
}

fn cases(home: &Home) -> Result<Vec<(CaseId, Manifest)>, WorldError> {
    case::list(home)?
        .into_iter()
        .map(|listed| match listed.case {
            Ok(summary) => Ok((summary.id, summary.manifest)),
            Err(source) => Err(WorldError::Unknown {
                id: listed.name.to_string_lossy().into_owned(),
                source: source.into(),
            }),
        })
        .collect()
}

fn unneeded(store: &Store, cases: &[(CaseId, Manifest)]) -> Result<Collected, WorldError> {
    let open = cases.iter().filter(|(_, manifest)| manifest.closed.is_none());
    let repos: Vec<_> = open.flat_map(|(_, manifest)| &manifest.repos).collect();
    let mut trees: BTreeSet<(RepoName, TreeId)> =
        repos.iter().map(|repo| (repo.mirror().clone(), repo.tree.clone())).collect();
    let snapshots = snapshot::list(store)?;
    // A delta needs what it is a delta of.
    let bases: Vec<_> = snapshots
        .iter()
        .filter(|it| trees.contains(&(it.repo.clone(), it.tree.clone())))
        .filter_map(|it| Some((it.repo.clone(), it.base.clone()?)))
        .collect();
    trees.extend(bases);
    let wirings: BTreeSet<(&RepoName, &String)> =
        repos.iter().filter_map(|repo| Some((repo.mirror(), repo.wiring.as_ref()?))).collect();
    let layers: BTreeSet<LayerId> =
        case::needed_layers(cases.iter().map(|(id, manifest)| (id, manifest)));
    let is_needed = |name: &std::ffi::OsStr| {
        name.to_str()
            .and_then(|name| LayerId::parse(name).ok())
            .is_some_and(|id| layers.contains(&id))
    };
    Ok(Collected {
        snapshots: snapshots
            .into_iter()
            .filter(|it| !trees.contains(&(it.repo.clone(), it.tree.clone())))
            .map(|it| it.path)
            .collect(),
        wirings: wiring::list(store)?
            .into_iter()
            .filter(|it| !wirings.contains(&(&it.repo, &it.key)))
            .map(|it| it.path)
            .collect(),
        layers: disk::list(&store.layers())?
            .into_iter()
            .filter(|path| !path.file_name().is_some_and(is_needed))
            .collect(),
        leftovers: repos::leftovers(store)?,
    })
}
