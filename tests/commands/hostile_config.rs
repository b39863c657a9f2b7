//! Configuration files that mean harm: every one is refused with its place, or
//! is good, and none costs much memory or time.
//!
//! Each goes through the real program, held to 100 MB of address space and to a
//! time: a parser that grew past the one would abort, past the other be killed.

use casefile::config::{Given, Settings};
use proptest::prelude::*;

use crate::common::{Outcome, User, World, am_root, binary, users};

const MEMORY_KIB: u64 = 100 * 1000;
const PATIENCE_S: &str = "20";

/// What is in the file, and what must be said about it: `good`, or the end of
/// the message from the place on.
fn table() -> Vec<(Vec<u8>, &'static str)> {
    let deep = |open: &str, times: usize| open.repeat(times).into_bytes();
    let lines = |line: fn(usize) -> String, count: usize| -> Vec<u8> {
        (0..count).map(line).collect::<String>().into_bytes()
    };
    let text = |text: &str| text.as_bytes().to_vec();
    #[rustfmt::skip]
    let table = vec![
        // Nothing at all.
        (text(""), "good"),
        (text("\n\n\n"), "good"),
        (text("# only a comment"), "good"),
        (text("---\n"), "good"),
        (text("---\n...\n"), "good"),
        (text("~"), "good"),
        (text("{}"), "good"),
        (text("\u{feff}policy: offline\n"), "good"),
        (text("policy: offline\r\nlimits:\r\n  wall_s: 5\r\n"), "good"),
        (text("home:\npolicy:\nlimits:\n"), "good"),
        (text("limits: {}"), "good"),
        (text("%YAML 1.2\n---\npolicy: offline\n"), "good"),
        (text("{\"policy\": \"offline\", \"limits\": {\"wall_s\": 5}}"), "good"),

        // Bytes that are not text.
        (vec![0], "1:1: a control character, U+0000"),
        (b"policy: off\0line\n".to_vec(), "1:12: a control character, U+0000"),
        (b"\x7fELF\x02\x01\x01".to_vec(), "1:1: a control character, U+007F"),
        (b"policy: \xff\xfe\n".to_vec(), "1:9: the bytes here are not UTF-8"),
        (b"policy: offline\nhome: \xc3\x28\n".to_vec(), "2:7: the bytes here are not UTF-8"),
        (b"# \xed\xa0\x80 a lone surrogate".to_vec(), "1:3: the bytes here are not UTF-8"),
        (b"policy: \xc0\xaf\n".to_vec(), "1:9: the bytes here are not UTF-8"),
        (b"\xff\xfep\0o\0l\0".to_vec(), "1:1: the text is UTF-16, not UTF-8"),
        (b"\xfe\xff\0p\0o\0l".to_vec(), "1:1: the text is UTF-16, not UTF-8"),
        (b"p\0o\0l\0i\0c\0y\0".to_vec(), "1:2: a control character, U+0000"),
        (b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "1:2: the bytes here are not UTF-8"),
        (text("policy: \u{1b}[31mred"), "1:9: a control character, U+001B"),
        (text("policy: \"\\e[31mred\""), "1:9: \"\\u{1b}[31mred\" cannot be the name of a policy"),
        (text("\"\\u202e\": 1"), "1:1: unknown key `\\u{202e}`"),
        (text("po\u{202e}licy: x"), "1:1: unknown key `po\\u{202e}licy`"),
        (text("policy: \u{85}"), "1:9: \"\\u{85}\" cannot be the name of a policy"),
        (text("policy: off\u{2028}line"), "1:9: \"off\\u{2028}line\" cannot be the name of a policy"),
        ((0..=255).collect(), "2:118: the bytes here are not UTF-8"),
        (vec![0xff; 100_000], "1:1: the bytes here are not UTF-8"),
        (vec![0; 100_000], "1:1: a control character, U+0000"),

        // Not YAML.
        (text("policy: \"offline"), "1:9: not valid YAML: unclosed quote"),
        (text("policy: 'offline\n"), "2:1: not valid YAML: invalid indentation in multiline quoted scalar"),
        (text("policy: \"\\q\""), "1:9: not valid YAML: while parsing a quoted scalar, found unknown escape character"),
        (text("policy: [offline"), "1:9: expected a single value"),
        (text("limits: {wall_s: 5"), "1:9: not valid YAML: unclosed bracket '{'"),
        (text("limits: {wall_s: 5]"), "1:9: not valid YAML: mismatched bracket '{' closed by ']'"),
        (text("}"), "1:1: not valid YAML: misplaced bracket"),
        (text("]"), "1:1: not valid YAML: misplaced bracket"),
        (text(":"), "1:1: expected text, and nothing is here"),
        (text("?"), "1:2: expected text, and nothing is here"),
        (text("-"), "1:1: expected a mapping (`key: value`)"),
        (text("@home: x"), "1:1: not valid YAML: unexpected character: `@'"),
        (text("policy: `x`"), "1:9: not valid YAML: unexpected character: ``'"),
        (text("policy: a: b"), "1:10: not valid YAML: mapping values are not allowed in this context"),
        (text("policy: offline\n  home: x"), "2:7: not valid YAML: mapping values are not allowed in this context"),
        (text("policy: offline\n home: x"), "2:6: not valid YAML: mapping values are not allowed in this context"),
        (text("limits:\nwall_s: 5"), "2:1: unknown key `wall_s`"),
        (text("limits:\n\twall_s: 5\n"), "2:2: not valid YAML: tabs disallowed within this context (block indentation)"),
        (text("\tpolicy: offline"), "good"),
        (text("policy:\toffline"), "good"),
        (text("policy: >\n\toffline"), "1:9: not valid YAML: a block scalar content cannot start with a tab"),
        (text("%YAML 9.9\n---\n"), "1:1: not valid YAML: unsupported YAML major version"),
        (text("%TAG ! x\n%TAG ! y\n---\n"), "2:1: not valid YAML: the TAG directive must only be given at most once per handle in the same document"),
        (text("%\n"), "1:2: not valid YAML: while scanning a directive, could not find expected directive name"),
        (text("policy: |99\n  x"), "1:9: not valid YAML: while scanning a block scalar, did not find expected comment or line break"),
        (text("policy offline"), "1:1: expected a mapping (`key: value`)"),

        // The wrong kind of thing.
        (text("offline"), "1:1: expected a mapping (`key: value`)"),
        (text("5"), "1:1: expected a mapping (`key: value`)"),
        (text("true"), "1:1: expected a mapping (`key: value`)"),
        (text("- policy: offline"), "1:1: expected a mapping (`key: value`)"),
        (text("[]"), "1:1: expected a mapping (`key: value`)"),
        (text("policy: [offline]"), "1:9: expected a single value"),
        (text("policy: {name: offline}"), "1:9: expected a single value"),
        (text("policy: 5"), "1:9: `5` reads as a number, a boolean or null, and text is meant"),
        (text("policy: 0x1f"), "1:9: `0x1f` reads as a number, a boolean or null, and text is meant"),
        (text("policy: 1e3"), "1:9: `1e3` reads as a number, a boolean or null, and text is meant"),
        (text("policy: true"), "1:9: `true` reads as a number, a boolean or null, and text is meant"),
        (text("policy: .nan"), "1:9: `.nan` reads as a number, a boolean or null, and text is meant"),
        (text("home: 5"), "1:7: `5` reads as a number, a boolean or null, and text is meant"),
        (text("home: []"), "1:7: expected a single value"),
        (text("home: false"), "1:7: `false` reads as a number, a boolean or null, and text is meant"),
        (text("limits: 5"), "1:9: expected a mapping (`key: value`)"),
        (text("limits: wall_s"), "1:9: expected a mapping (`key: value`)"),
        (text("limits: [wall_s]"), "1:9: expected a mapping (`key: value`)"),
        (text("limits: [{wall_s: 5}]"), "1:9: expected a mapping (`key: value`)"),
        (text("limits: {wall_s: {}}"), "1:18: expected a single value"),
        (text("limits: {wall_s: [5]}"), "1:18: expected a single value"),
        (text("limits: {wall_s: fast}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: }"), "1:16: expected a whole number from 0 up"),
        (text("limits: {wall_s: true}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: 5s}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: 00:05}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: 1 000}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: 1,000}"), "1:20: `000` reads as a number, a boolean or null, and text is meant"),

        // Numbers past what they may be.
        (text("limits: {wall_s: 0}"), "1:18: `wall_s` must be from 1 to 2592000, not 0"),
        (text("limits: {wall_s: -5}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: 1.5}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: 1e3}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: .inf}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: .nan}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: 010}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: 0x10}"), "good"),
        (text("limits: {wall_s: 2592001}"), "1:18: `wall_s` must be from 1 to 2592000, not 2592001"),
        (text("limits:\n  memory_mib: 15"), "2:15: `memory_mib` must be from 16 to 1048576, not 15"),
        (text("limits: {memory_mib: 1048577}"), "1:22: `memory_mib` must be from 16 to 1048576, not 1048577"),
        (text("limits: {wall_s: 18446744073709551615}"), "1:18: `wall_s` must be from 1 to 2592000, not 18446744073709551615"),
        (text("limits: {wall_s: 18446744073709551616}"), "1:18: expected a whole number from 0 up"),
        (text("limits: {wall_s: -9223372036854775809}"), "1:18: expected a whole number from 0 up"),
        ([text("limits: {wall_s: "), deep("9", 100_000), text("}")].concat(), "1:18: expected a whole number from 0 up"),

        // Words nobody knows, and words given twice.
        (text("polcy: offline"), "1:1: unknown key `polcy`"),
        (text("Policy: offline"), "1:1: unknown key `Policy`"),
        (text("\"\": x"), "1:1: unknown key ``"),
        (text("policies:\n  - x\n"), "1:1: unknown key `policies`"),
        (text("limits:\n  wall_s: 5\n  walls: 5\n"), "3:3: unknown key `walls`"),
        (text("limits: {WALL_S: 5}"), "1:10: unknown key `WALL_S`"),
        (text("limits: {\"\": 5}"), "1:10: unknown key ``"),
        (text("limits: {5: 5}"), "1:10: `5` reads as a number, a boolean or null, and text is meant"),
        (text("limits: {~: 5}"), "1:10: expected text, and nothing is here"),
        (text("null: 5"), "1:1: expected text, and nothing is here"),
        (text("? [a, b]\n: c"), "1:3: expected a single value"),
        (text("? {a: b}\n: c"), "1:3: expected a single value"),
        (text("limits: {[a]: 5}"), "1:10: expected a single value"),
        (text("policy: a\npolicy: b"), "2:1: `policy` is given twice"),
        (text("policy: a\n\"policy\": b"), "2:1: `policy` is given twice"),
        (text("{policy: a, policy: b}"), "1:13: `policy` is given twice"),
        (text("limits:\n  wall_s: 5\n  wall_s: 6\n"), "3:3: `wall_s` is given twice"),
        (text("limits: {}\nlimits: {}"), "2:1: `limits` is given twice"),
        (text("policy: Offline"), "1:9: \"Offline\" cannot be the name of a policy"),
        (text("policy: ../../etc/passwd"), "1:9: \"../../etc/passwd\" cannot be the name of a policy"),
        (text("policy: \"a\\0b\""), "1:9: \"a\\0b\" cannot be the name of a policy"),
        (text("policy: ''"), "1:9: \"\" cannot be the name of a policy"),
        (text("policy: |\n  offline\n"), "2:3: \"offline\\n\" cannot be the name of a policy"),
        (text("home: ''"), "1:7: `home` must be the path of a directory"),
        (text("home: \"/a\\0b\""), "1:7: `home` must be the path of a directory"),
        ([text("policy: "), deep("a", 65)].concat(), "1:9: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" cannot be the name of a policy"),
        ([text("home: /"), deep("a", 5_000)].concat(), "1:7: `home` must be the path of a directory"),
        ([text("home: "), deep("a", 900_000)].concat(), "1:7: `home` must be the path of a directory"),
        ([deep("k", 900), text(": 1")].concat(), "1:1: unknown key `kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...`"),
        ([deep("k", 900_000), text(": 1")].concat(), "1:1: expected a mapping (`key: value`)"),
        (text("policy: ${HOME}"), "1:9: \"${HOME}\" cannot be the name of a policy"),

        // Ways to make a small file large, or to reach other files.
        (text("policy: &a offline"), "1:12: anchors, aliases and merge keys are not read"),
        (text("policy: *a"), "1:9: anchors, aliases and merge keys are not read"),
        (text("limits: &a\n  wall_s: *a"), "2:3: anchors, aliases and merge keys are not read"),
        (text("&a [*a]"), "1:4: anchors, aliases and merge keys are not read"),
        (text("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]"), "1:1: unknown key `a`"),
        (text("limits: &a {<<: *a}"), "1:12: anchors, aliases and merge keys are not read"),
        (text("<<: {policy: offline}"), "1:1: anchors, aliases and merge keys are not read"),
        (text("limits:\n  <<: {wall_s: 5}"), "2:3: anchors, aliases and merge keys are not read"),
        (text("policy: !include /etc/passwd"), "1:18: the tag `!include` means nothing here"),
        (text("policy: !!python/object/apply:os.system [id]"), "1:41: the tag `!!python/object/apply:os.system` means nothing here"),
        (text("policy: !<tag:yaml.org,2002:str> offline"), "good"),
        (text("policy: !!binary b2ZmbGluZQ=="), "good"),
        (text("policy: !!binary ????"), "1:18: invalid !!binary base64"),
        (text("limits: !!set {wall_s}"), "1:15: the tag `!!set` means nothing here"),
        (text("limits: {wall_s: !!str 5}"), "1:24: expected a whole number from 0 up"),
        (text("policy: a\n---\npolicy: b"), "2:1: a second document begins here"),
        (text("{}\n...\n{}"), "2:1: a second document begins here"),
        (text("---\n---\n---\n"), "2:1: a second document begins here"),
        (deep("---\n", 200_000), "2:1: a second document begins here"),

        // Deep, and many.
        (deep("[", 1_000_000), "1:34: not valid YAML: recursion limit exceeded"),
        (deep("{", 1_000_000), "1:34: not valid YAML: recursion limit exceeded"),
        (deep("{a: ", 250_000), "1:133: not valid YAML: recursion limit exceeded"),
        (deep("- ", 500_000), "1:1: expected a mapping (`key: value`)"),
        (deep("? ", 500_000), "1:65: lists and mappings lie more than 32 deep"),
        (deep("- - ? - ", 100_000), "1:1: expected a mapping (`key: value`)"),
        ([text("limits: "), deep("[", 500_000), deep("]", 500_000)].concat(), "1:9: expected a mapping (`key: value`)"),
        ([text("limits: {a: "), deep("{a: ", 100), text("5"), deep("}", 101)].concat(), "1:13: expected a single value"),
        (lines(|at| format!("{}a:\n", " ".repeat(at)), 1_300), "1:1: unknown key `a`"),
        (lines(|at| format!("k{at}: 1\n"), 80_000), "1:1: unknown key `k0`"),
        ([text("limits:\n"), lines(|at| format!("  k{at}: 1\n"), 70_000)].concat(), "25000:11: the document has more than 50000 values"),
        ([text("limits: {"), lines(|at| format!("k{at}: 1,"), 70_000), text("}")].concat(), "1:238888: the document has more than 50000 values"),
        ([text("policy: ["), deep("a,", 500_000), text("]")].concat(), "1:9: expected a single value"),
        (deep("#\n", 500_000), "good"),
        (deep("\n", 1_000_000), "good"),
        (deep(" ", 1_000_000), "good"),
        (deep("\t", 1_000_000), "good"),
        (deep("!", 1_000_000), "1:1: not valid YAML: while parsing a tag, did not find expected tag URI"),
        (deep("\"", 1_000_000), "1:3: not valid YAML: invalid trailing content after double-quoted scalar"),
        (deep("'", 1_000_001), "1:1: not valid YAML: unclosed quote"),
        (deep("&a ", 300_000), "1:3: anchors, aliases and merge keys are not read"),
        (deep("*a ", 300_000), "1:1: anchors, aliases and merge keys are not read"),
        (deep("%a\n", 300_000), "300001:1: not valid YAML: did not find expected <document start>"),
        (deep(": ", 500_000), "1:1: expected text, and nothing is here"),
        (deep("a: |\n", 200_000), "1:1: unknown key `a`"),
        (deep("a", 1024 * 1024), "1:1: expected a mapping (`key: value`)"),
        (deep("a", 1024 * 1024 + 1), " the file is larger than 1 MiB"),
        (deep("policy: offline\n", 100_000), " the file is larger than 1 MiB"),
    ];
    table
}

#[test]
fn every_hostile_file_is_refused_at_its_place_or_is_good() {
    let world = World::new();
    let table = table();
    assert!(table.len() > 100);
    for (bytes, want) in table {
        world.put("work/casefile.yaml", &bytes);
        let outcome = check(&world, "casefile.yaml");
        let shown: String = String::from_utf8_lossy(&bytes).chars().take(80).collect();
        if want == "good" {
            assert_eq!(outcome.success().stdout, "casefile.yaml is good\n", "{shown:?}");
            continue;
        }
        let outcome = outcome.code(1);
        let line = outcome.stderr.lines().next().unwrap_or_default();
        assert_eq!(
            line.strip_prefix("error: casefile.yaml:"),
            Some(want),
            "{shown:?}: {outcome:?}"
        );
    }
}

#[test]
fn what_is_not_a_file_is_neither_waited_for_nor_read() {
    for user in users() {
        let world = World::of(user);
        let path = |name: &str| world.path("work").join(name);
        world.put("work/dir/x", "");
        world.put("work/closed.yaml", "policy: offline\n");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o000);
        std::fs::set_permissions(path("closed.yaml"), mode).unwrap();
        world.put("work/large.yaml", "policy: offline\n");
        let large = std::fs::File::options().write(true).open(path("large.yaml")).unwrap();
        large.set_len(50 * 1024 * 1024).unwrap();
        world.put("work/huge.yaml", "policy: offline\n");
        let huge = std::fs::File::options().write(true).open(path("huge.yaml")).unwrap();
        huge.set_len(1 << 40).unwrap();
        let nobody_writes = nix::sys::stat::Mode::from_bits_truncate(0o666);
        nix::unistd::mkfifo(&path("fifo"), nobody_writes).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for (link, to) in
            [("loop", "loop"), ("gone", "nowhere"), ("to-fifo", "fifo"), ("to-dir", "dir")]
        {
            std::os::unix::fs::symlink(to, path(link)).unwrap();
        }
        #[rustfmt::skip]
        let table = [
            // file            what is said
            ("dir",            "this is a directory, and YAML is read from files"),
            ("to-dir",         "this is a directory, and YAML is read from files"),
            ("fifo",           "this is not a regular file, and YAML is read from files"),
            ("to-fifo",        "this is not a regular file, and YAML is read from files"),
            ("/dev/zero",      "this is not a regular file, and YAML is read from files"),
            ("/dev/null",      "this is not a regular file, and YAML is read from files"),
            ("socket",         "the file cannot be read"),
            ("loop",           "the file cannot be read"),
            ("gone",           "there is no such file"),
            ("dir/x/y",        "the file cannot be read"),
            ("large.yaml",     "the file is larger than 1 MiB"),
            ("huge.yaml",      "the file is larger than 1 MiB"),
            // Says it is empty and is not; what it says is no setting.
            ("/proc/version",  "1:1: expected a mapping (`key: value`)"),
        ];
        for (file, want) in table {
            let outcome = check(&world, file).code(1);
            let line = outcome.stderr.lines().next().unwrap_or_default();
            let got = line.strip_prefix(&format!("error: {file}:")).map(str::trim_start);
            assert_eq!(got, Some(want), "{user:?} {file}: {outcome:?}");
        }
        let reads_all = am_root() && user == User::Same;
        let outcome = check(&world, "closed.yaml").code(if reads_all { 0 } else { 1 });
        assert_eq!(outcome.stderr.contains("closed.yaml: the file cannot be read"), !reads_all);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// Whatever is done to a good file, it is read or refused, and a refusal
    /// names a line that the file has.
    #[test]
    fn a_damaged_file_is_read_or_refused_at_a_line_it_has(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, damage()), 1..6),
    ) {
        let mut bytes = casefile::config::template().into_bytes();
        for (at, cut, put) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, put);
        }
        read(&bytes)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes)?;
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-\\[\\]{}:,&*!|>'\"%@`#? \\n\\tahlmpsy0-9~<.]{0,120}") {
        read(text.as_bytes())?;
    }
}

/// What is put into a good file to spoil it.
fn damage() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        "[-\\[\\]{}:,&*!|>'\"%@`#? \\n\\t0-9]{0,6}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            "policy: x\n",
            "limits: ",
            "\n---\n",
            "<<: *a",
            "&a ",
            "~",
            "home: [",
            "999999999999",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn read(bytes: &[u8]) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("casefile.yaml");
    std::fs::write(&file, bytes).unwrap();
    let given = Given { working_directory: dir.path().into(), ..Given::default() };
    if let Err(error) = Settings::of(Some(file), &given) {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        // A lone carriage return ends a line too.
        let returns = bytes.iter().filter(|byte| **byte == b'\r').count() as u64;
        let at = error.place().expect("a place");
        prop_assert!((1..=lines + returns).contains(&at.line) && at.column >= 1, "{error}");
    }
    Ok(())
}

/// `casefile config check FILE`, with little memory and little time.
fn check(world: &World, file: &str) -> Outcome {
    let mut command = world.program("timeout");
    command.args([PATIENCE_S, "sh", "-c"]);
    command.arg(format!("ulimit -v {MEMORY_KIB} && exec \"$0\" \"$@\""));
    command.arg(binary()).args(["config", "check", file]);
    world.finish(command)
}
