//! A repository on this machine, read where it is and never written: neither git
//! nor anything else runs there, so nothing of it is refreshed, packed or locked.
//!
//! libgit2 says what and whose it is. The refs are read as files, because libgit2
//! does not open a partial clone at all.

#![expect(clippy::disallowed_methods, reason = "a repository that the user has named")]

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use git2::{Config, ErrorCode, Oid, Repository, RepositoryOpenFlags};

use super::super::RepoError;
use super::bare::{Head, Refs};
use crate::disk::DiskError;

/// A repository on this machine.
#[derive(Debug)]
pub(super) struct Checkout {
    /// Its own directory, which a worktree has besides the one that it shares.
    pub(super) git_dir: PathBuf,
    pub(super) common_dir: PathBuf,
    pub(super) work_dir: Option<PathBuf>,
    pub(super) objects: PathBuf,
    /// Where it would fetch what it has left out.
    pub(super) promisor: Option<String>,
}

impl Checkout {
    /// The repository that `path` is in, if git would read it too.
    pub(super) fn find(path: &Path) -> Result<Self, RepoError> {
        let opened = Repository::open_ext(path, RepositoryOpenFlags::empty(), NOWHERE);
        Self::of(path, opened)
    }

    /// The repository that `path` is, and not one around it.
    pub(super) fn at(path: &Path) -> Result<Self, RepoError> {
        let opened = Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, NOWHERE);
        Self::of(path, opened)
    }

    fn of(path: &Path, opened: Result<Repository, git2::Error>) -> Result<Self, RepoError> {
        let (git_dir, common_dir, work_dir) = match opened {
            Ok(repo) => {
                let work_dir = repo.workdir().map(Path::to_path_buf);
                (repo.path().to_path_buf(), repo.commondir().to_path_buf(), work_dir)
            }
            Err(error) if error.code() == ErrorCode::Owner => {
                return Err(RepoError::Owner(path.into()));
            }
            Err(error) if error.code() == ErrorCode::NotFound => {
                return Err(RepoError::NotARepository(path.into()));
            }
            Err(error) => not_opened(path, error)?,
        };
        // A link there would lead elsewhere by the time it is followed again.
        let objects = common_dir.join("objects");
        let objects = fs::canonicalize(&objects).map_err(DiskError::io("open", &objects))?;
        let promisor = promisor(&common_dir);
        Ok(Self { git_dir, common_dir, work_dir, objects, promisor })
    }

    /// The path by which it is found again: the working tree, which is what people
    /// know, if it is there.
    pub(super) fn place(&self) -> PathBuf {
        let seen = |dir: &&PathBuf| dir.join(".git").symlink_metadata().is_ok();
        self.work_dir.as_ref().filter(seen).unwrap_or(&self.git_dir).clone()
    }

    /// Its branches, tags and remote-tracking branches as they are now. `repo` is one
    /// of ours that uses its objects.
    pub(super) fn refs(&self, repo: &Repository) -> Result<(Refs, usize), RepoError> {
        let mut found = BTreeMap::new();
        // Those with a file of their own first: one that git packs meanwhile is then
        // seen in one place or both.
        let mut loose = BTreeMap::new();
        for kind in ["heads", "tags", "remotes"] {
            let name = format!("refs/{kind}");
            self.loose(&self.common_dir.join(&name), &name, &mut loose)?;
        }
        let packed = self.common_dir.join("packed-refs");
        for line in read(&packed)?.unwrap_or_default().lines() {
            let Some((id, name)) = line.split_once(' ') else { continue };
            let wanted = ["refs/heads/", "refs/tags/", "refs/remotes/"];
            if let Ok(id) = Oid::from_str(id)
                && wanted.iter().any(|kind| name.starts_with(kind))
            {
                found.insert(name.to_owned(), id);
            }
        }
        found.extend(loose);
        Ok(Refs::checked(repo, self.head()?, found))
    }

    fn head(&self) -> Result<Head, RepoError> {
        let path = self.git_dir.join("HEAD");
        let text = read(&path)?.unwrap_or_default();
        let text = text.trim();
        if let Some(name) = text.strip_prefix("ref:") {
            return Ok(Head::Branch(name.trim().into()));
        }
        let bad = || RepoError::Unsupported {
            from: self.git_dir.display().to_string(),
            why: "its HEAD names neither a branch nor a commit",
            way_out: "Run `git checkout` of a branch there.",
        };
        Oid::from_str(text).map(Head::Detached).map_err(|_| bad())
    }

    fn loose(
        &self,
        dir: &Path,
        below: &str,
        found: &mut BTreeMap<String, Oid>,
    ) -> Result<(), RepoError> {
        let entries = match fs::read_dir(dir) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) => return Ok(()),
            entries => entries.map_err(DiskError::io("list", dir))?,
        };
        for entry in entries {
            let entry = entry.map_err(DiskError::io("list", dir))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = format!("{below}/{name}");
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                self.loose(&entry.path(), &name, found)?;
            } else if kind.is_file()
                // A symbolic one, such as `origin/HEAD`, is another's second name.
                && let Some(text) = read(&entry.path())?
                && let Ok(id) = Oid::from_str(text.trim())
            {
                found.insert(name, id);
            }
        }
        Ok(())
    }
}

