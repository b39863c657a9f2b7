//! `casefile token`: who may ask a server for cases.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::list::minute;
use super::report::{Failure, note, print};
use super::surroundings::Surroundings;
use super::table::Table;
use super::time;
use crate::access::{
    BadGlob, BadTokenName, CaseGlob, Listed, SCOPE_READ, SCOPE_WRITE, Store, TokenName, Wanted,
};
use crate::hint::Hint;

/// Make, list and revoke the tokens that let clients in over HTTP
#[derive(Args, Debug)]
pub(crate) struct Token {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make a token and print its secret, which is shown only now
    ///
    /// A token sees the cases that were opened with it, and those that `--cases` names.
    Create {
        /// What to call it; its cases belong to whoever has the token of this name
        name: String,
        /// For how long it is good: 12h, 90d, or never
        #[arg(long, value_name = "TIME", default_value = "90d")]
        expires: String,
        /// Let it look, and change nothing
        #[arg(long)]
        read_only: bool,
        /// Show it all cases whose ids match this, too: `checkout-*`, or `*` for all
        #[arg(long, value_name = "GLOB")]
        cases: Vec<String>,
    },
    /// Print the tokens, what each may do, and when it was used last
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let nobody in with these tokens any more, from now on
    Revoke {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// A token cannot be what was asked for.
#[derive(Debug, thiserror::Error)]
enum BadToken {
    #[error(transparent)]
    Name(#[from] BadTokenName),
    #[error(transparent)]
    Glob(#[from] BadGlob),
    #[error("`{0}` is no time that a token could be good for")]
    Expires(String),
}

impl Hint for BadToken {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Name(error) => error.hint(),
            Self::Glob(error) => error.hint(),
            Self::Expires(_) => Some("Write `90d`, `12h` or `never`.".into()),
        }
    }
}

pub(crate) fn run(token: Token, around: &Surroundings) -> Result<ExitCode, Failure> {
    let store = Store::new(around.home()?.path());
    match token.act {
        Act::Create { name, expires, read_only, cases } => {
            let now = around.now();
            let wanted = wanted(&name, &expires, read_only, &cases, now).map_err(Failure::user)?;
            let expires = wanted.expires;
            let holder = around.holder("casefile token create");
            let secret = store.create(wanted, around.random()?, &holder).map_err(Failure::user)?;
            let code = print(&format!("{}\n", secret.reveal()))?;
            note(&match expires {
                Some(expires) => {
                    format!("this is shown only now, and is good until {} UTC", minute(expires))
                }
                None => "this is shown only now, and is good until it is revoked".into(),
            });
            Ok(code)
        }
        Act::List { json } => {
            let all = store.list(around.now()).map_err(Failure::user)?;
            print(&if json { as_json(&all) } else { as_table(&all) })
        }
        Act::Revoke { names } => {
            let names = names.iter().map(|name| TokenName::parse(name));
            let names = names.collect::<Result<Vec<_>, _>>().map_err(Failure::user)?;
            let holder = around.holder("casefile token revoke");
            let mut told = String::new();
            for name in &names {
                told += &match store.revoke(name, &holder).map_err(Failure::user)? {
                    true => format!("{name} is revoked\n"),
                    false => format!("{name} was revoked already\n"),
                };
            }
            print(&told)
        }
    }
}

fn wanted(
    name: &str,
    expires: &str,
    read_only: bool,
    cases: &[String],
    now: Timestamp,
) -> Result<Wanted, BadToken> {
    let bad = || BadToken::Expires(expires.into());
    let expires = match expires {
        "never" => None,
        text => {
            let length = time::span(text).filter(|length| length.is_positive()).ok_or_else(bad)?;
            Some(now.checked_add(length).map_err(|_| bad())?)
        }
    };
    let cases = cases.iter().map(|glob| CaseGlob::parse(glob)).collect::<Result<_, _>>()?;
    Ok(Wanted { name: TokenName::parse(name)?, may_write: !read_only, cases, expires })
}

fn scopes(listed: &Listed) -> Vec<&'static str> {
    if listed.may_write { vec![SCOPE_READ, SCOPE_WRITE] } else { vec![SCOPE_READ] }
}

fn as_table(all: &[Listed]) -> String {
    if all.is_empty() {
        return "There are no tokens.\n".into();
    }
    let mut table = Table::default();
    table.row(["TOKEN", "STATE", "SCOPES", "CASES", "MADE (UTC)", "EXPIRES", "LAST USE"]);
    for listed in all {
        let cases: Vec<String> = listed.cases.iter().map(CaseGlob::to_string).collect();
        let cases = if cases.is_empty() { "its own".into() } else { cases.join(" ") };
        table.row([
            listed.name.to_string(),
            listed.state.to_string(),
            scopes(listed).join(" "),
            cases,
            minute(listed.made),
            listed.expires.map_or("never".into(), minute),
            listed.used.map_or("never".into(), minute),
        ]);
    }
    table.to_string()
}

fn as_json(all: &[Listed]) -> String {
    let tokens = all.iter().map(|listed| {
        json!({
            "name": listed.name.as_str(),
            "state": listed.state.to_string(),
            "scopes": scopes(listed),
            "cases": listed.cases.iter().map(CaseGlob::to_string).collect::<Vec<_>>(),
            "made": listed.made.to_string(),
            "expires": listed.expires.map(|time| time.to_string()),
            "revoked": listed.revoked.map(|time| time.to_string()),
            "last_use": listed.used.map(|time| time.to_string()),
        })
    });
    format!("{:#}\n", Value::Array(tokens.collect()))
}
