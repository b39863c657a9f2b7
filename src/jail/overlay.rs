//! Several trees of the host as one, which a jail may change: the kernel's overlay.
//!
//! ```text
//! what the jail sees          made of
//! /case/repos/NAME   ◄──  changes/upper   what the jail changed, on the host
//!                         below[0]        laid over the next, never changed
//!                         below[1]
//! ```
//!
//! The overlay is made in the jail's own user namespace, so its marks are `user.*`
//! attributes (`userxattr`). Each layer is first attached at a directory of the
//! jail's own that is gone before anything runs in it, since overlay takes layers
//! by name: the names are ours and short, and no name of the host's can break an
//! option. Afterwards no path leads to a layer but through the overlay.
//!
//! Root's layers belong to root. They are shown through mounts that map their
//! owner to the jail's user, the one that is written to as well, so that nothing
//! in a store ever changes hands. Kernels from 5.19 on can lay those; for an older
//! one root would have to give all of it away, and is refused.
//!
//! Without `durable` the kernel is told not to wait for the disk when the jail ends
//! (`volatile`), which takes seconds on a busy one. It leaves a mark in `work` then,
//! and takes nothing with such a mark: after a crash of the machine what is in
//! `upper` may be torn. When only the jail died nothing is lost, so whoever opens
//! it again empties `work` beforehand, which is up to them: only they know which
//! of the two it was, and that nobody else has it open.
//!
//! A directory of a layer below cannot be renamed: the kernel says EXDEV and
//! programs copy, as between filesystems. In a user namespace it follows no mark
//! that says where a directory was, since whoever may write could forge one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::mount::{MntFlags, umount2};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::{UnlinkatFlags, fchdir, unlinkat};
use rustix::fs::fgetxattr;

use super::root::{NODEV, NOSUID};
use super::stage::{At, Fault, Stage};
use super::sys;

/// Where layers are while overlays are made of them: in a filesystem of its own, so
/// that all are taken away at once.
#[derive(Debug)]
pub(super) struct Workshop {
    root: OwnedFd,
    fd: OwnedFd,
    places: usize,
}

/// The trees of one overlay, each a mount that no path names.
#[derive(Debug)]
pub(super) struct Trees {
    /// What holds `upper` and `work`.
    pub(super) changes: OwnedFd,
    /// The topmost first.
    pub(super) below: Vec<OwnedFd>,
    pub(super) durable: bool,
}

impl Trees {
    /// Out of what was opened beforehand, in this order: the changes, and what is
    /// below them.
    pub(super) fn of(sources: Vec<OwnedFd>, durable: bool) -> Option<Self> {
        let mut sources = sources.into_iter();
        let changes = sources.next()?;
        Some(Self { changes, below: sources.collect(), durable })
    }
}

const NAME: &str = ".layers";
/// Directories, one for each layer.
const SIZE: &str = "4m";
/// The kernel takes no option that is longer.
const OPTION_BYTES_MAX: usize = 255;

impl Workshop {
    /// Opens one in a root directory that is not yet entered.
    pub(super) fn open(root: &OwnedFd) -> Result<Self, Fault> {
        let root = root.try_clone().at(Stage::Layers, "keeping the root open")?;
        let make = || {
            let options = [(c"size", Some(SIZE.into())), (c"mode", Some("0700".into()))];
            let fd = sys::new_filesystem(c"tmpfs", &options, NOSUID | NODEV)?;
            mkdirat(&root, NAME, Mode::S_IRWXU)?;
            let at = directory(&root, Path::new(NAME))?;
            sys::move_mount(fd.as_fd(), at.as_fd(), c"")?;
            Ok::<_, io::Error>(fd)
        };
        let fd = make().at(Stage::Layers, "making a place for them")?;
        Ok(Self { root, fd, places: 0 })
    }

    /// Makes an overlay of these trees: a mount that no path names. `what` says which
    /// one, for whoever reads of a failure.
    pub(super) fn lay(&mut self, trees: &Trees, what: &str) -> Result<OwnedFd, Fault> {
        let fault = |error: &io::Error, why: &str| {
            Fault::new(Stage::Layers, error, format!("laying {what}{why}"))
        };
        let fail = |errno: Errno, why: &str| Err(fault(&errno.into(), why));
        for name in ["upper", "work"] {
            directory(&trees.changes, Path::new(name))
                .map_err(|error| fault(&error, &format!(", whose changes need `{name}`")))?;
        }
        if directory(&trees.changes, Path::new("work/work/incompat/volatile")).is_ok() {
            return fail(Errno::EUCLEAN, ", whose `work` was not emptied since it was last open");
        }
        if let Some(why) = unfit(&trees.changes).map_err(|error| fault(&error, ""))? {
            return fail(Errno::EOPNOTSUPP, &format!(": {why}"));
        }
        self.make(trees).map_err(|error| fault(&error, ""))
    }

    fn make(&mut self, trees: &Trees) -> io::Result<OwnedFd> {
        let name = self.places.to_string();
        self.places += 1;
        mkdirat(&self.fd, name.as_str(), Mode::S_IRWXU)?;
        let place = directory(&self.fd, Path::new(&name))?;
        let attach = |tree: &OwnedFd, name: &str| {
            mkdirat(&place, name, Mode::S_IRWXU)?;
            sys::move_mount(tree.as_fd(), directory(&place, Path::new(name))?.as_fd(), c"")
        };
        attach(&trees.changes, "c")?;
        let names: Vec<_> = (0..trees.below.len()).map(|number| number.to_string()).collect();
        for (tree, name) in trees.below.iter().zip(&names) {
            attach(tree, name)?;
        }
        let lower = names.join(":");
        if OPTION_BYTES_MAX < lower.len() {
            return Err(Errno::E2BIG.into());
        }
        let mut options = vec![
            (c"lowerdir", Some(lower)),
            (c"upperdir", Some("c/upper".into())),
            (c"workdir", Some("c/work".into())),
            (c"userxattr", None),
        ];
        if !trees.durable {
            options.push((c"volatile", None));
        }
        // The names are looked up from here.
        fchdir(&place)?;
        let mount = sys::new_filesystem(c"overlay", &options, NOSUID | NODEV);
        fchdir(&self.root)?;
        mount
    }

    /// Takes all of it away. The overlays hold on to their layers by themselves.
    pub(super) fn close(self) -> Result<(), Fault> {
        let close = || {
            drop(self.fd);
            fchdir(&self.root)?;
            umount2(NAME, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)?;
            unlinkat(&self.root, NAME, UnlinkatFlags::RemoveDir)
        };
        close().at(Stage::Layers, "taking the names of the layers away")
    }
}

/// Why nothing can be written to these changes that a layer below could show
/// through. Some kernels would mount it all the same, and fail later.
fn unfit(changes: &OwnedFd) -> io::Result<Option<&'static str>> {
    const OVERLAY: FsType = FsType(0x794c_7630);
    const NFS: FsType = FsType(0x6969);
    let upper = openat(changes, "upper", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let kind = fstatfs(&upper)?.filesystem_type();
    if kind == OVERLAY {
        return Ok(Some("its changes would lie in an overlay themselves"));
    }
    if kind == NFS {
        return Ok(Some("its changes would lie on NFS"));
    }
    Ok(match fgetxattr(&upper, c"user.overlay.opaque", &mut [0; 8]) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            Some("the filesystem of its changes has no `user.*` attributes")
        }
        _ => None,
    })
}

/// A directory below another, on the same mount and by a way without links.
fn directory(of: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    Ok(openat2(of, name, how)?)
}
