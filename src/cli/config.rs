//! `casefile config`: what is set, whether a file is good, and a file to begin with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::report::{Failure, print, warn};
use super::surroundings::Surroundings;
use super::table::Table;
use crate::config::limits::TABLE;
use crate::config::{FILE_NAME, Jwks, Settings, Source, Trust, find, template};
use crate::disk::{DiskError, replace_as};
use crate::hint::Hint;
use crate::jail::policy::{Library, PolicyError};
use crate::yaml::Located;

/// Show, check or begin casefile.yaml
#[derive(Args, Debug)]
pub(crate) struct Config {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Print the effective settings and where each came from
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whether a file is good, or what is wrong with it and where
    Check {
        /// The file; without one, the casefile.yaml that counts here
        file: Option<PathBuf>,
    },
    /// Let jails be built from the casefile.yaml that counts here, as it is now
    Trust,
    /// Write a casefile.yaml with every setting at its default
    Init {
        /// Replace a file that stands there
        #[arg(long)]
        force: bool,
    },
}

/// Why a file to begin with was not written.
#[derive(Debug, thiserror::Error)]
enum NotBegun {
    #[error("`{}` exists already", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for NotBegun {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists(_) => Some("Pass `--force` to replace it.".into()),
            Self::Disk(error) => error.hint(),
        }
    }
}

pub(crate) fn run(config: Config, around: &Surroundings) -> Result<ExitCode, Failure> {
    match config.act {
        Act::Show { json: false } => show(&around.settings()?),
        Act::Show { json: true } => show_json(&around.settings()?),
        Act::Check { file } => check(file, around),
        Act::Trust => trust(around),
        Act::Init { force } => init(around, force).map_err(Failure::user)?,
    }
}

fn show(settings: &Settings) -> Result<ExitCode, Failure> {
    let mut table = Table::default();
    for (key, value, source) in rows(settings) {
        let value = match value {
            Value::String(text) => text,
            Value::Null => "(none)".into(),
            other => other.to_string(),
        };
        table.row([key, value, source.to_string()]);
    }
    print(&table.to_string())
}

fn show_json(settings: &Settings) -> Result<ExitCode, Failure> {
    let rows = rows(settings)
        .into_iter()
        .map(|(key, value, source)| json!({"key": key, "value": value, "source": told(&source)}));
    let whole = json!({
        "file": settings.file(),
        "policy_dir": settings.policy_dir(),
        "settings": rows.collect::<Vec<_>>(),
    });
    print(&format!("{whole:#}\n"))
}

/// Every setting: its key as in `a.b`, its value, where it came from.
fn rows(settings: &Settings) -> Vec<(String, Value, Source)> {
    let home = settings.home_setting();
    let policy = settings.policy();
    let mut rows = vec![
        (
            "home".to_owned(),
            json!(home.map(|home| home.value.to_string_lossy())),
            home.map_or(Source::Default, |home| home.source.clone()),
        ),
        ("policy".to_owned(), json!(policy.value.as_str()), policy.source.clone()),
    ];
    let deploys = settings.deploys();
    rows.push((
        "deploys".to_owned(),
        json!(deploys.map(|deploys| deploys.value.to_string_lossy())),
        deploys.map_or(Source::Default, |deploys| deploys.source.clone()),
    ));
    let environment = settings.environment();
    rows.push((
        "environment".to_owned(),
        json!(environment.map(|environment| &environment.value)),
        environment.map_or(Source::Default, |environment| environment.source.clone()),
    ));
    let secrets = settings.secrets();
    for name in &secrets.variables {
        rows.push(("secrets.variables".into(), json!(name.value), name.source.clone()));
    }
    for path in &secrets.files {
        let value = json!(path.value.to_string_lossy());
        rows.push(("secrets.files".into(), value, path.source.clone()));
    }
    serve_rows(settings, &mut rows);
    for row in &TABLE {
        let value = settings.limits().get(row.limit);
        let source = settings.limit_source(row.limit).clone();
        rows.push((format!("limits.{}", row.key), json!(value), source));
    }
    rows
}

