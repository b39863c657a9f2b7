//! What of the host a jail may be shown, looked at where it is.

use std::path::{Path, PathBuf};

use super::{Layered, Place, PlanError, What};
use crate::jail::found::{Found, NotFound};
use crate::jail::host::THIS_PROGRAM;
use crate::jail::policy::{Mode, Mount, Strength};

/// A path of the policy, as the host has it. A link to a directory (`/bin` in
/// most systems) stays a link, so that both names mean the same; one to a file
/// becomes the file, since where it leads may not be shown.
#[expect(clippy::disallowed_methods, reason = "names on the host, before there is a jail")]
pub(super) fn shown_if_there(path: &Path) -> Result<Option<Place>, PlanError> {
    let Ok(metadata) = path.symlink_metadata() else { return Ok(None) };
    if metadata.is_symlink() {
        let Ok(at) = path.metadata() else { return Ok(None) };
        if at.is_dir() {
            let to = path.read_link().ok();
            return Ok(to.map(|to| Place::new(path, What::Link { to })));
        }
    }
    match find(path) {
        Ok(from) => Ok(Some(Place::new(path, What::Show { from, write: false }))),
        // In a user namespace without a root even the system's links are nobody's.
        // Nothing that a policy names only for hosts that have it is needed so much.
        Err(PlanError::Link { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn check(
    mount: &Mount,
    strength: Strength,
    kept: &[PathBuf],
) -> Result<Place, PlanError> {
    let Mount { from, to, mode } = mount.clone();
    let found = find(&from)?;
    let real = &found.real;
    if strength == Strength::Landlock && to != from && to != *real {
        return Err(PlanError::Elsewhere { from, to });
    }
    if mode == Mode::Write
        && let Some(kept) = kept.iter().find(|kept| covers(real, kept))
    {
        return Err(PlanError::Kept { from, kept: kept.clone() });
    }
    Ok(Place::new(to, What::Show { from: found, write: mode == Mode::Write }))
}

/// What casefile keeps is not in the way here: it is casefile that keeps changes.
pub(super) fn layer(wanted: &Layered, strength: Strength) -> Result<Place, PlanError> {
    let Layered { at, below, changes, durable } = wanted;
    if strength == Strength::Landlock {
        return Err(PlanError::Layered { at: at.clone() });
    }
    let below = below.iter().map(|dir| find(dir)).collect::<Result<_, _>>()?;
    let what = What::Layered { below, changes: find(changes)?, durable: *durable };
    Ok(Place::new(at, what))
}

/// The file that this process was started from, if its name still leads to it. The
/// process itself can reach it without, but a jail cannot.
#[expect(clippy::disallowed_methods, reason = "the program's own file, on the host")]
pub(super) fn this_program() -> Result<Found, PlanError> {
    let missing = |source| PlanError::Missing { from: THIS_PROGRAM.into(), source };
    let program = Path::new(THIS_PROGRAM).read_link().map_err(missing)?;
    let runs = Path::new(THIS_PROGRAM).metadata().map_err(missing)?;
    match Found::look(&program) {
        Ok(found) if found.is(&runs) => Ok(found),
        _ => Err(PlanError::Replaced { program }),
    }
}

/// Whether one of the two directories lies in the other. What is not there yet
/// would be made below the nearest directory that is.
#[expect(clippy::disallowed_methods, reason = "a name on the host, before there is a jail")]
fn covers(real: &Path, kept: &Path) -> bool {
    let kept = kept
        .ancestors()
        .find_map(|there| Some(there.canonicalize().ok()?.join(kept.strip_prefix(there).ok()?)))
        .unwrap_or_else(|| kept.to_owned());
    kept.starts_with(real) || real.starts_with(&kept)
}

/// Finds what is to be shown, if it is of a kind that may be.
pub(super) fn find(from: &Path) -> Result<Found, PlanError> {
    let found = Found::look(from).map_err(|error| match error {
        NotFound::Io(source) => PlanError::Missing { from: from.into(), source },
        NotFound::Link { link, real } => PlanError::Link { from: from.into(), link, real },
    })?;
    let real = &found.real;
    // Through a link one could come to what has a name of its own here.
    if ["/proc", "/dev", "/sys"].iter().any(|own| real.starts_with(own)) || real == Path::new("/") {
        return Err(PlanError::Taken { to: found.real });
    }
    match kernel_mount_below(real) {
        Ok(None) => Ok(found),
        Ok(Some(mount)) => Err(PlanError::Kernel { from: from.into(), mount }),
        Err(source) => Err(PlanError::Missing { from: "/proc/self/mountinfo".into(), source }),
    }
}

/// Filesystems that show or change the kernel rather than files.
const KERNEL_KINDS: &[&str] = &[
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "configfs",
    "pstore",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "binfmt_misc",
    "rpc_pipefs",
    "nsfs",
    "selinuxfs",
];

/// A mount of the kernel's own that would come along with `path`.
fn kernel_mount_below(path: &Path) -> std::io::Result<Option<PathBuf>> {
    #[expect(clippy::disallowed_methods, reason = "a file of the kernel, not of a case")]
    let table = std::fs::read_to_string("/proc/self/mountinfo")?;
    Ok(table.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let at = PathBuf::from(unescape(before.split(' ').nth(4)?));
        let kind = after.split(' ').next()?;
        let inside = at.starts_with(path) || (path.starts_with(&at) && at != Path::new("/"));
        (inside && KERNEL_KINDS.contains(&kind)).then_some(at)
    }))
}

/// The kernel writes space, tab, newline and backslash in a path as octal.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (octal, plain)| text.replace(octal, plain))
}
