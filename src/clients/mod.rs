//! The clients that casefile can be set up in: where each keeps its MCP servers, in which
//! words, and how an entry gets into a file of somebody else's.
//!
//! ```text
//! Client ──place──► a file      the file ──edited──► the same, with our entry in it
//! ```
//!
//! What is in a file stays as it is: other servers, comments, the order and the look of
//! it, and in our own entry whatever a person has put there that is not ours. A file that
//! cannot be read is left alone. Nothing here touches a disk.

mod json;
mod place;
mod toml;

pub use place::{Homes, place};

use crate::hint::Hint;

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    ClaudeCode,
    Codex,
    Cursor,
    VsCode,
    Windsurf,
    ClaudeDesktop,
    Cline,
}

/// All of them, with the names they go by on a command line.
pub const CLIENTS: [(&str, Client); 7] = [
    ("claude-code", Client::ClaudeCode),
    ("codex", Client::Codex),
    ("cursor", Client::Cursor),
    ("vscode", Client::VsCode),
    ("windsurf", Client::Windsurf),
    ("claude-desktop", Client::ClaudeDesktop),
    ("cline", Client::Cline),
];

/// How a client reaches casefile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It starts the program.
    Start { program: String, arguments: Vec<String>, environment: Vec<(String, String)> },
    /// It asks a server, with the token that a variable of its environment holds.
    Ask { url: String, variable: String },
}

/// One key of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Text(String),
    List(Vec<String>),
    Map(Vec<(String, String)>),
}

/// What an entry says, in its order.
type Fields = Vec<(&'static str, Field)>;

/// The keys that say how a server is reached. They are ours in an entry of ours; any
/// other is whoever's put it there.
const OURS: [&str; 9] = [
    "type",
    "command",
    "args",
    "env",
    "url",
    "serverUrl",
    "headers",
    "bearer_token_env_var",
    "transportType",
];

/// An entry cannot be put into a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotEdited {
    /// Where, and why.
    #[error("line {line}, column {column}: {why}")]
    Broken { line: usize, column: usize, why: String },
    #[error("`{0}` in it is no {1}")]
    Kind(String, &'static str),
    #[error("`{0}` is in it twice")]
    Twice(String),
    #[error("Claude Desktop takes no server of the network from its file")]
    NoRemote,
}

impl Hint for NotEdited {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoRemote => {
                "Leave out `--http`, or add the server in its settings under Connectors.".into()
            }
            _ => "Mend the file, or see what belongs into it with `--print`.".into(),
        })
    }
}

impl Client {
    /// What a file says with an entry of this name in it. `old` is what it said.
    pub fn edited(self, old: &str, name: &str, reach: &Reach) -> Result<String, NotEdited> {
        let fields = self.fields(reach)?;
        match self {
            Self::Codex => toml::edited(old, name, &fields),
            Self::VsCode => json::edited(old, "servers", name, &fields),
            _ => json::edited(old, "mcpServers", name, &fields),
        }
    }

