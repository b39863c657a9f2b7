//! YAML in and out: the only place in the program that names the parser.
//!
//! What people write (`casefile.yaml`, policies, manifests) is read strictly. A
//! key given twice, a key nobody knows, a number where text is meant: each is an
//! error with its line and column, and with the nearest word that is known.
//!
//! What comes from elsewhere may be hostile. A file is opened without waiting
//! for anybody, must be a regular one, and is refused by its size before a byte
//! is read. A document is held to a depth and a number of values; anchors,
//! aliases and merge keys, which make a small file large, are refused outright.

mod located;
mod message;
mod placed;
mod read;

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy};

pub use located::{Located, Place};
pub use placed::{Pairs, Placed};
pub use read::read;

/// The largest file that is read. What people write by hand is a thousandth of it.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How deep lists and mappings may lie in each other.
pub const DEPTH_MAX: usize = 32;

/// How many values and keys a document may hold.
pub const NODES_MAX: usize = 50_000;

/// Reads a file and what it says.
pub fn load<T: DeserializeOwned>(file: &Path) -> Result<T, Located> {
    parse(&read(file)?, file)
}

/// What `bytes` say. `file` is only for the errors.
///
/// A document without a value (empty, or nothing but comments) is read like an
/// empty mapping, so a `T` whose fields all have defaults accepts it.
pub fn parse<T: DeserializeOwned>(bytes: &[u8], file: &Path) -> Result<T, Located> {
    let text = read::text(bytes, file)?;
    serde_yaml::from_str_with_options(text, options())
        .map_err(|error| message::locate(&error, file))
}

/// Writes a value so that [`parse`] reads the same again.
pub fn emit<T: Serialize>(value: &T) -> Result<String, Unwritable> {
    serde_yaml::to_string(value).map_err(|error| Unwritable { why: error.to_string() })
}

/// A value has no spelling in YAML; no value of this program is like that.
#[derive(Debug, thiserror::Error)]
#[error("a value cannot be written as YAML: {why}")]
pub struct Unwritable {
    why: String,
}

impl crate::hint::Hint for Unwritable {}

/// A key that a table does not know, where one that came from a struct would
/// have been refused while reading.
pub fn unknown_key<'a>(
    key: &Placed<String>,
    known: impl Iterator<Item = &'a str>,
    file: &Path,
) -> Located {
    let (message, hint) = message::unknown("key", &key.value, &known.collect::<Vec<_>>());
    Located::at(file, key.at, message).maybe_hint(hint)
}

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX + 1,
            max_nodes: NODES_MAX,
            max_events: NODES_MAX * 3,
            max_documents: 1,
            max_anchors: 0,
            max_aliases: 0,
            max_merge_keys: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        // `on`, `1e3` or `010` where text is meant is more often a slip than not.
        no_schema: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
    }
}

#[cfg(test)]
mod tests;
