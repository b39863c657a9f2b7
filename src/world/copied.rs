//! The world of a case whose jail has no mounts of its own: its code is a copy, at a
//! place of the host, and so is everything else.
//!
//! ```text
//! cases/<id>/layers/<layer>/copy/repos/<name>/   the code with its own `.git`; the jail writes it
//!                               /copy/notes/     the agent's own
//!                               /.copying/       what becomes `copy` when it is whole
//! ```
//!
//! The copy is made when the world is first laid, from then on it is the case's, and
//! the host never enters it again: for a fork it is a jail that copies it. What holds
//! the two that the jail may write belongs to the host, so that the jail can take
//! neither away.
//!
//! A case is worked in under one strength for good: an overlay holds what has changed,
//! and a copy holds everything, and neither can be had of the other without entering
//! what an agent wrote.

use std::path::{Path, PathBuf};

use super::access::Access;
use super::made::{find_or_make, mirror, wires};
use super::{Laying, WorldError, place};
use crate::case::{Begun, Held, Manifest, Repo};
use crate::disk::{self, DiskError, trash};
use crate::jail::policy::{Giver, Mode, Mount, Shown, Strength};
use crate::jail::{give_all_to_jail, give_to_jail, jail_user};
use crate::repos::snapshot::{self, How, Place};
use crate::repos::wiring;

/// Where the copy is in a layer.
const COPY: &str = "copy";
const COPYING: &str = ".copying";

/// Where the copy of a case is, once it is made.
pub(super) fn copy_of(held: &Held, manifest: &Manifest) -> PathBuf {
    held.layer(manifest).join(COPY)
}

/// Refuses to lay a world of one strength over what was written in one of the other.
pub(super) fn same_strength(
    held: &Held,
    manifest: &Manifest,
    now: Strength,
) -> Result<(), WorldError> {
    let layer = held.layer(manifest);
    let overlays = ["repos", "notes"].iter().any(|part| disk::stands(&layer.join(part)));
    let was = match (disk::stands(&layer.join(COPY)), overlays || !manifest.below.is_empty()) {
        (true, _) => Strength::Landlock,
        (_, true) => Strength::Namespaces,
        (false, false) => return Ok(()),
    };
    if was == now {
        return Ok(());
    }
    let was = match was {
        Strength::Namespaces => "namespaces",
        Strength::Landlock => "landlock",
    };
    let (id, policy) = (held.id().clone(), manifest.policy.clone());
    Err(WorldError::OtherStrength { id, was, policy })
}

impl Laying<'_> {
    /// Lays a world out of the host's own places. Says how the copy was made, if it was
    /// made just now.
    pub(super) fn copied(&mut self, held: &Held) -> Result<Option<How>, WorldError> {
        let access = Access::of(&self.case);
        let copy = copy_of(held, self.manifest);
        for name in ["evidence", "outputs"] {
            let dir = self.case.join(name);
            disk::directory(&dir)?;
            access.read(&dir)?;
            self.show(dir.clone(), dir);
        }
        for repo in &self.manifest.repos {
            for objects in mirror(self.ground, repo)?.objects()? {
                access.read(&objects)?;
                self.show(objects.clone(), objects);
            }
        }
        let how = match disk::stands(&copy) {
            true => None,
            false => Some(self.copy(&copy)?),
        };
        access.read_one(&copy)?;
        access.read_one(&copy.join("repos"))?;
        self.show(copy.clone(), copy.clone());
        for dir in writable(&copy, &self.manifest.repos) {
            self.show_as(Mode::Write, dir.clone(), dir);
        }
        Ok(how)
    }

    fn copy(&self, copy: &Path) -> Result<How, WorldError> {
        let ground = self.ground;
        let repos = &self.manifest.repos;
        let making = self.layer.join(COPYING);
        disk::directory(&self.layer)?;
        if disk::stands(&making) {
            // Of one who was killed. No jail has seen it.
            trash::remove(&ground.store.store.trash(), &making)?;
        }
        for part in ["repos", "notes"] {
            disk::directory(&making.join(part))?;
        }
        let (uid, gid) = jail_user()
            .unwrap_or_else(|| (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()));
        let mut how = How::Shared;
        for repo in repos {
            let snapshot = find_or_make(ground, repo)?;
            let worktree = place(&copy.join("repos"), repos, repo);
            let part = worktree.strip_prefix(copy).unwrap_or(&worktree);
            // That of a submodule is there, in the one that it is a part of.
            let into = making.join(part);
            disk::directory(&into)?;
            let place = Place { worktree: worktree.clone(), uid, gid };
            let copied = snapshot::copy(&snapshot, &into, &place, ground.progress)?;
            if copied.how == How::Written {
                how = How::Written;
            }
            let objects = mirror(ground, repo)?.objects()?;
            let wires = wires(ground, self.manifest, repo, worktree, objects, None)?;
            wiring::alone(&into.join(".git"), &wires, &copied.index)?;
        }
        for dir in writable(&making, repos) {
            give_all_to_jail(&dir).map_err(DiskError::io("give away", &dir))?;
        }
        put(&making, copy)?;
        Ok(how)
    }
}

/// What a jail has to do for a fork: to copy all that is in `from` to `to`.
#[derive(Debug)]
pub struct Copying {
    pub from: PathBuf,
    pub to: PathBuf,
    pub shown: Vec<Shown>,
}

/// Whether a case works on a copy, which is no layer that two cases can lie on.
pub fn is_copied(held: &Held, manifest: &Manifest) -> bool {
    disk::stands(&copy_of(held, manifest))
}

/// Prepares a fork of a case that works on a copy. `begun` gets the directories that
/// the jail will fill.
pub fn copying(held: &Held, manifest: &Manifest, begun: &Begun) -> Result<Copying, WorldError> {
    let from = copy_of(held, manifest);
    let access = Access::of(&held.dir());
    let to = begun.layer().join(COPY);
    let show = |dir: &Path, mode| {
        let mount = Mount { from: dir.into(), to: dir.into(), mode };
        Shown { mount, by: Giver::Case, optional: false }
    };
    let mut shown = vec![show(&from, Mode::Read), show(&to, Mode::Read)];
    for dir in writable(&to, &manifest.repos) {
        disk::directory(&dir)?;
        give_to_jail(&dir).map_err(DiskError::io("give away", &dir))?;
        shown.push(show(&dir, Mode::Write));
    }
    for dir in [&to, &to.join("repos")] {
        access.read_one(dir)?;
    }
    Ok(Copying { from, to, shown })
}

/// What of a copy the jail may write.
fn writable(copy: &Path, repos: &[Repo]) -> Vec<PathBuf> {
    let tops = repos.iter().filter(|repo| repo.within.is_none());
    let tops = tops.map(|repo| copy.join("repos").join(repo.name.as_str()));
    tops.chain([copy.join("notes")]).collect()
}

#[expect(clippy::disallowed_methods, reason = "what this process has just made")]
fn put(making: &Path, copy: &Path) -> Result<(), DiskError> {
    std::fs::rename(making, copy).map_err(DiskError::io("create", copy))
}

/// Waits until the disk has what was written in a copy.
#[expect(clippy::disallowed_methods, reason = "a directory of casefile's own, never listed")]
pub(super) fn settle_on_disk(held: &Held, manifest: &Manifest) -> Result<(), DiskError> {
    let copy = copy_of(held, manifest);
    if !manifest.durable || !disk::stands(&copy) {
        return Ok(());
    }
    let dir = std::fs::File::open(&copy).map_err(DiskError::io("open", &copy))?;
    nix::unistd::syncfs(&dir).map_err(DiskError::io("write", &copy))
}
