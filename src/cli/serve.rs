//! `casefile serve`: the cases of this machine for agents elsewhere, by the Model Context
//! Protocol over HTTP.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::mcp::{Here, IDLE_S};
use super::report::{Failure, Turn, note, with_causes};
use super::surroundings::Surroundings;
use crate::access::{Access, State, Store};
use crate::config::RATE_MAX;
use crate::disk::{self, DiskError};
use crate::jail::hold_little_memory;
use crate::mcp::Server;
use crate::mcp::http::{
    Address, Admission, BadAddress, BadPublic, Limits, Names, Public, Settings, Tls, serve_cases,
};

/// Serve cases over HTTP, to clients that have a token
///
/// Clients speak streamable HTTP at `/mcp`, and send `Authorization: Bearer TOKEN`, with
/// a token that `casefile token create` made. It serves until a signal ends it; calls
/// that are on may then go on for a while.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to listen: an address of this machine and a port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value_t, value_parser = address)]
    listen: Address,
    /// Do TLS with this certificate, and those that signed it, in a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen without TLS where other machines reach it: tokens and evidence can be read
    /// on the way, unless something before it does TLS
    #[arg(long)]
    insecure: bool,
    /// Answer to this name, too: `cases.example.com`, if that is how clients reach it
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Let pages of this origin use the server, too: `https://app.example.com`
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Where clients reach it, if something before it does TLS: `https://cases.example.com`
    #[arg(long, value_name = "URL", value_parser = public)]
    url: Option<Public>,
    /// Let each token ask so often in a second, for as long as it goes on [default: what
    /// casefile.yaml says, else 500]
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    rate: Option<u32>,
    /// Wait no longer for a request to come whole
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().patience.as_secs())]
    patience: u64,
    /// At the end, let calls go on for so long; a second signal ends them at once
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().grace.as_secs())]
    grace: u64,
    /// Let go of a case that nobody asked anything of for so long
    #[arg(long, value_name = "SECONDS", default_value_t = IDLE_S)]
    idle: u64,
}

/// A file of PEM is no larger.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

fn public(given: &str) -> Result<Public, BadPublic> {
    given.parse()
}

fn address(given: &str) -> Result<Address, BadAddress> {
    given.parse()
}

pub(crate) fn run(serve: Serve, around: Surroundings) -> Result<ExitCode, Failure> {
    let home = around.home()?;
    // Whose tokens are taken is not for a file to say that was merely found.
    let (trusted, _) = around.trusted()?;
    let set = trusted.serve();
    let issuers = set.issuers.iter().map(|issuer| issuer.value.clone()).collect();
    let access = Access::new(home.path()).with_issuers(issuers);
    let admission = Admission { access, clock: Surroundings::clock };
    let rate = serve.rate.or_else(|| set.rate.as_ref().map(|rate| rate.value));
    let (mut hosts, mut origins) = (serve.allow_host, serve.allow_origin);
    hosts.extend(set.allowed_hosts.iter().map(|host| host.value.clone()));
    origins.extend(set.allowed_origins.iter().map(|origin| origin.value.clone()));
    let tls = match (&serve.tls_cert, &serve.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(Tls::new(&pem(certificate)?, &pem(key)?).map_err(Failure::user)?)
        }
        _ => None,
    };
    let settings = Settings {
        address: serve.listen,
        is_insecure: serve.insecure,
        tls,
        names: Names { hosts, origins, public: serve.url },
        limits: rate.map_or_else(Limits::default, Limits::of_rate),
        patience: Duration::from_secs(serve.patience),
        grace: Duration::from_secs(serve.grace),
        trouble: |error| note(&with_causes(error)),
    };
    let tokens = Store::new(home.path()).list(around.now()).map_err(Failure::user)?;
    let is_for_nobody = !tokens.iter().any(|token| token.state == State::Good)
        && admission.access.issuers().is_empty();
    let here = Here::new(around, "casefile serve")?;
    let server =
        Server::new(Arc::new(here), None).map_err(|error| Failure::new(Turn::Ours, error))?;
    let idle = Duration::from_secs(serve.idle);
    let ready = |at: &str| {
        listening(at);
        if is_for_nobody {
            note("nobody has a token yet: make one with `casefile token create NAME`");
        }
    };
    hold_little_memory();
    serve_cases(&server, idle, admission, settings, ready).map_err(Failure::user)?;
    Ok(ExitCode::SUCCESS)
}

/// Says where it can be reached, for a person and for whoever started it.
fn listening(at: &str) {
    // stderr may be closed; there is nobody to tell then.
    let _ = writeln!(anstream::stderr(), "listening on {at}");
}

fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = disk::open(path).map_err(Failure::user)?;
    file.take(PEM_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::user(DiskError::io("read", path)(error)))?;
    Ok(bytes)
}
