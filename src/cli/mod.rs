//! The door for a person: arguments in, text and an exit code out.
//!
//! This is the only room that looks at the environment, the working directory,
//! the clock and the terminal. One file a command; this one names them all.

mod branch;
mod close;
mod command;
mod config;
mod diff;
mod doctor;
mod entered;
mod exec;
mod find;
mod fork;
mod gc;
mod grep;
mod inside;
mod install;
mod journal;
mod list;
mod mcp;
mod open;
mod plain;
mod policy;
mod prepared;
mod progress;
mod read;
mod rename;
mod repo;
mod report;
mod rm;
mod run;
mod scratch;
mod serve;
mod session;
mod shell;
mod show;
mod surroundings;
mod table;
mod time;
mod token;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use report::Failure;
use surroundings::Surroundings;

/// The commands by what a person wants, since clap cannot group them. A test
/// holds it against the commands that exist.
const HELP: &str = "\
{about}

Usage: casefile <COMMAND> [OPTIONS]

Jail
  run           Run one command in a jail
  doctor        See what jails this host can give, and attack one

Cases
  open          Open a case at the commit that was live, with its evidence
  shell         Look around in a case, or run one command in it
  diff          Print what a case changed in its code, as a patch
  branch        Publish the commits of a case as a new branch, or as a patch
  fork          Begin a second case where one stands
  close         Close cases: all stays, and nobody works in them any more
  list          List the cases, newest first
  show          Show one case
  rename        Give a case another title; its id stays
  rm            Remove cases for good

Tools, as an agent has them
  read          Print lines of files of a case, or what is in a directory
  grep          Look for lines in the files of a case
  find          Find files in a case by name, kind, size, or what was changed
  exec          Run a command line in a case, and show what an agent would see
  write         Write a file in a case, or change one passage of it
  journal       See what was done in a case, check it, or take it along
  mcp           Serve cases to an agent: an MCP server on stdin and stdout
  serve         Serve cases over HTTP, to clients that have a token
  token         Make, list and revoke the tokens that let clients in over HTTP

Code
  repo          Add, list, fetch and remove the repositories that cases are made of
  gc            Remove what no open case needs, and what killed commands left

Settings
  config        Show, check or begin casefile.yaml
  policy        See what jails allow, check a policy, ask why
  completions   Print a completion script for a shell

Options:
{options}

`casefile <COMMAND> --help` tells all about one command.
";

/// A jailed place for an agent to investigate an incident.
#[derive(Debug, Parser)]
#[command(name = "casefile", version, help_template = HELP, disable_help_subcommand = true)]
struct Cli {
    /// Read this file instead of searching for casefile.yaml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Doctor(doctor::Args),
    Open(open::Open),
    Shell(shell::Shell),
    Diff(diff::Diff),
    Branch(branch::Branch),
    Fork(fork::Fork),
    Close(close::Close),
    Gc(gc::Gc),
    Read(read::Read),
    Grep(grep::Grep),
    Find(find::Find),
    Exec(exec::Exec),
    Write(write::Write),
    Journal(journal::Journal),
    List(list::List),
    Mcp(mcp::Mcp),
    Serve(serve::Serve),
    Show(show::Show),
    Rename(rename::Rename),
    Rm(rm::Rm),
    Repo(repo::Repo),
    Token(token::Token),
    Config(config::Config),
    Policy(policy::Command),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
}

/// Runs the command line that the process was given.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too, with exit code 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let around = || Surroundings::look(cli.config);
    match cli.command {
        Command::Run(command) => run::run(command, &around()?),
        Command::Doctor(command) => doctor::run(command, &around()?),
        Command::Policy(command) => policy::run(command, &around()?),
        Command::Open(command) => open::run(command, &around()?),
        Command::Shell(command) => shell::run(command, &around()?),
        Command::Diff(command) => diff::run(command, &around()?),
        Command::Branch(command) => branch::run(command, &around()?),
        Command::Fork(command) => fork::run(command, &around()?),
        Command::Close(command) => close::run(command, &around()?),
        Command::Gc(command) => gc::run(command, &around()?),
        Command::Read(command) => read::run(command, &around()?),
        Command::Grep(command) => grep::run(command, &around()?),
        Command::Find(command) => find::run(command, &around()?),
        Command::Exec(command) => exec::run(command, &around()?),
        Command::Write(command) => write::run(command, &around()?),
        Command::Journal(command) => journal::run(command, &around()?),
        Command::Mcp(command) => mcp::run(&command, around()?),
        Command::Serve(command) => serve::run(command, around()?),
        Command::List(command) => list::run(command, &around()?),
        Command::Show(command) => show::run(command, &around()?),
        Command::Rename(command) => rename::run(command, &around()?),
        Command::Rm(command) => rm::run(command, &around()?),
        Command::Repo(command) => repo::run(command, &around()?),
        Command::Token(command) => token::run(command, &around()?),
        Command::Config(command) => config::run(command, &around()?),
        Command::Completions { shell } => {
            let mut out = anstream::stdout();
            clap_complete::generate(shell, &mut Cli::command(), "casefile", &mut out);
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, HELP};

    #[test]
    fn the_help_page_lists_every_command_once_with_its_own_words() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let about = command.get_about().expect("a line about it").to_string();
            let row = format!("\n  {:<13} {about}\n", command.get_name());
            assert_eq!(HELP.matches(&row).count(), 1, "no row {row:?} in the help page");
        }
    }
}
