//! The world of a case: which trees of the host its jail shows, where, and on what
//! the case writes.
//!
//! ```text
//! manifest ──► for each repo: snapshot, wiring, layers ──┐
//!                evidence, outputs, notes ───────────────┴──► what a plan is made of
//! ```
//!
//! A world is laid out anew for each jail. Whatever of it is missing and can be made
//! again is made: a snapshot that was collected, a wiring. Only what the case itself
//! has written is nobody else's, and lies in its layer.
//!
//! **Nothing that a case has written is entered here.** Its layers are named, moved
//! and shown, and the kernel lays them over the rest inside the jail. A jail without
//! mounts has a copy instead (`copied.rs`).

mod access;
mod collect;
mod copied;
mod error;
mod made;
mod place;
mod power;

use std::path::{Path, PathBuf};

use crate::case::{Held, Manifest, Repo, inside};
use crate::disk::{self, Holder};
use crate::jail::plan::Layered;
use crate::jail::policy::{Giver, Mode, Mount, Shown, Strength};
use crate::repos::snapshot::How;
use crate::repos::{Git, Progress, Shared};
use made::{find_or_make, mirror, pin, wired};

pub use collect::{Collected, collect, leftovers};
pub use copied::{Copying, copying, is_copied};
pub use error::WorldError;
pub use made::prepare;
pub use place::place;
pub use power::PowerCut;

/// What worlds are made of, and with.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "whoever is told of progress need not have it")]
pub struct Ground<'a> {
    pub store: &'a Shared,
    /// For what a partial clone lacks.
    pub git: &'a Git,
    pub holder: &'a Holder,
    pub progress: &'a dyn Progress,
    pub now: jiff::Timestamp,
}

/// What a jail has to show for a case.
#[derive(Debug)]
pub struct World {
    pub manifest: Manifest,
    pub shown: Vec<Shown>,
    pub layered: Vec<Layered>,
    /// Where the jail has this very program, if it needs it.
    pub program_at: Option<PathBuf>,
    /// Where its repositories are.
    pub repos_at: PathBuf,
    /// Where whoever comes in begins.
    pub start: PathBuf,
    /// How its code was copied, if that was necessary just now.
    pub copied: Option<How>,
    /// For each repository of the manifest, the index that it began with: a file of
    /// the store, so it is as we wrote it whatever became of the one in the case.
    pub indexes: Vec<PathBuf>,
    /// What was lost, if the machine went down while the case was in use.
    pub power_cut: Option<PowerCut>,
}

impl World {
    /// Lays out the world of a case, for a jail of this strength.
    pub fn lay(ground: &Ground<'_>, held: &Held, strength: Strength) -> Result<Self, WorldError> {
        let frozen = ground.store.store.layers();
        let mut manifest = held.settle(&frozen)?;
        if let Some(since) = manifest.closed {
            return Err(WorldError::Closed { id: held.id().clone(), since });
        }
        copied::same_strength(held, &manifest, strength)?;
        let power_cut = power::begin(&held.dir())?;
        let mut laying = Laying {
            ground,
            case: held.dir(),
            layer: held.layer(&manifest),
            below: manifest.below.iter().map(|id| frozen.join(id.to_string())).collect(),
            manifest: &manifest,
            shown: Vec::new(),
            layered: Vec::new(),
            wirings: Vec::new(),
        };
        let (top, copied) = match strength {
            Strength::Namespaces => {
                laying.host_side()?;
                laying.notes()?;
                for repo in &manifest.repos {
                    laying.repo(repo)?;
                }
                (PathBuf::from(inside::WORLD), None)
            }
            Strength::Landlock => {
                let how = laying.copied(held)?;
                (copied::copy_of(held, &manifest), how)
            }
        };
        let Laying { shown, layered, wirings, .. } = laying;
        let repos_at = top.join("repos");
        let indexes = wirings.iter().map(|wiring| wiring.join(".git/index")).collect();
        // A copy has no wirings.
        if !wirings.is_empty() && pin(&mut manifest.repos, &wirings) {
            held.write(&manifest)?;
        }
        let mut tops = manifest.repos.iter().filter(|repo| repo.within.is_none());
        let start = match (tops.next(), tops.next()) {
            (Some(only), None) => repos_at.join(only.name.as_str()),
            _ => top,
        };
        let program_at = (strength == Strength::Namespaces).then(|| inside::CHANGED.into());
        Ok(Self {
            manifest,
            shown,
            layered,
            program_at,
            repos_at,
            start,
            copied,
            indexes,
            power_cut,
        })
    }

