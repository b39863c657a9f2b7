//! Listing: order, parts, and directories that are larger or deeper than any
//! person would make them.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

use casefile::jail::Refusal;
use casefile::jail::hands::wire::{Kind, WriteMode};
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::mkfifo;

use crate::ground::{Ground, query, refusal};

const MANY: usize = 200_000;
const DEEP: usize = 4_000;

#[test]
fn entries_are_told_by_kind_without_following_any() {
    let mut ground = Ground::new();
    ground.put("case/b", "four");
    std::fs::create_dir(ground.host("case/a")).unwrap();
    mkfifo(&ground.host("case/c"), Mode::S_IRWXU).unwrap();
    symlink("a", ground.host("case/d")).unwrap();
    let listing = ground.hands.list(b"/case", None, 100).unwrap();
    let got: Vec<_> =
        listing.entries.iter().map(|entry| (&*entry.name, entry.facts.kind)).collect();
    let kinds = [Kind::Directory, Kind::File, Kind::Fifo, Kind::Link];
    assert_eq!(got, [&b"a"[..], b"b", b"c", b"d"].into_iter().zip(kinds).collect::<Vec<_>>());
    assert_eq!(listing.entries[1].facts.size, 4);
    assert!(listing.at_end);
    // One that is named is followed.
    assert!(ground.hands.list(b"/case/d", None, 100).unwrap().entries.is_empty());

    std::fs::set_permissions(ground.host("case/a"), PermissionsExt::from_mode(0o000)).unwrap();
    #[rustfmt::skip]
    let table: &[(&str, Refusal)] = &[
        ("/case/a", Refusal::Denied),
        ("/case/b", Refusal::Is(Kind::File)),
        ("/case/c", Refusal::Is(Kind::Fifo)),
        ("/case/e", Refusal::Missing),
        ("/home/nobody", Refusal::Missing),
    ];
    for (path, want) in table {
        assert_eq!(refusal(ground.hands.list(path.as_bytes(), None, 100)), *want, "{path}");
    }
    std::fs::set_permissions(ground.host("case/a"), PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn the_root_is_the_jails_own() {
    let mut ground = Ground::new();
    let names = ground.list_by(b"/", 3).unwrap();
    let text: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
    assert!(text.contains(&"case".into()) && text.contains(&"shown".into()), "{text:?}");
    assert!(!text.contains(&"outside".into()) && !text.contains(&"root".into()), "{text:?}");
    assert_eq!(ground.list_by(b"/..", 3).unwrap(), names);
}

#[test]
fn a_listing_goes_on_after_a_name_whatever_became_of_it() {
    let mut ground = Ground::new();
    for name in ["a", "b", "c", "d"] {
        ground.put(format!("case/{name}"), "");
    }
    let first = ground.hands.list(b"/case", None, 2).unwrap();
    assert_eq!((first.entries.len(), first.at_end), (2, false));
    std::fs::remove_file(ground.host("case/b")).unwrap();
    std::fs::remove_file(ground.host("case/c")).unwrap();
    ground.put("case/a2", "");
    ground.put("case/e", "");
    let rest = ground.hands.list(b"/case", Some(b"b"), 100).unwrap();
    let names: Vec<_> = rest.entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!((names, rest.at_end), (vec![&b"d"[..], b"e"], true));
    assert!(ground.hands.list(b"/case", Some(b"zzz"), 100).unwrap().at_end);
}

#[test]
fn a_directory_of_200_000_entries_is_listed_whole_and_in_order() {
    let mut ground = Ground::new();
    // Names of one file cost less than files.
    ground.put("case/some", "");
    std::fs::create_dir(ground.host("case/many")).unwrap();
    let mut of = ground.host("case/some");
    for at in 0..MANY {
        let name = ground.host(format!("case/many/{:x}", at.wrapping_mul(0x9e37_79b1)));
        // A filesystem bounds how many names one file has.
        if std::fs::hard_link(&of, &name).is_err() {
            std::fs::write(&name, "").unwrap();
            of = name;
        }
    }
    let began = Instant::now();
    let names = ground.list_by(b"/case/many", usize::MAX).unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(names.len(), MANY);
    assert!(names.is_sorted_by(|one, next| one < next));

    // And a search goes through it without finding anything to wait for.
    let (files, ..) = ground.search(&query("x", &["/case/many"]));
    assert!(files.is_empty());
}

#[test]
fn a_path_of_4_000_parts_is_gone_along() {
    let mut ground = Ground::new();
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let mut dir: OwnedFd = open(&ground.host("case"), flags, Mode::empty()).unwrap();
    for _ in 0..DEEP {
        mkdirat(&dir, c"d", Mode::S_IRWXU).unwrap();
        dir = openat(&dir, c"d", flags, Mode::empty()).unwrap();
    }
    let deep = format!("/case{}", "/d".repeat(DEEP));
    let file = format!("{deep}/file");
    // Root's test made the directories, so they are the jail's, whoever runs it.
    ground.hands.write(file.as_bytes(), b"text", WriteMode::Create).unwrap();
    ground.hands.write(file.as_bytes(), b"more", WriteMode::Replace).unwrap();
    assert_eq!(ground.read_by(file.as_bytes(), 100).unwrap(), b"more");
    assert_eq!(ground.list_by(deep.as_bytes(), 100).unwrap(), [b"file"]);
    assert_eq!(
        refusal(ground.hands.list(format!("{file}/x").as_bytes(), None, 9)),
        Refusal::NotADirectory
    );

    // A walk gets there, however deep it is, and so does whoever names the file.
    for from in ["/case", &file] {
        let (found, ..) = ground.search(&query("more", &[from]));
        assert_eq!((found.len(), &*found[0].path), (1, file.as_bytes()), "{found:?}");
    }
    flatten(&ground);
}

/// What removes a directory with all that is in it needs a descriptor a level.
fn flatten(ground: &Ground) {
    let (top, next): (_, OsString) = (ground.host("case/d"), "case/next".into());
    while top.join("d").exists() {
        std::fs::rename(top.join("d"), ground.host(&next)).unwrap();
        std::fs::remove_dir(&top).unwrap();
        std::fs::rename(ground.host(&next), &top).unwrap();
    }
}
