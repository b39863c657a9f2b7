//! Rules on commands: which words are refused, and why.

use std::borrow::Cow;
use std::ffi::OsStr;

use super::{Line, Policy};

/// A command that begins with these words is refused.
///
/// The first word is the name of a program, wherever it lies: `git` stands for
/// `/usr/bin/git` too. Assignments before it (`A=b git push`) are passed over.
/// The words after it must follow at once and be the same: `git -C x push` does
/// not begin with `git push`, and what a shell is told in one word is not looked
/// into. A rule spares an honest agent a mistake; it does not hold a dishonest one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub prefix: Vec<String>,
    /// Shown to whoever is refused.
    pub why: String,
    pub by: Line,
}

/// What the rules say of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// No rule is against it.
    Allow,
    /// This rule is.
    Refuse(&'a Rule),
}

impl Policy {
    /// Judges a command by its words, the program first.
    pub fn judge<S: AsRef<OsStr>>(&self, command: &[S]) -> Verdict<'_> {
        match self.rules.iter().find(|rule| rule.is_about(command)) {
            Some(rule) => Verdict::Refuse(rule),
            None => Verdict::Allow,
        }
    }
}

impl Rule {
    /// Whether a command begins with the words of this rule.
    pub fn is_about<S: AsRef<OsStr>>(&self, command: &[S]) -> bool {
        begins_with(command, &self.prefix)
    }
}

pub(super) fn begins_with<S: AsRef<OsStr>>(command: &[S], prefix: &[String]) -> bool {
    let mut words = command
        .iter()
        .map(|word| word.as_ref().to_string_lossy())
        .skip_while(|word| is_assignment(word));
    let mut prefix = prefix.iter();
    let (Some(program), Some(wanted)) = (words.next(), prefix.next()) else { return false };
    base_name(&program) == wanted && prefix.all(|wanted| words.next() == Some(Cow::from(wanted)))
}

/// `NAME=value`, as a shell takes it before a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| is_variable(name))
}

/// Whether a variable of the environment can have this name.
pub(super) fn is_variable(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(plain) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

#[cfg(test)]
mod tests {
    use super::begins_with;

    #[test]
    fn a_prefix_is_the_name_of_a_program_and_the_words_right_behind_it() {
        let prefix = ["git".to_owned(), "push".to_owned()];
        #[rustfmt::skip]
        let table: &[(&[&str], bool)] = &[
            (&["git", "push"],                     true),
            (&["git", "push", "origin"],           true),
            (&["/usr/bin/git", "push"],            true),
            (&["./git", "push"],                   true),
            (&["GIT_DIR=x", "A=", "git", "push"],  true),
            (&["git"],                             false),
            (&["git", "pushd"],                    false),
            (&["git", "stash", "push"],            false),
            (&["git", "-C", "x", "push"],          false),
            (&["echo", "git", "push"],             false),
            (&["git/", "push"],                    false),
            (&["1=2", "git", "push"],              false),
            (&["git push"],                        false),
            (&["A=b"],                             false),
            (&[],                                  false),
        ];
        for (command, want) in table {
            assert_eq!(begins_with(command, &prefix), *want, "{command:?}");
        }
        assert!(!begins_with(&["git"], &[]), "no words are about nothing");
    }
}
