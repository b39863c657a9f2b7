//! Whatever arrives in whatever pieces: known values never pass, and the result is
//! the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{HELD_BYTES_MAX, Known, Redacted, Redactor, Secrets, text};

fn known(name: &str, value: &[u8]) -> Known {
    Known { name: name.into(), value: value.into() }
}

fn secrets() -> Arc<Secrets> {
    let known = vec![
        known("datadog-token", b"kq8Zp2Lw"),
        known("jira-password", b"correct horse\nbattery"),
        known("short", b"zzzz"),
        known("inner", b"8Zp2L"),
    ];
    Arc::new(Secrets::new([9; 16], known).unwrap())
}

fn whole(secrets: &Arc<Secrets>, raw: &[u8]) -> (Vec<u8>, Redacted) {
    pieces(secrets, [raw])
}

fn pieces<'a>(
    secrets: &Arc<Secrets>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Redacted) {
    let mut redactor = Redactor::new(Arc::clone(secrets));
    let (mut clean, mut came) = (Vec::new(), 0);
    for piece in pieces {
        came += piece.len();
        redactor.push(piece, |bytes| clean.extend_from_slice(bytes));
        // A mark may be shorter than what it stands for; never by more than that.
        assert!(redactor.stream.held() <= HELD_BYTES_MAX, "{} of {came}", redactor.stream.held());
    }
    let redacted = redactor.finish(|bytes| clean.extend_from_slice(bytes));
    (clean, redacted)
}

#[test]
fn known_values_are_hidden_whatever_is_around_them() {
    let secrets = secrets();
    let mark = |name: &str, value: &[u8]| secrets.mark(name, value);
    let datadog = mark("datadog-token", b"kq8Zp2Lw");
    #[rustfmt::skip]
    let table: &[(&str, String)] = &[
        ("kq8Zp2Lw",                    datadog.clone()),
        ("xkq8Zp2Lwx",                  format!("x{datadog}x")),
        ("kq8Zp2Lwkq8Zp2Lw",            format!("{datadog}{datadog}")),
        ("[redacted: kq8Zp2Lw #3f2a]",  format!("[redacted: {datadog} #3f2a]")),
        ("8Zp2L",                       mark("inner", b"8Zp2L")),
        ("6b71385a70324c77",            datadog.clone()),
        ("a3E4WnAyTHc=",                format!("{datadog}c=")),
        ("correct horse\\nbattery",     mark("jira-password", b"correct horse\nbattery")),
        ("correct horse\r\nbattery",    mark("jira-password", b"correct horse\nbattery")),
        ("correct%20horse%0Abattery",   mark("jira-password", b"correct horse\nbattery")),
        ("zzzzz",                       format!("{0}{0}", mark("short", b"zzzz"))),
    ];
    for (raw, want) in table {
        assert_eq!(*text(&secrets, raw), **want, "{raw}");
    }
}

#[test]
fn what_was_taken_out_is_counted() {
    let (clean, redacted) = whole(&secrets(), b"kq8Zp2Lw zzzz kq8Zp2Lw password=hunter2\n");
    let counts: Vec<_> = redacted.0.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counts, [("datadog-token", 2), ("password", 1), ("short", 1)]);
    assert!(clean.ends_with(b"]\n"));
}

#[test]
fn plain_lines_leave_as_they_come() {
    let mut redactor = Redactor::new(secrets());
    let mut clean = Vec::new();
    redactor.push(b"listening on port 3000\n", |bytes| clean.extend_from_slice(bytes));
    assert_eq!(clean, b"listening on port 3000\n");
}

#[test]
fn long_secrets_are_hidden_to_their_end() {
    let secrets = secrets();
    for length in [4_000, 4_096, 4_097, 16_000, 100_000, 300_000] {
        let random = "k3JfLx9Qw2ZpT7vB".repeat(length / 16);
        let lines = "k3JfLx9Qw2ZpT7vBk3JfLx9Qw2ZpT7vBk3JfLx9Qw2ZpT7vBaaaa\n".repeat(length / 53);
        for (before, secret, after) in [
            ("token=", random.as_str(), "&x=1"),
            ("Bearer ", random.as_str(), " end"),
            ("-----BEGIN PRIVATE KEY-----\n", lines.as_str(), "-----END PRIVATE KEY-----"),
            ("-----BEGIN PRIVATE KEY-----\n", lines.as_str(), "no end"),
        ] {
            let (clean, _) = whole(&secrets, [before, secret, after].concat().as_bytes());
            let clean = String::from_utf8(clean).unwrap();
            assert!(clean.starts_with(before), "{clean:.60}");
            assert!(clean.ends_with(after.trim_start()), "{before}{length}");
            assert!(!clean.contains("k3Jf") && !clean.contains("aaaa"), "{before}{length}");
        }
    }
}

