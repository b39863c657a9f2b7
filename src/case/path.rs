//! A name inside a case, checked as text before the kernel ever sees it.
//!
//! The check says nothing about the disk: a part may be missing, or a symlink.
//! Only the door ([`super::CaseDir`]) answers for that.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hint::Hint;

/// A relative path that cannot climb out of its case.
///
/// Invariant: one or more parts joined by single slashes; no part is empty, `.`
/// or `..`, none holds a NUL, and all fits the kernel's limits. It is kept byte
/// for byte, because a file name need not be text. The field is private and
/// [`CasePath::new`] is the only way in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CasePath(Vec<u8>);

/// What the kernel takes in one call, less its closing NUL.
const PATH_BYTES_MAX: usize = 4095;
const PART_BYTES_MAX: usize = 255;

impl CasePath {
    /// Checks `given`. `./a` and `a//b/` are tidied; a `..` is never worked out,
    /// since what it means depends on the disk.
    pub fn new(given: impl AsRef<OsStr>) -> Result<Self, BadPath> {
        let given = given.as_ref().as_bytes();
        let shown = || Shown(given.into());
        if given.contains(&0) {
            return Err(BadPath::Nul);
        }
        if given.starts_with(b"/") {
            return Err(BadPath::Absolute { given: shown() });
        }
        let mut kept = Vec::with_capacity(given.len().min(PATH_BYTES_MAX));
        for part in given.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err(BadPath::Climbs { given: shown() }),
                _ if PART_BYTES_MAX < part.len() => return Err(BadPath::TooLong),
                _ => (),
            }
            if !kept.is_empty() {
                kept.push(b'/');
            }
            kept.extend_from_slice(part);
            if PATH_BYTES_MAX < kept.len() {
                return Err(BadPath::TooLong);
            }
        }
        if kept.is_empty() {
            return Err(BadPath::Empty);
        }
        Ok(Self(kept))
    }

    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }
}

impl Serialize for CasePath {
    /// As text, which most names are; another one has no way into a manifest.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => to.serialize_str(text),
            Err(_) => Err(serde::ser::Error::custom("a path that is not text")),
        }
    }
}

impl<'de> Deserialize<'de> for CasePath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for CasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_path().display(), f)
    }
}

impl fmt::Debug for CasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_path(), f)
    }
}

/// Why a text is not the path of something in a case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPath {
    #[error("the path is empty")]
    Empty,
    #[error("the path holds a NUL byte")]
    Nul,
    #[error("`{given}` is an absolute path")]
    Absolute { given: Shown },
    #[error("`{given}` climbs with `..`")]
    Climbs { given: Shown },
    #[error(
        "the path is longer than {PATH_BYTES_MAX} bytes, or a part of it than {PART_BYTES_MAX}"
    )]
    TooLong,
}

impl Hint for BadPath {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Empty => "Name a file, such as `notes/report.md`.",
            Self::Nul => return None,
            Self::Absolute { .. } | Self::Climbs { .. } => {
                "Give the path from the top of the case, such as `notes/report.md`."
            }
            Self::TooLong => "Use a shorter path.",
        };
        Some(text.into())
    }
}

/// A refused path as a message shows it: cut short, bad bytes replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(Vec<u8>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARS_MAX: usize = 200;
        let text = String::from_utf8_lossy(&self.0);
        match text.char_indices().nth(CHARS_MAX) {
            Some((end, _)) => write!(f, "{}...", &text[..end]),
            None => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Component;

    use proptest::prelude::*;

    use super::{BadPath, CasePath, Shown};

    type Kept<'a> = Result<&'a [u8], BadPath>;

    #[test]
    fn names_are_checked() {
        let shown = |given: &[u8]| Shown(given.into());
        let climbs = |given: &[u8]| Err(BadPath::Climbs { given: shown(given) });
        let absolute = |given: &[u8]| Err(BadPath::Absolute { given: shown(given) });
        let part = "p".repeat(255);
        let deep = "a/".repeat(2_047) + "a";
        #[rustfmt::skip]
        let table: &[(&[u8], Kept<'_>)] = &[
            // given                    kept, or why not
            (b"a",                      Ok(b"a")),
            (b"./a//b/",                Ok(b"a/b")),
            (b"a/./b/.",                Ok(b"a/b")),
            (b"..a",                    Ok(b"..a")),
            (b"a/...",                  Ok(b"a/...")),
            (b"a\nb",                   Ok(b"a\nb")),
            (b"caf\xe9/\xff",           Ok(b"caf\xe9/\xff")),
            (part.as_bytes(),           Ok(part.as_bytes())),
            (deep.as_bytes(),           Ok(deep.as_bytes())),
            (b"",                       Err(BadPath::Empty)),
            (b".",                      Err(BadPath::Empty)),
            (b"././",                   Err(BadPath::Empty)),
            (b"..",                     climbs(b"..")),
            (b"a/../b",                 climbs(b"a/../b")),
            (b"a/..",                   climbs(b"a/..")),
            (b"/etc/passwd",            absolute(b"/etc/passwd")),
            (b"/",                      absolute(b"/")),
            (b"a\0b",                   Err(BadPath::Nul)),
            (&[b'p'; 256],              Err(BadPath::TooLong)),
            (&b"a/".repeat(2_049),      Err(BadPath::TooLong)),
        ];
        for (given, want) in table {
            let got = CasePath::new(OsStr::from_bytes(given));
            assert_eq!(
                got.as_ref().map(|path| path.as_path().as_os_str().as_bytes()),
                want.as_ref().copied(),
                "given {:?}",
                OsStr::from_bytes(given)
            );
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_beneath_and_passes_again(
            given in proptest::collection::vec(
                prop_oneof![Just(b'/'), Just(b'.'), Just(b'a'), any::<u8>()],
                0..40,
            ),
        ) {
            if let Ok(path) = CasePath::new(OsStr::from_bytes(&given)) {
                let normal = |part| matches!(part, Component::Normal(_));
                prop_assert!(path.as_path().components().all(normal));
                prop_assert_eq!(CasePath::new(path.as_path()), Ok(path.clone()));
            }
        }
    }
}
