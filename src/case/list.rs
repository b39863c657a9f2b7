//! Finding cases: all of them, or the one that is meant.
//!
//! One broken case must not hide the others, so a case that cannot be read is
//! listed with the reason. To find a case by its name no manifest is read at
//! all, or a broken one could not even be removed.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::layout::MANIFEST;
use super::manifest::MANIFEST_BYTES_MAX;
use super::{CaseDir, CaseError, CaseId, CasePath, Home, Manifest};
use crate::disk::{DiskError, Holder, Lock};
use crate::hint::nearest;

/// A case, as far as it could be read.
#[derive(Debug)]
pub struct Listed {
    /// The name of its directory, which may be no id.
    pub name: OsString,
    pub case: Result<Summary, CaseError>,
}

/// What there is to know of a case without going into it.
#[derive(Debug)]
pub struct Summary {
    pub id: CaseId,
    pub manifest: Manifest,
    pub usage: Usage,
}

/// Whether somebody works in a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    Idle,
    /// By this one, unless the holder could not be made out.
    InUse(Option<Holder>),
}

/// More names than this only hide each other.
const CANDIDATES_SHOWN_MAX: usize = 8;

/// All cases, the newest first; what cannot be read comes last.
pub fn list(home: &Home) -> Result<Vec<Listed>, CaseError> {
    let mut all: Vec<Listed> = names(home)?
        .into_iter()
        .map(|name| {
            let id = name.to_str().map(CaseId::parse);
            let id = id.unwrap_or_else(|| CaseId::parse(&name.to_string_lossy()));
            Listed { case: id.map_err(CaseError::from).and_then(|id| show(home, &id)), name }
        })
        .collect();
    all.sort_by(|one, other| match (&one.case, &other.case) {
        (Ok(one), Ok(other)) => {
            let opened = |case: &Summary| case.manifest.origin.opened;
            opened(other).cmp(&opened(one)).then_with(|| one.id.cmp(&other.id))
        }
        (one_case, other_case) => {
            other_case.is_ok().cmp(&one_case.is_ok()).then_with(|| one.name.cmp(&other.name))
        }
    });
    Ok(all)
}

/// One case.
pub fn show(home: &Home, id: &CaseId) -> Result<Summary, CaseError> {
    let manifest = manifest(home, id)?;
    Ok(Summary { manifest, usage: usage(home, id)?, id: id.clone() })
}

/// Whether somebody works in this case now.
pub fn usage(home: &Home, id: &CaseId) -> Result<Usage, CaseError> {
    Ok(Lock::holder(&home.lock(id))?.map_or(Usage::Idle, Usage::InUse))
}

/// The case that is meant by an id, or by the beginning of one.
pub fn find(home: &Home, given: &str) -> Result<CaseId, CaseError> {
    let ids: Vec<CaseId> =
        names(home)?.iter().filter_map(|name| CaseId::parse(name.to_str()?).ok()).collect();
    choose(given, ids)
}

/// The same for one who sees only some cases, of whom none is told of the others. Only
/// those that begin so are looked at, and there is no nearest one.
pub fn find_seen(
    home: &Home,
    given: &str,
    is_seen: impl Fn(&CaseId) -> bool,
) -> Result<CaseId, CaseError> {
    let is_meant = |id: &CaseId| !given.is_empty() && id.as_str().starts_with(given);
    let ids = names(home)?.into_iter().filter_map(|name| CaseId::parse(name.to_str()?).ok());
    choose(given, ids.filter(is_meant).filter(is_seen).collect())
}

/// Whose a case is, if it is anybody's.
pub fn owner(home: &Home, id: &CaseId) -> Result<Option<String>, CaseError> {
    Ok(manifest(home, id)?.owner)
}

/// Which of these ids is meant.
fn choose(given: &str, mut ids: Vec<CaseId>) -> Result<CaseId, CaseError> {
    if let Some(exact) = ids.iter().find(|id| id.as_str() == given) {
        return Ok(exact.clone());
    }
    let meant = |id: &CaseId| !given.is_empty() && id.as_str().starts_with(given);
    if !ids.iter().any(meant) {
        let nearest = (given.len() <= CaseId::BYTES_MAX)
            .then(|| nearest(given, ids.iter().map(CaseId::as_str)))
            .flatten();
        return Err(CaseError::NoSuch { given: given.into(), nearest: nearest.map(Into::into) });
    }
    ids.retain(meant);
    match ids.pop() {
        Some(only) if ids.is_empty() => Ok(only),
        last => {
            ids.extend(last);
            ids.sort();
            let count = ids.len();
            ids.truncate(CANDIDATES_SHOWN_MAX);
            Err(CaseError::Ambiguous { given: given.into(), count, candidates: ids })
        }
    }
}

pub(super) fn manifest(home: &Home, id: &CaseId) -> Result<Manifest, CaseError> {
    read_manifest(home, id).map_err(|error| match error {
        gone @ CaseError::NoSuch { .. } => gone,
        why => CaseError::Broken { id: id.clone(), why: why.into() },
    })
}

fn read_manifest(home: &Home, id: &CaseId) -> Result<Manifest, CaseError> {
    let path = home.case(id);
    let dir = CaseDir::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CaseError::gone(id),
        _ => DiskError::io("open", &path)(error).into(),
    })?;
    let bytes = dir.read(&CasePath::new(MANIFEST)?, MANIFEST_BYTES_MAX)?;
    Ok(Manifest::parse(&bytes, MANIFEST.as_ref())?)
}

/// What is called as a case would be. A stray file is not one; the dot is for
/// what is ours but no case.
#[expect(clippy::disallowed_methods, reason = "lists the host's own directory, opens nothing")]
fn names(home: &Home) -> Result<Vec<OsString>, CaseError> {
    let cases = home.cases();
    let entries = match fs::read_dir(&cases) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        outcome => outcome.map_err(DiskError::io("list", &cases))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(DiskError::io("list", &cases))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file && !entry.file_name().as_bytes().starts_with(b".") {
            names.push(entry.file_name());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::case::CaseId;

    #[test]
    fn the_beginning_of_an_id_is_enough_if_it_can_only_be_one() {
        let ids = || {
            ["checkout-5xx-k7f2qa", "checkout-5xx-k7f3qa", "checkout-abcdef", "pay-abcdef"]
                .map(|id| CaseId::parse(id).unwrap())
                .to_vec()
        };
        #[rustfmt::skip]
        let table = [
            // given                which, or why none
            ("checkout-5xx-k7f2qa", "checkout-5xx-k7f2qa"),
            ("checkout-5xx-k7f2",   "checkout-5xx-k7f2qa"),
            ("p",                   "pay-abcdef"),
            ("checkout-a",          "checkout-abcdef"),
            ("checkout-5xx",        "`checkout-5xx` could be any of 2 cases"),
            ("checkout-5xx-k7f2qaa", "there is no case `checkout-5xx-k7f2qaa`"),
            ("chekout-abcdef",      "there is no case `chekout-abcdef`"),
            ("",                    "there is no case ``"),
            ("../pay-abcdef",       "there is no case `../pay-abcdef`"),
            (".",                   "there is no case `.`"),
        ];
        for (given, want) in table {
            let got =
                choose(given, ids()).map_or_else(|error| error.to_string(), |id| id.to_string());
            assert_eq!(got, want, "given {given:?}");
        }
    }
}
