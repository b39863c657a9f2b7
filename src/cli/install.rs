//! `casefile mcp install`: casefile among the servers of a client.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::report::{Failure, note, print};
use super::surroundings::Surroundings;
use crate::clients::{CLIENTS, Client, Homes, NotEdited, Reach, place};
use crate::disk::{self, DiskError};
use crate::hint::Hint;

/// Put casefile among the servers of a client, or print what belongs there
///
/// What is in the client's file stays as it is, and the file as it was is kept beside it.
/// A token is never written: the client reads it from a variable of its environment.
#[derive(Args, Debug)]
pub(crate) struct Install {
    /// Which client
    #[arg(value_parser = PossibleValuesParser::new(CLIENTS.map(|(name, _)| name)))]
    client: String,
    /// Print what belongs into the file, and touch nothing
    #[arg(long)]
    print: bool,
    /// Have the client ask this server instead of starting one: `https://HOST/mcp`
    #[arg(long, value_name = "URL")]
    http: Option<String>,
    /// The variable in which the client finds its token
    #[arg(long, value_name = "NAME", default_value = "CASEFILE_TOKEN", requires = "http")]
    token_env: String,
    /// What the client calls the server
    #[arg(long, value_name = "NAME", default_value = "casefile")]
    name: String,
}

/// What the file was is kept under its name and this.
const BACKUP: &str = ".before-casefile";
/// No file of settings is larger.
const FILE_BYTES_MAX: usize = 64 << 20;

/// casefile was not put there.
#[derive(Debug, thiserror::Error)]
enum NotInstalled {
    #[error("`{}` was left as it is", path.display())]
    Edit { path: PathBuf, source: NotEdited },
    #[error("`{}` is no text", .0.display())]
    NoText(PathBuf),
    #[error("cannot follow `{}`", path.display())]
    Followed { path: PathBuf, source: io::Error },
    #[error("`{0}` is no address of a server")]
    Url(String),
    #[error("that is no name of a variable")]
    Variable,
    #[error("that is a token, and not the name of the variable that holds it")]
    Token,
    #[error("`{0}` is no name for a server")]
    Name(String),
    #[error("no home directory is known")]
    NoHome,
    #[error("cannot tell where this program is")]
    NoProgram(#[source] io::Error),
    #[error(transparent)]
    Print(NotEdited),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for NotInstalled {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Edit { source, .. } | Self::Print(source) => return source.hint(),
            Self::Disk(error) => return error.hint(),
            Self::NoProgram(_) => return None,
            Self::NoText(_) | Self::Followed { .. } => {
                "Look at the file, or see what belongs into it with `--print`.".into()
            }
            Self::Url(_) => "Write `https://HOST/mcp`, as `casefile serve` tells it.".into(),
            Self::Variable | Self::Token => "Write a name such as `CASEFILE_TOKEN`.".into(),
            Self::Name(_) => "Use a-z, A-Z, 0-9, `-` and `_`.".into(),
            Self::NoHome => "Set HOME.".into(),
        })
    }
}

pub(crate) fn run(install: &Install, around: &Surroundings) -> Result<ExitCode, Failure> {
    let told = act(install, around).map_err(Failure::user)?;
    if let (Some(_), false) = (&install.http, install.print) {
        note(&format!("the client needs the token in {}", install.token_env));
    }
    print(&told)
}

/// Does it, and says what was done.
fn act(install: &Install, around: &Surroundings) -> Result<String, NotInstalled> {
    let known = CLIENTS.iter().find(|(name, _)| *name == install.client);
    let Some((_, client)) = known else { return Err(NotInstalled::Name(install.client.clone())) };
    let name = checked_name(&install.name)?;
    let reach = match &install.http {
        Some(url) => Reach::Ask { url: checked_url(url)?, variable: variable(&install.token_env)? },
        None => start(*client, around)?,
    };
    if install.print {
        return client.edited("", name, &reach).map_err(NotInstalled::Print);
    }
    let file = followed(&place(*client, &homes(around)?))?;
    let there = disk::read_small(&file, FILE_BYTES_MAX)?;
    let old = String::from_utf8(there.clone().unwrap_or_default())
        .map_err(|_| NotInstalled::NoText(file.clone()))?;
    let new = client.edited(&old, name, &reach).map_err(|error| match error {
        NotEdited::NoRemote => NotInstalled::Print(error),
        source => NotInstalled::Edit { path: file.clone(), source },
    })?;
    if there.is_some() && new == old {
        return Ok(format!("`{name}` is in {} already\n", file.display()));
    }
    let mut told = format!("put `{name}` into {}\n", file.display());
    if let Some(dir) = file.parent() {
        disk::directory(dir)?;
    }
    if let Some(bytes) = there {
        let mut backup = file.clone().into_os_string();
        backup.push(BACKUP);
        let backup = PathBuf::from(backup);
        disk::replace(&backup, &bytes)?;
        told += &format!("what it was is {}\n", backup.display());
    }
    disk::replace(&file, new.as_bytes())?;
    Ok(told)
}

