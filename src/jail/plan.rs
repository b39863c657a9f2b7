//! What a jail is to be, decided before any process is made for it.
//!
//! A plan is made on the host from a policy and what the caller asked to be
//! shown. It travels to the zygote as a message, so it is plain data; the stages
//! carry it out and decide nothing.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::found::{Found, NotFound};
use super::host::THIS_PROGRAM;
use super::policy::{Giver, Mode, Mount, Network, Shown, Strength};
use crate::config::limits::{Limit, Limits};
use crate::hint::Hint;

/// The jail's own user: its id inside, its name, its home.
pub(super) const USER_ID: u32 = 1000;
pub const USER: &str = "case";
pub const HOME: &str = "/home/case";
pub(super) const HOSTNAME: &str = "case";

/// Everything that the stages need to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub strength: Strength,
    pub network: Network,
    /// Whether sockets with a name can be made and talked to.
    pub local_sockets: bool,
    /// In the order in which they are put in place.
    pub places: Vec<Place>,
    /// What the jail makes for itself, before them. Nearly always the same, so it is
    /// made before a plan is there.
    pub own: Vec<Place>,
    pub limits: Limits,
}

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
    pub(super) fn new(at: impl Into<PathBuf>, what: What) -> Self {
        Self { at: at.into(), what }
    }
}

/// What every jail with a root of its own has, whatever its policy says.
pub(super) fn furniture() -> Vec<Place> {
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
fn devices() -> Vec<Place> {
    ["null", "zero", "full", "random", "urandom", "tty"]
        .map(|name| Place::new(Path::new("/dev").join(name), What::Device))
        .into()
}

/// A tree that is made of several and may be changed.
#[derive(Clone, Debug)]
pub struct Layered {
    /// Where, in the jail. Nothing else can be shown in it but another such tree, which
    /// is left out where the jail before has put something else than a directory.
    pub at: PathBuf,
    /// Directories of the host, each laid over the next. They stay as they are, and
    /// must do so for as long as the jail is there.
    pub below: Vec<PathBuf>,
    /// A directory of the host with two in it: `upper` takes what changes, and `work`
    /// belongs to the kernel. One jail at a time; `work` is empty at first and has to
    /// be emptied before the next.
    pub changes: PathBuf,
    /// Whether the end of the jail waits until the disk has it all.
    pub durable: bool,
}

/// What a jail is wanted for, by policy and by its caller.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub strength: Strength,
    pub network: Network,
    /// Allowed even where one of the host's may be in sight.
    pub local_sockets: bool,
    pub limits: &'a Limits,
    /// Where casefile keeps its own, which no jail may change: what a jail may do
    /// is decided there.
    pub kept: Vec<PathBuf>,
    /// In the order in which they are laid down; of two at one place the later
    /// holds.
    pub shown: Vec<Shown>,
    /// Trees to change, after all that is shown.
    pub layered: Vec<Layered>,
    /// Where the jail has this very program.
    pub program_at: Option<PathBuf>,
    /// A directory of the host that serves as home and for temporary files, where
    /// a jail has no memory of its own for them.
    pub scratch: Option<PathBuf>,
}

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

impl Plan {
    /// Decides what the jail will be. Looks at the host, and changes nothing.
    pub fn new(wanted: &Wanted<'_>) -> Result<Self, PlanError> {
        let Wanted { strength, network, local_sockets, limits, kept, shown, .. } = wanted;
        let mut shows: Vec<Place> = Vec::new();
        for shown in shown {
            let place = match shown.optional {
                true => shown_if_there(&shown.mount.from)?,
                false => {
                    // What casefile keeps for a case is the case's own to change.
                    let kept = if shown.by == Giver::Case { &[][..] } else { kept };
                    Some(check(&shown.mount, *strength, kept)?)
                }
            };
            if let Some(place) = place {
                shows.retain(|earlier| earlier.at != place.at);
                shows.push(place);
            }
        }
        if let Some(at) = &wanted.program_at {
            let from = this_program()?;
            shows.push(Place::new(at, What::Show { from, write: false }));
        }
        if let Some(dir) = &wanted.scratch {
            shows.push(Place::new(dir, What::Show { from: find(dir)?, write: true }));
        }
        for layered in &wanted.layered {
            let place = layer(layered, *strength)?;
            shows.retain(|earlier| earlier.at != place.at);
            shows.push(place);
        }
        let mut own = match strength {
            Strength::Namespaces => furniture(),
            Strength::Landlock => devices(),
        };
        // A file that is shown takes the place of the one that would be made.
        own.retain(|place| shows.iter().all(|shown| shown.at != place.at));
        // Whoever may write to a socket may talk to it, on a read-only mount too, and
        // the owner that a mount shows counts. So there is none in sight, or none to
        // be had. What the system's directories hold is for everybody anyway. What a
        // case shows holds none: evidence and snapshots are files, directories and
        // links, and so are a repository's objects. In what a case has changed there
        // may be some, with nobody at the other end, for its jail is over.
        // Without namespaces all of the host's are in sight.
        let none_in_sight = shown.iter().all(|shown| shown.optional || shown.by == Giver::Case);
        Ok(Self {
            strength: *strength,
            network: *network,
            local_sockets: *strength == Strength::Namespaces && (*local_sockets || none_in_sight),
            places: shows,
            own,
            limits: (*limits).clone(),
        })
    }

    pub(super) fn bytes(&self, limit: Limit) -> u64 {
        self.limits.get(limit).saturating_mul(1024 * 1024)
    }

    /// Whether the jail has something of the host at or above this path.
    pub fn shows(&self, path: &Path) -> bool {
        self.places
            .iter()
            .filter(|place| matches!(&place.what, What::Show { .. } | What::Layered { .. }))
            .any(|place| path.starts_with(&place.at))
    }
}

/// A path of the policy, as the host has it. A link to a directory (`/bin` in
/// most systems) stays a link, so that both names mean the same; one to a file
/// becomes the file, since where it leads may not be shown.
#[expect(clippy::disallowed_methods, reason = "names on the host, before there is a jail")]
fn shown_if_there(path: &Path) -> Result<Option<Place>, PlanError> {
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

fn check(mount: &Mount, strength: Strength, kept: &[PathBuf]) -> Result<Place, PlanError> {
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
fn layer(wanted: &Layered, strength: Strength) -> Result<Place, PlanError> {
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
fn this_program() -> Result<Found, PlanError> {
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
fn find(from: &Path) -> Result<Found, PlanError> {
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