    /// Puts what the case writes into in order for one more jail. What the kernel left
    /// of the jail before belongs to that one, and says that it ended badly even if it
    /// did not. Only the machine's going down could have cost something.
    pub fn ready(layered: &[Layered]) -> Result<(), WorldError> {
        for layered in layered {
            let work = layered.changes.join("work");
            disk::trash::empty(&work)?;
            disk::directory(&work)?;
        }
        Ok(())
    }

    /// Says that nobody works in the case any more, and nothing was lost.
    pub fn leave(held: &Held, manifest: &Manifest) -> Result<(), WorldError> {
        copied::settle_on_disk(held, manifest)?;
        Ok(power::end(&held.dir())?)
    }
}

struct Laying<'a> {
    ground: &'a Ground<'a>,
    case: PathBuf,
    manifest: &'a Manifest,
    /// What the case writes into.
    layer: PathBuf,
    /// The frozen layers that it lies on, the latest first.
    below: Vec<PathBuf>,
    shown: Vec<Shown>,
    layered: Vec<Layered>,
    wirings: Vec<PathBuf>,
}

impl Laying<'_> {
    /// What the host writes and the jail only reads.
    fn host_side(&mut self) -> Result<(), WorldError> {
        for (name, at) in [("evidence", inside::EVIDENCE), ("outputs", inside::OUTPUTS)] {
            let from = self.case.join(name);
            disk::directory(&from)?;
            self.show(from, at.into());
        }
        Ok(())
    }

    fn notes(&mut self) -> Result<(), WorldError> {
        // A tree of layers has at least one that is not written to.
        let empty = self.ground.store.store.path().join("empty");
        disk::directory(&empty)?;
        let part = Path::new("notes");
        let mut below = self.frozen(part);
        below.push(empty);
        self.lay(inside::NOTES.into(), part, below)
    }

    fn repo(&mut self, repo: &Repo) -> Result<(), WorldError> {
        let snapshot = find_or_make(self.ground, repo)?;
        let wiring = wired(self.ground, self.manifest, repo, &snapshot)?;
        let at = place(Path::new(inside::REPOS), &self.manifest.repos, repo);
        self.objects(repo)?;
        let part = Path::new("repos").join(repo.name.as_str());
        let frozen = self.frozen(&part);
        let upper = self.layer.join(&part).join("upper");
        // Whatever lies over the snapshot may differ from it.
        for (nth, from) in [upper].into_iter().chain(frozen.iter().cloned()).enumerate() {
            self.show(from, inside::changes(&at, nth));
        }
        let below = frozen.into_iter().chain([wiring.clone()]).chain(snapshot.layers).collect();
        self.wirings.push(wiring);
        self.lay(at, &part, below)
    }

    /// The objects that git reads, of the mirror and of what it borrows from.
    fn objects(&mut self, repo: &Repo) -> Result<(), WorldError> {
        let nothing = self.ground.store.store.path().join("nothing");
        for (nth, from) in mirror(self.ground, repo)?.objects()?.into_iter().enumerate() {
            let at = inside::objects(&repo.name, nth);
            let borrows = from.join("info/alternates");
            self.show(from, at.clone());
            if disk::stands(&borrows) {
                // It names places of the host, and git would miss them. The wiring
                // names them as they are here.
                disk::see_to(&nothing)?;
                self.show(nothing.clone(), at.join("info/alternates"));
            }
        }
        Ok(())
    }

    /// This part of the frozen layers that have it.
    fn frozen(&self, part: &Path) -> Vec<PathBuf> {
        let uppers = self.below.iter().map(|layer| layer.join(part).join("upper"));
        uppers.filter(|upper| disk::stands(upper)).collect()
    }

    fn lay(&mut self, at: PathBuf, part: &Path, below: Vec<PathBuf>) -> Result<(), WorldError> {
        let changes = self.layer.join(part);
        disk::directory(&changes.join("upper"))?;
        self.layered.push(Layered { at, below, changes, durable: self.manifest.durable });
        Ok(())
    }

    fn show(&mut self, from: PathBuf, to: PathBuf) {
        self.show_as(Mode::Read, from, to);
    }

    fn show_as(&mut self, mode: Mode, from: PathBuf, to: PathBuf) {
        let mount = Mount { from, to, mode };
        self.shown.push(Shown { mount, by: Giver::Case, optional: false });
    }
}
