//! `read_file`, held against what an agent can lay in its way: an answer that is clear,
//! soon, and small.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::mkfifo;

use crate::ground::Ground;
use crate::read_file::{part, read};

/// Whatever it is, nobody waits longer.
const SOON: Duration = Duration::from_secs(5);
const DEEP: usize = 4_000;
const MANY: usize = 200_000;

/// Ends another thread when a test does, however it ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_is_no_file_is_told_by_its_kind_and_not_waited_for() {
    let mut ground = Ground::new();
    ground.put("outside/secret", "secret\n");
    ground.put("case/file", "text\n");
    mkfifo(&ground.host("case/fifo"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(ground.host("case/socket")).unwrap();
    symlink("file", ground.host("case/link")).unwrap();
    symlink("fifo", ground.host("case/link-to-fifo")).unwrap();
    symlink("round", ground.host("case/round")).unwrap();
    symlink(".", ground.host("case/here")).unwrap();
    symlink(ground.host("outside/secret"), ground.host("case/out")).unwrap();
    symlink("../outside/secret", ground.host("case/up")).unwrap();
    symlink("/proc/1/root/etc/shadow", ground.host("case/proc")).unwrap();
    let began = Instant::now();
    let mut all = String::new();
    let names = [
        "link",
        "here/here/link",
        "fifo",
        "link-to-fifo",
        "socket",
        "/dev/zero",
        "/dev/null",
        "round",
        "out",
        "up",
        "proc",
        "file/",
        "",
    ];
    for name in names {
        writeln!(all, "{name:?}").unwrap();
        all += &read(&mut ground, &[part(name, 1, 1)]);
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(!all.contains("secret\n"), "{all}");
    insta::assert_snapshot!(all, @r#"
    "link"
    link: 1 line, 5 B
    1	text
    "here/here/link"
    here/here/link: 1 line, 5 B
    1	text
    "fifo"
    error: `fifo`
    cause: it is a FIFO
    hint: 
    "link-to-fifo"
    error: `link-to-fifo`
    cause: it is a FIFO
    hint: 
    "socket"
    error: `socket`
    cause: it is a socket
    hint: 
    "/dev/zero"
    error: `/dev/zero`
    cause: it is a device
    hint: 
    "/dev/null"
    error: `/dev/null`
    cause: it is a device
    hint: 
    "round"
    error: `round`
    cause: links lead in a circle
    hint: 
    "out"
    error: `out`
    cause: there is no such file or directory
    hint: List the directory to see what is there.
    "up"
    error: `up`
    cause: there is no such file or directory
    hint: List the directory to see what is there.
    "proc"
    error: `proc`
    cause: there is no such file or directory
    hint: List the directory to see what is there.
    "file/"
    error: `file/`
    cause: a part of the path before its last is not a directory
    hint: Did you mean `file`?
    ""
    .: a directory, entries 1-1 of 10
    fifo  FIFO
    "#);
    assert!(read(&mut ground, &[part("a\0b", 1, 1)]).starts_with("error: "));
    // What the kernel makes up has no size, and is read nevertheless.
    let got = read(&mut ground, &[part("/proc/self/status", 1, 1)]);
    assert!(got.contains("1\tName:\tcasefile-hands"), "{got}");
}

#[test]
fn a_name_is_whatever_somebody_called_it() {
    let mut ground = Ground::new();
    let names: [&[u8]; 6] =
        [b"a\nb", b"-rf", b" ", b"\x1b[31m", "\u{202e}x".as_bytes(), b"it's \"so\""];
    for name in names {
        ground.put(std::path::Path::new("case").join(OsStr::from_bytes(name)), "text\n");
        let got = read(&mut ground, &[part(std::str::from_utf8(name).unwrap(), 1, None)]);
        assert!(got.ends_with(": 1 line, 5 B\n1\ttext\n"), "{got:?}");
    }
    // One that is no text cannot be asked for, and is listed.
    ground.put(std::path::Path::new("case").join(OsStr::from_bytes(b"\xff")), "");
    let listed = read(&mut ground, &[part(".", 1, None)]);
    assert!(listed.starts_with(".: a directory, 7 entries\n"), "{listed}");
    assert_eq!(listed.lines().count(), 8);
}

#[test]
fn a_path_of_4_000_parts_is_read_and_its_missing_end_is_told() {
    let mut ground = Ground::new();
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let mut dir: OwnedFd = open(&ground.host("case"), flags, Mode::empty()).unwrap();
    let all = Mode::from_bits_truncate(0o777);
    for _ in 0..DEEP {
        mkdirat(&dir, c"d", all).unwrap();
        dir = openat(&dir, c"d", flags, Mode::empty()).unwrap();
    }
    let flags = OFlag::O_CREAT | OFlag::O_WRONLY;
    let file = openat(&dir, c"file", flags, Mode::from_bits_truncate(0o644)).unwrap();
    std::fs::File::from(file)
        .write_all("a line of some length\n".repeat(2_000).as_bytes())
        .unwrap();
    let began = Instant::now();
    let deep = "d/".repeat(DEEP);
    let got = read(&mut ground, &[part(&format!("{deep}file"), 7, None)]);
    assert!(got.contains("\n7\ta line of some length\n"), "{got:.300}");
    let got = read(&mut ground, &[part(&format!("{deep}fiel"), 1, None)]);
    assert!(got.contains("there is no such file"), "{got:.300}");
    let got = read(&mut ground, &[part(&"d/".repeat(20_000), 1, None)]);
    assert!(got.starts_with("error: "), "{got:.300}");
    assert!(got.len() < 1_000);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_directory_of_200_000_entries_is_listed_in_part_and_counted() {
    let mut ground = Ground::new();
    std::fs::create_dir(ground.host("case/many")).unwrap();
    ground.put("case/some", "");
    let mut of = ground.host("case/some");
    for at in 0..MANY {
        let name = ground.host(format!("case/many/{at:06}"));
        // A filesystem bounds how many names one file has.
        if std::fs::hard_link(&of, &name).is_err() {
            std::fs::write(&name, "").unwrap();
            of = name;
        }
    }
    let began = Instant::now();
    let got = read(&mut ground, &[part("many", 1, None)]);
    assert!(
        got.starts_with("many: a directory, entries 1-1,000 of 200,000\n000000  0 B\n"),
        "{got:.200}"
    );
    assert!(got.ends_with(
        "next: read_file path=many from=1001 (199,000 more; find with a name is shorter)\n"
    ));
    let got = read(&mut ground, &[part("many", 199_999, None)]);
    assert_eq!(
        got,
        "many: a directory, entries 199,999-200,000 of 200,000\n199998  0 B\n199999  0 B\n"
    );
    let got = read(&mut ground, &[part("many/nothing", 1, None)]);
    assert!(got.contains("there is no such file"), "{got}");
    assert!(began.elapsed() < 4 * SOON, "{:?}", began.elapsed());
}

#[test]
fn a_file_that_grows_meanwhile_is_told_in_whole_lines() {
    let mut ground = Ground::new();
    let line = |number: usize| format!("line {number} of a log that grows\n");
    let path = ground.host("case/log");
    let mut file = std::fs::File::create(&path).unwrap();
    let mut written = 0;
    // Larger than what is counted anew each time.
    let mut text = String::new();
    while text.len() < 40 << 20 {
        written += 1;
        text += &line(written);
    }
    file.write_all(text.as_bytes()).unwrap();
    let over = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                written += 1;
                file.write_all(line(written).as_bytes()).unwrap();
            }
        });
        for _ in 0..200 {
            let got = read(&mut ground, &[part("log", -3, None)]);
            let told: Vec<_> = got.lines().skip(1).collect();
            assert_eq!(told.len(), 3, "{got}");
            for (nth, told) in told.iter().enumerate() {
                let (number, text) = told.split_once('\t').unwrap();
                let want = line(number.parse().unwrap());
                // Of the last line the end may not be written yet.
                let is_right =
                    if nth < 2 { text == want.trim_end() } else { want.starts_with(text) };
                assert!(is_right, "{got}");
            }
        }
    });
    assert!(began.elapsed() < 2 * SOON, "{:?}", began.elapsed());
}

