//! The name of each step by which a jail is built and a command locked in, and
//! what it says when it cannot be taken.

use std::fmt;
use std::io;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// The steps in the order in which they are taken; `stages.rs` says why so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    Zygote,
    Cgroup,
    OrdinaryUser,
    Namespaces,
    Identity,
    Hostname,
    Loopback,
    Root,
    Place,
    Layers,
    Processes,
    Pivot,
    Landlock,
    Capabilities,
    Seccomp,
    CommandNamespaces,
    CommandProcesses,
    Terminal,
    Limits,
    Directory,
    Exec,
}

impl Stage {
    /// The layer, as a person would name it.
    pub fn layer(self) -> &'static str {
        match self {
            Self::Zygote => "the process that jails are forked from",
            Self::Cgroup => "cgroup",
            Self::OrdinaryUser => "giving up root",
            Self::Namespaces => "namespaces",
            Self::Identity => "user id map",
            Self::Hostname => "host name",
            Self::Loopback => "loopback network",
            Self::Root => "root directory",
            Self::Place => "mounts",
            Self::Layers => "overlay",
            Self::Processes => "/proc",
            Self::Pivot => "pivot_root",
            Self::Landlock => "Landlock",
            Self::Capabilities => "capabilities",
            Self::Seccomp => "seccomp",
            Self::CommandNamespaces => "the command's pid namespace",
            Self::CommandProcesses => "the command's /proc",
            Self::Terminal => "terminal",
            Self::Limits => "resource limits",
            Self::Directory => "working directory",
            Self::Exec => "program",
        }
    }
}

/// A step that could not be taken. Comes out of the jail as it was being built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub stage: Stage,
    /// What the kernel said.
    pub errno: i32,
    /// What was being done to what.
    pub detail: String,
}

impl Fault {
    pub(super) fn new(stage: Stage, error: &io::Error, detail: impl Into<String>) -> Self {
        Self { stage, errno: error.raw_os_error().unwrap_or(libc::EIO), detail: detail.into() }
    }

    pub fn errno(&self) -> Errno {
        Errno::from_raw(self.errno)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage.layer(), self.detail)?;
        match self.errno() {
            // What it means here is said already, in words that fit better.
            Errno::EOPNOTSUPP => Ok(()),
            errno => write!(f, ": {}", errno.desc()),
        }
    }
}

/// Says at which step, and doing what, a call failed.
pub(super) trait At<T> {
    fn at(self, stage: Stage, detail: impl Into<String>) -> Result<T, Fault>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, stage: Stage, detail: impl Into<String>) -> Result<T, Fault> {
        self.map_err(|error| Fault::new(stage, &error.into(), detail))
    }
}
