//! Submodules: taken in with what they belong to, as repos of their own.

use casefile::case::{CommitId, RepoName};
use casefile::repos::{Git, Mirror, New, Source, submodules_at};

use crate::lab::{Heard, Lab, holder};

/// An app with a library in it, which has a library in it, and one with a name that
/// is taken.
fn nested(lab: &Lab) -> String {
    for (dir, below) in [("deep", None), ("lib", Some("deep")), ("other/lib", None)] {
        lab.init(dir);
        lab.commit(dir, "2026-01-01T00:00:00Z", "one");
        if let Some(below) = below {
            lab.git(dir, &["submodule", "--quiet", "add", &format!("../{below}"), below]);
            lab.commit(dir, "2026-01-02T00:00:00Z", "with");
        }
    }
    lab.init("app");
    lab.commit("app", "2026-01-01T00:00:00Z", "one");
    lab.git("app", &["submodule", "--quiet", "add", "../lib", "vendor/lib"]);
    lab.git("app", &["submodule", "--quiet", "add", "../other/lib", "vendor/lib two"]);
    lab.commit("app", "2026-01-03T00:00:00Z", "with")
}

fn parts(mirror: &Mirror, commit: &str) -> Vec<(String, String, Option<String>)> {
    let parts = submodules_at(mirror, &CommitId::parse(commit).unwrap()).unwrap();
    let parts = parts.into_iter().map(|part| {
        let path = part.path.as_path().display().to_string();
        (path, part.commit.to_string(), part.repo.map(|repo| repo.to_string()))
    });
    parts.collect()
}

#[test]
fn submodules_come_with_a_url_where_git_allows_theirs() {
    let lab = Lab::new();
    let commit = nested(&lab);
    let add = |name: &str, git: &Git, heard: &Heard| {
        let new = New {
            name: RepoName::parse(name).unwrap(),
            from: lab.url("app"),
            branch: None,
            service: None,
        };
        Mirror::add(&lab.store(), &new, git, &holder(), heard).unwrap()
    };
    // By itself git lets no repository name a path of this machine.
    let heard = Heard::default();
    let refused = add("refused", &lab.git_of(), &heard);
    assert_eq!(refused.about.submodules, []);
    let notes = heard.notes.lock().unwrap().join("\n");
    assert!(notes.contains("submodule `vendor/lib` of `refused`"), "{notes}");
    assert!(notes.contains("transport 'file' not allowed"), "{notes}");
    assert_eq!(parts(&refused, &commit).len(), 2);

    lab.write("home/.gitconfig", "[protocol \"file\"]\nallow = always\n");
    let heard = Heard::default();
    let app = add("app", &lab.git_of(), &heard);
    assert_eq!(*heard.notes.lock().unwrap(), [""; 0]);
    let lib = lab.git("lib", &["rev-parse", "HEAD"]);
    let other = lab.git("other/lib", &["rev-parse", "HEAD"]);
    assert_eq!(
        parts(&app, &commit),
        [
            ("vendor/lib".into(), lib.clone(), Some("lib".into())),
            ("vendor/lib two".into(), other, Some("app.lib".into())),
        ]
    );
    let lib_mirror = Mirror::open(&lab.store().store, &RepoName::parse("lib").unwrap()).unwrap();
    let deep = lab.git("deep", &["rev-parse", "HEAD"]);
    assert_eq!(parts(&lib_mirror, &lib), [("deep".into(), deep, Some("deep".into()))]);
    // A second parent shares them.
    let again = add("again", &lab.git_of(), &Heard::default());
    assert_eq!(again.about.submodules, app.about.submodules);
    let names: Vec<String> = Mirror::list(&lab.store().store)
        .unwrap()
        .into_iter()
        .map(|known| known.name.to_string())
        .collect();
    assert_eq!(names, ["again", "app", "app.lib", "deep", "lib", "refused"]);
}

#[test]
fn those_of_a_checkout_are_used_where_they_are() {
    let lab = Lab::new();
    nested(&lab);
    let url = format!("file://{}", lab.path("app").display());
    lab.git(".", &["clone", "-q", "--recursive", &url, "work"]);
    lab.git("work", &["submodule", "deinit", "-q", "vendor/lib two"]);
    let before = crate::lab::state_of(&lab.path("work"));
    let app = lab.add("app", Source::Checkout(lab.path("work"))).unwrap();
    let repos: Vec<_> = app.about.submodules.iter().map(|it| it.repo.as_str()).collect();
    assert_eq!(repos, ["lib", "lib-two"]);
    assert!(before == crate::lab::state_of(&lab.path("work")), "the checkout was touched");
    for known in Mirror::list(&lab.store().store).unwrap() {
        let mut mirror = known.mirror.unwrap();
        assert_eq!(mirror.check(), [], "{}", mirror.name);
        lab.fetch(&mut mirror).unwrap();
    }
    // One that was never fetched there is told, and is no reason to fail.
    lab.git(".", &["clone", "-q", &url, "bare-bones"]);
    let new = New {
        name: RepoName::parse("bones").unwrap(),
        from: Source::Checkout(lab.path("bare-bones")),
        branch: None,
        service: None,
    };
    let heard = Heard::default();
    Mirror::add(&lab.store(), &new, &lab.git_of(), &holder(), &heard).unwrap();
    let notes = heard.notes.lock().unwrap().join("\n");
    assert!(notes.contains("`git submodule update --init`"), "{notes}");
}

#[test]
fn a_hostile_gitmodules_leads_nowhere() {
    let lab = Lab::new();
    lab.init("secret");
    lab.commit("secret", "2026-01-01T00:00:00Z", "one");
    let commit = lab.git("secret", &["rev-parse", "HEAD"]);
    let secret = lab.path("secret").display().to_string();
    #[rustfmt::skip]
    let urls = [
        &*secret, "../secret", "file:///etc", "-u./x", "--upload-pack=touch x", "ext::sh -c 'touch x'", "$(touch x)", "a\\nb:c",
    ];
    lab.init("app");
    let mut text = String::new();
    for (at, url) in urls.iter().enumerate() {
        text.push_str(&format!("[submodule \"s{at}\"]\npath = s{at}\nurl = \"{url}\"\n"));
        let entry = format!("160000,{commit},s{at}");
        lab.git("app", &["update-index", "--add", "--cacheinfo", &entry]);
    }
    for (name, path) in [("../../../../secret/.git", "up"), ("/abs", "../up"), ("x", "/etc")] {
        text.push_str(&format!("[submodule \"{name}\"]\npath = {path}\nurl = ../secret\n"));
    }
    let entry = format!("160000,{commit},up");
    lab.git("app", &["update-index", "--add", "--cacheinfo", &entry]);
    lab.write("app/.gitmodules", &text);
    lab.git("app", &["add", ".gitmodules"]);
    lab.git("app", &["commit", "-qm", "hostile"]);
    for (name, from) in [("a", lab.url("app")), ("b", Source::Checkout(lab.path("app")))] {
        let mirror = lab.add(name, from).unwrap();
        assert_eq!(mirror.about.submodules, [], "{name}");
    }
    assert_eq!(Mirror::list(&lab.store().store).unwrap().len(), 2);
}
