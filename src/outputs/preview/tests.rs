//! What holds for every preview, and how one of plain text looks.

use std::io::Cursor;

use proptest::prelude::*;

use super::{About, PREVIEW_CHARS_MAX, preview};
use crate::outputs::{Budget, Kind, kind, tokens, visible};

pub(super) const KINDS: [Kind; 10] = [
    Kind::Json,
    Kind::JsonLines,
    Kind::Csv,
    Kind::Tsv,
    Kind::Log,
    Kind::Traces,
    Kind::Diff,
    Kind::TestRun,
    Kind::Html,
    Kind::Text,
];

/// As the line has it: counted, and by the kind that it looks like.
pub(super) fn shown(bytes: &[u8], chars: usize) -> String {
    shown_as(kind(bytes), bytes, chars)
}

pub(super) fn shown_as(kind: Kind, bytes: &[u8], chars: usize) -> String {
    let ends = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let lines = ends + u64::from(bytes.last().is_some_and(|byte| *byte != b'\n'));
    let about = About {
        path: "/case/outputs/0007-shell.txt",
        facts: "exit 1 after 2.1 s",
        sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        lines,
    };
    let size = bytes.len() as u64;
    preview(&mut Cursor::new(bytes), size, kind, &about, Budget::new(chars)).unwrap()
}

fn text(lines: usize) -> String {
    (1..=lines).map(|n| format!("the line with the number {n}\n")).collect()
}

