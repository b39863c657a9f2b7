//! The jail's own root directory: an empty filesystem in memory, filled with what
//! the plan lists, through descriptors.
//!
//! Nothing is ever created in a directory of the host: a place is made only
//! where the jail's own memory lies below it, and is otherwise there already.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{chdir, fchdir, pivot_root, symlinkat};

use super::found::{Found, open_real};
use super::landlock::{Spot, Use};
use super::overlay::{Trees, Workshop};
use super::plan::{Place, Plan, What};
use super::stage::{At, Fault, Stage};
use super::sys;

const RDONLY: u64 = 1;
pub(super) const NOSUID: u64 = 2;
pub(super) const NODEV: u64 = 4;
const NOEXEC: u64 = 8;

/// The root holds directories, links and a few small files.
const ROOT_SIZE: &str = "4m";
const ROOT_INODES: &str = "16384";
/// So many files may a scratch directory hold for each MiB that it may.
const INODES_PER_MIB: u64 = 256;

/// A root directory that is attached, but not yet entered.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    /// Filesystems that this jail made for itself, by device number.
    own: BTreeSet<u64>,
    scratch_mib: u64,
    /// Directories in them that were made or looked at, as long as nothing covers
    /// them.
    parents: HashMap<PathBuf, OwnedFd>,
}

impl Root {
    /// Makes an empty root and puts it over the one in sight, which stays open
    /// to this process until [`Root::enter`].
    pub(super) fn new(scratch_mib: u64) -> Result<Self, Fault> {
        let stage = Stage::Root;
        // Nothing that is mounted here may show in the namespace it was copied from.
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .at(stage, "cutting the mounts loose from the host's")?;
        let options = [
            (c"size", Some(ROOT_SIZE.into())),
            (c"nr_inodes", Some(ROOT_INODES.into())),
            (c"mode", Some("0755".into())),
        ];
        let fd = sys::new_filesystem(c"tmpfs", &options, NOSUID | NODEV)
            .at(stage, "making a filesystem")?;
        sys::move_mount(fd.as_fd(), AT_FDCWD, c"/").at(stage, "putting it over the old root")?;
        let own = BTreeSet::from([device(fd.as_fd()).at(stage, "looking at it")?]);
        Ok(Self { fd, own, scratch_mib, parents: HashMap::new() })
    }

    /// Puts things in their places. `sources` holds what was opened beforehand: for
    /// each place all the trees that it is made of, or none.
    pub(super) fn furnish(
        &mut self,
        places: &[Place],
        sources: Vec<Sources>,
    ) -> Result<Vec<Spot>, Fault> {
        let mut spots = Vec::new();
        let mut workshop = None;
        let mut laid: Vec<&Path> = Vec::new();
        for (place, sources) in places.iter().zip(sources) {
            let put_wrong = |error: &io::Error| {
                let stage = match place.what {
                    What::Processes => Stage::Processes,
                    _ => Stage::Place,
                };
                Fault::new(stage, error, format!("putting {} in place", describe(place)))
            };
            if let What::Layered { below, changes, durable } = &place.what {
                let is_within = laid.iter().any(|outer| place.at.starts_with(outer));
                if is_within && !self.has_directory(&place.at).map_err(|e| put_wrong(&e))? {
                    continue;
                }
                laid.push(&place.at);
                let trees = match Trees::of(sources, *durable) {
                    Some(trees) => trees,
                    None => open_layers(below, changes, *durable)?,
                };
                let workshop = match &mut workshop {
                    Some(open) => open,
                    none => none.insert(Workshop::open(&self.fd)?),
                };
                let mount = workshop.lay(&trees, &describe(place))?;
                self.attach(mount.as_fd(), &place.at, true).map_err(|error| put_wrong(&error))?;
                let usage = Use::Changes { of: trees.changes };
                spots.push(Spot { fd: mount, usage });
                continue;
            }
            let source = sources.into_iter().next();
            spots.extend(self.put(place, source).map_err(|error| put_wrong(&error))?);
        }
        workshop.map_or(Ok(()), Workshop::close)?;
        Ok(spots)
    }

    /// The rest of the root never changes again.
    pub(super) fn seal(&mut self) -> Result<Spot, Fault> {
        self.parents.clear();
        sys::set_mount(self.fd.as_fd(), RDONLY).at(Stage::Root, "making it read-only")?;
        let fd = self.fd.try_clone().at(Stage::Root, "keeping it open")?;
        Ok(Spot { fd, usage: Use::Read })
    }

