//! What the parser found, in our words.
//!
//! Every hint is made from the parser's typed errors, never from its English.

use std::path::Path;

use serde_yaml::budget::BudgetBreach;
use serde_yaml::{Error, MessageFormatter, UserMessageFormatter};

use super::located::{did_you_mean, short};
use super::{DEPTH_MAX, Located, NODES_MAX, Place};

/// The parser's error as ours, with its place and its way out.
pub(super) fn locate(error: &Error, file: &Path) -> Located {
    let (message, hint) = describe(error);
    let located = match error.location().filter(|at| at.line() > 0) {
        Some(at) => {
            // At the end of the text some columns are counted from 0.
            let at = Place { line: at.line(), column: at.column().max(1) };
            Located::at(file, at, message)
        }
        None => Located::whole(file, message),
    };
    located.maybe_hint(hint)
}

fn describe(error: &Error) -> (String, Option<String>) {
    let bare = |message: &str| (message.to_owned(), None);
    let with = |message: &str, hint: &str| (message.to_owned(), Some(hint.to_owned()));
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => describe(error),
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        Error::SerdeMissingField { field, .. } => (format!("`{field}` is missing"), None),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("`{}` is given twice", short(key)), Some("Keep one of the two.".into()))
        }
        Error::DuplicateMappingKey { key: None, .. } => bare("a key is given twice"),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("expected {expected}, not {}", short(unexpected)), None)
        }
        Error::Unexpected { expected, .. } => (format!("expected {}", kind(expected)), None),
        Error::InvalidScalar { ty, .. } => (format!("expected {}", kind(ty)), None),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => bare("expected one word"),
        Error::InvalidBooleanStrict { .. } => bare("expected `true` or `false`"),
        Error::NullIntoString { .. } => bare("expected text, and nothing is here"),
        Error::Eof { .. } => bare("the document ends before it says anything"),
        Error::QuotingRequired { value, .. } => (
            format!("`{}` reads as a number, a boolean or null, and text is meant", short(value)),
            Some("Put it in quotes.".into()),
        ),
        Error::MultipleDocuments { .. }
        | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            with("a second document begins here", "Keep one document in a file.")
        }
        Error::UnknownAnchor { .. }
        | Error::MergeKeyNotAllowed { .. }
        | Error::MergeValueNotMapOrSeqOfMaps { .. }
        | Error::Budget {
            breach:
                BudgetBreach::Aliases { .. }
                | BudgetBreach::Anchors { .. }
                | BudgetBreach::MergeKeys { .. }
                | BudgetBreach::AliasAnchorRatio { .. }
                | BudgetBreach::RecordedAnchorEvents { .. }
                | BudgetBreach::RecordedAnchorBytes { .. },
            ..
        } => with("anchors, aliases and merge keys are not read", "Write the value out."),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            (format!("lists and mappings lie more than {DEPTH_MAX} deep"), None)
        }
        Error::Budget { .. } => (format!("the document has more than {NODES_MAX} values"), None),
        Error::UnsupportedTag { tag, .. } => {
            (format!("the tag `{}` means nothing here", short(tag)), Some("Remove the tag.".into()))
        }
        Error::ExternalMessage { msg, .. } => (format!("not valid YAML: {msg}"), None),
        Error::Message { msg, .. } => (short(msg), None),
        other => (UserMessageFormatter.format_message(other).into_owned(), None),
    }
}

pub(super) fn unknown(what: &str, typed: &str, known: &[&str]) -> (String, Option<String>) {
    let hint = did_you_mean(typed, known.iter().copied()).or_else(|| {
        let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
        (!known.is_empty()).then(|| format!("Use one of {}.", known.join(", ")))
    });
    (format!("unknown {what} `{}`", short(typed)), hint)
}

/// The parser's names for kinds of values, in words for people.
fn kind(name: &str) -> &str {
    match name {
        "mapping start" => "a mapping (`key: value`)",
        "sequence start" => "a list (`- value`)",
        "string scalar" => "a single value",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 up",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        other => other,
    }
}
