//! What is said of a path when the hands refuse it: of one that is not there, which
//! names are.

use super::{Place, ToolError};
use crate::jail::{HandsError, Refusal};

/// An error about a path. If nothing is there, names that look like it are looked up.
pub(super) fn about(path: &[u8], error: HandsError, place: &mut Place<'_>) -> ToolError {
    let is_missing = matches!(
        error,
        HandsError::Refused(Refusal::Missing | Refusal::NotADirectory | Refusal::LongName)
    );
    // Whoever cannot look them up says what was asked for first.
    let nearest = match is_missing {
        true => place.hands.nearest(path, place.base).unwrap_or_default(),
        false => Vec::new(),
    };
    let nearest = nearest.iter().filter(|name| name.len() <= NAME_CHARS_MAX);
    let nearest = nearest.map(|name| place.shown(name)).collect();
    ToolError::Path { path: shortened(place.shown(path)), error, nearest }
}

/// The most of a name that an error repeats.
const NAME_CHARS_MAX: usize = 300;

fn shortened(name: String) -> String {
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}
