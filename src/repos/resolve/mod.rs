//! Which commit was live: three rules, of which the first that can answer does.
//!
//! 1. The commit that was asked for, by any name that git knows.
//! 2. A deploy record: the newest for this environment and service that is not after
//!    the time. It wins even if its commit is older than the one before it, which is
//!    what a rollback is.
//! 3. The newest commit on the branch's line that was there at the time.
//!
//! Which one answered, and why that, is told in a line, for the manifest and the brief.

mod error;
pub(super) mod line;

use std::fmt::Write;

use git2::{ErrorCode, ObjectType, Oid, Repository};
use jiff::Timestamp;

pub use error::ResolveError;
use line::{Line, PATIENCE};

use super::deploys::{Deploy, Deploys, Live, LiveError};
use super::mirror::Mirror;
use super::{RepoError, commit_id, tree_id};
use crate::case::{CommitId, RepoName, Rule, TreeId};
use crate::hint::nearest;

/// What is known of the commit that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Any revision that git knows.
    pub commit: Option<&'a str>,
    /// The time of the incident.
    pub at: Option<Timestamp>,
    pub deploys: Option<&'a Deploys>,
    /// Where deploys count; if there is but one such place, it need not be named.
    pub environment: Option<&'a str>,
    /// What deploy records call it, if not what the mirror says.
    pub service: Option<&'a str>,
    /// If not the mirror's own.
    pub branch: Option<&'a str>,
    /// No commit is from later than this, whatever it says.
    pub now: Timestamp,
}

/// The commit that was live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub commit: CommitId,
    pub tree: TreeId,
    pub rule: Rule,
    /// What was live before it and after it, as far as the rule can tell.
    pub before: Option<CommitId>,
    pub after: Option<CommitId>,
    /// Why this one, in one line.
    pub told: String,
}

/// More candidates than this help nobody.
const CANDIDATES_MAX: usize = 5;

/// Finds the commit that was live.
pub fn resolve(mirror: &Mirror, asked: &Asked) -> Result<Resolved, ResolveError> {
    let repo = mirror.repository()?;
    let finding = Finding { repo, mirror, asked };
    if let Some(given) = asked.commit {
        return finding.by_name(given);
    }
    let at = asked.at.unwrap_or(asked.now);
    let mut note = String::new();
    if let Some(deploys) = asked.deploys {
        let service = asked.service.unwrap_or(mirror.service());
        match deploys.live(at, asked.environment, service) {
            Ok(live) => return finding.by_deploy(&live, service),
            Err(LiveError::Which { environments }) => {
                let name = mirror.name.clone();
                return Err(ResolveError::Environment { name, environments });
            }
            Err(LiveError::None { first }) => {
                let first = first.map(|first| format!("; the first is of {first}"));
                note = format!(
                    " (no deploy of `{service}` is recorded by then{})",
                    first.unwrap_or_default()
                );
            }
        }
    }
    finding.by_time(at, &note)
}

/// The commit itself, which a submodule's parent has recorded.
pub fn recorded(mirror: &Mirror, id: &CommitId, by: &RepoName) -> Result<Resolved, ResolveError> {
    let repo = mirror.repository()?;
    let unknown = || ResolveError::Lacks { name: mirror.name.clone(), commit: id.to_string() };
    let commit = Oid::from_str(id.as_str()).and_then(|id| repo.find_commit(id));
    let commit = commit.map_err(|_| unknown())?;
    let told = format!("`{by}` records it");
    Ok(resolved(&commit, Rule::Submodule, told))
}

struct Finding<'a> {
    repo: Repository,
    mirror: &'a Mirror,
    asked: &'a Asked<'a>,
}

