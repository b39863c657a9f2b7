//! An entry in a file of JSON, which may have comments.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::{Value, json};

use super::{Field, Fields, NotEdited, OURS};

/// The text with the entry `name` among `servers`.
pub(super) fn edited(
    old: &str,
    servers: &str,
    name: &str,
    fields: &Fields,
) -> Result<String, NotEdited> {
    let root = CstRootNode::parse(old, &options()).map_err(|error| NotEdited::Broken {
        line: error.line_display(),
        column: error.column_display(),
        why: error.kind().to_string(),
    })?;
    let kind = |what: &str| NotEdited::Kind(what.into(), "object");
    let whole = root.object_value_or_create().ok_or_else(|| kind("the whole"))?;
    only(&whole, servers)?;
    let all = whole.object_value_or_create(servers).ok_or_else(|| kind(servers))?;
    only(&all, name)?;
    let is_changed = match all.get(name) {
        Some(there) => changed(&there.object_value().ok_or_else(|| kind(name))?, fields),
        None => {
            let fields = fields.iter().map(|(key, field)| ((*key).to_owned(), input(field)));
            all.append(name, CstInputValue::Object(fields.collect()));
            true
        }
    };
    if !is_changed {
        return Ok(old.into());
    }
    let text = root.to_string();
    Ok(if old.trim().is_empty() { format!("{}\n", text.trim()) } else { text })
}

/// Comments and one comma too many are what people leave in these files. Whatever else
/// is no JSON is a mistake, of which nobody knows what was meant.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// Which of two would count is for the client to say.
fn only(object: &CstObject, key: &str) -> Result<(), NotEdited> {
    let named = |name: Option<String>| name.as_deref() == Some(key);
    match object.properties().iter().filter(|property| named(property.decoded_name())).count() {
        0 | 1 => Ok(()),
        _ => Err(NotEdited::Twice(key.into())),
    }
}

/// Gives an entry these fields, and says whether it had others.
fn changed(entry: &CstObject, fields: &Fields) -> bool {
    let mut is_changed = false;
    for key in OURS {
        let wanted = fields.iter().find(|(name, _)| *name == key).map(|(_, field)| field);
        match (entry.get(key), wanted) {
            (Some(there), Some(field)) => {
                let value = there.value().and_then(|value| value.to_serde_value());
                if value.as_ref() != Some(&plain(field)) {
                    there.set_value(input(field));
                    is_changed = true;
                }
            }
            (Some(there), None) => {
                there.remove();
                is_changed = true;
            }
            (None, Some(field)) => {
                entry.append(key, input(field));
                is_changed = true;
            }
            (None, None) => {}
        }
    }
    is_changed
}

fn input(field: &Field) -> CstInputValue {
    match field {
        Field::Text(text) => text.as_str().into(),
        Field::List(texts) => {
            CstInputValue::Array(texts.iter().map(|text| text.as_str().into()).collect())
        }
        Field::Map(map) => {
            let pairs = map.iter().map(|(key, text)| (key.clone(), text.as_str().into()));
            CstInputValue::Object(pairs.collect())
        }
    }
}

fn plain(field: &Field) -> Value {
    match field {
        Field::Text(text) => json!(text),
        Field::List(texts) => json!(texts),
        Field::Map(map) => {
            Value::Object(map.iter().map(|(key, text)| (key.clone(), json!(text))).collect())
        }
    }
}
