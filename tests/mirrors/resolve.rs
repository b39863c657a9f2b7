//! Which commit was live: hand-made histories, and what was live in them when.

use std::collections::BTreeMap;

use casefile::case::{History, Rule};
use casefile::hint::Hint;
use casefile::repos::{Asked, Deploys, Mirror, ResolveError, Resolved, Source, Until, resolve};
use jiff::Timestamp;

use crate::lab::Lab;

const NOW: &str = "2026-06-01T00:00:00Z";

/// A history whose commits go by their messages.
struct Told {
    lab: Lab,
    ids: BTreeMap<String, String>,
}

impl Told {
    fn new() -> Self {
        let lab = Lab::new();
        lab.init("app");
        Self { lab, ids: BTreeMap::new() }
    }

    fn commit(&mut self, time: &str, name: &str) {
        let id = self.lab.commit("app", time, name);
        self.ids.insert(id, name.into());
    }

    fn git(&self, args: &[&str]) -> String {
        self.lab.git("app", args)
    }

    /// A commit that git itself makes: a merge, a cherry-pick.
    fn made(&mut self, time: &str, name: &str, args: &[&str]) {
        self.lab.git_at("app", time, args);
        self.ids.insert(self.git(&["rev-parse", "HEAD"]), name.into());
    }

    fn mirror(&self) -> Mirror {
        self.lab.add("app", Source::Checkout(self.lab.path("app"))).unwrap()
    }

    fn name(&self, id: impl ToString) -> String {
        self.ids.get(&id.to_string()).cloned().unwrap_or_else(|| id.to_string())
    }

    fn names(&self, found: &Resolved) -> (Rule, String, Option<String>, Option<String>) {
        let name = |id: &Option<_>| id.as_ref().map(|id| self.name(id));
        (found.rule, self.name(&found.commit), name(&found.before), name(&found.after))
    }
}

