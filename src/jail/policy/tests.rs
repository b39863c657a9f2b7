//! Policies as they are written: what is refused and where, and what holds.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{
    Giver, Library, Mode, Mount, Network, NotShown, Policy, PolicyError, Reach, Strength, Verdict,
    Workdir,
};
use crate::config::limits::{Limit, Limits};
use crate::config::{Given, PolicyName, Settings};
use crate::hint::Hint;

const RULE: &str = "{prefix: [rm], verdict: refuse, why: no, matches: [rm -r], misses: [ls]}";

/// A directory of policies, each with a name and a line about it put before.
fn library(policies: &[(&str, &str)]) -> (tempfile::TempDir, Library) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in policies {
        let text = format!("name: {name}\nabout: a test\n{text}");
        std::fs::write(dir.path().join(format!("{name}.yaml")), text).unwrap();
    }
    let library = Library::new(Some(dir.path()));
    (dir, library)
}

fn one(text: &str) -> Policy {
    library(&[("x", text)]).1.named("x").unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn built_in(name: &str) -> Policy {
    Library::default().named(name).unwrap()
}

#[test]
fn what_is_wrong_with_a_policy_has_a_place_and_a_way_out() {
    let rule = |from: &str, to: &str| format!("commands: [{}]", RULE.replace(from, to));
    let long = "a".repeat(301);
    // Two lines stand before each of these.
    #[rustfmt::skip]
    let table = [
        // written, what is said behind the file, and how the hint begins
        ("netwrok: none".to_owned(),               "3:1: unknown key `netwrok`", "Did you mean `network`?"),
        ("network: nnoe".into(),                   "3:10: unknown value `nnoe`", "Did you mean `none`?"),
        ("network: {allow: [a:443]}".into(),       "3:10: a network of named hosts cannot be had yet", "Use `none`, `loopback`"),
        ("least: seccomp".into(),                  "3:8: unknown value `seccomp`", "Use one of"),
        ("workdir: shown".into(),                  "3:10: unknown value `shown`", "Use one of `hidden`, `read`, `write`."),
        ("least: landlock\nlocal_sockets: true".into(), "4:16: `local_sockets` without namespaces would be all of the host's", "Leave it out"),
        ("include: base".into(),                   "3:10: expected a list (`- value`)", ""),
        ("include: [bsae]".into(),                 "3:11: there is no policy `bsae`", "Did you mean `base`?"),
        ("include: [zzzzzz]".into(),               "3:11: there is no policy `zzzzzz`", "Use one of base, landlock-only,"),
        ("include: [../x]".into(),                 "3:11: \"../x\" cannot be the name of a policy", "Use 1 to 64"),
        ("include: [x]".into(),                    "3:11: `x` includes itself: x > x", "Leave one"),
        ("grants: {raed: true}".into(),            "3:10: unknown key `raed`", "Did you mean `read`?"),
        ("grants: {read: yes}".into(),             "3:16: expected `true` or `false`", ""),
        ("files: {read: [usr]}".into(),            "3:16: `usr` is not absolute", "Write the path in full"),
        ("files: {read: [/a/../b]}".into(),        "3:16: `/a/../b` climbs with `..`", "Write the path in full"),
        ("files: {read: [/]}".into(),              "3:16: `/` is the jail's own: it makes one for itself", "Name the files"),
        ("files: {read: [/proc/self]}".into(),     "3:16: `/proc/self` is the jail's own: it makes one for itself", "Name the files"),
        ("files: {write: [/a]}".into(),            "3:9: unknown key `write`", "Use one of `read`, `mounts`."),
        ("files: {mounts: [{from: /a, to: b, mode: read}]}".into(), "3:33: `b` is not absolute", "Write the path in full"),
        ("files: {mounts: [{from: /a, to: /b}]}".into(),            "3:29: `mode` is missing", ""),
        ("files: {mounts: [{from: /a, to: /b, mode: rw}]}".into(),  "3:43: unknown value `rw`", "Use one of `read`, `write`."),
        ("limits: {walls: 5}".into(),              "3:10: unknown key `walls`", "Did you mean `wall_s`?"),
        ("limits: {wall_s: 0}".into(),             "3:18: `wall_s` must be from 1 to 2592000, not 0", ""),
        ("env: {pass: [A-B]}".into(),              "3:14: \"A-B\" cannot be the name of a variable", "Use letters"),
        ("env: {pass: ['A=B']}".into(),            "3:14: \"A=B\" cannot be the name of a variable", "Use letters"),
        ("env: {set: {1A: x}}".into(),             "3:13: \"1A\" cannot be the name of a variable", "Use letters"),
        ("env: {set: {A: 1}}".into(),              "3:16: `1` reads as a number, a boolean or null, and text is meant", "Put it in quotes."),
        ("env: {set: {A: \"\\0\"}}".into(),        "3:16: `A` has a NUL in it or is longer than 4096 bytes", ""),
        ("commands: [{prefix: [rm]}]".into(),      "3:13: `verdict` is missing", ""),
        (rule("refuse", "allow"),                  "3:36: unknown value `allow`", "Use one of `refuse`."),
        (rule(", why: no", ""),                    "3:62: `why` is missing", ""),
        (rule("why: no", "why: ' '"),              "3:49: `why` must say something, in one line", ""),
        (rule("why: no", "why: \"a\\nb\""),        "3:49: `why` must say something, in one line", ""),
        (rule("why: no", &format!("why: {long}")), "3:49: `why` is longer than 300 characters", ""),
        (rule("[rm]", "[]"),                       "3:21: a rule must begin with the bare name of a program", "Write `prefix: [git, push]`"),
        (rule("[rm]", "[/bin/rm]"),                "3:21: a rule must begin with the bare name of a program", "Write `prefix: [git, push]`"),
        (rule("[rm]", "[A=rm]"),                "3:21: a rule must begin with the bare name of a program", "Write `prefix: [git, push]`"),
        (rule("[rm -r]", "[]"),                    "3:62: `matches` has no example", "Give one at least"),
        (rule("[ls]", "[]"),                       "3:79: `misses` has no example", "Give one at least"),
        (rule("[rm -r]", "[ls]"),                  "3:63: `ls` should match, and does not begin with `rm`", "Mend the rule"),
        (rule("[ls]", "[ls, /bin/rm]"),            "3:84: `/bin/rm` should miss, and begins with `rm`", "Mend the rule"),
        (rule("[ls]", "[\"ls 'a\"]"),              "3:80: in `ls 'a` a quote is not closed", ""),
        ("name: y".into(),                         "3:1: `name` is given twice", "Keep one"),
    ];
    for (text, want, hint) in table {
        let (dir, library) = library(&[("x", &text)]);
        let error = library.named("x").expect_err(&text);
        let want = format!("{}:{want}", dir.path().join("x.yaml").display());
        assert_eq!(error.to_string(), want, "{text:?}");
        let got = error.hint().unwrap_or_default();
        assert!(got.starts_with(hint) && got.is_empty() == hint.is_empty(), "{text:?}: {got:?}");
    }
}

#[test]
fn a_policy_is_what_its_file_is_called() {
    let (dir, library) = library(&[("x", "")]);
    let read = |name: &str, text: &str| {
        library
            .read(&dir.path().join(name), text.as_bytes())
            .map_err(|error| error.message().to_owned())
    };
    #[rustfmt::skip]
    let table = [
        ("x.yaml",   "name: x\nabout: y\n",   None),
        ("x.yaml",   "name: y\nabout: y\n",   Some("the name is `y`, and the file's is `x`")),
        ("X.yaml",   "name: X\nabout: y\n",   Some("the file is named wrongly: \"X\" cannot be the name of a policy")),
        ("x.yaml",   "name: x\n",             Some("`about` is missing")),
        ("x.yaml",   "name: x\nabout: ''\n",  Some("`about` must say something, in one line")),
        ("x.yaml",   "about: x\n",            Some("`name` is missing")),
        ("x.yaml",   "",                      Some("the document ends before it says anything")),
    ];
    for (file, text, want) in table {
        assert_eq!(read(file, text).err().as_deref(), want, "{file} {text:?}");
    }
}

#[test]
fn a_name_that_stands_for_nothing_is_refused_with_the_nearest() {
    let (_dir, library) = library(&[("mine", "")]);
    #[rustfmt::skip]
    let table = [
        ("miine",   "there is no policy `miine`", "Did you mean `mine`?"),
        ("ofline",  "there is no policy `ofline`", "Did you mean `offline`?"),
        ("base",    "the policy `base` is only there to be included", "Name a policy that includes it."),
        ("../mine", "\"../mine\" cannot be the name of a policy", "Use 1 to 64 characters out of a-z, 0-9 and `-`."),
    ];
    for (name, want, hint) in table {
        let error = library.named(name).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (want, Some(hint)));
    }
}