    /// The entry in the words of this client.
    fn fields(self, reach: &Reach) -> Result<Fields, NotEdited> {
        let text = |text: &str| Field::Text(text.to_owned());
        Ok(match reach {
            Reach::Start { program, arguments, environment } => {
                let mut fields = Fields::new();
                if matches!(self, Self::ClaudeCode | Self::VsCode | Self::Cline) {
                    fields.push(("type", text("stdio")));
                }
                fields.push(("command", text(program)));
                fields.push(("args", Field::List(arguments.clone())));
                if !environment.is_empty() {
                    fields.push(("env", Field::Map(environment.clone())));
                }
                fields
            }
            Reach::Ask { url, variable } => {
                let held = match self {
                    Self::ClaudeCode => format!("${{{variable}}}"),
                    _ => format!("${{env:{variable}}}"),
                };
                let bearer = ("Authorization".to_owned(), format!("Bearer {held}"));
                let headers = ("headers", Field::Map(vec![bearer]));
                match self {
                    Self::ClaudeDesktop => return Err(NotEdited::NoRemote),
                    Self::Codex => {
                        vec![("url", text(url)), ("bearer_token_env_var", text(variable))]
                    }
                    Self::Windsurf => vec![("serverUrl", text(url)), headers],
                    Self::Cursor => vec![("url", text(url)), headers],
                    // Without it, this one takes it for a server of the older kind.
                    Self::Cline => {
                        vec![("type", text("streamableHttp")), ("url", text(url)), headers]
                    }
                    Self::ClaudeCode | Self::VsCode => {
                        vec![("type", text("http")), ("url", text(url)), headers]
                    }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{CLIENTS, Client, NotEdited, Reach};

    fn start() -> Reach {
        Reach::Start {
            program: "/usr/bin/casefile".into(),
            arguments: vec!["mcp".into()],
            environment: Vec::new(),
        }
    }

    fn ask() -> Reach {
        let url = "https://cases.example.com/mcp".into();
        Reach::Ask { url, variable: "CASEFILE_TOKEN".into() }
    }

    fn new(client: Client, reach: &Reach) -> String {
        client.edited("", "casefile", reach).unwrap()
    }

    #[test]
    fn each_client_is_told_in_its_own_words() {
        assert_snapshot!(new(Client::ClaudeCode, &start()), @r#"
        {
          "mcpServers": {
            "casefile": {
              "type": "stdio",
              "command": "/usr/bin/casefile",
              "args": ["mcp"]
            }
          }
        }
        "#);
        assert_snapshot!(new(Client::ClaudeCode, &ask()), @r#"
        {
          "mcpServers": {
            "casefile": {
              "type": "http",
              "url": "https://cases.example.com/mcp",
              "headers": {
                "Authorization": "Bearer ${CASEFILE_TOKEN}"
              }
            }
          }
        }
        "#);
        assert_snapshot!(new(Client::Codex, &start()), @r#"
        [mcp_servers.casefile]
        command = "/usr/bin/casefile"
        args = ["mcp"]
        "#);
        assert_snapshot!(new(Client::Codex, &ask()), @r#"
        [mcp_servers.casefile]
        url = "https://cases.example.com/mcp"
        bearer_token_env_var = "CASEFILE_TOKEN"
        "#);
        assert_snapshot!(new(Client::Cursor, &ask()), @r#"
        {
          "mcpServers": {
            "casefile": {
              "url": "https://cases.example.com/mcp",
              "headers": {
                "Authorization": "Bearer ${env:CASEFILE_TOKEN}"
              }
            }
          }
        }
        "#);
        #[rustfmt::skip]
        let table = [
            // client               words of a server that is started      of one that is asked
            (Client::Cursor,        ["\"mcpServers\"", "\"command\""],     ["\"url\"", "${env:CASEFILE_TOKEN}"]),
            (Client::VsCode,        ["\"servers\"", "\"stdio\""],          ["\"http\"", "${env:CASEFILE_TOKEN}"]),
            (Client::Windsurf,      ["\"mcpServers\"", "\"command\""],     ["\"serverUrl\"", "${env:CASEFILE_TOKEN}"]),
            (Client::Cline,         ["\"mcpServers\"", "\"stdio\""],       ["\"streamableHttp\"", "${env:CASEFILE_TOKEN}"]),
        ];
        for (client, started, asked) in table {
            for (reach, words) in [(start(), started), (ask(), asked)] {
                let text = new(client, &reach);
                assert!(words.iter().all(|word| text.contains(word)), "{client:?}: {text}");
            }
        }
        let refused = Client::ClaudeDesktop.edited("", "casefile", &ask()).unwrap_err();
        assert_eq!(refused, NotEdited::NoRemote);
    }

    #[test]
    fn what_is_done_twice_is_done_once() {
        for (name, client) in CLIENTS {
            let reaches = [start(), ask()];
            let possible = if client == Client::ClaudeDesktop { &reaches[..1] } else { &reaches };
            for reach in possible {
                let once = new(client, reach);
                assert_eq!(client.edited(&once, "casefile", reach), Ok(once.clone()), "{name}");
                // From one way to another and back is the way that it was.
                for other in possible {
                    let between = client.edited(&once, "casefile", other).unwrap();
                    let back = client.edited(&between, "casefile", reach).unwrap();
                    let read = |text: &str| match client {
                        Client::Codex => {
                            text.parse::<toml_edit::DocumentMut>().unwrap().to_string()
                        }
                        _ => serde_json::from_str::<serde_json::Value>(text).unwrap().to_string(),
                    };
                    let sorted = |text: &str| {
                        let text = read(text);
                        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
                        lines.sort();
                        lines
                    };
                    assert_eq!(sorted(&back), sorted(&once), "{name}");
                }
            }
        }
    }

    #[test]
    fn what_stands_in_a_file_stays() {
        let old = "{\n    // mine\n    \"inputs\": [],\n    \"servers\": {\n        \"other\": {\"command\": \"x\"}, // why\n    },\n}\n";
        assert_snapshot!(Client::VsCode.edited(old, "casefile", &start()).unwrap(), @r#"
        {
            // mine
            "inputs": [],
            "servers": {
                "other": {"command": "x"}, // why
                "casefile": {
                    "type": "stdio",
                    "command": "/usr/bin/casefile",
                    "args": ["mcp"],
                },
            },
        }
        "#);
        let old = "{\"mcpServers\": {\"casefile\": {\"command\": \"old\", \"disabled\": true, \"args\": []}}, \"z\": 1, \"a\": 2}";
        let text = Client::Cline.edited(old, "casefile", &start()).unwrap();
        assert!(text.contains("\"disabled\": true"), "{text}");
        assert!(text.find("\"z\"") < text.find("\"a\""), "{text}");
        let old = "# mine\nmodel = \"x\" # why\n\n[mcp_servers.other]\ncommand = 'y'\n\n[mcp_servers.casefile]\nurl = \"http://old\"\nstartup_timeout_sec = 20 # slow\n\n[tui]\na = 1\n";
        assert_snapshot!(Client::Codex.edited(old, "casefile", &start()).unwrap(), @r#"
        # mine
        model = "x" # why

        [mcp_servers.other]
        command = 'y'

        [mcp_servers.casefile]
        startup_timeout_sec = 20 # slow
        command = "/usr/bin/casefile"
        args = ["mcp"]

        [tui]
        a = 1
        "#);
    }

    #[test]
    fn a_file_that_is_not_right_is_left_alone_and_the_place_is_told() {
        #[rustfmt::skip]
        let table = [
            (Client::Cursor, "{\n  \"mcpServers\": {\n",            "line "),
            (Client::Cursor, "{\n  \"a\": 1\n  \"b\": 2\n}",        "line "),
            (Client::Cursor, "[]",                                  "`the whole` in it is no object"),
            (Client::Cursor, "{\"mcpServers\": []}",                "`mcpServers` in it is no object"),
            (Client::Cursor, "{\"mcpServers\": {\"casefile\": 1}}", "`casefile` in it is no object"),
            (Client::Cursor, "{\"mcpServers\": {}, \"mcpServers\": {}}", "`mcpServers` is in it twice"),
            (Client::Codex,  "a = 1\nb = \n",                       "line 2, column 5: "),
            (Client::Codex,  "mcp_servers = 1\n",                   "`mcp_servers` in it is no table"),
            (Client::Codex,  "[mcp_servers]\ncasefile = 1\n",       "`casefile` in it is no table"),
        ];
        for (client, old, want) in table {
            let error = client.edited(old, "casefile", &start()).unwrap_err().to_string();
            assert!(error.starts_with(want), "{old}: {error}");
        }
    }
}
