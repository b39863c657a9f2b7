//! Attempts on the kernel itself: calls that mount, load, trace, set clocks, end
//! the machine or get more rights, and looks at what rights there are.

#![expect(clippy::disallowed_methods, reason = "the probe opens whatever it is told to")]

use std::fs;
use std::io::Write;
use std::process::Command;

use nix::errno::Errno;

use super::{Obstacle, Tried, nothing, number, text};
use crate::jail::raw::{self, Arg};

/// Makes the attempt, if its verb is one on the kernel.
pub(super) fn attempt(verb: &str, objects: &[&str]) -> Option<Tried> {
    let done = |result: std::io::Result<()>| Ok(result.map(|()| String::new())?);
    Some(match (verb, objects) {
        ("call", [name]) => named(name),
        ("mount", [kind, at]) => mount("none", at, kind, 0),
        ("bind", [from, at]) => mount(from, at, "none", libc::MS_BIND | libc::MS_REC),
        ("remount-writable", [at]) => {
            // Where it is no mount of one's own the kernel says so, after it has
            // asked for the right to mount.
            match mount("none", at, "none", libc::MS_REMOUNT | libc::MS_BIND) {
                Err(Obstacle::Refused(Errno::EINVAL, _)) => Ok("it was looked at".into()),
                tried => tried,
            }
        }
        ("overlay", []) => overlay(),
        ("unmount", [at]) => unmount(at),
        ("unshare", [flags]) => {
            number(flags).and_then(|flags| reached(libc::SYS_unshare, &mut [Arg::Number(flags)]))
        }
        ("fork-into", [flags]) => number(flags).and_then(|flags| done(raw::fork_and_end(flags))),
        ("fork-anew-into", [flags]) => {
            number(flags).and_then(|flags| done(raw::fork_anew_and_end(flags)))
        }
        ("ask-in-32-bits", []) => match raw::ask_in_32_bits() {
            Ok(pid) => Ok(format!("process {pid}")),
            Err(error) => Err(error.into()),
        },
        ("ask-by-x32", []) => {
            const X32: i64 = 0x4000_0000;
            reached(X32 | libc::SYS_getpid, &mut [])
        }
        ("memory-program", []) => memory_program(),
        ("capabilities", []) => capabilities(),
        ("become", [kind]) => {
            let call = if *kind == "user" { libc::SYS_setuid } else { libc::SYS_setgid };
            done(raw::call(call, &mut [Arg::Number(0)]).map(drop))
        }
        ("new-privileges", []) => match nix::sys::prctl::get_no_new_privs() {
            Ok(false) => Ok("set-id programs would work".into()),
            Ok(true) => Err(Errno::EPERM.into()),
            Err(errno) => Err(errno.into()),
        },
        ("host-name", [name]) => match nix::sys::utsname::uname() {
            Ok(own) if own.nodename() == *name => Ok(String::new()),
            Ok(own) => nothing(&format!("here it is {}", own.nodename().to_string_lossy())),
            Err(errno) => Err(errno.into()),
        },
        ("variable", [name]) => match std::env::var_os(name) {
            Some(_) => Ok(String::new()),
            None => nothing("it is not set"),
        },
        ("kernel-addresses", []) => kernel_addresses(),
        _ => return None,
    })
}

