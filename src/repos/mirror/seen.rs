//! The refs that a case sees: all of them, or what was there at the incident.
//!
//! A branch then ends at the newest commit of its line that was there by then; one
//! that began later, and a tag of a later commit or of a later day, are not there. So
//! no later commit has a name in the case.

use std::collections::HashSet;

use git2::{Oid, Repository};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::super::commit_id;
use super::super::resolve::line::{Line, PATIENCE};
use super::{Mirror, RepoError};
use crate::case::{CommitId, History};
use crate::disk;

/// Where history ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until {
    /// The time of the incident; without one, that of the commit.
    pub at: Option<Timestamp>,
    /// The commit that the case is at. A line that leads to it goes at least so far.
    pub commit: CommitId,
    /// No commit is from later than this, whatever it says.
    pub now: Timestamp,
}

/// A ref as a case sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Its whole name: `refs/heads/main`.
    pub name: String,
    /// The commit, or the object of an annotated tag.
    pub id: CommitId,
    /// What an annotated tag leads to.
    pub peeled: Option<CommitId>,
}

/// More than any repository's refs take up.
const REFS_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Enough commits in a row for a branch that is not the one of the case.
const PATIENCE_ASIDE: usize = 8;

impl Mirror {
    /// What all its refs are, in one word: another one after each change.
    pub fn refs_digest(&self) -> Result<String, RepoError> {
        let mut digest = Sha256::new();
        for name in ["HEAD", "packed-refs"] {
            let bytes = disk::read_small(&self.path.join(name), REFS_BYTES_MAX)?;
            digest.update(bytes.unwrap_or_default());
            digest.update([0]);
        }
        Ok(base16ct::lower::encode_string(&digest.finalize()))
    }

    /// The refs as a case sees them, by name.
    pub fn refs(&self, history: History, until: &Until) -> Result<Vec<Seen>, RepoError> {
        let failed = || RepoError::read(&self.name, "the refs");
        let repo = self.repository()?;
        let at = Oid::from_str(until.commit.as_str()).map_err(failed())?;
        let mut view = None;
        if history == History::UntilIncident {
            view = Some(View::of(&repo, at, until).map_err(failed())?);
        }
        let mut seen = Vec::new();
        for reference in repo.references().map_err(failed())? {
            let reference = reference.map_err(failed())?;
            // Ours are all packed and direct; what has no such name is left out.
            let (Ok(name), Some(id)) = (reference.name(), reference.target()) else { continue };
            // Ours say at once what an annotated tag leads to.
            let peeled = reference.target_peel().unwrap_or(id);
            let shown = match &view {
                None => Some(id),
                Some(view) if name.starts_with("refs/tags/") => view.tag(id, peeled).then_some(id),
                Some(view) => view.branch(peeled),
            };
            if let Some(shown) = shown {
                let peeled = (shown == id && peeled != id).then(|| commit_id(peeled));
                seen.push(Seen { name: name.into(), id: commit_id(shown), peeled });
            }
        }
        seen.sort();
        Ok(seen)
    }
}

/// What was there at one time.
struct View<'a> {
    repo: &'a Repository,
    at: i64,
    now: i64,
    /// The commit of the case, which is always there.
    commit: Oid,
    /// The line that leads to it: there, whatever its dates say.
    line: HashSet<Oid>,
}

impl<'a> View<'a> {
    fn of(repo: &'a Repository, commit: Oid, until: &Until) -> Result<Self, git2::Error> {
        let dated = repo.find_commit(commit)?.time().seconds();
        let at = until.at.map_or(dated, Timestamp::as_second);
        let now = until.now.as_second().max(at);
        let line = Line::walk(repo, commit, at, now, PATIENCE)?;
        let line = line.commits.iter().map(|placed| placed.id).collect();
        Ok(Self { repo, at, now, commit, line })
    }

    /// Where a branch ends that ends at `tip` today.
    fn branch(&self, tip: Oid) -> Option<Oid> {
        if self.line.contains(&tip) {
            return Some(tip);
        }
        let line = Line::walk(self.repo, tip, self.at, self.now, PATIENCE_ASIDE).ok()?;
        let by_time = line.newest_at(self.at);
        // The rule that chose the commit of the case may have had a better reason.
        let place = line.commits.iter().rposition(|placed| placed.id == self.commit);
        by_time.max(place).map(|place| line.commits[place].id)
    }

    /// Whether a tag was there: what it names was, and it had been made.
    fn tag(&self, id: Oid, peeled: Oid) -> bool {
        if id != peeled
            && let Ok(tag) = self.repo.find_tag(id)
            && tag.tagger().is_some_and(|tagger| self.at < tagger.when().seconds())
            && peeled != self.commit
        {
            return false;
        }
        if self.line.contains(&peeled) {
            return true;
        }
        // A tag of a file or a tree has no time.
        self.repo.find_commit(peeled).is_ok_and(|commit| commit.time().seconds() <= self.at)
    }
}
