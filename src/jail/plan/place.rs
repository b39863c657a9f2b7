//! What is at one place of a jail's tree, and what every jail has.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{HOME, HOSTNAME, USER, USER_ID};
use crate::jail::found::Found;

/// One thing in the jail's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Absolute, in the jail.
    pub at: PathBuf,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    Directory,
    Link {
        to: PathBuf,
    },
    Text(String),
    /// A directory or file of the host.
    Show {
        from: Found,
        write: bool,
    },
    /// Directories of the host laid over each other, and changed on top of them.
    Layered {
        /// The topmost first. Never changed.
        below: Vec<Found>,
        /// Holds `upper`, where the changes are, and `work`.
        changes: Found,
        durable: bool,
    },
    /// A directory in memory.
    Scratch,
    /// A device file of the host.
    Device,
    /// The jail's own terminals.
    Terminals,
    /// The jail's own `/proc`.
    Processes,
}

impl Place {
    pub(in crate::jail) fn new(at: impl Into<PathBuf>, what: What) -> Self {
        Self { at: at.into(), what }
    }
}

/// What every jail with a root of its own has, whatever its policy says.
pub(in crate::jail) fn furniture() -> Vec<Place> {
    let link = |at: &str, to: &str| Place::new(at, What::Link { to: to.into() });
    let text = |at: &str, text: String| Place::new(at, What::Text(text));
    let mut places = vec![
        Place::new("/tmp", What::Scratch),
        Place::new(HOME, What::Scratch),
        Place::new("/dev/shm", What::Scratch),
        Place::new("/dev/pts", What::Terminals),
        Place::new("/proc", What::Processes),
        Place::new("/run", What::Directory),
        link("/var/tmp", "/tmp"),
        link("/dev/ptmx", "pts/ptmx"),
        link("/dev/fd", "/proc/self/fd"),
        link("/dev/stdin", "/proc/self/fd/0"),
        link("/dev/stdout", "/proc/self/fd/1"),
        link("/dev/stderr", "/proc/self/fd/2"),
        text(
            "/etc/passwd",
            format!(
                "root:x:0:0::/:/bin/sh\n{USER}:x:{USER_ID}:{USER_ID}::{HOME}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
            ),
        ),
        text("/etc/group", format!("root:x:0:\n{USER}:x:{USER_ID}:\nnogroup:x:65534:\n")),
        text("/etc/hosts", format!("127.0.0.1 localhost {HOSTNAME}\n::1 localhost\n")),
        text("/etc/hostname", format!("{HOSTNAME}\n")),
        text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".into()),
        text("/etc/resolv.conf", String::new()),
    ];
    places.extend(devices());
    places
}

/// The device files that programs take for granted, and no others.
pub(super) fn devices() -> Vec<Place> {
    ["null", "zero", "full", "random", "urandom", "tty"]
        .map(|name| Place::new(Path::new("/dev").join(name), What::Device))
        .into()
}
