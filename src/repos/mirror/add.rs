//! Taking in a repository that was not here before, and its submodules with it.

use std::path::Path;

use git2::Repository;

use super::super::git::{Git, Undisturbed, Wish};
use super::super::submodules::{self, Declared};
use super::super::{Progress, RepoError, Shared, Source, Store};
use super::bare::{self, Refs};
use super::checkout::Checkout;
use super::fetch::{Beside, fetch_into, refs_of_checkout, write_graph};
use super::{About, Known, Mirror, Origin, Submodule, lock, names, stands};
use crate::case::RepoName;
use crate::disk::{self, Holder};
use crate::hint::{Hint, nearest};

/// A repository that is to be taken in.
#[derive(Clone, Debug)]
pub struct New {
    pub name: RepoName,
    pub from: Source,
    pub branch: Option<String>,
    pub service: Option<String>,
}

/// Submodules of submodules, and how many there may be in all: a repository that
/// somebody else wrote says which.
const SUBMODULES_DEPTH_MAX: usize = 8;
const SUBMODULES_MAX: usize = 200;

impl Mirror {
    /// Takes in a repository, with the submodules that its branch has now.
    pub fn add(
        store: &Shared,
        new: &New,
        git: &Git,
        holder: &Holder,
        progress: &dyn Progress,
    ) -> Result<Self, RepoError> {
        let mut adding =
            Adding { store: &store.store, git, holder, progress, left: SUBMODULES_MAX };
        let mut mirror = adding.one(new, Wish::Users)?;
        adding.submodules(&mut mirror, SUBMODULES_DEPTH_MAX)?;
        Ok(mirror)
    }

    /// Takes in the submodules that it has now and had not before.
    pub fn add_submodules(
        &mut self,
        store: &Shared,
        git: &Git,
        holder: &Holder,
        progress: &dyn Progress,
    ) -> Result<(), RepoError> {
        let mut adding =
            Adding { store: &store.store, git, holder, progress, left: SUBMODULES_MAX };
        adding.submodules(self, SUBMODULES_DEPTH_MAX)
    }
}

struct Adding<'a> {
    store: &'a Store,
    git: &'a Git,
    holder: &'a Holder,
    progress: &'a dyn Progress,
    /// So many more submodules may come.
    left: usize,
}

