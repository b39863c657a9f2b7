//! Clones that do not have everything: shallow ones and partial ones.

use casefile::case::CommitId;
use casefile::hint::Hint;
use casefile::repos::{Asked, RepoError, Source, resolve};

use crate::lab::{Heard, Lab, holder};

#[test]
fn a_shallow_history_is_taken_in_as_it_is() {
    let lab = Lab::new();
    lab.init("origin");
    for day in 1..=5 {
        lab.commit("origin", &format!("2026-01-0{day}T00:00:00Z"), &format!("c{day}"));
    }
    let url = format!("file://{}", lab.path("origin").display());
    lab.git(".", &["clone", "-q", "--depth", "2", &url, "shallow"]);
    let sources = [Source::Checkout(lab.path("shallow")), lab.url("shallow")];
    for (name, from) in ["a", "b"].into_iter().zip(sources) {
        let mut mirror = lab.add(name, from.clone()).unwrap();
        assert!(mirror.shallow().is_some(), "{from}");
        lab.refs(&mirror.path);
        let log = lab.git(".", &["--git-dir", mirror.path.to_str().unwrap(), "log", "--format=%s"]);
        assert_eq!(log, "c5\nc4", "{from}");
        let at = |time: &str| {
            let asked = Asked {
                commit: None,
                at: Some(time.parse().unwrap()),
                deploys: None,
                environment: None,
                service: None,
                branch: None,
                now: "2026-06-01T00:00:00Z".parse().unwrap(),
            };
            resolve(&mirror, &asked)
        };
        assert!(at("2026-01-04T12:00:00Z").is_ok(), "{from}");
        let error = at("2026-01-03T12:00:00Z").unwrap_err();
        assert!(error.hint().unwrap().contains("--unshallow"), "{from}: {:?}", error.hint());
        lab.fetch(&mut mirror).unwrap();
    }
    // It is whole again when its origin is.
    lab.git("shallow", &["fetch", "-q", "--unshallow"]);
    for name in ["a", "b"] {
        let name = casefile::case::RepoName::parse(name).unwrap();
        let mut mirror = casefile::repos::Mirror::open(&lab.store().store, &name).unwrap();
        lab.fetch(&mut mirror).unwrap();
        let log = lab.git(".", &["--git-dir", mirror.path.to_str().unwrap(), "log", "--format=%s"]);
        assert_eq!(log, "c5\nc4\nc3\nc2\nc1", "{name}");
        assert!(mirror.shallow().is_none(), "{name}");
    }
}

#[test]
fn files_that_a_partial_clone_lacks_are_listed_fetched_or_named() {
    for filter in ["blob:none", "tree:0"] {
        let lab = Lab::new();
        lab.init("origin");
        for name in ["a.txt", "dir/b.txt", "dir/deep/c.txt"] {
            lab.write(&format!("origin/{name}"), &format!("{name} as it was\n"));
        }
        let old = lab.commit("origin", "2026-01-01T00:00:00Z", "one");
        for name in ["a.txt", "dir/b.txt", "dir/deep/c.txt"] {
            lab.write(&format!("origin/{name}"), &format!("{name} as it is\n"));
        }
        let new = lab.commit("origin", "2026-01-02T00:00:00Z", "two");
        lab.git("origin", &["config", "uploadpack.allowFilter", "true"]);
        lab.git("origin", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let url = format!("file://{}", lab.path("origin").display());
        lab.git(".", &["clone", "-q", &format!("--filter={filter}"), &url, "partial"]);

        let from = Source::Checkout(lab.path("partial"));
        let mirror = lab.add("app", from).unwrap();
        let [old, new] = [&old, &new].map(|id| CommitId::parse(id).unwrap());
        // What is checked out there is there.
        assert_eq!(mirror.missing(&new).unwrap().count, 0, "{filter}");
        let missing = mirror.missing(&old).unwrap();
        assert!(0 < missing.count && !missing.sample.is_empty(), "{filter}: {missing:?}");
        if filter == "blob:none" {
            assert_eq!(missing.sample, ["a.txt", "dir/b.txt", "dir/deep/c.txt"]);
        }

        let before = crate::lab::state_of(&lab.path("partial"));
        let complete =
            || mirror.complete(&lab.store(), &old, &lab.git_of(), &holder(), &Heard::default());
        std::fs::rename(lab.path("origin"), lab.path("away")).unwrap();
        let error = complete().unwrap_err();
        assert!(matches!(&error, RepoError::Missing { count, .. } if *count == missing.count));
        assert!(error.to_string().contains(&missing.sample[0]), "{error}");
        assert!(error.hint().is_some());
        std::fs::rename(lab.path("away"), lab.path("origin")).unwrap();

        complete().unwrap_or_else(|error| panic!("{filter}: {error:?}"));
        assert_eq!(mirror.missing(&old).unwrap().count, 0, "{filter}");
        let path = mirror.path.to_str().unwrap().to_owned();
        let show = ["--git-dir", &path, "show", &format!("{old}:dir/deep/c.txt")];
        assert_eq!(lab.git(".", &show), "dir/deep/c.txt as it was", "{filter}");
        assert!(before == crate::lab::state_of(&lab.path("partial")), "the checkout was touched");
    }
}