    fn put(&mut self, place: &Place, source: Option<OwnedFd>) -> io::Result<Option<Spot>> {
        match &place.what {
            What::Directory => self.directory(&place.at).map(|_| None),
            What::Link { to } => self
                .with_parent(&place.at, |parent, name| Ok(symlinkat(to.as_path(), parent, name)?))
                .map(|()| None),
            What::Text(text) => self
                .with_parent(&place.at, |parent, name| {
                    let file = openat(parent, name, NEW_FILE, Mode::from_bits_truncate(0o644))?;
                    std::fs::File::from(file).write_all(text.as_bytes())
                })
                .map(|()| None),
            What::Scratch => self.scratch(&place.at).map(Some),
            What::Processes => {
                let mount = sys::new_filesystem(c"proc", &[], RDONLY | NOSUID | NODEV | NOEXEC)?;
                self.attach(mount.as_fd(), &place.at, true).map(|()| None)
            }
            What::Terminals => {
                let options = [
                    (c"ptmxmode", Some("0666".into())),
                    (c"mode", Some("0620".into())),
                    (c"max", Some(TERMINALS_MAX.into())),
                ];
                let mount = sys::new_filesystem(c"devpts", &options, NOSUID | NOEXEC)?;
                self.attach(mount.as_fd(), &place.at, true)?;
                Ok(Some(Spot { fd: mount, usage: Use::Device }))
            }
            What::Device => {
                let tree = match source {
                    Some(tree) => tree,
                    None => tree(&open_real(&place.at)?, Access::Device)?,
                };
                self.attach(tree.as_fd(), &place.at, false)?;
                Ok(Some(Spot { fd: tree, usage: use_of_device(&place.at) }))
            }
            What::Show { from, write } => {
                let access = if *write { Access::Write } else { Access::Read };
                let tree = match source {
                    Some(tree) => tree,
                    None => tree(&from.open()?, access)?,
                };
                let is_dir = fstat(&tree)?.st_mode & libc::S_IFMT == libc::S_IFDIR;
                self.attach(tree.as_fd(), &place.at, is_dir)?;
                Ok(write.then_some(Spot { fd: tree, usage: Use::Write }))
            }
            // Made of more than one tree, and dealt with where those are.
            What::Layered { .. } => Err(Errno::EINVAL.into()),
        }
    }

    fn scratch(&mut self, at: &Path) -> io::Result<Spot> {
        let mode = if at == Path::new(super::plan::HOME) { "0700" } else { "1777" };
        let options = [
            (c"size", Some(format!("{}m", self.scratch_mib))),
            (c"nr_inodes", Some((self.scratch_mib * INODES_PER_MIB).to_string())),
            (c"mode", Some(mode.into())),
        ];
        let mount = sys::new_filesystem(c"tmpfs", &options, NOSUID | NODEV)?;
        self.attach(mount.as_fd(), at, true)?;
        self.own.insert(device(mount.as_fd())?);
        Ok(Spot { fd: mount, usage: Use::Scratch })
    }

    fn attach(&mut self, mount: BorrowedFd<'_>, at: &Path, is_dir: bool) -> io::Result<()> {
        let target = match self.open(at) {
            Err(Errno::ENOENT) if is_dir => self.directory(at)?,
            Err(Errno::ENOENT) => self.with_parent(at, |parent, name| {
                Ok(openat(parent, name, NEW_FILE, Mode::from_bits_truncate(0o444))?)
            })?,
            found => found?,
        };
        // What was known of directories here is about to be covered.
        self.parents.retain(|path, _| !path.starts_with(at));
        // An empty path means the descriptor itself, on which nothing can be swapped.
        sys::move_mount(mount, target.as_fd(), c"")
    }

    /// Whether there is a directory to lay a tree on. In another tree that a jail has
    /// changed before there need not be: it may have removed it, or put a file or a
    /// link there.
    fn has_directory(&self, at: &Path) -> io::Result<bool> {
        match self.open(at) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(false),
            found => Ok(fstat(found?)?.st_mode & libc::S_IFMT == libc::S_IFDIR),
        }
    }

    /// Opens what is at `at` in the new root. No link is followed: in a directory
    /// of the host it would be somebody's, who could lay the mount elsewhere.
    fn open(&self, at: &Path) -> nix::Result<OwnedFd> {
        let inside = at.strip_prefix("/").unwrap_or(at);
        let inside = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        openat2(&self.fd, inside, how)
    }

    /// The directory at `at`, made with its parents if it is missing.
    fn directory(&mut self, at: &Path) -> io::Result<OwnedFd> {
        match self.open(at) {
            Err(Errno::ENOENT) => {}
            found => return Ok(found?),
        }
        self.with_parent(at, |parent, name| {
            Ok(mkdirat(parent, name, Mode::from_bits_truncate(0o755))?)
        })?;
        Ok(self.open(at)?)
    }

    /// Makes something called the last part of `at` in the directory of the others.
    fn with_parent<T>(
        &mut self,
        at: &Path,
        make: impl FnOnce(BorrowedFd<'_>, &OsStr) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(Component::Normal(name)) = at.components().next_back() else {
            return Err(Errno::EINVAL.into());
        };
        let parent = at.parent().unwrap_or(Path::new("/"));
        if !self.parents.contains_key(parent) {
            let found = self.directory(parent)?;
            if !self.own.contains(&device(found.as_fd())?) {
                // What is not there would have to be made in a directory of the host.
                return Err(Errno::EROFS.into());
            }
            self.parents.insert(parent.to_owned(), found);
        }
        // An O_PATH descriptor names a directory, and that is all that is needed.
        make(self.parents[parent].as_fd(), name)
    }

    /// Makes this the root, and lets go of the old one.
    pub(super) fn enter(&self) -> Result<(), Fault> {
        let stage = Stage::Pivot;
        fchdir(&self.fd).at(stage, "going into the new root")?;
        // The same directory twice puts the old root on top of the new, where it
        // can be let go of without a name for it in the new tree.
        pivot_root(".", ".").at(stage, "changing roots")?;
        umount2(".", MntFlags::MNT_DETACH).at(stage, "letting go of the old root")?;
        chdir("/").at(stage, "going to the new root")
    }
}

