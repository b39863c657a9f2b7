//! What is kept, and what is dropped for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{KeptFile, Outputs, OutputsError, Stream, number, word};
use crate::disk::LEFTOVER;
use crate::outputs::Kind;

fn keep(outputs: &mut Outputs, tool: &str, bytes: &[u8]) -> Result<KeptFile, OutputsError> {
    keep_but(outputs, tool, bytes, &|_| false)
}

fn keep_but(
    outputs: &mut Outputs,
    tool: &str,
    bytes: &[u8],
    referenced: &dyn Fn(&str) -> bool,
) -> Result<KeptFile, OutputsError> {
    let mut spool = outputs.spool();
    spool.push(bytes)?;
    outputs.keep(spool, tool, Stream::Out, referenced)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_output_is_kept_whole_under_the_next_name_by_its_kind() {
    let dir = tempfile::tempdir().unwrap();
    let mut outputs = Outputs::open(dir.path(), 1_000_000).unwrap();
    let kept = keep(&mut outputs, "shell", b"some text\nof two lines").unwrap();
    assert_eq!(kept.path, "/case/outputs/0001-shell.txt");
    assert_eq!((kept.bytes, kept.lines, kept.kind), (22, 2, Kind::Text));
    assert_eq!(kept.sha256.len(), 64);
    let path = dir.path().join(&kept.name);
    assert_eq!(fs::read(&path).unwrap(), b"some text\nof two lines");
    // Whatever the umask: the jail of root is another user.
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o444);
    assert_eq!(std::io::read_to_string(kept.open().unwrap()).unwrap().len(), 22);

    let kept = keep(&mut outputs, "datadog/logs", b"{\"a\": [1, 2]}").unwrap();
    assert_eq!(kept.name, "0002-datadog_logs.json");
    let spool = outputs.spool();
    let kept = outputs.keep(spool, "shell", Stream::Err, &|_| false).unwrap();
    assert_eq!((&*kept.name, kept.bytes), ("0003-shell.err.txt", 0));
    // The next one goes on, and takes no name that somebody has.
    fs::write(dir.path().join("0004-shell.txt"), "taken").unwrap();
    let kept = keep(&mut outputs, "shell", b"x").unwrap();
    assert_eq!(kept.name, "0005-shell.txt");
    drop(outputs);
    let mut outputs = Outputs::open(dir.path(), 1_000_000).unwrap().shown_at("/elsewhere");
    let kept = keep(&mut outputs, "grep", b"x").unwrap();
    assert_eq!(kept.path, "/elsewhere/0006-grep.txt");
    assert_eq!(fs::read(dir.path().join("0004-shell.txt")).unwrap(), b"taken");
}

#[test]
fn a_killed_keepers_rest_is_swept_and_what_is_not_ours_stays() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(format!("{LEFTOVER}x7Yq")), "half").unwrap();
    fs::write(dir.path().join("README"), "not ours").unwrap();
    fs::create_dir(dir.path().join("0009-dir")).unwrap();
    let outputs = Outputs::open(dir.path(), 10).unwrap();
    assert_eq!(names(dir.path()), ["0009-dir", "README"]);
    assert_eq!(outputs.next, 1);
    // A spool that is given up leaves nothing either.
    let mut spool = Outputs::open(dir.path(), 1 << 20).unwrap().spool();
    spool.push(&[b'x'; 100_000]).unwrap();
    assert_eq!(names(dir.path()).len(), 3);
    drop(spool);
    assert_eq!(names(dir.path()).len(), 2);
}

#[test]
fn the_oldest_that_nobody_named_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut outputs = Outputs::open(dir.path(), 100).unwrap();
    for _ in 0..4 {
        assert!(keep(&mut outputs, "a", &[b'x'; 25]).unwrap().dropped.is_empty());
    }
    let named = |name: &str| name.starts_with("0001");
    let kept = keep_but(&mut outputs, "b", &[b'y'; 30], &named).unwrap();
    assert_eq!(kept.dropped, ["0002-a.txt", "0003-a.txt"]);
    assert_eq!(names(dir.path()), ["0001-a.txt", "0004-a.txt", "0005-b.txt"]);

    // Nothing goes for what has no room anyway.
    let all = |_: &str| true;
    let error = keep_but(&mut outputs, "c", &[b'z'; 30], &all).unwrap_err();
    assert!(matches!(error, OutputsError::NoRoom { named_bytes: 80, .. }), "{error}");
    let error = keep(&mut outputs, "c", &[b'z'; 101]).unwrap_err();
    assert!(matches!(error, OutputsError::TooLarge { .. }), "{error}");
    assert_eq!(names(dir.path()).len(), 3);

    // A smaller quota than what is there, as after a change of the configuration.
    let mut outputs = Outputs::open(dir.path(), 40).unwrap();
    let kept = keep(&mut outputs, "d", b"w").unwrap();
    assert_eq!(kept.dropped, ["0001-a.txt", "0004-a.txt"]);
}

#[test]
fn names_are_plain() {
    #[rustfmt::skip]
        let table = [
            ("0007-shell.txt",   Some(7)),
            ("12345-x.json",     Some(12_345)),
            ("007-shell.txt",    None),
            ("+007-shell.txt",   None),
            ("99999999999999999999999-x", None),
            ("notes.txt",        None),
        ];
    for (name, want) in table {
        assert_eq!(number(name), want, "{name}");
    }
    let table = [("../../etc", "______etc"), ("", "tool"), ("é\n", "__"), ("a_b", "a_b")];
    for (tool, want) in table {
        assert_eq!(word(tool), want);
    }
    assert_eq!(word(&"x".repeat(300)).len(), 40);
}