#[test]
fn what_is_included_comes_first_and_once() {
    let (_dir, library) = library(&[
        (
            "deep",
            "workdir: write\nnetwork: host\nfiles: {read: [/deep]}\nenv: {pass: [A], set: {B: deep, C: deep}}\nlimits: {wall_s: 5, cpu_s: 5}",
        ),
        (
            "left",
            "include: [deep]\nfiles: {read: [/left]}\nenv: {pass: [A, D]}\ngrants: {write: false}",
        ),
        ("right", "include: [deep]\nfiles: {read: [/right]}\nworkdir: read\nlimits: {wall_s: 6}"),
        (
            "top",
            "include: [left, right]\nfiles: {read: [/top]}\nenv: {set: {B: top}}\ngrants: {read: false}",
        ),
    ]);
    let policy = library.named("top").unwrap();
    let names: Vec<&str> = policy.parts.iter().map(PolicyName::as_str).collect();
    assert_eq!(names, ["deep", "left", "right", "top"]);
    let paths: Vec<&str> =
        policy.files_read.iter().map(|path| path.value.to_str().unwrap()).collect();
    assert_eq!(paths, ["/deep", "/left", "/right", "/top"]);
    let by = |line: Option<&super::Line>| line.map(|line| line.policy.to_string());
    assert_eq!(
        (policy.workdir.value, by(policy.workdir.by.as_ref())),
        (Workdir::Read, Some("right".into()))
    );
    assert_eq!(
        (policy.network.value, by(policy.network.by.as_ref())),
        (Network::Host, Some("deep".into()))
    );
    assert_eq!((policy.least.value, by(policy.least.by.as_ref())), (Strength::Namespaces, None));
    assert_eq!((policy.grants_read.value, policy.grants_write.value), (false, false));
    let pass: Vec<&str> = policy.env_pass.iter().map(|name| name.value.as_str()).collect();
    assert_eq!(pass, ["A", "D"]);
    let set: Vec<(&str, &str)> =
        policy.env_set.iter().map(|(name, value)| (name.as_str(), value.value.as_str())).collect();
    assert_eq!(set, [("B", "top"), ("C", "deep")]);

    // The policy's limit, else the settings', else the default.
    let mut settings = Limits::default();
    settings.set(Limit::Wall, 7).unwrap();
    settings.set(Limit::Disk, 7).unwrap();
    let limits = policy.limits(&settings);
    assert_eq!(limits.get(Limit::Wall), 6);
    assert_eq!(limits.get(Limit::Cpu), 5);
    assert_eq!(limits.get(Limit::Disk), 7);
    assert_eq!(limits.get(Limit::Memory), Limits::default().get(Limit::Memory));
}

