//! Bringing a mirror up to date.
//!
//! git fetches into a repository beside the mirror that borrows its objects. When it
//! is done, the packs are moved over, then the refs are replaced. Whatever ends this
//! early leaves only that other repository behind, which the next one takes away. It
//! has a new name each time: a git whose master was killed may still be writing.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Oid, Repository};

use super::super::git::{Git, Undisturbed, Wish};
use super::super::{Progress, RepoError, Shared, Source, Store};
use super::bare::{self, Head, Refs};
use super::checkout::{Checkout, SHA256};
use super::{Mirror, Origin, lock, stands};
use crate::case::RepoName;
use crate::disk::{self, DiskError, Holder};

/// A commit-graph makes history quick, and is not worth a longer wait than this.
const GRAPH_WITHIN: Duration = Duration::from_secs(30);
/// So many commits a time get a filter of the paths that they change.
const GRAPH_FILTERS_MAX: &str = "--max-new-filters=2000";

impl Mirror {
    /// Brings it up to date with where it comes from. Waits for another that does so.
    pub fn fetch(
        &mut self,
        store: &Shared,
        git: &Git,
        holder: &Holder,
        progress: &dyn Progress,
    ) -> Result<(), RepoError> {
        let store = &store.store;
        let _lock = lock(store, &self.name, holder, |who| {
            let who = disk::name(who);
            progress.note(&format!("waiting for {who}, which fetches `{}`", self.name));
        })?;
        // It may have been removed, or added anew, while this one waited.
        *self = Self::open(store, &self.name)?;
        match self.about.source() {
            Source::Url(_) => self.fetch_remote(store, git, progress),
            Source::Checkout(path) => self.read_checkout(&path, progress),
        }
    }

    fn fetch_remote(
        &self,
        store: &Store,
        git: &Git,
        progress: &dyn Progress,
    ) -> Result<(), RepoError> {
        // Dropped after what is beside: so a ^C leaves nothing.
        let _held = Undisturbed::hold(git);
        let beside = Beside::make(store, &self.name)?;
        let dir = beside.path();
        bare::lay_out(dir, None)?;
        bare::borrow(dir, &self.path.join("objects"))?;
        for name in ["packed-refs", "HEAD", "shallow"] {
            bare::copy(name, &self.path, dir)?;
        }
        let head = self.head()?;
        let refs = fetch_into(dir, &self.about.source(), head, Wish::Users, git, progress)?;
        bare::move_packs(dir, &self.path)?;
        bare::copy("shallow", dir, &self.path)?;
        refs.write(&self.path)?;
        write_graph(&self.path, git, progress);
        Ok(())
    }

    /// Reads the refs of a checkout anew. Its objects are used where they are.
    fn read_checkout(&self, path: &Path, progress: &dyn Progress) -> Result<(), RepoError> {
        let gone = |_| RepoError::Gone { name: self.name.clone(), path: path.into() };
        let checkout = match Checkout::find(path) {
            Err(RepoError::NotARepository(path)) => return Err(gone(path)),
            outcome => outcome?,
        };
        bare::borrow(&self.path, &checkout.objects)?;
        let repo = self.repository()?;
        let refs = refs_of_checkout(&checkout, &repo, progress)?;
        bare::copy("shallow", &checkout.common_dir, &self.path)?;
        refs.write(&self.path)?;
        if self.about.promisor != checkout.promisor {
            let mut about = self.about.clone();
            about.promised_by(checkout.promisor);
            about.write(&self.path)?;
        }
        Ok(())
    }

    fn head(&self) -> Result<Option<Head>, RepoError> {
        let branch = self.branch()?;
        Ok(branch.map(|branch| Head::Branch(format!("refs/heads/{branch}"))))
    }

    /// Fetches a commit that no branch or tag of its origin leads to, by its whole id.
    /// Not every server gives those.
    pub fn fetch_commit(
        &self,
        store: &Shared,
        id: &crate::case::CommitId,
        git: &Git,
        holder: &Holder,
        progress: &dyn Progress,
    ) -> Result<(), RepoError> {
        let id = Oid::from_str(id.as_str()).map_err(RepoError::read(&self.name, "that id"))?;
        if self.about.origin == Origin::Checkout {
            // What it has is ours already.
            return Ok(());
        }
        self.fetch_objects(store, &self.about.source(), &[id], &[], git, holder, progress)
    }

