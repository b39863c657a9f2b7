//! The names in git's index: all that has to be known of it here.
//!
//! Read in one go, since nothing in the file says where a name is. Whatever is not
//! understood is an error, and never a name less.

use std::io;
use std::ops::Range;
use std::path::Path;

/// The names, in the order of their bytes.
#[derive(Debug, Default)]
pub(super) struct Index {
    bytes: Vec<u8>,
    names: Vec<Range<usize>>,
    /// Which of them are repositories inside this one.
    repositories: Vec<usize>,
}

/// What comes before the id of an object in an entry.
const STAT_BYTES: usize = 40;
/// The upper bits of the mode.
const KIND_AT: usize = 26;
const REPOSITORY: u8 = 0o16;
const LONG_NAME: usize = 0xfff;
const EXTENDED: u16 = 0x4000;

impl Index {
    /// Reads the one of this file. Where there is none it is empty.
    #[expect(
        clippy::disallowed_methods,
        reason = "in the jail, with the rights of whoever asked git"
    )]
    pub(super) fn read(file: &Path) -> io::Result<Self> {
        let bytes = match std::fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read?,
        };
        // SHA-1, or SHA-256; the file does not say which.
        let parsed = Self::parse(&bytes, 20).or_else(|| Self::parse(&bytes, 32));
        parsed.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub(super) fn name(&self, number: usize) -> &[u8] {
        &self.bytes[self.names[number].clone()]
    }

    /// Those that begin with `prefix`, which ends with a slash or is empty.
    pub(super) fn below(&self, prefix: &[u8]) -> Range<usize> {
        let first = self.first(prefix);
        let Some((_, top)) = prefix.split_last() else { return first..self.names.len() };
        // The byte after the slash.
        let end = [top, b"0"].concat();
        first..self.first(&end)
    }

    pub(super) fn repositories(&self) -> impl Iterator<Item = &[u8]> {
        self.repositories.iter().map(|number| self.name(*number))
    }

    fn first(&self, least: &[u8]) -> usize {
        self.names.partition_point(|name| self.bytes[name.clone()] < *least)
    }

    fn parse(file: &[u8], id_bytes: usize) -> Option<Self> {
        let (header, mut rest) = file.split_at_checked(12)?;
        let word = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let (version, count) = (word(4)?, usize::try_from(word(8)?).ok()?);
        if !header.starts_with(b"DIRC") || !(2..=4).contains(&version) {
            return None;
        }
        let mut index = Self::default();
        for _ in 0..count {
            let (stat, after) = rest.split_at_checked(STAT_BYTES)?;
            let (flags, after) = after.get(id_bytes..)?.split_first_chunk::<2>()?;
            let flags = u16::from_be_bytes(*flags);
            let extended = if flags & EXTENDED == 0 { 0 } else { 2 };
            let after = after.get(extended..)?;
            let (kept, after) = match version {
                4 => {
                    let (removed, after) = offset(after)?;
                    let last = index.names.last().cloned().unwrap_or_default();
                    (last.start..last.end.checked_sub(removed)?.max(last.start), after)
                }
                _ => (0..0, after),
            };
            let length = after.iter().position(|byte| *byte == 0)?;
            let start = index.bytes.len();
            index.bytes.extend_from_within(kept);
            index.bytes.extend_from_slice(&after[..length]);
            let name = start..index.bytes.len();
            let said = usize::from(flags) & LONG_NAME;
            let last = index.names.last().map_or(&[][..], |last| &index.bytes[last.clone()]);
            // Those in conflict are there more than once.
            if said != name.len().min(LONG_NAME) || index.bytes[name.clone()] < *last {
                return None;
            }
            if stat[KIND_AT] >> 4 == REPOSITORY {
                index.repositories.push(index.names.len());
            }
            index.names.push(name);
            let used = STAT_BYTES + id_bytes + 2 + extended + length;
            rest = match version {
                4 => after.get(length + 1..)?,
                // Filled up with NUL, one at least.
                _ => rest.get((used + 8) / 8 * 8..)?,
            };
        }
        // Extensions, and a digest of it all.
        while id_bytes < rest.len() {
            let (head, after) = rest.split_first_chunk::<8>()?;
            let (kind, size) = head.split_first_chunk::<4>()?;
            // With this one, names are in another file.
            if kind == b"link" {
                return None;
            }
            rest = after.get(usize::try_from(u32::from_be_bytes(size.try_into().ok()?)).ok()?..)?;
        }
        (rest.len() == id_bytes).then_some(index)
    }
}

/// A number in git's own spelling of them.
fn offset(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (mut byte, mut rest) = bytes.split_first()?;
    let mut value = usize::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        (byte, rest) = rest.split_first()?;
        value = value.checked_add(1)?.checked_mul(128)? | usize::from(byte & 0x7f);
    }
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::Index;

    fn git(dir: &Path, args: &[&str]) -> Vec<u8> {
        let mut command = Command::new("git");
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", dir);
        let output = command.arg("-C").arg(dir).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?} {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    #[test]
    fn every_name_that_git_has_is_found_in_each_of_its_formats() {
        for hash in ["sha1", "sha256"] {
            let dir = tempfile::tempdir().unwrap();
            let top = dir.path();
            git(top, &["init", "-q", "--object-format", hash]);
            git(top, &["config", "core.splitIndex", "false"]);
            let long = ["l".repeat(200).as_str(), &"o".repeat(200)].join("/").repeat(11);
            let id = "1".repeat(if hash == "sha1" { 40 } else { 64 });
            let mut info = String::new();
            for name in ["a", "a.b", "a/b", "a/b/c", "a0", "deep/er/est", "z", &long[..4000]] {
                info += &format!("100644 {id} 0\t{name}\n");
            }
            info += &format!("160000 {id} 0\tsub\n");
            fs::write(top.join("info"), info).unwrap();
            for version in ["2", "4", "2"] {
                let script = "git update-index --index-info <info";
                let status = Command::new("sh").args(["-c", script]).current_dir(top).status();
                assert!(status.unwrap().success());
                git(top, &["update-index", "--index-version", version]);
                // The extended flag makes a version 2 a version 3.
                let listed = git(top, &["ls-files", "-z"]);
                let index = Index::read(&top.join(".git/index")).unwrap();
                let names: Vec<_> = (0..index.names.len()).map(|n| index.name(n)).collect();
                let want: Vec<_> =
                    listed.split(|byte| *byte == 0).filter(|n| !n.is_empty()).collect();
                assert_eq!(names, want, "{hash} {version}");
                assert_eq!(index.repositories().collect::<Vec<_>>(), [b"sub"]);
                fs::write(top.join("intended"), "").unwrap();
                git(top, &["add", "-N", "intended"]);
                assert!(Index::read(&top.join(".git/index")).is_ok(), "{hash} {version} extended");
                git(top, &["rm", "-q", "--cached", "intended"]);
            }
            git(top, &["update-index", "--split-index"]);
            assert!(Index::read(&top.join(".git/index")).is_err(), "names are elsewhere");
        }
    }

    #[test]
    fn what_is_no_index_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("index");
        assert!(Index::read(&file).unwrap().names.is_empty());
        git(dir.path(), &["init", "-q"]);
        fs::write(dir.path().join("name"), "").unwrap();
        git(dir.path(), &["add", "name"]);
        let whole = fs::read(dir.path().join(".git/index")).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            assert!(Index::read(&file).is_err(), "{length} bytes");
        }
        fs::write(&file, &whole).unwrap();
        assert_eq!(Index::read(&file).unwrap().name(0), b"name");
    }
}