impl Adding<'_> {
    fn one(&self, new: &New, wish: Wish) -> Result<Mirror, RepoError> {
        let path = self.store.mirror(&new.name);
        disk::directory(&self.store.mirrors())?;
        let _lock = lock(self.store, &new.name, self.holder, |who| {
            let who = disk::name(who);
            self.progress.note(&format!("waiting for {who}, which fetches `{}`", new.name));
        })?;
        if stands(&path) {
            return Err(RepoError::Exists(new.name.clone()));
        }
        let _held = Undisturbed::hold(self.git);
        let beside = Beside::make(self.store, &new.name)?;
        let (mut about, refs) = match &new.from {
            Source::Url(_) => self.take_url(beside.path(), &new.from, wish)?,
            Source::Checkout(path) => self.take_checkout(beside.path(), path)?,
        };
        if let Some(branch) = &new.branch
            && !refs.branches().any(|known| known == branch)
        {
            let nearest = nearest(branch, refs.branches()).map(Into::into);
            let branch = branch.clone();
            return Err(RepoError::NoBranch { name: new.name.clone(), branch, nearest });
        }
        refs.write(beside.path())?;
        about.branch.clone_from(&new.branch);
        about.service.clone_from(&new.service);
        about.write(beside.path())?;
        if about.origin == Origin::Remote {
            write_graph(beside.path(), self.git, self.progress);
        }
        beside.becomes(&path)?;
        Mirror::open(self.store, &new.name)
    }

    fn take_url(&self, dir: &Path, from: &Source, wish: Wish) -> Result<(About, Refs), RepoError> {
        bare::lay_out(dir, None)?;
        let refs = fetch_into(dir, from, None, wish, self.git, self.progress)?;
        bare::only_packed(dir)?;
        Ok((About::new(from), refs))
    }

    fn take_checkout(&self, dir: &Path, path: &Path) -> Result<(About, Refs), RepoError> {
        let checkout = Checkout::find(path)?;
        let unsupported = |why, way_out| {
            let from = path.display().to_string();
            Err(RepoError::Unsupported { from, why, way_out })
        };
        let (Some(text), Some(_)) = (path.to_str(), checkout.objects.to_str()) else {
            return unsupported("its path is not UTF-8", "Move it, or link to it by another name.");
        };
        if text.contains('\n') || checkout.objects.to_str().is_some_and(|it| it.contains('\n')) {
            return unsupported("its path holds a line break", "Move it.");
        }
        bare::lay_out(dir, checkout.promisor.as_deref())?;
        bare::borrow(dir, &checkout.objects)?;
        bare::copy("shallow", &checkout.common_dir, dir)?;
        let repo =
            Repository::open_bare(dir).map_err(RepoError::read(path.display(), "the objects"))?;
        let refs = refs_of_checkout(&checkout, &repo, self.progress)?;
        let mut about = About::new(&Source::Checkout(checkout.place()));
        about.promised_by(checkout.promisor);
        Ok((about, refs))
    }

    /// Mirrors of the submodules that a mirror's branch has. One that cannot be had is
    /// told and left out: whoever may read a repository may not read all of its parts.
    fn submodules(&mut self, mirror: &mut Mirror, depth: usize) -> Result<(), RepoError> {
        let declared = submodules::of_tip(mirror)?;
        for Declared { name, path, url } in declared {
            let known = mirror.about.submodules.iter().any(|it| it.path == path && it.url == url);
            if known {
                continue;
            }
            if depth == 0 || self.left == 0 {
                let parent = &mirror.name;
                self.progress.note(&format!("there are too many submodules below `{parent}`"));
                return Ok(());
            }
            self.left -= 1;
            match self.submodule(mirror, &name, &path, &url, depth) {
                Ok(repo) => {
                    mirror.about.submodules.push(Submodule { path, url, repo });
                    mirror.about.write(&mirror.path)?;
                }
                Err(error @ RepoError::Interrupted { .. }) => return Err(error),
                Err(error) => {
                    let mut told = format!("submodule `{path}` of `{}`: {error}", mirror.name);
                    let mut cause = std::error::Error::source(&error);
                    while let Some(error) = cause {
                        told.push_str(&format!(": {error}"));
                        cause = error.source();
                    }
                    if let RepoError::NotARepository(_) = error {
                        told.push_str("; run `git submodule update --init` there");
                    } else if let Some(hint) = error.hint() {
                        told.push_str(&format!(" ({hint})"));
                    }
                    self.progress.note(&told);
                }
            }
        }
        Ok(())
    }

    fn submodule(
        &mut self,
        parent: &Mirror,
        name: &str,
        path: &str,
        url: &str,
        depth: usize,
    ) -> Result<RepoName, RepoError> {
        let (from, wish) = match parent.about.source() {
            from @ Source::Url(_) => (from.of_submodule(url)?, Wish::Repositorys),
            Source::Checkout(at) => (submodule_of_checkout(&at, name, path)?, Wish::Users),
        };
        // One that is there already is the same one; this also ends a circle.
        for Known { name: known, mirror } in Mirror::list(self.store)? {
            if mirror.is_ok_and(|mirror| mirror.about.source() == from) {
                return Ok(known);
            }
        }
        let last = match &from {
            Source::Url(url) => url.as_str(),
            Source::Checkout(_) => path,
        };
        let name = self.free_name(&parent.name, last)?;
        let new = New { name: name.clone(), from, branch: None, service: None };
        let mut mirror = self.one(&new, wish)?;
        self.submodules(&mut mirror, depth - 1)?;
        Ok(name)
    }

    /// A name that nothing has yet: the last part, that of its parent before it, or a
    /// number behind.
    fn free_name(&self, parent: &RepoName, last: &str) -> Result<RepoName, RepoError> {
        let last = last.trim_end_matches('/').trim_end_matches(".git");
        let last = last.rsplit(['/', ':']).next().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let last: String = last.chars().map(plain).take(40).collect();
        let last = last.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let last = if last.is_empty() { "submodule" } else { last };
        let taken = names(self.store)?;
        let begin = &parent.as_str()[..parent.as_str().len().min(RepoName::CHARS_MAX - 20 - 8)];
        let short = &last[..last.len().min(20)];
        let numbered = (2..=SUBMODULES_MAX + 2).map(|number| format!("{begin}.{short}.{number}"));
        [last.to_owned(), format!("{begin}.{short}")]
            .into_iter()
            .chain(numbered)
            .filter_map(|name| RepoName::parse(&name).ok())
            .find(|name| !taken.contains(name))
            .ok_or_else(|| RepoError::Exists(parent.clone()))
    }
}

/// Where a checkout keeps the objects of a submodule, if it has them at all.
fn submodule_of_checkout(at: &Path, name: &str, path: &str) -> Result<Source, RepoError> {
    let checkout = Checkout::find(at)?;
    let missing = RepoError::NotARepository(at.join(path));
    let modules = [checkout.git_dir.join("modules"), checkout.common_dir.join("modules")];
    // The name is part of a path only if it leads down, as git has it too.
    let leads_down = !name.is_empty()
        && Path::new(name).components().all(|it| matches!(it, std::path::Component::Normal(_)));
    let below = leads_down.then(|| modules.map(|modules| modules.join(name)));
    let beside = checkout.work_dir.map(|dir| dir.join(path));
    for candidate in below.into_iter().flatten().chain(beside) {
        match Checkout::at(&candidate) {
            Ok(found) => return Ok(Source::Checkout(found.place())),
            Err(RepoError::NotARepository(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(missing)
}
