//! Every failure that a client can be told of, provoked.

#![expect(unsafe_code, reason = "a fault is planted in the server before it begins")]

use std::os::unix::process::CommandExt;

use serde_json::{Value, json};

use crate::client::{Client, MODERN};
use crate::common::users;
use crate::world_of;

#[test]
fn each_failure_says_what_happened_what_to_do_and_its_code() {
    for user in users() {
        let world = world_of(user);
        let mut client = Client::start(&world, &[], MODERN);
        let id = client.open();
        let held = crate::ground::open(&world, &["--repo", "app", "--title", "held"]);
        let mut other = Client::start(&world, &["--case", &held], MODERN);
        other.good("shell", json!({"command": "true"}));
        let closed = client.open();
        client.good("close_case", json!({"case": closed}));
        let with = |more: Value| {
            let mut all = json!({"case": id});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        #[rustfmt::skip]
        let table = [
            // tool, arguments, code, and a part of what is said
            ("reed_file",  json!({}),                              "NOT_FOUND",            "hint: Did you mean `read_file`?"),
            ("journal",    json!({}),                              "NOT_FOUND",            "hint: Call it through `call_tool`"),
            ("read_file",  json!({"path": "a"}),                   "VALIDATION_ERROR",     "error: `case`: it is needed"),
            ("read_file",  json!({"case": "nobody-aaaaaa", "path": "a"}), "NOT_FOUND",     "error: there is no case `nobody-aaaaaa`"),
            ("read_file",  with(json!({})),                        "VALIDATION_ERROR",     "error: `path`: it is needed"),
            ("read_file",  with(json!({"pth": "a"})),              "VALIDATION_ERROR",     "hint: Did you mean `path`?"),
            ("read_file",  with(json!({"path": "a", "lines": "many"})), "VALIDATION_ERROR", "hint: Give a whole number from 0."),
            ("read_file",  with(json!({"path": "repos/app/one.text"})), "NOT_FOUND",       "hint: Did you mean `repos/app/one.txt`?"),
            ("grep",       with(json!({"pattern": "a("})),         "VALIDATION_ERROR",     "unclosed group"),
            ("grep",       with(json!({"pattern": "a", "mode": "all"})), "VALIDATION_ERROR", "hint: Give one of `lines`, `files`, `count`."),
            ("shell",      with(json!({"command": "true", "timeout_s": 100_000})), "VALIDATION_ERROR", "`timeout_s`"),
            ("shell",      with(json!({"command": "true", "cwd": "/nowhere"})), "VALIDATION_ERROR", "`cwd`"),
            ("shell",      with(json!({"command": "git push"})),   "POLICY_DENIED",        "error: the policy `offline` refuses this"),
            ("write_file", with(json!({"path": "evidence/a", "text": "a"})), "FORBIDDEN",  "is read-only"),
            ("write_file", with(json!({"path": "repos/app/one.txt", "text": "a"})), "VALIDATION_ERROR", "cause: it exists already"),
            ("write_file", with(json!({"path": "a", "text": "a", "mode": "append", "old": "b"})), "VALIDATION_ERROR", "does not go with `mode`"),
            ("call_tool",  json!({"name": "background", "arguments": with(json!({"handle": "bg-x"}))}), "NOT_FOUND", "there is no command `bg-x`"),
            ("call_tool",  json!({"name": "fork_kase"}),           "NOT_FOUND",            "hint: Did you mean `fork_case`?"),
            ("call_tool",  json!({"name": "policy_why", "arguments": with(json!({"command": "echo 'a"}))}), "VALIDATION_ERROR", "a quote is not closed"),
            ("call_read_only_tool", json!({"name": "fork_case", "arguments": with(json!({}))}), "FORBIDDEN", "hint: Call it through `call_tool`."),
            ("open_case",  json!({"repos": ["../app"]}),           "FORBIDDEN",            "only a person may open"),
            ("open_case",  json!({"repos": ["appp"]}),             "NOT_FOUND",            "hint: Did you mean `app`?"),
            ("open_case",  json!({"repos": ["app@nothing"]}),      "VALIDATION_ERROR",     "`app` knows no revision `nothing`"),
            ("open_case",  json!({"at": "once upon a time"}),      "VALIDATION_ERROR",     "is no time"),
            ("read_file",  json!({"case": held, "path": "notes"}), "CASE_IN_USE",          "is in use by `casefile mcp`"),
            ("read_file",  json!({"case": closed, "path": "a"}),   "INVESTIGATION_CLOSED", "hint: Go on in a fork of it, or open another case."),
        ];
        for (tool, arguments, code, part) in table {
            let text = client.bad(tool, arguments.clone());
            let whole = format!("{tool} {arguments}: {text}");
            assert!(text.starts_with("error: "), "{whole}");
            assert!(text.contains("\nhint: "), "{whole}");
            assert!(text.ends_with(&format!("\ncode: {code}\n")), "{whole}");
            assert!(text.contains(part), "{whole}");
        }
        // After all that it is as well as before.
        client.good("read_file", with(json!({"path": "repos/app/one.txt"})));
    }
}

#[test]
fn what_the_host_lacks_is_told_and_nothing_was_done() {
    for user in users() {
        let world = world_of(user);
        // Found, and trusted by nobody.
        world.put("work/casefile.yaml", "policy: offline\n");
        let refused = world.run(&["mcp"]);
        assert_eq!(refused.status.code(), Some(1), "{refused}");
        assert!(refused.stdout.is_empty(), "{refused}");
        std::fs::remove_file(world.path("work/casefile.yaml")).unwrap();

        let mut client = Client::start(&world, &[], MODERN);
        let id = client.open();
        let journal = world.state().join(format!("cases/{id}/journal.jsonl"));
        client.good("shell", json!({"case": id, "command": "true"}));
        client.good("call_tool", json!({"name": "fork_case", "arguments": {"case": id}}));
        std::fs::write(&journal, "").unwrap();
        let text = client.bad("shell", json!({"case": id, "command": "true"}));
        assert!(text.contains("does not end where it was left"), "{text}");
        assert!(text.ends_with("code: UNKNOWN_ERROR\n"), "{text}");
    }
}

/// What is done to the server before it begins: it can make no more user namespaces.
fn no_more_namespaces() -> std::io::Result<()> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    // Whoever changed his uid owns his files in /proc again only after this.
    nix::sys::prctl::set_dumpable(true)?;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    std::fs::write("/proc/sys/user/max_user_namespaces", "0")
}

#[test]
fn without_a_jail_nothing_is_done_and_that_is_said() {
    for user in users() {
        let world = world_of(user);
        let mut command = world.command(&["mcp"]);
        command.stdin(std::process::Stdio::piped());
        // SAFETY: it makes system calls and writes to files of /proc, and waits for no
        // lock.
        unsafe { command.pre_exec(no_more_namespaces) };
        let mut client = Client::of(command.spawn().unwrap(), MODERN);
        let id = client.open();
        for (tool, arguments) in [
            ("shell", json!({"case": id, "command": "true"})),
            ("read_file", json!({"case": id, "path": "repos"})),
        ] {
            let text = client.bad(tool, arguments);
            assert!(text.ends_with("\ncode: JAIL_UNAVAILABLE\n"), "{text}");
            assert!(text.contains("\nhint: "), "{text}");
        }
        let verified = world.run(&["journal", "verify", &id]).success();
        assert_eq!(verified.stdout, "2 lines, each as it was written\n");
    }
}