fn serve_rows(settings: &Settings, rows: &mut Vec<(String, Value, Source)>) {
    let serve = settings.serve();
    for issuer in &serve.issuers {
        let about = &issuer.value;
        let jwks = match &about.jwks {
            Jwks::File(path) => path.to_string_lossy().into_owned(),
            Jwks::Url(url) => url.clone(),
        };
        let all = [
            ("issuer", Some(about.issuer.as_str())),
            ("audience", Some(&about.audience)),
            ("jwks", Some(&jwks)),
            ("scope_claim", about.scope_claim.as_deref()),
            ("cases_claim", about.cases_claim.as_deref()),
        ];
        for (key, value) in all.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            rows.push((format!("serve.issuers.{key}"), json!(value), issuer.source.clone()));
        }
    }
    for (key, list) in
        [("allowed_hosts", &serve.allowed_hosts), ("allowed_origins", &serve.allowed_origins)]
    {
        for setting in list {
            rows.push((format!("serve.{key}"), json!(setting.value), setting.source.clone()));
        }
    }
    if let Some(rate) = &serve.rate {
        rows.push(("serve.rate".into(), json!(rate.value), rate.source.clone()));
    }
}

fn told(source: &Source) -> Value {
    match source {
        Source::Default => json!({"from": "default"}),
        Source::File { file, at } => {
            json!({"from": "file", "file": file, "line": at.line, "column": at.column})
        }
        Source::Environment(name) => json!({"from": "environment", "name": name}),
        Source::Flag(name) => json!({"from": "flag", "name": name}),
    }
}

fn check(file: Option<PathBuf>, around: &Surroundings) -> Result<ExitCode, Failure> {
    let file = match file {
        Some(file) => Some(file),
        None => find(&around.given).map_err(Failure::user)?,
    };
    let settings = Settings::of(file, &around.given).map_err(Failure::user)?;
    check_policy(&settings)?;
    match settings.file() {
        Some(file) => print(&format!("{} is good\n", file.display())),
        None => print(&format!("there is no {FILE_NAME}: every setting is at its default\n")),
    }
}

/// The policy that is set can be had; if it cannot, the line that sets it is told.
fn check_policy(settings: &Settings) -> Result<(), Failure> {
    let policy = settings.policy();
    match (Library::new(settings.policy_dir()).load(&policy.value), &policy.source) {
        (Ok(_), _) => Ok(()),
        (Err(PolicyError::Written(error)), _) => Err(Failure::user(error)),
        (Err(error), Source::File { file, at }) => {
            Err(Failure::user(Located::at(file, *at, &error).maybe_hint(error.hint())))
        }
        (Err(error), _) => Err(Failure::user(error)),
    }
}

fn trust(around: &Surroundings) -> Result<ExitCode, Failure> {
    match find(&around.given).map_err(Failure::user)? {
        Some(file) => {
            let holder = around.holder("casefile config trust");
            Trust::new(&around.given).grant(&file, &holder).map_err(Failure::user)?;
            print(&format!("{} is trusted as it is now\n", file.display()))
        }
        None => print(&format!("there is no {FILE_NAME}: nothing to trust\n")),
    }
}

fn init(around: &Surroundings, force: bool) -> Result<Result<ExitCode, Failure>, NotBegun> {
    let file = around.given.working_directory.join(FILE_NAME);
    if !force && exists(&file) {
        return Err(NotBegun::Exists(file));
    }
    replace_as(&file, template().as_bytes(), 0o666)?;
    // Who wrote it need not look at it.
    let holder = around.holder("casefile config init");
    if let Err(error) = Trust::new(&around.given).grant(&file, &holder) {
        warn(&error);
    }
    Ok(print(&format!("wrote {}\n", file.display())))
}

/// A dangling link is somebody's file too.
#[expect(clippy::disallowed_methods, reason = "looks at a name, opens nothing")]
fn exists(file: &Path) -> bool {
    file.symlink_metadata().is_ok()
}
