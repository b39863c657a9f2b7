//! Writing: the three ways, what stands in the way of each, and the limits.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use casefile::config::limits::Limit;
use casefile::jail::hands::wire::{Kind, WRITE_BYTES_MAX, WriteMode};
use casefile::jail::policy::Strength;
use casefile::jail::wire::{End, Passed, PassedLimit};
use casefile::jail::{HandsError, Refusal};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::ground::{Ground, query, refusal};

const ALL: [WriteMode; 3] = [WriteMode::Create, WriteMode::Replace, WriteMode::Append];

#[test]
fn a_file_is_made_replaced_and_added_to_in_a_jail_of_each_strength() {
    for strength in [Strength::Namespaces, Strength::Landlock] {
        let mut ground = Ground::with(strength, &[]);
        let dir = match strength {
            Strength::Namespaces => Path::new("/case").to_owned(),
            Strength::Landlock => {
                casefile::jail::give_to_jail(&ground.host("case")).unwrap();
                ground.host("case")
            }
        };
        let at = |name: &str| dir.join(name).into_os_string().into_encoded_bytes();
        #[rustfmt::skip]
        let table: &[(&str, WriteMode, &str, Result<&str, Refusal>)] = &[
            ("new",   WriteMode::Create,  "one",  Ok("one")),
            ("new",   WriteMode::Create,  "two",  Err(Refusal::Exists)),
            ("new",   WriteMode::Append,  "+",    Ok("one+")),
            ("new",   WriteMode::Replace, "two",  Ok("two")),
            ("new",   WriteMode::Replace, "",     Ok("")),
            ("other", WriteMode::Replace, "it",   Ok("it")),
            ("third", WriteMode::Append,  "it",   Ok("it")),
        ];
        for (name, mode, bytes, want) in table {
            let wrote = ground.hands.write(&at(name), bytes.as_bytes(), *mode);
            match want {
                Ok(text) => {
                    let facts = wrote.unwrap();
                    let chunk = ground.hands.read(&at(name), 0, 100).unwrap();
                    assert_eq!(&*chunk.bytes, text.as_bytes(), "{strength:?} {name} {mode:?}");
                    assert_eq!(chunk.facts, facts, "{strength:?} {name} {mode:?}");
                }
                Err(why) => assert_eq!(refusal(wrote), *why, "{strength:?} {name} {mode:?}"),
            }
        }
        assert_eq!(names(&ground), ["new", "other", "third"], "{strength:?}");
    }
}

