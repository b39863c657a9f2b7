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
        told(grep(&asked, &mut Place { hands: &mut ground.hands, base: b"/case", stop: None }))
    };
    insta::assert_snapshot!(grep(&|asked| asked.limit = 6), @r#"
    305 lines in 5 files; 5 files searched, 1 without text skipped
    repos/app/src/pay.rs
      2: pub fn charge(sum: u64) {
    evidence/app.log
      1: 2026-01-01 charge failed
    notes/many.txt
      1: charge
      2: charge
      3: charge
      4: charge
      … 296 lines more in this file
    299 lines in 2 files more not shown: repos/app/src (2), repos/app/src/deep (1)
    next: the same with `paths: ["repos/app/src"]` or `mode: files` or `limit: 24`
    "#);
    insta::assert_snapshot!(grep(&|asked| asked.mode = Mode::Files), @"
    5 files with a match; 5 files searched, 1 without text skipped
    evidence/app.log
    notes/many.txt
    repos/app/src/a_use.rs
    repos/app/src/deep/er/x.rs
    repos/app/src/pay.rs
    ");
    insta::assert_snapshot!(grep(&|asked| asked.mode = Mode::Count), @"
    305 lines in 5 files; 5 files searched, 1 without text skipped
    notes/many.txt: 300
    repos/app/src/a_use.rs: 2
    evidence/app.log: 1
    repos/app/src/deep/er/x.rs: 1
    repos/app/src/pay.rs: 1
    ");
    insta::assert_snapshot!(grep(&|asked| {
        asked.paths = vec!["repos/app".into(), "notes/blob".into()];
        asked.before = 1;
        asked.types = vec!["rust".into()];
    }), @"
    5 lines in 4 files; 4 files searched
    repos/app/src/pay.rs
      1- /// Pays.
      2: pub fn charge(sum: u64) {
    repos/app/src/a_use.rs
      1- fn main() {
      2:     charge(1);
      3:     charge(2);
    repos/app/src/deep/er/x.rs
      1: use pay::charge;
    notes/blob: no text, 1 of its lines match
    ");
    insta::assert_snapshot!(grep(&|asked| asked.pattern = "Charge(".into()), @"
    error: `pattern`: regex parse error:
        Charge(
              ^
    error: unclosed group
    hint: Mend it, or pass `literal: true` to look for it as it stands.
    ");
    insta::assert_snapshot!(grep(&|asked| {
        asked.pattern = "Charge".into();
        asked.case = Case::Smart;
    }), @"
    no line matches; 5 files searched, 1 without text skipped
    next: the same with `case: insensitive` or `hidden: true`
    ");
    insta::assert_snapshot!(grep(&|asked| asked.pattern = "a\\nb".into()), @r#"
    error: `pattern`: the literal "\n" is not allowed in a regex
    hint: Pass `multiline: true` to match over the ends of lines.
    "#);
    insta::assert_snapshot!(grep(&|asked| asked.pattern = String::new()), @"
    error: `pattern`: it is empty, which is in every line
    hint: Say what to look for, or use `read_file` to see all lines.
    ");
    insta::assert_snapshot!(grep(&|asked| asked.types = vec!["rs".into()]), @"
    error: `types`: there is no kind of files called `rs`
    hint: Did you mean `rust`?
    ");
    insta::assert_snapshot!(grep(&|asked| asked.globs = vec!["{a".into()]), @"
    error: `globs`: error parsing glob '{a': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
    hint: Write it as in a `.gitignore`, such as `*.rs`, `src/**` or `!*_test.go`.
    ");
    insta::assert_snapshot!(grep(&|asked| asked.paths = vec!["repos/ap".into()]), @"
    error: `repos/ap`
    cause: there is no such file or directory
    hint: Did you mean `repos/app`?
    ");
    insta::assert_snapshot!(grep(&|asked| asked.paths = vec!["notes/x".into(), "evidence".into()]), @"
    1 line in 1 file; 1 file searched; 1 could not be: `notes/x`: there is no such file or directory
    evidence/app.log
      1: 2026-01-01 charge failed
    ");
}

#[test]
fn find_lists_by_name_kind_and_size_and_as_a_tree() {
    let mut ground = Ground::new();
    lay_out(&ground);
    let mut find = |change: &dyn Fn(&mut Find)| {
        let mut asked = Find::default();
        change(&mut asked);
        told(find(&asked, &mut Place { hands: &mut ground.hands, base: b"/case", stop: None }))
    };
    insta::assert_snapshot!(find(&|asked| asked.name = Some("*.rs".into())), @"
    3 entries
    repos/app/src/a_use.rs
    repos/app/src/deep/er/x.rs
    repos/app/src/pay.rs
    ");
    insta::assert_snapshot!(find(&|asked| asked.name = Some("deep/".into())), @"
    2 entries
    repos/app/src/deep/er/
    repos/app/src/deep/er/x.rs
    ");
    insta::assert_snapshot!(find(&|asked| asked.kind = Some(FindKind::Directory)), @"
    7 entries
    evidence/
    notes/
    repos/
    repos/app/
    repos/app/src/
    repos/app/src/deep/
    repos/app/src/deep/er/
    ");
    insta::assert_snapshot!(find(&|asked| asked.size_min = Some(1000)), @"
    1 entry
    notes/many.txt  2,100 bytes
    ");
    insta::assert_snapshot!(find(&|asked| asked.limit = 3), @r#"
    13 entries
    evidence/
    evidence/app.log
    notes/
    10 more not shown: repos (7), notes (2), . (1)
    next: the same with `paths: ["repos"]` or `limit: 12`
    "#);
    insta::assert_snapshot!(find(&|asked| asked.tree = true), @"
    11 entries, 4 deep
    ./
      evidence/
        app.log
      notes/
        blob
        many.txt
      repos/
        app/
          src/
            a_use.rs
            deep/
            pay.rs
    ");
    insta::assert_snapshot!(find(&|asked| {
        asked.tree = true;
        asked.limit = 5;
        asked.paths = vec!["repos/app".into()];
    }), @"
    5 entries, 3 deep
    repos/app/
      src/
        a_use.rs
        deep/
          er/
        pay.rs
    ");
    insta::assert_snapshot!(find(&|asked| asked.name = Some("nowhere".into())), @"
    nothing found
    next: the same with `hidden: true`
    ");
    insta::assert_snapshot!(find(&|asked| asked.name = Some("[".into())), @"
    error: `name`: error parsing glob '[': unclosed character class; missing ']'
    hint: Write a glob such as `*.rs` or `src/**/*_test.go`, or a part of a name.
    ");
    insta::assert_snapshot!(find(&|asked| asked.paths = vec!["nowhere".into()]), @"
    error: `nowhere`
    cause: there is no such file or directory
    hint: List the directory to see what is there.
    ");
    insta::assert_snapshot!(find(&|asked| asked.changed = true), @"
    error: `changed`: this case has no layers that would tell
    hint: Run `git status --short` in the repository.
    ");
}
