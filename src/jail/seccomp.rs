//! Which system calls a jail can make: a list of what is allowed, by purpose.
//!
//! Two filters are stacked, and the kernel takes the stricter answer:
//!
//! * the **list**, once per jail: a call that is not named here fails with
//!   EPERM, and some may be made with certain arguments only. Calls that programs
//!   know how to do without fail with ENOSYS, so that they fall back instead of
//!   giving up;
//! * the **command's**, per command: takes away the few calls that the warden
//!   needs to start it.
//!
//! Calls of another architecture end the process; x32 numbers are on no list.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

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
    groups.push(OLD_SPELLINGS);
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
        // Pushing bytes into a terminal's input, and the console's paste, by
        // which a program would type into the shell that started it.
        (
            libc::SYS_ioctl,
            vec![vec![is_not(1, TIOCSTI), is_not(1, TIOCLINUX), is_not(1, TIOCSETD)]],
        ),
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

const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
/// Another discipline for a line, for which the kernel would load a module.
const TIOCSETD: u32 = 0x5423;
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

/// The numbers after the youngest call that the list knows how to judge.
const NEWER_THAN_THE_LIST: std::ops::Range<i64> = 425..512;

/// Known, not allowed, and answered as by a kernel that has never heard of them:
/// what they ask for cannot be seen by a filter, and there is an older way.
#[rustfmt::skip]
const ABSENT: &[i64] = &[
    libc::SYS_clone3, libc::SYS_openat2, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register, libc::SYS_name_to_handle_at, libc::SYS_userfaultfd,
];

/// Reading, writing and naming files. Mounts and Landlock say which.
#[rustfmt::skip]
const FILES: &[i64] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_close, libc::SYS_close_range, libc::SYS_fstat,
    libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_lseek, libc::SYS_pread64, libc::SYS_pwrite64,
    libc::SYS_readv, libc::SYS_writev, libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2,
    libc::SYS_pwritev2, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_dup, libc::SYS_dup3,
    libc::SYS_flock, libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_sync_file_range,
    libc::SYS_truncate, libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_fadvise64,
    libc::SYS_readahead, libc::SYS_getdents64, libc::SYS_getcwd, libc::SYS_chdir, libc::SYS_fchdir,
    libc::SYS_renameat, libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_linkat,
    libc::SYS_symlinkat, libc::SYS_readlinkat, libc::SYS_umask, libc::SYS_statfs, libc::SYS_fstatfs,
    libc::SYS_copy_file_range, libc::SYS_sendfile, libc::SYS_splice, libc::SYS_tee,
    libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr, libc::SYS_listxattr,
    libc::SYS_llistxattr, libc::SYS_flistxattr,
];

/// Hearing of what others do to files.
#[rustfmt::skip]
const WATCHING_FILES: &[i64] = &[
    libc::SYS_inotify_init1, libc::SYS_inotify_add_watch, libc::SYS_inotify_rm_watch,
    #[cfg(target_arch = "x86_64")] libc::SYS_inotify_init,
];

/// Owner, times and attributes. Modes are told apart by their argument.
#[rustfmt::skip]
const FILE_ATTRIBUTES: &[i64] = &[
    libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_utimensat, libc::SYS_setxattr,
    libc::SYS_lsetxattr, libc::SYS_fsetxattr, libc::SYS_removexattr, libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    #[cfg(target_arch = "x86_64")] libc::SYS_chown,
    #[cfg(target_arch = "x86_64")] libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")] libc::SYS_utime,
    #[cfg(target_arch = "x86_64")] libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")] libc::SYS_futimesat,
];

/// A process's own memory.
#[rustfmt::skip]
const MEMORY: &[i64] = &[
    libc::SYS_mprotect, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_brk,
    libc::SYS_madvise, libc::SYS_msync, libc::SYS_mincore, libc::SYS_mlock, libc::SYS_mlock2,
    libc::SYS_munlock, libc::SYS_mlockall, libc::SYS_munlockall, libc::SYS_membarrier,
    libc::SYS_pkey_alloc, libc::SYS_pkey_free, libc::SYS_pkey_mprotect, libc::SYS_get_mempolicy,
    libc::SYS_remap_file_pages, libc::SYS_mseal,
];

