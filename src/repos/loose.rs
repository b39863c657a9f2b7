//! Objects that git keeps one by one, each in a packed file of its own.
//!
//! libgit2 reads them too, but never ends on one whose file was cut short, as a power
//! cut does it. So they are read here. Which there are is looked up once.

#![expect(clippy::disallowed_methods, reason = "a mirror is the host's own; no jail can write it")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;
use git2::Oid;

/// How often one store of objects may borrow from another; git has the same bound.
const BORROWS_MAX: usize = 5;
/// The kind of an object, its size and a zero.
const HEADER_BYTES_MAX: usize = 32;

/// Where each of them is.
#[derive(Debug, Default)]
pub(super) struct Loose(HashMap<Oid, PathBuf>);

impl Loose {
    /// Those in a directory of objects, and in those that it borrows from. One that
    /// cannot be listed has none, and libgit2 will say why.
    pub(super) fn of(objects: &Path) -> Self {
        let mut loose = Self::default();
        loose.add(objects, BORROWS_MAX);
        loose
    }

    fn add(&mut self, objects: &Path, borrows: usize) {
        let Ok(dirs) = fs::read_dir(objects) else { return };
        for dir in dirs.flatten() {
            let begin = dir.file_name().into_string().unwrap_or_default();
            if begin.len() != 2 || u8::from_str_radix(&begin, 16).is_err() {
                continue;
            }
            for file in fs::read_dir(dir.path()).into_iter().flatten().flatten() {
                let rest = file.file_name().into_string().unwrap_or_default();
                if rest.len() == 38
                    && let Ok(id) = Oid::from_str(&format!("{begin}{rest}"))
                {
                    self.0.entry(id).or_insert_with(|| file.path());
                }
            }
        }
        let Some(borrows) = borrows.checked_sub(1) else { return };
        let Ok(alternates) = fs::read(objects.join("info/alternates")) else { return };
        for line in alternates.split(|byte| *byte == b'\n') {
            if !line.is_empty() && !line.starts_with(b"#") {
                self.add(&objects.join(std::ffi::OsStr::from_bytes(line)), borrows);
            }
        }
    }

    /// The bytes of an object, if it is one of these.
    pub(super) fn read(&self, id: Oid) -> Option<io::Result<Vec<u8>>> {
        let file = match File::open(self.0.get(&id)?) {
            // It may have been packed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            outcome => outcome,
        };
        Some(file.and_then(unpack))
    }
}

fn unpack(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(file).read_to_end(&mut bytes)?;
    let begin = &bytes[..bytes.len().min(HEADER_BYTES_MAX)];
    let zero = begin.iter().position(|byte| *byte == 0);
    let body = zero.and_then(|zero| {
        let size = begin[..zero].split(|byte| *byte == b' ').nth(1)?;
        let size: usize = std::str::from_utf8(size).ok()?.parse().ok()?;
        (bytes.len() == zero + 1 + size).then_some(zero + 1)
    });
    let Some(body) = body else { return Err(io::ErrorKind::InvalidData.into()) };
    bytes.drain(..body);
    Ok(bytes)
}
