//! What a jail is to be, decided before any process is made for it.
//!
//! A plan is made on the host from a policy and what the caller asked to be
//! shown. It travels to the zygote as a message, so it is plain data; the stages
//! carry it out and decide nothing.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::error::PlanError;
use self::host::{check, find, layer, shown_if_there, this_program};
use self::place::devices;
pub(super) use self::place::furniture;
pub use self::place::{Place, What};
use super::policy::{Giver, Network, Shown, Strength};
use crate::config::limits::{Limit, Limits};

mod error;
mod host;
mod place;

/// The jail's own user: its id inside, its name, its home.
pub(super) const USER_ID: u32 = 1000;
pub const USER: &str = "case";
pub const HOME: &str = "/home/case";
pub(super) const HOSTNAME: &str = "case";

/// Everything that the stages need to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub strength: Strength,
    pub network: Network,
    /// Whether sockets with a name can be made and talked to.
    pub local_sockets: bool,
    /// In the order in which they are put in place.
    pub places: Vec<Place>,
    /// What the jail makes for itself, before them. Nearly always the same, so it is
    /// made before a plan is there.
    pub own: Vec<Place>,
    pub limits: Limits,
}

/// A tree that is made of several and may be changed.
#[derive(Clone, Debug)]
pub struct Layered {
    /// Where, in the jail. Nothing else can be shown in it but another such tree, which
    /// is left out where the jail before has put something else than a directory.
    pub at: PathBuf,
    /// Directories of the host, each laid over the next. They stay as they are, and
    /// must do so for as long as the jail is there.
    pub below: Vec<PathBuf>,
    /// A directory of the host with two in it: `upper` takes what changes, and `work`
    /// belongs to the kernel. One jail at a time; `work` is empty at first and has to
    /// be emptied before the next.
    pub changes: PathBuf,
    /// Whether the end of the jail waits until the disk has it all.
    pub durable: bool,
}

/// What a jail is wanted for, by policy and by its caller.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub strength: Strength,
    pub network: Network,
    /// Allowed even where one of the host's may be in sight.
    pub local_sockets: bool,
    pub limits: &'a Limits,
    /// Where casefile keeps its own, which no jail may change: what a jail may do
    /// is decided there.
    pub kept: Vec<PathBuf>,
    /// In the order in which they are laid down; of two at one place the later
    /// holds.
    pub shown: Vec<Shown>,
    /// Trees to change, after all that is shown.
    pub layered: Vec<Layered>,
    /// Where the jail has this very program.
    pub program_at: Option<PathBuf>,
    /// A directory of the host that serves as home and for temporary files, where
    /// a jail has no memory of its own for them.
    pub scratch: Option<PathBuf>,
}

impl Plan {
    /// Decides what the jail will be. Looks at the host, and changes nothing.
    pub fn new(wanted: &Wanted<'_>) -> Result<Self, PlanError> {
        let Wanted { strength, network, local_sockets, limits, kept, shown, .. } = wanted;
        let mut shows: Vec<Place> = Vec::new();
        for shown in shown {
            let place = match shown.optional {
                true => shown_if_there(&shown.mount.from)?,
                false => {
                    // What casefile keeps for a case is the case's own to change.
                    let kept = if shown.by == Giver::Case { &[][..] } else { kept };
                    Some(check(&shown.mount, *strength, kept)?)
                }
            };
            if let Some(place) = place {
                shows.retain(|earlier| earlier.at != place.at);
                shows.push(place);
            }
        }
        if let Some(at) = &wanted.program_at {
            let from = this_program()?;
            shows.push(Place::new(at, What::Show { from, write: false }));
        }
        if let Some(dir) = &wanted.scratch {
            shows.push(Place::new(dir, What::Show { from: find(dir)?, write: true }));
        }
        for layered in &wanted.layered {
            let place = layer(layered, *strength)?;
            shows.retain(|earlier| earlier.at != place.at);
            shows.push(place);
        }
        let mut own = match strength {
            Strength::Namespaces => furniture(),
            Strength::Landlock => devices(),
        };
        // A file that is shown takes the place of the one that would be made.
        own.retain(|place| shows.iter().all(|shown| shown.at != place.at));
        // Whoever may write to a socket may talk to it, on a read-only mount too, and
        // the owner that a mount shows counts. So there is none in sight, or none to
        // be had. What the system's directories hold is for everybody anyway. What a
        // case shows holds none: evidence and snapshots are files, directories and
        // links, and so are a repository's objects. In what a case has changed there
        // may be some, with nobody at the other end, for its jail is over.
        // Without namespaces all of the host's are in sight.
        let none_in_sight = shown.iter().all(|shown| shown.optional || shown.by == Giver::Case);
        Ok(Self {
            strength: *strength,
            network: *network,
            local_sockets: *strength == Strength::Namespaces && (*local_sockets || none_in_sight),
            places: shows,
            own,
            limits: (*limits).clone(),
        })
    }

    pub(super) fn bytes(&self, limit: Limit) -> u64 {
        self.limits.get(limit).saturating_mul(1024 * 1024)
    }

    /// Whether the jail has something of the host at or above this path.
    pub fn shows(&self, path: &Path) -> bool {
        self.places
            .iter()
            .filter(|place| matches!(&place.what, What::Show { .. } | What::Layered { .. }))
            .any(|place| path.starts_with(&place.at))
    }
}
