//! A complete `casefile.yaml` to begin with, made from the same tables that the
//! settings are checked by, so that the two cannot drift apart.

use std::fmt::Write;

use super::PolicyName;
use super::limits::TABLE;

/// The text: every setting with a comment, each at its default.
///
/// `home` is commented out, because its default is not the same for everybody, and
/// so is what has none.
pub fn template() -> String {
    let mut text = String::from(HEAD);
    // Writing to a string cannot fail.
    let _ = write!(text, "policy: {}\n\n{DEPLOYS}\n{LIMITS}limits:\n", PolicyName::DEFAULT);
    for row in &TABLE {
        let value = format!("{}: {}", row.key, row.default);
        let _ = writeln!(text, "  {value:<22} # {}, {} to {}", row.what, row.min, row.max);
    }
    text
}

const HEAD: &str = "\
# casefile's settings. Every key may be left out; each stands here at its default.
# `casefile config check` reads this file, `casefile config show` says what holds.

# Where cases, mirrors and snapshots are kept. A relative path is taken from this
# file, `~/` from the home directory, and $CASEFILE_HOME wins over it. The default
# is $XDG_STATE_HOME/casefile.
# home: ~/.local/state/casefile

# The policy of a jail that no other is named for: one of the built-in ones
# (`casefile policy list`), or a file of that name in `sandbox-policy/` beside
# this file.
";

const DEPLOYS: &str = "\
# Which commit went live where, and when: JSON lines, or CSV with a header. Its
# fields are `time`, `environment`, `service` and `commit`. There is no default.
# deploys: deploys.csv

# Where deploys count, if nobody says otherwise. There is no default.
# environment: production

# Values that are never shown or kept, beside what looks like a secret by itself:
# variables of whoever runs casefile, and files that hold one value a line.
# Variables whose names end in TOKEN, SECRET, PASSWORD or KEY always count.
# secrets:
#   variables: [DB_URL]
#   files: [~/.config/checkout/token]

# How `casefile serve` is to be. Whose tokens it takes besides those of `casefile
# token`: each issuer as its tokens name it, for whom they have to be, and its public
# keys, in a file or at an address. `scope_claim` and `cases_claim` may name the claims
# with the scopes (`cases:read`, `cases:write`) and with patterns of case ids.
# serve:
#   issuers:
#     - issuer: https://login.example.com/
#       audience: https://cases.example.com/mcp
#       jwks: https://login.example.com/keys
#   allowed_hosts: [cases.example.com]
#   allowed_origins: [https://app.example.com]
#   rate: 500
";

const LIMITS: &str = "\
# What a jail may use, where its policy says nothing else. The unit ends the name.
";

#[cfg(test)]
mod tests {
    use super::super::limits::TABLE;
    use super::super::{Given, Settings, Source};
    use super::template;

    #[test]
    fn the_template_sets_every_limit_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("casefile.yaml");
        let given = Given {
            working_directory: dir.path().into(),
            home: Some("/home/a".into()),
            ..Given::default()
        };
        let bare = Settings::of(None, &given).unwrap();

        let with_home = template().replace("\n# home: ", "\nhome: ");
        assert_ne!(with_home, template());
        for text in [template(), with_home] {
            std::fs::write(&file, text).unwrap();
            let set = Settings::of(Some(file.clone()), &given).unwrap();
            assert_eq!(set.limits(), bare.limits());
            assert_eq!(set.policy().value, bare.policy().value);
            assert_eq!(set.home().unwrap(), bare.home().unwrap());
            for row in &TABLE {
                assert_ne!(*set.limit_source(row.limit), Source::Default, "{}", row.key);
            }
            assert_ne!(set.policy().source, Source::Default);
        }
    }
}
