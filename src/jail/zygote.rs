//! The zygote: a small process from which every jail is forked.
//!
//! It is this program started anew, so it holds nothing of its host: no memory, no
//! descriptor, no environment. It has one thread, so it may fork and go on in
//! Rust. And it stays small, so a fork of it is cheap however large the host is.
//!
//! Where the host is root, so is the zygote: it opens the directories that a plan
//! names while it may. What it forks is root no more before anything else.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::stat::fstat;
use nix::unistd::setsid;

use super::blank::{Blank, Make, Maker, Order};
use super::cgroup;
use super::found::{Found, open_real};
use super::host::readable;
use super::identity::{OwnerMaps, Who};
use super::plan::{Plan, What};
use super::policy::Strength;
use super::root::{Access, Sources, tree};
use super::seccomp::{Filters, Kind};
use super::stage::{At, Fault, Stage};
use super::sys;
use super::wire::{Channel, FromWarden, Means, Received, ToZygote};

/// The name under which this program is started to be a zygote.
pub(super) const NAME: &str = "casefile-zygote";

/// Serves the host until it is gone. The socket is standard input.
pub(super) fn main() -> i32 {
    if !sys::one_thread() {
        return 1;
    }
    let Some(socket) = sys::inherited(0) else { return 1 };
    if sys::close_range(3, i32::MAX).is_err() {
        return 1;
    }
    std::panic::set_hook(Box::new(|_| sys::exit_now(1)));
    #[expect(clippy::disallowed_methods, reason = "the one thing that it is told at its start")]
    let ahead = std::env::args_os().nth(1).is_none_or(|word| word != FOR_ONE);
    match serve(&Channel::of(socket), ahead) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// Under this name it makes no blanks ahead of time.
pub(super) const FOR_ONE: &str = "for-one";

fn serve(host: &Channel, ahead: bool) -> io::Result<()> {
    // Wardens end by themselves, and nobody here asks how.
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    sys::set_action(Signal::SIGCHLD, &ignore)?;
    let _ = prctl::set_name(c"casefile-zygote");
    // A terminal's ^C is for the host, which decides what it means.
    let _ = setsid();
    let who = Who::myself();
    let mut zygote = Zygote {
        who,
        // Tried, since a capability may be of a namespace that owns no mounts.
        opens_trees: matches!(who, Who::Dropped { .. })
            && open_real(Path::new("/")).and_then(|top| tree(&top, Access::Read)).is_ok(),
        maps: OwnerMaps::default(),
        filters: Vec::new(),
        cgroups: cgroup::Maker::find(),
        blank: None,
    };
    let mut next = ahead.then(Make::usual);
    loop {
        // Whatever can be done ahead of time is done while nothing is asked for.
        if let Some(make) = next.take()
            && !readable(host.as_fd(), IDLE)?
        {
            zygote.prepare(make);
        }
        while !readable(host.as_fd(), QUIET)? && !zygote.cgroups.remove_unused(ENTER_MAX) {}
        let Some(Received { message: ToZygote::Open(plan), mut descriptors }) = host.receive()?
        else {
            break;
        };
        if let Some(channel) = descriptors.pop().map(Channel::of)
            && let Err(fault) = zygote.open(&plan, &channel)
        {
            let _ = channel.send(&FromWarden::Failed(fault), &[]);
        }
        // More of the same is the best guess.
        next = ahead.then(|| Make::of(&plan));
    }
    if let Some(blank) = zygote.blank.take() {
        zygote.cgroups.let_go(&blank.cgroup);
    }
    // The wardens have seen the host go too, and end what they started; they
    // would die with this process before they are done.
    for _ in 0..LEAVE_TRIES_MAX {
        let alone = sys::collect_child().is_err();
        if zygote.cgroups.remove_unused(Duration::ZERO) && alone {
            break;
        }
        std::thread::sleep(LEAVE_TRY);
    }
    zygote.cgroups.give_back();
    Ok(())
}

/// How long nothing must be asked for before the zygote works ahead, and before
/// it tidies up.
const IDLE: Duration = Duration::from_millis(1);
const QUIET: Duration = Duration::from_millis(50);
/// So long may a busy machine take to start a process that was forked.
const ENTER_MAX: Duration = Duration::from_secs(20);
/// How long it stays to tidy up once the host is gone.
const LEAVE_TRY: Duration = Duration::from_millis(5);
const LEAVE_TRIES_MAX: u32 = 200;

#[derive(Debug)]
struct Zygote {
    who: Who,
    /// Whether it is root, and may open trees on behalf of its jails.
    opens_trees: bool,
    maps: OwnerMaps,
    filters: Vec<(Kind, Filters)>,
    cgroups: cgroup::Maker,
    blank: Option<Blank>,
}

impl Zygote {
    /// Makes a jail of a blank. What goes wrong in it, it tells the host itself.
    fn open(&mut self, plan: &Plan, host: &Channel) -> Result<(), Fault> {
        let sources = self.sources(plan)?;
        let make = Make::of(plan);
        let blank = match self.blank.take_if(|blank| blank.make == make) {
            Some(blank) => blank,
            None => self.fork_blank(make)?,
        };
        let limited = blank.cgroup.limit(plan);
        self.cgroups.let_go(&blank.cgroup);
        limited?;
        let counted = blank.cgroup.means() != Means::RlimitsAndWatch;
        let local_sockets = plan.local_sockets;
        let kind = Kind { network: plan.network, strength: plan.strength, counted, local_sockets };
        let trees = sources.iter().map(Sources::len).collect();
        let order = Order { plan: plan.clone(), filters: self.filters(kind), trees };
        blank.order(&order, host, &sources).at(Stage::Zygote, "giving the order")
    }

    fn prepare(&mut self, make: Make) {
        if self.blank.is_none() {
            // What is wrong will be told when a jail is asked for.
            self.blank = self.fork_blank(make).ok();
        }
    }

    fn fork_blank(&mut self, make: Make) -> Result<Blank, Fault> {
        let cgroup = self.cgroups.make()?;
        let by = Maker { who: self.who, opens_trees: self.opens_trees };
        Blank::fork(make, by, cgroup)
    }

    /// The trees of the host that the plan shows, opened with root's rights and
    /// held to their use before those rights go. An ordinary user has no such
    /// rights to use: the jail opens them in its own namespaces.
    fn sources(&mut self, plan: &Plan) -> Result<Vec<Sources>, Fault> {
        if plan.strength == Strength::Landlock || !self.opens_trees {
            return Ok(plan.places.iter().map(|_| Sources::new()).collect());
        }
        let opening = |from: &Found| format!("opening {}", from.real.display());
        let mut sources = Vec::with_capacity(plan.places.len());
        for place in &plan.places {
            sources.push(match &place.what {
                What::Show { from, write } => {
                    let access = if *write { Access::Write } else { Access::Read };
                    vec![self.source(from, access).at(Stage::Place, opening(from))?]
                }
                What::Layered { below, changes, .. } => [(changes, Access::Write)]
                    .into_iter()
                    .chain(below.iter().map(|found| (found, Access::Read)))
                    .map(|(from, access)| self.layer(from, access).at(Stage::Place, opening(from)))
                    .collect::<Result<_, _>>()?,
                _ => Sources::new(),
            });
        }
        Ok(sources)
    }

    /// A layer, which is of no use with owners that the jail has no name for: it
    /// could not be changed, not even above.
    fn layer(&mut self, from: &Found, access: Access) -> io::Result<OwnedFd> {
        let found = from.open()?;
        let opened = tree(&found, access)?;
        let owner = fstat(&found)?;
        let map = self.maps.for_owner(self.who, owner.st_uid, owner.st_gid)?;
        sys::map_owners(opened.as_fd(), map)?;
        Ok(opened)
    }

    fn source(&mut self, from: &Found, access: Access) -> io::Result<OwnedFd> {
        let found = from.open()?;
        let opened = tree(&found, access)?;
        let owner = fstat(&found)?;
        // What everybody may read anyway needs no other owner, and a filesystem
        // that cannot do this then does not matter.
        let everybody = owner.st_mode & 0o005 == 0o005 && owner.st_uid == 0;
        if access == Access::Read && everybody && is_of_the_system(&from.real) {
            return Ok(opened);
        }
        let map = self.maps.for_owner(self.who, owner.st_uid, owner.st_gid)?;
        match sys::map_owners(opened.as_fd(), map) {
            // A filesystem that cannot do it shows what anybody may read.
            Err(error) if access == Access::Read && error.raw_os_error() == Some(libc::EINVAL) => {
                Ok(opened)
            }
            mapped => mapped.map(|()| opened),
        }
    }

    fn filters(&mut self, kind: Kind) -> Filters {
        if let Some((_, filters)) = self.filters.iter().find(|(known, _)| *known == kind) {
            return filters.clone();
        }
        let filters = Filters::compile(kind);
        self.filters.push((kind, filters.clone()));
        filters
    }
}

/// Whether a path is one of those that every program needs.
fn is_of_the_system(path: &Path) -> bool {
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc"]
        .iter()
        .any(|top| path.starts_with(top))
}
