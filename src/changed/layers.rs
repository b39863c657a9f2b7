//! The layers that a case wrote, and what in the index differs because of them.
//!
//! What is in a layer was written by whoever is in the jail, and so was the tree.
//! Names are bytes, and no link is followed.

use std::collections::{BTreeSet, HashSet};
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstatat};
use rustix::fs::fgetxattr;

use super::index::Index;

/// What is in the layers. Paths are relative to the top of the repository; that of a
/// directory ends with a slash, and the top itself is empty.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Files, and marks of what is gone.
    files: BTreeSet<Vec<u8>>,
    /// Something in them was made, changed or removed.
    directories: BTreeSet<Vec<u8>>,
    /// Nothing shows through them.
    opaque: BTreeSet<Vec<u8>>,
    /// git wrote an index of its own, in which it may have remembered anything.
    has_index: bool,
}

const OPEN: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const GIT: &CStr = c".git";

impl Changes {
    /// Adds a layer, of which `below` is the repository's top.
    pub(super) fn add(&mut self, layer: &Path, below: &Path) -> io::Result<()> {
        let mut top = openat(AT_FDCWD, layer, OPEN, Mode::empty())?;
        for part in below {
            if is_opaque(&top)? {
                self.opaque.insert(Vec::new());
            }
            top = match openat(&top, part, OPEN, Mode::empty()) {
                Err(Errno::ENOENT) => return Ok(()),
                // It is gone, or something else now.
                Err(Errno::ENOTDIR | Errno::ELOOP) => {
                    self.opaque.insert(Vec::new());
                    return Ok(());
                }
                opened => opened?,
            };
        }
        let mut open = vec![(top, Vec::new())];
        while let Some((dir, prefix)) = open.pop() {
            if is_opaque(&dir)? {
                self.opaque.insert(prefix.clone());
            }
            if prefix.is_empty() {
                self.has_index |= below != Path::new("") || stands(&dir, c".git/index");
            }
            let mut listed = Dir::from_fd(dir.try_clone()?)?;
            for entry in listed.iter() {
                let entry = entry?;
                let name = entry.file_name();
                if name == c"." || name == c".." || (name == GIT && prefix.is_empty()) {
                    continue;
                }
                let path = [&prefix[..], name.to_bytes()].concat();
                // That of another repository inside is its own business.
                if name != GIT && is_directory(&dir, name, entry.file_type())? {
                    let below = openat(&dir, name, OPEN, Mode::empty())?;
                    open.push((below, [&path[..], b"/"].concat()));
                } else {
                    self.files.insert(path);
                }
            }
            self.directories.insert(prefix);
        }
        Ok(())
    }

    /// Whether nothing was changed yet, and git has remembered nothing: all is as the
    /// index says that the world began with.
    pub(super) fn are_none(&self) -> bool {
        let is_top = |dir: &Vec<u8>| dir.is_empty();
        !self.has_index
            && self.files.is_empty()
            && self.opaque.is_empty()
            && self.directories.iter().all(is_top)
    }

    /// All that git has to look at.
    pub(super) fn paths(&self, index: &Index, tree: &Path) -> io::Result<BTreeSet<Vec<u8>>> {
        let mut paths = self.files.clone();
        let mut add_all =
            |numbers: std::ops::Range<usize>| paths.extend(numbers.map(|n| index.name(n).to_vec()));
        // What was a directory below may be a file now, or nothing.
        for file in &self.files {
            add_all(index.below(&[file, &b"/"[..]].concat()));
        }
        for opaque in &self.opaque {
            add_all(index.below(opaque));
        }
        for directory in &self.directories {
            for missing in missing(index, directory, tree)? {
                add_all(missing);
            }
        }
        // An opaque directory may stand where a file was. And any name makes git list
        // a directory anew, for what in it is not in the index.
        paths.extend(self.opaque.iter().filter_map(|dir| Some(dir.split_last()?.1.to_vec())));
        paths.extend(self.directories.iter().map(|dir| [dir, ANY_NAME].concat()));
        // Older versions of git take their word for unchanged.
        paths.extend(index.repositories().map(<[u8]>::to_vec));
        Ok(paths)
    }
}

const ANY_NAME: &[u8] = b"-";

fn stands(dir: &OwnedFd, path: &CStr) -> bool {
    fstatat(dir, path, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
}

/// What the index has in this directory, and the tree has not any more.
fn missing(
    index: &Index,
    directory: &[u8],
    tree: &Path,
) -> io::Result<Vec<std::ops::Range<usize>>> {
    let all = index.below(directory);
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let path = tree.join(Path::new(std::ffi::OsStr::from_bytes(directory)));
    let there = match openat(AT_FDCWD, &path, OPEN, Mode::empty()) {
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(vec![all]),
        opened => names(opened?)?,
    };
    let mut missing = Vec::new();
    let mut number = all.start;
    while number < all.end {
        let rest = &index.name(number)[directory.len()..];
        let end = match rest.iter().position(|byte| *byte == b'/') {
            Some(slash) => {
                let part = &rest[..=slash];
                index.below(&[directory, part].concat()).end
            }
            None => number + 1,
        };
        let part = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
        if !there.contains(part) {
            missing.push(number..end);
        }
        number = end.max(number + 1);
    }
    Ok(missing)
}

fn names(dir: OwnedFd) -> io::Result<HashSet<Vec<u8>>> {
    let mut dir = Dir::from_fd(dir)?;
    dir.iter().map(|entry| Ok(entry?.file_name().to_bytes().to_vec())).collect()
}

fn is_directory(dir: &OwnedFd, name: &CStr, kind: Option<Type>) -> io::Result<bool> {
    if let Some(kind) = kind {
        return Ok(kind == Type::Directory);
    }
    let mode = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_mode;
    Ok(SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
}

fn is_opaque(dir: &OwnedFd) -> io::Result<bool> {
    let mut value = [0; 1];
    match fgetxattr(dir, c"user.overlay.opaque", &mut value) {
        Ok(length) => Ok(&value[..length] == b"y"),
        // More than one byte, which means something else; no such mark; or none at all.
        Err(
            rustix::io::Errno::RANGE | rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP,
        ) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
