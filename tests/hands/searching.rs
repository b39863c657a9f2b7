//! Searching: what is found and where, what is left out and why, and that neither the
//! parts of an answer nor the number of threads make a difference.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use casefile::jail::Refusal;
use casefile::jail::hands::search::wire::{
    Case, FoundIn, LINE_BYTES_MAX, Mode as SearchMode, Query, Unsearched,
};
use casefile::jail::hands::wire::Kind;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::ground::{Ground, query, refusal};

fn shown(files: &[FoundIn]) -> String {
    let mut text = String::new();
    for file in files {
        let why = file.unsearched.as_ref().map_or(String::new(), |why| format!(" ({why:?})"));
        let defines = if file.defines { " defines" } else { "" };
        let path = file.path.escape_ascii();
        writeln!(text, "{path}: {}{defines}{why}", file.count).unwrap();
        for line in &file.lines {
            let mark = if line.matches { ':' } else { '-' };
            let (before, after, bytes) = (line.before, line.after, line.bytes.escape_ascii());
            write!(text, "  {}{mark} ", line.number).unwrap();
            let around =
                if before + after == 0 { String::new() } else { format!(" +{before}+{after}") };
            writeln!(text, "{bytes}{around}").unwrap();
        }
    }
    text
}

#[test]
fn lines_are_grouped_by_file_in_the_order_of_paths() {
    let mut ground = Ground::new();
    for dir in ["case/b", "case/b/.git", "case/b/.dir", "case/fifos"] {
        std::fs::create_dir(ground.host(dir)).unwrap();
    }
    ground.put("case/a", "one\ntwo error\n\nerror at the end");
    ground.put("case/b/.git/x", "error\n");
    ground.put("case/b/.dir/x", "error\r\n");
    ground.put("case/b/z", b"\xff error \xfe\nnone\n");
    ground.put("case/binary", b"error\nbefore\0error\n");
    ground.put("case/late", ["error\n".as_bytes(), &vec![b'\n'; 70_000], b"\0 error\n"].concat());
    ground.put("case/marked", b"\xef\xbb\xbferror\n");
    ground.put("case/none", "nothing\n");
    ground.put("case/c\nd", "error\n");
    ground.put("case/shut", "error\n");
    ground.put("case/wide", b"\xff\xfee\0r\0r\0o\0r\0\n\0");
    ground.put("outside/x", "error\n");
    ground.put("case/.gitignore", "*\n");
    std::fs::set_permissions(ground.host("case/shut"), PermissionsExt::from_mode(0o000)).unwrap();
    mkfifo(&ground.host("case/fifos/fifo"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(ground.host("case/fifos/socket")).unwrap();
    symlink("a", ground.host("case/link")).unwrap();
    symlink("/dev/zero", ground.host("case/zero")).unwrap();
    symlink(".", ground.host("case/loop")).unwrap();
    symlink(ground.host("outside"), ground.host("case/out")).unwrap();

    let (files, tally, _) = ground.search(&query("^.*err[o]r", &["/case"]));
    insta::assert_snapshot!(shown(&files), @r"
    /case/a: 2
      2: two error
      4: error at the end
    /case/b/.dir/x: 1
      1: error
    /case/c\nd: 1
      1: error
    /case/late: 2
      1: error
      70002: \x00 error
    /case/marked: 1
      1: error
    /case/shut: 0 (Refused(Denied))
    /case/wide: 1
      1: error
    ");
    insta::assert_debug_snapshot!((tally.files, tally.binary, tally.cut), @"
    (
        9,
        1,
        false,
    )
    ");
    // What is named itself is followed, and searched whatever it holds.
    let (one, ..) = ground.search(&query("error", &["/case/link", "/case/binary", "/case/b/.git"]));
    insta::assert_snapshot!(shown(&one), @"
    /case/link: 2
      2: two error
      4: error at the end
    /case/binary: 2 (Binary)
    /case/b/.git/x: 1
      1: error
    ");
    let (dir, ..) = ground.search(&query("error", &["/case/loop/b"]));
    assert_eq!(dir.len(), 2);
}

#[test]
fn what_cannot_be_searched_is_told_and_a_bad_pattern_refused() {
    let mut ground = Ground::new();
    mkfifo(&ground.host("case/fifo"), Mode::S_IRWXU).unwrap();
    ground.put("case/there", "x\n");
    let paths = ["/case/fifo", "/dev/zero", "/nothing", "/case/there"];
    let (files, tally, _) = ground.search(&query("x", &paths));
    let why: Vec<_> = files.iter().map(|file| file.unsearched.clone()).collect();
    let refused = |why| Some(Unsearched::Refused(why));
    let want = [
        refused(Refusal::Is(Kind::Fifo)),
        refused(Refusal::Is(Kind::Device)),
        refused(Refusal::Missing),
        None,
    ];
    assert_eq!((&why[..], tally.files), (&want[..], 1));
    let huge = "(a|b){1000}{1000}";
    let long = "(".repeat(1_000_000);
    for pattern in ["(", "a{2,1}", "\\", "[z-a]", "a\nb", huge, &long] {
        let refused = refusal(ground.hands.search(&query(pattern, &["/case"])));
        assert!(matches!(refused, Refusal::Pattern(_)), "{pattern:.20}: {refused:?}");
    }
    // Nothing of a search that could not begin is left.
    assert!(ground.hands.list(b"/case", None, 9).is_ok());
}

#[test]
fn what_a_repository_ignores_is_left_out_there_and_nowhere_else() {
    let mut ground = Ground::new();
    for dir in ["repos/app/.git/info", "repos/app/build", "repos/app/src/gen", "evidence/build"] {
        std::fs::create_dir_all(ground.host("case").join(dir)).unwrap();
    }
    for path in [
        "repos/app/build/x",
        "repos/app/src/a.rs",
        "repos/app/src/a.log",
        "repos/app/src/keep.log",
        "repos/app/src/gen/b.rs",
        "repos/app/src/.hidden.rs",
        "repos/app/excluded",
        "repos/app/.shown",
        "evidence/build/x",
        "evidence/a.log",
        "evidence/.hidden",
    ] {
        ground.put(format!("case/{path}"), "x\n");
    }
    ground.put("case/repos/app/.gitignore", "/build/\n*.log\n!.shown\n");
    ground.put("case/repos/app/src/.gitignore", "!keep.log\n");
    ground.put("case/repos/app/src/.ignore", "gen\n");
    ground.put("case/repos/app/.git/info/exclude", "excluded\n");
    ground.put("case/evidence/.gitignore", "*\n");
    let mut names = |change: &dyn Fn(&mut Query), paths: &[&str]| {
        let mut query = query("^x", paths);
        query.scope.hidden = false;
        query.scope.repos = b"/case/repos"[..].into();
        change(&mut query);
        let (files, ..) = ground.search(&query);
        let names: Vec<_> = files
            .iter()
            .map(|file| file.path.escape_ascii().to_string().replace("/case/", ""))
            .collect();
        names.join(" ")
    };
    let all = ["/case"];
    insta::assert_snapshot!(names(&|_| {}, &all), @"evidence/a.log evidence/build/x repos/app/.shown repos/app/src/a.rs repos/app/src/keep.log");
    // From within it is the same, and what is named is searched.
    insta::assert_snapshot!(names(&|_| {}, &["/case/repos/app/src"]), @"repos/app/src/a.rs repos/app/src/keep.log");
    insta::assert_snapshot!(names(&|_| {}, &["/case/repos/app/build"]), @"repos/app/build/x");
    insta::assert_snapshot!(names(&|query| query.scope.hidden = true, &all), @"evidence/.hidden evidence/a.log evidence/build/x repos/app/.shown repos/app/src/.hidden.rs repos/app/src/a.rs repos/app/src/keep.log");
    insta::assert_snapshot!(names(&|query| query.scope.ignored = true, &all), @"evidence/a.log evidence/build/x repos/app/build/x repos/app/excluded repos/app/src/a.log repos/app/src/a.rs repos/app/src/gen/b.rs repos/app/src/keep.log");
    // Globs go before all that.
    let globs = |globs: &'static [&'static str]| {
        move |query: &mut Query| query.scope.globs = globs.iter().map(|&glob| glob.into()).collect()
    };
    insta::assert_snapshot!(names(&globs(&["*.log"]), &all), @"evidence/a.log repos/app/src/a.log repos/app/src/keep.log");
    insta::assert_snapshot!(names(&globs(&["!src"]), &all), @"evidence/a.log evidence/build/x repos/app/.shown");
    insta::assert_snapshot!(names(&globs(&["app/src/*"]), &all), @"repos/app/src/.hidden.rs repos/app/src/a.log repos/app/src/a.rs repos/app/src/keep.log");
    insta::assert_snapshot!(names(&|query| query.scope.types = vec!["rust".into()], &all), @"repos/app/src/.hidden.rs repos/app/src/a.rs");
}

/// What a row of a table asks besides its pattern.
type Change<'a> = &'a dyn Fn(&mut Query);

#[test]
fn a_pattern_is_what_the_switches_make_of_it() {
    let mut ground = Ground::new();
    ground.put("case/a", "Foo.bar\nfoo_bar\nfooXbar baz\nbegin\n  end\n\nfoo.bar.\n");
    #[rustfmt::skip]
    let table: &[(&str, Change<'_>, &[u64])] = &[
        ("foo.bar",       &|_| {},                                 &[1, 2, 3, 7]),
        ("Foo.bar",       &|_| {},                                 &[1]),
        ("Foo.bar",       &|q| q.case = Case::Insensitive,         &[1, 2, 3, 7]),
        ("foo.bar",       &|q| q.case = Case::Sensitive,           &[2, 3, 7]),
        ("foo.bar",       &|q| q.literal = true,                   &[1, 7]),
        ("bar",           &|q| q.word = true,                      &[1, 7]),
        ("begin\\s+end",  &|_| {},                                 &[]),
        ("begin\\s+end",  &|q| q.multiline = true,                 &[4, 5]),
        ("begin(?s:.)*f", &|q| q.multiline = true,                 &[4, 5, 6, 7]),
        ("^$",            &|_| {},                                 &[6]),
        ("x*",            &|_| {},                                 &[1, 2, 3, 4, 5, 6, 7]),
        ("\\Afoo",        &|_| {},                                 &[1, 2, 3, 7]),
        ("baz$",          &|_| {},                                 &[3]),
        ("\\bend\\z",     &|_| {},                                 &[5]),
    ];
    for (pattern, change, want) in table {
        let mut query = query(pattern, &["/case"]);
        change(&mut query);
        let (files, ..) = ground.search(&query);
        let numbers: Vec<u64> =
            files.iter().flat_map(|file| &file.lines).map(|line| line.number).collect();
        assert_eq!(numbers, *want, "{pattern}");
        assert_eq!(files.iter().map(|file| file.count).sum::<u64>(), want.len() as u64);
    }
}

#[test]
fn context_is_told_once_and_modes_tell_less() {
    let mut ground = Ground::new();
    let text: String = (1..=20).map(|nth| format!("line {nth}\n")).collect();
    ground.put("case/a", text.replace("line 5\n", "hit 5\n").replace("line 8\n", "hit 8\n"));
    ground.put("case/b", "hit\nhit");
    let around = |before, after, mode| Query { before, after, mode, ..query("hit", &["/case"]) };
    let (files, ..) = ground.search(&around(1, 2, SearchMode::Lines));
    insta::assert_snapshot!(shown(&files), @"
    /case/a: 2
      4- line 4
      5: hit 5
      6- line 6
      7- line 7
      8: hit 8
      9- line 9
      10- line 10
    /case/b: 2
      1: hit
      2: hit
    ");
    let (files, ..) = ground.search(&around(9, 0, SearchMode::Lines));
    assert_eq!(files[0].lines.len(), 8);
    let (files, ..) = ground.search(&around(1, 1, SearchMode::Files));
    insta::assert_snapshot!(shown(&files), @"
    /case/a: 1
    /case/b: 1
    ");
    let (files, ..) = ground.search(&around(1, 1, SearchMode::Count));
    insta::assert_snapshot!(shown(&files), @"
    /case/a: 2
    /case/b: 2
    ");
}

#[test]
fn a_line_is_cut_around_what_matches_and_a_huge_one_searched_in_pieces() {
    let mut ground = Ground::new();
    let long = format!("{}begin{}\nbegin\n", "é".repeat(50_000), "x".repeat(100_000));
    ground.put("case/cut", &long);
    ground.put("case/endless", "begin\n".to_owned() + &"x".repeat(20_000_000) + "begin\nend begin");
    let sparse = std::fs::File::create(ground.host("case/sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let (files, tally, _) = ground.search(&query("begin", &["/case"]));
    let [cut, endless] = &files[..] else { panic!("{}", shown(&files)) };
    let [one, two] = &cut.lines[..] else { panic!("{}", cut.lines.len()) };
    let text = std::str::from_utf8(&one.bytes).unwrap();
    assert!(text.starts_with('é') && text.ends_with('x') && text.contains("begin"), "{text}");
    assert!(LINE_BYTES_MAX - 4 <= text.len() && text.len() <= LINE_BYTES_MAX);
    assert_eq!(one.before + text.len() as u64 + one.after, 200_005);
    assert_eq!((two.number, &*two.bytes), (2, &b"begin"[..]));
    let numbers: Vec<_> = endless.lines.iter().map(|line| line.number).collect();
    assert_eq!((numbers, &endless.unsearched), (vec![1, 2, 3], &Some(Unsearched::LongLine)));
    assert_eq!(tally.binary, 1);
}

#[test]
fn neither_parts_nor_threads_make_a_difference() {
    let mut ground = Ground::new();
    // One file is longer than a moment, and the others are ready before it.
    let mut log = String::new();
    let mut want = 0;
    for number in 1..=400_000_u64 {
        if number % 1_009 == 0 {
            want += 1;
            log.push_str("needle ");
        }
        writeln!(log, "line {number} of a log that is longer than one moment").unwrap();
    }
    ground.put("case/a-log", &log);
    for nth in 0..600 {
        let dir = ground.host(format!("case/dir{:02}", nth % 37));
        std::fs::create_dir_all(&dir).unwrap();
        let text = if nth % 3 == 0 { "fn needle() {}\n" } else { "a needle here\n" };
        std::fs::write(dir.join(format!("{nth}.rs")), text).unwrap();
    }
    let mut asked = query("needle", &["/case"]);
    asked.after = 1;
    let (files, tally, parts) = ground.search(&asked);
    assert!(1 < parts, "{parts}");
    assert_eq!((files.len(), tally.files, files[0].count), (601, 601, want));
    assert!(files.is_sorted_by_key(|file| {
        file.path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>()
    }));
    let lines: Vec<_> = log.lines().collect();
    for line in &files[0].lines {
        let text = lines[line.number as usize - 1];
        assert_eq!((&*line.bytes, line.matches), (text.as_bytes(), text.starts_with("needle")));
    }
    for _ in 0..3 {
        assert_eq!(ground.search(&asked).0, files);
    }
    // The first lines are those of the first files, and then those of definitions.
    asked.lines_max = want * 2 + 10;
    asked.after = 0;
    let (files, ..) = ground.search(&asked);
    let told = |file: &&FoundIn| !file.lines.is_empty();
    let plain = asked.lines_max as usize - want as usize;
    assert!(files[..=plain].iter().all(|file| told(&file)));
    assert!(files[plain + 1..].iter().all(|file| told(&file) == file.defines));
    assert!(files[plain + 1..].iter().any(|file| file.defines));
    asked.lines_max = 5;
    let (files, ..) = ground.search(&asked);
    let told = files.iter().filter(|file| !file.lines.is_empty());
    assert_eq!(told.map(|file| file.lines.len()).collect::<Vec<_>>(), [5, 1, 1, 1, 1, 1]);
    // Another search takes the place of one that was left, and so does none.
    let mut left = ground.hands.search(&asked).unwrap();
    assert!(left.next_part().unwrap().is_some());
    let (files, ..) = ground.search(&query("line 400000 ", &["/case"]));
    assert_eq!(files[0].lines[0].number, 400_000);
}
