//! What a world is made of and can be made again: the snapshot of each repository, and
//! the `.git` over it. Both are found in the store, or made there.

use std::path::{Path, PathBuf};

use super::{Ground, WorldError, place};
use crate::case::{Manifest, Repo, inside};
use crate::jail::policy::Strength;
use crate::repos::snapshot::{self, Snapshot};
use crate::repos::wiring::{self, Wires};
use crate::repos::{Mirror, RepoError, Until};

/// Makes all that the worlds of a case will need, and pins it in its manifest. Says
/// what is worth a word.
pub fn prepare(
    ground: &Ground<'_>,
    manifest: &mut Manifest,
    strength: Strength,
) -> Result<Vec<String>, WorldError> {
    let (mut said, mut wirings) = (Vec::new(), Vec::new());
    let mut repos = manifest.repos.clone();
    for repo in &repos {
        let snapshot = find_or_make(ground, repo)?;
        let notes = snapshot.notes.iter();
        said.extend(notes.map(|note| format!("`{}`: {note}", repo.name)));
        // A copy has its own `.git`.
        if strength == Strength::Namespaces {
            wirings.push(wired(ground, manifest, repo, &snapshot)?);
        }
    }
    pin(&mut repos, &wirings);
    manifest.repos = repos;
    Ok(said)
}

/// Writes down which wirings are in use, or they would be collected. Says whether
/// they are others than before.
pub(super) fn pin(repos: &mut [Repo], wirings: &[PathBuf]) -> bool {
    let mut changed = false;
    for (repo, wiring) in repos.iter_mut().zip(wirings) {
        let key = wiring.file_name().map(|key| key.to_string_lossy().into_owned());
        changed |= repo.wiring != key;
        repo.wiring = key;
    }
    changed
}

/// The snapshot of a repository, found or made.
pub(super) fn find_or_make(ground: &Ground<'_>, repo: &Repo) -> Result<Snapshot, WorldError> {
    let Ground { store, git, holder, progress, .. } = ground;
    if let Some(snapshot) = snapshot::find(&store.store, repo.mirror(), &repo.tree)? {
        return Ok(snapshot);
    }
    let mirror = mirror(ground, repo)?;
    match mirror.complete(store, &repo.commit, git, holder, *progress) {
        // The snapshot names what is missing of it, or says that too much is.
        Err(RepoError::Missing { .. }) => progress.note("not all that is missing can be had"),
        completed => completed?,
    }
    Ok(snapshot::make(store, &mirror.name, &mirror.path, &repo.commit, holder, *progress)?)
}

/// The layer with the `.git` of a repository, found or made.
pub(super) fn wired(
    ground: &Ground<'_>,
    manifest: &Manifest,
    repo: &Repo,
    snapshot: &Snapshot,
) -> Result<PathBuf, WorldError> {
    let Ground { store, holder, progress, .. } = ground;
    let repos_at = Path::new(inside::REPOS);
    let (name, worktree) = (repo.mirror(), place(repos_at, &manifest.repos, repo));
    let pinned = repo.wiring.as_ref();
    let found = pinned.and_then(|key| wiring::find(&store.store, name, key, snapshot, &worktree));
    if let Some(found) = found {
        return Ok(found);
    }
    let mirror = mirror(ground, repo)?;
    let count = mirror.objects()?.len();
    // The refs as a case sees them take a while to tell, and are often the same.
    let question = format!(
        "{} {:?} {:?} {} {} {count} {}",
        mirror.refs_digest()?,
        manifest.history,
        manifest.incident.as_ref().map(|incident| incident.at),
        repo.commit,
        worktree.display(),
        repo.from
    );
    let known = wiring::recall(&store.store, name, &question);
    let found = known.and_then(|key| wiring::find(&store.store, name, &key, snapshot, &worktree));
    if let Some(found) = found {
        return Ok(found);
    }
    let objects = (0..count).map(|nth| inside::objects(&repo.name, nth)).collect();
    let changed = Some(inside::CHANGED.into());
    let wires = wires(ground, manifest, repo, worktree, objects, changed)?;
    let made = wiring::make(store, name, snapshot, &wires, holder, *progress)?;
    if let Some(key) = made.file_name().and_then(|key| key.to_str()) {
        wiring::remember(&store.store, name, &question, key);
    }
    Ok(made)
}

/// What the `.git` of a repository says, where its tree and objects are at these places.
pub(super) fn wires(
    ground: &Ground<'_>,
    manifest: &Manifest,
    repo: &Repo,
    worktree: PathBuf,
    objects: Vec<PathBuf>,
    changed: Option<PathBuf>,
) -> Result<Wires, WorldError> {
    let mirror = mirror(ground, repo)?;
    let until = Until {
        at: manifest.incident.as_ref().map(|incident| incident.at),
        commit: repo.commit.clone(),
        now: ground.now,
    };
    let seen = mirror.refs(manifest.history, &until)?;
    Ok(Wires {
        head: repo.commit.clone(),
        refs: seen.into_iter().map(|seen| (seen.name, seen.id, seen.peeled)).collect(),
        objects,
        worktree,
        changed,
        shallow: mirror.shallow_at()?,
        origin: Some(repo.from.clone()),
    })
}

pub(super) fn mirror(ground: &Ground<'_>, repo: &Repo) -> Result<Mirror, WorldError> {
    Mirror::open(&ground.store.store, repo.mirror()).map_err(|error| match error {
        RepoError::NoSuch { .. } => {
            WorldError::NoMirror { name: repo.mirror().clone(), from: repo.from.clone() }
        }
        error => error.into(),
    })
}
