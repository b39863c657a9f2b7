//! Where each repository of a case is in its world.

use std::path::{Path, PathBuf};

use crate::case::Repo;

/// Where a repository is in a world that has them at `repos_at`: by its name, or in the
/// one it is a part of.
pub fn place(repos_at: &Path, repos: &[Repo], repo: &Repo) -> PathBuf {
    let mut parts = Vec::new();
    let mut here = repo;
    // As deep as there are repositories: a manifest could send one round in circles.
    for _ in repos {
        let Some(within) = &here.within else { break };
        parts.push(within.path.as_path());
        match repos.iter().find(|other| other.name == within.repo) {
            Some(outer) => here = outer,
            None => break,
        }
    }
    parts.iter().rev().fold(repos_at.join(here.name.as_str()), |place, part| place.join(part))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::place;
    use crate::case::{CasePath, CommitId, Repo, RepoName, Rule, TreeId, Within};

    fn repo(name: &str, within: Option<(&str, &str)>) -> Repo {
        let id = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        Repo {
            name: RepoName::parse(name).unwrap(),
            from: String::new(),
            commit: CommitId::parse(id).unwrap(),
            tree: TreeId::parse(id).unwrap(),
            rule: Rule::Commit,
            before: None,
            after: None,
            mirror: None,
            within: within.map(|(repo, path)| Within {
                repo: RepoName::parse(repo).unwrap(),
                path: CasePath::new(path).unwrap(),
            }),
            wiring: None,
        }
    }

    #[test]
    fn a_submodule_lies_in_the_one_it_is_a_part_of() {
        let repos = [
            repo("app", None),
            repo("lib", Some(("app", "vendor/lib"))),
            repo("deep", Some(("lib", "third party"))),
            repo("round", Some(("round", "x"))),
        ];
        let top = Path::new("/case/repos");
        #[rustfmt::skip]
        let table = [
            (0, "/case/repos/app"),
            (1, "/case/repos/app/vendor/lib"),
            (2, "/case/repos/app/vendor/lib/third party"),
        ];
        for (at, want) in table {
            assert_eq!(place(top, &repos, &repos[at]).to_str(), Some(want));
        }
        // It ends, wherever that is.
        assert!(place(top, &repos, &repos[3]).starts_with("/case/repos/round"));
    }
}
