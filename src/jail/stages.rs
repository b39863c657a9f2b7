//! How a jail is built and how a command is locked into it: two lists of stages,
//! each carried out in the order in which it stands.
//!
//! **The order is the design.** Each stage takes away what the ones before it
//! needed:
//!
//! 1. Root becomes an ordinary user before any namespace exists, so that the
//!    host's uid 0 has no name inside. From here on root and user are the same.
//! 2. Namespaces come first, since only in them may a user mount anything.
//! 3. The new root is built through descriptors, and `/proc` is mounted while the
//!    host's is still in sight, for the kernel shows a new one only to who can
//!    see an old one. Then the old root goes.
//! 4. Landlock's rules are made but not entered: they forbid mounting, and each
//!    command needs a `/proc` of its own. The command enters them.
//! 5. Capabilities go, save those by which the warden starts and watches
//!    commands; a command has none.
//! 6. seccomp is last, because all the others are system calls.
//!
//! A stage that cannot be taken in full ends the start with its [`Fault`]. There
//! is no weaker way on: a weaker jail is another policy, chosen by name.

use std::io;
use std::os::fd::OwnedFd;

use ::landlock::RulesetCreated;
use nix::fcntl::{OFlag, openat};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{self, Gid, Uid};

use super::counter::Counter;
use super::disk::{Changes, Grows};
use super::identity::{self, Who};
use super::landlock::{self, ABI_WITH_SCOPES, Spot, Use};
use super::network;
use super::plan::{HOSTNAME, Plan};
use super::policy::{Network, Strength};
use super::processes::Processes;
use super::root::{self, Root, Sources};
use super::seccomp::Filters;
use super::stage::{At, Fault, Stage};
use super::sys::{self, Capabilities};
use crate::config::limits::Limit;

/// What each command of a finished jail is locked in with.
#[derive(Debug)]
pub(super) struct Locks {
    pub(super) strength: Strength,
    /// The capabilities that the warden has.
    pub(super) kept: Capabilities,
    pub(super) rules: RulesetCreated,
    pub(super) filters: Filters,
    pub(super) rlimits: Vec<(Resource, u64)>,
    /// How much processor time each process of a program may use. The program takes
    /// this on itself: the first process, which may be resident, does not have it.
    pub(super) cpu_s: u64,
    /// Where what it writes adds to the host's disks.
    pub(super) grows: Grows,
    /// Its own directories in memory.
    pub(super) scratch: Vec<OwnedFd>,
    /// What a first process looks at before it says that nothing happened.
    pub(super) counters: Vec<Counter>,
    /// A `/proc` in which a first process can make itself the one to be killed.
    scores: OwnedFd,
}

/// What a warden keeps: it makes namespaces, mounts `/proc`, empties the bounding
/// set of commands, and can look at all they have open.
const WARDEN: Capabilities = Capabilities::SYS_ADMIN
    .and(Capabilities::SETPCAP)
    .and(Capabilities::SYS_PTRACE)
    .and(Capabilities::DAC_READ_SEARCH);

/// Makes this process at home in its new namespaces, whatever jail it will be.
pub(super) fn settle(who: Who) -> Result<(), Fault> {
    identity::map(who)?;
    identity::no_namespaces_inside()?;
    unistd::sethostname(HOSTNAME).at(Stage::Hostname, "naming the jail")
}