/// Calls whose arguments make no sense, so that nothing happens where they are
/// allowed. What they are refused for says how far they came.
#[rustfmt::skip]
const CALLS: &[(&str, i64, &[i64])] = &[
    // name                  number                        arguments
    ("acct",                 libc::SYS_acct,               &[-1]),
    ("add_key",              libc::SYS_add_key,            &[0, 0, 0, 0, -2]),
    ("bpf",                  libc::SYS_bpf,                &[9999, 0, 0]),
    ("clock_adjtime",        libc::SYS_clock_adjtime,      &[0, 0]),
    ("clock_settime",        libc::SYS_clock_settime,      &[0, 0]),
    ("delete_module",        libc::SYS_delete_module,      &[-1, 0]),
    ("fanotify_init",        libc::SYS_fanotify_init,      &[0, 0]),
    ("finit_module",         libc::SYS_finit_module,       &[-1, -1, 0]),
    ("fsopen",               libc::SYS_fsopen,             &[-1, 0]),
    ("fsmount",              libc::SYS_fsmount,            &[-1, 0, 0]),
    ("init_module",          libc::SYS_init_module,        &[-1, 0, -1]),
    ("io_uring_enter",       libc::SYS_io_uring_enter,     &[-1, 0, 0, 0, 0]),
    ("io_uring_register",    libc::SYS_io_uring_register,  &[-1, 0, 0, 0]),
    ("kexec_file_load",      libc::SYS_kexec_file_load,    &[-1, -1, 0, 0, -1]),
    ("kexec_load",           libc::SYS_kexec_load,         &[0, 0, 0, -1]),
    ("keyctl",               libc::SYS_keyctl,             &[0, -3, 1]),
    ("migrate_pages",        libc::SYS_migrate_pages,      &[0, 0, 0, 0]),
    ("mount_setattr",        libc::SYS_mount_setattr,      &[-1, 0, 0, 0, 0]),
    ("move_mount",           libc::SYS_move_mount,         &[-1, -1, -1, -1, 0]),
    ("move_pages",           libc::SYS_move_pages,         &[0, 0, 0, 0, 0, 0]),
    ("mq_open",              libc::SYS_mq_open,            &[-1, 0, 0, 0]),
    ("open_tree",            libc::SYS_open_tree,          &[-1, -1, 1]),
    ("perf_event_open",      libc::SYS_perf_event_open,    &[-1, 0, -1, -1, 0]),
    ("listmount",            458,                          &[0, 0, 0, 0]),
    ("memfd_secret",         447,                          &[0]),
    ("personality-32",       libc::SYS_personality,        &[8]),
    ("personality-exec",     libc::SYS_personality,        &[0x0040_0000]),
    ("pivot_root",           libc::SYS_pivot_root,         &[-1, -1]),
    ("process_madvise",      libc::SYS_process_madvise,    &[-1, 0, 0, 0, 0]),
    ("quotactl",             libc::SYS_quotactl,           &[-1, 0, 0, 0]),
    ("reboot",               libc::SYS_reboot,             &[0, 0, 0, 0]),
    ("request_key",          libc::SYS_request_key,        &[-1, -1, 0, 0]),
    ("setdomainname",        libc::SYS_setdomainname,      &[-1, 1]),
    ("sethostname",          libc::SYS_sethostname,        &[-1, 1]),
    ("settimeofday",         libc::SYS_settimeofday,       &[-1, 0]),
    ("swapoff",              libc::SYS_swapoff,            &[-1]),
    ("swapon",               libc::SYS_swapon,             &[-1, 0]),
    ("syslog",               libc::SYS_syslog,             &[10, 0, 0]),
    ("terminal-input",       libc::SYS_ioctl,              &[0, 0x5412, 0]),
    ("terminal-input-high",  libc::SYS_ioctl,              &[0, 0x1_0000_5412, 0]),
    ("terminal-paste",       libc::SYS_ioctl,              &[0, 0x541c, 0]),
    ("terminal-paste-high",  libc::SYS_ioctl,              &[0, 0x7fff_ffff_0000_541c, 0]),
    ("userfaultfd",          libc::SYS_userfaultfd,        &[1]),
    ("vmsplice",             libc::SYS_vmsplice,           &[-1, 0, 0, 0]),
    #[cfg(target_arch = "x86_64")]
    ("ioperm",               libc::SYS_ioperm,             &[0x80, 1, 1]),
    #[cfg(target_arch = "x86_64")]
    ("iopl",                 libc::SYS_iopl,               &[3]),
    #[cfg(target_arch = "x86_64")]
    ("modify_ldt",           libc::SYS_modify_ldt,         &[0, 0, 0]),
];

