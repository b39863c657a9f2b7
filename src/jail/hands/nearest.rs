//! Names that are there, for one that is not: what stands beside it and is spelt
//! nearly so, and what is called the same elsewhere.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::error::Refusal;
use super::path::Near;
use super::wire::Bytes;

/// How many names are told.
const TOLD_MAX: usize = 3;
/// How long may be looked for them, and through how much.
const LOOK_MAX: Duration = Duration::from_millis(100);
const NAMES_MAX: usize = 50_000;
/// Of a name that is longer, only so much is compared.
const NAME_CHARS_MAX: usize = 100;

/// How far a name is from the one that was meant; less is nearer.
type Distance = usize;

pub(super) fn nearest(given: &[u8], base: &[u8]) -> Result<Vec<Bytes>, Refusal> {
    let mut look = Look { deadline: Instant::now() + LOOK_MAX, names: 0 };
    let mut found: Vec<(Distance, Vec<u8>)> = Vec::new();
    let path = trimmed(given);
    if let Some((dir, parent, missing)) = deepest(path) {
        let below = path.get(parent.len() + 1 + missing.len()..).unwrap_or_default();
        look.each(dir.as_fd(), |name, _| {
            if let Some(distance) = distance(missing, name) {
                found.push((distance, [parent, b"/", name].concat()));
            }
        })?;
        // A directory that was mistyped on the way: what was meant may be in there.
        for (distance, dir) in &mut found {
            let whole = [dir, below].concat();
            if !below.is_empty() && Near::to(&whole).and_then(|near| near.look()).is_ok() {
                *dir = whole;
            } else if !below.is_empty() {
                *distance += NAME_CHARS_MAX;
            }
        }
    }
    if let Some(name) = path.rsplit(|byte| *byte == b'/').next() {
        for (same, elsewhere) in look.named(name, base)? {
            // One that is spelt the same is as near as one with two letters wrong.
            let shared = shared_end(path, &elsewhere);
            found.push((if same { 2 } else { 3 } + usize::from(shared < 2), elsewhere));
        }
    }
    // What is there and is missing nevertheless is a link that leads nowhere.
    found.retain(|(_, name)| name != given);
    found.sort();
    let mut told: Vec<Bytes> = Vec::new();
    for (_, name) in found {
        if told.len() < TOLD_MAX && !told.iter().any(|before| before.0 == name) {
            told.push(Bytes(name));
        }
    }
    Ok(told)
}

fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    &path[..end]
}

/// The deepest directory of a path that is there, and the name that is not.
fn deepest(path: &[u8]) -> Option<(OwnedFd, &[u8], &[u8])> {
    let mut end = path.len();
    loop {
        let slash = path[..end].iter().rposition(|byte| *byte == b'/')?;
        let parent = &path[..slash];
        let name = path[slash + 1..].split(|byte| *byte == b'/').next()?;
        let opened = Near::to(if parent.is_empty() { b"/" } else { parent })
            .and_then(|near| near.open(OFlag::O_RDONLY | OFlag::O_DIRECTORY));
        match opened {
            Ok(dir) => return Some((dir, parent, name)),
            Err(_) => end = slash,
        }
    }
}

/// How many of the last parts two paths share.
fn shared_end(one: &[u8], other: &[u8]) -> usize {
    let parts = |path: &'_ [u8]| path.rsplit(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
    let (one, other): (Vec<_>, Vec<_>) = (parts(one), parts(other));
    one.iter().zip(&other).take_while(|(one, other)| one == other).count()
}

/// How far two names are apart, if they are alike at all.
fn distance(meant: &[u8], there: &[u8]) -> Option<Distance> {
    let text = |name: &[u8]| -> String {
        let name = String::from_utf8_lossy(name);
        name.chars().take(NAME_CHARS_MAX).flat_map(char::to_lowercase).collect()
    };
    let (meant, there) = (text(meant), text(there));
    let apart = strsim::damerau_levenshtein(&meant, &there);
    let longer = meant.chars().count().max(there.chars().count());
    let stem = |name: &str| name.split('.').find(|part| !part.is_empty()).map(str::to_owned);
    if apart <= (longer / 3).max(1) {
        return Some(apart);
    }
    // Another ending, or one name within the other.
    let within =
        3 <= meant.len() && there.contains(&meant) || 3 <= there.len() && meant.contains(&there);
    (within || stem(&meant) == stem(&there)).then_some(apart.min(4))
}

/// What was looked at so far.
#[derive(Debug)]
struct Look {
    deadline: Instant,
    names: usize,
}

impl Look {
    fn is_over(&self) -> bool {
        NAMES_MAX < self.names || self.deadline <= Instant::now()
    }

    /// Every name in a directory, as long as there is time.
    fn each(
        &mut self,
        dir: BorrowedFd<'_>,
        mut take: impl FnMut(&[u8], Option<Type>),
    ) -> Result<(), Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = Dir::openat(dir, c".", flags, Mode::empty())?;
        for entry in dir.iter() {
            if self.is_over() {
                break;
            }
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            self.names += 1;
            if name != b"." && name != b".." {
                take(name, entry.file_type());
            }
        }
        Ok(())
    }

    /// What is called so anywhere below a directory, the shallow first, and whether it
    /// is spelt exactly so.
    fn named(&mut self, name: &[u8], base: &[u8]) -> Result<Vec<(bool, Vec<u8>)>, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let mut found = Vec::new();
        let mut waiting = VecDeque::from([base.to_vec()]);
        while let Some(path) = waiting.pop_front() {
            let Ok(dir) = Near::to(&path).and_then(|near| near.open(flags)) else { continue };
            let mut below = Vec::new();
            self.each(dir.as_fd(), |there, kind| {
                if there.eq_ignore_ascii_case(name) {
                    found.push((there == name, [&path, &b"/"[..], there].concat()));
                }
                if kind == Some(Type::Directory) && there != b".git" {
                    below.push(there.to_vec());
                }
            })?;
            if self.is_over() || TOLD_MAX * 4 <= found.len() {
                break;
            }
            below.sort();
            waiting.extend(below.iter().map(|name| [&path, &b"/"[..], name].concat()));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::{distance, shared_end, trimmed};

    #[test]
    fn names_are_alike_or_not() {
        #[rustfmt::skip]
        let table = [
            // meant       there            how far
            ("pay.rs",     "pay.rs",        Some(0)),
            ("Pay.rs",     "pay.rs",        Some(0)),
            ("pya.rs",     "pay.rs",        Some(1)),
            ("pay.rs",     "pay.ts",        Some(1)),
            ("readme",     "README.md",     Some(3)),
            ("config.yml", "config.yaml",   Some(1)),
            ("config.yml", "config.json",   Some(4)),
            ("a",          "b",             Some(1)),
            ("main.rs",    "Cargo.toml",    None),
            ("pay.rs",     "invoice.rs",    None),
        ];
        for (meant, there, want) in table {
            assert_eq!(distance(meant.as_bytes(), there.as_bytes()), want, "{meant} {there}");
        }
        assert_eq!(shared_end(b"/a/src/x.rs", b"/b/src/x.rs"), 2);
        assert_eq!(trimmed(b"/a/b//"), b"/a/b");
    }
}
