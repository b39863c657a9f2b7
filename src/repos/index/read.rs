//! Reading back an index that was written here, as the base of the next one.
//!
//! It is the host's own file, but a disk can lie: whatever does not add up is
//! [`BadIndex`], and the snapshot that it belongs to is not built upon.

use std::collections::HashMap;
use std::ops::Range;

use git2::Oid;
use sha1::{Digest, Sha1};

use super::{
    ASSUME_VALID, Dir, HEAD_BYTES, ID_BYTES, SIGNATURE, Stat, VERSION, extension, padded, sign,
    untracked,
};

/// An index is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the index is damaged")]
pub struct BadIndex;

/// An index in memory, by path.
#[derive(Debug)]
pub(in crate::repos) struct Index {
    bytes: Vec<u8>,
    /// Where each entry begins, and at last where they end.
    begins: Vec<usize>,
    pub(in crate::repos) dirs: Vec<Dir>,
    /// Each directory by its path, and its first entry.
    by_path: HashMap<Vec<u8>, (usize, usize)>,
}

/// A line of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::repos) struct Entry<'a> {
    pub(in crate::repos) path: &'a [u8],
    pub(in crate::repos) mode: u32,
    pub(in crate::repos) id: Oid,
    pub(in crate::repos) stat: Stat,
}

impl Index {
    pub(in crate::repos) fn parse(bytes: Vec<u8>) -> Result<Self, BadIndex> {
        let body = body(&bytes)?;
        if !body.starts_with(SIGNATURE) || number(body, 4)? != VERSION {
            return Err(BadIndex);
        }
        let count = number(body, 8)? as usize;
        let mut begins = Vec::with_capacity((count + 1).min(body.len() / HEAD_BYTES + 1));
        let mut at = 12;
        for _ in 0..count {
            begins.push(at);
            let path = body.get(at + HEAD_BYTES..).ok_or(BadIndex)?;
            let length = path.iter().position(|byte| *byte == 0).ok_or(BadIndex)?;
            at += padded(length);
        }
        begins.push(at);
        let all = extensions(body, at)?;
        let find = |wanted: &[u8; 4]| {
            let found = all.iter().find(|(name, _)| name == wanted).ok_or(BadIndex)?;
            body.get(found.1.clone()).ok_or(BadIndex)
        };
        let dirs = tree_dirs(find(b"TREE")?)?;
        let untracked = find(b"UNTR")?.to_vec();
        let mut index = Self { bytes, begins, dirs, by_path: HashMap::new() };
        index.place_dirs()?;
        untracked::ignores(&untracked, &mut index.dirs)?;
        Ok(index)
    }

    pub(in crate::repos) fn len(&self) -> usize {
        self.begins.len() - 1
    }

