//! A blank: a process in namespaces of its own that is not yet any jail.
//!
//! The dear part of a jail (a cgroup, seven namespaces) is the same for all, so
//! the zygote has one made before it is asked for. A blank then waits for its
//! order: the plan, and the host's socket, on which everything that went wrong is
//! told, what went wrong before the order too.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::wait::waitpid;
use serde::{Deserialize, Serialize};

use super::cgroup::Cgroup;
use super::counter::{Clock, Counter};
use super::found::open_real;
use super::identity::Who;
use super::landlock::Spot;
use super::plan::{Place, Plan, What, furniture};
use super::policy::{Network, Strength};
use super::processes::Processes;
use super::root::{Access, Root, Sources, tree};
use super::seccomp::Filters;
use super::stage::{At, Fault, Stage};
use super::stages;
use super::sys::{self, Fork};
use super::warden;
use super::watch::{Held, Watch};
use super::wire::{Channel, FromWarden, Means, Received};
use crate::config::limits::{Limit, Limits};

/// What a blank is made for, before there is a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Make {
    strength: Strength,
    /// Whether it stays in the host's network.
    host_network: bool,
    /// What it makes for itself, and how large what of that is in memory may grow.
    own: Vec<Place>,
    scratch_mib: u64,
}

impl Make {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            strength: plan.strength,
            host_network: plan.network == Network::Host,
            own: plan.own.clone(),
            scratch_mib: plan.limits.get(Limit::Scratch),
        }
    }

    /// What the first jail of a host most likely is.
    pub(super) fn usual() -> Self {
        Self {
            strength: Strength::Namespaces,
            host_network: false,
            own: furniture(),
            scratch_mib: Limits::default().get(Limit::Scratch),
        }
    }
}

/// Zygote to blank. Comes with the host's socket, and with the trees that root
/// opened for the places that have one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) plan: Plan,
    pub(super) filters: Filters,
    /// For each place of the plan, how many trees came along.
    pub(super) trees: Vec<usize>,
}

/// Who makes a blank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maker {
    pub(super) who: Who,
    /// Whether it is root, and may open trees on behalf of its jails.
    pub(super) opens_trees: bool,
}

/// A blank, as its zygote holds it.
#[derive(Debug)]
pub(super) struct Blank {
    pub(super) make: Make,
    pub(super) cgroup: Cgroup,
    orders: Channel,
}

impl Blank {
    /// Forks one.
    pub(super) fn fork(make: Make, by: Maker, cgroup: Cgroup) -> Result<Self, Fault> {
        let (orders, theirs) = Channel::pair().at(Stage::Zygote, "making a socket")?;
        match sys::fork(0).at(Stage::Zygote, "forking")? {
            Fork::Parent(_) => Ok(Self { make, cgroup, orders }),
            Fork::Child => {
                drop(orders);
                become_blank(&make, by, &cgroup, &theirs)
            }
        }
    }

    /// Makes it a jail. It answers on the host's socket.
    pub(super) fn order(
        &self,
        order: &Order,
        host: &Channel,
        sources: &[Sources],
    ) -> io::Result<()> {
        let along: Vec<_> =
            [host.as_fd()].into_iter().chain(sources.iter().flatten().map(AsFd::as_fd)).collect();
        self.orders.send(order, &along)
    }
}

/// Never comes back.
fn become_blank(make: &Make, by: Maker, cgroup: &Cgroup, orders: &Channel) -> ! {
    let entered = devices(make, by).and_then(|devices| {
        let fork = enter_namespaces(make, by.who, cgroup)?;
        Ok((fork, devices))
    });
    let prepared = match entered {
        // The process in the new pid namespace goes on; this one was on the way.
        Ok((Fork::Parent(_), _)) => sys::exit_now(0),
        Ok((Fork::Child, devices)) => prepare(orders, make, by.who, cgroup, devices),
        Err(fault) => Err(fault),
    };
    serve(orders, prepared, cgroup)
}

/// The device files, which only root may mount from outside of the jail.
fn devices(make: &Make, by: Maker) -> Result<Vec<Sources>, Fault> {
    let opened_here = by.opens_trees && make.strength == Strength::Namespaces;
    let open = |place: &Place| match place.what {
        What::Device if opened_here => open_real(&place.at)
            .and_then(|at| tree(&at, Access::Device))
            .map(|device| vec![device])
            .at(Stage::Place, format!("opening {}", place.at.display())),
        _ => Ok(Sources::new()),
    };
    make.own.iter().map(open).collect()
}

fn enter_namespaces(make: &Make, who: Who, cgroup: &Cgroup) -> Result<Fork, Fault> {
    // The zygote does not care how its children end; a warden does.
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    sys::set_action(Signal::SIGCHLD, &default).at(Stage::Namespaces, "collecting children")?;
    cgroup.enter()?;
    stages::become_ordinary(who)?;
    if make.strength == Strength::Landlock {
        return with_keeper();
    }
    // The new process is the zygote's child, not this one's.
    let flags = stages::namespaces(make.host_network) | libc::CLONE_PARENT;
    sys::fork(flags).at(Stage::Namespaces, "making them")
}

