//! Where each client keeps its servers.

use std::path::PathBuf;

use super::Client;

/// What decides where files of a person's lie.
#[derive(Clone, Debug, Default)]
pub struct Homes {
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `$CLAUDE_CONFIG_DIR`, where Claude Code looks if it is set.
    pub claude: Option<PathBuf>,
    /// `$CODEX_HOME`.
    pub codex: Option<PathBuf>,
    /// `$CLINE_MCP_SETTINGS_PATH`.
    pub cline: Option<PathBuf>,
    /// Whether Cline is there as a part of VS Code, which keeps a file of its own.
    pub has_cline_in_vscode: bool,
}

impl Homes {
    /// Where programs with windows keep what belongs to a person.
    fn applications(&self) -> PathBuf {
        match cfg!(target_os = "macos") {
            true => self.home.join("Library/Application Support"),
            false => self.config_home.clone().unwrap_or_else(|| self.home.join(".config")),
        }
    }

    /// The directory of Cline as a part of VS Code.
    pub fn cline_in_vscode(&self) -> PathBuf {
        self.applications().join("Code/User/globalStorage/saoudrizwan.claude-dev")
    }
}

/// The file that has the servers of a person in this client.
pub fn place(client: Client, homes: &Homes) -> PathBuf {
    match client {
        Client::ClaudeCode => homes.claude.as_ref().unwrap_or(&homes.home).join(".claude.json"),
        Client::Codex => {
            homes.codex.clone().unwrap_or_else(|| homes.home.join(".codex")).join("config.toml")
        }
        Client::Cursor => homes.home.join(".cursor/mcp.json"),
        Client::VsCode => homes.applications().join("Code/User/mcp.json"),
        Client::Windsurf => homes.home.join(".codeium/windsurf/mcp_config.json"),
        Client::ClaudeDesktop => homes.applications().join("Claude/claude_desktop_config.json"),
        Client::Cline => match &homes.cline {
            Some(file) => file.clone(),
            None if homes.has_cline_in_vscode => {
                homes.cline_in_vscode().join("settings/cline_mcp_settings.json")
            }
            None => homes.home.join(".cline/data/settings/cline_mcp_settings.json"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Homes, place};
    use crate::clients::Client;

    #[test]
    fn each_client_has_its_place_and_what_it_lets_be_set_counts() {
        let usual = Homes { home: "/home/me".into(), ..Homes::default() };
        let set = Homes {
            config_home: Some("/c".into()),
            claude: Some("/claude".into()),
            codex: Some("/codex".into()),
            cline: Some("/cline.json".into()),
            ..usual.clone()
        };
        let applications = match cfg!(target_os = "macos") {
            true => ["/home/me/Library/Application Support"; 2],
            false => ["/home/me/.config", "/c"],
        };
        let in_applications = |path: &str| applications.map(|dir| format!("{dir}/{path}"));
        let [vscode, desktop] =
            ["Code/User/mcp.json", "Claude/claude_desktop_config.json"].map(in_applications);
        #[rustfmt::skip]
        let table = [
            (Client::ClaudeCode,    ["/home/me/.claude.json", "/claude/.claude.json"]),
            (Client::Codex,         ["/home/me/.codex/config.toml", "/codex/config.toml"]),
            (Client::Cursor,        ["/home/me/.cursor/mcp.json"; 2]),
            (Client::VsCode,        [&vscode[0], &vscode[1]]),
            (Client::Windsurf,      ["/home/me/.codeium/windsurf/mcp_config.json"; 2]),
            (Client::ClaudeDesktop, [&desktop[0], &desktop[1]]),
            (Client::Cline,         ["/home/me/.cline/data/settings/cline_mcp_settings.json", "/cline.json"]),
        ];
        for (client, [by_itself, as_set]) in table {
            assert_eq!(place(client, &usual).to_str(), Some(by_itself), "{client:?}");
            assert_eq!(place(client, &set).to_str(), Some(as_set), "{client:?}");
        }
        let in_vscode = Homes { has_cline_in_vscode: true, ..usual };
        let file = place(Client::Cline, &in_vscode);
        assert!(file.ends_with("saoudrizwan.claude-dev/settings/cline_mcp_settings.json"));
    }
}
