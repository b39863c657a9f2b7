//! A bare repository of ours on disk: how it is laid out, and its refs, which are
//! one file, so that they change in one step.

#![expect(clippy::disallowed_methods, reason = "the host's own store, which no jail can write")]

use std::fs;
use std::io::Write;
use std::path::Path;

use git2::{ObjectType, Oid, Reference, Repository};

use super::super::RepoError;
use crate::disk::{self, DiskError};

/// What the refs of a repository are at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refs {
    pub(super) head: Head,
    /// By name, in the order of their bytes.
    pub(super) refs: Vec<Ref>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ref {
    pub(super) name: String,
    pub(super) id: Oid,
    /// What an annotated tag leads to in the end.
    pub(super) peeled: Option<Oid>,
}

/// Which branch is the default, if one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Its whole name: `refs/heads/main`. It need not exist.
    Branch(String),
    Detached(Oid),
}

const CONFIG: &str = "\
[core]
\trepositoryformatversion = 0
\tbare = true
\tlogAllRefUpdates = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
";

/// Makes an empty bare repository in a directory that is there.
pub(in crate::repos) fn lay_out(dir: &Path, promisor: Option<&str>) -> Result<(), RepoError> {
    for below in ["objects/info", "objects/pack", "refs"] {
        disk::directory(&dir.join(below))?;
    }
    let mut config = CONFIG.to_owned();
    if promisor.is_some() {
        // Without a URL, so that git does not fetch behind anybody's back.
        config.push_str(
            "[remote \"promisor\"]\n\tpromisor = true\n\tpartialclonefilter = blob:none\n",
        );
    }
    write(&dir.join("config"), config.as_bytes())?;
    write(&dir.join("HEAD"), b"ref: refs/heads/main\n")
}

/// Lets a repository use the objects of another.
pub(in crate::repos) fn borrow(dir: &Path, objects: &Path) -> Result<(), RepoError> {
    use std::os::unix::ffi::OsStrExt;
    let mut line = objects.as_os_str().as_bytes().to_vec();
    line.push(b'\n');
    let file = dir.join("objects/info/alternates");
    // In jails something lies over this file, which would go with the old one.
    if fs::read(&file).is_ok_and(|there| there == line) {
        return Ok(());
    }
    Ok(disk::replace(&file, &line)?)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RepoError> {
    Ok(fs::write(path, bytes).map_err(DiskError::io("write", path))?)
}

impl Refs {
    /// The refs that git has made in a repository of ours.
    pub(super) fn of(repo: &Repository, head: Head) -> Result<(Self, usize), RepoError> {
        let failed = || RepoError::read(repo.path().display(), "the refs");
        let mut found = Vec::new();
        for reference in repo.references().map_err(failed())? {
            let reference = reference.map_err(failed())?;
            if let (Ok(name), Some(id)) = (reference.name(), reference.target()) {
                found.push((name.to_owned(), id));
            }
        }
        Ok(Self::checked(repo, head, found))
    }

    /// Those of these refs whose objects are there and whose names are good, and how
    /// many are not.
    pub(super) fn checked(
        repo: &Repository,
        head: Head,
        found: impl IntoIterator<Item = (String, Oid)>,
    ) -> (Self, usize) {
        let mut refs = Vec::new();
        let mut bad = 0;
        for (name, id) in found {
            let peeled = match repo.find_object(id, None) {
                Ok(object) if object.kind() == Some(ObjectType::Tag) => {
                    object.peel(ObjectType::Any).ok().map(|object| object.id())
                }
                Ok(_) => Some(id),
                Err(_) => None,
            };
            match peeled {
                Some(peeled) if Reference::is_valid_name(&name) => {
                    refs.push(Ref { name, id, peeled: (peeled != id).then_some(peeled) });
                }
                _ => bad += 1,
            }
        }
        refs.sort();
        refs.dedup_by(|a, b| a.name == b.name);
        (Self { head, refs }, bad)
    }

    /// Puts these in the place of those that a repository has.
    pub(super) fn write(&self, dir: &Path) -> Result<(), RepoError> {
        let mut text = String::from("# pack-refs with: peeled fully-peeled sorted \n");
        for Ref { name, id, peeled } in &self.refs {
            text.push_str(&format!("{id} {name}\n"));
            if let Some(peeled) = peeled {
                text.push_str(&format!("^{peeled}\n"));
            }
        }
        disk::replace(&dir.join("packed-refs"), text.as_bytes())?;
        let head = match &self.head {
            Head::Branch(name) => format!("ref: {name}\n"),
            Head::Detached(id) => format!("{id}\n"),
        };
        let path = dir.join("HEAD");
        if fs::read(&path).ok().as_deref() != Some(head.as_bytes()) {
            disk::replace(&path, head.as_bytes())?;
        }
        Ok(())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.refs.iter().any(|it| it.name == name)
    }

    /// The short names of the branches.
    pub(super) fn branches(&self) -> impl Iterator<Item = &str> {
        self.refs.iter().filter_map(|it| it.name.strip_prefix("refs/heads/"))
    }
}

/// Takes away the refs that git has written one by one.
pub(super) fn only_packed(dir: &Path) -> Result<(), RepoError> {
    let refs = dir.join("refs");
    fs::remove_dir_all(&refs).map_err(DiskError::io("remove", &refs))?;
    Ok(disk::directory(&refs)?)
}

/// Moves what a fetch has brought into the repository that it is for: every pack
/// before its index, since it is found by that.
pub(super) fn move_packs(from: &Path, to: &Path) -> Result<(), RepoError> {
    let packs = from.join("objects/pack");
    let mut names = Vec::new();
    for entry in fs::read_dir(&packs).map_err(DiskError::io("list", &packs))? {
        let entry = entry.map_err(DiskError::io("list", &packs))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kept = [".pack", ".rev", ".promisor", ".idx"].iter().any(|end| name.ends_with(end));
        if name.starts_with("pack-") && kept {
            names.push(name);
        }
    }
    names.sort_by_key(|name| name.ends_with(".idx"));
    let target = to.join("objects/pack");
    let sync = || -> Result<(), DiskError> {
        let dir = fs::File::open(&target).map_err(DiskError::io("open", &target))?;
        match dir.sync_all() {
            Err(error) if error.raw_os_error() != Some(libc::EINVAL) => {
                Err(DiskError::io("sync", &target)(error))
            }
            _ => Ok(()),
        }
    };
    for name in &names {
        fs::rename(packs.join(name), target.join(name))
            .map_err(DiskError::io("write", &target.join(name)))?;
    }
    Ok(sync()?)
}

/// Copies one of the files that say what a repository is, if it has it.
pub(super) fn copy(name: &str, from: &Path, to: &Path) -> Result<(), RepoError> {
    match fs::read(from.join(name)) {
        Ok(bytes) => Ok(disk::replace(&to.join(name), &bytes)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => remove(&to.join(name)),
        Err(error) => Err(DiskError::io("read", &from.join(name))(error).into()),
    }
}

/// Writes lines for git to read, and opens them.
pub(super) fn lines(dir: &Path, lines: &[Oid]) -> Result<fs::File, RepoError> {
    let path = dir.join("wanted");
    let mut file = fs::File::create(&path).map_err(DiskError::io("write", &path))?;
    let text: String = lines.iter().map(|id| format!("{id}\n")).collect();
    file.write_all(text.as_bytes()).map_err(DiskError::io("write", &path))?;
    Ok(fs::File::open(&path).map_err(DiskError::io("open", &path))?)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), RepoError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DiskError::io("remove", path)(error).into())
        }
        _ => Ok(()),
    }
}
