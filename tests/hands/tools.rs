//! `grep` and `find` as tools: what they say, in which order, and how they say what
//! is left out.

use casefile::hint::Hint;
use casefile::tools::find::FindKind;
use casefile::tools::grep::{Case, Mode};
use casefile::tools::{Answer, Find, Grep, Place, ToolError, find, grep};

use crate::ground::Ground;

fn lay_out(ground: &Ground) {
    for dir in ["repos/app/src/deep/er", "repos/app/.git", "repos/app/target", "evidence", "notes"]
    {
        std::fs::create_dir_all(ground.host("case").join(dir)).unwrap();
    }
    #[rustfmt::skip]
    let files = [
        ("repos/app/.gitignore",        "target\n"),
        ("repos/app/src/a_use.rs",      "fn main() {\n    charge(1);\n    charge(2);\n}\n"),
        ("repos/app/src/pay.rs",        "/// Pays.\npub fn charge(sum: u64) {\n}\n"),
        ("repos/app/src/deep/er/x.rs",  "use pay::charge;\n"),
        ("repos/app/target/x.rs",       "charge\n"),
        ("evidence/app.log",            "2026-01-01 charge failed\nnothing\n"),
        ("notes/many.txt",              &"charge\n".repeat(300)),
        ("notes/blob",                  "charge\0"),
    ];
    for (name, text) in files {
        ground.put(format!("case/{name}"), text);
    }
}

fn told(result: Result<Answer, ToolError>) -> String {
    match result {
        Ok(Answer { facts, body, next }) => {
            let next = next.map_or(String::new(), |next| format!("next: {next}"));
            format!("{facts}\n{}{next}", String::from_utf8_lossy(&body))
        }
        Err(error) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map_or(String::new(), |cause| format!("\ncause: {cause}"));
            format!("error: {error}{cause}\nhint: {}", error.hint().unwrap_or_default())
        }
    }
}

#[test]
fn grep_shows_definitions_first_and_says_what_is_left_out() {
    let mut ground = Ground::new();
    lay_out(&ground);
    let mut grep = |change: &dyn Fn(&mut Grep)| {
        let mut asked = Grep { pattern: "charge".into(), ..Grep::default() };
        change(&mut asked);
        told(grep(&asked, &mut Place { hands: &mut ground.hands, base: b"/case" }))
    };
    insta::assert_snapshot!(grep(&|asked| asked.limit = 6), @"");
    insta::assert_snapshot!(grep(&|asked| asked.mode = Mode::Files), @"");
    insta::assert_snapshot!(grep(&|asked| asked.mode = Mode::Count), @"");
    insta::assert_snapshot!(grep(&|asked| {
        asked.paths = vec!["repos/app".into(), "notes/blob".into()];
        asked.before = 1;
        asked.types = vec!["rust".into()];
    }), @"");
    insta::assert_snapshot!(grep(&|asked| asked.pattern = "Charge(".into()), @"");
    insta::assert_snapshot!(grep(&|asked| {
        asked.pattern = "Charge".into();
        asked.case = Case::Smart;
    }), @"");
    insta::assert_snapshot!(grep(&|asked| asked.pattern = "a\\nb".into()), @"");
    insta::assert_snapshot!(grep(&|asked| asked.pattern = String::new()), @"");
    insta::assert_snapshot!(grep(&|asked| asked.types = vec!["rs".into()]), @"");
    insta::assert_snapshot!(grep(&|asked| asked.globs = vec!["{a".into()]), @"");
    insta::assert_snapshot!(grep(&|asked| asked.paths = vec!["repos/ap".into()]), @"");
    insta::assert_snapshot!(grep(&|asked| asked.paths = vec!["notes/x".into(), "evidence".into()]), @"");
}

#[test]
fn find_lists_by_name_kind_and_size_and_as_a_tree() {
    let mut ground = Ground::new();
    lay_out(&ground);
    let mut find = |change: &dyn Fn(&mut Find)| {
        let mut asked = Find::default();
        change(&mut asked);
        told(find(&asked, &mut Place { hands: &mut ground.hands, base: b"/case" }))
    };
    insta::assert_snapshot!(find(&|asked| asked.name = Some("*.rs".into())), @"");
    insta::assert_snapshot!(find(&|asked| asked.name = Some("deep/".into())), @"");
    insta::assert_snapshot!(find(&|asked| asked.kind = Some(FindKind::Directory)), @"");
    insta::assert_snapshot!(find(&|asked| asked.size_min = Some(1000)), @"");
    insta::assert_snapshot!(find(&|asked| asked.limit = 3), @"");
    insta::assert_snapshot!(find(&|asked| asked.tree = true), @"");
    insta::assert_snapshot!(find(&|asked| {
        asked.tree = true;
        asked.limit = 5;
        asked.paths = vec!["repos/app".into()];
    }), @"");
    insta::assert_snapshot!(find(&|asked| asked.name = Some("nowhere".into())), @"");
    insta::assert_snapshot!(find(&|asked| asked.name = Some("[".into())), @"");
    insta::assert_snapshot!(find(&|asked| asked.paths = vec!["nowhere".into()]), @"");
    insta::assert_snapshot!(find(&|asked| asked.changed = true), @"");
}
