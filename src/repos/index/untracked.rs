//! The extension `UNTR`: what git remembers of files that it does not track.
//!
//! Here it remembers that there are none. A directory's times are left empty: they
//! are looked at only where no hook answers, and then do not match, so that git reads
//! the directory, as it would have without this. The same holds for a `.gitignore`
//! that is on disk other than in the tree.

use git2::Oid;

use super::bitmap::Bitmap;
use super::{BadIndex, Dir, ID_BYTES};

/// `git status` asks for directories as a whole, and not for empty ones. Under other
/// flags git drops this and begins anew.
const FLAGS: u32 = 0b110;
/// The times and sizes of a file that is not there, or is not known.
const STAT_BYTES: usize = 36;

pub(super) fn extension(dirs: &[Dir], place: &[u8]) -> Vec<u8> {
    let mut bytes = begin(place);
    // Neither `info/exclude` nor a user's own list of what to ignore.
    bytes.extend_from_slice(&[0; 2 * STAT_BYTES]);
    bytes.extend_from_slice(&FLAGS.to_be_bytes());
    bytes.extend_from_slice(&[0; 2 * ID_BYTES]);
    bytes.extend_from_slice(b".gitignore\0");
    varint(&mut bytes, dirs.len());
    let mut ignores = Bitmap::default();
    let mut ids = Vec::new();
    for (at, dir) in by_name(dirs).into_iter().map(|place| &dirs[place]).enumerate() {
        bytes.push(0); // Nothing in it is untracked.
        varint(&mut bytes, dir.children as usize);
        bytes.extend_from_slice(&dir.name);
        bytes.push(0);
        if let Some(id) = dir.ignore {
            ignores.set(at);
            ids.extend_from_slice(id.as_bytes());
        }
    }
    bytes.extend(Bitmap::full(dirs.len()).bytes());
    // Which of them were only asked whether they are empty: none.
    bytes.extend(Bitmap::default().bytes());
    bytes.extend(ignores.bytes());
    bytes.resize(bytes.len() + STAT_BYTES * dirs.len(), 0);
    bytes.extend(ids);
    bytes.push(0);
    bytes
}

/// Reads back by what each list of ignored files is known. `dirs` says which of them
/// have one.
pub(super) fn ignores(extension: &[u8], dirs: &mut [Dir]) -> Result<(), BadIndex> {
    let with: Vec<usize> =
        by_name(dirs).into_iter().filter(|place| dirs[*place].ignore.is_some()).collect();
    // They are all that comes before the closing zero.
    let ids = extension.strip_suffix(b"\0").ok_or(BadIndex)?;
    let begin = ids.len().checked_sub(ID_BYTES * with.len()).ok_or(BadIndex)?;
    for (place, id) in with.into_iter().zip(ids[begin..].chunks_exact(ID_BYTES)) {
        dirs[place].ignore = Some(Oid::from_bytes(id).map_err(|_| BadIndex)?);
    }
    Ok(())
}

/// The same directories, parents first, but children in the order of their bare names:
/// git looks for one by halving. (A tree has `a-b` before the directory `a`.)
fn by_name(dirs: &[Dir]) -> Vec<usize> {
    let mut order = Vec::with_capacity(dirs.len());
    let mut next = if dirs.is_empty() { Vec::new() } else { vec![0] };
    while let Some(at) = next.pop() {
        let Some(dir) = dirs.get(at) else { continue };
        order.push(at);
        let begin = next.len();
        let mut child = at + 1;
        for _ in 0..dir.children {
            next.push(child);
            child += 1 + dirs.get(child).map_or(0, |child| child.below as usize);
        }
        // The first to come is the last on the pile.
        next[begin..].sort_by(|one, other| {
            let name = |at: &usize| dirs.get(*at).map(|dir| &dir.name);
            name(other).cmp(&name(one))
        });
    }
    order
}

/// The same, for a working tree at another place.
pub(super) fn moved(content: &[u8], place: &[u8]) -> Option<Vec<u8>> {
    let (length, after) = read_varint(content)?;
    let rest = content.get(after + length..)?;
    let mut bytes = begin(place);
    bytes.extend_from_slice(rest);
    Some(bytes)
}

/// Whose list this is. git drops one that was made elsewhere.
fn begin(place: &[u8]) -> Vec<u8> {
    let whose = [b"Location ", place, b", system Linux\0"].concat();
    let mut bytes = Vec::new();
    varint(&mut bytes, whose.len());
    bytes.extend(whose);
    bytes
}

/// A number as git packs it: seven bits a byte, the highest first, and one less for
/// each byte that follows.
fn varint(bytes: &mut Vec<u8>, number: usize) {
    let mut packed = vec![(number & 0x7f) as u8];
    let mut rest = number >> 7;
    while rest != 0 {
        rest -= 1;
        packed.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    bytes.extend(packed.iter().rev());
}

/// The number at the beginning, and where it ends.
fn read_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0usize;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        number = number.checked_shl(7)?.checked_add(usize::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            return Some((number, at + 1));
        }
        number += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{moved, read_varint, varint};

    #[test]
    fn numbers_are_packed_as_git_packs_them() {
        #[rustfmt::skip]
        let table: &[(usize, &[u8])] = &[
            (0,         &[0]),
            (127,       &[127]),
            (128,       &[0x80, 0]),
            (16_511,    &[0xff, 0x7f]),
            (16_512,    &[0x80, 0x80, 0]),
            (24_573,    &[0x80, 0xbe, 0x7d]),
        ];
        for (number, packed) in table {
            let mut bytes = Vec::new();
            varint(&mut bytes, *number);
            assert_eq!(&bytes, packed, "{number}");
            assert_eq!(read_varint(&bytes), Some((*number, packed.len())), "{number}");
        }
    }

    #[test]
    fn only_the_place_differs_when_it_moves() {
        let here = super::extension(&[], b"/case/repos/a");
        let there = moved(&here, b"/case/repos/b/c").unwrap();
        assert_eq!(there, super::extension(&[], b"/case/repos/b/c"));
        assert_eq!(moved(b"\xff", b"/x"), None);
    }
}