/// Builds the jail around this process, which is the warden afterwards.
///
/// `begun` is its root directory with what it makes for itself, and `sources` are
/// the trees that root opened while it was root.
pub(super) fn build(
    plan: &Plan,
    begun: Option<(Root, Vec<Spot>)>,
    sources: Vec<Sources>,
    filters: Filters,
    counted: bool,
) -> Result<Locks, Fault> {
    let (spots, scores) = match plan.strength {
        Strength::Namespaces => {
            network::raise(plan.network)?;
            let Some((mut root, mut spots)) = begun else {
                let missing = io::Error::from_raw_os_error(libc::EINVAL);
                return Err(Fault::new(Stage::Root, &missing, "finding it begun"));
            };
            spots.extend(root.furnish(&plan.places, sources)?);
            spots.push(root.seal()?);
            let scores = root::processes_to_write()?;
            root.enter()?;
            (spots, scores)
        }
        Strength::Landlock => (root::open_spots(plan)?, root::processes_of_host()?),
    };
    let least = match (plan.strength, plan.network) {
        (Strength::Namespaces, Network::None | Network::Loopback) => 1,
        // Without namespaces of its own, only the scopes keep signals and
        // abstract sockets in.
        (Strength::Landlock, _) | (_, Network::Host) => ABI_WITH_SCOPES,
    };
    let rules = landlock::rules(&spots, plan.network, least)?;
    let (mut grows, mut scratch) = (Grows::default(), Vec::new());
    for Spot { fd, usage } in spots {
        match usage {
            Use::Write => grows.shown.push(fd),
            Use::Changes { of } => grows.changes.push(Changes { dir: of, seen_as: fd }),
            Use::Scratch => scratch.push(fd),
            Use::Read | Use::Device | Use::Source => {}
        }
    }
    prctl::set_no_new_privs().at(Stage::Capabilities, "giving up set-id programs")?;
    let (left, keep) = match plan.strength {
        Strength::Namespaces => (Capabilities::ALL, WARDEN),
        // An ordinary user has none, and so none by which the bounding set could
        // be emptied; without new privileges nothing can be got out of it.
        Strength::Landlock => (Capabilities::default(), Capabilities::default()),
    };
    sys::keep_capabilities(left, keep).at(Stage::Capabilities, "giving up those of the jail")?;
    // Nobody of the same user may look into the warden's memory.
    prctl::set_dumpable(false).at(Stage::Capabilities, "hiding the warden's memory")?;
    filters.hold_jail().at(Stage::Seccomp, "installing the list")?;
    Ok(Locks {
        strength: plan.strength,
        kept: keep,
        rules,
        filters,
        rlimits: rlimits(plan, counted).at(Stage::Limits, "counting the user's processes")?,
        // The watch is to be the first to see it, for the kernel only kills.
        cpu_s: plan.limits.get(Limit::Cpu) + CPU_SLACK_S,
        grows,
        scratch,
        counters: Vec::new(),
        scores,
    })
}

/// Locks this process, the first of its pid namespace, and all that it will
/// start. Afterwards it can do no more than the command it is for.
pub(super) fn lock_in(locks: &Locks) -> Result<(), Fault> {
    prctl::set_pdeathsig(end_of_first(locks.strength))
        .at(Stage::CommandNamespaces, "dying with the warden")?;
    match locks.strength {
        Strength::Namespaces => {
            root::mount_processes().at(Stage::CommandProcesses, "mounting it")?;
        }
        // Without a pid namespace orphans would come to the warden at once, which
        // could not tell whose they were.
        Strength::Landlock => prctl::set_child_subreaper(true)
            .at(Stage::CommandNamespaces, "adopting the command's orphans")?,
    }
    volunteer(&locks.scores).at(Stage::Limits, "being killed before the warden is")?;
    for (resource, value) in &locks.rlimits {
        lower(*resource, *value).at(Stage::Limits, format!("setting {resource:?}"))?;
    }
    // The warden's bounding set is the most that is left to give up here.
    sys::keep_capabilities(locks.kept, Capabilities::default())
        .at(Stage::Capabilities, "giving up all of the command's")?;
    landlock::enter(&locks.rules).at(Stage::Landlock, "entering the rules")?;
    locks.filters.hold_command().at(Stage::Seccomp, "installing the command's filter")
}

/// When memory runs out, of the jail or of the host, the kernel looks for somebody
/// to kill. It shall find a command, and neither the warden, which has to tell of
/// it, nor somebody of the host's.
fn volunteer(scores: &OwnedFd) -> io::Result<()> {
    const FIRST_OF_ALL: &[u8] = b"1000";
    // What belongs to a process is its own to change only while it may be dumped.
    prctl::set_dumpable(true)?;
    let file = openat(scores, "self/oom_score_adj", OFlag::O_WRONLY, Mode::empty())?;
    unistd::write(&file, FIRST_OF_ALL)?;
    Ok(prctl::set_dumpable(false)?)
}

