//! The tools: what each is called, told to be, takes, and may be expected to do.
//!
//! Schemas are made of a few plain kinds of arguments, so each of them is a flat object
//! that every known client can read. All that a client is sent of them is small and the
//! same each time, because a model's prompt begins with it.

use serde_json::{Map, Value, json};

/// A tool.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    /// What it promises, first.
    pub(super) description: &'static str,
    pub(super) takes: &'static [Argument],
    pub(super) takes_case: bool,
    pub(super) reads_only: ReadsOnly,
    pub(super) does: Does,
}

/// One argument of a tool.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_needed: bool,
    pub(super) about: &'static str,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Texts,
    Choice(&'static [&'static str]),
    Object,
}

/// Whether a tool changes nothing.
#[derive(Debug)]
pub(super) enum ReadsOnly {
    Yes,
    No,
    /// If this argument is one of these.
    When(&'static str, &'static [&'static str]),
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Open,
    Close,
    Fork,
    Status,
    Journal,
    Why,
    /// A call in a case.
    Work,
    Search,
    /// Whatever is behind it, or only what changes nothing.
    Door {
        read_only: bool,
    },
}

const fn needed(name: &'static str, kind: Kind, about: &'static str) -> Argument {
    Argument { name, kind, is_needed: true, about }
}

const fn may(name: &'static str, kind: Kind, about: &'static str) -> Argument {
    Argument { name, kind, is_needed: false, about }
}

/// What a client lists, in this order.
#[rustfmt::skip]
pub(super) const CORE: &[Definition] = &[
    Definition {
        name: "open_case",
        description: "Opens a case: a jailed directory with the code as it was live at the incident. Returns its id, the `case` of all other tools.",
        takes: &[
            may("title",       Kind::Text,  ""),
            may("at",          Kind::Text,  "when it happened: 2026-03-01T03:12:00Z or -2h; default now"),
            may("repos",       Kind::Texts, "NAME, NAME@COMMIT, NAME@TIME; . is the checkout this server is in; default all"),
            may("environment", Kind::Text,  ""),
            may("incident",    Kind::Text,  "its id elsewhere"),
        ],
        takes_case: false,
        reads_only: ReadsOnly::No,
        does: Does::Open,
    },
    Definition {
        name: "read_file",
        description: "Lines of a file with their numbers, or a directory's entries. Unpacks gz, zst, xz, bz2, HTML, PDF. Whole lines, up to 20,000 characters.",
        takes: &[
            needed("path", Kind::Text,   "such as repos/app/src/main.rs"),
            may("from",    Kind::Number, "first line; -20: from the end"),
            may("lines",   Kind::Number, ""),
            may("column",  Kind::Number, "first byte, for long lines"),
            may("raw",     Kind::Flag,   "no unpacking"),
            may("again",   Kind::Flag,   "even if shown before"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::Yes,
        does: Does::Work,
    },
    Definition {
        name: "grep",
        description: "Lines that match a regular expression (Rust syntax), by file, with exact counts. In repos, ignored and hidden files are left out.",
        takes: &[
            needed("pattern",     Kind::Text,   ""),
            may("path",           Kind::Texts,  "default all"),
            may("glob",           Kind::Texts,  "*.rs; !tests/** leaves out"),
            may("type",           Kind::Texts,  "rust, py"),
            may("literal",        Kind::Flag,   ""),
            may("word",           Kind::Flag,   ""),
            may("case_sensitive", Kind::Flag,   ""),
            may("multiline",      Kind::Flag,   ""),
            may("hidden",         Kind::Flag,   ""),
            may("context",        Kind::Number, "lines"),
            may("mode",           Kind::Choice(&["lines", "files", "count"]), "default lines"),
            may("limit",          Kind::Number, "default 100"),
            may("again",          Kind::Flag,   ""),
        ],
        takes_case: true,
        reads_only: ReadsOnly::Yes,
        does: Does::Work,
    },
    Definition {
        name: "find",
        description: "Files by name, kind, size; what changed in the case or between commits; or a tree.",
        takes: &[
            may("name",     Kind::Text,   "*.rs, or a part of it"),
            may("path",     Kind::Texts,  "default all"),
            may("kind",     Kind::Choice(&["file", "directory", "link"]), ""),
            may("size_min", Kind::Number, "bytes"),
            may("size_max", Kind::Number, ""),
            may("changed",  Kind::Flag,   ""),
            may("between",  Kind::Texts,  "two commits of the repo in path"),
            may("tree",     Kind::Flag,   ""),
            may("depth",    Kind::Number, ""),
            may("hidden",   Kind::Flag,   ""),
            may("limit",    Kind::Number, "default 200"),
            may("again",    Kind::Flag,   ""),
        ],
        takes_case: true,
        reads_only: ReadsOnly::Yes,
        does: Does::Work,
    },
    Definition {
        name: "shell",
        description: "Runs a bash command line in the case's jail, from its code. Gives exit code, stdout and stderr; what is too large is kept whole in outputs/ and previewed. Each call is a new shell.",
        takes: &[
            needed("command", Kind::Text,   ""),
            may("cwd",        Kind::Text,   "from /case"),
            may("timeout_s",  Kind::Number, "default 120"),
            may("background", Kind::Flag,   "gives a handle for the tool background"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::No,
        does: Does::Work,
    },
    Definition {
        name: "write_file",
        description: "Writes a file below repos/ or notes/, or with `old` replaces that one passage by `text`. Makes directories. Shows the lines that changed.",
        takes: &[
            needed("path", Kind::Text, ""),
            needed("text", Kind::Text, ""),
            may("mode",    Kind::Choice(&["create", "replace", "append"]), "default create"),
            may("old",     Kind::Text, "stands there once"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::No,
        does: Does::Work,
    },
    Definition {
        name: "close_case",
        description: "Closes a case for good; work goes on only in a fork.",
        takes: &[
            may("report", Kind::Text, "such as notes/report.md"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::No,
        does: Does::Close,
    },
    Definition {
        name: "search_tools",
        description: "Lists more tools: case status, journal, diff, fork, background commands, policy.",
        takes: &[
            may("query", Kind::Text, "words; default all"),
        ],
        takes_case: false,
        reads_only: ReadsOnly::Yes,
        does: Does::Search,
    },
    Definition {
        name: "call_tool",
        description: "Calls a tool that search_tools lists.",
        takes: &[
            needed("name",   Kind::Text,   ""),
            may("arguments", Kind::Object, ""),
            may("case",      Kind::Text,   ""),
        ],
        takes_case: false,
        reads_only: ReadsOnly::No,
        does: Does::Door { read_only: false },
    },
    Definition {
        name: "call_read_only_tool",
        description: "The same for a call that changes nothing; refuses others.",
        takes: &[
            needed("name",   Kind::Text,   ""),
            may("arguments", Kind::Object, ""),
            may("case",      Kind::Text,   ""),
        ],
        takes_case: false,
        reads_only: ReadsOnly::Yes,
        does: Does::Door { read_only: true },
    },
];

/// What is searched for and called through a door.
#[rustfmt::skip]
pub(super) const LONG_TAIL: &[(&str, Definition)] = &[
    ("cases", Definition {
        name: "case_status",
        description: "All there is to know of a case: its repos and why they are at their commits, the incident, its policy, who works in it.",
        takes: &[],
        takes_case: true,
        reads_only: ReadsOnly::Yes,
        does: Does::Status,
    }),
    ("cases", Definition {
        name: "journal",
        description: "The last calls in a case, a line each: number, time, tool, arguments, what came of it, what was kept.",
        takes: &[
            may("last", Kind::Number, "how many; default 20, at most 80"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::Yes,
        does: Does::Journal,
    }),
    ("cases", Definition {
        name: "fork_case",
        description: "Begins a second case where one stands, for another hypothesis. Both keep evidence, notes and code, and from now on each writes for itself. Takes no time and no room.",
        takes: &[
            may("title", Kind::Text, "what the new one is about; default the same"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::No,
        does: Does::Fork,
    }),
    ("cases", Definition {
        name: "case_diff",
        description: "What a case changed in its code since it was opened, as a patch: committed or not, new files too, save what .gitignore names.",
        takes: &[
            may("repo", Kind::Text, "one of its repos; default all"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::Yes,
        does: Does::Work,
    }),
    ("commands", Definition {
        name: "background",
        description: "Looks after a command that shell started with `background: true`: what it printed since the last look, the same once it has ended, or its end now. A handle lasts as long as the case is in use.",
        takes: &[
            needed("handle", Kind::Text,   "as shell gave it"),
            may("wanted",    Kind::Choice(&["read", "wait", "kill"]), "default read"),
            may("timeout_s", Kind::Number, "how long to wait; default 60"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::When("wanted", &["read", "wait"]),
        does: Does::Work,
    }),
    ("policy", Definition {
        name: "policy_why",
        description: "Which rule of the case's policy refuses a command, and why.",
        takes: &[
            needed("command", Kind::Text, "the words of one command, such as `git push origin`"),
        ],
        takes_case: true,
        reads_only: ReadsOnly::Yes,
        does: Does::Why,
    }),
];

impl Definition {
    /// The names of its arguments.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        let case = self.takes_case.then_some("case");
        self.takes.iter().map(|argument| argument.name).chain(case)
    }

    /// What it takes, as JSON Schema.
    pub(super) fn schema(&self, is_bound: bool) -> Map<String, Value> {
        let mut properties = Map::new();
        let mut needed: Vec<&str> = Vec::new();
        if self.takes_case {
            properties.insert("case".into(), json!({"type": "string"}));
            if !is_bound {
                needed.push("case");
            }
        }
        for argument in self.takes {
            let mut schema = match argument.kind {
                Kind::Text => json!({"type": "string"}),
                Kind::Number => json!({"type": "integer"}),
                Kind::Flag => json!({"type": "boolean"}),
                Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
                Kind::Choice(words) => json!({"type": "string", "enum": words}),
                Kind::Object => json!({"type": "object"}),
            };
            if !argument.about.is_empty() {
                schema["description"] = argument.about.into();
            }
            properties.insert(argument.name.into(), schema);
            if argument.is_needed {
                needed.push(argument.name);
            }
        }
        let mut schema = Map::new();
        schema.insert("type".into(), "object".into());
        schema.insert("properties".into(), properties.into());
        if !needed.is_empty() {
            schema.insert("required".into(), json!(needed));
        }
        schema
    }
}

/// A tool that a client lists.
pub(super) fn core(name: &str) -> Option<&'static Definition> {
    CORE.iter().find(|tool| tool.name == name)
}

/// A tool behind a door.
pub(super) fn behind(name: &str) -> Option<&'static Definition> {
    LONG_TAIL.iter().map(|(_, tool)| tool).find(|tool| tool.name == name)
}

#[cfg(test)]
mod tests {
    use super::{CORE, LONG_TAIL};

    #[test]
    fn names_are_plain_and_every_schema_is_a_flat_object() {
        let tools = CORE.iter().chain(LONG_TAIL.iter().map(|(_, tool)| tool));
        for tool in tools {
            let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(is_plain(tool.name) && tool.name.len() <= 32, "{}", tool.name);
            for is_bound in [false, true] {
                let schema = tool.schema(is_bound);
                let text = serde_json::to_string(&schema).unwrap();
                for choking in ["$schema", "$ref", "$defs", "\"format\"", "\"null\"", "oneOf"] {
                    assert!(!text.contains(choking), "{}: {text}", tool.name);
                }
                let properties = schema["properties"].as_object().unwrap();
                assert!(properties.keys().all(|name| is_plain(name)), "{text}");
                assert!(properties.values().all(|one| one["type"].is_string()), "{text}");
                let needs_case = text.contains("\"required\":[\"case\"");
                assert_eq!(needs_case, tool.takes_case && !is_bound, "{text}");
                assert_eq!(tool.names().count(), properties.len(), "{text}");
            }
        }
    }
}
