//! Which paths of the host a jail shows: one list, which the jail is built from
//! and by which `casefile policy why` answers.

use std::path::{Path, PathBuf};

use super::mount::tidy;
use super::{BadMount, Line, Mode, Mount, Policy, Workdir};
use crate::config::PolicyName;
use crate::hint::Hint;

/// A path of the host in the jail, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub mount: Mount,
    pub by: Giver,
    /// Whether a host that lacks it is no error.
    pub optional: bool,
}

/// Who gave a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Giver {
    /// `files:` of a policy.
    Files(Line),
    /// `workdir:` of a policy.
    Workdir(Option<Line>),
    /// `--read` or `--write`.
    Flag(Mode),
    /// The case that the jail is for.
    Case,
}

/// What a jail shows at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A path of the host.
    Shown { from: PathBuf, by: Shown },
    /// What the jail made for itself.
    Own(&'static str),
    /// Nothing.
    Hidden,
}

/// What was asked for is not shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotShown {
    /// A flag asks for what the policy does not grant.
    #[error("the policy `{policy}` does not grant `--{mode}` ({})", told(by.as_ref()))]
    NotGranted { policy: PolicyName, mode: Mode, by: Option<Line> },
    /// The policy shows the current directory, which is one that no jail shows.
    #[error("the policy `{policy}` shows the current directory ({})", told(by.as_ref()))]
    Workdir { policy: PolicyName, by: Option<Line>, source: BadMount },
}

/// What a jail makes for itself and never takes from the host.
const OWN: [&str; 3] = ["/proc", "/dev", "/tmp"];

impl Policy {
    /// Every path that is shown, in the order in which they are laid down: of two
    /// at one place the later holds, and what lies below another comes after it.
    pub fn shown(&self, working_directory: &Path, asked: &[Mount]) -> Result<Vec<Shown>, NotShown> {
        let mut shown = Vec::new();
        for path in &self.files_read {
            let (from, to) = (path.value.clone(), path.value.clone());
            let by = Giver::Files(path.by.clone());
            shown.push(Shown { mount: Mount { from, to, mode: Mode::Read }, by, optional: true });
        }
        for mount in &self.mounts {
            let by = Giver::Files(mount.by.clone());
            shown.push(Shown { mount: mount.value.clone(), by, optional: false });
        }
        let mode = match self.workdir.value {
            Workdir::Hidden => None,
            Workdir::Read => Some(Mode::Read),
            Workdir::Write => Some(Mode::Write),
        };
        if let Some(mode) = mode {
            let mount = self.workdir(working_directory, mode)?;
            let by = Giver::Workdir(self.workdir.by.clone());
            shown.push(Shown { mount, by, optional: false });
        }
        for mount in asked {
            self.grants(mount.mode)?;
            let by = Giver::Flag(mount.mode);
            shown.push(Shown { mount: mount.clone(), by, optional: false });
        }
        // Stable: at one place the order of saying stays.
        shown.sort_by_key(|shown| shown.mount.to.components().count());
        Ok(shown)
    }

    /// What a jail shows at `path`, which is taken by its words: where a link
    /// leads is asked with the path that it leads to.
    pub fn reach(
        &self,
        path: &Path,
        working_directory: &Path,
        asked: &[Mount],
    ) -> Result<Reach, NotShown> {
        let path = tidy(&working_directory.join(path));
        let mut shown = self.shown(working_directory, asked)?;
        let deepest = shown.iter().rposition(|shown| path.starts_with(&shown.mount.to));
        if let Some(by) = deepest.map(|at| shown.swap_remove(at)) {
            let below = path.strip_prefix(&by.mount.to).unwrap_or(Path::new(""));
            let from = by.mount.from.join(below).components().collect();
            return Ok(Reach::Shown { from, by });
        }
        let own = OWN.into_iter().find(|own| path.starts_with(own));
        Ok(own.map_or(Reach::Hidden, Reach::Own))
    }

    /// Whether `--read` or `--write` may show anything.
    pub fn grants(&self, mode: Mode) -> Result<(), NotShown> {
        let grant = match mode {
            Mode::Read => &self.grants_read,
            Mode::Write => &self.grants_write,
        };
        if grant.value {
            return Ok(());
        }
        Err(NotShown::NotGranted { policy: self.name.clone(), mode, by: grant.by.clone() })
    }

    /// Started in `/`, a jail that shows its directory would show everything.
    fn workdir(&self, working_directory: &Path, mode: Mode) -> Result<Mount, NotShown> {
        let directory = working_directory.as_os_str();
        Mount::new(directory, directory, mode).map_err(|source| NotShown::Workdir {
            policy: self.name.clone(),
            by: self.workdir.by.clone(),
            source,
        })
    }
}

fn told(by: Option<&Line>) -> String {
    by.map_or_else(|| "default".into(), ToString::to_string)
}

impl Hint for NotShown {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotGranted { .. } => {
                "Leave the flag out, or name a policy that grants it with `--policy`."
            }
            Self::Workdir { .. } => "Change to the directory that is meant, and start there.",
        };
        Some(text.into())
    }
}
