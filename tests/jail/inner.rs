//! What only the jail of a case has: a tree laid in another tree, as a submodule is,
//! and directories of casefile's own, which keep no sockets from it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use casefile::jail::Zygote;
use casefile::jail::plan::{Layered, Plan, Wanted};
use casefile::jail::policy::{Giver, Library, Mode, Mount, Shown};

use crate::Test;
use crate::common::User;
use crate::layered::{Stack, changes, empty_work, go, plan, says};

pub(crate) const TESTS: &[Test] = &[
    ("inner::a_tree_is_left_out_where_its_directory_is_gone", left_out),
    ("inner::a_case_has_sockets_and_a_directory_of_a_caller_takes_them", sockets),
];

fn left_out(user: User) {
    go(user, "inner", "gone");
}

fn sockets(user: User) {
    go(user, "inner", "sockets");
}

pub(crate) fn play(words: &[&str]) -> ExitCode {
    match words {
        ["gone", dir] => gone(Path::new(dir)),
        ["sockets", dir] => with_sockets(Path::new(dir)),
        _ => panic!("no such part: {words:?}"),
    }
    ExitCode::SUCCESS
}

fn gone(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let inner_at = "/case/repos/code/dir/deep";
    fs::create_dir(dir.join("lib")).unwrap();
    fs::write(dir.join("lib/own"), "of the inner").unwrap();
    changes(dir, "inner");
    let inner = || Layered {
        at: inner_at.into(),
        below: vec![dir.join("lib")],
        changes: dir.join("inner"),
        durable: false,
    };
    #[rustfmt::skip]
    let table = [
        // what a jail did before                            what is there then
        ("true",                                              "own\nof the inner"),
        ("rm -rf dir/deep",                                   "gone"),
        ("mkdir dir/deep",                                    "own\nof the inner"),
        ("rm -rf dir/deep; ln -s /tmp dir/deep",              "link"),
        ("rm dir/deep; echo file >dir/deep",                  "file"),
        ("rm dir/deep; mkfifo dir/deep",                      "gone"),
        ("rm -rf dir; ln -s /case dir",                       "gone"),
        ("rm dir; echo file >dir",                            "gone"),
        ("rm dir; mkdir -p dir/deep; echo x >dir/deep/below", "own\nof the inner"),
    ];
    let look = format!(
        "if [ -L {inner_at} ]; then printf link; elif [ -f {inner_at} ]; then cat {inner_at} | tr -d '\\n'; \
         elif [ -d {inner_at} ]; then ls {inner_at}; cat {inner_at}/own; else printf gone; fi"
    );
    for (script, want) in table {
        // Only the outer one, so that its directory is no mount that nobody can remove.
        let jail = stack.open(&zygote);
        says(&jail, script);
        drop(jail);
        empty_work(dir);
        let both = plan(vec![stack.layered("changes", false), inner()]);
        let jail = zygote.open(&both).unwrap_or_else(|error| panic!("{script}: {error}"));
        assert_eq!(says(&jail, &look), want, "{script}");
        assert_eq!(says(&jail, "cat top"), "top", "{script}");
        drop(jail);
        empty_work(dir);
        empty_inner_work(dir);
    }
    // Only in another tree: at a place of its own it is there or the jail is not.
    let mut apart = inner();
    apart.at = "/case/elsewhere/deep".into();
    let jail = zygote.open(&plan(vec![stack.layered("changes", false), apart])).unwrap();
    assert_eq!(says(&jail, "cat /case/elsewhere/deep/own"), "of the inner");
    drop(jail);
    empty_inner_work(dir);
    let mut nowhere = inner();
    nowhere.at = "/usr/nowhere/deep".into();
    let refusal = zygote.open(&plan(vec![nowhere])).unwrap_err().to_string();
    assert!(refusal.contains("/usr/nowhere"), "{refusal}");
    stack.unchanged();
}

fn empty_inner_work(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let work = dir.join("inner/work");
    // The kernel makes them so that nobody may look.
    for inner in ["work", "work/incompat", "work/incompat/volatile"] {
        let _ = fs::set_permissions(work.join(inner), PermissionsExt::from_mode(0o700));
    }
    fs::remove_dir_all(&work).unwrap();
    fs::create_dir(&work).unwrap();
}

fn with_sockets(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let policy = Library::default().named("offline").unwrap();
    fs::create_dir(dir.join("evidence")).unwrap();
    let script = "git credential-cache --socket $PWD/s/socket exit; mkdir -m 700 s; \
                  printf 'protocol=https\\nhost=h\\nusername=u\\npassword=secret\\n\\n' | \
                  git credential-cache --socket $PWD/s/socket store 2>&1; \
                  printf 'protocol=https\\nhost=h\\n\\n' | \
                  git credential-cache --socket $PWD/s/socket get 2>&1 | grep password; rm -rf s";
    let givers = [(Giver::Case, true), (Giver::Flag(Mode::Read), false)];
    for (by, want) in givers {
        let mount =
            Mount { from: dir.join("evidence"), to: "/case/evidence".into(), mode: Mode::Read };
        let mut shown = policy.shown(Path::new("/"), &[]).unwrap();
        shown.push(Shown { mount, by: by.clone(), optional: false });
        let plan = Plan::new(&Wanted {
            strength: policy.least.value,
            network: policy.network.value,
            local_sockets: false,
            limits: &policy.limits(&Default::default()),
            kept: vec![dir.into()],
            shown,
            layered: vec![stack.layered("changes", false)],
            program_at: None,
            scratch: None,
        });
        let jail = zygote.open(&plan.unwrap()).unwrap();
        let said = says(&jail, &format!("({script}) || :"));
        assert_eq!(said.contains("password=secret"), want, "{by:?}: {said}");
        drop(jail);
        empty_work(dir);
    }
}
