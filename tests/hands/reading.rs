//! Reading: every kind of file and name, and files that are not what they were.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use casefile::jail::Refusal;
use casefile::jail::hands::wire::{CHUNK_BYTES_MAX, Kind};
use casefile::jail::policy::Strength;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::ground::{Ground, refusal};

#[test]
fn only_a_regular_file_is_read_and_all_else_is_told_by_its_kind() {
    let mut ground = Ground::new();
    ground.put("case/file", "text");
    ground.put("case/shut", "text");
    ground.put("outside/secret", "secret");
    std::fs::set_permissions(ground.host("case/shut"), PermissionsExt::from_mode(0o000)).unwrap();
    std::fs::create_dir(ground.host("case/dir")).unwrap();
    mkfifo(&ground.host("case/fifo"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(ground.host("case/socket")).unwrap();
    symlink("file", ground.host("case/link")).unwrap();
    symlink("loop", ground.host("case/loop")).unwrap();
    symlink("nothing", ground.host("case/dangling")).unwrap();
    symlink(ground.host("outside/secret"), ground.host("case/out")).unwrap();
    symlink("../outside/secret", ground.host("case/up")).unwrap();
    symlink("../../../../proc/1/root/etc/shadow", ground.host("case/proc")).unwrap();

    for path in ["/case/file", "case/file", "/case/link", "/case/./dir/../file", "//case//file"] {
        let chunk = ground.hands.read(path.as_bytes(), 0, 100).unwrap();
        assert_eq!((&*chunk.bytes, chunk.at_end), (&b"text"[..], true), "{path}");
        assert_eq!((chunk.facts.kind, chunk.facts.size), (Kind::File, 4), "{path}");
    }
    let outside = ground.host("outside/secret").into_os_string().into_string().unwrap();
    let long = format!("/case/{}", "x".repeat(256));
    let longer = "/x".repeat(40_000);
    #[rustfmt::skip]
    let table: &[(&str, Refusal)] = &[
        ("/case/dir",       Refusal::Is(Kind::Directory)),
        ("/case/fifo",      Refusal::Is(Kind::Fifo)),
        ("/case/socket",    Refusal::Is(Kind::Socket)),
        ("/dev/null",       Refusal::Is(Kind::Device)),
        ("/case/loop",      Refusal::Circle),
        ("/case/dangling",  Refusal::Missing),
        ("/case/out",       Refusal::Missing),
        ("/case/up",        Refusal::Missing),
        ("/case/proc",      Refusal::Missing),
        ("/case/shut",      Refusal::Denied),
        ("/case/nothing",   Refusal::Missing),
        ("/case/file/x",    Refusal::NotADirectory),
        ("/case/file/",     Refusal::NotADirectory),
        (&outside,          Refusal::Missing),
        ("/../../outside",  Refusal::Missing),
        ("/etc/shadow",     Refusal::Missing),
        ("/proc/1/environ", Refusal::Denied),
        ("/",               Refusal::Is(Kind::Directory)),
        ("",                Refusal::Missing),
        ("/case/a\0b",      Refusal::Other { errno: libc::EINVAL }),
        (&long,             Refusal::LongName),
        (&longer,           Refusal::LongName),
    ];
    for (path, want) in table {
        assert_eq!(refusal(ground.hands.read(path.as_bytes(), 0, 100)), *want, "{path:.40}");
    }
}

#[test]
fn a_name_is_bytes() {
    let mut ground = Ground::new();
    let names: [&[u8]; 7] =
        [b"a\nb", b"\xff\xfe", b"-rf", b" ", b"\x1b[31m", b"...", "\u{202e}x".as_bytes()];
    for name in names {
        ground.put(std::path::Path::new("case").join(OsStr::from_bytes(name)), name);
        assert_eq!(ground.read_by(&[b"/case/", name].concat(), 100).unwrap(), name);
    }
    let mut sorted = names.map(<[u8]>::to_vec);
    sorted.sort();
    assert_eq!(ground.list_by(b"/case", 2).unwrap(), sorted);
}

#[test]
fn chunks_joined_are_the_file() {
    let mut ground = Ground::new();
    let sizes = prop_oneof![0..20_usize, 0..3 * CHUNK_BYTES_MAX];
    let cases = (sizes, 1..2 * CHUNK_BYTES_MAX, any::<u8>());
    let mut runner = TestRunner::new(ProptestConfig { cases: 100, ..ProptestConfig::default() });
    let ground = std::cell::RefCell::new(&mut ground);
    runner
        .run(&cases, |(size, max, seed)| {
            let mut ground = ground.borrow_mut();
            // So that no two parts of it are alike.
            let bytes: Vec<u8> = (0..size)
                .map(|at| {
                    (at as u64 + u64::from(seed)).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
                        [0]
                })
                .collect();
            ground.put("case/file", &bytes);
            // Enough for one request a chunk, however small it is.
            let max = max.max(size / 50);
            prop_assert!(ground.read_by(b"/case/file", max).unwrap() == bytes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_part_that_is_not_there_is_empty() {
    let mut ground = Ground::new();
    ground.put("case/file", "text");
    ground.put("case/empty", "");
    #[rustfmt::skip]
    let table: &[(&str, u64, usize, &str, bool)] = &[
        // path         offset    max   bytes   at the end
        ("/case/file",  0,        0,    "",     false),
        ("/case/file",  1,        2,    "ex",   false),
        ("/case/file",  2,        2,    "xt",   true),
        ("/case/file",  4,        9,    "",     true),
        ("/case/file",  5,        9,    "",     true),
        ("/case/file",  u64::MAX, 9,    "",     true),
        ("/case/empty", 0,        9,    "",     true),
        ("/case/empty", u64::MAX, 9,    "",     true),
        ("/case/empty", i64::MAX as u64, 9, "", true),
    ];
    for (path, offset, max, want, at_end) in table {
        let got = ground.hands.read(path.as_bytes(), *offset, *max).unwrap();
        assert_eq!((&*got.bytes, got.at_end), (want.as_bytes(), *at_end), "{path} {offset} {max}");
    }
    // What the kernel makes up has no size, and has bytes nevertheless.
    let status = String::from_utf8(ground.read_by(b"/proc/self/status", 100).unwrap()).unwrap();
    assert!(status.starts_with("Name:\tcasefile-hands\n"), "{status}");
    for held in
        ["\nPid:\t1\n", "\nCapEff:\t0000000000000000\n", "\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n"]
    {
        assert!(status.contains(held), "{held:?} in {status}");
    }
}

#[test]
fn a_file_of_a_terabyte_costs_what_is_read_of_it() {
    let mut ground = Ground::new();
    let file = std::fs::File::create(ground.host("case/sparse")).unwrap();
    let size = 1 << 40;
    file.set_len(size).unwrap();
    file.write_all_at(b"end", size - 3).unwrap();
    let end = ground.hands.read(b"/case/sparse", size - 3, 100).unwrap();
    assert_eq!((&*end.bytes, end.at_end, end.facts.size), (&b"end"[..], true, size));
    let middle = ground.hands.read(b"/case/sparse", size / 2, usize::MAX).unwrap();
    assert_eq!((middle.bytes.len(), middle.at_end), (CHUNK_BYTES_MAX, false));
}

#[test]
fn a_file_that_changed_can_be_told() {
    let mut ground = Ground::new();
    ground.put("case/file", "one\n");
    let before = ground.hands.read(b"/case/file", 0, 100).unwrap();
    let same = ground.hands.read(b"/case/file", 0, 100).unwrap();
    assert_eq!(before, same);

    let mut file = std::fs::File::options().append(true).open(ground.host("case/file")).unwrap();
    file.write_all(b"two\n").unwrap();
    let grown = ground.hands.read(b"/case/file", 4, 100).unwrap();
    assert_eq!(&*grown.bytes, b"two\n");
    assert_ne!(grown.facts, before.facts);
    assert_eq!(grown.facts.inode, before.facts.inode);

    // Another file of the same size and time in its place.
    ground.put("case/other", "six\nten\n");
    let time = std::fs::metadata(ground.host("case/file")).unwrap().modified().unwrap();
    std::fs::File::options()
        .write(true)
        .open(ground.host("case/other"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    std::fs::rename(ground.host("case/other"), ground.host("case/file")).unwrap();
    let swapped = ground.hands.read(b"/case/file", 0, 100).unwrap();
    assert_eq!(&*swapped.bytes, b"six\nten\n");
    assert_eq!(swapped.facts.modified, grown.facts.modified);
    assert_ne!(swapped.facts.inode, grown.facts.inode);
}

#[test]
fn without_namespaces_the_hands_see_no_more_than_is_shown() {
    let mut ground = Ground::with(Strength::Landlock, &[]);
    for name in ["case/file", "shown/file", "outside/file"] {
        ground.put(name, "text");
    }
    let path = |name: &str| ground.host(name).into_os_string().into_encoded_bytes();
    let (case, shown, outside) = (path("case/file"), path("shown/file"), path("outside/file"));
    assert_eq!(ground.read_by(&case, 100).unwrap(), b"text");
    assert_eq!(ground.read_by(&shown, 100).unwrap(), b"text");
    assert_eq!(refusal(ground.hands.read(&outside, 0, 100)), Refusal::Denied);
    assert_eq!(refusal(ground.hands.read(b"/etc/passwd", 0, 100)), Refusal::Denied);
}
