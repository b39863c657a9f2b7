//! The zygote: a small process from which every jail is forked.
//!
//! It is this program started anew, so it holds nothing of its host: no memory, no
//! descriptor, no environment. It has one thread, so it may fork and go on in
//! Rust. And it stays small, so a fork of it is cheap however large the host is.
//!
//! Where the host is root, so is the zygote: it opens the directories that a plan
//! names while it may. What it forks is root no more before anything else.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::stat::stat;
use nix::unistd::setsid;

use super::cgroup::{self, Cgroup};
use super::host::readable;
use super::identity::{OwnerMaps, Who};
use super::plan::{Plan, What};
use super::policy::Strength;
use super::root::{Access, tree};
use super::seccomp::{Filters, Kind};
use super::stage::{At, Fault, Stage};
use super::stages;
use super::sys::{self, Fork};
use super::warden;
use super::watch::Watch;
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
    match serve(&Channel::of(socket)) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn serve(host: &Channel) -> io::Result<()> {
    // Wardens end by themselves, and nobody here asks how.
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    sys::set_action(Signal::SIGCHLD, &ignore)?;
    // A terminal's ^C is for the host, which decides what it means.
    let _ = setsid();
    let mut zygote = Zygote {
        who: Who::myself(),
        may_mount: sys::may_mount()?,
        maps: OwnerMaps::default(),
        filters: Vec::new(),
        cgroups: cgroup::Maker::find(),
    };
    loop {
        // Empty cgroups are removed while there is nothing else to do.
        while !readable(host.as_fd(), IDLE)? && !zygote.cgroups.remove_unused() {}
        let Some(Received { message: ToZygote::Open(plan), mut descriptors }) = host.receive()?
        else {
            break;
        };
        if let Some(channel) = descriptors.pop().map(Channel::of)
            && let Err(fault) = zygote.open(&plan, &channel)
        {
            let _ = channel.send(&FromWarden::Failed(fault), &[]);
        }
    }
    // The wardens have seen the host go too, and end what they started; they
    // would die with this process before they are done.
    for _ in 0..LEAVE_TRIES_MAX {
        let alone = sys::collect_child().is_err();
        if zygote.cgroups.remove_unused() && alone {
            break;
        }
        std::thread::sleep(LEAVE_TRY);
    }
    Ok(())
}

/// How long nothing must happen before the zygote tidies up.
const IDLE: Duration = Duration::from_millis(50);
/// How long it stays to tidy up once the host is gone.
const LEAVE_TRY: Duration = Duration::from_millis(5);
const LEAVE_TRIES_MAX: u32 = 200;

#[derive(Debug)]
struct Zygote {
    who: Who,
    /// Whether it can open trees on behalf of its jails.
    may_mount: bool,
    maps: OwnerMaps,
    filters: Vec<(Kind, Filters)>,
    cgroups: cgroup::Maker,
}

impl Zygote {
    /// Forks a jail. What goes wrong in it, the warden tells its host itself.
    fn open(&mut self, plan: &Plan, channel: &Channel) -> Result<(), Fault> {
        let sources = self.sources(plan)?;
        let cgroup = self.cgroups.make(plan)?;
        let kind = Kind {
            network: plan.network,
            strength: plan.strength,
            counted: cgroup.means() != Means::RlimitsAndWatch,
        };
        let filters = self.filters(kind);
        match sys::fork(0).at(Stage::Namespaces, "forking")? {
            Fork::Parent(_) => Ok(()),
            Fork::Child => {
                let jail = Jail { plan, who: self.who, channel, sources, cgroup, filters, kind };
                jail.become_warden()
            }
        }
    }

    /// The trees of the host that the plan shows, opened with root's rights and
    /// held to their use before those rights go. An ordinary user has no such
    /// rights to use: the jail opens them in its own namespaces.
    fn sources(&mut self, plan: &Plan) -> Result<Vec<Option<OwnedFd>>, Fault> {
        if plan.strength == Strength::Landlock || !self.may_mount {
            return Ok(plan.places.iter().map(|_| None).collect());
        }
        let mut sources = Vec::with_capacity(plan.places.len());
        for place in &plan.places {
            let opened = match &place.what {
                What::Show { from, write } => {
                    let access = if *write { Access::Write } else { Access::Read };
                    self.source(from, access)
                        .at(Stage::Place, format!("opening {}", from.display()))?
                }
                What::Device => Some(tree(&place.at, Access::Device))
                    .transpose()
                    .at(Stage::Place, format!("opening {}", place.at.display()))?,
                _ => None,
            };
            sources.push(opened);
        }
        Ok(sources)
    }