fn asked<'a>() -> Asked<'a> {
    Asked {
        commit: None,
        at: None,
        deploys: None,
        environment: None,
        service: None,
        branch: None,
        now: time(NOW),
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Rows of time and the commit that was live then, on the mirror's branch.
#[track_caller]
fn holds(told: &Told, table: &[(&str, &str)]) {
    let mirror = told.mirror();
    for (at, want) in table {
        let found = resolve(&mirror, &Asked { at: Some(time(at)), ..asked() });
        let found = found.unwrap_or_else(|error| panic!("{at}: {error:?}"));
        assert_eq!(told.name(&found.commit), *want, "{at}: {}", found.told);
        assert_eq!(found.rule, Rule::Branch);
        let tree = told.git(&["rev-parse", &format!("{}^{{tree}}", found.commit)]);
        assert_eq!(found.tree.to_string(), tree);
    }
}

#[test]
fn on_a_straight_line_the_newest_by_then_was_live() {
    let mut told = Told::new();
    told.commit("2026-01-01T00:00:00Z", "one");
    told.commit("2026-01-02T00:00:00Z", "two");
    // The same moment, as clocks elsewhere show it.
    told.commit("2026-01-03T09:00:00+09:00", "three");
    told.commit("2026-01-03T19:00:00-05:00", "four");
    holds(
        &told,
        &[
            ("2026-01-01T00:00:00Z", "one"),
            ("2026-01-01T23:59:59.999Z", "one"),
            ("2026-01-02T00:00:00Z", "two"),
            ("2026-01-02T23:59:59Z", "two"),
            ("2026-01-03T00:00:00Z", "three"),
            ("2026-01-03T23:59:59Z", "three"),
            ("2026-01-04T00:00:00Z", "four"),
            ("2030-01-01T00:00:00Z", "four"),
        ],
    );
    let mirror = told.mirror_again();
    let found = resolve(&mirror, &Asked { at: Some(time("2026-01-02T12:00:00Z")), ..asked() });
    let (_, _, before, after) = told.names(&found.unwrap());
    assert_eq!((before.as_deref(), after.as_deref()), (Some("one"), Some("three")));
    let found = resolve(&mirror, &asked()).unwrap();
    assert_eq!(told.names(&found), (Rule::Branch, "four".into(), Some("three".into()), None));

    let error = resolve(&mirror, &Asked { at: Some(time("2025-12-31T23:59:59Z")), ..asked() });
    let error = error.unwrap_err();
    assert!(error.to_string().contains("is before the first commit on `main` of `app`"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("2026-01-01T00:00:00Z"), "{hint}");
    let first = told.ids.iter().find(|(_, name)| *name == "one").unwrap().0;
    assert!(hint.contains(&first[..12]), "{hint}");
}

impl Told {
    fn mirror_again(&self) -> Mirror {
        let name = casefile::case::RepoName::parse("app").unwrap();
        Mirror::open(&self.lab.store().store, &name).unwrap()
    }
}

#[test]
fn what_a_merge_brings_was_live_from_the_merge_on() {
    let mut told = Told::new();
    told.commit("2026-01-01T00:00:00Z", "one");
    told.git(&["checkout", "-q", "-b", "side"]);
    told.commit("2026-01-02T00:00:00Z", "side-one");
    told.commit("2026-01-03T00:00:00Z", "side-two");
    told.git(&["checkout", "-q", "main"]);
    told.commit("2026-01-02T12:00:00Z", "two");
    told.made("2026-01-04T00:00:00Z", "merge", &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    // Picked later than it was written: it was live from then on.
    told.made(
        "2026-01-05T00:00:00Z",
        "picked",
        &["commit", "-q", "--allow-empty", "-m", "picked", "--date=2026-01-01T06:00:00Z"],
    );
    holds(
        &told,
        &[
            ("2026-01-02T06:00:00Z", "one"),
            ("2026-01-03T06:00:00Z", "two"),
            ("2026-01-04T00:00:00Z", "merge"),
            ("2026-01-04T23:00:00Z", "merge"),
            ("2026-01-05T00:00:00Z", "picked"),
        ],
    );
    let mirror = told.mirror_again();
    let on_side = Asked { branch: Some("side"), at: Some(time("2026-01-02T12:00:00Z")), ..asked() };
    assert_eq!(told.name(resolve(&mirror, &on_side).unwrap().commit), "side-one");
    let error = resolve(&mirror, &Asked { branch: Some("sde"), ..asked() }).unwrap_err();
    assert_eq!(error.hint().unwrap(), "Did you mean `side`?");
}

#[test]
fn false_dates_move_nothing_but_themselves() {
    let mut told = Told::new();
    told.commit("2026-01-01T00:00:00Z", "one");
    told.commit("2026-01-02T00:00:00Z", "two");
    told.commit("@0 +0000", "from-1970");
    told.commit("2026-01-03T00:00:00Z", "three");
    told.commit("2099-01-01T00:00:00Z", "from-2099");
    told.commit("2026-01-04T00:00:00Z", "four");
    for name in ["false-one", "false-two"] {
        told.commit("2026-01-01T12:00:00Z", name);
    }
    told.commit("2026-01-05T00:00:00Z", "five");
    told.commit("2026-01-06T00:00:00Z", "six");
    told.commit("2026-01-07T00:00:00Z", "seven");
    told.commit("2098-01-01T00:00:00Z", "tip-from-2098");
    holds(
        &told,
        &[
            ("2026-01-01T13:00:00Z", "one"),
            // Together with the one that it follows.
            ("2026-01-02T01:00:00Z", "from-1970"),
            ("2026-01-03T01:00:00Z", "from-2099"),
            ("2026-01-04T01:00:00Z", "false-two"),
            ("2026-01-05T01:00:00Z", "five"),
            ("2026-01-07T01:00:00Z", "tip-from-2098"),
            ("2026-05-01T01:00:00Z", "tip-from-2098"),
        ],
    );
    let mirror = told.mirror_again();
    let found = resolve(&mirror, &Asked { at: Some(time("2026-01-03T01:00:00Z")), ..asked() });
    let told_why = found.unwrap().told;
    assert!(told_why.contains("2099-01-01") && told_why.contains("about 2026-01-03"), "{told_why}");
}

#[test]
fn a_line_that_begins_with_a_false_date_begins_with_its_second_commit() {
    let mut told = Told::new();
    told.commit("2090-01-01T00:00:00Z", "one");
    told.commit("2026-01-02T00:00:00Z", "two");
    holds(&told, &[("2026-01-02T00:00:00Z", "two")]);
    let error =
        resolve(&told.mirror_again(), &Asked { at: Some(time("2026-01-01T00:00:00Z")), ..asked() });
    assert!(matches!(error, Err(ResolveError::Before { .. })));
}

#[test]
fn rebased_commits_were_live_when_they_were_rebased() {
    let mut told = Told::new();
    told.commit("2026-01-01T00:00:00Z", "base");
    told.git(&["checkout", "-q", "-b", "work"]);
    told.commit("2026-01-02T00:00:00Z", "a");
    told.commit("2026-01-03T00:00:00Z", "b");
    told.git(&["checkout", "-q", "main"]);
    told.commit("2026-01-10T00:00:00Z", "main-two");
    told.git(&["checkout", "-q", "work"]);
    // The author's date stays in January, the committer's is that of the rebase.
    told.lab.git_at("app", "2026-01-11T00:00:00Z", &["rebase", "-q", "main"]);
    told.ids.insert(told.git(&["rev-parse", "HEAD~1"]), "a-rebased".into());
    told.ids.insert(told.git(&["rev-parse", "HEAD"]), "b-rebased".into());
    told.git(&["checkout", "-q", "main"]);
    told.git(&["merge", "-q", "--ff-only", "work"]);
    holds(
        &told,
        &[
            ("2026-01-03T06:00:00Z", "base"),
            ("2026-01-10T06:00:00Z", "main-two"),
            ("2026-01-11T06:00:00Z", "b-rebased"),
        ],
    );
}

#[test]
fn deploys_decide_rollbacks_and_environments_included() {
    let mut told = Told::new();
    told.commit("2026-01-01T00:00:00Z", "one");
    told.commit("2026-01-02T00:00:00Z", "two");
    told.git(&["tag", "v2"]);
    told.commit("2026-01-03T00:00:00Z", "three");
    told.commit("2026-01-04T00:00:00Z", "four");
    let id = |name: &str| told.ids.iter().find(|(_, it)| *it == name).unwrap().0.clone();
    told.lab.write(
        "deploys.csv",
        &format!(
            "time,environment,service,commit
2026-01-02T06:00:00Z,production,app,{one}
2026-01-02T07:00:00Z,staging,app,{three}
2026-01-03T06:00:00Z,production,app,{three}
2026-01-03T06:30:00Z,production,other,{four}
2026-01-03T07:00:00Z,production,app,v2
2026-01-03T08:00:00Z,production,app,{two}
2026-01-04T06:00:00Z,production,app,{four}
2026-01-05T06:00:00Z,production,app,{lost}
2026-01-06T06:00:00Z,canary,app,no-such-tag
",
            one = &id("one")[..9],
            two = id("two"),
            three = id("three"),
            four = id("four"),
            lost = "0123456789abcdef0123456789abcdef01234567",
        ),
    );
    let deploys = Deploys::read(&told.lab.path("deploys.csv")).unwrap();
    let mirror = told.mirror();
    let find = |at: &str, environment| {
        let at = Some(time(at));
        resolve(&mirror, &Asked { at, environment, deploys: Some(&deploys), ..asked() })
    };
    let row = |rule, commit: &str, before: Option<&str>, after: Option<&str>| {
        (rule, commit.to_owned(), before.map(str::to_owned), after.map(str::to_owned))
    };
    #[rustfmt::skip]
    let table = [
        // time                    where          which rule and commit, and those around it
        ("2026-01-02T06:00:00Z",   "production",  row(Rule::Deploy, "one",   None,          Some("three"))),
        ("2026-01-03T06:59:59Z",   "production",  row(Rule::Deploy, "three", Some("one"),   Some("two"))),
        // The newest deploy wins, though its commit is older; the same one again is none.
        ("2026-01-03T07:00:00Z",   "production",  row(Rule::Deploy, "two",   Some("three"), Some("four"))),
        ("2026-01-03T09:00:00Z",   "production",  row(Rule::Deploy, "two",   Some("three"), Some("four"))),
        ("2026-01-04T07:00:00Z",   "production",  row(Rule::Deploy, "four",  Some("two"),   None)),
        ("2026-01-09T00:00:00Z",   "staging",     row(Rule::Deploy, "three", None,          None)),
        // Nothing is recorded by then, or at all there: the branch answers.
        ("2026-01-02T05:00:00Z",   "production",  row(Rule::Branch, "two",   Some("one"),   Some("three"))),
        ("2026-01-03T05:00:00Z",   "elsewhere",   row(Rule::Branch, "three", Some("two"),   Some("four"))),
    ];
    for (at, environment, want) in table {
        let found = find(at, Some(environment)).unwrap_or_else(|error| panic!("{at}: {error:?}"));
        assert_eq!(told.names(&found), want, "{at} {environment}: {}", found.told);
    }
    let rollback = find("2026-01-03T07:30:00Z", Some("production")).unwrap().told;
    assert!(
        rollback.ends_with("to `production` at 2026-01-03T07:00:00Z, which was a rollback"),
        "{rollback}"
    );
    let none = find("2026-01-02T05:00:00Z", Some("production")).unwrap().told;
    assert!(
        none.contains("no deploy of `app` is recorded by then; the first is of 2026-01-02T06"),
        "{none}"
    );

    let error = find("2026-01-03T07:30:00Z", None).unwrap_err();
    assert!(error.hint().unwrap().contains("`canary`, `production`, `staging`"), "{error:?}");
    for (at, environment, earlier) in [
        ("2026-01-05T07:00:00Z", "production", Some("of 2026-01-04T06:00:00Z")),
        ("2026-01-06T07:00:00Z", "canary", None),
    ] {
        let error = find(at, Some(environment)).unwrap_err();
        assert!(matches!(error, ResolveError::DeployLacks { .. }), "{error:?}");
        assert!(error.may_be_fetched());
        let hint = error.hint().unwrap();
        assert!(hint.contains("casefile repo fetch app"), "{hint}");
        assert_eq!(hint.contains("of 2026"), earlier.is_some(), "{hint}");
        assert!(hint.contains(earlier.unwrap_or_default()), "{hint}");
    }
    // What is asked for by name wins over every record.
    let by_name = Asked { commit: Some("v2"), deploys: Some(&deploys), ..asked() };
    assert_eq!(told.names(&resolve(&mirror, &by_name).unwrap()).0, Rule::Commit);
}

#[test]
fn any_revision_that_git_knows_names_a_commit() {
    let mut told = Told::new();
    told.commit("2026-01-01T00:00:00Z", "one");
    told.commit("2026-01-02T00:00:00Z", "two");
    told.git(&["tag", "-a", "v1", "-m", "annotated"]);
    told.git(&["checkout", "-q", "-b", "feature/login"]);
    told.commit("2026-01-03T00:00:00Z", "three");
    told.made(
        "2026-01-04T00:00:00Z",
        "merge",
        &["merge", "-q", "--no-ff", "-m", "merge", "main", "--allow-unrelated-histories"],
    );
    let full = told.git(&["rev-parse", "HEAD"]);
    let upper = full[..10].to_uppercase();
    let mirror = told.mirror();
    #[rustfmt::skip]
    let table = [
        (&*full, "HEAD"), (&full[..7], "HEAD"), (&upper, "HEAD"), ("HEAD", "HEAD"), ("@", "HEAD"),
        ("HEAD~1", "HEAD~1"), ("HEAD^", "HEAD^"), ("v1", "v1^{commit}"), ("v1^{commit}", "v1^{commit}"),
        ("v1~1", "v1~1"), ("refs/tags/v1", "v1^{commit}"), ("tags/v1", "v1^{commit}"),
        ("main", "main"), ("heads/main", "main"), ("feature/login", "HEAD"), (":/one", ":/one"),
    ];
    for (given, as_git) in table {
        let want = told.git(&["rev-parse", as_git]);
        let found = resolve(&mirror, &Asked { commit: Some(given), ..asked() });
        let found = found.unwrap_or_else(|error| panic!("{given}: {error:?}"));
        assert_eq!(found.commit.to_string(), want, "{given}");
    }
    #[rustfmt::skip]
    let table = [
        // given                what is wrong                             the way out
        ("mian",                "knows no revision `mian`",               "Did you mean `main`?"),
        ("feature/lgoin",       "knows no revision",                      "Did you mean `feature/login`?"),
        ("v2",                  "knows no revision `v2`",                 "v1"),
        ("0123456789abcdef",    "has no commit 0123456789abcdef",         "casefile repo fetch app"),
        ("main^{tree}",         "knows no revision",                      ""),
        ("",                    "knows no revision",                      ""),
        ("--all",               "knows no revision",                      ""),
        ("main\0x",             "knows no revision",                      ""),
    ];
    for (given, what, hint) in table {
        let error = resolve(&mirror, &Asked { commit: Some(given), ..asked() }).unwrap_err();
        assert!(error.to_string().contains(what), "{given:?}: {error}");
        assert!(error.hint().unwrap().contains(hint), "{given:?}: {:?}", error.hint());
    }
}

#[test]
fn an_ambiguous_id_names_the_candidates() {
    let mut told = Told::new();
    let mut by_begin: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Four digits are the fewest that git takes; among some hundred commits two agree.
    told.commit("2026-01-01T00:00:00Z", "one");
    let mut found = None;
    let mut import = String::new();
    for number in 0..1_500 {
        let parent = if number == 0 { "from refs/heads/main^0\n" } else { "" };
        import.push_str(&format!(
            "commit refs/heads/main\ncommitter A <a@example.com> {} +0000\ndata 1\nx{parent}\n",
            1_770_000_000 + number
        ));
    }
    told.lab.write("import", &import);
    let import = std::fs::File::open(told.lab.path("import")).unwrap();
    let done = told.lab.command("app").args(["fast-import", "--quiet"]).stdin(import).status();
    assert!(done.unwrap().success());
    for id in told.git(&["rev-list", "main"]).lines() {
        let begin = by_begin.entry(id[..4].into()).or_default();
        begin.push(id.into());
        if 1 < begin.len() {
            found = Some(id[..4].to_owned());
        }
    }
    let begin = found.expect("fifteen hundred ids of which no two begin alike");
    let error = resolve(&told.mirror(), &Asked { commit: Some(&begin), ..asked() }).unwrap_err();
    assert!(error.to_string().contains("could be several objects"), "{error}");
    for id in &by_begin[&begin] {
        assert!(error.hint().unwrap().contains(id), "{error:?}");
    }
}

#[test]
fn a_case_sees_the_refs_of_its_time() {
    let mut told = Told::new();
    told.commit("2026-01-01T00:00:00Z", "one");
    told.git(&["tag", "light-one"]);
    told.commit("2026-01-02T00:00:00Z", "two");
    told.lab.git_at("app", "2026-01-02T00:00:00Z", &["tag", "-a", "v2", "-m", "x"]);
    // An old commit that was tagged later.
    told.lab.git_at("app", "2026-01-09T00:00:00Z", &["tag", "-a", "late", "-m", "x", "HEAD~1"]);
    told.git(&["branch", "stale"]);
    told.git(&["checkout", "-q", "-b", "side"]);
    told.commit("2026-01-03T00:00:00Z", "side-one");
    told.commit("2026-01-06T00:00:00Z", "side-two");
    told.git(&["checkout", "-q", "--orphan", "newborn"]);
    told.commit("2026-01-07T00:00:00Z", "newborn-one");
    told.git(&["checkout", "-q", "main"]);
    told.commit("2026-01-04T00:00:00Z", "three");
    told.commit("2026-01-08T00:00:00Z", "four");
    told.git(&["tag", "light-four"]);
    let mirror = told.mirror();
    let now = time(NOW);
    let see = |history, at: Option<&str>, commit: &str| -> Vec<String> {
        let id = told.ids.iter().find(|(_, name)| *name == commit).unwrap().0;
        let commit = casefile::case::CommitId::parse(id).unwrap();
        let until = Until { at: at.map(time), commit, now };
        let seen = mirror.refs(history, &until).unwrap();
        let named = seen.into_iter().map(|it| {
            format!(
                "{} {}",
                it.name.trim_start_matches("refs/"),
                told.name(it.peeled.unwrap_or(it.id))
            )
        });
        named.collect()
    };
    let at = Some("2026-01-05T00:00:00Z");
    assert_eq!(
        see(History::UntilIncident, at, "three"),
        [
            "heads/main three",
            "heads/side side-one",
            "heads/stale two",
            "tags/light-one one",
            "tags/v2 two"
        ]
    );
    // A rollback: what was live is older, and the rest of that day is known still.
    assert_eq!(see(History::UntilIncident, at, "one")[0], "heads/main three");
    // Without a time, that of the commit.
    assert_eq!(
        see(History::UntilIncident, None, "two"),
        [
            "heads/main two",
            "heads/side two",
            "heads/stale two",
            "tags/light-one one",
            "tags/v2 two"
        ]
    );
    assert_eq!(
        see(History::Full, at, "three"),
        [
            "heads/main four",
            "heads/newborn newborn-one",
            "heads/side side-two",
            "heads/stale two",
            "tags/late one",
            "tags/light-four four",
            "tags/light-one one",
            "tags/v2 two",
        ]
    );
}
