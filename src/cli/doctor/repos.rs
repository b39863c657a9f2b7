//! What is wrong with the repositories: mirrors that are damaged, and cases whose
//! mirror is gone.

use std::collections::BTreeSet;

use super::super::report::Failure;
use super::super::surroundings::Surroundings;
use crate::case::{self, RepoName};
use crate::hint::Hint;
use crate::repos::{Fault, Mirror, Store};

/// One repository, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) name: RepoName,
    /// What is wrong, and the way out.
    pub(super) faults: Vec<(String, Option<String>)>,
}

/// Looks at every mirror, and at those that are missed.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Looked>, Failure> {
    let home = around.home()?;
    let store = Store::of(&home);
    let mut all = Vec::new();
    for known in Mirror::list(&store).map_err(Failure::user)? {
        let faults = match &known.mirror {
            Ok(mirror) => mirror.check().into_iter().map(|it| told(&known.name, &it)).collect(),
            Err(error) => vec![(error.to_string(), error.hint())],
        };
        all.push(Looked { name: known.name, faults });
    }
    let there: BTreeSet<RepoName> = all.iter().map(|looked| looked.name.clone()).collect();
    let mut missed = BTreeSet::new();
    // A case that cannot be read is told of by `casefile list`.
    let cases = case::list(&home).map_err(Failure::case)?.into_iter();
    for summary in cases.filter_map(|listed| listed.case.ok()) {
        if summary.manifest.closed.is_some() {
            continue;
        }
        let gone = summary.manifest.repos.iter().filter(|repo| !there.contains(repo.mirror()));
        for repo in gone.filter(|repo| missed.insert(repo.mirror().clone())) {
            let name = repo.mirror().clone();
            let fault = format!("it is not there, and `{}` needs it", summary.id);
            let way = format!("Bring it back with `casefile repo add {name} {}`.", repo.from);
            all.push(Looked { name, faults: vec![(fault, Some(way))] });
        }
    }
    Ok(all)
}

fn told(name: &RepoName, fault: &Fault) -> (String, Option<String>) {
    let anew = || {
        format!("Take it in anew: `casefile repo rm {name}`, then `casefile repo add {name} FROM`.")
    };
    let way = match fault {
        Fault::Unreadable { way_out: Some(way), .. } => way.clone(),
        _ => anew(),
    };
    (fault.to_string(), Some(way))
}
