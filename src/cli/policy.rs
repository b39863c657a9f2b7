//! `casefile policy`: what the jails here allow, and who says so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::report::{Failure, print};
use super::surroundings::Surroundings;
use super::table::Table;
use crate::config::{PolicyName, Settings};
use crate::jail::policy::{Giver, Library, Mode, Mount, Policy, Reach, Statement, Verdict, render};
use crate::yaml;

/// See what jails allow, check a policy, ask why
#[derive(Args, Debug)]
pub(crate) struct Command {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List the policies that can be named
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a policy as it holds, with the line that gave each value
    Show { name: String },
    /// Say whether a file is a good policy, or what is wrong with it and where
    Check { file: PathBuf },
    /// Print what one policy says and the other does not
    Diff { a: String, b: String },
    /// Say which rule shows or hides a path, or refuses a command
    Why(Why),
}

#[derive(Args, Debug)]
struct Why {
    /// The path; a command stands behind `--` instead
    #[arg(required_unless_present = "command", conflicts_with = "command")]
    path: Option<PathBuf>,
    /// The policy; without it, the one that is set
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// As in `casefile run`: show this path read-only
    #[arg(long, value_name = "PATH")]
    read: Vec<OsString>,
    /// As in `casefile run`: show this path writable
    #[arg(long, value_name = "PATH")]
    write: Vec<OsString>,
    /// The command and its arguments
    #[arg(last = true)]
    command: Vec<OsString>,
}

pub(crate) fn run(command: Command, around: &Surroundings) -> Result<ExitCode, Failure> {
    // Whether a file is good does not depend on what is set here.
    let shelf = || Shelf::open(around);
    match command.act {
        Act::List { json } => list(&shelf()?, json),
        Act::Show { name } => show(&name, &shelf()?),
        Act::Check { file } => check(&file, around),
        Act::Diff { a, b } => diff(&a, &b, &shelf()?),
        Act::Why(why) => {
            let shelf = shelf()?;
            let set = shelf.settings.policy().value.as_str();
            let policy = shelf.policy(why.policy.as_deref().unwrap_or(set))?;
            match &why.path {
                Some(path) => {
                    let asked = asked(&why, around)?;
                    print(&why_path(&policy, path, &asked, &around.given.working_directory)?)
                }
                None => print(&why_command(&policy, &why.command)),
            }
        }
    }
}

/// The policies that can be had here, and the settings that complete them.
#[derive(Debug)]
struct Shelf {
    settings: Settings,
    library: Library,
}

impl Shelf {
    fn open(around: &Surroundings) -> Result<Self, Failure> {
        let settings = around.settings()?;
        let library = Library::new(settings.policy_dir());
        Ok(Self { settings, library })
    }

    fn policy(&self, name: &str) -> Result<Policy, Failure> {
        self.library.named(name).map_err(Failure::user)
    }
}

/// A policy that is broken is listed as broken; the others can be had.
fn list(shelf: &Shelf, json: bool) -> Result<ExitCode, Failure> {
    let Shelf { settings, library } = shelf;
    let names = library.names().map_err(Failure::user)?;
    let mut table = Table::default();
    let mut rows = Vec::new();
    for name in names.iter().filter(|name| !Library::is_included_only(name)) {
        let set = settings.policy().value == *name;
        let (about, broken) = match library.load(name) {
            Ok(policy) => (policy.about, None),
            Err(error) => (format!("broken: {error}"), Some(error.to_string())),
        };
        let file = file_of(library, name);
        rows.push(json!({
            "name": name.as_str(), "about": broken.is_none().then_some(&about),
            "file": file, "set": set, "broken": broken,
        }));
        let mark = if set { "*" } else { "" };
        table.row([name.to_string(), mark.to_owned(), about, file]);
    }
    if json {
        return print(&format!("{:#}\n", Value::Array(rows)));
    }
    print(&table.to_string())
}

