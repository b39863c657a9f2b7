//! What was asked for with `--repo`, down to the commits and the submodules in them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::progress::Line;
use super::super::report::Failure;
use super::super::surroundings::Surroundings;
use super::super::time;
use crate::case::{CasePath, Repo, RepoName, Rule, Within};
use crate::hint::Hint;
use crate::repos::{
    self, Deploys, Mirror, New, RepoError, ResolveError, Resolved, Shared, Source, recorded,
    submodules_at,
};

/// All that decides which commit of which repository.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) around: &'a Surroundings,
    pub(super) store: &'a Shared,
    pub(super) at: Option<Timestamp>,
    pub(super) now: Timestamp,
    pub(super) environment: Option<String>,
    pub(super) deploys: Option<Deploys>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) repos: Vec<Repo>,
    /// Why each of them is at its commit.
    pub(super) reasons: Vec<String>,
    /// What is worth a word.
    pub(super) notes: Vec<String>,
}

/// Submodules of submodules.
const DEPTH_MAX: usize = 8;

#[derive(Debug, thiserror::Error)]
enum NotAsked {
    #[error("`{name}` is asked for twice")]
    Twice { name: RepoName },
    #[error("the repo `{name}` is of `{from}`, not of `{asked}`")]
    Other { name: RepoName, from: String, asked: String },
    #[error("`{path}` has no name that a repo could have")]
    Nameless { path: String },
}

impl Hint for NotAsked {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Twice { .. } => "Open two cases, and compare them.".into(),
            Self::Other { asked, .. } | Self::Nameless { path: asked } => {
                format!("Take it in under a name of its own: `casefile repo add NAME {asked}`.")
            }
        })
    }
}

impl Asked<'_> {
    /// Everything that `--repo` named, or every mirror there is.
    pub(super) fn repos(&self, given: &[String]) -> Result<Found, Failure> {
        let mut found = Found::default();
        let mirrors: Vec<(Mirror, Option<String>)> = if given.is_empty() {
            let all = Mirror::list(&self.store.store).map_err(Failure::user)?;
            let parts: BTreeSet<RepoName> = all
                .iter()
                .filter_map(|known| known.mirror.as_ref().ok())
                .flat_map(|mirror| mirror.about.submodules.iter().map(|part| part.repo.clone()))
                .collect();
            all.into_iter()
                .filter(|known| !parts.contains(&known.name))
                .map(|known| Ok((known.mirror.map_err(Failure::user)?, None)))
                .collect::<Result<_, Failure>>()?
        } else {
            given.iter().map(|given| self.mirror(given)).collect::<Result<_, _>>()?
        };
        for (mirror, which) in mirrors {
            if found.repos.iter().any(|repo| repo.name == mirror.name) {
                return Err(Failure::user(NotAsked::Twice { name: mirror.name }));
            }
            let resolved = match self.resolve(&mirror, which.as_deref()) {
                // Nobody asked for it, and there is nothing in it to ask for.
                Err(error @ ResolveError::Empty { .. }) if given.is_empty() => {
                    found.notes.push(format!("left out: {error}"));
                    continue;
                }
                resolved => resolved.map_err(Failure::user)?,
            };
            let name = mirror.name.clone();
            found.add(name, &mirror, resolved, None);
            self.submodules(&mut found, &mirror, DEPTH_MAX)?;
        }
        Ok(found)
    }

    /// The mirror that is meant, and what of it.
    fn mirror(&self, given: &str) -> Result<(Mirror, Option<String>), Failure> {
        if is_path(given) {
            // A path may have an `@` in it, and what follows the last one may be a
            // revision: the disk decides.
            let here = &self.around.given.working_directory;
            let (path, which) = match given.rsplit_once('@') {
                Some((path, which)) if !crate::disk::stands(&here.join(given)) => {
                    (path, Some(which.to_owned()))
                }
                _ => (given, None),
            };
            return Ok((self.checkout(path)?, which));
        }
        let (name, which) = match given.split_once('@') {
            Some((name, which)) => (name, Some(which.to_owned())),
            None => (given, None),
        };
        let name = RepoName::parse(name).map_err(Failure::user)?;
        Ok((Mirror::open(&self.store.store, &name).map_err(Failure::user)?, which))
    }

    /// A checkout on this machine, taken in if it is new, and as it is now.
    fn checkout(&self, path: &str) -> Result<Mirror, Failure> {
        let here = &self.around.given.working_directory;
        let from =
            Source::parse(path, here).map_err(Failure::user)?.top().map_err(Failure::user)?;
        let nameless = || Failure::user(NotAsked::Nameless { path: path.into() });
        let name = name_of(&from).ok_or_else(nameless)?;
        let (git, progress) = (self.around.git(), Line::new());
        let holder = self.around.holder("casefile open");
        let mut there = Mirror::open(&self.store.store, &name);
        if let Err(RepoError::NoSuch { .. }) = there {
            let new = New { name: name.clone(), from: from.clone(), branch: None, service: None };
            match Mirror::add(self.store, &new, &git, &holder, &progress) {
                // Somebody else was first.
                Err(RepoError::Exists { .. }) => there = Mirror::open(&self.store.store, &name),
                added => return added.map_err(Failure::user),
            }
        }
        let mirror = match there {
            Ok(mirror) if mirror.about.source() != from => {
                let (asked, from) = (from.shown(), mirror.about.source().shown());
                return Err(Failure::user(NotAsked::Other { name, from, asked }));
            }
            Ok(mut mirror) => mirror.fetch(self.store, &git, &holder, &progress).map(|()| mirror),
            Err(error) => Err(error),
        };
        mirror.map_err(Failure::user)
    }

    fn resolve(&self, mirror: &Mirror, which: Option<&str>) -> Result<Resolved, ResolveError> {
        let zone = self.around.zone();
        // A revision is seldom a time, and a time is never a revision.
        let at = which.and_then(|which| time::parse(which, self.now, &zone).ok());
        let asked = repos::Asked {
            commit: which.filter(|_| at.is_none()),
            at: at.map(|moment| moment.at).or(self.at),
            deploys: self.deploys.as_ref(),
            environment: self.environment.as_deref(),
            service: None,
            branch: None,
            now: self.now,
        };
        repos::resolve(mirror, &asked)
    }

    /// The submodules of the repository that was found last.
    fn submodules(&self, found: &mut Found, mirror: &Mirror, depth: usize) -> Result<(), Failure> {
        let Some(parent) = found.repos.last().cloned() else { return Ok(()) };
        for part in submodules_at(mirror, &parent.commit).map_err(Failure::user)? {
            let path = part.path.as_path().display().to_string();
            let left = |why: String| format!("`{path}` of `{}` is left empty: {why}", parent.name);
            let Some(repo) = part.repo.filter(|_| 0 < depth) else {
                found.notes.push(left("that submodule was not taken in".into()));
                continue;
            };
            let known = Mirror::open(&self.store.store, &repo);
            let resolved =
                known.map_err(|error| error.to_string()).and_then(|mirror| {
                    match recorded(&mirror, &part.commit, &parent.name) {
                        Ok(resolved) => Ok((mirror, resolved)),
                        Err(error) => Err(error.to_string()),
                    }
                });
            match resolved {
                Ok((mirror, resolved)) => {
                    let within = Within { repo: parent.name.clone(), path: part.path };
                    let name = found.free(&parent.name, &mirror.name, &within.path);
                    found.add(name, &mirror, resolved, Some(within));
                    self.submodules(found, &mirror, depth - 1)?;
                }
                Err(why) => found.notes.push(left(why)),
            }
        }
        Ok(())
    }
}

