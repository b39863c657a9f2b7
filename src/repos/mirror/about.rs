//! What is known of a mirror besides its objects: a small file in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{RepoError, Source};
use crate::case::RepoName;
use crate::disk;
use crate::yaml;

/// The file, in the mirror's own directory.
pub(super) const FILE: &str = "about.yaml";

/// Where a mirror comes from, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `from` and `origin`")]
pub struct About {
    /// With its password, if the URL has one: it is fetched with.
    from: String,
    pub origin: Origin,
    /// The branch that counts, if it is not the one that its origin is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What deploy records call it, if not by its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submodules: Vec<Submodule>,
    /// Where files that a partial clone left out are fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) promisor: Option<String>,
}

/// The two kinds of origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Fetched by git from a URL, whose objects are here.
    Remote,
    /// A repository on this machine, whose objects are there.
    Checkout,
}

/// A submodule that has a mirror of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `path`, `url` and `repo`")]
pub struct Submodule {
    pub path: String,
    /// As `.gitmodules` has it, by which it is found again after a move.
    pub url: String,
    pub repo: RepoName,
}

impl About {
    pub(super) fn new(from: &Source) -> Self {
        let (from, origin) = match from {
            Source::Url(url) => (url.clone(), Origin::Remote),
            Source::Checkout(path) => (path.to_string_lossy().into_owned(), Origin::Checkout),
        };
        Self { from, origin, branch: None, service: None, submodules: Vec::new(), promisor: None }
    }

    /// Where it comes from.
    pub fn source(&self) -> Source {
        match self.origin {
            Origin::Remote => Source::Url(self.from.clone()),
            Origin::Checkout => Source::Checkout(PathBuf::from(&self.from)),
        }
    }

    /// Where the files are fetched that a partial clone left out.
    pub(super) fn promisor(&self) -> Option<Source> {
        self.promisor.clone().map(Source::Url)
    }

    pub(super) fn promised_by(&mut self, url: Option<String>) {
        self.promisor = url;
    }

    pub(super) fn read(mirror: &Path) -> Result<Self, RepoError> {
        Ok(yaml::load(&mirror.join(FILE))?)
    }

    pub(super) fn write(&self, mirror: &Path) -> Result<(), RepoError> {
        Ok(disk::replace(&mirror.join(FILE), yaml::emit(self)?.as_bytes())?)
    }
}
