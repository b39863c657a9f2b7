//! Which system calls a jail can make: a list of what is allowed, by purpose.
//!
//! Two filters are stacked, and the kernel takes the stricter answer:
//!
//! * the **list**, once per jail: a call that is not named here fails with
//!   EPERM, and some may be made with certain arguments only. Calls that programs
//!   know how to do without fail with ENOSYS, so that they fall back instead of
//!   giving up. So does `fallocate`, as on a filesystem that lacks it: it takes all
//!   of a disk in one call, before anybody can look at how much is gone;
//! * the **command's**, per command: takes away the few calls that the warden
//!   needs to start it.
//!
//! Calls of another architecture end the process; x32 numbers are on no list.

mod calls;

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use self::calls::{
    ABSENT, EVENTS, FILE_ATTRIBUTES, FILES, MEMORY, MEMORY_BY_DESCRIPTOR, MEMORY_BY_KEY,
    NEWER_THAN_THE_LIST, OTHERS_TURNS, PROCESSES, SELF_LIMITING, STREAMS, TIME, WATCHING_FILES,
};
use super::bpf::{self, Condition, Program, Rule, Verdict};
use super::policy::{Network, Strength};
use super::sys;

/// What the filters depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) network: Network,
    pub(super) strength: Strength,
    /// Whether a cgroup counts all memory, that of no process included.
    pub(super) counted: bool,
    /// Whether sockets with a name can be made: whoever can may also talk to those
    /// of the host that lie in a directory that is shown.
    pub(super) local_sockets: bool,
}

/// The compiled filters of one kind of jail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Filters {
    list: Program,
    command: Program,
}

impl Filters {
    pub(super) fn compile(kind: Kind) -> Self {
        let absent = ABSENT.iter().copied().chain(NEWER_THAN_THE_LIST);
        let calls: Vec<_> = absent
            .map(|call| (call, Verdict::Refuse(libc::ENOSYS)))
            .chain([(libc::SYS_fallocate, Verdict::Refuse(libc::EOPNOTSUPP))])
            // Of two verdicts on one call the later holds.
            .chain(allowed(kind))
            .collect();
        Self {
            list: bpf::compile(&calls, &Verdict::Refuse(libc::EPERM)),
            command: bpf::compile(&warden_only(), &Verdict::Allow),
        }
    }

    /// Holds the warden, and all that it will ever start.
    pub(super) fn hold_jail(&self) -> io::Result<()> {
        sys::install_filter(&self.list)
    }

    /// Holds a command.
    pub(super) fn hold_command(&self) -> io::Result<()> {
        sys::install_filter(&self.command)
    }
}

type Rules = BTreeMap<i64, Verdict>;

fn is(argument: u32, value: u32) -> Condition {
    Condition { argument, mask: u32::MAX, value, holds_if_equal: true }
}

fn is_not(argument: u32, value: u32) -> Condition {
    Condition { holds_if_equal: false, ..is(argument, value) }
}

/// These bits, and no others of the mask.
fn masked(argument: u32, mask: u32, value: u32) -> Condition {
    Condition { argument, mask, value, holds_if_equal: true }
}

/// None of these bits is set.
fn without(argument: u32, bits: u32) -> Condition {
    masked(argument, bits, 0)
}

const SET_ID_BITS: u32 = 0o6000;

fn allowed(kind: Kind) -> Rules {
    let mut groups = vec![FILES, MEMORY, PROCESSES, TIME, EVENTS, STREAMS, SELF_LIMITING];
    #[cfg(target_arch = "x86_64")]
    groups.push(calls::OLD_SPELLINGS);
    match kind.strength {
        // With mounts, what a jail may not change is read-only.
        Strength::Namespaces => groups.extend([FILE_ATTRIBUTES, WATCHING_FILES, OTHERS_TURNS]),
        // Landlock has no say over owners, modes, times and watches of files, nor
        // over who of a user gets his turn when; so nobody has any.
        Strength::Landlock => {}
    }
    // Without namespaces it would be the host's too.
    if kind.counted && kind.strength == Strength::Namespaces {
        groups.push(MEMORY_BY_DESCRIPTOR);
        if kind.strength == Strength::Namespaces {
            groups.push(MEMORY_BY_KEY);
        }
    }
    let plain = groups.into_iter().flatten().map(|call| (*call, Verdict::Allow));
    plain
        .chain(by_argument(kind).into_iter().map(|(call, rules)| (call, Verdict::AllowIf(rules))))
        .collect()
}