const NEW_FILE: OFlag =
    OFlag::O_CREAT.union(OFlag::O_EXCL).union(OFlag::O_WRONLY).union(OFlag::O_CLOEXEC);
const TERMINALS_MAX: &str = "256";

/// What a tree of the host may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    /// A device file, the only kind of place where devices are honoured.
    Device,
}

/// The trees that one place is made of.
pub(super) type Sources = Vec<OwnedFd>;

/// Opens the layers of a place in the jail's own namespaces.
fn open_layers(below: &[Found], changes: &Found, durable: bool) -> Result<Trees, Fault> {
    let open = |found: &Found, access| {
        let opened = found.open().and_then(|at| tree(&at, access));
        opened.at(Stage::Layers, format!("opening {}", found.real.display()))
    };
    Ok(Trees {
        changes: open(changes, Access::Write)?,
        below: below.iter().map(|found| open(found, Access::Read)).collect::<Result<_, _>>()?,
        durable,
    })
}

/// A tree of the host, cut loose from it and held to its use. Whoever calls this
/// must be able to mount: the jail in its own namespaces, or root beforehand.
pub(super) fn tree(of: &OwnedFd, access: Access) -> io::Result<OwnedFd> {
    let tree = sys::open_tree(of.as_fd(), c"")?;
    let attributes = match access {
        Access::Read => RDONLY | NOSUID | NODEV,
        Access::Write => NOSUID | NODEV,
        Access::Device => NOSUID | NOEXEC,
    };
    sys::set_private(tree.as_fd(), attributes)?;
    Ok(tree)
}

/// A fresh `/proc` over the one in sight, which belongs to an outer pid
/// namespace. Read-only, as everything in it that can be written is the host's.
pub(super) fn mount_processes() -> io::Result<()> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    Ok(mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)?)
}

/// A `/proc` of the jail that can be written to, for its warden alone: no path
/// leads to it.
pub(super) fn processes_to_write() -> Result<OwnedFd, Fault> {
    sys::new_filesystem(c"proc", &[], NOSUID | NODEV | NOEXEC)
        .at(Stage::Processes, "making one for the warden")
}

/// The same where there is but the host's.
pub(super) fn processes_of_host() -> Result<OwnedFd, Fault> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(AT_FDCWD, "/proc", flags, Mode::empty()).at(Stage::Processes, "opening the host's")
}

/// The places of a jail that has no root of its own: the same names as outside.
pub(super) fn open_spots(plan: &Plan) -> Result<Vec<Spot>, Fault> {
    let mut spots = Vec::new();
    for place in plan.own.iter().chain(&plan.places) {
        let (opened, usage) = match &place.what {
            What::Show { from, write: true } => (from.open(), Use::Write),
            What::Show { from, write: false } => (from.open(), Use::Read),
            What::Device => (open_real(&place.at), use_of_device(&place.at)),
            What::Layered { .. } => (Err(Errno::EOPNOTSUPP.into()), Use::Read),
            // The rest is furniture, for which such a jail has no room.
            _ => continue,
        };
        let fd = opened.at(Stage::Place, format!("opening {}", place.at.display()))?;
        spots.push(Spot { fd, usage });
    }
    Ok(spots)
}

/// Whoever may write to `/dev/zero` can share memory by it that belongs to no
/// process and no filesystem, so that nobody counts it.
fn use_of_device(at: &Path) -> Use {
    if at == Path::new("/dev/zero") { Use::Source } else { Use::Device }
}

fn device(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(fstat(fd)?.st_dev)
}

fn describe(place: &Place) -> String {
    let at = place.at.display();
    match &place.what {
        What::Show { from, .. } if from.real != place.at => {
            format!("{} (as {at})", from.real.display())
        }
        _ => at.to_string(),
    }
}
