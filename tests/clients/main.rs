//! The clients that people have, as they are installed from their registries: Claude Code
//! and Codex with a model that follows a script, and the SDKs of two languages. Each works
//! through the same story, over standard input and over HTTP with a token.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failure here is a failed test"
)]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "shared with the tests of the commands, which use more of it")]
#[path = "../commands/ground.rs"]
mod ground;

mod model;
#[allow(dead_code, reason = "shared with the tests of conformance, which use more of it")]
mod packages;
mod story;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use common::{User, World, binary};
use model::{Dialect, Model};
use packages::{Serving, node_program, package, python, token};
use story::Story;

/// How a client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Stdio,
    Http,
}

const BOTH: [Over; 2] = [Over::Stdio, Over::Http];

/// The tools that every client has to know of, whatever it calls them.
const TOOLS: [&str; 5] = ["open_case", "read_file", "grep", "find", "shell"];

/// A world with one repo, and the server of it where one is asked for.
struct Ground {
    world: World,
    token: String,
    serving: Option<Serving>,
}

fn ground(over: Over) -> Ground {
    let world = World::of(User::Same);
    ground::checkout(&world, "work/app");
    let _ = world.run(&["repo", "add", "app", "app"]).success();
    let token = token(&world);
    let serving = (over == Over::Http).then(|| Serving::start(&world));
    Ground { world, token, serving }
}

/// Runs a client whose model follows the story, to its end.
fn follow(mut command: Command, model: &Model) {
    command.env("no_proxy", "127.0.0.1");
    // It and all that it starts end together, whatever it does.
    command.process_group(0);
    let outcome = command.stdin(Stdio::null()).output().unwrap();
    let said = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<_> = text.lines().rev().take(40).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    };
    let shown = format!("{}\n{}", said(&outcome.stdout), said(&outcome.stderr));
    let told = model.told();
    assert_eq!(told.fault, None, "{:?}\n{shown}", told.story);
    assert!(told.story.is_over(), "{:?}\n{shown}", told.story);
}

#[test]
fn claude_code_does_all_that_an_agent_does() {
    for over in BOTH {
        let Ground { world, token, serving } = ground(over);
        let model = Model::listen(Dialect::Messages, Story::new(&world, "claude"));
        let server = match &serving {
            Some(serving) => json!({"type": "http", "url": serving.url,
                "headers": {"Authorization": format!("Bearer {token}")}}),
            None => json!({"command": binary(), "args": ["mcp"],
                "env": {"XDG_STATE_HOME": world.path("state")}}),
        };
        world.put("work/mcp.json", json!({"mcpServers": {"casefile": server}}).to_string());
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let claude = format!("@anthropic-ai/claude-code-linux-{machine}/claude");
        let mut command = world.program(package(&claude));
        command.env_remove("XDG_STATE_HOME").env("ANTHROPIC_BASE_URL", &model.url);
        command.env("ANTHROPIC_API_KEY", "nobody's").env("DISABLE_AUTOUPDATER", "1");
        command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        // It is the same for every call.
        command.env("MCP_TOOL_TIMEOUT", "4000");
        command.args(["-p", "go", "--mcp-config", "mcp.json", "--strict-mcp-config"]);
        command.args(["--allowedTools", "mcp__casefile", "--output-format", "stream-json"]);
        command.arg("--verbose");
        follow(command, &model);
        let told = model.told();
        let first = &told.requests[0];
        let names = first["tools"].as_array().unwrap().iter().map(|it| it["name"].clone());
        let names: Vec<Value> = names.collect();
        for tool in TOOLS {
            assert!(names.contains(&format!("mcp__casefile__{tool}").into()), "{tool}: {names:?}");
        }
        // It tells the model what the server has to say of itself.
        let system = first["system"].to_string();
        assert!(system.contains("casefile"), "{system}");
    }
}

#[test]
fn codex_does_all_that_an_agent_does() {
    for over in BOTH {
        let Ground { world, token, serving } = ground(over);
        let model = Model::listen(Dialect::Responses, Story::new(&world, "codex"));
        let server = match &serving {
            Some(serving) => {
                format!("url = {:?}\nbearer_token_env_var = \"CASEFILE_TOKEN\"", serving.url)
            }
            None => format!(
                "command = {:?}\nargs = [\"mcp\"]\nenv = {{XDG_STATE_HOME = {:?}}}",
                binary(),
                world.path("state")
            ),
        };
        let settings = format!(
            "model = \"scripted\"\nmodel_provider = \"here\"\napproval_policy = \"never\"\n\
             [model_providers.here]\nname = \"here\"\nbase_url = \"{}/v1\"\n\
             wire_api = \"responses\"\nenv_key = \"NOBODYS_KEY\"\n\
             [mcp_servers.casefile]\n{server}\ntool_timeout_sec = 4\n",
            model.url
        );
        world.put("home/codex/config.toml", settings);
        let mut command = world.program(node_program());
        command.arg(package("@openai/codex/bin/codex.js"));
        command.env_remove("XDG_STATE_HOME").env("CODEX_HOME", world.path("home/codex"));
        command.env("NOBODYS_KEY", "nobody's").env("CASEFILE_TOKEN", &token);
        command.args(["exec", "--skip-git-repo-check", "--ephemeral", "--json", "go"]);
        follow(command, &model);
        let told = model.told();
        let tools = told.requests[0]["tools"].to_string();
        for tool in TOOLS {
            assert!(tools.contains(&format!("\"{tool}\"")), "{tool}: {tools}");
        }
    }
}

/// Tells a program of calls, and has what came of each.
fn tell(mut command: Command, mut story: Story) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard = || -> Value {
        let line = lines.next().unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let listed = heard();
    for tool in TOOLS {
        assert!(listed.as_array().unwrap().contains(&tool.into()), "{listed}");
    }
    let mut seen = String::new();
    while let Some(call) = story.next(&seen) {
        let asked = json!({"tool": call.tool, "arguments": call.arguments,
            "is_endless": call.is_endless});
        writeln!(stdin, "{asked}").unwrap();
        heard().as_str().unwrap().clone_into(&mut seen);
    }
    assert!(story.is_over());
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// Both eras of the protocol, as an SDK names them.
fn sdk(program: &PathBuf, script: &str, modes: [&str; 2]) {
    for over in BOTH {
        for mode in modes {
            let Ground { world, token, serving } = ground(over);
            let script =
                PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
            let mut command = world.program(program);
            command.arg(script).arg(mode).env("TOKEN", &token);
            command.env("PACKAGES", packages::node_packages());
            match &serving {
                Some(serving) => command.arg(&serving.url),
                None => command.arg(binary()).arg("mcp"),
            };
            println!("{over:?}, {mode}");
            tell(command, Story::new(&world, mode));
        }
    }
}

#[test]
fn the_python_sdk_does_all_that_an_agent_does() {
    sdk(&python(), "sdk.py", ["auto", "legacy"]);
}

#[test]
fn the_typescript_sdk_does_all_that_an_agent_does() {
    sdk(&node_program(), "sdk.mjs", ["auto", "legacy"]);
}