fn file_of(library: &Library, name: &PolicyName) -> String {
    match library.file(name) {
        Ok(Some(file)) => file.to_string_lossy().into(),
        // What is wrong with the file was said beside it.
        Ok(None) | Err(_) => String::new(),
    }
}

fn show(name: &str, shelf: &Shelf) -> Result<ExitCode, Failure> {
    let policy = shelf.policy(name)?;
    let parts: Vec<&str> = policy.parts.iter().map(PolicyName::as_str).collect();
    let head = format!("# {}: {}\n# made of {}\n", policy.name, policy.about, parts.join(", "));
    print(&(head + &render(&policy.statements(&shelf.settings))))
}

fn check(file: &Path, around: &Surroundings) -> Result<ExitCode, Failure> {
    let bytes = yaml::read(file).map_err(Failure::user)?;
    let whole = around.given.working_directory.join(file);
    let library = Library::new(whole.parent());
    let policy = library.read(file, &bytes).map_err(Failure::user)?;
    print(&format!("{} is good: {}\n", file.display(), policy.about))
}

fn diff(a: &str, b: &str, shelf: &Shelf) -> Result<ExitCode, Failure> {
    let in_a = shelf.policy(a)?.statements(&shelf.settings);
    let in_b = shelf.policy(b)?.statements(&shelf.settings);
    let mut table = Table::default();
    for (sign, these, others) in [("-", &in_a, &in_b), ("+", &in_b, &in_a)] {
        for statement in these {
            if !others.iter().any(|other| says_the_same(statement, other)) {
                let mut words = vec![sign];
                words.extend(statement.under);
                words.push(&statement.text);
                table.row([words.join(" "), format!("# {}", statement.by)]);
            }
        }
    }
    print(&table.to_string())
}

fn says_the_same(a: &Statement, b: &Statement) -> bool {
    a.under == b.under && a.text == b.text
}

/// What else of the host is to be shown.
fn asked(why: &Why, around: &Surroundings) -> Result<Vec<Mount>, Failure> {
    let directory = &around.given.working_directory;
    let mut asked = Vec::new();
    for (mode, paths) in [(Mode::Read, &why.read), (Mode::Write, &why.write)] {
        for given in paths {
            asked.push(Mount::parse(given, mode, directory).map_err(Failure::user)?);
        }
    }
    Ok(asked)
}

/// Which rule shows or hides a path, in a line.
fn why_path(
    policy: &Policy,
    path: &Path,
    asked: &[Mount],
    directory: &Path,
) -> Result<String, Failure> {
    let shown = path.display();
    let name = &policy.name;
    let reach = policy.reach(path, directory, asked).map_err(Failure::user)?;
    Ok(match reach {
        Reach::Hidden => format!("{shown} is hidden: nothing in `{name}` shows it\n"),
        Reach::Own(own) => {
            format!("{shown} is the jail's own: {own} holds nothing of the host's\n")
        }
        Reach::Shown { from, by } => {
            let mode = match by.mount.mode {
                Mode::Read => "read-only",
                Mode::Write => "writable",
            };
            let who = match &by.by {
                Giver::Files(line) => line.to_string(),
                Giver::Workdir(line) => format!(
                    "workdir, {}",
                    line.as_ref().map_or_else(|| "default".into(), ToString::to_string)
                ),
                Giver::Flag(mode) => format!("--{mode}"),
                Giver::Case => "the case".into(),
            };
            let at = from.display();
            format!("{shown} is {mode}: the host's {at}, by {who}\n")
        }
    })
}

/// Which rule refuses a command, in a line or two.
pub(super) fn why_command(policy: &Policy, command: &[OsString]) -> String {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let words = words.join(" ");
    match policy.judge(command) {
        Verdict::Allow => {
            format!("`{words}` may run: no rule in `{}` is against it\n", policy.name)
        }
        Verdict::Refuse(rule) => {
            let prefix = rule.prefix.join(" ");
            format!("`{words}` is refused: {}\n  by `{prefix}`, {}\n", rule.why, rule.by)
        }
    }
}
