//! Which tools may be served at all, asked before any is.

use super::catalogue::{CORE, LONG_TAIL};

/// The tools that a door may lead to. One that is not here is behind none, whoever adds
/// it above.
const ALLOWED: &[&str] =
    &["case_status", "journal", "fork_case", "case_diff", "background", "policy_why"];

/// Names that must never be there: what they say is for a person, on the host.
const NEVER: &[&str] = &[
    "add_repo",
    "branch",
    "config_trust",
    "exec_host",
    "gc",
    "host_shell",
    "install_policy",
    "read_host_file",
    "remove_case",
    "rm",
    "run_on_host",
    "set_policy",
    "token_create",
    "trust",
    "write_host_file",
];

/// The catalogue has a tool that it must not have.
#[derive(Debug, thiserror::Error)]
#[error("the tool `{name}` may not be served: {why}")]
pub struct Unservable {
    name: &'static str,
    why: &'static str,
}

impl crate::hint::Hint for Unservable {}

/// Says whether nothing is served that must not be. Asked before anything is.
pub(super) fn check() -> Result<(), Unservable> {
    checked(CORE.iter().map(|tool| tool.name), LONG_TAIL.iter().map(|(_, tool)| tool.name))
}

fn checked(
    core: impl Iterator<Item = &'static str>,
    behind: impl Iterator<Item = &'static str>,
) -> Result<(), Unservable> {
    let mut seen = Vec::new();
    let tools = core.map(|name| (name, false)).chain(behind.map(|name| (name, true)));
    for (name, is_behind) in tools {
        let unservable = |why| Err(Unservable { name, why });
        if NEVER.contains(&name) {
            return unservable("its name is for a person, on the host");
        }
        if is_behind && !ALLOWED.contains(&name) {
            return unservable("it is not on the list of what a door may lead to");
        }
        if seen.contains(&name) {
            return unservable("two have this name");
        }
        seen.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::LONG_TAIL;
    use super::{ALLOWED, NEVER, check, checked};

    #[test]
    fn what_must_not_be_served_is_found() {
        check().unwrap();
        type Names = &'static [&'static str];
        #[rustfmt::skip]
        let table: [(Names, Names, &str); 5] = [
            (&["grep"],         &["journal"],            ""),
            (&["grep", "grep"], &[],                     "the tool `grep` may not be served: two have this name"),
            (&["journal"],      &["journal"],            "the tool `journal` may not be served: two have this name"),
            (&["host_shell"],   &[],                     "the tool `host_shell` may not be served: its name is for a person, on the host"),
            (&[],               &["something_new"],      "the tool `something_new` may not be served: it is not on the list of what a door may lead to"),
        ];
        for (core, behind, want) in table {
            let got = checked(core.iter().copied(), behind.iter().copied());
            assert_eq!(got.map_or_else(|error| error.to_string(), |()| String::new()), want);
        }
        assert!(ALLOWED.iter().all(|name| !NEVER.contains(name)));
        assert_eq!(ALLOWED.len(), LONG_TAIL.len());
    }
}