#[test]
fn includes_end() {
    let chain: Vec<(String, String)> = (0..40)
        .map(|at| (format!("p{at}"), format!("include: [p{}]", at + 1)))
        .chain([("p40".to_owned(), String::new())])
        .collect();
    let chain: Vec<(&str, &str)> =
        chain.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (_dir, long) = library(&chain);
    let error = long.named("p0").unwrap_err().to_string();
    assert!(error.ends_with("p15.yaml:3:11: a policy is made of 16 files at most"), "{error}");
    assert_eq!(long.named("p25").unwrap().parts.len(), 16);

    let (_dir, round) =
        library(&[("a", "include: [b]"), ("b", "include: [c]"), ("c", "include: [b]")]);
    let error = round.named("a").unwrap_err().to_string();
    assert!(error.ends_with("c.yaml:3:11: `b` includes itself: b > c > b"), "{error}");
}

#[test]
fn a_users_policy_takes_the_place_of_the_built_in_one() {
    let (dir, library) = library(&[("offline", "network: host"), ("base", "")]);
    assert_eq!(library.named("offline").unwrap().network.value, Network::Host);
    assert_eq!(built_in("offline").network.value, Network::None);
    // What includes it gets the user's too.
    assert_eq!(library.named("read-only").unwrap().network.value, Network::Host);

    // One that cannot be read is not passed over for the built-in one.
    std::fs::remove_file(dir.path().join("offline.yaml")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("offline.yaml")).unwrap();
    let Err(PolicyError::Written(error)) = library.named("offline") else {
        panic!("it was passed over")
    };
    assert_eq!(error.message(), "there is no such file");

    std::fs::write(dir.path().join("Not A Policy.yaml"), "").unwrap();
    std::fs::write(dir.path().join("notes.txt"), "").unwrap();
    let names: Vec<String> = library.names().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["base", "landlock-only", "offline", "open-network", "read-only"]);
}

