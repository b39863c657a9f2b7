//! `casefile doctor --attack`: every attempt to get out, from a real jail of each
//! strength, as everybody that a jail can be started by.

use serde_json::Value;

use crate::common::{User, World, am_root, binary, users};

fn rows(user: User, policy: &str) -> Vec<Value> {
    let world = World::of(user);
    let outcome = world.run(&["doctor", "--attack", "--json", "--policy", policy]);
    let answer: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{user:?} {policy}: {error}\n{outcome:?}"));
    let rows = answer[0]["rows"].as_array().unwrap().clone();
    let failures: Vec<_> = rows
        .iter()
        .filter(|row| ["WENT THROUGH", "BROKEN"].contains(&row["verdict"].as_str().unwrap()))
        .map(|row| format!("{}: {} ({})", row["id"], row["verdict"], row["why"]))
        .collect();
    assert!(failures.is_empty(), "{user:?} {policy}:\n{}", failures.join("\n"));
    assert_eq!(answer[0]["held"], true);
    let _ = outcome.success();
    assert!(!world.tree().contains("casefile-attack"), "it left:\n{}", world.tree());
    rows
}

/// A control that is not live makes its row worthless, so each kind of control
/// has to be live for whom it is meant.
fn are_live(user: User, policy: &str, rows: &[Value]) {
    let is = |row: &Value, verdict: &str| row["verdict"] == verdict;
    let root = user == User::Same && am_root();
    for row in rows.iter().filter(|row| is(row, "UNPROVED")) {
        let may = ["SomeKernels", "Root"].contains(&row["control"].as_str().unwrap());
        assert!(may, "{user:?} {policy}: {} is not live: {}", row["id"], row["why"]);
    }
    let held = rows.iter().filter(|row| is(row, "held"));
    let by_root = held.clone().filter(|row| row["control"] == "Root").count();
    assert!(130 < held.count(), "{user:?} {policy}: too few are proved");
    assert!(!root || 15 < by_root, "{policy}: as root only {by_root} of root's rows are proved");
}

#[test]
fn nothing_gets_out_of_a_jail_with_namespaces() {
    for user in users() {
        let rows = rows(user, "offline");
        are_live(user, "offline", &rows);
        let allowed: Vec<_> =
            rows.iter().filter(|row| row["verdict"] == "allowed").map(|row| &row["id"]).collect();
        assert_eq!(allowed, ["memory-program"], "{user:?}");
    }
}

#[test]
fn nothing_gets_out_of_a_jail_without_namespaces_but_what_is_said() {
    for user in users() {
        let rows = rows(user, "landlock-only");
        are_live(user, "landlock-only", &rows);
        let allowed = rows.iter().filter(|row| row["verdict"] == "allowed").count();
        assert_eq!(allowed, 8, "{user:?}: the list of what it lacks has grown");
    }
}

#[test]
fn with_a_network_and_without_a_place_to_write_the_rest_holds() {
    for user in users() {
        let _ = rows(user, "open-network");
        let rows = rows(user, "read-only");
        let not_made = rows.iter().filter(|row| row["inside"] == "not made").count();
        assert!(0 < not_made && not_made < 40, "{user:?}: {not_made} rows name the work directory");
    }
}

/// Guards the guard: the probe that is refused is one that can succeed, in the
/// same jail, as soon as the jail grants what it wants.
#[test]
fn the_probe_succeeds_where_the_jail_grants_it() {
    for user in users() {
        let world = World::of(user).file("outside/secret", "secret");
        let probe = format!("{}:/run/casefile-probe", binary().display());
        let outside = world.path("outside").display().to_string();
        let secret = world.path("outside/secret").display().to_string();
        #[rustfmt::skip]
        let table: &[(&[&str], &[&str], &str, i32)] = &[
            // flags                  attempt                          says                          code
            (&[],                     &["read", &secret],              "refused ENOENT",             1),
            (&[],                     &["append", &secret],            "refused ENOENT",             1),
            (&["--read", &outside],   &["read", &secret],              "done",                       0),
            (&["--read", &outside],   &["append", &secret],            "refused EROFS",              1),
            (&["--write", &outside],  &["append", &secret],            "done",                       0),
            (&["--write", &outside],  &["chmod", &secret, "0o4755"],   "refused EPERM",              1),
            (&["--write", &outside],  &["chmod", &secret, "0o640"],    "done mode 640",              0),
            (&[],                     &["fly", &secret],               "broken no verb",             2),
        ];
        for (flags, attempt, says, code) in table {
            let command = [&["run", "--read", &probe], *flags, &["--", "/run/casefile-probe"]];
            let args = [&command.concat()[..], attempt].concat();
            let outcome = world.run(&args).code(*code);
            assert!(outcome.stdout.starts_with(says), "{user:?} {flags:?} {attempt:?}: {outcome}");
        }
        let text = std::fs::read_to_string(world.path("outside/secret")).unwrap();
        assert_eq!(text, "secretx", "{user:?}: one attempt was granted, and one was done");
    }
}

/// A program that is missing is no refusal.
#[test]
fn a_probe_that_is_not_there_is_not_taken_for_a_jail_that_holds() {
    let outcome = World::new().run(&["run", "--", "/run/casefile-probe", "read", "/etc/shadow"]);
    assert!(outcome.stdout.is_empty(), "{outcome}");
    let _ = outcome.code(127);
}
