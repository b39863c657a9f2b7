//! The program that tells git what changed, in a jail, with a real git over real
//! layers: it must never keep anything from git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casefile::case::inside;
use casefile::jail::Zygote;
use casefile::jail::plan::{Layered, Plan, Wanted};
use casefile::jail::policy::{Giver, Library, Mode, Mount, Shown};
use casefile::jail::wire::Status;

use crate::Test;
use crate::common::User;
use crate::layered::{Stack, changes, empty_work, go, run, says};

pub(crate) const TESTS: &[Test] =
    &[("changed::git_is_told_all_that_changed", git_is_told_all_that_changed)];

fn git_is_told_all_that_changed(user: User) {
    go(user, "changed", "told");
}

pub(crate) fn play(words: &[&str]) -> ExitCode {
    match words {
        ["told", dir] => told(Path::new(dir)),
        _ => panic!("no such part: {words:?}"),
    }
    ExitCode::SUCCESS
}

/// A plan of one tree, with the layers shown that a case wrote.
fn telling(layered: Layered, layers: &[PathBuf]) -> Plan {
    let policy = Library::default().named("offline").unwrap();
    let name = casefile::case::RepoName::parse("code").unwrap();
    let mut shown = policy.shown(Path::new("/"), &[]).unwrap();
    for (nth, from) in layers.iter().cloned().enumerate() {
        let (to, mode) = (inside::changes(&inside::repo(&name), nth), Mode::Read);
        let mount = Mount { from, to, mode };
        shown.push(Shown { mount, by: Giver::Flag(mode), optional: false });
    }
    Plan::new(&Wanted {
        strength: policy.least.value,
        network: policy.network.value,
        local_sockets: false,
        limits: &policy.limits(&Default::default()),
        kept: Vec::new(),
        shown,
        layered: vec![layered],
        program_at: Some(inside::CHANGED.into()),
        scratch: None,
    })
    .unwrap()
}

/// git says the same whether it asks the program or looks for itself, whatever was
/// done, and it does ask.
fn told(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    let script = "git init -q -b main .; git config user.email a@b; git config user.name n; \
                  mkdir -p s/a s/b; for i in 1 2 3 4 5; do echo $i >s/a/$i; echo $i >s/b/$i; done; \
                  printf 'x' >\"$(printf 'odd\\377\\nname')\"; echo '*.o' >.gitignore; \
                  git add -A; git commit -qm first; \
                  git config core.fsmonitor /run/casefile/changed; git config core.untrackedCache true; \
                  git update-index --fsmonitor --untracked-cache 2>/dev/null; git status --porcelain";
    says(&jail, script);
    drop(jail);
    fs::rename(dir.join("changes/upper"), dir.join("frozen")).unwrap();
    changes(dir, "changes");
    empty_work(dir);
    let mut layered = stack.layered("changes", false);
    layered.below.insert(0, dir.join("frozen"));
    let shown = ["changes/upper", "frozen"].map(|layer| dir.join(layer));
    let plan = telling(layered, &shown);
    let jail = zygote.open(&plan).unwrap();
    #[rustfmt::skip]
    let steps = [
        "true",
        "echo more >>file", "git checkout -q file", "rm top", "touch new", "rm new", "git checkout -q top",
        // Removed again, after git knew them.
        "touch new; git add new", "rm new", "git rm -q --cached new",
        "mkdir -p d1/d2; touch d1/d2/f; git add d1; git commit -qm second", "rm d1/d2/f", "rm -r d1", "git checkout -q .",
        // After git wrote them itself.
        "rm -rf d1; git stash -q; rm d1/d2/f", "git reset -q --hard", "git checkout -q HEAD~1", "git checkout -q main; rm d1/d2/f",
        "git reset -q --hard HEAD~1; git reset -q --hard ORIG_HEAD; rm -r d1", "git checkout -q .",
        // Directories and files in each other's place.
        "rm -r s/a", "echo file >s/a", "rm s/a; mkdir s/a; echo 1 >s/a/1", "git checkout -q .",
        "rm s/b/3; mkdir s/b/3; touch s/b/3/x", "rm -r s/b/3", "git checkout -q s", "mv s t", "mv t s",
        "rm -r s; ln -s dir s", "rm s; git checkout -q s", "chmod +x s/a/1", "chmod -x s/a/1",
        // What is not known to git.
        "mkdir -p u/v; touch u/v/1 u/v/2", "rm u/v/1", "rm -r u/v", "rm -r u", "touch a.o s/b.o", "echo >.gitignore", "rm a.o",
        "touch \"$(printf 'other\\376')\"; rm odd*", "git checkout -q .",
        // A repository inside.
        "git init -q inner; touch inner/f", "git -C inner add f; git -C inner -c user.email=a -c user.name=b commit -qm i; git add inner 2>/dev/null",
        "git commit -qm inner; git -C inner -c user.email=a -c user.name=b commit -q --allow-empty -m j", "rm -rf inner",
        "git checkout -q .; git clean -ffdxq; git mv s moved; git commit -qm moved", "git stash -q 2>/dev/null; git gc -q", "git update-index --index-version 4; touch v4; git add v4", "rm v4",
        "git update-index --split-index; touch split; git add split; rm split", "git update-index --no-split-index",
    ];
    for step in steps {
        let script = format!(
            "{step}; GIT_OPTIONAL_LOCKS=0 git -c core.fsmonitor=false -c core.untrackedCache=false status --porcelain >/tmp/looked
            GIT_OPTIONAL_LOCKS=0 git status --porcelain >/tmp/told; diff /tmp/looked /tmp/told
            git status --porcelain >/tmp/told; diff /tmp/looked /tmp/told
            git status --porcelain >/tmp/told; diff /tmp/looked /tmp/told"
        );
        says(&jail, &script);
    }
    let traced = says(&jail, "GIT_TRACE_FSMONITOR=1 git status --porcelain 2>&1");
    assert!(traced.contains("changed' returned success"), "{traced}");
    // Only what is in a layer is looked at.
    assert!(!traced.contains("'link'") && !traced.contains("dir/deep"), "{traced}");
    let said = says(
        &jail,
        "/run/casefile/changed 2 x | tr '\\0' '\\n' | head -n1; cd dir; /run/casefile/changed 2 x >/dev/null && echo below",
    );
    assert_eq!(said, "casefile\nbelow\n");
    // Each by its whole name, which is all that older versions of git go by.
    let script = "cd moved; rm -r a; echo file >a; rm -r b; cd ..; /run/casefile/changed 2 x | tr '\\0' '\\n'";
    let said = says(&jail, script);
    for name in ["moved/a", "moved/a/1", "moved/a/5", "moved/b/1"] {
        assert!(said.lines().any(|line| line == name), "{name} in {said}");
    }
    for script in [
        "/run/casefile/changed 1 x",
        "/run/casefile/changed",
        "cd /tmp; /run/casefile/changed 2 x",
        "echo x >.git/index; /run/casefile/changed 2 x",
    ] {
        let (end, said) = run(&jail, script);
        assert_eq!((end.status, said.as_str()), (Status::Exited(1), ""), "{script}");
    }
    stack.unchanged();
}
