//! What comes out of a redactor holds no known value, is the same however it came in
//! pieces, and stays as it is when it comes again.
//!
//! The first bytes say where the rest is cut.
#![no_main]

use std::sync::{Arc, LazyLock};

use casefile::outputs::redact::{Known, Redactor, Secrets};
use libfuzzer_sys::fuzz_target;

const VALUES: [&[u8]; 3] = [b"kq8Zp2Lw", b"correct horse\nbattery", b"zzzz"];
const CUTS: usize = 4;

static SECRETS: LazyLock<Arc<Secrets>> = LazyLock::new(|| {
    let known = VALUES.map(|value| Known { name: "known".into(), value: value.into() });
    Arc::new(Secrets::new([9; 16], known.into()).expect("the values can be hidden"))
});

fuzz_target!(|bytes: &[u8]| {
    let Some((cuts, raw)) = bytes.split_at_checked(CUTS) else { return };
    let clean = redacted([raw]);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) * raw.len() / 255).collect();
    cuts.extend([0, raw.len()]);
    cuts.sort_unstable();
    let pieces = redacted(cuts.windows(2).map(|two| &raw[two[0]..two[1]]));
    assert_eq!(pieces, clean, "the pieces matter");
    for value in VALUES {
        assert!(!clean.windows(value.len()).any(|at| at == value), "a known value got through");
    }
    assert_eq!(redacted([&clean[..]]), clean, "what is clean was changed");
});

fn redacted<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut redactor = Redactor::new(Arc::clone(&SECRETS));
    let mut clean = Vec::new();
    for piece in pieces {
        redactor.push(piece, |bytes| clean.extend_from_slice(bytes));
    }
    redactor.finish(|bytes| clean.extend_from_slice(bytes));
    clean
}