const NOWHERE: [&str; 0] = [];

/// Why libgit2 does not open it, or what it is if that is no reason for us.
fn not_opened(
    path: &Path,
    error: git2::Error,
) -> Result<(PathBuf, PathBuf, Option<PathBuf>), RepoError> {
    let failed = || RepoError::read(path.display(), "the settings");
    let unsupported = |why, way_out| {
        let from = path.display().to_string();
        Err(RepoError::Unsupported { from, why, way_out })
    };
    let git_dir = Repository::discover_path(path, NOWHERE).map_err(failed())?;
    let common_dir = match read(&git_dir.join("commondir"))? {
        Some(common) => git_dir.join(common.trim()),
        None => git_dir.clone(),
    };
    // What libgit2 would have asked after, had it come so far.
    let about = fs::metadata(&common_dir).map_err(DiskError::io("open", &common_dir))?;
    if about.uid() != nix::unistd::geteuid().as_raw() {
        return Err(RepoError::Owner(path.into()));
    }
    let config = Config::open(&common_dir.join("config")).map_err(failed())?;
    let is = |key: &str, value: &str| {
        config.get_string(key).is_ok_and(|it| it.eq_ignore_ascii_case(value))
    };
    if is("extensions.objectformat", "sha256") {
        return unsupported(SHA256.0, SHA256.1);
    }
    if is("extensions.refstorage", "reftable") {
        return unsupported(
            "its refs are a reftable, which only git itself reads",
            "Give it as a `file://` URL, so that git fetches it, or run `git refs migrate --ref-format=files` there.",
        );
    }
    if config.get_string("extensions.partialclone").is_err() {
        return Err(failed()(error));
    }
    let is_bare = config.get_bool("core.bare").unwrap_or(false);
    let work_dir = if is_bare { None } else { common_dir.parent().map(Path::to_path_buf) };
    Ok((git_dir, common_dir, work_dir))
}

/// A repository with ids that are not known here, and the way out.
pub(super) const SHA256: (&str, &str) = (
    "its object ids are SHA-256, which is not supported yet",
    "Use a copy of it with SHA-1 ids, if there is one.",
);

/// The URL that a partial clone fetches the rest from.
fn promisor(common_dir: &Path) -> Option<String> {
    let config = Config::open(&common_dir.join("config")).ok()?;
    let named = config.get_string("extensions.partialclone").ok();
    let remote = named.or_else(|| {
        let mut remote = None;
        let mut entries = config.entries(Some("^remote\\..*\\.promisor$")).ok()?;
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.name().ok()?;
            if entry.value().is_ok_and(|value| value == "true") {
                let inner = name.strip_prefix("remote.")?.strip_suffix(".promisor")?;
                remote = Some(inner.to_owned());
            }
        }
        remote
    })?;
    config.get_string(&format!("remote.{remote}.url")).ok()
}

fn read(path: &Path) -> Result<Option<String>, RepoError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DiskError::io("read", path)(error).into()),
    }
}
