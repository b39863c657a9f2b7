//! Files that a partial clone has left out: which of a commit's are missing, and
//! fetching them when they are needed.

use std::collections::BTreeSet;

use git2::{ObjectType, Oid, Repository};

use super::super::git::Git;
use super::super::{Progress, RepoError, Shared, Source};
use super::Mirror;
use crate::case::CommitId;
use crate::disk::Holder;

/// What a commit's tree lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    ids: Vec<Oid>,
    /// So many files and directories cannot be read.
    pub count: usize,
    /// Some of them, by path.
    pub sample: Vec<String>,
}

const SAMPLE_MAX: usize = 5;
/// Directories can be missing too, and what is in them is then not known.
const ROUNDS_MAX: usize = 64;
/// So many ids go to git at once.
const IDS_MAX: usize = 50_000;

impl Mirror {
    /// What of a commit's tree is not here. Only a partial clone lacks anything.
    pub fn missing(&self, commit: &CommitId) -> Result<Missing, RepoError> {
        let mut missing = Missing::default();
        if self.about.promisor().is_none() {
            return Ok(missing);
        }
        let failed = || RepoError::read(&self.name, format!("commit {commit}"));
        let repo = self.repository()?;
        let id = Oid::from_str(commit.as_str()).map_err(failed())?;
        let tree = repo.find_commit(id).map_err(failed())?.tree_id();
        let mut seen = BTreeSet::new();
        missing.look(&repo, tree, "", ObjectType::Tree, &mut seen);
        Ok(missing)
    }

    /// Fetches all that a commit's tree lacks, or names what cannot be had.
    pub fn complete(
        &self,
        store: &Shared,
        commit: &CommitId,
        git: &Git,
        holder: &Holder,
        progress: &dyn Progress,
    ) -> Result<(), RepoError> {
        let mut missing = self.missing(commit)?;
        for _ in 0..ROUNDS_MAX {
            if missing.count == 0 {
                return Ok(());
            }
            if let Err(error) = self.fetch_missing(store, &missing, git, holder, progress) {
                if let RepoError::Interrupted { .. } = error {
                    return Err(error);
                }
                return Err(missing.error(self, commit, Some(error)));
            }
            let before = std::mem::replace(&mut missing, self.missing(commit)?);
            if missing.ids == before.ids {
                break;
            }
        }
        Err(missing.error(self, commit, None))
    }

    /// Fetches these, from where the partial clone would.
    pub fn fetch_missing(
        &self,
        store: &Shared,
        missing: &Missing,
        git: &Git,
        holder: &Holder,
        progress: &dyn Progress,
    ) -> Result<(), RepoError> {
        let Some(from) = self.about.promisor() else { return Ok(()) };
        // What a repository's settings name is not what a user typed, but here the
        // settings are the user's own. A path is git's to read, as that checkout does.
        let from = match &from {
            Source::Url(url) if url.starts_with('-') => {
                return Err(RepoError::Source {
                    given: url.clone(),
                    why: "git would take it for an option",
                });
            }
            from => from,
        };
        for ids in missing.ids.chunks(IDS_MAX) {
            self.fetch_objects(store, from, ids, ASKING, git, holder, progress)?;
        }
        Ok(())
    }
}

/// Says nothing of what is here, or the server would leave out what such commits have.
const ASKING: &[&str] = &["-c", "fetch.negotiationAlgorithm=noop"];

impl Missing {
    fn look(
        &mut self,
        repo: &Repository,
        id: Oid,
        path: &str,
        kind: ObjectType,
        seen: &mut BTreeSet<Oid>,
    ) {
        if !seen.insert(id) {
            return;
        }
        let is_here = match kind {
            ObjectType::Tree => match repo.find_tree(id) {
                Ok(tree) => {
                    for entry in &tree {
                        let kind = entry.kind().unwrap_or(ObjectType::Commit);
                        if kind != ObjectType::Commit {
                            let name = String::from_utf8_lossy(entry.name_bytes());
                            let slash = if path.is_empty() { "" } else { "/" };
                            let path = format!("{path}{slash}{name}");
                            self.look(repo, entry.id(), &path, kind, seen);
                        }
                    }
                    true
                }
                Err(_) => false,
            },
            _ => repo.odb().is_ok_and(|odb| odb.exists_ext(id, git2::OdbLookupFlags::NO_REFRESH)),
        };
        if !is_here {
            self.count += 1;
            self.ids.push(id);
            if self.sample.len() < SAMPLE_MAX {
                self.sample.push(if path.is_empty() { "/".into() } else { path.into() });
            }
        }
    }

    fn error(&self, mirror: &Mirror, commit: &CommitId, cause: Option<RepoError>) -> RepoError {
        RepoError::Missing {
            name: mirror.name.clone(),
            count: self.count,
            commit: commit.short().into(),
            sample: self.sample.join("`, `"),
            cause: cause.map(Box::new),
        }
    }
}
