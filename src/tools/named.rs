//! Whether an output is named in what the agent wrote down: then it is not the one that
//! goes when there is no room.

use super::grep::Mode;
use super::{Grep, Place, grep};
use crate::jail::Jail;

/// Asked is the jail, since the host reads nothing that an agent wrote. If it does not
/// answer, the output counts as named: nothing is lost for want of an answer.
pub(super) fn is_named(jail: &Jail, base: &[u8], name: &str) -> bool {
    let Ok(mut hands) = jail.hands() else { return true };
    let asked = Grep {
        // As it is told, without its ending: a report says `0007-shell` too.
        pattern: name.split('.').next().unwrap_or(name).into(),
        literal: true,
        paths: vec!["notes".into()],
        mode: Mode::Files,
        hidden: true,
        limit: 1,
        ..Grep::default()
    };
    let found = grep(&asked, &mut Place { hands: &mut hands, base, stop: None });
    found.map_or(true, |answer| !answer.body.is_empty())
}
