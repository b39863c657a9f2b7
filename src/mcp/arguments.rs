//! The arguments of a call, read leniently where it is plain what is meant: models and
//! clients write `"5"` for 5, and one string where a list is asked for. What is not
//! plain is refused by its name, with what was expected.

use serde_json::{Map, Value};

use super::errors::Told;
use crate::hint::nearest;

/// What is left to read of the arguments of one call.
#[derive(Debug)]
pub(super) struct Arguments {
    given: Map<String, Value>,
}

impl Arguments {
    /// Takes arguments of which each has to be known.
    pub(super) fn new<'a>(
        tool: &str,
        known: impl Iterator<Item = &'a str> + Clone,
        given: Map<String, Value>,
    ) -> Result<Self, Told> {
        for name in given.keys() {
            if !known.clone().any(|known| known == name) {
                let why = format!("`{tool}` has no such argument");
                let hint = match nearest(name, known.clone()) {
                    Some(nearest) => format!("Did you mean `{nearest}`?"),
                    None => format!("It has {}.", listed(known)),
                };
                return Err(Told::argument(name, why, hint));
            }
        }
        Ok(Self { given })
    }

    /// What nobody gave is absent, and so is what is null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.given.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Told> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match as_text(value) {
            Ok(text) => Ok(Some(text)),
            Err(value) => Err(wrong(name, &value, "a string")),
        }
    }

    pub(super) fn needed_text(&mut self, name: &str) -> Result<String, Told> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<u64>, Told> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = as_integer(&value).and_then(|number| u64::try_from(number).ok());
        number.map(Some).ok_or_else(|| wrong(name, &value, "a whole number from 0"))
    }

    pub(super) fn size(&mut self, name: &str) -> Result<Option<usize>, Told> {
        Ok(self.number(name)?.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    }

    /// A number that may be negative.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, Told> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = as_integer(&value).and_then(|number| i64::try_from(number).ok());
        number.map(Some).ok_or_else(|| wrong(name, &value, "a whole number"))
    }

    /// Whether it is so. Where nobody says, it is not.
    pub(super) fn is(&mut self, name: &str) -> Result<bool, Told> {
        Ok(self.flag(name)?.unwrap_or_default())
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Told> {
        let is = |text: &str, word| text.trim().eq_ignore_ascii_case(word);
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(text)) if is(&text, "true") => Ok(Some(true)),
            Some(Value::String(text)) if is(&text, "false") => Ok(Some(false)),
            Some(value) => Err(wrong(name, &value, "true or false")),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Vec<String>, Told> {
        let expected = "a list of strings";
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                let texts = values.into_iter().map(as_text);
                texts.collect::<Result<_, _>>().map_err(|value| wrong(name, &value, expected))
            }
            // Some write the list itself as a string.
            Some(Value::String(text)) => match serde_json::from_str::<Vec<String>>(&text) {
                Ok(list) => Ok(list),
                Err(_) => Ok(vec![text]),
            },
            Some(value) => {
                as_text(value).map(|text| vec![text]).map_err(|value| wrong(name, &value, expected))
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, Told> {
        let Some(given) = self.text(name)? else { return Ok(None) };
        let word = given.trim();
        let found = choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(word));
        found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let words = listed(choices.iter().map(|(word, _)| *word));
            Told::argument(name, format!("`{}` is none of its words", short(&given)), {
                format!("Give one of {words}.")
            })
        })
    }

    /// An object of its own, such as the arguments of another tool.
    pub(super) fn object(&mut self, name: &str) -> Result<Map<String, Value>, Told> {
        match self.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(Value::String(text)) => serde_json::from_str(&text)
                .map_err(|_| wrong(name, &Value::String(text), "an object")),
            Some(value) => Err(wrong(name, &value, "an object")),
        }
    }
}

/// A string, or what can only be meant as one.
fn as_text(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Array(values) => match <[Value; 1]>::try_from(values) {
            Ok([Value::String(text)]) => Ok(text),
            Ok([value]) => Err(Value::Array(vec![value])),
            Err(values) => Err(Value::Array(values)),
        },
        value => Err(value),
    }
}

fn as_integer(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))
            .or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse().ok().and_then(whole))
        }
        _ => None,
    }
}

/// 5.0 is 5. Above 2^53 a float does not say which number was meant.
#[expect(clippy::cast_possible_truncation, reason = "whole, and within what i128 holds")]
fn whole(number: f64) -> Option<i128> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number as i128)
}

pub(super) fn missing(name: &str) -> Told {
    Told::argument(name, "it is needed", format!("Call again with `{name}`."))
}

