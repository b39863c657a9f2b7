//! A line of text as the words of a command, quotes understood.
//!
//! Blanks separate words. Single quotes keep everything; double quotes keep all
//! but a backslash before `"` and `\`; outside of quotes a backslash keeps the
//! next character. Nothing is expanded: there are no variables, globs or pipes
//! here, and their characters are like any other.

/// The text ends where a word cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsplit {
    #[error("a quote is not closed")]
    Quote,
    #[error("a backslash stands at the end")]
    Backslash,
}

impl crate::hint::Hint for Unsplit {}

/// The words of a line.
pub fn split(line: &str) -> Result<Vec<String>, Unsplit> {
    let mut words = Vec::new();
    // A word that was begun, even if it is empty: `''` is a word.
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => loop {
                match rest.next().ok_or(Unsplit::Quote)? {
                    '\'' => break word = Some(word.unwrap_or_default()),
                    c => word.get_or_insert_default().push(c),
                }
            },
            '"' => loop {
                match rest.next().ok_or(Unsplit::Quote)? {
                    '"' => break word = Some(word.unwrap_or_default()),
                    '\\' => {
                        let c = rest.next().ok_or(Unsplit::Quote)?;
                        let word = word.get_or_insert_default();
                        if !matches!(c, '"' | '\\') {
                            word.push('\\');
                        }
                        word.push(c);
                    }
                    c => word.get_or_insert_default().push(c),
                }
            },
            '\\' => {
                let c = rest.next().ok_or(Unsplit::Backslash)?;
                word.get_or_insert_default().push(c);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::{Unsplit, split};

    #[test]
    fn a_line_becomes_the_words_that_a_shell_would_pass() {
        #[rustfmt::skip]
        let table: &[(&str, Result<&[&str], Unsplit>)] = &[
            // line               words, or why there are none
            ("",                  Ok(&[])),
            ("  \t\n",            Ok(&[])),
            ("git push",          Ok(&["git", "push"])),
            ("  git   push  ",    Ok(&["git", "push"])),
            ("a 'b c' d",         Ok(&["a", "b c", "d"])),
            ("a \"b c\" d",       Ok(&["a", "b c", "d"])),
            ("a'b'\"c\"d",        Ok(&["abcd"])),
            ("''",                Ok(&[""])),
            ("a \"\"",            Ok(&["a", ""])),
            (r"a\ b",             Ok(&["a b"])),
            (r#""a\"b\\c\d""#,    Ok(&[r#"a"b\c\d"#])),
            (r"'a\'",             Ok(&[r"a\"])),
            ("a|b && $c",         Ok(&["a|b", "&&", "$c"])),
            ("ä 'ö",              Err(Unsplit::Quote)),
            ("\"a",               Err(Unsplit::Quote)),
            ("\"a\\",             Err(Unsplit::Quote)),
            ("a\\",               Err(Unsplit::Backslash)),
        ];
        for (line, want) in table {
            let got = split(line);
            let got = got.as_ref().map(Vec::as_slice).map_err(|error| *error);
            let want = want.map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(got, want.as_deref().map_err(|error| *error), "{line:?}");
        }
    }
}
