//! What this host gives to jails, and what to do where it does not: one place for
//! `casefile doctor` and for the hint of a jail that could not be built.
//!
//! Only looks. What the kernel says to a real jail is tried by opening one.

#![expect(clippy::disallowed_methods, reason = "files of the kernel, not of a case")]

use std::fs;

use super::stage::{Fault, Stage};
use super::sys;

/// The settings of this host that decide about jails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gives {
    /// The kernel's release, as it calls itself.
    pub kernel: String,
    pub is_root: bool,
    /// A filter that somebody put on casefile itself, as container engines do.
    pub is_filtered: bool,
    pub seccomp: bool,
    /// `kernel.unprivileged_userns_clone`, where the distribution has it.
    pub users_may_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, where AppArmor has it.
    pub apparmor_restricts: Option<u64>,
    /// Each `user.max_*_namespaces` that is 0.
    pub used_up: Vec<String>,
    /// The newest Landlock interface, or the errno that stands for it.
    pub landlock_abi: Result<u32, i32>,
    /// What is mounted over parts of `/proc`.
    pub covered: Vec<String>,
    /// `v2`, `v1`, both, or nothing.
    pub cgroups: &'static str,
}

/// Who refused, where that can be told, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    pub refused_by: Option<String>,
    pub way_out: String,
}