/// Calls that depend on what they are asked.
fn by_argument(kind: Kind) -> BTreeMap<i64, Vec<Rule>> {
    let namespaces = bits(
        libc::CLONE_NEWUSER
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP,
    );
    let new_file = bits(libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY));
    let mut rules = BTreeMap::from([
        // The warden makes pid and mount namespaces; the others nobody makes.
        (libc::SYS_clone, vec![vec![without(0, namespaces)]]),
        (libc::SYS_ioctl, vec![IOCTLS_REFUSED.iter().map(|request| is_not(1, *request)).collect()]),
        // Leases and notices would make programs of the host wait for the jail.
        (libc::SYS_fcntl, vec![vec![is_not(1, F_SETLEASE), is_not(1, F_NOTIFY)]]),
        // A whiteout is a device file.
        (libc::SYS_renameat2, vec![vec![without(4, libc::RENAME_WHITEOUT)]]),
        (libc::SYS_mmap, memory(kind.counted)),
        (libc::SYS_prctl, PRCTL.iter().map(|option| vec![is(0, *option)]).collect()),
        // A file with a set-id bit in a directory of the host would outlive the jail.
        (libc::SYS_openat, vec![vec![without(2, new_file)], vec![without(3, SET_ID_BITS)]]),
        (libc::SYS_mknodat, node(2)),
        // The plain personality, and asking which it is.
        (
            libc::SYS_personality,
            vec![vec![is(0, 0)], vec![is(0, u32::MAX)], vec![is(0, ADDR_NO_RANDOMIZE)]],
        ),
        (libc::SYS_socketpair, socket_pairs(kind.strength)),
        (libc::SYS_socket, sockets(kind)),
    ]);
    if kind.strength == Strength::Landlock {
        // All processes of the user are in sight; of these calls 0 means oneself.
        rules.extend([
            (libc::SYS_prlimit64, vec![vec![is(0, 0)]]),
            (libc::SYS_sched_setaffinity, vec![vec![is(0, 0)]]),
            (libc::SYS_setpriority, vec![vec![is(0, libc::PRIO_PROCESS), is(1, 0)]]),
        ]);
    }
    #[cfg(target_arch = "x86_64")]
    rules.extend([
        (libc::SYS_open, vec![vec![without(1, new_file)], vec![without(2, SET_ID_BITS)]]),
        (libc::SYS_creat, vec![vec![without(1, SET_ID_BITS)]]),
        (libc::SYS_mknod, node(1)),
    ]);
    if kind.strength == Strength::Namespaces {
        rules.extend([
            (libc::SYS_fchmod, vec![vec![without(1, SET_ID_BITS)]]),
            (libc::SYS_fchmodat, vec![vec![without(2, SET_ID_BITS)]]),
            (libc::SYS_fchmodat2, vec![vec![without(2, SET_ID_BITS)]]),
        ]);
        #[cfg(target_arch = "x86_64")]
        rules.extend([(libc::SYS_chmod, vec![vec![without(1, SET_ID_BITS)]])]);
    }
    rules
}

fn bits(flags: libc::c_int) -> u32 {
    flags.cast_unsigned()
}

/// Plain files, FIFOs and sockets, without set-id bits. Never a device.
fn node(mode: u32) -> Vec<Rule> {
    [0, libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK]
        .map(|kind| vec![masked(mode, libc::S_IFMT, kind), without(mode, SET_ID_BITS)])
        .into()
}

