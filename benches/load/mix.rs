//! What the clients ask, how often each of it, and what has to come back.
//!
//! Whatever is asked has a mark in it, or is about a file with one, that nothing else
//! has: an answer that belongs to another request, client or case is found out.

use serde_json::{Value, json};

use super::client::Client;

/// How many files each case has, and how many lines each file.
pub(crate) const FILES: u64 = 16;
const LINES: u64 = 32;

/// What can be asked, and how often in a hundred times.
#[rustfmt::skip]
pub(crate) const MIX: [(Kind, u64); 10] = [
    (Kind::Read,    36),
    (Kind::Grep,    12),
    (Kind::Find,    10),
    (Kind::Write,   12),
    (Kind::Search,  10),
    (Kind::List,     6),
    (Kind::Recent,   6),
    (Kind::Journal,  1),
    (Kind::Foreign,  4),
    (Kind::Shell,    3),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Read,
    Grep,
    Find,
    /// Two calls: a file is written, and read again.
    Write,
    Search,
    List,
    Recent,
    Journal,
    /// A case of another token, which for this one does not exist.
    Foreign,
    Shell,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read_file",
            Self::Grep => "grep",
            Self::Find => "find",
            Self::Write => "write_file + read_file",
            Self::Search => "search_tools",
            Self::List => "tools/list",
            Self::Recent => "resources/read of cases",
            Self::Journal => "resources/read of a journal",
            Self::Foreign => "a case of another token",
            Self::Shell => "shell",
        }
    }

    /// One that comes as often as it should, for a number below a hundred.
    pub(crate) fn at(nth: u64) -> Self {
        let mut below = 0;
        let found = MIX.iter().find(|(_, share)| {
            below += share;
            nth < below
        });
        found.map_or(Self::Read, |(kind, _)| *kind)
    }
}

/// A case, and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) id: String,
    pub(crate) title: String,
    /// Which of all cases it is.
    pub(crate) nth: u64,
}

impl Ground {
    pub(crate) fn lay(client: &mut Client, nth: u64) -> Result<Self, String> {
        let title = format!("load {nth}");
        let ground = Self { id: client.open(&title)?, title, nth };
        for file in 0..FILES {
            let text: String = (0..LINES).map(|line| ground.line(file, line) + "\n").collect();
            let asked = json!({"case": ground.id, "path": path(file), "text": text});
            client.good("write_file", asked)?;
        }
        Ok(ground)
    }

    /// The last calls of this case: their numbers follow each other, and what they were
    /// about is in it.
    fn is_journal(&self, text: &str) -> Option<()> {
        let number = |line: &str| line.split_whitespace().next()?.parse::<u64>().ok();
        let numbers: Vec<u64> = text.lines().map(number).collect::<Option<_>>()?;
        let follow = numbers.windows(2).all(|two| two[0] + 1 == two[1]);
        let mut told = text.match_indices("case ").map(|(at, _)| &text[at + "case ".len()..]);
        let is_own = told.all(|rest| rest.split_whitespace().next() == Some(&self.nth.to_string()));
        (!numbers.is_empty() && follow && is_own).then_some(())
    }

    fn line(&self, file: u64, line: u64) -> String {
        format!("case {} file {file} line {line} of what was found", self.nth)
    }
}

fn path(file: u64) -> String {
    format!("notes/file-{file}.txt")
}

/// What one client knows: its case, one of somebody else, and the list that all have.
pub(crate) struct Knows<'a> {
    pub(crate) number: u64,
    pub(crate) own: &'a Ground,
    pub(crate) foreign: &'a Ground,
    pub(crate) tools: &'a Value,
}

