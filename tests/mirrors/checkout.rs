//! Checkouts on this machine: used where they are, and never touched.

use casefile::case::RepoName;
use casefile::hint::Hint;
use casefile::repos::{Asked, Mirror, RepoError, Source, resolve};

use crate::lab::{Lab, holder, state_of};

fn head(mirror: &Mirror) -> String {
    let asked = Asked {
        commit: Some("HEAD"),
        at: None,
        deploys: None,
        environment: None,
        service: None,
        branch: None,
        now: "2026-06-01T00:00:00Z".parse().unwrap(),
    };
    resolve(mirror, &asked).unwrap().commit.to_string()
}

#[test]
fn every_kind_of_checkout_lends_its_objects_and_stays_as_it_is() {
    let lab = Lab::new();
    lab.init("work");
    lab.commit("work", "2026-01-01T00:00:00Z", "one");
    lab.git("work", &["tag", "-a", "v1", "-m", "first"]);
    let two = lab.commit("work", "2026-01-02T00:00:00Z", "two");
    lab.git("work", &["branch", "side", "HEAD~1"]);
    lab.git("work", &["pack-refs", "--all"]);
    lab.git("work", &["gc", "-q"]);
    // Loose objects and refs over the packed ones.
    let three = lab.commit("work", "2026-01-03T00:00:00Z", "three");
    lab.git("work", &["worktree", "add", "-q", "../tree", "side"]);
    let on_side = lab.commit("tree", "2026-01-04T00:00:00Z", "four");
    lab.git(".", &["clone", "-q", "--bare", "work", "bare.git"]);
    lab.git(".", &["clone", "-q", "--shared", "work", "lender"]);
    lab.git(".", &["clone", "-q", "work", "detached"]);
    lab.git("detached", &["checkout", "-q", &two]);
    std::fs::create_dir(lab.path("work/below")).unwrap();
    std::os::unix::fs::symlink("work", lab.path("link")).unwrap();

    #[rustfmt::skip]
    let table = [
        // taken from     HEAD        branch          borrowed directories
        ("work",          &three,     Some("main"),   1),
        ("work/below",    &three,     Some("main"),   1),
        ("work/.git",     &three,     Some("main"),   1),
        ("link",          &three,     Some("main"),   1),
        ("tree",          &on_side,   Some("side"),   1),
        ("bare.git",      &three,     Some("main"),   1),
        ("lender",        &three,     Some("main"),   2),
        ("detached",      &two,       None,           1),
    ];
    let before = state_of(&lab.path("."));
    for (at, (from, want, branch, borrowed)) in table.into_iter().enumerate() {
        let mut mirror = lab.add(&format!("repo{at}"), Source::Checkout(lab.path(from))).unwrap();
        assert_eq!(head(&mirror), *want, "{from}");
        assert_eq!(mirror.branch().unwrap().as_deref(), branch, "{from}");
        assert_eq!(mirror.objects().unwrap().len(), 1 + borrowed, "{from}");
        assert!(lab.refs(&mirror.path).contains("refs/tags/v1"), "{from}");
        lab.fetch(&mut mirror).unwrap();
        assert_eq!(mirror.check(), [], "{from}");
        let own = mirror.path.join("objects");
        let files = state_of(&own).into_keys().filter(|path| path.is_file()).count();
        assert_eq!(files, 1, "{from}: nothing but `alternates` is copied");
    }
    let mut after = state_of(&lab.path("."));
    // The lab itself got the store.
    after.retain(|path, _| !path.starts_with(lab.path("state")) && *path != lab.path("."));
    let mut before = before;
    before.retain(|path, _| *path != lab.path("."));
    assert!(before == after, "a checkout was touched");
}

