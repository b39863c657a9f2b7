//! A path of the host shown in the jail: from where, to where, and how.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::hint::Hint;

/// One path shown in the jail. Both sides are absolute and never climb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub from: PathBuf,
    pub to: PathBuf,
    pub mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Read,
    Write,
}

/// A path cannot be shown in a jail.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadMount {
    #[error("`{given}` is not absolute")]
    Relative { given: String },
    #[error("`{given}` climbs with `..`")]
    Climbs { given: String },
    #[error("`{given}` is the jail's own: it makes one for itself")]
    Own { given: String },
    #[error("a path is longer than {PATH_BYTES_MAX} bytes, is empty or has a NUL in it")]
    Unfit,
}

/// A path longer than this cannot be opened.
const PATH_BYTES_MAX: usize = 4095;

/// What a jail builds for itself, whatever the host has there.
const OWN: [&str; 2] = ["/proc", "/dev"];

impl Mount {
    pub fn new(from: &OsStr, to: &OsStr, mode: Mode) -> Result<Self, BadMount> {
        Ok(Self { from: place(from)?, to: place(to)?, mode })
    }

    /// What was typed after `--read` or `--write`: `PATH`, or `FROM:TO`. What is
    /// relative is taken from the working directory.
    pub fn parse(given: &OsStr, mode: Mode, working_directory: &Path) -> Result<Self, BadMount> {
        let bytes = given.as_bytes();
        let (from, to) = match bytes.iter().position(|byte| *byte == b':') {
            Some(at) => (&bytes[..at], &bytes[at + 1..]),
            None => (bytes, bytes),
        };
        let whole = |side: &[u8]| match side {
            [] => Err(BadMount::Unfit),
            side => Ok(tidy(&working_directory.join(OsStr::from_bytes(side)))),
        };
        Self::new(whole(from)?.as_os_str(), whole(to)?.as_os_str(), mode)
    }
}

/// An absolute path that names what a jail may show.
pub(super) fn place(given: &OsStr) -> Result<PathBuf, BadMount> {
    let shown = || given.to_string_lossy().chars().take(80).collect::<String>();
    if given.is_empty() || given.len() > PATH_BYTES_MAX || given.as_bytes().contains(&0) {
        return Err(BadMount::Unfit);
    }
    let path = Path::new(given);
    if !path.is_absolute() {
        return Err(BadMount::Relative { given: shown() });
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(BadMount::Climbs { given: shown() });
    }
    let path: PathBuf = path.components().collect();
    if path == Path::new("/") || OWN.iter().any(|own| path.starts_with(own)) {
        return Err(BadMount::Own { given: shown() });
    }
    Ok(path)
}

/// The same path without `.` and `..`, by its words alone: no link is followed.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => (),
            Component::ParentDir => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

impl Hint for BadMount {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Relative { .. } | Self::Climbs { .. } => "Write the path in full, from `/` on.",
            Self::Own { .. } => "Name the files or directories below `/` that are needed.",
            Self::Unfit => return None,
        };
        Some(text.into())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;

    use super::{BadMount, Mode, Mount, place};

    #[test]
    fn a_place_is_absolute_does_not_climb_and_is_not_the_jails_own() {
        let long = "/".to_owned() + &"a".repeat(4095);
        let own = |given: &str| Err(BadMount::Own { given: given.into() });
        let climbs = |given: &str| Err(BadMount::Climbs { given: given.into() });
        #[rustfmt::skip]
        let table = [
            // given           kept, or why not
            ("/usr",           Ok("/usr")),
            ("//usr/./lib/",   Ok("/usr/lib")),
            ("/process",       Ok("/process")),
            ("usr",            Err(BadMount::Relative { given: "usr".into() })),
            ("~/x",            Err(BadMount::Relative { given: "~/x".into() })),
            ("/usr/../etc",    climbs("/usr/../etc")),
            ("/..",            climbs("/..")),
            ("/",              own("/")),
            ("/./",            own("/./")),
            ("/proc",          own("/proc")),
            ("/dev/shm",       own("/dev/shm")),
            ("",               Err(BadMount::Unfit)),
            ("/a\0b",          Err(BadMount::Unfit)),
            (long.as_str(),    Err(BadMount::Unfit)),
        ];
        for (given, want) in table {
            assert_eq!(place(OsStr::new(given)), want.map(Into::into), "{given:?}");
        }
    }

    #[test]
    fn what_is_typed_is_a_path_or_two() {
        let mount = |from: &str, to: &str| {
            Ok(Mount { from: from.into(), to: to.into(), mode: Mode::Write })
        };
        #[rustfmt::skip]
        let table = [
            // typed        what is shown where
            ("/a",          mount("/a", "/a")),
            ("b",           mount("/work/b", "/work/b")),
            ("../b",        mount("/b", "/b")),
            (".",           mount("/work", "/work")),
            ("/a:/b",       mount("/a", "/b")),
            ("a:b",         mount("/work/a", "/work/b")),
            ("/a:/b:c",     mount("/a", "/b:c")),
            (":/b",         Err(BadMount::Unfit)),
            ("/a:",         Err(BadMount::Unfit)),
            ("",            Err(BadMount::Unfit)),
            ("..",          Err(BadMount::Own { given: "/".into() })),
            ("/a:/proc/1",  Err(BadMount::Own { given: "/proc/1".into() })),
        ];
        for (typed, want) in table {
            let got = Mount::parse(OsStr::new(typed), Mode::Write, Path::new("/work"));
            assert_eq!(got, want, "{typed:?}");
        }
    }
}