#[test]
fn the_built_in_policies_are_as_strong_as_their_names() {
    #[rustfmt::skip]
    let table = [
        // name            least                 workdir          network        `--write`
        ("offline",        Strength::Namespaces, Workdir::Hidden, Network::None, true),
        ("read-only",      Strength::Namespaces, Workdir::Read,   Network::None, false),
        ("open-network",   Strength::Namespaces, Workdir::Hidden, Network::Host, true),
        ("landlock-only",  Strength::Landlock,   Workdir::Hidden, Network::None, true),
    ];
    for (name, least, workdir, network, write) in table {
        let policy = built_in(name);
        assert_eq!(policy.least.value, least, "{name}");
        assert_eq!(policy.workdir.value, workdir, "{name}");
        assert_eq!(policy.network.value, network, "{name}");
        assert_eq!(policy.grants_write.value, write, "{name}");
        assert!(policy.mounts.is_empty(), "{name}");
        assert!(matches!(policy.judge(&["git", "push"]), Verdict::Refuse(_)), "{name}");
        // Nothing that could tell a secret is passed or shown.
        for secret in [
            "/etc",
            "/etc/shadow",
            "/etc/passwd",
            "/etc/ssl/private",
            "/home",
            "/root",
            "/var",
            "/run",
            "/sys",
            "/",
        ] {
            let reach = policy.reach(Path::new(secret), Path::new("/work"), &[]).unwrap();
            assert_eq!(reach, Reach::Hidden, "{name} shows {secret}");
        }
        let known = ["LANG", "LC_ALL", "TERM", "TZ"];
        assert!(policy.env_pass.iter().all(|passed| known.contains(&passed.value.as_str())));
    }
    assert_eq!(Library::default().names().unwrap().len(), table.len() + 1, "and base");
}

#[test]
fn every_key_of_a_policy_is_in_the_readme() {
    let readme = include_str!("../../../sandbox-policy/README.md");
    // The parser itself says which keys there are.
    let error = library(&[("x", "zzzzzzzz: 1")]).1.named("x").unwrap_err();
    let hint = error.hint().unwrap();
    let keys: Vec<&str> = hint.split('`').skip(1).step_by(2).collect();
    assert!(keys.len() > 8, "{hint}");
    for key in keys {
        let row = [format!("| `{key}` |"), format!("| `{key}.")];
        assert!(row.iter().any(|row| readme.contains(row)), "no row for `{key}`");
    }
}

