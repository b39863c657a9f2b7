//! An entry in the TOML of Codex.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{Field, Fields, NotEdited, OURS};

const SERVERS: &str = "mcp_servers";

/// The text with the entry `name` among the servers.
pub(super) fn edited(old: &str, name: &str, fields: &Fields) -> Result<String, NotEdited> {
    let mut document: DocumentMut = old.parse().map_err(|error| broken(old, &error))?;
    let servers = table(document.as_table_mut(), SERVERS, true)?;
    let entry = table(servers, name, false)?;
    let mut is_changed = false;
    for key in OURS {
        let wanted = fields.iter().find(|(name, _)| *name == key).map(|(_, field)| field);
        match (entry.get(key), wanted) {
            (Some(there), Some(field)) if is_same(there, field) => {}
            (_, Some(field)) => {
                entry.insert(key, Item::Value(value(field)));
                is_changed = true;
            }
            (Some(_), None) => {
                entry.remove(key);
                is_changed = true;
            }
            (None, None) => {}
        }
    }
    Ok(if is_changed { document.to_string() } else { old.into() })
}

/// A table in another, made if there is none.
fn table<'a>(
    above: &'a mut dyn TableLike,
    key: &str,
    is_implicit: bool,
) -> Result<&'a mut dyn TableLike, NotEdited> {
    let new = || {
        let mut table = Table::new();
        // Without a line of its own, as nothing stands right in it.
        table.set_implicit(is_implicit);
        Item::Table(table)
    };
    let item = above.entry(key).or_insert_with(new);
    item.as_table_like_mut().ok_or_else(|| NotEdited::Kind(key.into(), "table"))
}

fn value(field: &Field) -> Value {
    match field {
        Field::Text(text) => text.as_str().into(),
        Field::List(texts) => Value::Array(texts.iter().map(String::as_str).collect::<Array>()),
        Field::Map(map) => Value::InlineTable(
            map.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect::<InlineTable>(),
        ),
    }
}

fn is_same(there: &Item, field: &Field) -> bool {
    match field {
        Field::Text(text) => there.as_str() == Some(text),
        Field::List(texts) => there.as_array().is_some_and(|array| {
            array.iter().map(Value::as_str).eq(texts.iter().map(|text| Some(text.as_str())))
        }),
        Field::Map(map) => there.as_table_like().is_some_and(|table| {
            let is_there = |(key, text): &(String, String)| {
                table.get(key).and_then(Item::as_str) == Some(text)
            };
            table.len() == map.len() && map.iter().all(is_there)
        }),
    }
}

fn broken(text: &str, error: &toml_edit::TomlError) -> NotEdited {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let line_begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    NotEdited::Broken {
        line: before.matches('\n').count() + 1,
        column: before[line_begin..].chars().count() + 1,
        why: error.message().trim().replace('\n', ", "),
    }
}