impl Finding<'_> {
    fn by_name(&self, given: &str) -> Result<Resolved, ResolveError> {
        let commit = self.commit(given)?;
        let id = commit.id().to_string();
        let spelled = if id == given { String::new() } else { format!(" as `{given}`") };
        Ok(resolved(&commit, Rule::Commit, format!("it was asked for{spelled}")))
    }

    fn by_deploy(&self, live: &Live, service: &str) -> Result<Resolved, ResolveError> {
        let Deploy { time, environment, commit: given, .. } = live.now;
        let commit = match self.commit(given) {
            Err(ResolveError::Unknown { .. } | ResolveError::Lacks { .. }) => {
                let earlier = live.earlier.iter().find(|it| self.commit(&it.commit).is_ok());
                return Err(ResolveError::DeployLacks {
                    name: self.mirror.name.clone(),
                    commit: given.clone(),
                    time: *time,
                    earlier: earlier.map(|it| (it.commit.clone(), it.time)),
                });
            }
            outcome => outcome?,
        };
        let mut told = format!("`{service}` was deployed");
        if let Some(environment) = environment {
            let _ = write!(told, " to `{environment}`");
        }
        let _ = write!(told, " at {time}");
        let other = |deploy: &&Deploy| -> Option<CommitId> {
            let other = self.commit(&deploy.commit).ok()?.id();
            (other != commit.id()).then(|| commit_id(other))
        };
        // A deploy of the same commit again is no change of what was live.
        let before = live.earlier.iter().find_map(other);
        let after = live.later.iter().find_map(other);
        if let Some(before) = &before
            && let Ok(before) = Oid::from_str(before.as_str())
            && self.repo.graph_descendant_of(before, commit.id()).unwrap_or(false)
        {
            told.push_str(", which was a rollback");
        }
        Ok(Resolved { before, after, ..resolved(&commit, Rule::Deploy, told) })
    }

    fn by_time(&self, at: Timestamp, note: &str) -> Result<Resolved, ResolveError> {
        let (branch, tip) = self.branch()?;
        let failed = || RepoError::read(&self.mirror.name, format!("the line of {branch}"));
        let now = self.asked.now.as_second().max(at.as_second());
        let line = match self.asked.at {
            Some(_) => Line::walk(&self.repo, tip, at.as_second(), now, PATIENCE),
            // Where nobody asks for a time, what is there is the answer.
            None => Line::end(&self.repo, tip, at.as_second()),
        };
        let line = line.map_err(failed())?;
        let Some(place) = line.newest_at(at.as_second()) else {
            let first = line.commits.first().copied();
            let (id, time) = first.map_or((tip, 0), |first| (first.id, first.at));
            return Err(ResolveError::Before {
                name: self.mirror.name.clone(),
                branch,
                at,
                first: commit_id(id),
                time: Timestamp::from_second(time).unwrap_or_default(),
                is_shallow: self.mirror.shallow().is_some() || !line.is_whole,
            });
        };
        let found = line.commits[place];
        let commit = self.repo.find_commit(found.id).map_err(failed())?;
        let other = |place: usize| line.commits.get(place).map(|it| commit_id(it.id));
        let dated = Timestamp::from_second(found.dated).unwrap_or_default();
        let mut told = match self.asked.at {
            Some(at) => format!("the newest on {branch} at {at}, committed {dated}"),
            None => format!("the newest on {branch}, committed {dated}"),
        };
        if found.at != found.dated {
            let at = Timestamp::from_second(found.at).unwrap_or_default();
            let _ = write!(told, ", though by its place on the line it came about {at}");
        }
        told.push_str(note);
        Ok(Resolved {
            before: place.checked_sub(1).and_then(other),
            after: other(place + 1),
            ..resolved(&commit, Rule::Branch, told)
        })
    }

    /// The branch that counts, as a message names it, and its newest commit.
    fn branch(&self) -> Result<(String, Oid), ResolveError> {
        let name = &self.mirror.name;
        let branches = || {
            let all = self.names("refs/heads/");
            if all.is_empty() {
                ResolveError::Empty { name: name.clone() }
            } else {
                ResolveError::Head { name: name.clone(), branches: first(all) }
            }
        };
        let branch = match self.asked.branch {
            Some(branch) => Some(branch.to_owned()),
            None => self.mirror.branch()?,
        };
        let Some(branch) = branch else {
            let head = self.repo.head().and_then(|head| head.peel_to_commit());
            return head
                .map(|head| ("its detached HEAD".into(), head.id()))
                .map_err(|_| branches());
        };
        // A remote-tracking branch of a checkout is a branch too.
        let found = ["refs/heads/", "refs/remotes/"].iter().find_map(|kind| {
            let found = self.repo.find_reference(&format!("{kind}{branch}")).ok()?;
            found.peel_to_commit().ok()
        });
        match found {
            Some(tip) => Ok((format!("`{branch}`"), tip.id())),
            None if self.asked.branch.is_none() && self.mirror.about.branch.is_none() => {
                Err(branches())
            }
            None => {
                let known = self.names("refs/heads/");
                let nearest = nearest(&branch, known.iter().map(String::as_str)).map(Into::into);
                Err(RepoError::NoBranch { name: name.clone(), branch, nearest }.into())
            }
        }
    }

    /// The commit that any name leads to.
    fn commit(&self, given: &str) -> Result<git2::Commit<'_>, ResolveError> {
        let name = || self.mirror.name.clone();
        // Not for us: what a reflog would say, what a search would find.
        let found = self.repo.revparse_single(given).and_then(|object| object.peel_to_commit());
        found.map_err(|error| match error.code() {
            ErrorCode::Ambiguous => {
                let candidates = first(self.candidates(given));
                ResolveError::Ambiguous { name: name(), given: given.into(), candidates }
            }
            _ if is_id(given) => ResolveError::Lacks { name: name(), commit: given.into() },
            _ => {
                let mut known = self.names("refs/heads/");
                known.extend(self.names("refs/tags/"));
                known.extend(self.names("refs/remotes/"));
                let nearest = nearest(given, known.iter().map(String::as_str)).map(Into::into);
                ResolveError::Unknown { name: name(), given: given.into(), nearest }
            }
        })
    }

    /// The short names of refs of a kind.
    fn names(&self, kind: &str) -> Vec<String> {
        let refs = self.repo.references_glob(&format!("{kind}*"));
        let refs = refs.into_iter().flatten().flatten();
        refs.filter_map(|it| it.name().ok()?.strip_prefix(kind).map(Into::into)).collect()
    }

    /// The commits whose ids begin so. Every object is looked at, which a slip of the
    /// finger may cost.
    fn candidates(&self, given: &str) -> Vec<String> {
        let mut found = Vec::new();
        let Ok(odb) = self.repo.odb() else { return Vec::new() };
        let given = given.to_ascii_lowercase();
        let _ = odb.foreach(|id| {
            let text = id.to_string();
            if text.starts_with(&given) {
                found.push((odb.read_header(*id).map_or(ObjectType::Any, |(_, kind)| kind), text));
            }
            true
        });
        // It was a commit that was wanted.
        if found.iter().any(|(kind, _)| *kind == ObjectType::Commit) {
            found.retain(|(kind, _)| *kind == ObjectType::Commit);
        }
        let mut found: Vec<String> = found.into_iter().map(|(_, text)| text).collect();
        found.sort();
        found.dedup();
        found
    }
}

/// Whether a text can only be meant as the id of a commit.
fn is_id(given: &str) -> bool {
    (7..=64).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn first(mut names: Vec<String>) -> Vec<String> {
    names.truncate(CANDIDATES_MAX);
    names
}

fn resolved(commit: &git2::Commit, rule: Rule, told: String) -> Resolved {
    Resolved {
        commit: commit_id(commit.id()),
        tree: tree_id(commit.tree_id()),
        rule,
        before: None,
        after: None,
        told,
    }
}
