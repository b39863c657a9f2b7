//! A blank: a process in namespaces of its own that is not yet any jail.
//!
//! The dear part of a jail (a cgroup, seven namespaces) is the same for all, so
//! the zygote has one made before it is asked for. A blank then waits for its
//! order: the plan, and the host's socket, on which everything that went wrong is
//! told, what went wrong before the order too.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};
use serde::{Deserialize, Serialize};

use super::cgroup::Cgroup;
use super::identity::Who;
use super::plan::Plan;
use super::policy::{Network, Strength};
use super::seccomp::Filters;
use super::stage::{At, Fault, Stage};
use super::stages;
use super::sys::{self, Fork};
use super::warden;
use super::watch::{Counter, Watch};
use super::wire::{Channel, FromWarden, Means, Received};

/// What a blank is made for, before there is a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Make {
    pub(super) strength: Strength,
    /// Whether it stays in the host's network.
    pub(super) host_network: bool,
}

impl Make {
    pub(super) fn of(plan: &Plan) -> Self {
        Self { strength: plan.strength, host_network: plan.network == Network::Host }
    }
}

/// Zygote to blank. Comes with the host's socket, and with the trees that root
/// opened for the places that have one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) plan: Plan,
    pub(super) filters: Filters,
    /// For each place of the plan, whether its tree came along.
    pub(super) has_source: Vec<bool>,
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
    pub(super) fn fork(make: Make, who: Who, cgroup: Cgroup) -> Result<Self, Fault> {
        let (orders, theirs) = Channel::pair().at(Stage::Zygote, "making a socket")?;
        match sys::fork(0).at(Stage::Zygote, "forking")? {
            Fork::Parent(_) => Ok(Self { make, cgroup, orders }),
            Fork::Child => {
                drop(orders);
                become_blank(make, who, &cgroup, &theirs)
            }
        }
    }

    /// Makes it a jail. It answers on the host's socket.
    pub(super) fn order(
        &self,
        order: &Order,
        host: &Channel,
        sources: &[Option<OwnedFd>],
    ) -> io::Result<()> {
        let along: Vec<_> =
            [host.as_fd()].into_iter().chain(sources.iter().flatten().map(AsFd::as_fd)).collect();
        self.orders.send(order, &along)
    }
}

/// Never comes back.
fn become_blank(make: Make, who: Who, cgroup: &Cgroup, orders: &Channel) -> ! {
    match enter_namespaces(make, who, cgroup) {
        // The process in the new pid namespace goes on; this one was on the way.
        Ok(Fork::Parent(_)) => sys::exit_now(0),
        Ok(Fork::Child) => serve(orders, Ok(()), make, who, cgroup),
        Err(fault) => serve(orders, Err(fault), make, who, cgroup),
    }
}

fn enter_namespaces(make: Make, who: Who, cgroup: &Cgroup) -> Result<Fork, Fault> {
    // The zygote does not care how its children end; a warden does.
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    sys::set_action(Signal::SIGCHLD, &default).at(Stage::Namespaces, "collecting children")?;
    cgroup.enter()?;
    stages::become_ordinary(who)?;
    if make.strength == Strength::Landlock {
        prctl::set_child_subreaper(true).at(Stage::Namespaces, "adopting orphans")?;
        return Ok(Fork::Child);
    }
    // The new process is the zygote's child, not this one's.
    let flags = stages::namespaces(make.host_network) | libc::CLONE_PARENT;
    sys::fork(flags).at(Stage::Namespaces, "making them")
}

fn serve(orders: &Channel, entered: Result<(), Fault>, make: Make, who: Who, cgroup: &Cgroup) -> ! {
    let prepared = entered.and_then(|()| prepare(orders, make, who, cgroup));
    let Ok(Some(Received { message: order, descriptors })) = orders.receive::<Order>() else {
        sys::exit_now(0)
    };
    let mut descriptors = descriptors.into_iter();
    let Some(host) = descriptors.next().map(Channel::of) else { sys::exit_now(1) };
    let sources = order.has_source.iter().map(|has| has.then(|| descriptors.next()).flatten());
    let sources = sources.collect();
    let built = prepared.and_then(|counters| build(&order, sources, cgroup.means(), counters));
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

/// What does not depend on a plan.
fn prepare(orders: &Channel, make: Make, who: Who, cgroup: &Cgroup) -> Result<Vec<Counter>, Fault> {
    let end = match make.strength {
        Strength::Namespaces => Signal::SIGKILL,
        // It has to end by hand what a namespace would have ended with it.
        Strength::Landlock => warden::ZYGOTE_DIED,
    };
    prctl::set_pdeathsig(end).at(Stage::Namespaces, "dying with the zygote")?;
    prctl::set_name(c"casefile-warden").at(Stage::Namespaces, "naming the warden")?;
    let counters = cgroup.counters().at(Stage::Cgroup, "opening its counters")?;
    let kept: Vec<_> = [orders.as_fd().as_raw_fd(), 1, 2]
        .into_iter()
        .chain(counters.iter().map(|counter| counter.file.as_raw_fd()))
        .collect();
    sys::close_all_but(&kept).at(Stage::Namespaces, "closing the zygote's descriptors")?;
    // All three are /dev/null now, so that no descriptor that matters ever has a
    // number that a program expects a stream at.
    sys::put_null_at_stdin().at(Stage::Namespaces, "filling standard input")?;
    if make.strength == Strength::Namespaces {
        stages::settle(who)?;
    }
    Ok(counters)
}

fn build(
    order: &Order,
    sources: Vec<Option<OwnedFd>>,
    means: Means,
    counters: Vec<Counter>,
) -> Result<(stages::Locks, Watch), Fault> {
    let Order { plan, filters, .. } = order;
    let counted = means != Means::RlimitsAndWatch;
    let mut locks = stages::build(plan, sources, filters.clone(), counted)?;
    let copies = counters.iter().map(Counter::try_clone).collect::<io::Result<_>>();
    locks.counters = copies.at(Stage::Cgroup, "opening its counters")?;
    let grows = std::mem::take(&mut locks.grows);
    let watch = Watch::new(&plan.limits, means, counters, grows);
    Ok((locks, watch.at(Stage::Limits, "starting the watch")?))
}