/// Without namespaces: this process stays as the keeper of the warden that goes
/// on. What a warden leaves that is killed comes to the keeper, which ends it; and
/// a warden whose keeper is killed ends it all itself.
fn with_keeper() -> Result<Fork, Fault> {
    let stage = Stage::Namespaces;
    let adopt = || prctl::set_child_subreaper(true).at(stage, "adopting orphans");
    adopt()?;
    match sys::fork(0).at(stage, "forking")? {
        Fork::Child => adopt().map(|()| Fork::Child),
        Fork::Parent(warden) => {
            let _ = prctl::set_name(c"casefile-keeper");
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            // Nobody of the same user may look into its memory, and what the
            // warden holds must not stay open because of this process.
            let _ = prctl::set_dumpable(false);
            let _ = sys::close_range(0, i32::MAX);
            let _ = waitpid(warden, None);
            let _ = Processes::open().map(|processes| warden::end_all(&processes));
            sys::exit_now(0)
        }
    }
}

fn serve(orders: &Channel, prepared: Result<Prepared, Fault>, cgroup: &Cgroup) -> ! {
    let Ok(Some(Received { message: order, descriptors })) = orders.receive::<Order>() else {
        sys::exit_now(0)
    };
    let mut descriptors = descriptors.into_iter();
    let Some(host) = descriptors.next().map(Channel::of) else { sys::exit_now(1) };
    let sources = order.trees.iter().map(|count| descriptors.by_ref().take(*count).collect());
    let sources = sources.collect();
    let built = prepared.and_then(|prepared| build(&order, sources, cgroup.means(), prepared));
    match built {
        Ok((locks, watch)) => {
            // The host may be gone already; then serving ends at once.
            let _ = host.send(&FromWarden::Ready { means: cgroup.means() }, &[]);
            let _ = warden::serve(&host, &locks, watch);
            sys::exit_now(0)
        }
        Err(fault) => {
            let _ = host.send(&FromWarden::Failed(fault), &[]);
            sys::exit_now(1)
        }
    }
}

/// What a blank has when its order comes.
#[derive(Debug)]
struct Prepared {
    counters: Vec<Counter>,
    clock: Option<Clock>,
    /// Its root directory, with what it makes for itself.
    begun: Option<(Root, Vec<Spot>)>,
}

/// What does not depend on a plan.
fn prepare(
    orders: &Channel,
    make: &Make,
    who: Who,
    cgroup: &Cgroup,
    devices: Vec<Sources>,
) -> Result<Prepared, Fault> {
    let end = match make.strength {
        Strength::Namespaces => Signal::SIGKILL,
        // It has to end by hand what a namespace would have ended with it.
        Strength::Landlock => warden::ZYGOTE_DIED,
    };
    prctl::set_pdeathsig(end).at(Stage::Namespaces, "dying with the zygote")?;
    prctl::set_name(c"casefile-warden").at(Stage::Namespaces, "naming the warden")?;
    let counters = cgroup.counters().at(Stage::Cgroup, "opening its counters")?;
    let clock = cgroup.clock().at(Stage::Cgroup, "opening its clock")?;
    let kept: Vec<_> = [orders.as_fd().as_raw_fd(), 1, 2]
        .into_iter()
        .chain(counters.iter().map(|counter| counter.file.as_raw_fd()))
        .chain(clock.iter().map(|clock| clock.file.as_raw_fd()))
        .chain(devices.iter().flatten().map(AsRawFd::as_raw_fd))
        .collect();
    sys::close_all_but(&kept).at(Stage::Namespaces, "closing the zygote's descriptors")?;
    // All three are /dev/null now, so that no descriptor that matters ever has a
    // number that a program expects a stream at.
    sys::put_null_at_stdin().at(Stage::Namespaces, "filling standard input")?;
    let begun = match make.strength {
        Strength::Landlock => None,
        Strength::Namespaces => {
            stages::settle(who)?;
            let mut root = Root::new(make.scratch_mib)?;
            let spots = root.furnish(&make.own, devices)?;
            Some((root, spots))
        }
    };
    Ok(Prepared { counters, clock, begun })
}

fn build(
    order: &Order,
    sources: Vec<Sources>,
    means: Means,
    prepared: Prepared,
) -> Result<(stages::Locks, Watch), Fault> {
    let Order { plan, filters, .. } = order;
    let Prepared { counters, clock, begun } = prepared;
    let counted = means != Means::RlimitsAndWatch;
    let mut locks = stages::build(plan, begun, sources, filters.clone(), counted)?;
    let copies = counters.iter().map(Counter::try_clone).collect::<io::Result<_>>();
    locks.counters = copies.at(Stage::Cgroup, "opening its counters")?;
    let held = Held {
        grows: std::mem::take(&mut locks.grows),
        scratch: std::mem::take(&mut locks.scratch),
    };
    let watch = Watch::new(&plan.limits, means, counters, clock, held);
    Ok((locks, watch.at(Stage::Limits, "starting the watch")?))
}
