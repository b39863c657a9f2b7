//! Any bytes as an output, of any kind and in any budget: what is shown is never longer
//! than that, hides nothing, and does not depend on luck.
//!
//! ```text
//! cargo +nightly fuzz run preview -- -max_len=65536 -timeout=5 -rss_limit_mb=200
//! ```

#![no_main]

use std::io::Cursor;

use casefile::outputs::{About, Budget, Kind, kind, preview, visible};
use libfuzzer_sys::fuzz_target;

const KINDS: [Kind; 10] = [
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

fuzz_target!(|bytes: &[u8]| {
    // The first two bytes choose the kind and the budget.
    let [kind_byte, budget_byte, bytes @ ..] = bytes else { return };
    let seen = kind(bytes);
    let kind = KINDS.get(usize::from(*kind_byte)).copied().unwrap_or(seen);
    let chars = usize::from(*budget_byte) * 20;
    let about = About {
        path: "/case/outputs/0007-shell.txt",
        facts: "exit 1 after 2.1 s",
        sha256: "e3b0c44298fc1c149afbf4c8996fb924",
        lines: bytes.iter().filter(|byte| **byte == b'\n').count() as u64,
    };
    let size = bytes.len() as u64;
    let show = || preview(&mut Cursor::new(bytes), size, kind, &about, Budget::new(chars));
    let Ok(shown) = show() else { panic!("memory cannot fail to be read") };
    assert!(shown.chars().count() <= chars, "{kind:?} in {chars}: {shown:?}");
    assert_eq!(visible(shown.as_bytes()), shown, "{kind:?}");
    assert_eq!(show().ok(), Some(shown), "{kind:?} is shown in two ways");
});
