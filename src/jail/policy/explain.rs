//! A policy as it holds, line by line, each with who gave it.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::{Line, Policy, Told};
use crate::config::Settings;
use crate::config::limits::TABLE;
use crate::yaml;

/// One line of a policy as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The keys that it stands below.
    pub under: &'static [&'static str],
    /// As in YAML: `key: value`, or `- value`.
    pub text: String,
    /// A line of a policy or of the settings, or `default`.
    pub by: String,
}

impl Policy {
    /// Everything that holds in a jail of this policy, under these settings.
    pub fn statements(&self, settings: &Settings) -> Vec<Statement> {
        let mut lines = Lines::default();
        lines.one("least", &self.least);
        lines.one("workdir", &self.workdir);
        lines.one("network", &self.network);
        lines.one("local_sockets", &self.local_sockets);
        lines.under = &["grants"];
        lines.one("read", &self.grants_read);
        lines.one("write", &self.grants_write);
        lines.under = &["files", "read"];
        for path in &self.files_read {
            lines.item(word(&path.value.to_string_lossy()), &path.by);
        }
        lines.under = &["files", "mounts"];
        for mount in &self.mounts {
            let (from, to) = (&mount.value.from, &mount.value.to);
            let (from, to) = (word(&from.to_string_lossy()), word(&to.to_string_lossy()));
            let mode = mount.value.mode;
            lines.item(format!("{{from: {from}, to: {to}, mode: {mode}}}"), &mount.by);
        }
        lines.under = &["limits"];
        let limits = self.limits(settings.limits());
        for row in &TABLE {
            let by = match self.limit(row.limit) {
                Some(told) => told.by.to_string(),
                None => settings.limit_source(row.limit).to_string(),
            };
            lines.push(format!("{}: {}", row.key, limits.get(row.limit)), by);
        }
        lines.under = &["env", "pass"];
        for name in &self.env_pass {
            lines.item(word(&name.value), &name.by);
        }
        lines.under = &["env", "set"];
        for (name, value) in &self.env_set {
            lines.push(format!("{}: {}", word(name), word(&value.value)), value.by.to_string());
        }
        lines.under = &["commands"];
        for rule in &self.rules {
            let prefix: Vec<String> = rule.prefix.iter().map(|given| word(given)).collect();
            let (prefix, why) = (prefix.join(", "), word(&rule.why));
            lines.item(format!("{{prefix: [{prefix}], verdict: refuse, why: {why}}}"), &rule.by);
        }
        lines.all
    }
}

/// Statements as a page: the keys they stand below once, who gave each beside it.
pub fn render(statements: &[Statement]) -> String {
    let indented =
        |statement: &Statement| format!("{}{}", "  ".repeat(statement.under.len()), statement.text);
    // A long line is not worth pushing every other comment out of sight.
    let width = statements
        .iter()
        .map(|statement| indented(statement).chars().count())
        .filter(|width| *width <= COMMENT_COLUMN_MAX)
        .max()
        .unwrap_or(0);
    let mut page = String::new();
    let mut opened = BTreeSet::new();
    for statement in statements {
        for depth in 1..=statement.under.len() {
            if opened.insert(&statement.under[..depth]) {
                let key = statement.under[depth - 1];
                page.push_str(&format!("{}{key}:\n", "  ".repeat(depth - 1)));
            }
        }
        page.push_str(&format!("{:<width$}  # {}\n", indented(statement), statement.by));
    }
    page
}

const COMMENT_COLUMN_MAX: usize = 60;

#[derive(Default)]
struct Lines {
    under: &'static [&'static str],
    all: Vec<Statement>,
}

impl Lines {
    fn push(&mut self, text: String, by: String) {
        self.all.push(Statement { under: self.under, text, by });
    }

    fn one<T: Display>(&mut self, key: &str, told: &Told<T>) {
        self.push(format!("{key}: {}", told.value), told_by(told.by.as_ref()));
    }

    fn item(&mut self, text: String, by: &Line) {
        self.push(format!("- {text}"), by.to_string());
    }
}

fn told_by(by: Option<&Line>) -> String {
    by.map_or_else(|| "default".into(), ToString::to_string)
}

/// Text in one line of YAML, quoted if it must be.
fn word(text: &str) -> String {
    let written = yaml::emit(&text).unwrap_or_default();
    let written = written.trim_end();
    if written.is_empty() || written.contains(['\n', '\u{85}', '\u{2028}', '\u{2029}']) {
        return format!("{text:?}");
    }
    written.into()
}