    fn source(&mut self, from: &Path, access: Access) -> io::Result<Option<OwnedFd>> {
        let opened = tree(from, access)?;
        let owner = stat(from)?;
        // What everybody may read anyway needs no other owner, and a filesystem
        // that cannot do this then does not matter.
        let everybody = owner.st_mode & 0o005 == 0o005 && owner.st_uid == 0;
        if access == Access::Read && everybody && is_of_the_system(from) {
            return Ok(Some(opened));
        }
        let map = self.maps.for_owner(self.who, owner.st_uid, owner.st_gid)?;
        sys::map_owners(opened.as_fd(), map)?;
        Ok(Some(opened))
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

/// A jail about to be, in the process that was forked for it.
#[derive(Debug)]
struct Jail<'a> {
    plan: &'a Plan,
    who: Who,
    channel: &'a Channel,
    sources: Vec<Option<OwnedFd>>,
    cgroup: Cgroup,
    filters: Filters,
    kind: Kind,
}

impl Jail<'_> {
    /// Never comes back: serves until the host is gone, or says why it cannot.
    fn become_warden(self) -> ! {
        let channel = self.channel;
        if let Err(fault) = self.enter_namespaces() {
            let _ = channel.send(&FromWarden::Failed(fault), &[]);
            sys::exit_now(1)
        }
        sys::exit_now(0)
    }

    fn enter_namespaces(self) -> Result<(), Fault> {
        // From here on its end is noticed: children are collected again.
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        sys::set_action(Signal::SIGCHLD, &default).at(Stage::Namespaces, "collecting children")?;
        self.cgroup.enter()?;
        stages::become_ordinary(self.who)?;
        if self.plan.strength == Strength::Landlock {
            prctl::set_child_subreaper(true).at(Stage::Namespaces, "adopting orphans")?;
            return self.serve();
        }
        // The new process is the zygote's child, not this one's, which ends here.
        let flags = stages::namespaces(self.plan.network) | libc::CLONE_PARENT;
        match sys::fork(flags).at(Stage::Namespaces, "making them")? {
            Fork::Parent(_) => Ok(()),
            Fork::Child => self.serve(),
        }
    }

    fn serve(self) -> Result<(), Fault> {
        prctl::set_pdeathsig(Signal::SIGKILL).at(Stage::Namespaces, "dying with the zygote")?;
        prctl::set_name(c"casefile-warden").at(Stage::Namespaces, "naming the warden")?;
        let Self { plan, who, channel, sources, cgroup, filters, kind } = self;
        let means = cgroup.means();
        let counters = cgroup.counters().at(Stage::Cgroup, "opening its counters")?;
        // Its doors, before all that is not kept is closed.
        drop(cgroup);
        let kept: Vec<_> = [channel.as_fd().as_raw_fd(), 1, 2]
            .into_iter()
            .chain(sources.iter().flatten().map(AsRawFd::as_raw_fd))
            .chain(counters.iter().map(|counter| counter.file.as_raw_fd()))
            .collect();
        sys::close_all_but(&kept).at(Stage::Namespaces, "closing the zygote's descriptors")?;
        // All three are /dev/null now, so that no descriptor that matters ever has
        // a number that a program expects a stream at.
        sys::put_null_at_stdin().at(Stage::Namespaces, "filling standard input")?;
        let mut locks = stages::build(plan, who, sources, filters, kind.counted)?;
        let grows = std::mem::take(&mut locks.grows);
        let watch = Watch::new(&plan.limits, means, counters, grows)
            .at(Stage::Limits, "starting the watch")?;
        // The host may be gone already; then serving ends at once.
        let _ = channel.send(&FromWarden::Ready { means }, &[]);
        let _ = warden::serve(channel, &locks, watch);
        sys::exit_now(0)
    }
}
