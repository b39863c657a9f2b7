//! A file that was merely found builds no jail, until its user has looked at it.

use crate::common::{World, users};

#[test]
fn a_found_file_has_to_be_trusted_and_stays_so_until_it_changes() {
    insta::allow_duplicates!(for user in users() {
        let world = World::of(user).file("work/casefile.yaml", "policy: read-only\n");
        let refused = world.run(&["run", "--", "true"]).code(1);
        insta::assert_snapshot!(refused, @"
        --- stderr
        error: `<world>/work/casefile.yaml` is not trusted: it, or a policy beside it, is new or has changed
        hint: Read it and the policies in `sandbox-policy/` beside it, then run `casefile config trust`.
        --- exit status: 1
        ");
        let trusted = world.run(&["config", "trust"]).success();
        insta::assert_snapshot!(trusted, @"<world>/work/casefile.yaml is trusted as it is now");
        let _ = world.run(&["run", "--", "true"]).success();

        world.put(
            "work/sandbox-policy/read-only.yaml",
            "name: read-only\nabout: mine\ninclude: [open-network]\n",
        );
        let changed = world.run(&["run", "--", "true"]).code(1);
        assert!(changed.stderr.contains("is not trusted"), "{changed}");
    });
}

#[test]
fn what_was_named_begun_or_is_the_users_own_needs_no_trust() {
    let named = World::new().file("elsewhere/casefile.yaml", "limits: {memory_mib: 512}\n");
    let file = named.path("elsewhere/casefile.yaml");
    let _ = named.run(&["--config", file.to_str().unwrap(), "run", "--", "true"]).success();

    let begun = World::new();
    let _ = begun.run(&["config", "init"]).success();
    let _ = begun.run(&["run", "--", "true"]).success();

    let own = World::new().file("home/.config/casefile/casefile.yaml", "policy: read-only\n");
    let _ = own.run(&["run", "--", "true"]).success();
}

#[test]
fn no_jail_may_write_where_it_is_decided_what_jails_may_do() {
    let world = World::new();
    let _ = world.run(&["config", "init"]).success();
    for dir in ["home", "state", "state/casefile"] {
        let given = world.path(dir);
        let refused = world.run(&["run", "--write", given.to_str().unwrap(), "--", "true"]);
        // The configuration directory is not there yet, but it would be made here.
        let refused = refused.code(1);
        assert!(refused.stderr.contains("casefile keeps its own in"), "{dir}: {refused}");
    }
    let work = world.path("work");
    let _ = world.run(&["run", "--write", work.to_str().unwrap(), "--", "true"]).success();
}

#[test]
fn the_examples_are_good_and_do_what_they_say() {
    insta::allow_duplicates!(for user in users() {
        let world = World::of(user);
        for name in ["casefile.yaml", "sandbox-policy/build.yaml", "sandbox-policy/logs.yaml"] {
            let text = std::fs::read(format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR")));
            world.put(&format!("work/{name}"), text.unwrap());
        }
        let _ = world.run(&["config", "check"]).success();
        let _ = world.run(&["config", "trust"]).success();
        let ran = world.run(&["run", "--", "sh", "-c", "touch made && ls"]).success();
        insta::assert_snapshot!(ran, @"
        casefile.yaml
        made
        sandbox-policy
        ");
        assert!(world.path("work/made").exists());
        let why = world.run(&["policy", "why", "--policy", "logs", "--", "journalctl", "-u", "x"]);
        assert!(why.to_string().contains("/case/evidence/logs"), "{why}");
    });
}
