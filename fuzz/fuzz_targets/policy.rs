//! Any bytes as a policy: read or refused, and what is read holds together.
//!
//! ```text
//! cargo +nightly fuzz run policy -- -max_len=65536 -timeout=5 -rss_limit_mb=200
//! ```

#![no_main]

use std::path::Path;

use casefile::config::limits::{Limits, TABLE};
use casefile::config::{Given, Settings};
use casefile::jail::policy::{Library, Verdict, render, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = Path::new("fuzz.yaml");
    let policy = match Library::default().read(file, bytes) {
        Ok(policy) => policy,
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("fuzz.yaml:") || said.starts_with("built-in/"), "{said}");
            assert!(!said.contains(char::is_control), "{said:?}");
            return;
        }
    };

    // Every limit that holds is within its bounds.
    let limits = policy.limits(&Limits::default());
    for row in &TABLE {
        assert!((row.min..=row.max).contains(&limits.get(row.limit)), "{}", row.key);
    }

    // No rule is without a reason, and each is about its own words.
    for rule in &policy.rules {
        assert!(!rule.why.is_empty());
        assert!(matches!(policy.judge(&rule.prefix), Verdict::Refuse(_)));
        let _ = split(&rule.why);
    }

    // Nothing that is shown is what a jail makes for itself, and the answer to
    // `why` is found in the list that the jail is built from.
    let work = Path::new("/work");
    if let Ok(shown) = policy.shown(work, &[]) {
        for shown in shown {
            for side in [&shown.mount.from, &shown.mount.to] {
                assert!(side.is_absolute() && side.parent().is_some());
                assert!(!side.starts_with("/proc") && !side.starts_with("/dev"));
            }
            let _ = policy.reach(&shown.mount.to, work, &[]);
        }
    }

    let given = Given { working_directory: work.into(), ..Given::default() };
    let Ok(settings) = Settings::of(None, &given) else { return };
    let page = render(&policy.statements(&settings));
    assert!(page.lines().count() >= TABLE.len());
});
