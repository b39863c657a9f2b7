//! Searching: what is found and where, what is not searched and why, and that a
//! search in parts finds what a search in one would.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use casefile::jail::Refusal;
use casefile::jail::hands::wire::{FoundIn, Kind, LINE_BYTES_MAX, Unsearched};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::ground::{Ground, refusal};

fn shown(files: &[FoundIn]) -> String {
    let mut text = String::new();
    for file in files {
        let why = file.unsearched.map_or(String::new(), |why| format!(" ({why:?})"));
        writeln!(text, "{}{why}", file.path.escape_ascii()).unwrap();
        for line in &file.lines {
            let bytes = line.bytes.escape_ascii();
            writeln!(text, "  {}@{}+{}: {bytes}", line.number, line.offset, line.length).unwrap();
        }
    }
    text
}

#[test]
fn lines_are_grouped_by_file_in_the_order_of_names() {
    let mut ground = Ground::new();
    for dir in ["case/b", "case/b/.git", "case/fifos"] {
        std::fs::create_dir(ground.host(dir)).unwrap();
    }
    ground.put("case/a", "one\ntwo error\n\nerror at the end");
    ground.put("case/b/.git/x", "error\r\n");
    ground.put("case/b/z", b"\xff error \xfe\nnone\n");
    ground.put("case/binary", b"error\nbefore\0error\n");
    ground.put("case/none", "nothing\n");
    ground.put("case/c\nd", "error\n");
    ground.put("case/shut", "error\n");
    ground.put("outside/x", "error\n");
    // Ignoring what a repository ignores is for whoever asks to decide.
    ground.put("case/.gitignore", "*\n");
    std::fs::set_permissions(ground.host("case/shut"), PermissionsExt::from_mode(0o000)).unwrap();
    mkfifo(&ground.host("case/fifos/fifo"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(ground.host("case/fifos/socket")).unwrap();
    symlink("a", ground.host("case/link")).unwrap();
    symlink("/dev/zero", ground.host("case/zero")).unwrap();
    symlink(".", ground.host("case/loop")).unwrap();
    symlink(ground.host("outside"), ground.host("case/out")).unwrap();

    let (files, _) = ground.search_by("err[o]r", b"/case", 1000);
    insta::assert_snapshot!(shown(&files), @r"
    /case/a
      2@4+9: two error
      4@15+16: error at the end
    /case/b/.git/x
      1@0+6: error\r
    /case/b/z
      1@0+9: \xff error \xfe
    /case/binary (Binary)
      1@0+5: error
    /case/c\nd
      1@0+5: error
    /case/shut (Unreadable { errno: 13 })
    ");
    for one in [1, 2, 3] {
        let (by_few, parts) = ground.search_by("err[o]r", b"/case", one);
        assert_eq!(by_few, files);
        assert!(6 / one <= parts, "{parts} of {one}");
    }
    for file in &files {
        for line in &file.lines {
            let chunk = ground.hands.read(&file.path, line.offset, line.length as usize).unwrap();
            assert_eq!(chunk.bytes, line.bytes);
        }
    }
    // What is named itself is followed and searched alone.
    let (one, _) = ground.search_by("error", b"/case/link", 1000);
    assert_eq!((one.len(), &*one[0].path), (1, &b"/case/link"[..]));
    let (dir, _) = ground.search_by("error", b"/case/loop/b", 1000);
    assert_eq!(dir.len(), 2);
}

#[test]
fn what_cannot_be_searched_is_refused_by_name() {
    let mut ground = Ground::new();
    mkfifo(&ground.host("case/fifo"), Mode::S_IRWXU).unwrap();
    #[rustfmt::skip]
    let table: &[(&str, Refusal)] = &[
        ("/case/fifo", Refusal::Is(Kind::Fifo)),
        ("/dev/zero",  Refusal::Is(Kind::Device)),
        ("/nothing",   Refusal::Missing),
    ];
    for (path, want) in table {
        assert_eq!(refusal(ground.hands.search("x", path.as_bytes())), *want, "{path}");
    }
    let huge = "(a|b){1000}{1000}";
    let long = "(".repeat(1_000_000);
    for pattern in ["(", "a{2,1}", "\\", "[z-a]", "a\nb", huge, &long] {
        let refused = refusal(ground.hands.search(pattern, b"/case"));
        assert!(matches!(refused, Refusal::Pattern(_)), "{pattern:.20}: {refused:?}");
    }
    // Nothing of a search that could not begin is left.
    assert!(ground.hands.list(b"/case", None, 9).is_ok());
}

#[test]
fn a_line_is_cut_and_one_without_end_is_left() {
    let mut ground = Ground::new();
    let long = format!("begin{}end\nbegin\n", "x".repeat(100_000));
    ground.put("case/cut", &long);
    ground.put("case/endless", "begin\n".to_owned() + &"x".repeat(20_000_000));
    let sparse = std::fs::File::create(ground.host("case/sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let (files, _) = ground.search_by("begin", b"/case", 1000);
    assert_eq!(files.len(), 3, "{}", shown(&files[1..]));
    let [one, two] = &files[0].lines[..] else { panic!("{}", files[0].lines.len()) };
    assert_eq!((one.bytes.len(), one.length), (LINE_BYTES_MAX, 100_008));
    assert_eq!((two.number, two.offset), (2, 100_009));
    assert_eq!(files[1].lines.len(), 1);
    assert_eq!(files[1].unsearched, Some(Unsearched::LongLine));
    assert_eq!(files[2].unsearched, Some(Unsearched::Binary));
}

#[test]
fn a_search_that_was_left_off_in_a_file_goes_on_there() {
    let mut ground = Ground::new();
    let mut text = String::new();
    let mut want = Vec::new();
    for number in 1..=400_000_u64 {
        if number % 1_009 == 0 {
            want.push((number, text.len() as u64));
            text.push_str("needle ");
        }
        writeln!(text, "line {number} of a log that is longer than one moment").unwrap();
    }
    ground.put("case/log", &text);
    for lines in [7, 1_000_000] {
        let (files, parts) = ground.search_by("^needle", b"/case", lines);
        let got: Vec<_> = files[0].lines.iter().map(|line| (line.number, line.offset)).collect();
        assert_eq!((files.len(), &got), (1, &want), "by {lines}");
        assert!(want.len() / lines < parts, "{parts}");
    }
    // Another search takes the place of one that was left, and so does none.
    let mut left = ground.hands.search("needle", b"/case").unwrap();
    assert_eq!(left.next_part(1).unwrap().unwrap()[0].lines.len(), 1);
    let (files, _) = ground.search_by("line 400000 ", b"/case", 10);
    assert_eq!(files[0].lines[0].number, 400_000);
}
