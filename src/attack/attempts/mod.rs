//! The attempts, as data: what is tried, how it is shown to be live, and what is
//! to come of it in a jail.
//!
//! An attempt is a line for the probe. What stands in braces is filled in by the
//! [`Fixture`](super::fixture::Fixture), the same for the control and the jail.

mod files;
mod kernel;
mod network;
mod processes;

use crate::jail::policy::{Network, Strength};

/// One thing that a program in a jail could try.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Its name, the same for ever.
    pub id: &'static str,
    /// What it is, for a person.
    pub what: &'static str,
    /// The probe's verb and objects.
    pub line: &'static str,
    pub control: Control,
    /// Whether its success can be seen on the host, and so must be in the control.
    pub leaves_trace: bool,
    pub meant: Meant,
}

/// What makes the same attempt succeed outside of the jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Anybody.
    Anybody,
    /// Anybody, in a user namespace of his own in which he may do all.
    OwnNamespaces,
    /// Root of the host. Without it nobody can tell whether the jail or the host
    /// refused.
    Root,
    /// Anybody, where this kernel and its settings have what is tried.
    SomeKernels,
}

/// What is to come of it in a jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    Refused,
    /// It may be begun, but when it is over the host must see nothing of it.
    Undone,
    /// A jail in which this fails is of no use, and proves nothing.
    Works,
    /// It may go through, for this reason.
    Allowed(&'static str),
}

impl Attempt {
    const fn refused(
        id: &'static str,
        line: &'static str,
        control: Control,
        what: &'static str,
    ) -> Self {
        Self { id, what, line, control, leaves_trace: false, meant: Meant::Refused }
    }

    const fn traced(
        id: &'static str,
        line: &'static str,
        control: Control,
        what: &'static str,
    ) -> Self {
        Self { leaves_trace: true, ..Self::refused(id, line, control, what) }
    }

    const fn works(id: &'static str, line: &'static str, what: &'static str) -> Self {
        Self { meant: Meant::Works, ..Self::refused(id, line, Control::Anybody, what) }
    }

    /// What is to come of it in a jail of this kind.
    pub fn meant_in(&self, strength: Strength, network: Network, local_sockets: bool) -> Meant {
        let listed = |list: &[(&str, &'static str)]| {
            list.iter().find(|(id, _)| *id == self.id).map(|(_, why)| Meant::Allowed(why))
        };
        let lacks = match strength {
            Strength::Landlock => listed(LANDLOCK_LACKS),
            Strength::Namespaces => None,
        };
        let granted = match network {
            Network::Host => listed(network::HOST_GRANTS).or_else(|| listed(network::SOCKETS)),
            Network::Loopback => listed(network::SOCKETS),
            Network::None => None,
        };
        let talks = if local_sockets { listed(network::LOCAL_SOCKETS) } else { None };
        listed(ON_PURPOSE).or(lacks).or(granted).or(talks).unwrap_or(self.meant)
    }
}

/// Every attempt, in the order in which they are made.
pub(super) fn all() -> impl Iterator<Item = &'static Attempt> {
    [files::LIST, processes::LIST, network::LIST, kernel::LIST].into_iter().flatten()
}

/// What goes through in every jail, and why that is right.
#[rustfmt::skip]
const ON_PURPOSE: &[(&str, &str)] = &[
    // attempt              why
    ("memory-program",      "running what one wrote is what a jail is for; it has the jail's rights"),
];

/// What goes through where there are no namespaces, and what does not work there.
#[rustfmt::skip]
const LANDLOCK_LACKS: &[(&str, &str)] = &[
    // attempt              why
    ("stat-outside",        "Landlock rules over what is in files, not over what they are called and how large they are"),
    ("enter-outside",       "the same; nothing can be listed or opened there"),
    ("read-link-outside",   "the same, for where a link leads"),
    ("stat-process",        "the host's /proc is in sight, and closed: numbers of processes, nothing in them"),
    ("signal-all",          "a signal to all reaches the jail's own; the other rows say that the host's are not among them"),
    ("host-name",           "there is no host name of the jail's own"),
    ("change-own-mode",     "Landlock has no say over modes, so nobody may set any"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{LANDLOCK_LACKS, ON_PURPOSE, all, network};

    /// The control runs on the user's own host, as root too.
    #[test]
    fn no_control_mounts_on_the_host() {
        let mounts = ["mount", "bind", "remount-writable", "unmount", "chroot"];
        for attempt in all() {
            let verb = attempt.line.split(' ').next().unwrap();
            if mounts.contains(&verb) {
                assert_eq!(attempt.control, super::Control::OwnNamespaces, "{}", attempt.id);
            }
        }
    }

    #[test]
    fn every_attempt_has_a_name_of_its_own_and_every_exception_an_attempt() {
        let ids: Vec<_> = all().map(|attempt| attempt.id).collect();
        let names: BTreeSet<_> = ids.iter().copied().collect();
        assert_eq!(ids.len(), names.len(), "two attempts have one name");
        assert!(120 < ids.len(), "only {} attempts", ids.len());
        let granted = [network::HOST_GRANTS, network::SOCKETS, network::LOCAL_SOCKETS];
        let lists = [&[ON_PURPOSE, LANDLOCK_LACKS][..], &granted].concat();
        for (id, why) in lists.into_iter().flatten() {
            assert!(names.contains(id) && !why.is_empty(), "no attempt `{id}`");
        }
    }
}
