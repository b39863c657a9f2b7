//! The index of a snapshot: what git believes of a working tree before it looks.
//!
//! git compares its index with every file of the tree, reads every directory for
//! what it does not know, and both cost as much as the tree is large. So the index is
//! made here, with all that git would find out by itself:
//!
//! ```text
//! entries   each file as `lstat` shows it in the world     no file is read again
//! TREE      the id of every directory                      `commit`, `diff --cached`: no hashing
//! FSMN      every file is as the index says                no `lstat`, while the hook answers
//! UNTR      no directory has a file that is not tracked    no directory is read, likewise
//! ```
//!
//! Whatever is not believed, git finds out the slow way; nothing here can make it
//! answer wrongly. In the world everything belongs to uid 1000, and a file keeps its
//! inode and times through an overlay, so both are written as they will be seen.
//! `UNTR` is the last extension, because it alone names the place of the working tree:
//! [`moved`] makes an index for another place out of this one.
//!
//! The format is that of git's documentation, `gitformat-index`, version 2, which
//! every git of the last decade reads.

mod bitmap;
mod read;
mod untracked;

use git2::Oid;
use sha1::{Digest, Sha1};

use bitmap::Bitmap;
pub use read::BadIndex;
pub(super) use read::{Entry, Index, moved};

/// Whoever looks at a tree in a world is this user.
const UID: u32 = 1000;
/// The bytes of an object's id: the repositories that git2 opens use SHA-1.
const ID_BYTES: usize = 20;
const SIGNATURE: &[u8] = b"DIRC";
const VERSION: u32 = 2;
/// A path's length is kept in so many bits; a longer one says this.
const NAME_BYTES_MAX: usize = 0xfff;
/// git takes the file to be as the entry says, and does not look.
const ASSUME_VALID: u16 = 0x8000;
/// The bytes of an entry before its path.
const HEAD_BYTES: usize = 62;
/// What the hook is asked for changes since; our hook always tells all of them.
const TOKEN: &[u8] = b"casefile\0";

/// The mode of a submodule's commit, as the index has it.
pub(super) const MODE_MODULE: u32 = 0o160_000;

/// What `lstat` says of a file, as far as an index has room for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) changed: (u32, u32),
    pub(super) written: (u32, u32),
    pub(super) inode: u32,
    pub(super) size: u32,
    /// It could not be had, and git is told not to look for it.
    pub(super) absent: bool,
}

/// A directory of the tree. They come in the order of a walk, parents first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dir {
    /// Its own name; the first, which is the whole tree, has none.
    pub(super) name: Vec<u8>,
    pub(super) id: Oid,
    /// The entries of the index below it.
    pub(super) entries: u32,
    /// The directories right in it.
    pub(super) children: u32,
    /// All directories below it: so many follow it in the order of the walk.
    pub(super) below: u32,
    /// Its `.gitignore`.
    pub(super) ignore: Option<Oid>,
}

/// An index that is being written, entry after entry in the order of their paths.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    entries: u32,
    /// What the hook does not answer for: submodules.
    dirty: Bitmap,
    uid: u32,
    gid: u32,
    pub(super) modules: Vec<(Vec<u8>, Oid)>,
    pub(super) absent: Vec<Vec<u8>>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self::for_owner(UID, UID)
    }

    /// The files will be seen as somebody else's.
    pub(super) fn for_owner(uid: u32, gid: u32) -> Self {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(SIGNATURE);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&0u32.to_be_bytes());
        Self {
            bytes,
            entries: 0,
            dirty: Bitmap::default(),
            uid,
            gid,
            modules: Vec::new(),
            absent: Vec::new(),
        }
    }

    pub(super) fn entry(&mut self, path: &[u8], mode: u32, id: Oid, stat: &Stat) {
        let begin = self.bytes.len();
        let numbers = [
            stat.changed.0,
            stat.changed.1,
            stat.written.0,
            stat.written.1,
            0, // The device, which differs from world to world and is not compared.
            stat.inode,
            mode,
            self.uid,
            self.gid,
            stat.size,
        ];
        for number in numbers {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
        self.bytes.extend_from_slice(id.as_bytes());
        let length = path.len().min(NAME_BYTES_MAX) as u16;
        let flags = if stat.absent { length | ASSUME_VALID } else { length };
        self.bytes.extend_from_slice(&flags.to_be_bytes());
        self.bytes.extend_from_slice(path);
        let padded = begin + padded(path.len());
        self.bytes.resize(padded, 0);
        self.count(path, mode, id, stat.absent);
    }

    /// Takes over entries of another index, which say all that they said there.
    pub(super) fn keep(&mut self, from: &Index, entries: std::ops::Range<usize>) {
        let Some(bytes) = from.raw(entries.clone()) else { return };
        self.bytes.extend_from_slice(bytes);
        for entry in entries {
            if let Some(entry) = from.entry(entry) {
                self.count(entry.path, entry.mode, entry.id, entry.stat.absent);
            }
        }
    }

    /// Closes it, for a working tree at `place`.
    pub(super) fn finish(mut self, dirs: &[Dir], place: &[u8]) -> Vec<u8> {
        self.bytes[8..12].copy_from_slice(&self.entries.to_be_bytes());
        extension(&mut self.bytes, b"TREE", &tree(dirs));
        let mut monitor = 2u32.to_be_bytes().to_vec();
        monitor.extend_from_slice(TOKEN);
        let dirty = self.dirty.bytes();
        monitor.extend_from_slice(&(dirty.len() as u32).to_be_bytes());
        monitor.extend_from_slice(&dirty);
        extension(&mut self.bytes, b"FSMN", &monitor);
        extension(&mut self.bytes, b"UNTR", &untracked::extension(dirs, place));
        sign(&mut self.bytes);
        self.bytes
    }

    fn count(&mut self, path: &[u8], mode: u32, id: Oid, absent: bool) {
        if absent {
            self.absent.push(path.into());
        }
        if mode == MODE_MODULE {
            self.dirty.set(self.entries as usize);
            self.modules.push((path.into(), id));
        }
        self.entries += 1;
    }
}

/// The bytes of an entry: there is a zero after its path, or up to eight.
fn padded(path: usize) -> usize {
    (HEAD_BYTES + path + 8) & !7
}

fn extension(bytes: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&(content.len() as u32).to_be_bytes());
    bytes.extend_from_slice(content);
}

/// The digest that every index ends with.
fn sign(bytes: &mut Vec<u8>) {
    let digest = Sha1::digest(&bytes);
    bytes.extend_from_slice(&digest);
}

/// The extension that says which tree each directory would become.
fn tree(dirs: &[Dir]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for dir in dirs {
        bytes.extend_from_slice(&dir.name);
        bytes.push(0);
        bytes.extend_from_slice(format!("{} {}\n", dir.entries, dir.children).as_bytes());
        bytes.extend_from_slice(dir.id.as_bytes());
    }
    bytes
}