/// This program, as the client is to start it.
fn start(client: Client, around: &Surroundings) -> Result<Reach, NotInstalled> {
    let text = |path: &Path| path.to_str().map(str::to_owned);
    let program = program().map_err(NotInstalled::NoProgram)?;
    let program = text(&program).ok_or_else(|| NotInstalled::NoText(program.clone()))?;
    let mut arguments = Vec::new();
    if let Some(file) = &around.given.file {
        let file = around.given.working_directory.join(file);
        let file = text(&file).ok_or_else(|| NotInstalled::NoText(file.clone()))?;
        arguments.extend(["--config".into(), file]);
    }
    arguments.push("mcp".into());
    let mut environment = Vec::new();
    let mut pass = |name: &str, path: Option<PathBuf>| {
        if let Some(path) = path.as_deref().and_then(text) {
            environment.push((name.to_owned(), path));
        }
    };
    // A client may not hand on what it was started with, and cases would be elsewhere.
    let casefile_home = around.given.casefile_home.as_ref();
    pass("CASEFILE_HOME", casefile_home.map(|home| around.given.working_directory.join(home)));
    if client == Client::Cline {
        pass("HOME", around.given.home.clone());
    }
    Ok(Reach::Start { program, arguments, environment })
}

#[expect(clippy::disallowed_methods, reason = "this is where `cli` looks")]
fn program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

fn homes(around: &Surroundings) -> Result<Homes, NotInstalled> {
    let here = &around.given.working_directory;
    let set = |name: &str| {
        let value = around.variable(name).filter(|value| !value.is_empty());
        value.map(|value| here.join(value))
    };
    let mut homes = Homes {
        home: around.given.home.clone().ok_or(NotInstalled::NoHome)?,
        config_home: around.given.config_home.clone().filter(|path| path.is_absolute()),
        claude: set("CLAUDE_CONFIG_DIR"),
        codex: set("CODEX_HOME"),
        cline: set("CLINE_MCP_SETTINGS_PATH"),
        has_cline_in_vscode: false,
    };
    homes.has_cline_in_vscode = disk::is_directory(&homes.cline_in_vscode());
    Ok(homes)
}

/// The file itself, where a link stands for it: people keep their settings elsewhere.
#[expect(clippy::disallowed_methods, reason = "a file of the person who runs this")]
fn followed(path: &Path) -> Result<PathBuf, NotInstalled> {
    match path.canonicalize() {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !disk::stands(path) => {
            Ok(path.into())
        }
        Err(source) => Err(NotInstalled::Followed { path: path.into(), source }),
    }
}

fn checked_name(name: &str) -> Result<&str, NotInstalled> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match !name.is_empty() && name.len() <= 64 && name.bytes().all(is_known) {
        true => Ok(name),
        false => Err(NotInstalled::Name(name.into())),
    }
}

/// The address, with the path that is served if none is given.
fn checked_url(url: &str) -> Result<String, NotInstalled> {
    let bad = || NotInstalled::Url(url.into());
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or_else(bad)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain =
        url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'\\`${}<>".contains(&byte));
    // Who is before an `@` would be a secret in a file, and so may be what is asked with.
    if host.is_empty() || host.contains('@') || rest.contains(['?', '#']) || !is_plain {
        return Err(bad());
    }
    Ok(if path.is_empty() { format!("{}/mcp", url.trim_end_matches('/')) } else { url.into() })
}

fn variable(name: &str) -> Result<String, NotInstalled> {
    if crate::access::is_token(name) {
        return Err(NotInstalled::Token);
    }
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match begins && name.len() <= 128 && name.bytes().all(is_known) {
        true => Ok(name.into()),
        // It may be a secret, and is not repeated.
        false => Err(NotInstalled::Variable),
    }
}

#[cfg(test)]
mod tests {
    use super::{checked_url, variable};

    #[test]
    fn an_address_leads_to_a_server_and_holds_no_secret() {
        #[rustfmt::skip]
        let table = [
            // given                          written
            ("https://example.com",           Some("https://example.com/mcp")),
            ("https://example.com/",          Some("https://example.com/mcp")),
            ("https://example.com/mcp",       Some("https://example.com/mcp")),
            ("http://127.0.0.1:8811/a/mcp",   Some("http://127.0.0.1:8811/a/mcp")),
            ("https://me:pass@example.com",   None),
            ("https://example.com/mcp?key=a", None),
            ("https://example.com?key=a",     None),
            ("ftp://example.com",             None),
            ("example.com/mcp",               None),
            ("https://",                      None),
            ("https://example.com/${HOME}",   None),
            ("https://example.com/a b",       None),
        ];
        for (given, want) in table {
            assert_eq!(checked_url(given).ok().as_deref(), want, "{given}");
        }
    }

    #[test]
    fn the_name_of_a_variable_is_no_token() {
        assert!(variable("CASEFILE_TOKEN").is_ok() && variable("_x1").is_ok());
        let token = format!("casefile_{}", "a1".repeat(32));
        for name in ["", "1x", "a-b", "a b", "$X", &token] {
            let error = variable(name).unwrap_err().to_string();
            assert!(name.is_empty() || !error.contains(name), "{error}");
        }
    }
}