impl Knows<'_> {
    /// Asks once. `nonce` is nobody else's, and never comes again.
    pub(crate) fn ask(&self, client: &mut Client, kind: Kind, nonce: u64) -> Result<(), String> {
        let (own, file) = (self.own, nonce % FILES);
        let id = &own.id;
        let mark = format!("nonce {} {nonce}", self.number);
        match kind {
            Kind::Read => {
                let asked = json!({"case": id, "path": path(file), "again": true});
                let text = client.good("read_file", asked)?;
                let want: Vec<String> = (0..LINES)
                    .map(|line| format!("{}\t{}", line + 1, own.line(file, line)))
                    .collect();
                same(text.lines().skip(1), want.iter().map(String::as_str))
                    .ok_or_else(|| mixed(kind, &text))
            }
            Kind::Grep => {
                let line = nonce / FILES % LINES;
                let pattern = own.line(file, line);
                let asked = json!({"case": id, "path": "notes", "pattern": pattern, "again": true});
                let text = client.good("grep", asked)?;
                let want = [path(file), format!("  {}: {pattern}", line + 1)];
                same(text.lines().skip(1), want.iter().map(String::as_str))
                    .ok_or_else(|| mixed(kind, &text))
            }
            Kind::Find => {
                let name = format!("file-{file}.txt");
                let asked = json!({"case": id, "path": "notes", "name": name, "again": true});
                let text = client.good("find", asked)?;
                let want = path(file);
                same(text.lines().skip(1), [&*want]).ok_or_else(|| mixed(kind, &text))
            }
            Kind::Write => {
                let path = format!("notes/of-{}.txt", self.number);
                let write = json!({"case": id, "path": path, "text": mark, "mode": "replace"});
                let text = client.good("write_file", write)?;
                if !text.starts_with(&path) {
                    return Err(mixed(kind, &text));
                }
                let read = json!({"case": id, "path": path, "again": true});
                let text = client.good("read_file", read)?;
                same(text.lines().skip(1).take(1), [&*format!("1\t{mark}")])
                    .ok_or_else(|| mixed(kind, &text))
            }
            Kind::Search => {
                let tools = ["fork_case", "case_status", "case_diff", "background", "policy_why"];
                let wanted = tools[nonce as usize % tools.len()];
                let text = client.good("search_tools", json!({"query": wanted}))?;
                text.starts_with(&format!("{wanted} ("))
                    .then_some(())
                    .ok_or_else(|| mixed(kind, &text))
            }
            Kind::List => {
                let list = client.result("tools/list", json!({}))?;
                (list["tools"] == *self.tools)
                    .then_some(())
                    .ok_or_else(|| mixed(kind, &list.to_string()))
            }
            Kind::Recent => {
                let text = resource(client, "casefile://cases/recent")?;
                let is_so = text.contains(id)
                    && text.contains(&own.title)
                    && !text.contains(&self.foreign.id);
                is_so.then_some(()).ok_or_else(|| mixed(kind, &text))
            }
            Kind::Journal => {
                let text = resource(client, &format!("casefile://case/{id}/journal"))?;
                own.is_journal(&text).ok_or_else(|| mixed(kind, &text))
            }
            Kind::Foreign => {
                let other = &self.foreign.id;
                let asked = json!({"case": other, "path": path(file), "again": true});
                let (text, is_error) = client.call("read_file", asked)?;
                let is_so =
                    is_error && text.starts_with(&format!("error: there is no case `{other}`"));
                is_so.then_some(()).ok_or_else(|| mixed(kind, &text))
            }
            Kind::Shell => {
                let command = format!("echo {mark}");
                let text = client.good("shell", json!({"case": id, "command": command}))?;
                same(text.lines().skip(1), [&*mark]).ok_or_else(|| mixed(kind, &text))
            }
        }
    }
}

fn resource(client: &mut Client, uri: &str) -> Result<String, String> {
    let read = client.result("resources/read", json!({"uri": uri}))?;
    let it = &read["contents"][0];
    if it["uri"] != uri {
        return Err(format!("mixed up: {read}"));
    }
    Ok(it["text"].as_str().unwrap_or_default().to_owned())
}

fn same<'a>(
    got: impl IntoIterator<Item = &'a str>,
    want: impl IntoIterator<Item = &'a str>,
) -> Option<()> {
    got.into_iter().eq(want).then_some(())
}

fn mixed(kind: Kind, text: &str) -> String {
    format!("mixed up: {} said {text}", kind.name())
}
