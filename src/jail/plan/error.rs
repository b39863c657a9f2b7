//! Why a jail cannot be what it is wanted to be.

use std::path::PathBuf;

use crate::hint::Hint;

/// A jail cannot be what it is wanted to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    #[error("cannot show `{}`", from.display())]
    Missing { from: PathBuf, source: std::io::Error },
    #[error("cannot show `{}`: `{}` on the way is a link that others can change", from.display(), link.display())]
    Link { from: PathBuf, link: PathBuf, real: Option<PathBuf> },
    #[error("cannot show `{}`, of which a jail has one of its own or none", to.display())]
    Taken { to: PathBuf },
    #[error("cannot let a jail write to `{}`: casefile keeps its own in `{}`", from.display(), kept.display())]
    Kept { from: PathBuf, kept: PathBuf },
    #[error("cannot show `{}`: the kernel's own filesystem at `{}` would show with it", from.display(), mount.display())]
    Kernel { from: PathBuf, mount: PathBuf },
    #[error("cannot show `{}` at `{}`: without namespaces everything is at its own place", from.display(), to.display())]
    Elsewhere { from: PathBuf, to: PathBuf },
    #[error("cannot lay `{}` in layers: without namespaces a jail has no mounts of its own", at.display())]
    Layered { at: PathBuf },
    #[error("cannot show `{}`, the program that runs: it was removed or replaced since", program.display())]
    Replaced { program: PathBuf },
}

impl Hint for PlanError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Link { real: Some(real), .. } => {
                return Some(format!(
                    "Name what it leads to, if that is meant: {}",
                    real.display()
                ));
            }
            Self::Link { .. } => "Name a file or directory by a way without links.",
            Self::Missing { .. } => "Name a file or directory that exists and that you may read.",
            Self::Taken { .. } => "Show it at a place of its own, such as `/mnt/NAME`.",
            Self::Kept { .. } => "Show the directories that are needed, one by one.",
            Self::Kernel { .. } => "Name the directories below it that are needed.",
            Self::Layered { .. } => {
                "Give it a copy to write to, or choose a policy with namespaces."
            }
            Self::Replaced { .. } => "Start casefile again.",
            Self::Elsewhere { .. } => "Leave out `:TO`, or choose a policy with namespaces.",
        };
        Some(text.into())
    }
}