#[test]
fn a_fetch_of_a_checkout_reads_its_refs_anew() {
    let lab = Lab::new();
    lab.init("work");
    lab.commit("work", "2026-01-01T00:00:00Z", "one");
    let mut mirror = lab.add("work", Source::Checkout(lab.path("work"))).unwrap();
    let two = lab.commit("work", "2026-01-02T00:00:00Z", "two");
    lab.git("work", &["checkout", "-q", "-b", "next"]);
    assert_ne!(head(&mirror), two);
    lab.fetch(&mut mirror).unwrap();
    assert_eq!(head(&mirror), two);
    assert_eq!(mirror.branch().unwrap().as_deref(), Some("next"));

    std::fs::rename(lab.path("work"), lab.path("moved")).unwrap();
    let name = RepoName::parse("work").unwrap();
    let mut mirror = Mirror::open(&lab.store().store, &name).unwrap();
    for error in [mirror.objects().unwrap_err(), lab.fetch(&mut mirror).unwrap_err()] {
        assert!(matches!(&error, RepoError::Gone { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("Put the checkout back"), "{error:?}");
    }
    assert_eq!(mirror.check().len(), 1);
    std::fs::rename(lab.path("moved"), lab.path("work")).unwrap();
    lab.fetch(&mut mirror).unwrap();
    assert_eq!(mirror.check(), []);
}

#[test]
fn what_cannot_be_taken_in_is_refused_with_the_reason() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("plain")).unwrap();
    lab.git(".", &["init", "-q", "--object-format=sha256", "sha256"]);
    lab.commit("sha256", "2026-01-01T00:00:00Z", "one");
    lab.git(".", &["init", "-q", "--ref-format=reftable", "reftable"]);
    lab.commit("reftable", "2026-01-01T00:00:00Z", "one");
    #[rustfmt::skip]
    let table = [
        (Source::Checkout(lab.path("plain")),    "is no git repository",      "path of a checkout"),
        (Source::Checkout(lab.path("nowhere")),  "is no git repository",      "path of a checkout"),
        (Source::Checkout(lab.path("sha256")),   "object ids are SHA-256",    "SHA-1"),
        (lab.url("sha256"),                      "object ids are SHA-256",    "SHA-1"),
        (Source::Checkout(lab.path("reftable")), "its refs are a reftable",   "`file://` URL"),
        (lab.url("nowhere"),                     "git could not read `file:", "Check the URL"),
        (Source::Url("ext::sh -c true".into()),  "git could not read `ext:",  "https or ssh"),
    ];
    for (from, error, hint) in table {
        let got = lab.add("repo", from.clone()).unwrap_err();
        assert!(got.to_string().contains(error), "{from}: {got}");
        assert!(got.hint().unwrap().contains(hint), "{from}: {:?}", got.hint());
        assert!(Mirror::list(&lab.store().store).unwrap().is_empty(), "{from}");
    }
    // The way out of a reftable is one.
    let mirror = lab.add("repo", lab.url("reftable")).unwrap();
    assert!(lab.refs(&mirror.path).contains("refs/heads/main"));
}

#[test]
fn somebody_elses_checkout_is_read_as_git_reads_it() {
    if !nix::unistd::geteuid().is_root() {
        // Only root can give a directory away.
        return;
    }
    let lab = Lab::new();
    lab.init("work");
    lab.commit("work", "2026-01-01T00:00:00Z", "one");
    for dir in ["work", "work/.git"] {
        std::os::unix::fs::chown(lab.path(dir), Some(54_321), None).unwrap();
    }
    let git = lab.command("work").arg("status").output().unwrap();
    assert!(!git.status.success(), "git reads it");
    let error = lab.add("work", Source::Checkout(lab.path("work"))).unwrap_err();
    assert!(matches!(error, RepoError::Owner(_)), "{error:?}");
    assert!(error.hint().unwrap().contains("safe.directory"));
}

#[test]
fn a_mirror_is_removed_and_its_name_is_free_again() {
    let lab = Lab::new();
    lab.init("work");
    lab.commit("work", "2026-01-01T00:00:00Z", "one");
    let from = Source::Checkout(lab.path("work"));
    let mirror = lab.add("work", from.clone()).unwrap();
    assert!(matches!(lab.add("work", from.clone()), Err(RepoError::Exists(_))));
    let path = mirror.path.clone();
    mirror.remove(&lab.store(), &holder()).unwrap();
    assert!(!path.exists());
    assert!(lab.path("work/.git/objects").exists());
    let near = Mirror::open(&lab.store().store, &RepoName::parse("work").unwrap()).unwrap_err();
    assert!(matches!(near, RepoError::NoSuch { nearest: None, .. }), "{near:?}");
    lab.add("work", from).unwrap();
    let near = Mirror::open(&lab.store().store, &RepoName::parse("wrok").unwrap()).unwrap_err();
    assert_eq!(near.hint().unwrap(), "Did you mean `work`?");
}

#[test]
fn an_empty_repository_is_one_too() {
    let lab = Lab::new();
    lab.init("work");
    for (name, from) in [("a", Source::Checkout(lab.path("work"))), ("b", lab.url("work"))] {
        let mut mirror = lab.add(name, from).unwrap();
        let asked = Asked {
            commit: None,
            at: None,
            deploys: None,
            environment: None,
            service: None,
            branch: None,
            now: "2026-06-01T00:00:00Z".parse().unwrap(),
        };
        let error = resolve(&mirror, &asked).unwrap_err();
        assert!(error.to_string().ends_with("has no commit yet"), "{error}");
        assert!(error.may_be_fetched());
        lab.fetch(&mut mirror).unwrap();
    }
    let one = lab.commit("work", "2026-01-01T00:00:00Z", "one");
    for name in ["a", "b"] {
        let mut mirror = Mirror::open(&lab.store().store, &RepoName::parse(name).unwrap()).unwrap();
        lab.fetch(&mut mirror).unwrap();
        assert_eq!(head(&mirror), one);
    }
}
