//! Any bytes as what the hands of a hostile jail answer: refused, or an answer that
//! holds no more than was sent and is the same when it is sent again.
//!
//! ```text
//! cargo +nightly fuzz run hands -- -max_len=73728 -timeout=5 -rss_limit_mb=200
//! ```

#![no_main]

use casefile::jail::hands::wire::{Answer, Change, Edited, Told};
use casefile::jail::wire::decode_from_jail;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(answer) = decode_from_jail::<Answer>(bytes) else { return };
    let held = match &answer {
        Answer::Chunk(chunk) => chunk.bytes.len(),
        Answer::Listing(listing) => listing.entries.iter().map(|entry| entry.name.len()).sum(),
        Answer::Found(found) => {
            let lines = found.files.iter().flat_map(|file| &file.lines);
            let paths = found.files.iter().map(|file| file.path.len());
            paths.sum::<usize>() + lines.map(|line| line.bytes.len()).sum::<usize>()
        }
        Answer::FoundEntries(found) => {
            let entries = found.entries.iter().map(|entry| entry.path.len());
            let below = found.below.iter().map(|below| below.path.len());
            let refused = found.refused.iter().map(|refused| refused.path.len());
            entries.chain(below).chain(refused).sum()
        }
        Answer::Refused(refusal) => refusal.to_string().len().saturating_sub(REFUSAL_BYTES_MAX),
        Answer::Lines(Told::Lines(told)) => told.lines.iter().map(|line| line.bytes.len()).sum(),
        Answer::Lines(Told::Binary { what, .. }) => what.len(),
        Answer::Edited(Edited::Done(Change { lines: Some(changed), .. })) => {
            let lines = changed.removed_lines.iter().chain(&changed.added_lines);
            lines.map(|line| line.len()).sum()
        }
        Answer::Edited(Edited::Absent { near }) => {
            near.iter().flat_map(|near| &near.lines).map(|line| line.len()).sum()
        }
        Answer::Edited(_) => 0,
        Answer::Nearest(names) => names.iter().map(|name| name.len()).sum(),
        Answer::Written(_) | Answer::Lines(Told::Working { .. }) => 0,
    };
    assert!(held <= bytes.len(), "{held} of {}", bytes.len());
});

/// The longest thing that is said about a refusal, without what came with it.
const REFUSAL_BYTES_MAX: usize = 100;
