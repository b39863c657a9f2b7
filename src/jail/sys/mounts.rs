//! Mounts by descriptor: made, changed and attached without a name that somebody
//! could give another meaning in between.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{answer, owned};

/// A descriptor of the mount (and those below it) at `path`, cloned off, so that
/// it can be changed and put elsewhere.
pub(in crate::jail) fn open_tree(dir: BorrowedFd<'_>, path: &CStr) -> io::Result<OwnedFd> {
    let itself = if path.is_empty() { libc::AT_EMPTY_PATH as u32 } else { 0 };
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as u32;
    // SAFETY: `path` ends with NUL and outlives the call.
    owned(unsafe {
        libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags | itself)
    })
}

/// Attaches a mount that no path names yet at `path` below `dir`, or, where `path`
/// is empty, at `dir` itself.
pub(in crate::jail) fn move_mount(
    mount: BorrowedFd<'_>,
    dir: BorrowedFd<'_>,
    path: &CStr,
) -> io::Result<()> {
    let onto_itself = if path.is_empty() { libc::MOVE_MOUNT_T_EMPTY_PATH } else { 0 };
    // SAFETY: both strings end with NUL and outlive the call.
    answer(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            dir.as_raw_fd(),
            path.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH | onto_itself,
        )
    })
    .map(drop)
}

/// `struct mount_attr` of the kernel, which libc has for some targets only.
#[repr(C)]
#[derive(Debug, Default)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Turns on `MOUNT_ATTR_*` flags for a mount.
pub(in crate::jail) fn set_mount(mount: BorrowedFd<'_>, set: u64) -> io::Result<()> {
    mount_setattr(mount, MountAttr { set, ..MountAttr::default() }, false)
}

/// The same for a mount and all below it, and cuts them loose from those that
/// they were cloned from: nothing that is mounted on one shows on the other.
pub(in crate::jail) fn set_private(mount: BorrowedFd<'_>, set: u64) -> io::Result<()> {
    let propagation = libc::MS_PRIVATE;
    mount_setattr(mount, MountAttr { set, propagation, ..MountAttr::default() }, true)
}

/// Shows the files of a mount as if owned by the ids that `userns` maps theirs to.
pub(in crate::jail) fn map_owners(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>) -> io::Result<()> {
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let userns = u64::try_from(userns.as_raw_fd()).map_err(io::Error::other)?;
    mount_setattr(mount, MountAttr { set: MOUNT_ATTR_IDMAP, userns, ..MountAttr::default() }, false)
}

fn mount_setattr(mount: BorrowedFd<'_>, attr: MountAttr, below: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if below { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the kernel reads `attr`, whose size goes with it.
    answer(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// A new filesystem of `kind`, as a mount that no path names yet. An option without
/// a value is a switch.
pub(in crate::jail) fn new_filesystem(
    kind: &CStr,
    options: &[(&CStr, Option<String>)],
    attrs: u64,
) -> io::Result<OwnedFd> {
    const FSOPEN_CLOEXEC: libc::c_uint = 1;
    const FSMOUNT_CLOEXEC: libc::c_uint = 1;
    const FSCONFIG_SET_FLAG: libc::c_uint = 0;
    const FSCONFIG_SET_STRING: libc::c_uint = 1;
    const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
    // SAFETY: `kind` ends with NUL.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })?;
    let context_fd = context.as_raw_fd();
    for (key, value) in options {
        let value = value.as_deref().map(CString::new).transpose()?;
        let (command, value) = match &value {
            Some(value) => (FSCONFIG_SET_STRING, value.as_ptr()),
            None => (FSCONFIG_SET_FLAG, std::ptr::null()),
        };
        // SAFETY: both strings end with NUL and outlive the call; a switch has none.
        answer(unsafe {
            libc::syscall(libc::SYS_fsconfig, context_fd, command, key.as_ptr(), value, 0)
        })?;
    }
    // SAFETY: this command takes no pointers.
    answer(unsafe {
        libc::syscall(libc::SYS_fsconfig, context_fd, FSCONFIG_CMD_CREATE, 0usize, 0usize, 0)
    })?;
    // SAFETY: takes no pointers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context_fd, FSMOUNT_CLOEXEC, attrs) })
}