#[test]
fn a_short_value_and_a_part_of_a_mark_are_refused() {
    for (name, value) in [
        ("x", "abc"),
        ("x", "  abc \n"),
        ("x", ""),
        ("x", "redacted"),
        ("x", "3f2a"),
        ("x", "aws-key"),
        ("token-of-x", "token"),
        ("X", "hunter2"),
        ("", "hunter2"),
        ("a b", "hunter2"),
        ("-x", "hunter2"),
    ] {
        let made = Secrets::new([0; 16], vec![known(name, value.as_bytes())]);
        assert!(made.is_err(), "{name:?} {value:?}");
    }
    let shown = format!("{:?}", (known("x", b"hunter2"), secrets()));
    assert!(!shown.contains("hunter2") && !shown.contains("kq8Z"), "{shown}");
}

/// What someone might write who wants to make this slow.
#[test]
fn no_input_is_slow() {
    const BYTES: usize = 256 << 10;
    let secrets = secrets();
    for dense in [
        "token=",
        "TOKEN=",
        "token=a1b2c3d4e5f6",
        "TOKEN=a1b2c3d4e5f6",
        "\"token\":\"",
        "://a:",
        "://:@",
        "password=a1",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n",
        "LS0tLS1CRUdJTiBQUklWQVRFI",
        "/LS0tLS1CRUdJTiBQUklWQVRFI",
        "eyJ",
        ".eyJ",
        "=eyJaaaaaaaa.",
        "-ghp_",
        ".ghp_",
        "sk-",
        "zzz",
        "z",
        "kq8Zp2L",
        "Bearer ",
        "Basic aaaa",
        "[redacted: ",
        "[",
        "[redacted: x #0000",
        "_key",
        "\\",
        "\\\"",
        "-",
        "key=[",
        "password=\\\\\\\\",
        "--password ",
        "Private-Lines: ",
        "a1=&sig=",
    ] {
        let raw = dense.repeat(BYTES / dense.len());
        let began = Instant::now();
        whole(&secrets, raw.as_bytes());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{dense:?} took {took:?}");
    }
}

/// Single bytes, each of them a push.
#[test]
fn single_bytes_are_not_slow() {
    let secrets = secrets();
    let raw = ["token=\"", &"a1b2c3d4".repeat(4_000), "\" -----BEGIN PRIVATE KEY-----\n"].concat();
    let raw = [raw, "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n".repeat(1_000)].concat();
    let began = Instant::now();
    let by_bytes = pieces(&secrets, raw.as_bytes().chunks(1));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(by_bytes, whole(&secrets, raw.as_bytes()));
}

/// Pieces of everything that rules look for, in any order.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let fragments = prop::sample::select(vec![
        "kq8Zp2Lw",
        "kq8Z",
        "p2Lw",
        "zzzz",
        "zz",
        "correct horse\nbattery",
        "correct horse",
        "a3E4WnAyTHc=",
        "6b71385a70324c77",
        "password",
        "DB_PASS",
        "token",
        "TOKEN",
        "secret",
        "api_key",
        "=",
        ": ",
        ":",
        "\"",
        "'",
        "\\\"",
        "\\",
        "[",
        "]",
        "(",
        "<",
        ">",
        "&",
        ";",
        ",",
        " ",
        "\n",
        "%3D",
        "%22",
        "--",
        "-",
        "_",
        ".",
        "@",
        "/",
        "://",
        "postgres://app:",
        "hunter2",
        "@host",
        "Bearer ",
        "Basic ",
        "dXNlcjpwYXNz",
        "AKIAIOSFODNN7EXAMPLE",
        "k3JfLx9Qw2ZpT7vB",
        "9f86d081884c7d659a2feaa0c55ad015",
        "eyJhbGciOiJIUzI1NiJ9",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n",
        "[redacted: ",
        "[redacted: x #3f2a]",
        "ghp_",
        "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
        "sk-ant-",
        "x",
        "é",
        "\u{202e}",
        "sig=",
        "?",
    ]);
    let fragment = prop_oneof![
        8 => fragments.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (1..40_usize, prop::sample::select(vec!["A", "MIIEvQIB", "a1b2", "kq8Zp2L", "z", " ", "\n"]))
            .prop_map(|(times, text)| text.repeat(times * times).into_bytes()),
    ];
    prop::collection::vec(fragment, 0..40).prop_map(|fragments| fragments.concat())
}

