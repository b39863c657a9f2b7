//! Text from a case on its way to a terminal.
//!
//! A title, a name or a message may hold what somebody else wrote. Shown as it
//! is, it could move the cursor, colour what follows, break a line in two or
//! turn it round; so whatever could do that is spelled out.

/// The same text, with every such character as `\u{1b}`.
pub(crate) fn plain(text: &str) -> String {
    spell_out(text, |c| c.escape_unicode().to_string())
}

/// JSON whose strings hold nothing that a terminal would act on. The JSON means
/// the same: outside its strings there is nothing to replace but line ends.
pub(crate) fn plain_json(json: &serde_json::Value) -> String {
    let lines: Vec<String> = format!("{json:#}")
        .lines()
        .map(|line| spell_out(line, |c| format!("\\u{:04x}", u32::from(c))))
        .collect();
    lines.join("\n") + "\n"
}

/// Lines of text: the ends of lines and the tabs stay what they are.
pub(crate) fn plain_lines(text: &str) -> String {
    spell_out(text, |c| match c {
        '\n' | '\t' => c.to_string(),
        c => c.escape_unicode().to_string(),
    })
}

fn spell_out(text: &str, spell: impl Fn(char) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { out.push_str(&spell(c)) } else { out.push(c) }
    }
    out
}

/// Whether a terminal does something with this character other than show it.
fn acts(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{plain, plain_json};

    #[test]
    fn what_a_terminal_would_act_on_is_spelled_out() {
        #[rustfmt::skip]
        let table = [
            // text                  shown
            ("Checkout: 5xx é 🔥",   "Checkout: 5xx é 🔥"),
            ("\x1b[31mred",          "\\u{1b}[31mred"),
            ("a\nb\tc\r",            "a\\u{a}b\\u{9}c\\u{d}"),
            ("\u{9b}2J",             "\\u{9b}2J"),
            ("\u{202e}gnp",          "\\u{202e}gnp"),
            ("\x7f\0",               "\\u{7f}\\u{0}"),
        ];
        for (text, want) in table {
            assert_eq!(plain(text), want, "text {text:?}");
        }
    }

    #[test]
    fn spelled_out_json_means_the_same() {
        let value = json!({"title": "\x1b[31m \u{9b}2J \u{202e} \n \x7f é", "list": [1, null]});
        let text = plain_json(&value);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}'));
    }
}
