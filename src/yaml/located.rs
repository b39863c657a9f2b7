//! An error with its place in a file.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::hint::Hint;

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: u64,
    /// In characters, not bytes.
    pub column: u64,
}

/// What is wrong with a file, and where in it.
#[derive(Debug)]
pub struct Located {
    file: PathBuf,
    at: Option<Place>,
    message: String,
    hint: Option<String>,
    source: Option<io::Error>,
}

impl Located {
    /// Something is wrong at one place of a file.
    pub fn at(file: &Path, at: Place, message: impl fmt::Display) -> Self {
        Self { at: Some(at), ..Self::whole(file, message) }
    }

    /// Something is wrong with a file that has no line to point at.
    pub fn whole(file: &Path, message: impl fmt::Display) -> Self {
        let message = plain(&message.to_string());
        Self { file: file.into(), at: None, message, hint: None, source: None }
    }

    /// The same with the way out: one imperative sentence.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with a hint if there is one to give.
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// The same with what the system said.
    pub fn because(self, source: io::Error) -> Self {
        Self { source: Some(source), ..self }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub fn place(&self) -> Option<Place> {
        self.at
    }

    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = plain(&self.file.to_string_lossy());
        match self.at {
            Some(at) => write!(f, "{file}:{at}: {}", self.message),
            None => write!(f, "{file}: {}", self.message),
        }
    }
}

impl Error for Located {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn Error + 'static))
    }
}

impl Hint for Located {
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// `Did you mean ...?`, if one of the known words is near enough.
pub(crate) fn did_you_mean<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    // Distance costs time by length, and nobody means a key this long.
    if typed.len() > TYPED_BYTES_MAX {
        return None;
    }
    crate::hint::nearest(typed, known).map(|word| format!("Did you mean `{word}`?"))
}

/// What a file said, fit to stand in a message: cut short.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(TYPED_CHARS_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

const TYPED_BYTES_MAX: usize = 256;
const TYPED_CHARS_SHOWN: usize = 60;

/// Text from a file must not move the cursor of the terminal that shows it, nor
/// break a message into lines.
fn plain(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if hostile(c) { plain.extend(c.escape_unicode()) } else { plain.push(c) }
    }
    plain
}