/// The beginning of a key with a long run behind it, amid anything.
fn keyed() -> impl Strategy<Value = Vec<u8>> {
    let begun = prop::sample::select(vec![
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
        "Private-Lines: 14\n",
    ]);
    let run = prop::sample::select(vec!["A", "MIIEvQIB", "a1b2", "kq8Zp2L", "z", " ", "\n"]);
    let long = (1..46_usize, run).prop_map(|(times, text)| text.repeat(times * times));
    (begun, long, hostile()).prop_map(|(begun, long, after)| {
        [begun.as_bytes(), long.as_bytes(), after.as_slice()].concat()
    })
}

/// A mark that somebody wrote is no reason to let a key pass.
#[test]
fn a_key_beside_what_looks_like_a_mark_goes_all_the_same() {
    let secrets = secrets();
    let mark = "[redacted: x #3f2a]";
    let key = "-----BEGIN PRIVATE KEY-----MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n";
    let long = "kq8Zp2L".repeat(25);
    for raw in [
        format!("{key}{long}{mark}"),
        format!("{mark}{key}{long}"),
        format!("{mark}{key}{mark}"),
        format!("{key}{}{mark}", &long[..40]),
        format!("{key}{mark}-----END PRIVATE KEY-----"),
        format!("{key}{}\n{mark}", "kq8Zp2L".repeat(2_000)),
        format!("{key}[redacted: zzzzwow #0000]token: k0q8Zp2Lwk3000"),
    ] {
        let (clean, _) = whole(&secrets, raw.as_bytes());
        let shown = String::from_utf8_lossy(&clean);
        assert!(!shown.contains("MIIEvQ") && !shown.contains("wk3000"), "{shown}");
        let (again, _) = whole(&secrets, &clean);
        assert_eq!(String::from_utf8_lossy(&again), shown);
    }
}

proptest! {
    #[test]
    fn pieces_do_not_matter_and_known_values_never_pass(
        raw in prop_oneof![2 => hostile(), 1 => keyed()],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let secrets = secrets();
        let (clean, redacted) = whole(&secrets, &raw);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(raw.len() + 1)).collect();
        cuts.extend([0, raw.len()]);
        cuts.sort_unstable();
        let cut = pieces(&secrets, cuts.windows(2).map(|two| &raw[two[0]..two[1]]));
        prop_assert_eq!(&cut, &(clean.clone(), redacted));
        for value in [&b"kq8Zp2Lw"[..], b"correct horse\nbattery", b"zzzz", b"8Zp2L"] {
            prop_assert!(!clean.windows(value.len()).any(|at| at == value));
        }
        let (again, _) = whole(&secrets, &clean);
        prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&clean));
    }

    #[test]
    fn known_values_of_any_kind_never_pass(
        value in "[ -~]{4,40}",
        around in hostile(),
        place in any::<prop::sample::Index>(),
    ) {
        let made = Secrets::new([1; 16], vec![known("any", value.as_bytes())]);
        let Ok(secrets) = made.map(Arc::new) else { return Ok(()) };
        let value = value.trim_ascii().as_bytes();
        let at = place.index(around.len() + 1);
        let raw = [&around[..at], value, &around[at..]].concat();
        let (clean, redacted) = whole(&secrets, &raw);
        // A mark may complete a value that begins or ends as one does.
        if !value.contains(&b'[') && !value.contains(&b']') {
            prop_assert!(!clean.windows(value.len()).any(|at| at == value));
        }
        prop_assert!(!redacted.0.is_empty());
    }
}