#[test]
fn text_is_shown_from_both_ends() {
    insta::assert_snapshot!(shown(text(1_000).as_bytes(), 600), @"
    exit 1 after 2.1 s · /case/outputs/0007-shell.txt · text · 28,893 bytes · 1,000 lines · sha256 e3b0c44298fc1c14…
    [lines 1-3 of 1,000]
    the line with the number 1
    the line with the number 2
    the line with the number 3
    [lines 998-1,000]
    the line with the number 998
    the line with the number 999
    the line with the number 1000
    next: read_file /case/outputs/0007-shell.txt from=4, or grep in it
    ");
}

#[test]
fn what_fits_is_shown_whole() {
    insta::assert_snapshot!(shown(b"one\r\n\x1b[31mtwo\n", 600), @"
    exit 1 after 2.1 s · /case/outputs/0007-shell.txt · text · 14 bytes · 2 lines · sha256 e3b0c44298fc1c14…
    one␍
    ␛[31mtwo
    ");
    insta::assert_snapshot!(shown(b"", 600), @"exit 1 after 2.1 s · /case/outputs/0007-shell.txt · text · 0 bytes · 0 lines · sha256 e3b0c44298fc1c14…");
}

#[test]
fn a_line_that_does_not_fit_says_how_long_it_is() {
    let long = "x".repeat(100_000);
    insta::assert_snapshot!(shown(long.as_bytes(), 700), @"
    exit 1 after 2.1 s · /case/outputs/0007-shell.txt · text · 100,000 bytes · 1 line · sha256 e3b0c44298fc1c14…
    [line 1 of 1]
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…[100,000 bytes]…xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    next: grep or read_file in /case/outputs/0007-shell.txt
    ");
    let text = format!("first\n{long}{long}\nthird\n{long}the end");
    insta::assert_snapshot!(shown(text.as_bytes(), 1_000), @"
    exit 1 after 2.1 s · /case/outputs/0007-shell.txt · text · 300,020 bytes · 4 lines · sha256 e3b0c44298fc1c14…
    [lines 1-2 of 4]
    first
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…[200,000 bytes]…xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    [line 4]
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…[100,007 bytes]…xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxthe end
    next: read_file /case/outputs/0007-shell.txt from=3, or grep in it
    ");
}

#[test]
fn what_is_no_text_is_named() {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.extend([0; 10_000]);
    insta::assert_snapshot!(shown(&bytes, 600), @"
    exit 1 after 2.1 s · /case/outputs/0007-shell.txt · ELF program · 10,007 bytes · sha256 e3b0c44298fc1c14…
    it is no text; it begins with 7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    next: shell `file /case/outputs/0007-shell.txt`, or `strings /case/outputs/0007-shell.txt | head`
    ");
}

#[test]
fn the_largest_budget_makes_no_larger_preview() {
    let shown = shown(text(100_000).as_bytes(), 20_000);
    assert!(shown.chars().count() <= PREVIEW_CHARS_MAX);
    assert!(tokens(&shown) < 1_000);
    assert!(PREVIEW_CHARS_MAX * 3 / 4 < shown.chars().count(), "what there is, is used");
}

#[test]
fn a_file_that_became_shorter_is_shown_as_far_as_it_goes() {
    let about = About { path: "/case/outputs/1", ..About::default() };
    for kind in KINDS {
        for left in [&b"{\"a\": 1}\nb,c\n"[..], b"no end", b""] {
            let mut source = Cursor::new(left);
            let shown = preview(&mut source, 1 << 40, kind, &about, Budget::new(500)).unwrap();
            assert!(shown.chars().count() <= 500, "{kind:?}");
        }
    }
}

#[test]
fn a_hunk_or_a_reason_without_end_is_harmless() {
    let max = u64::MAX;
    let diff = format!("diff --git a/x b/x\n@@ -1,{max} +1,{max} @@\n-a\n+b\n").repeat(50);
    assert!(shown(diff.as_bytes(), 500).contains("50 files, +50 -50\n"));
    let reasons = "thread 'a' panicked at x:\n".to_owned() + &"more:\n".repeat(10_000);
    let run = format!("running 5 tests\n---- a stdout ----\n{reasons}");
    assert!(shown(run.as_bytes(), 900).contains("      thread 'a' panicked at x: more:\n"));
    let table = format!("a,b\n{}", "1e300,2\n-1e-300,3\n".repeat(400));
    assert!(shown(table.as_bytes(), 900).contains("a: number, -1e-300 to 1e300\n"));
}

#[test]
fn the_place_of_the_host_hides_nothing() {
    let path = "/srv/\u{202e}x\n\x1b[2Jy";
    let about = About { path, facts: "a\nb", ..About::default() };
    for kind in KINDS.into_iter().chain([Kind::Binary("data")]) {
        let mut source = Cursor::new(text(1_000));
        let shown = preview(&mut source, 28_893, kind, &about, Budget::new(900)).unwrap();
        assert_eq!(visible(shown.as_bytes()), shown, "{kind:?}");
        assert!(shown.starts_with("a␊b · /srv/\\u{202e}x␊␛[2Jy · "), "{shown}");
    }
}

/// Pieces that outputs are made of, and what could upset who reads them.
/// The fuzzer found the one in JSON lines.
#[test]
fn what_was_taken_out_of_an_output_can_do_nothing() {
    let stamp = format!("2026-0{}2026-0{}", "\0".repeat(36), "\u{8f}\u{1b}[2J".repeat(9));
    let mut bytes = format!("{{\"time\":\"{stamp}\"}}\n").into_bytes();
    bytes.extend_from_slice(&[0x8f; 300]);
    bytes.extend_from_slice(format!("\n{stamp} ERROR {stamp}\n{stamp}\n").repeat(40).as_bytes());
    for kind in KINDS {
        for chars in [300, 1_000, 4_000] {
            let shown = shown_as(kind, &bytes, chars);
            assert_eq!(visible(shown.as_bytes()), shown, "{kind:?}");
            assert!(shown.chars().count() <= chars, "{kind:?}");
        }
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        "\\PC{0,30}".prop_map(String::into_bytes),
        proptest::sample::select(vec![
            "\n",
            "\n",
            "\n",
            "\n",
            "\r\n",
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            ",",
            "{\"a\": 1, ",
            "\t",
            "2026-03-01T12:00:00Z ERROR it failed 17\n",
            "at x.Y.z(F.java:1)\n",
            "goroutine 1 [running]:\n",
            "diff --git a/x b/y\n",
            "--- a\n+++ b\n@@ -1,2 +3,4 @@\n",
            "+",
            "-",
            "test a ... FAILED\n",
            "Traceback (most recent call last):\n",
            "  File \"x\", line 1, in f\n",
            "E: x\n",
            "--- FAIL: TestX (0.0s)\n",
            "panic: no\n",
            "\u{202e}",
            "\x1b[2J",
            "\u{e0041}",
            "a,b,c\n",
            "1,2,3\n",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        (any::<u8>(), 1usize..3_000).prop_map(|(byte, times)| vec![byte; times]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn none_passes_its_budget_or_hides_anything(
        pieces in proptest::collection::vec(piece(), 0..60),
        chars in prop_oneof![0usize..200, 0usize..5_000],
    ) {
        let bytes = pieces.concat();
        for kind in KINDS.into_iter().chain([kind(&bytes)]) {
            let shown = shown_as(kind, &bytes, chars);
            prop_assert!(shown.chars().count() <= chars, "{kind:?}: {shown}");
            prop_assert_eq!(visible(shown.as_bytes()), &*shown);
        }
    }

    #[test]
    fn no_line_is_half(
        lines in proptest::collection::vec("\\PC{0,40}|[a-z]{400,900}", 0..100), chars in 0usize..3_000,
    ) {
        let text = lines.join("\n");
        let shown = shown_as(Kind::Text, text.as_bytes(), chars);
        for line in shown.lines().skip(1) {
            let ours = line.starts_with("[line") || line.starts_with("next: ");
            let cut = line.split_once("…[").and_then(|(_, rest)| rest.split_once(" bytes]…"));
            let is_whole = lines.iter().any(|whole| visible(whole.as_bytes()) == line);
            let is_cut = cut.is_some_and(|(bytes, _)| {
                let bytes: usize = bytes.replace(',', "").parse().unwrap();
                lines.iter().any(|line| line.len() == bytes)
            });
            prop_assert!(ours || is_whole || is_cut, "{line}");
        }
    }
}