/// What an ordinary user is refused namespaces with.
const NAMESPACES: &[&str] = &["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

impl Gives {
    pub fn look() -> Self {
        let line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let number = |path: &str| line(path)?.parse().ok();
        let status = line("/proc/self/status").unwrap_or_default();
        let seccomp = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        let used_up = NAMESPACES
            .iter()
            .map(|kind| format!("user.max_{kind}_namespaces"))
            .filter(|name| number(&format!("/proc/sys/{}", name.replace('.', "/"))) == Some(0))
            .collect();
        let landlock_abi =
            sys::landlock_abi().map_err(|error| error.raw_os_error().unwrap_or(libc::EIO));
        Self {
            kernel: line("/proc/sys/kernel/osrelease").unwrap_or_default(),
            is_root: nix::unistd::geteuid().is_root(),
            is_filtered: seccomp.is_some_and(|mode| mode.trim() == "2"),
            seccomp: line("/proc/sys/kernel/seccomp/actions_avail").is_some(),
            users_may_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            used_up,
            landlock_abi,
            covered: covered(&line("/proc/self/mountinfo").unwrap_or_default()),
            cgroups: cgroups(&line("/proc/self/mountinfo").unwrap_or_default()),
        }
    }

    /// What is behind a fault on this host.
    pub fn explain(&self, fault: &Fault) -> Diagnosis {
        let known = match fault.stage {
            Stage::Namespaces | Stage::CommandNamespaces => self.namespaces(fault.errno),
            Stage::Identity | Stage::Hostname | Stage::Loopback | Stage::Root | Stage::Pivot => {
                self.rights_in_namespaces(fault.errno)
            }
            Stage::Place if fault.errno == libc::EPERM || fault.errno == libc::EACCES => {
                self.rights_in_namespaces(fault.errno)
            }
            Stage::Place if fault.errno == libc::EINVAL && self.is_root => diagnosis(
                "a filesystem that cannot show its files as another user's",
                "Show files of a filesystem with mapped owners (ext4, xfs, btrfs, tmpfs and \
                 others), or start casefile as their owner."
                    .into(),
            ),
            Stage::Layers => self.layers(fault.errno),
            Stage::Processes | Stage::CommandProcesses => self.processes(fault.errno),
            Stage::Landlock => Some(self.explain_landlock(fault.errno)),
            Stage::Seccomp => Some(self.seccomp()),
            _ => None,
        };
        known.unwrap_or_else(|| Diagnosis {
            refused_by: None,
            way_out: "Run `casefile doctor` to see what this host gives, and what to do about it."
                .into(),
        })
    }

    /// Why namespaces cannot be made, for a kernel that answers with `errno`.
    pub fn namespaces(&self, errno: i32) -> Option<Diagnosis> {
        if let Some(name) = self.used_up.first() {
            return diagnosis(
                format!("the limit `{name}` of 0"),
                format!("Raise it with `sysctl -w {name}=10000`, {OR_WITHOUT}"),
            );
        }
        if errno == libc::ENOSPC {
            return diagnosis(
                "a limit on the number of namespaces, here or further out",
                format!(
                    "Raise `user.max_user_namespaces` where this system was started, {OR_WITHOUT}"
                ),
            );
        }
        if !self.is_root && self.users_may_clone == Some(0) {
            return diagnosis(
                "the setting `kernel.unprivileged_userns_clone` of 0",
                format!(
                    "Allow it with `sysctl -w kernel.unprivileged_userns_clone=1`, {OR_WITHOUT}"
                ),
            );
        }
        self.rights_in_namespaces(errno).or_else(|| {
            diagnosis(
                "the kernel",
                format!("Use a kernel that is built with user namespaces, {OR_WITHOUT}"),
            )
        })
    }

    fn rights_in_namespaces(&self, errno: i32) -> Option<Diagnosis> {
        if ![libc::EPERM, libc::EACCES, libc::ENOSYS].contains(&errno) {
            return None;
        }
        if !self.is_root && self.apparmor_restricts == Some(1) {
            return diagnosis(
                "AppArmor's rule on user namespaces",
                format!(
                    "Give casefile an AppArmor profile with `userns,`, or lift the rule with \
                     `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, {OR_WITHOUT}"
                ),
            );
        }
        self.is_filtered.then(|| filtered(OR_WITHOUT))
    }

    /// Why the trees of a repository cannot be laid over each other.
    fn layers(&self, errno: i32) -> Option<Diagnosis> {
        match errno {
            libc::ENODEV => diagnosis(
                "the kernel, which has no overlayfs",
                format!("Load it with `modprobe overlay`, {OR_WITHOUT}"),
            ),
            libc::EPERM | libc::EACCES => self.rights_in_namespaces(errno).or_else(|| {
                diagnosis(
                    format!("the kernel {}, which lets only root mount an overlay", self.kernel),
                    format!("Boot a kernel of 5.11 or newer, {OR_WITHOUT}"),
                )
            }),
            libc::EOPNOTSUPP => diagnosis(
                "a filesystem that cannot take changes to others",
                "Keep casefile's state on ext4, xfs or btrfs, or on a tmpfs of kernel 6.6 or newer."
                    .into(),
            ),
            libc::EUCLEAN => Some(Diagnosis {
                refused_by: None,
                way_out: "Open the case again, once nobody else has it open.".into(),
            }),
            libc::EINVAL if self.is_root => diagnosis(
                format!("the kernel {}, or the filesystem of a layer", self.kernel),
                "Boot a kernel of 5.19 or newer, which can lay what is root's for another user, or \
                 run casefile as an ordinary user."
                    .into(),
            ),
            _ => None,
        }
    }

    fn processes(&self, errno: i32) -> Option<Diagnosis> {
        if let Some(path) = self.covered.first() {
            return diagnosis(
                format!("the kernel, as `{path}` is covered by a mount"),
                format!(
                    "Uncover /proc (for a container: `--security-opt systempaths=unconfined`), \
                     {OR_WITHOUT}"
                ),
            );
        }
        self.rights_in_namespaces(errno)
    }

    /// Why there is no Landlock, or not enough of it.
    pub fn explain_landlock(&self, errno: i32) -> Diagnosis {
        let (by, way_out) = match self.landlock_abi {
            Err(_) if self.is_filtered => return filtered("or start casefile outside of it."),
            Err(libc::EOPNOTSUPP) => (
                "the kernel, which has Landlock switched off".into(),
                "Add `landlock` to the `lsm=` list of the kernel's command line, and restart.",
            ),
            Err(_) => (
                format!("the kernel {}, which has no Landlock", self.kernel),
                "Boot a kernel of 5.13 or newer that is built with Landlock.",
            ),
            Ok(_) if errno == libc::EPERM && self.is_filtered => {
                return filtered("or start casefile outside of it.");
            }
            Ok(abi) => (
                format!("the kernel {}, whose Landlock {abi} is too old", self.kernel),
                "Boot a kernel of 6.12 or newer, or choose a policy with namespaces and no network.",
            ),
        };
        Diagnosis { refused_by: Some(by), way_out: way_out.into() }
    }

    fn seccomp(&self) -> Diagnosis {
        if self.seccomp || self.is_filtered {
            return filtered("or start casefile outside of it.");
        }
        Diagnosis {
            refused_by: Some("the kernel, which has no seccomp".into()),
            way_out: "Boot a kernel that is built with seccomp filters.".into(),
        }
    }
}

const OR_WITHOUT: &str = "or choose `--policy landlock-only`, which does without.";

fn diagnosis(by: impl Into<String>, way_out: String) -> Option<Diagnosis> {
    Some(Diagnosis { refused_by: Some(by.into()), way_out })
}

fn filtered(other_way: &str) -> Diagnosis {
    Diagnosis {
        refused_by: Some("a seccomp filter that holds casefile itself".into()),
        way_out: format!(
            "Start the container with a seccomp profile that allows namespaces, mounts and \
             Landlock (`--security-opt seccomp=unconfined` allows all), {other_way}"
        ),
    }
}

/// What is mounted on something inside `/proc`: as long as any of it is out of
/// sight, the kernel shows nobody a fresh one.
fn covered(table: &str) -> Vec<String> {
    let at = |line: &str| line.split(' ').nth(4).map(str::to_owned);
    // Where automatic mounts wait nothing is out of sight.
    let waits = |line: &&str| !line.contains(" - autofs ") && !line.contains(" - binfmt_misc ");
    let below = |at: &String| at.starts_with("/proc/");
    table.lines().filter(waits).filter_map(at).filter(below).collect()
}

fn cgroups(table: &str) -> &'static str {
    match (table.contains(" - cgroup2 "), table.contains(" - cgroup ")) {
        (true, true) => "v1 and v2",
        (true, false) => "v2",
        (false, true) => "v1",
        (false, false) => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::{Gives, covered};
    use crate::jail::stage::{Fault, Stage};

    fn good() -> Gives {
        Gives {
            kernel: "6.12.0".into(),
            is_root: false,
            is_filtered: false,
            seccomp: true,
            users_may_clone: None,
            apparmor_restricts: None,
            used_up: Vec::new(),
            landlock_abi: Ok(7),
            covered: Vec::new(),
            cgroups: "v2",
        }
    }

    #[test]
    fn each_fault_names_who_refused_and_the_way_out() {
        let filtered = Gives { is_filtered: true, ..good() };
        let none = Gives { used_up: vec!["user.max_user_namespaces".into()], ..good() };
        let debian = Gives { users_may_clone: Some(0), ..good() };
        let ubuntu = Gives { apparmor_restricts: Some(1), ..good() };
        let root = Gives { is_root: true, ..ubuntu.clone() };
        let masked = Gives { covered: vec!["/proc/sys".into()], ..good() };
        let off = Gives { landlock_abi: Err(libc::EOPNOTSUPP), ..good() };
        let old = Gives { landlock_abi: Err(libc::ENOSYS), ..good() };
        let hidden = Gives { is_filtered: true, ..old.clone() };
        let early = Gives { landlock_abi: Ok(3), ..good() };
        let any = "doctor";
        #[rustfmt::skip]
        let table = [
            // host       stage               errno               refused by                   way out
            (&filtered,   Stage::Namespaces,  libc::EPERM,        "a seccomp filter",          "seccomp=unconfined"),
            (&none,       Stage::Namespaces,  libc::ENOSPC,       "`user.max_user_namespaces`", "sysctl -w user.max_user_namespaces"),
            (&good(),     Stage::Namespaces,  libc::ENOSPC,       "limit on the number",       "user.max_user_namespaces"),
            (&debian,     Stage::Namespaces,  libc::EPERM,        "unprivileged_userns_clone", "sysctl -w kernel.unprivileged_userns_clone=1"),
            (&ubuntu,     Stage::Namespaces,  libc::EACCES,       "AppArmor",                  "apparmor_restrict_unprivileged_userns=0"),
            (&ubuntu,     Stage::Identity,    libc::EPERM,        "AppArmor",                  "landlock-only"),
            (&ubuntu,     Stage::Root,        libc::EACCES,       "AppArmor",                  "landlock-only"),
            (&root,       Stage::Namespaces,  libc::EPERM,        "the kernel",                "landlock-only"),
            (&good(),     Stage::Namespaces,  libc::EINVAL,       "the kernel",                "built with user namespaces"),
            (&good(),     Stage::Layers,      libc::ENODEV,       "no overlayfs",              "modprobe overlay"),
            (&good(),     Stage::Layers,      libc::EPERM,        "only root",                 "5.11"),
            (&ubuntu,     Stage::Layers,      libc::EACCES,       "AppArmor",                  "landlock-only"),
            (&good(),     Stage::Layers,      libc::EOPNOTSUPP,   "a filesystem",              "ext4"),
            (&good(),     Stage::Layers,      libc::EUCLEAN,      "",                          "nobody else has it open"),
            (&root,       Stage::Layers,      libc::EINVAL,       "or the filesystem",         "5.19"),
            (&masked,     Stage::Processes,   libc::EPERM,        "`/proc/sys` is covered",    "systempaths=unconfined"),
            (&off,        Stage::Landlock,    libc::EOPNOTSUPP,   "switched off",              "lsm="),
            (&old,        Stage::Landlock,    libc::ENOSYS,       "has no Landlock",           "5.13"),
            (&hidden,     Stage::Landlock,    libc::ENOSYS,       "a seccomp filter",          "seccomp"),
            (&early,      Stage::Landlock,    libc::EOPNOTSUPP,   "Landlock 3 is too old",     "6.12"),
            (&filtered,   Stage::Seccomp,     libc::EPERM,        "a seccomp filter",          "seccomp"),
            (&good(),     Stage::Cgroup,      libc::EPERM,        "",                          any),
        ];
        for (host, stage, errno, by, way_out) in table {
            let fault = Fault { stage, errno, detail: String::new() };
            let got = host.explain(&fault);
            let refused_by = got.refused_by.clone().unwrap_or_default();
            assert!(refused_by.contains(by), "{stage:?} {errno}: {got:?}");
            assert!(got.way_out.contains(way_out), "{stage:?} {errno}: {got:?}");
        }
    }

    #[test]
    fn only_what_hides_a_part_of_proc_covers_it() {
        let table = "\
22 1 0:21 / /proc rw - proc proc rw
23 22 0:30 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
24 22 0:21 /sys /proc/sys ro - proc proc rw
25 1 0:40 / /processes rw - tmpfs x rw";
        assert_eq!(covered(table), ["/proc/sys"]);
    }
}
