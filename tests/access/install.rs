//! `casefile mcp install`: what it does to the files of clients.

use std::os::unix::fs::{PermissionsExt, symlink};

use insta::assert_snapshot;

use crate::common::{User, World, users};

fn read(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path(name)).unwrap()
}

#[test]
fn an_entry_goes_in_once_and_what_was_there_is_kept() {
    for user in users() {
        let world = World::of(user);
        let old = "{\n  // mine\n  \"servers\": {}\n}\n";
        world.put("home/.config/Code/User/mcp.json", old);
        let install = || world.run(&["mcp", "install", "vscode"]);
        insta::allow_duplicates! {
            assert_snapshot!(install(), @"
            put `casefile` into <world>/home/.config/Code/User/mcp.json
            what it was is <world>/home/.config/Code/User/mcp.json.before-casefile
            ");
            assert_snapshot!(install(), @"`casefile` is in <world>/home/.config/Code/User/mcp.json already");
        }
        assert_eq!(read(&world, "home/.config/Code/User/mcp.json.before-casefile"), old);
        let new = read(&world, "home/.config/Code/User/mcp.json");
        assert!(new.contains("// mine") && new.contains("\"command\": \"/"), "{new}");
        // Where a person keeps it elsewhere, it stays there, with its mode.
        world.put("home/dotfiles/codex.toml", "model = 'x' # mine\n");
        let file = world.path("home/dotfiles/codex.toml");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        world.put("home/.codex/other", "");
        symlink(&file, world.path("home/.codex/config.toml")).unwrap();
        let _ = world.run(&["mcp", "install", "codex"]).success();
        assert!(world.path("home/.codex/config.toml").is_symlink());
        let text = read(&world, "home/dotfiles/codex.toml");
        assert!(text.starts_with("model = 'x' # mine\n\n[mcp_servers.casefile]\n"), "{text}");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o644);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_left_alone() {
    let world = World::of(User::Same);
    for (name, client, text) in [
        ("home/.cursor/mcp.json", "cursor", "{\n  \"mcpServers\": {\n"),
        ("home/.codex/config.toml", "codex", "a = 1\nb = \n"),
        ("home/.claude.json", "claude-code", "[]\n"),
    ] {
        world.put(name, text);
        let outcome = world.run(&["mcp", "install", client]);
        assert_eq!(outcome.stdout, "", "{outcome:?}");
        assert!(outcome.stderr.contains("was left as it is\ncause: "), "{outcome:?}");
        assert_eq!(read(&world, name), text);
        assert!(!world.path(&format!("{name}.before-casefile")).exists());
    }
    std::fs::write(world.path("home/.cursor/mcp.json"), [0xff, 0xfe]).unwrap();
    let outcome = world.run(&["mcp", "install", "cursor"]);
    assert!(outcome.stderr.contains("is no text"), "{outcome:?}");
}

#[test]
fn what_belongs_there_can_be_printed_and_no_token_is_ever_written() {
    let world = World::of(User::Same);
    let url = "https://cases.example.com";
    let print = ["mcp", "install", "cursor", "--print", "--http", url, "--token-env", "OURS"];
    assert_snapshot!(world.run(&print), @r#"
    {
      "mcpServers": {
        "casefile": {
          "url": "https://cases.example.com/mcp",
          "headers": {
            "Authorization": "Bearer ${env:OURS}"
          }
        }
      }
    }
    "#);
    assert!(!world.path("home/.cursor").exists());
    let token = world.run(&["token", "create", "ci"]).success().stdout;
    let given = ["mcp", "install", "codex", "--http", url, "--token-env", token.trim()];
    assert_snapshot!(world.run(&given), @"
    --- stderr
    error: that is a token, and not the name of the variable that holds it
    hint: Write a name such as `CASEFILE_TOKEN`.
    --- exit status: 1
    ");
    assert!(!world.path("home/.codex").exists());
    assert_snapshot!(world.run(&["mcp", "install", "claude-desktop", "--http", url]), @"
    --- stderr
    error: Claude Desktop takes no server of the network from its file
    hint: Leave out `--http`, or add the server in its settings under Connectors.
    --- exit status: 1
    ");
}