impl Found {
    fn add(&mut self, name: RepoName, mirror: &Mirror, resolved: Resolved, within: Option<Within>) {
        let Resolved { commit, tree, rule, before, after, told } = resolved;
        debug_assert!(within.is_none() || rule == Rule::Submodule);
        self.repos.push(Repo {
            mirror: (name != mirror.name).then(|| mirror.name.clone()),
            name,
            from: mirror.about.source().shown(),
            commit,
            tree,
            rule,
            before,
            after,
            within,
            wiring: None,
        });
        self.reasons.push(told);
    }

    /// A name for a submodule that nothing else in the case has.
    fn free(&self, parent: &RepoName, mirror: &RepoName, path: &CasePath) -> RepoName {
        let is_free = |name: &RepoName| self.repos.iter().all(|repo| repo.name != *name);
        if is_free(mirror) {
            return mirror.clone();
        }
        let last = path.as_path().file_name().unwrap_or_default().to_string_lossy();
        let base = clean(&format!("{parent}.{last}")).unwrap_or_else(|| mirror.clone());
        let numbered = (2..).filter_map(|nth: u32| {
            let tail = format!(".{nth}");
            let room = RepoName::CHARS_MAX - tail.len();
            RepoName::parse(&format!("{:.room$}{tail}", base.as_str())).ok()
        });
        std::iter::once(base.clone()).chain(numbered).find(is_free).unwrap_or(base)
    }
}

/// As git tells them apart: a name has no slash.
pub(in crate::cli) fn is_path(given: &str) -> bool {
    matches!(given, "." | "..")
        || given.split('@').next().is_some_and(|name| name.contains('/'))
        || given.starts_with("./")
        || given.starts_with("../")
        || given.starts_with(".@")
}

/// What a checkout is called: as its directory.
fn name_of(from: &Source) -> Option<RepoName> {
    let Source::Checkout(path) = from else { return None };
    let name = path.file_name()?.to_string_lossy();
    clean(name.strip_suffix(".git").unwrap_or(&name))
}

/// The nearest name that a repo can have.
fn clean(text: &str) -> Option<RepoName> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let name: String = text
        .chars()
        .map(|letter| if fits(letter) { letter } else { '-' })
        .skip_while(|letter| !letter.is_ascii_alphanumeric())
        .take(RepoName::CHARS_MAX)
        .collect();
    RepoName::parse(&name).ok()
}

#[cfg(test)]
mod tests {
    use super::{clean, is_path};

    #[test]
    fn a_path_is_told_from_a_name() {
        #[rustfmt::skip]
        let table = [
            (".", true), ("..", true), ("./a", true), ("/srv/a", true), ("a/b", true),
            (".@HEAD~1", true), ("../x@v1", true),
            ("a", false), ("a@feature/x", false), ("a@2026-03-01T03:12:00Z", false),
        ];
        for (given, want) in table {
            assert_eq!(is_path(given), want, "{given}");
        }
    }

    #[test]
    fn a_directory_names_a_repo_as_well_as_it_can() {
        #[rustfmt::skip]
        let table = [
            ("checkout", Some("checkout")),
            ("my repo", Some("my-repo")),
            (".dotfiles", Some("dotfiles")),
            ("péage", Some("p-age")),
            ("...", None),
        ];
        for (given, want) in table {
            let name = clean(given);
            assert_eq!(name.as_ref().map(|name| name.as_str()), want, "{given}");
        }
    }
}