    pub(in crate::repos) fn entry(&self, nth: usize) -> Option<Entry<'_>> {
        let begin = *self.begins.get(nth)?;
        let bytes = self.bytes.get(begin..*self.begins.get(nth + 1)?)?;
        let path = bytes.get(HEAD_BYTES..)?;
        let path = &path[..path.iter().position(|byte| *byte == 0)?];
        let field = |nth: usize| number(bytes, 4 * nth).ok();
        Some(Entry {
            path,
            mode: field(6)?,
            id: Oid::from_bytes(bytes.get(40..40 + ID_BYTES)?).ok()?,
            stat: Stat {
                changed: (field(0)?, field(1)?),
                written: (field(2)?, field(3)?),
                inode: field(5)?,
                size: field(9)?,
                absent: u16::from_be_bytes([*bytes.get(60)?, *bytes.get(61)?]) & ASSUME_VALID != 0,
            },
        })
    }

    pub(in crate::repos) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.len()).filter_map(|nth| self.entry(nth))
    }

    /// The entry of this path.
    pub(in crate::repos) fn find(&self, path: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.path(middle)?.cmp(path) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// A directory with all that is below it: its directories, itself the first, and
    /// its entries.
    pub(in crate::repos) fn below(&self, path: &[u8]) -> Option<(&[Dir], Range<usize>)> {
        let (dir, first) = *self.by_path.get(path)?;
        let about = self.dirs.get(dir)?;
        let dirs = self.dirs.get(dir..=dir + about.below as usize)?;
        Some((dirs, first..first + about.entries as usize))
    }

    /// The bytes of entries that follow each other.
    pub(super) fn raw(&self, entries: Range<usize>) -> Option<&[u8]> {
        self.bytes.get(*self.begins.get(entries.start)?..*self.begins.get(entries.end)?)
    }

    fn path(&self, nth: usize) -> Option<&[u8]> {
        let path = self.bytes.get(self.begins.get(nth)? + HEAD_BYTES..)?;
        Some(&path[..path.iter().position(|byte| *byte == 0)?])
    }

    /// Finds what the list of directories does not say: the path of each, its first
    /// entry, how many are below it and its `.gitignore`. An entry leads through the
    /// directories in the order in which they are listed.
    fn place_dirs(&mut self) -> Result<(), BadIndex> {
        let mut by_path = HashMap::with_capacity(self.dirs.len());
        let mut ignores = Vec::new();
        // The way down to the next directory: its place, the length of its path, how
        // many children are still to come, where its entries end.
        let mut way: Vec<(usize, usize, u32)> = Vec::new();
        let mut path: Vec<u8> = Vec::new();
        let mut next = 0;
        for at in 0..self.dirs.len() {
            while let Some((dir, length, 0)) = way.last().copied() {
                self.dirs[dir].below = (at - dir - 1) as u32;
                way.pop();
                path.truncate(length);
            }
            let length = path.len();
            match way.last_mut() {
                Some((_, _, children)) => {
                    *children -= 1;
                    if 0 < length {
                        path.push(b'/');
                    }
                    path.extend_from_slice(&self.dirs[at].name);
                }
                None if at == 0 => {}
                None => return Err(BadIndex),
            }
            // The first entry at or past this directory; those between belong to the
            // directories above.
            next = self.first_from(&path, next);
            by_path.insert(path.clone(), (at, next));
            way.push((at, length, self.dirs[at].children));
        }
        while let Some((dir, _, children)) = way.pop() {
            if children != 0 {
                return Err(BadIndex);
            }
            self.dirs[dir].below = (self.dirs.len() - dir - 1) as u32;
        }
        for entry in self.entries() {
            let (dir, name) = match entry.path.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => (&entry.path[..slash], &entry.path[slash + 1..]),
                None => (&b""[..], entry.path),
            };
            if name == b".gitignore" && entry.mode & 0o170_000 == 0o100_000 {
                let (at, _) = by_path.get(dir).ok_or(BadIndex)?;
                ignores.push((*at, entry.id));
            }
        }
        for (at, id) in ignores {
            self.dirs[at].ignore = Some(id);
        }
        self.by_path = by_path;
        Ok(())
    }

    /// The first entry below the directory `path`, which is not before `from`.
    fn first_from(&self, path: &[u8], from: usize) -> usize {
        if path.is_empty() {
            return 0;
        }
        let within = [path, b"/"].concat();
        let (mut low, mut high) = (from, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.path(middle).is_some_and(|path| path < &within[..]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// An index for the same tree at another place.
pub(in crate::repos) fn moved(bytes: &[u8], place: &[u8]) -> Result<Vec<u8>, BadIndex> {
    let body = body(bytes)?;
    let mut at = 12;
    for _ in 0..number(body, 8)? {
        let path = body.get(at + HEAD_BYTES..).ok_or(BadIndex)?;
        at += padded(path.iter().position(|byte| *byte == 0).ok_or(BadIndex)?);
    }
    let all = extensions(body, at)?;
    let (name, content) = all.last().ok_or(BadIndex)?;
    if name != b"UNTR" {
        return Err(BadIndex);
    }
    let mut new = body[..content.start - 8].to_vec();
    extension(&mut new, b"UNTR", &untracked::moved(&body[content.clone()], place).ok_or(BadIndex)?);
    sign(&mut new);
    Ok(new)
}

/// All but the digest, which must be right.
fn body(bytes: &[u8]) -> Result<&[u8], BadIndex> {
    let (body, digest) = bytes.split_last_chunk::<ID_BYTES>().ok_or(BadIndex)?;
    (Sha1::digest(body)[..] == digest[..]).then_some(body).ok_or(BadIndex)
}

type Extension = ([u8; 4], Range<usize>);

/// The extensions after the entries, by name.
fn extensions(body: &[u8], mut at: usize) -> Result<Vec<Extension>, BadIndex> {
    let mut found = Vec::new();
    while at < body.len() {
        let name = body.get(at..at + 4).and_then(|name| name.try_into().ok()).ok_or(BadIndex)?;
        let length = number(body, at + 4)? as usize;
        let content = at + 8..at + 8 + length;
        body.get(content.clone()).ok_or(BadIndex)?;
        at = content.end;
        found.push((name, content));
    }
    Ok(found)
}

/// What the extension `TREE` says of the directories.
fn tree_dirs(mut bytes: &[u8]) -> Result<Vec<Dir>, BadIndex> {
    let mut dirs = Vec::new();
    while !bytes.is_empty() {
        let name = bytes.iter().position(|byte| *byte == 0).ok_or(BadIndex)?;
        let line = &bytes[name + 1..];
        let end = line.iter().position(|byte| *byte == b'\n').ok_or(BadIndex)?;
        let counts = std::str::from_utf8(&line[..end]).map_err(|_| BadIndex)?;
        let (entries, children) = counts.split_once(' ').ok_or(BadIndex)?;
        let after = &line[end + 1..];
        dirs.push(Dir {
            name: bytes[..name].into(),
            id: after.get(..ID_BYTES).and_then(|id| Oid::from_bytes(id).ok()).ok_or(BadIndex)?,
            entries: entries.parse().map_err(|_| BadIndex)?,
            children: children.parse().map_err(|_| BadIndex)?,
            below: 0,
            ignore: None,
        });
        bytes = &after[ID_BYTES..];
    }
    Ok(dirs)
}

fn number(bytes: &[u8], at: usize) -> Result<u32, BadIndex> {
    let bytes = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).ok_or(BadIndex)?;
    Ok(u32::from_be_bytes(bytes))
}