#[test]
fn of_two_paths_the_deeper_holds_and_of_one_the_later() {
    let policy = one(
        "workdir: read\nfiles:\n  read: [/usr, /work/data]\n  mounts:\n    - {from: /var/log/x, to: /case/evidence/logs, mode: read}\n    - {from: /opt/y, to: /usr/y, mode: write}",
    );
    let work = Path::new("/work/here");
    let asked = |mode, given: &str| Mount::parse(OsStr::new(given), mode, work).unwrap();
    let asked =
        [asked(Mode::Read, "/usr"), asked(Mode::Write, "out"), asked(Mode::Write, "/srv:/case/z")];
    #[rustfmt::skip]
    let table = [
        // asked                      from the host             how                 by
        ("/usr/bin/git",              Some(("/usr/bin/git",     Mode::Read,         "--read"))),
        ("/usr/y/z",                  Some(("/opt/y/z",         Mode::Write,        "files"))),
        ("/usr/../usr/./y",           Some(("/opt/y",           Mode::Write,        "files"))),
        ("/work/data/a",              Some(("/work/data/a",     Mode::Read,         "files"))),
        ("a",                         Some(("/work/here/a",     Mode::Read,         "workdir"))),
        ("out/b",                     Some(("/work/here/out/b", Mode::Write,        "--write"))),
        ("/case/evidence/logs/1",     Some(("/var/log/x/1",     Mode::Read,         "files"))),
        ("/case/z",                   Some(("/srv",             Mode::Write,        "--write"))),
        ("/var/log/x/1",              None),
        ("/work",                     None),
        ("/usrx",                     None),
        ("/",                         None),
    ];
    for (path, want) in table {
        let got = match policy.reach(Path::new(path), work, &asked).unwrap() {
            Reach::Shown { from, by } => Some((from, by.mount.mode, by.by)),
            Reach::Hidden => None,
            Reach::Own(own) => panic!("{path}: {own}"),
        };
        let got = got.as_ref().map(|(from, mode, by)| {
            let by = match by {
                Giver::Files(_) => "files",
                Giver::Workdir(_) => "workdir",
                Giver::Flag(Mode::Read) => "--read",
                Giver::Flag(Mode::Write) => "--write",
                Giver::Case => "case",
            };
            (from.to_str().unwrap(), *mode, by)
        });
        assert_eq!(got, want, "{path}");
    }
    for own in ["/tmp", "/tmp/x", "/dev/null", "/proc/1/environ"] {
        let reach = policy.reach(Path::new(own), work, &asked).unwrap();
        assert!(matches!(reach, Reach::Own(_)), "{own}");
    }
}

#[test]
fn a_jail_started_in_the_root_directory_does_not_show_everything() {
    let policy = one("workdir: write");
    for directory in ["/", "/proc/self", "/dev"] {
        let refused = policy.shown(Path::new(directory), &[]);
        assert!(matches!(refused, Err(NotShown::Workdir { .. })), "{directory}: {refused:?}");
    }
    assert_eq!(one("workdir: hidden").shown(Path::new("/"), &[]), Ok(vec![]));
}

#[test]
fn a_flag_that_is_not_granted_is_refused() {
    let policy = built_in("read-only");
    let mount = |mode| Mount { from: "/a".into(), to: "/a".into(), mode };
    assert!(policy.shown(Path::new("/work"), &[mount(Mode::Read)]).is_ok());
    let refused = policy.shown(Path::new("/work"), &[mount(Mode::Write)]).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.starts_with(
            "the policy `read-only` does not grant `--write` (built-in/read-only.yaml:"
        ),
        "{text}"
    );
}

#[test]
fn what_is_shown_can_be_read_as_yaml() {
    let given = Given { working_directory: PathBuf::from("/"), ..Given::default() };
    let settings = Settings::of(None, &given).unwrap();
    for name in ["offline", "read-only", "open-network", "landlock-only"] {
        let policy = built_in(name);
        let page = super::render(&policy.statements(&settings));
        let read: serde_json::Value = crate::yaml::parse(page.as_bytes(), Path::new(name)).unwrap();
        assert_eq!(read["files"]["read"].as_array().unwrap().len(), policy.files_read.len());
        assert_eq!(read["network"], policy.network.value.to_string());
        assert_eq!(read["env"]["set"]["GIT_TERMINAL_PROMPT"], "0");
        assert_eq!(read["commands"][0]["why"], policy.rules[0].why);
        assert_eq!(
            page.lines().filter(|line| !line.ends_with(':')).count(),
            policy.statements(&settings).len()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Whatever is done to a good policy, it is read or refused at a place.
    #[test]
    fn a_damaged_policy_is_read_or_refused(
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..30, "[-\\[\\]{}:,&*!|>'\"%@`#? \na-z/0-9]{0,6}"),
            1..5,
        ),
    ) {
        let mut bytes = include_bytes!("../../../sandbox-policy/base.yaml").to_vec();
        for (at, cut, put) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, put.into_bytes());
        }
        if let Err(error) = Library::default().read(Path::new("base.yaml"), &bytes) {
            prop_assert!(error.place().is_some(), "{error}");
        }
    }
}
