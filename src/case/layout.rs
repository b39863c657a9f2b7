//! The names on disk: where the cases are, and what a case consists of.
//!
//! ```text
//! HOME/cases/<id>/case.yaml            the manifest
//! HOME/cases/<id>/lock                 who works in the case
//! HOME/cases/.trash/<id>/              a case that is being removed
//! ```
//!
//! What is under `upper`, `work`, `notes` and `memory` was written in the jail:
//! nothing there is opened by name, save through [`super::CaseDir`].

use std::path::{Path, PathBuf};

use super::CaseId;

/// The manifest of a case.
pub const MANIFEST: &str = "case.yaml";
/// Held by whoever works in the case.
pub const LOCK: &str = "lock";

/// No id begins with a dot, so this is never a case. It lies among them to be
/// on the same file system, or a case could not be moved into it in one step.
const TRASH: &str = ".trash";

/// The directory that everything is kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the cases are.
    pub fn cases(&self) -> PathBuf {
        self.0.join("cases")
    }

    /// The directory of one case.
    pub fn case(&self, id: &CaseId) -> PathBuf {
        self.cases().join(id.as_str())
    }

    pub(super) fn lock(&self, id: &CaseId) -> PathBuf {
        self.case(id).join(LOCK)
    }

    pub(super) fn manifest(&self, id: &CaseId) -> PathBuf {
        self.case(id).join(MANIFEST)
    }

    /// Where a case is moved in one step before it is taken apart.
    pub(super) fn trash(&self) -> PathBuf {
        self.cases().join(TRASH)
    }
}

#[cfg(test)]
mod tests {
    use super::{Home, TRASH};
    use crate::case::CaseId;

    #[test]
    fn a_case_lies_right_below_the_cases_and_never_in_the_trash() {
        let home = Home::new("/state");
        let id = CaseId::parse("checkout-5xx-k7f2qa").unwrap();
        assert_eq!(home.case(&id), home.cases().join("checkout-5xx-k7f2qa"));
        assert_eq!(home.manifest(&id), home.case(&id).join("case.yaml"));
        assert!(CaseId::parse(TRASH).is_err());
        assert_eq!(home.trash().parent(), Some(&*home.cases()));
    }
}