#[test]
fn a_file_swapped_for_another_is_told_as_one_of_them() {
    let mut ground = Ground::new();
    let text = |letter: char, lines: usize| -> String {
        (1..=lines).map(|number| format!("{letter} {number}\n")).collect()
    };
    // Kept to be put there again, with the number of the file that it was.
    ground.put("case/a", text('a', 100_000));
    ground.put("case/b", text('b', 300_000));
    std::fs::hard_link(ground.host("case/a"), ground.host("case/file")).unwrap();
    let (path, beside) = (ground.host("case/file"), ground.host("case/beside"));
    let of = [ground.host("case/b"), ground.host("case/a")];
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            for of in of.iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                std::fs::hard_link(of, &beside).unwrap();
                std::fs::rename(&beside, &path).unwrap();
                let _ = std::fs::remove_file(&beside);
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        for nth in 0..500 {
            let from = 1 + nth * 191 % 99_000;
            let got = read(&mut ground, &[part("file", from, 3)]);
            let told: Vec<_> = got.lines().skip(1).collect();
            let letter = told[0].split('\t').nth(1).unwrap().chars().next().unwrap();
            let want: Vec<_> = (from..from + 3).map(|at| format!("{at}\t{letter} {at}")).collect();
            assert_eq!(told, want, "{got}");
        }
    });
}

/// A file that gets shorter is a shorter answer, and nobody's end.
#[test]
fn a_file_that_shrinks_is_a_shorter_answer() {
    let mut ground = Ground::new();
    ground.put("case/log", "a line\n".repeat(200_000));
    assert!(read(&mut ground, &[part("log", 150_000, 1)]).ends_with("\n150000\ta line\n"));
    let file = std::fs::File::options().write(true).open(ground.host("case/log")).unwrap();
    file.set_len(70).unwrap();
    let got = read(&mut ground, &[part("log", 150_000, 1)]);
    assert!(got.contains("which has 10 lines"), "{got}");
    assert!(read(&mut ground, &[part("log", -1, None)]).ends_with("\n10\ta line\n"));
}