    /// Fetches these objects by their ids.
    #[expect(clippy::too_many_arguments, reason = "each is of another kind")]
    pub(super) fn fetch_objects(
        &self,
        store: &Shared,
        from: &Source,
        ids: &[Oid],
        options: &[&str],
        git: &Git,
        holder: &Holder,
        progress: &dyn Progress,
    ) -> Result<(), RepoError> {
        let store = &store.store;
        let _lock = lock(store, &self.name, holder, |_| {})?;
        let _held = Undisturbed::hold(git);
        let beside = Beside::make(store, &self.name)?;
        let dir = beside.path();
        bare::lay_out(dir, None)?;
        bare::borrow(dir, &self.path.join("objects"))?;
        for name in ["packed-refs", "HEAD", "shallow", "config"] {
            bare::copy(name, &self.path, dir)?;
        }
        let wanted = bare::lines(dir, ids)?;
        let url = url(from)?;
        let mut args: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
        args.extend(FETCH.iter().map(OsStr::new));
        args.extend(["--no-tags", "--stdin", "--"].map(OsStr::new));
        args.push(&url);
        let act = format!("fetch {} objects of `{}` from `{from}`", ids.len(), self.name);
        git.run_with(dir, &args, wanted.into(), Wish::Users, progress, None)?.good(&act, from)?;
        bare::move_packs(dir, &self.path)
    }
}