fn named(name: &str) -> Tried {
    if name == "io_uring_setup" {
        return reached(libc::SYS_io_uring_setup, &mut [Arg::Number(1), Arg::Bytes(&mut [0; 120])]);
    }
    let Some((_, call, args)) = CALLS.iter().find(|(known, ..)| *known == name) else {
        return Err(Obstacle::Broken(format!("no call `{name}`")));
    };
    let mut args: Vec<_> = args.iter().map(|arg| Arg::Number(*arg)).collect();
    reached(*call, &mut args)
}

/// Whether a call gets past all who ask who is calling. The errors are those of a
/// missing right and of a call that is not there; any other came after them.
fn reached(call: i64, args: &mut [Arg<'_>]) -> Tried {
    match raw::call(call, args) {
        Ok(value) => Ok(format!("it answered {value}")),
        Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)) {
            errno @ (Errno::EPERM | Errno::EACCES | Errno::ENOSYS) => Err(errno.into()),
            errno => Ok(format!("it was looked at ({errno:?})")),
        },
    }
}

/// Every right there is, over nothing but what this process makes for itself. So
/// the control of an attempt that needs rights can be live for any user, and
/// nothing that it mounts shows on the host.
pub(super) fn enter_own_namespaces() -> Result<(), Obstacle> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC;
    raw::call(libc::SYS_unshare, &mut [Arg::Number(flags.into())])?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
}

fn mount(from: &str, at: &str, kind: &str, flags: libc::c_ulong) -> Tried {
    let (from, at, kind) = (text(from)?, text(at)?, text(kind)?);
    let mut args = [
        Arg::Text(&from),
        Arg::Text(&at),
        Arg::Text(&kind),
        Arg::Number(i64::try_from(flags).unwrap_or(0)),
        Arg::Number(0),
    ];
    raw::call(libc::SYS_mount, &mut args)?;
    Ok(String::new())
}

/// Lays one directory over another, as a writable repository will be, all of it
/// in memory of its own.
fn overlay() -> Tried {
    let top = "/tmp";
    mount("none", top, "tmpfs", 0)?;
    for name in ["lower", "upper", "work"] {
        fs::create_dir(format!("{top}/{name}"))?;
    }
    let options = text("userxattr,lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work")?;
    let (kind, at) = (text("overlay")?, text(top)?);
    let mut args =
        [Arg::Text(&kind), Arg::Text(&at), Arg::Text(&kind), Arg::Number(0), Arg::Text(&options)];
    raw::call(libc::SYS_mount, &mut args)?;
    Ok(String::new())
}

fn unmount(at: &str) -> Tried {
    let at = text(at)?;
    reached(libc::SYS_umount2, &mut [Arg::Text(&at), Arg::Number(libc::MNT_DETACH.into())])
}

/// Runs a program that no directory has a name for.
fn memory_program() -> Tried {
    let name = text("probe")?;
    let fd = raw::call(libc::SYS_memfd_create, &mut [Arg::Text(&name), Arg::Number(0)])?;
    let fd: i32 = fd.try_into().unwrap_or(-1);
    let path = format!("/proc/self/fd/{fd}");
    fs::OpenOptions::new().write(true).open(&path)?.write_all(b"#!/bin/sh\nexit 7\n")?;
    match Command::new(&path).status()?.code() {
        Some(7) => Ok(String::new()),
        other => Err(Obstacle::Broken(format!("it ended with {other:?}"))),
    }
}

/// Any capability, in any set that could be used or passed on.
fn capabilities() -> Tried {
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = [VERSION_3.to_ne_bytes(), [0; 4]].concat();
    let mut data = [0_u8; 24];
    raw::call(libc::SYS_capget, &mut [Arg::Bytes(&mut header), Arg::Bytes(&mut data)])?;
    if data.iter().all(|byte| *byte == 0) {
        return nothing("there are none");
    }
    Ok("some are there".into())
}

fn kernel_addresses() -> Tried {
    let text = fs::read_to_string("/proc/kallsyms")?;
    let is_zero =
        |line: &str| line.split(' ').next().is_some_and(|at| at.trim_matches('0').is_empty());
    if text.lines().all(is_zero) { nothing("all are 0") } else { Ok(String::new()) }
}
