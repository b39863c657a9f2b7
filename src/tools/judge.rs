//! What the rules of a policy say of a command line: of each command that stands in
//! it, as far as that can be told without being a shell.
//!
//! A rule spares an honest agent a mistake. A dishonest one writes the same in a way
//! that no reading of words would see, and meets the jail.

use crate::jail::policy::{Policy, Rule, Verdict};

/// The first rule that is against a part of this command line.
pub(super) fn refused<'a>(policy: &'a Policy, line: &str) -> Option<&'a Rule> {
    simple_commands(line).iter().find_map(|words| match policy.judge(words) {
        Verdict::Allow => None,
        Verdict::Refuse(rule) => Some(rule),
    })
}

/// The words of each command in a line: what stands between the operators of a shell.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let mut word: Option<String> = None;
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\r' => words.extend(word.take()),
            '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' | '`' => {
                words.extend(word.take());
                if !words.is_empty() {
                    commands.push(std::mem::take(&mut words));
                }
            }
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(rest.by_ref().take_while(|c| *c != '\''));
            }
            '"' => quoted(&mut rest, word.get_or_insert_default()),
            '\\' => match rest.next() {
                // A line that goes on.
                Some('\n') | None => {}
                Some(c) => word.get_or_insert_default().push(c),
            },
            '#' if word.is_none() => while rest.next_if(|c| *c != '\n').is_some() {},
            '$' if rest.peek() == Some(&'(') => {}
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if !words.is_empty() {
        commands.push(words);
    }
    commands
}

fn quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) {
    while let Some(c) = rest.next() {
        match c {
            '"' => return,
            '\\' => match rest.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => return,
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::simple_commands;

    #[test]
    fn a_line_is_taken_apart_into_its_commands() {
        #[rustfmt::skip]
        let table: &[(&str, &[&[&str]])] = &[
            ("git push",                     &[&["git", "push"]]),
            ("cd a && git push",             &[&["cd", "a"], &["git", "push"]]),
            ("ls|wc -l; git  push",          &[&["ls"], &["wc", "-l"], &["git", "push"]]),
            ("x=$(git push)",                &[&["x="], &["git", "push"]]),
            ("( git push & )",               &[&["git", "push"]]),
            ("echo 'a; git push'",           &[&["echo", "a; git push"]]),
            ("echo \"a \\\" | b\" c",        &[&["echo", "a \" | b", "c"]]),
            ("# git push\nls",               &[&["ls"]]),
            ("echo a#b",                     &[&["echo", "a#b"]]),
            ("git \\\n push",                &[&["git", "push"]]),
            ("'unclosed",                    &[&["unclosed"]]),
            ("",                             &[]),
        ];
        for (line, want) in table {
            let got = simple_commands(line);
            assert_eq!(got, *want, "{line:?}");
        }
    }
}