const FETCH: &[&str] =
    &["fetch", "--progress", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap="];

/// Fetches every branch and tag into a repository of ours that nobody uses yet, and
/// says what its refs are then. `head` is where the default branch was before.
pub(super) fn fetch_into(
    dir: &Path,
    from: &Source,
    head: Option<Head>,
    wish: Wish,
    git: &Git,
    progress: &dyn Progress,
) -> Result<Refs, RepoError> {
    let url = url(from)?;
    let mut args: Vec<&OsStr> = FETCH.iter().map(OsStr::new).collect();
    args.extend(["--no-tags", "--prune", "--force", "--update-shallow"].map(OsStr::new));
    if stands(&dir.join("shallow")) {
        // As deep as the origin is now.
        args.push(OsStr::new("--unshallow"));
    }
    args.push(OsStr::new("--"));
    args.push(&url);
    args.extend(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"].map(OsStr::new));
    let head = match head {
        Some(head) => head,
        None => remote_head(dir, from, wish, git)?,
    };
    let act = format!("fetch from `{from}`");
    git.run(dir, &args, wish, progress, None)?.good(&act, from)?;
    let repo = Repository::open_bare(dir).map_err(RepoError::read(from, "what was fetched"))?;
    let (mut refs, bad) = Refs::of(&repo, head)?;
    if 0 < bad {
        progress.note(&format!("{bad} refs of `{from}` lead nowhere and are left out"));
    }
    if let Head::Branch(name) = &refs.head
        && !refs.has(name)
        && !refs.refs.is_empty()
    {
        refs.head = remote_head(dir, from, wish, git)?;
    }
    Ok(refs)
}

/// The refs of a checkout, through a repository of ours that uses its objects.
pub(super) fn refs_of_checkout(
    checkout: &Checkout,
    repo: &Repository,
    progress: &dyn Progress,
) -> Result<Refs, RepoError> {
    let (refs, bad) = checkout.refs(repo)?;
    if 0 < bad {
        let from = checkout.common_dir.display();
        progress.note(&format!("{bad} refs of `{from}` lead nowhere and are left out"));
    }
    Ok(refs)
}

/// Which branch a remote repository is on.
fn remote_head(dir: &Path, from: &Source, wish: Wish, git: &Git) -> Result<Head, RepoError> {
    let url = url(from)?;
    let args = ["ls-remote", "--symref", "--"].map(OsStr::new);
    let args = [&args[..], &[&url, OsStr::new("HEAD")]].concat();
    let act = format!("read `{from}`");
    let answer = git.run(dir, &args, wish, &super::super::Silent, None)?.good(&act, from)?;
    let mut head = None;
    for line in String::from_utf8_lossy(&answer.stdout).lines() {
        match line.split_once('\t') {
            Some((id, "HEAD")) if id.starts_with("ref: ") => {
                head = Some(Head::Branch(id["ref: ".len()..].trim().into()));
            }
            Some((id, "HEAD")) if id.len() == 64 => {
                let (why, way_out) = SHA256;
                return Err(RepoError::Unsupported { from: from.shown(), why, way_out });
            }
            Some((id, "HEAD")) if head.is_none() => {
                head = Oid::from_str(id).ok().map(Head::Detached);
            }
            _ => {}
        }
    }
    // An empty one has none yet.
    Ok(head.unwrap_or_else(|| Head::Branch("refs/heads/main".into())))
}

fn url(from: &Source) -> Result<OsString, RepoError> {
    match from {
        Source::Url(url) => Ok(url.into()),
        Source::Checkout(path) => Err(RepoError::NotARepository(path.clone())),
    }
}

/// Writes a commit-graph, with which `log` and `blame` in a case are quick. They work
/// without it too, so nothing fails for want of it.
pub(super) fn write_graph(dir: &Path, git: &Git, progress: &dyn Progress) {
    let args = ["commit-graph", "write", "--reachable", "--progress", "--changed-paths"];
    let args: Vec<&OsStr> = args.iter().chain(&[GRAPH_FILTERS_MAX]).map(OsStr::new).collect();
    let good = git
        .run(dir, &args, Wish::Users, progress, Some(GRAPH_WITHIN))
        .is_ok_and(|answer| answer.is_good());
    if !good {
        // What a git that was ended has left.
        let _ = bare::remove(&dir.join("objects/info/commit-graph.lock"));
    }
}

/// A repository beside the mirror, gone when this is dropped.
pub(super) struct Beside(tempfile::TempDir);

impl Beside {
    /// Makes the directory. Whoever calls holds the lock of that mirror, so what lies
    /// there already is left by one that was killed.
    pub(super) fn make(store: &Store, name: &RepoName) -> Result<Self, RepoError> {
        let dir = incoming(store).join(name.as_str());
        clear(&dir)?;
        disk::directory(&dir)?;
        let made = tempfile::Builder::new()
            .prefix("fetch-")
            .tempdir_in(&dir)
            .map_err(DiskError::io("create", &dir))?;
        Ok(Self(made))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Gives it its place as a mirror.
    #[expect(clippy::disallowed_methods, reason = "the host's own store")]
    pub(super) fn becomes(self, mirror: &Path) -> Result<(), RepoError> {
        let from = self.0.keep();
        Ok(std::fs::rename(from, mirror).map_err(DiskError::io("create", mirror))?)
    }
}

fn incoming(store: &Store) -> PathBuf {
    store.mirrors().join(".incoming")
}

/// Takes away what fetches that were killed have left, save where one is under way.
#[expect(clippy::disallowed_methods, reason = "the host's own store")]
pub fn sweep(store: &Store, holder: &Holder) -> Result<(), RepoError> {
    let dir = incoming(store);
    let Ok(entries) = std::fs::read_dir(&dir) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(DiskError::io("list", &dir))?;
        let locks = store.mirrors().join(".locks");
        disk::directory(&locks)?;
        match disk::Lock::take(&locks.join(entry.file_name()), holder) {
            Ok(_lock) => clear(&entry.path())?,
            Err(DiskError::Held { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Empties a directory of leftovers. A git that was left alone may still be writing
/// there for a moment, and then the next one takes the rest.
#[expect(clippy::disallowed_methods, reason = "the host's own store")]
fn clear(dir: &Path) -> Result<(), RepoError> {
    use std::io::ErrorKind::{DirectoryNotEmpty, NotFound};
    match std::fs::remove_dir_all(dir) {
        Err(error) if !matches!(error.kind(), NotFound | DirectoryNotEmpty) => {
            Err(DiskError::io("remove", dir)(error).into())
        }
        _ => Ok(()),
    }
}