fn wrong(name: &str, value: &Value, expected: &str) -> Told {
    let kind = match value {
        Value::Null => "nothing".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("the string \"{}\"", short(text)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    };
    Told::argument(name, format!("it is {kind}"), format!("Give {expected}."))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// No more of what was given than shows which it was.
fn short(text: &str) -> &str {
    const CHARS_MAX: usize = 60;
    text.char_indices().nth(CHARS_MAX).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::Arguments;

    fn one(value: Value) -> Arguments {
        let given = Map::from_iter([("it".to_owned(), value)]);
        Arguments::new("tool", ["it"].into_iter(), given).unwrap()
    }

    #[test]
    fn what_is_plain_is_understood() {
        for (given, want) in
            [(json!(5), 5), (json!("5"), 5), (json!(5.0), 5), (json!(" 5 "), 5), (json!("5.0"), 5)]
        {
            assert_eq!(one(given.clone()).number("it"), Ok(Some(want)), "{given}");
        }
        assert_eq!(one(json!(u64::MAX)).number("it"), Ok(Some(u64::MAX)));
        assert_eq!(one(json!("-20")).integer("it"), Ok(Some(-20)));
        for (given, want) in
            [(json!("a"), "a"), (json!(5), "5"), (json!(true), "true"), (json!(["a"]), "a")]
        {
            assert_eq!(one(given.clone()).text("it"), Ok(Some(want.into())), "{given}");
        }
        for (given, want) in [(json!(true), true), (json!("True"), true), (json!("false"), false)] {
            assert_eq!(one(given.clone()).flag("it"), Ok(Some(want)), "{given}");
        }
        #[rustfmt::skip]
        let lists = [
            (json!(["a", "b"]),      vec!["a", "b"]),
            (json!("a"),             vec!["a"]),
            (json!("[\"a\", \"b\"]"), vec!["a", "b"]),
            (json!("[ab].rs"),       vec!["[ab].rs"]),
            (json!([1, "b"]),        vec!["1", "b"]),
            (json!(7),               vec!["7"]),
        ];
        for (given, want) in lists {
            assert_eq!(one(given.clone()).list("it").unwrap(), want, "{given}");
        }
        let choices = [("lines", 1), ("files", 2)];
        assert_eq!(one(json!("Files")).choice("it", &choices), Ok(Some(2)));
        assert_eq!(one(json!("{\"a\": 1}")).object("it").unwrap().len(), 1);
        assert_eq!(one(Value::Null).number("it"), Ok(None));
        assert_eq!(one(Value::Null).list("it"), Ok(vec![]));
    }

    #[test]
    fn what_is_not_plain_is_refused_by_its_name() {
        type Read = fn(&mut Arguments) -> Result<(), super::Told>;
        let number: Read = |it| it.number("it").map(drop);
        let integer: Read = |it| it.integer("it").map(drop);
        let text: Read = |it| it.text("it").map(drop);
        let flag: Read = |it| it.flag("it").map(drop);
        let list: Read = |it| it.list("it").map(drop);
        let choice: Read = |it| it.choice("it", &[("lines", 1), ("files", 2)]).map(drop);
        let object: Read = |it| it.object("it").map(drop);
        let needed: Read = |it| it.needed_text("it").map(drop);
        #[rustfmt::skip]
        let table = [
            // read    given               what happened                       what to do
            (number,  json!(-1),           "`it`: it is -1",                   "Give a whole number from 0."),
            (number,  json!(1.5),          "`it`: it is 1.5",                  "Give a whole number from 0."),
            (number,  json!(1e300),        "`it`: it is 1e+300",               "Give a whole number from 0."),
            (number,  json!("many"),       "`it`: it is the string \"many\"",  "Give a whole number from 0."),
            (integer, json!(true),         "`it`: it is true",                 "Give a whole number."),
            (text,    json!({"a": 1}),     "`it`: it is an object",            "Give a string."),
            (text,    json!(["a", "b"]),   "`it`: it is a list",               "Give a string."),
            (flag,    json!(1),            "`it`: it is 1",                    "Give true or false."),
            (flag,    json!("yes"),        "`it`: it is the string \"yes\"",   "Give true or false."),
            (list,    json!([["a", "b"]]), "`it`: it is a list",               "Give a list of strings."),
            (list,    json!({"a": 1}),     "`it`: it is an object",            "Give a list of strings."),
            (choice,  json!("all"),        "`it`: `all` is none of its words", "Give one of `lines`, `files`."),
            (object,  json!("[]"),         "`it`: it is the string \"[]\"",    "Give an object."),
            (needed,  json!(null),         "`it`: it is needed",               "Call again with `it`."),
        ];
        for (read, given, what, hint) in table {
            let told = read(&mut one(given.clone())).unwrap_err();
            assert_eq!((told.what.as_str(), told.hint.as_deref()), (what, Some(hint)), "{given}");
        }
    }

    #[test]
    fn an_unknown_argument_is_named_with_the_nearest_that_is_known() {
        for (given, hint) in
            [("patern", "Did you mean `pattern`?"), ("colour", "It has `pattern`, `path`.")]
        {
            let map = Map::from_iter([(given.to_owned(), json!("x"))]);
            let told = Arguments::new("grep", ["pattern", "path"].into_iter(), map).unwrap_err();
            assert_eq!(told.what, format!("`{given}`: `grep` has no such argument"));
            assert_eq!(told.hint.as_deref(), Some(hint));
        }
    }
}