/// The signal that ends a first process, and with it its command. The first of a
/// pid namespace takes all of it along when it is killed. One without has to do
/// that itself, so it is told.
pub(super) fn end_of_first(strength: Strength) -> Signal {
    match strength {
        Strength::Namespaces => Signal::SIGKILL,
        Strength::Landlock => Signal::SIGPWR,
    }
}

/// Lowers a limit to `value`, or leaves it where the host has it lower already.
pub(super) fn lower(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let value = value.min(hard);
    setrlimit(resource, value, value)
}

/// What the kernel holds each process to. What adds up over processes is held by
/// a cgroup or by the warden's watch.
fn rlimits(plan: &Plan, counted: bool) -> io::Result<Vec<(Resource, u64)>> {
    let mut list = vec![
        // Not 0, with which a handler of the host's would still be started; with 1
        // there is neither that nor a file.
        (Resource::RLIMIT_CORE, 1),
        (Resource::RLIMIT_RTPRIO, 0),
        (Resource::RLIMIT_NICE, 0),
        (Resource::RLIMIT_FSIZE, plan.bytes(Limit::File)),
        (Resource::RLIMIT_NOFILE, plan.limits.get(Limit::OpenFiles).min(fewer_than_host()?)),
        (Resource::RLIMIT_MSGQUEUE, 0),
        (Resource::RLIMIT_SIGPENDING, SIGNALS_PENDING_MAX),
        (Resource::RLIMIT_MEMLOCK, LOCKED_BYTES_MAX),
    ];
    let processes = plan.limits.get(Limit::Processes);
    // Where a cgroup counts too it must be the first to refuse, for it takes note.
    let processes = if counted { processes + PROCESSES_SLACK } else { processes };
    match plan.strength {
        // Counted per user namespace, so this is a limit on the jail.
        Strength::Namespaces => list.push((Resource::RLIMIT_NPROC, processes)),
        // Counted with all that the user runs besides. Only the watch knows which
        // are the jail's; this is what stops a bomb between two of its looks.
        Strength::Landlock => {
            let others = Processes::open()?.of_user(unistd::getuid())?;
            list.push((Resource::RLIMIT_NPROC, others.saturating_add(processes)));
        }
    }
    if !counted {
        // A process that asks for more than the whole jail may have is told no
        // at once; what several have together is up to the watch.
        list.push((Resource::RLIMIT_DATA, plan.bytes(Limit::Memory)));
    }
    Ok(list)
}

/// So many descriptors that, with as many of them on their way through sockets as a
/// jail can leave there, its host and its warden still may send some: the kernel
/// counts those of a user together, and holds each process to its own limit.
fn fewer_than_host() -> nix::Result<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).map(|(_, hard)| hard / 2)
}

const CPU_SLACK_S: u64 = 1;
const PROCESSES_SLACK: u64 = 16;
const SIGNALS_PENDING_MAX: u64 = 4_096;
const LOCKED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Turns root into a user that owns nothing, for good.
pub(super) fn become_ordinary(who: Who) -> Result<(), Fault> {
    let Who::Dropped { uid, gid } = who else { return Ok(()) };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let stage = Stage::OrdinaryUser;
    unistd::setgroups(&[]).at(stage, "leaving all groups")?;
    unistd::setresgid(gid, gid, gid).at(stage, "changing the group")?;
    unistd::setresuid(uid, uid, uid).at(stage, "changing the user")?;
    if unistd::setuid(Uid::from_raw(0)).is_ok() {
        return Err(Fault::new(
            stage,
            &io::Error::from_raw_os_error(libc::EPERM),
            "root came back",
        ));
    }
    // So that the kernel lets it write its own id map; undone by the last stages.
    prctl::set_dumpable(true).at(stage, "owning /proc/self again")
}

/// The namespaces of a jail, of which the pid namespace begins with the next fork.
pub(super) fn namespaces(host_network: bool) -> libc::c_int {
    let net = if host_network { 0 } else { libc::CLONE_NEWNET };
    libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP
        | net
}