/// Pairs that are connected to each other for good. A pair of datagram sockets
/// can still be connected to any other, which is fine only where no socket of the
/// host can be named.
fn socket_pairs(strength: Strength) -> Vec<Rule> {
    match strength {
        Strength::Namespaces => vec![vec![is(0, bits(libc::AF_UNIX))]],
        Strength::Landlock => [libc::SOCK_STREAM, libc::SOCK_SEQPACKET]
            .map(|kind| vec![is(0, bits(libc::AF_UNIX)), masked(1, 0xf, bits(kind))])
            .into(),
    }
}

/// Not the pages that the host keeps in reserve. And where only the pages of
/// processes are counted, none that belong to several without a file: what is
/// given back of those is still held.
fn memory(counted: bool) -> Vec<Rule> {
    let plain = without(3, bits(libc::MAP_HUGETLB));
    if counted {
        return vec![vec![plain]];
    }
    let private = masked(3, bits(libc::MAP_TYPE), bits(libc::MAP_PRIVATE));
    vec![vec![plain, private], vec![plain, without(3, bits(libc::MAP_ANONYMOUS))]]
}

fn sockets(kind: Kind) -> Vec<Rule> {
    let mut rules = Vec::new();
    if kind.local_sockets {
        rules.push(vec![is(0, bits(libc::AF_UNIX))]);
    }
    if kind.network != Network::None {
        for family in [libc::AF_INET, libc::AF_INET6] {
            // Only what a client or server of our day speaks: no SCTP, no MPTCP
            // (which Landlock's rules on TCP do not see), nothing raw.
            for (kind, protocol) in [
                (libc::SOCK_STREAM, 0),
                (libc::SOCK_STREAM, libc::IPPROTO_TCP),
                (libc::SOCK_DGRAM, 0),
                (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
            ] {
                let same_kind = masked(1, 0xf, bits(kind));
                rules.push(vec![is(0, bits(family)), same_kind, is(2, bits(protocol))]);
            }
        }
        // How a program learns which addresses it has.
        rules.push(vec![is(0, bits(libc::AF_NETLINK)), is(2, bits(libc::NETLINK_ROUTE))]);
    }
    rules
}

/// What the warden does to start a command, and no command may do.
fn warden_only() -> Vec<(i64, Verdict)> {
    let spaces = bits(libc::CLONE_NEWPID | libc::CLONE_NEWNS);
    let refuse = |call| (call, Verdict::Refuse(libc::EPERM));
    vec![
        refuse(libc::SYS_mount),
        (libc::SYS_clone, Verdict::AllowIf(vec![vec![without(0, spaces)]])),
    ]
}

/// What a device or file is not to be asked.
#[rustfmt::skip]
const IOCTLS_REFUSED: &[u32] = &[
    // To push bytes into a terminal's input, and the console's paste, by which a
    // program would type into the shell that started it.
    0x5412, // TIOCSTI
    0x541c, // TIOCLINUX
    // For another discipline of a line, for which the kernel would load a module.
    0x5423, // TIOCSETD
    // For room on the disk without writing to it, as by fallocate.
    0x4030_5828, // FS_IOC_RESVSP
    0x4030_582a, // FS_IOC_RESVSP64
    0x4030_5839, // FS_IOC_ZERO_RANGE
];
const F_SETLEASE: u32 = 1024;
const F_NOTIFY: u32 = 1026;

/// What a process may ask about and change of itself.
const PRCTL: &[u32] = &[
    1,
    2, // the signal at its parent's death
    3,
    4, // whether it can be dumped
    7,
    8, // keeping capabilities, of which it has none
    15,
    16, // its name
    21,
    22, // seccomp
    23,
    24, // the bounding set
    27, // secure bits, asked for
    29,
    30, // timer slack
    36,
    37, // adopting orphans
    38,
    39, // no new privileges
    40, // where its thread id is written
    41,
    42, // large pages
    47, // the ambient set
    52,
    53,          // speculation
    0x5356_4d41, // names of its memory
    0x4155_5856, // its auxiliary vector
    0x5961_6d61, // who may trace it, which nobody can
];
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