/// What lies in the writable directory, as the host sees it.
fn names(ground: &Ground) -> Vec<String> {
    let entries = std::fs::read_dir(ground.host("case")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_not_a_file_of_the_jails_own_is_not_written_to() {
    let mut ground = Ground::new();
    ground.put("shown/file", "text");
    ground.put("outside/file", "text");
    std::fs::create_dir(ground.host("case/dir")).unwrap();
    std::fs::create_dir(ground.host("case/shut")).unwrap();
    std::fs::set_permissions(ground.host("case/shut"), PermissionsExt::from_mode(0o555)).unwrap();
    mkfifo(&ground.host("case/fifo"), Mode::S_IRWXU).unwrap();
    symlink("dir/new", ground.host("case/dangling")).unwrap();
    symlink("/shown/file", ground.host("case/link")).unwrap();
    symlink(ground.host("outside/file"), ground.host("case/out")).unwrap();
    let before = names(&ground);
    #[rustfmt::skip]
    let table: &[(&str, Refusal)] = &[
        ("/shown/file",    Refusal::ReadOnly),
        ("/shown/new",     Refusal::ReadOnly),
        ("/new",           Refusal::ReadOnly),
        ("/etc/passwd",    Refusal::ReadOnly),
        ("/case/dir",      Refusal::Is(Kind::Directory)),
        ("/case/dir/",     Refusal::Is(Kind::Directory)),
        ("/",              Refusal::Is(Kind::Directory)),
        ("/case/..",       Refusal::Is(Kind::Directory)),
        ("/case/fifo",     Refusal::Is(Kind::Fifo)),
        ("/dev/null",      Refusal::Is(Kind::Device)),
        ("/case/link",     Refusal::Is(Kind::Link)),
        ("/case/out",      Refusal::Is(Kind::Link)),
        ("/case/dangling", Refusal::Is(Kind::Link)),
        ("/case/no/new",   Refusal::Missing),
        ("/case/out/new",  Refusal::Missing),
        ("/outside/file",  Refusal::Missing),
        ("/case/shut/new", Refusal::Denied),
        ("",               Refusal::Missing),
    ];
    for (path, want) in table {
        for mode in ALL {
            let got = refusal(ground.hands.write(path.as_bytes(), b"x", mode));
            // To make what is there, of whatever kind, is refused for that.
            let there = [Refusal::Exists, Refusal::ReadOnly].contains(&got);
            assert!(
                got == *want || (mode == WriteMode::Create && there),
                "{path} {mode:?}: {got:?}"
            );
        }
    }
    assert_eq!(names(&ground), before);
    assert_eq!(std::fs::read(ground.host("shown/file")).unwrap(), b"text");
    assert_eq!(std::fs::read(ground.host("outside/file")).unwrap(), b"text");
    assert!(std::fs::read_dir(ground.host("case/dir")).unwrap().next().is_none());
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode_and_a_new_one_is_plain() {
    let mut ground = Ground::new();
    ground.put("case/script", "old");
    std::fs::set_permissions(ground.host("case/script"), PermissionsExt::from_mode(0o755)).unwrap();
    let old = std::fs::metadata(ground.host("case/script")).unwrap();
    ground.hands.write(b"/case/script", b"new", WriteMode::Replace).unwrap();
    ground.hands.write(b"/case/plain", b"new", WriteMode::Replace).unwrap();
    ground.hands.write(b"/case/made", b"new", WriteMode::Create).unwrap();
    for (name, mode) in [("script", 0o755), ("plain", 0o644), ("made", 0o644)] {
        let now = std::fs::metadata(ground.host("case").join(name)).unwrap();
        assert_eq!(now.mode() & 0o7777, mode, "{name}");
        // Whoever made the jail owns what is made in it.
        assert_eq!((now.uid(), now.gid()), (old.uid(), old.gid()), "{name}");
    }
}

#[test]
fn a_limit_that_is_passed_is_named_and_leaves_no_half_of_a_file() {
    let limits = [(Limit::File, 1), (Limit::Scratch, 2), (Limit::Cpu, 1)];
    let mut ground = Ground::with(Strength::Namespaces, &limits);
    ground.put("case/old", "old");
    let much = vec![b'x'; 3 << 20];
    for mode in [WriteMode::Create, WriteMode::Replace] {
        assert_eq!(refusal(ground.hands.write(b"/case/new", &much, mode)), Refusal::LongFile);
    }
    assert_eq!(
        refusal(ground.hands.write(b"/case/old", &much, WriteMode::Replace)),
        Refusal::LongFile
    );
    assert_eq!(names(&ground), ["old"]);
    assert_eq!(std::fs::read(ground.host("case/old")).unwrap(), b"old");

    let some = vec![b'x'; 900 << 10];
    let full = (0..4).find_map(|at| {
        let path = format!("/tmp/{at}");
        ground.hands.write(path.as_bytes(), &some, WriteMode::Create).err()
    });
    assert!(matches!(full, Some(HandsError::Refused(Refusal::Full))), "{full:?}");

    let too_large =
        ground.hands.write(b"/case/x", &vec![0; WRITE_BYTES_MAX + 1], WriteMode::Create);
    assert!(matches!(too_large, Err(HandsError::TooLarge { .. })), "{too_large:?}");
    assert!(ground.hands.read(b"/case/old", 0, 9).is_ok());
}

#[test]
fn what_hands_write_counts_for_the_disk_while_no_command_runs() {
    let mut ground = Ground::with(Strength::Namespaces, &[(Limit::Disk, 16)]);
    // Not alike, so that no filesystem makes little of it.
    let some: Vec<u8> = (0..WRITE_BYTES_MAX as u64)
        .map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0])
        .collect();
    let ended = (0..64).find_map(|at| {
        let path = format!("/case/{at}");
        let wrote = ground.hands.write(path.as_bytes(), &some, WriteMode::Create);
        std::thread::sleep(std::time::Duration::from_millis(50));
        wrote.err()
    });
    let Some(HandsError::Ended(End { passed: Some(passed), .. })) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(passed, Passed { limit: PassedLimit::Disk, value: 16 });
}

#[test]
fn hands_outlive_the_time_that_a_command_has() {
    let mut ground = Ground::with(Strength::Namespaces, &[(Limit::Cpu, 1)]);
    ground.put("case/log", "a line of a log\n".repeat(500_000));
    let cpu = |ground: &mut Ground| {
        let stat = String::from_utf8(ground.read_by(b"/proc/self/stat", 4096).unwrap()).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // In hundredths of a second, on every Linux.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    while cpu(&mut ground) < 250 {
        ground.search(&query("([a-z ]+x)+", &["/case"]));
    }
    assert!(ground.hands.read(b"/case/log", 0, 9).is_ok());
}