/// Memory that belongs to no process, so that only a cgroup can count it.
const MEMORY_BY_DESCRIPTOR: &[i64] = &[libc::SYS_memfd_create];

/// The same, found by a key that counts in the whole ipc namespace.
#[rustfmt::skip]
const MEMORY_BY_KEY: &[i64] = &[
    libc::SYS_shmget, libc::SYS_shmat, libc::SYS_shmctl, libc::SYS_shmdt,
    libc::SYS_semget, libc::SYS_semop, libc::SYS_semctl, libc::SYS_semtimedop,
    libc::SYS_msgget, libc::SYS_msgsnd, libc::SYS_msgrcv, libc::SYS_msgctl,
];

/// Starting, ending and asking about processes of one's own.
#[rustfmt::skip]
const PROCESSES: &[i64] = &[
    libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_wait4,
    libc::SYS_waitid, libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal, libc::SYS_getpid, libc::SYS_getppid, libc::SYS_gettid,
    libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid, libc::SYS_getgroups,
    libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_setuid, libc::SYS_setgid,
    libc::SYS_setreuid, libc::SYS_setregid, libc::SYS_setresuid, libc::SYS_setresgid,
    libc::SYS_setfsuid, libc::SYS_setfsgid, libc::SYS_setgroups, libc::SYS_getpgid,
    libc::SYS_setpgid, libc::SYS_getsid, libc::SYS_setsid, libc::SYS_set_tid_address,
    libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq,
    libc::SYS_capget, libc::SYS_capset, libc::SYS_getrlimit, libc::SYS_setrlimit,
    libc::SYS_getrusage, libc::SYS_getpriority,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam, libc::SYS_sched_getscheduler, libc::SYS_sched_getattr,
    libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min,
    libc::SYS_sched_rr_get_interval, libc::SYS_ioprio_get, libc::SYS_getcpu,
    libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_times, libc::SYS_getrandom,
    libc::SYS_restart_syscall,
    #[cfg(target_arch = "x86_64")] libc::SYS_arch_prctl,
];

/// Limits and turns of any process that the caller can name.
#[rustfmt::skip]
const OTHERS_TURNS: &[i64] = &[
    libc::SYS_prlimit64, libc::SYS_setpriority, libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler, libc::SYS_sched_setparam, libc::SYS_sched_setattr,
    libc::SYS_ioprio_set,
];

/// Signals, clocks and timers.
#[rustfmt::skip]
const TIME: &[i64] = &[
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigpending,
    libc::SYS_rt_sigreturn, libc::SYS_rt_sigsuspend, libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo, libc::SYS_sigaltstack,
    libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_clock_gettime,
    libc::SYS_clock_getres, libc::SYS_gettimeofday, libc::SYS_getitimer, libc::SYS_setitimer,
    libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun, libc::SYS_timer_delete, libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime,
];

/// Waiting for something to happen.
#[rustfmt::skip]
const EVENTS: &[i64] = &[
    libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_eventfd2, libc::SYS_signalfd4,
    libc::SYS_futex, libc::SYS_futex_waitv,
];

/// Pipes, and sockets once made. Which can be made is a matter of arguments.
#[rustfmt::skip]
const STREAMS: &[i64] = &[
    libc::SYS_pipe2, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4,
    libc::SYS_connect, libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_setsockopt,
    libc::SYS_getsockopt, libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_sendmsg,
    libc::SYS_recvmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg, libc::SYS_shutdown,
];

/// By which a process gives up more of its own rights, plus what the warden
/// needs on top (see [`warden_only`]).
#[rustfmt::skip]
const SELF_LIMITING: &[i64] = &[
    libc::SYS_seccomp, libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self, libc::SYS_mount,
];

/// Older names of calls above, which other architectures never had.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLD_SPELLINGS: &[i64] = &[
    libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_pipe, libc::SYS_select,
    libc::SYS_dup2, libc::SYS_pause, libc::SYS_alarm, libc::SYS_fork, libc::SYS_vfork,
    libc::SYS_getdents, libc::SYS_rename, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_link,
    libc::SYS_unlink, libc::SYS_symlink, libc::SYS_readlink, libc::SYS_time, libc::SYS_poll,
    libc::SYS_epoll_create, libc::SYS_epoll_wait, libc::SYS_eventfd, libc::SYS_signalfd,
    libc::SYS_getpgrp,
];
