//! `casefile doctor`, and what a jail says that cannot be built: the fault is
//! planted, and the layer, who refused it and the way out have to be named.

#![expect(unsafe_code, reason = "a fault is planted between fork and exec")]

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use crate::common::{World, users};

/// What is done to a process before it becomes casefile.
type Fault = fn() -> std::io::Result<()>;

fn planted(mut command: Command, fault: Fault) -> Command {
    // SAFETY: the faults make system calls and write to files of /proc; the tests
    // hold no lock that they would wait for.
    unsafe { command.pre_exec(fault) };
    command
}

/// A user namespace of its own, whose root is the user who runs the tests.
fn own_namespaces(more: CloneFlags) -> std::io::Result<()> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    // Whoever changed his uid owns his files in /proc again only after this.
    nix::sys::prctl::set_dumpable(true)?;
    unshare(CloneFlags::CLONE_NEWUSER | more)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

fn no_more_namespaces() -> std::io::Result<()> {
    own_namespaces(CloneFlags::empty())?;
    std::fs::write("/proc/sys/user/max_user_namespaces", "0")
}

fn covered_proc() -> std::io::Result<()> {
    own_namespaces(CloneFlags::CLONE_NEWNS)?;
    let sys = Some("/proc/sys");
    Ok(mount(sys, "/proc/sys", None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?)
}

fn filter_on_namespaces() -> std::io::Result<()> {
    // As container engines do: a call that would make a user namespace is refused.
    refuse(libc::SYS_clone, Some(libc::CLONE_NEWUSER), libc::EPERM)
}

fn filter_on_landlock() -> std::io::Result<()> {
    refuse(libc::SYS_landlock_create_ruleset, None, libc::ENOSYS)
}

fn landlock_switched_off() -> std::io::Result<()> {
    refuse(libc::SYS_landlock_create_ruleset, None, libc::EOPNOTSUPP)
}

/// Has this process and its children refused a call, perhaps only with a flag.
fn refuse(call: i64, flag: Option<i32>, errno: i32) -> std::io::Result<()> {
    let number = |value: i64| u32::try_from(value).unwrap();
    let code = |bits: u32| u16::try_from(bits).unwrap();
    let load = |at| libc::sock_filter {
        code: code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS),
        jt: 0,
        jf: 0,
        k: at,
    };
    let jump = |kind, k, jt, jf| libc::sock_filter {
        code: code(libc::BPF_JMP | kind | libc::BPF_K),
        jt,
        jf,
        k,
    };
    let give = |k| libc::sock_filter { code: code(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k };
    let flag = flag.map_or(u32::MAX, i32::cast_unsigned);
    // Without a flag the test is on the call's number, which has some bit set.
    let looked_at = if flag == u32::MAX { 0 } else { 16 };
    let program = [
        load(0),
        jump(libc::BPF_JEQ, number(call), 0, 3),
        load(looked_at),
        jump(libc::BPF_JSET, flag, 0, 1),
        give(libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()),
        give(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 6, filter: program.as_ptr().cast_mut() };
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: the kernel reads the six instructions above and keeps none of them.
    let answer =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if answer == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn a_layer_that_is_refused_is_named_and_nothing_is_run() {
    #[rustfmt::skip]
    let table: &[(Fault, &str, &str, &str)] = &[
        // fault                 policy           the error says                                          the hint says
        (filter_on_namespaces,   "offline",       "Operation not permitted (refused by a seccomp filter", "landlock-only"),
        (filter_on_landlock,     "offline",       "Function not implemented (refused by a seccomp filter", "seccomp profile"),
        (filter_on_landlock,     "landlock-only", "Function not implemented (refused by a seccomp filter", "seccomp profile"),
        (landlock_switched_off,  "offline",       "error: the jail could not be built: Landlock: ",                        "seccomp profile"),
    ];
    for user in users() {
        for (fault, policy, says, way_out) in table {
            let world = World::of(user);
            let args = ["run", "--policy", policy, "--", "touch", "ran"];
            let outcome = world.finish(planted(world.command(&args), *fault)).code(125);
            assert!(outcome.stderr.contains(says), "{user:?} {policy}: {outcome}");
            assert!(outcome.stderr.contains(way_out), "{user:?} {policy}: {outcome}");
            assert!(outcome.stdout.is_empty() && !world.tree().contains("ran"), "{outcome:?}");
        }
    }
}

/// Only a user who is not root can be in such a namespace and still be somebody
/// whom a jail can run as.
#[test]
fn a_limit_of_namespaces_and_a_covered_proc_are_named() {
    #[rustfmt::skip]
    let table: &[(Fault, &str, &str)] = &[
        // fault               the error says                                        the hint says
        (no_more_namespaces,   "namespaces: making them: No space left on device (refused by the limit `user.max_user_namespaces` of 0)", "sysctl -w user.max_user_namespaces=10000"),
        (covered_proc,         "/proc: putting /proc in place: Operation not permitted (refused by the kernel, as `/proc/sys` is covered", "systempaths=unconfined"),
    ];
    let user = *users().last().unwrap();
    for (fault, says, way_out) in table {
        let world = World::of(user);
        let command = world.command(&["run", "--", "true"]);
        let outcome = world.finish(planted(command, *fault)).code(125);
        assert!(outcome.stderr.contains(says) && outcome.stderr.contains(way_out), "{outcome}");

        let command = world.command(&["doctor"]);
        let outcome = world.finish(planted(command, *fault)).code(1);
        assert!(
            outcome.stdout.contains("to mend") && outcome.stdout.contains(way_out),
            "{outcome}"
        );
    }
}

#[test]
fn a_host_that_gives_all_is_ready_and_each_policy_is_tried() {
    for user in users() {
        let world = World::of(user);
        let page = world.run(&["doctor"]).success().stdout;
        assert!(page.contains(" *  offline ") && !page.contains(" missing "), "{user:?}: {page}");
        assert_eq!(page.matches("in full").count(), 4, "{user:?}: {page}");
        assert!(!world.tree().contains("casefile-"), "{}", world.tree());

        let answer = world.run(&["doctor", "--json"]).success().stdout;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["ready"], true);
        let limits_by = &answer["policies"][0]["limits_by"];
        assert!(limits_by.as_str().is_some_and(|by| !by.is_empty()), "{answer}");
    }
}

#[test]
fn the_policy_that_is_set_decides_whether_the_host_is_ready() {
    let world = World::new().file("work/casefile.yaml", "policy: landlock-only\n");
    let _ = world.run(&["config", "trust"]).success();
    let command = world.command(&["doctor", "--json"]);
    let outcome = world.finish(planted(command, filter_on_namespaces)).success();
    let answer: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let of = |name: &str| {
        let policies = answer["policies"].as_array().unwrap();
        policies.iter().find(|policy| policy["name"] == name).unwrap().clone()
    };
    assert_eq!(of("landlock-only")["in_full"], true);
    assert_eq!(of("offline")["in_full"], false);
    assert!(of("offline")["way_out"].as_str().unwrap().contains("seccomp"), "{answer:#}");
}

/// A checkout that is taken in where it lies, and a case of it.
fn with_a_case(world: &World) -> String {
    world.put("work/app/one.txt", "one\n");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["commit", "-q", "-m", "one"],
        &["repack", "-qad"],
    ] {
        let mut git = world.program("git");
        git.args(args).current_dir(world.path("work/app"));
        let _ = world.finish(git).success();
    }
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    let answer = world.run(&["open", "--repo", "app", "--json"]).success().stdout;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["id"].as_str().unwrap().to_owned()
}

fn store(world: &World) -> Vec<(String, String, String, String)> {
    let answer = world.run(&["doctor", "--json"]).success().stdout;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let store = answer["store"].as_array().unwrap().iter();
    let keys = ["name", "state", "value", "way_out"];
    store.map(|finding| keys.map(|key| text(finding, key)).into()).collect()
}

#[test]
fn what_is_kept_is_looked_at_and_each_fault_has_its_line() {
    type Harm = fn(&World, &str);
    #[rustfmt::skip]
    let table: &[(&str, Harm, &str, &str, &str)] = &[
        // what is told of   what was done to it                           state      value                        way out
        ("mirror app",  |world, _| std::fs::rename(world.path("work/app"), world.path("work/moved")).unwrap(),
                                                                           "missing", "objects of `app` are gone", "Put the checkout back"),
        ("mirror app",  |world, _| cut_packs(world),                       "missing", "missing, cut short",        "casefile repo rm app"),
        ("case ID",     |world, _| { let _ = world.run(&["repo", "rm", "app", "--force"]).success(); },
                                                                           "missing", "mirror of `app` is not",    "casefile repo add app"),
        ("case ID",     |world, _| std::fs::remove_dir_all(world.state().join("store/snapshots")).unwrap(),
                                                                           "less",    "snapshot of `app` is gone", "made again"),
        ("case ID",     |world, id| world.put(&format!("state/casefile/cases/{id}/case.yaml"), "titel: x\n"),
                                                                           "missing", "`format` is missing",       "casefile rm"),
        ("leftovers",   |world, _| world.put("state/casefile/store/snapshots/app/.building-x/files/a", ""),
                                                                           "less",    "1 of killed commands",      "casefile gc"),
        ("leftovers",   |world, _| world.put("state/casefile/cases/.unfinished-x/lock", ""),
                                                                           "less",    "1 of killed commands",      "casefile gc"),
        ("clock",       |world, id| opened_later(world, id),               "less",    "opened on 2999-",           "Set the clock"),
    ];
    for user in users() {
        for (name, harm, state, value, way_out) in table {
            let world = World::of(user);
            assert!(store(&world).is_empty(), "{user:?}: nothing is kept yet");
            assert!(!world.state().exists(), "{user:?}: looking makes nothing");
            let id = with_a_case(&world);
            let whole = store(&world);
            let words: Vec<_> = whole.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect();
            let want = ["mirrors", "cases", "leftovers", "overlay on it", "room"];
            assert_eq!(words, want.map(|name| (name, "ok")), "{user:?}: {whole:?}");
            harm(&world, &id);
            let name = name.replace("ID", &id);
            let found = store(&world);
            let line = found.iter().find(|it| it.0 == name).unwrap_or_else(|| panic!("{found:?}"));
            assert_eq!(line.1, *state, "{user:?}: {line:?}");
            assert!(line.2.contains(value) && line.3.contains(way_out), "{user:?}: {line:?}");
            // A policy can run in full whatever the cases are like.
            let page = world.run(&["doctor"]).success().stdout;
            assert!(page.contains("cases and what they share"), "{page}");
            assert!(page.contains("to mend\n") && !line.3.is_empty(), "{page}");
            if way_out.contains("gc") {
                let _ = world.run(&["gc"]).success();
                assert!(store(&world).iter().all(|it| it.1 == "ok"), "{:?}", store(&world));
            }
        }
    }
}

fn cut_packs(world: &World) {
    let packs = std::fs::read_dir(world.path("work/app/.git/objects/pack")).unwrap().flatten();
    let pack = packs.map(|entry| entry.path()).find(|it| it.extension().unwrap() == "pack");
    let pack = pack.unwrap();
    let bytes = std::fs::read(&pack).unwrap();
    std::fs::remove_file(&pack).unwrap();
    std::fs::write(&pack, &bytes[..bytes.len() - 3]).unwrap();
}

fn opened_later(world: &World, id: &str) {
    let file = world.state().join("cases").join(id).join("case.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.contains("opened:")).unwrap();
    let later = line.split_once("opened:").unwrap().0.to_owned() + "opened: 2999-01-01T00:00:00Z";
    std::fs::write(&file, text.replace(line, &later)).unwrap();
}
