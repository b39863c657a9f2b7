//! `serve:`, what `casefile serve` is to be: whose tokens it takes besides casefile's own,
//! by which names it may be called, how much each may ask.

use std::path::{Path, PathBuf};

use super::Given;
use super::raw::{RawIssuer, RawServe};
use super::settings::{Setting, Source, path_of};
use crate::yaml::{Located, Placed};

/// How a server is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serve {
    pub issuers: Vec<Setting<Issuer>>,
    pub allowed_hosts: Vec<Setting<String>>,
    pub allowed_origins: Vec<Setting<String>>,
    /// Requests that one may make in a second.
    pub rate: Option<Setting<u32>>,
}

/// One whose tokens are taken: an authorization server, in the words of OAuth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// As its tokens name it.
    pub issuer: String,
    /// For whom its tokens have to be.
    pub audience: String,
    pub jwks: Jwks,
    /// The claim with the scopes; without one, `scope` and `scp`.
    pub scope_claim: Option<String>,
    /// The claim that names the cases that a bearer sees besides its own.
    pub cases_claim: Option<String>,
}

/// Where the public keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jwks {
    File(PathBuf),
    Url(String),
}

/// So many of each are looked through for each request.
const LIST_MAX: usize = 32;
/// None of these texts is longer.
const TEXT_BYTES_MAX: usize = 1_024;
/// What one may be let ask in a second.
pub const RATE_MAX: u32 = 100_000;

impl Serve {
    pub(super) fn of(
        raw: RawServe,
        file: &Path,
        beside: &Path,
        given: &Given,
    ) -> Result<Self, Located> {
        let set = |at| Source::File { file: file.into(), at };
        let texts = |key: &str, list: Option<Vec<Placed<String>>>| {
            let list = list.unwrap_or_default();
            few(key, &list, |text| text.at, file)?;
            let checked = |text: Placed<String>| {
                let source = set(text.at);
                Ok(Setting { value: plain(key, text, file)?, source })
            };
            list.into_iter().map(checked).collect::<Result<Vec<_>, Located>>()
        };
        let allowed_hosts = texts("serve.allowed_hosts", raw.allowed_hosts)?;
        let allowed_origins = texts("serve.allowed_origins", raw.allowed_origins)?;
        let rate = raw.rate.map(|rate| {
            let value = u32::try_from(rate.value).ok();
            match value.filter(|value| (1..=RATE_MAX).contains(value)) {
                Some(value) => Ok(Setting { value, source: set(rate.at) }),
                None => {
                    let why = format!("`rate` must be from 1 to {RATE_MAX}, not {}", rate.value);
                    Err(Located::at(file, rate.at, why))
                }
            }
        });
        let raw_issuers = raw.issuers.unwrap_or_default();
        few("serve.issuers", &raw_issuers, |issuer| issuer.at, file)?;
        let mut issuers: Vec<Setting<Issuer>> = Vec::new();
        for Placed { value, at } in raw_issuers {
            let value = issuer(value, file, beside, given)?;
            if issuers.iter().any(|other| other.value.issuer == value.issuer) {
                let why = format!("`{}` is there twice", value.issuer);
                return Err(Located::at(file, at, why));
            }
            issuers.push(Setting { value, source: set(at) });
        }
        Ok(Self { issuers, allowed_hosts, allowed_origins, rate: rate.transpose()? })
    }
}

fn issuer(raw: RawIssuer, file: &Path, beside: &Path, given: &Given) -> Result<Issuer, Located> {
    let at = raw.issuer.at;
    let name = plain("issuer", raw.issuer, file)?;
    // What follows it in the key of a bearer begins with one.
    if name.contains('#') {
        let why = "`issuer` is an address without a `#`, as the tokens name it";
        return Err(Located::at(file, at, why));
    }
    let claim =
        |key, claim: Option<Placed<String>>| claim.map(|claim| plain(key, claim, file)).transpose();
    let jwks = match raw.jwks.value.split_once("://") {
        None => Jwks::File(path_of("jwks", "file", &raw.jwks, file, beside, given)?),
        Some(_) => {
            let at = raw.jwks.at;
            let url = plain("jwks", raw.jwks, file)?;
            if !is_safe(&url) {
                let why = "`jwks` must be a file, or an address that begins with `https://`";
                return Err(Located::at(file, at, why)
                    .hint("Only an address of this machine, such as `http://127.0.0.1:8080/keys`, may do without TLS."));
            }
            Jwks::Url(url)
        }
    };
    Ok(Issuer {
        issuer: name,
        audience: plain("audience", raw.audience, file)?,
        jwks,
        scope_claim: claim("scope_claim", raw.scope_claim)?,
        cases_claim: claim("cases_claim", raw.cases_claim)?,
    })
}

/// Whether nobody on the way can change what comes from there.
fn is_safe(url: &str) -> bool {
    let host = |rest: &str| -> Option<String> {
        let authority = rest.split(['/', '?', '#']).next()?;
        // Who is before an `@` has no business here, and hides where it leads.
        let is_plain = !authority.is_empty() && !authority.contains(['@', '\\']);
        is_plain.then(|| authority.to_owned())
    };
    if let Some(rest) = url.strip_prefix("https://") {
        return host(rest).is_some();
    }
    let Some(authority) = url.strip_prefix("http://").and_then(host) else { return false };
    let without_port = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => &authority,
    };
    ["127.0.0.1", "[::1]", "localhost"].contains(&without_port)
}

/// A text of one line that says something.
fn plain(key: &str, text: Placed<String>, file: &Path) -> Result<String, Located> {
    let value = text.value;
    let is_odd = |c: char| c.is_control() || c.is_whitespace();
    if value.is_empty() || TEXT_BYTES_MAX < value.len() || value.chars().any(is_odd) {
        let why = format!("`{key}` must be one word of at most {TEXT_BYTES_MAX} bytes");
        return Err(Located::at(file, text.at, why));
    }
    Ok(value)
}

fn few<T>(
    key: &str,
    list: &[T],
    at: impl Fn(&T) -> crate::yaml::Place,
    file: &Path,
) -> Result<(), Located> {
    match list.get(LIST_MAX) {
        None => Ok(()),
        Some(more) => {
            let why = format!("`{key}` holds at most {LIST_MAX}");
            Err(Located::at(file, at(more), why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::{Given, Issuer, Jwks, is_safe};

    fn settings(text: &str) -> Result<Settings, String> {
        let given = Given { working_directory: "/somewhere".into(), ..Given::default() };
        let settings =
            Settings::of_bytes("/somewhere/casefile.yaml".into(), text.as_bytes(), &given);
        settings.map_err(|error| error.to_string())
    }

    const WHOLE: &str = "\
serve:
  issuers:
    - issuer: https://login.example.com/
      audience: https://cases.example.com/mcp
      jwks: keys.json
      cases_claim: cases
  allowed_hosts: [cases.example.com]
  rate: 50
";

    #[test]
    fn a_server_is_what_the_file_says() {
        let settings = settings(WHOLE).unwrap();
        let serve = settings.serve();
        assert_eq!(
            serve.issuers[0].value,
            Issuer {
                issuer: "https://login.example.com/".into(),
                audience: "https://cases.example.com/mcp".into(),
                jwks: Jwks::File("/somewhere/keys.json".into()),
                scope_claim: None,
                cases_claim: Some("cases".into()),
            }
        );
        assert_eq!(serve.issuers[0].source.to_string(), "/somewhere/casefile.yaml:3");
        assert_eq!(serve.allowed_hosts[0].value, "cases.example.com");
        assert_eq!(serve.rate.as_ref().map(|rate| rate.value), Some(50));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        #[rustfmt::skip]
        let table = [
            // instead of                 what is written                 what is said
            ("rate: 50",                  "rate: 0",                      "8:9: `rate` must be from 1 to 100000, not 0"),
            ("rate: 50",                  "rate: 100001",                 "8:9: `rate` must be from 1 to 100000, not 100001"),
            ("jwks: keys.json",           "jwks: http://example.com/k",   "5:13: `jwks` must be a file, or an address"),
            ("jwks: keys.json",           "jwks: ftp://example.com/k",    "5:13: `jwks` must be a file, or an address"),
            ("      jwks: keys.json\n",   "",                             "`jwks` is missing"),
            ("audience: https",           "audience: \"\" # https",       "4:17: `audience` must be one word"),
            ("audience:",                 "audiences:",                   "4:7: unknown key `audiences`"),
            ("login.example.com/",        "login.example.com/#x",         "3:15: `issuer` is an address without a `#`"),
            ("[cases.example.com]",       "[\"a b\"]",                    "7:19: `serve.allowed_hosts` must be one word"),
            ("  allowed_hosts",           "    - {issuer: \"https://login.example.com/\", audience: x, jwks: k}\n  allowed_hosts",
                                                                          "7:7: `https://login.example.com/` is there twice"),
        ];
        for (from, to, want) in table {
            let got = settings(&WHOLE.replacen(from, to, 1)).unwrap_err();
            assert!(got.contains(want), "{to:?} gave {got:?}");
        }
    }

    #[test]
    fn only_this_machine_may_do_without_tls() {
        #[rustfmt::skip]
        let table = [
            ("https://login.example.com/keys",   true),
            ("http://127.0.0.1:8080/keys",       true),
            ("http://[::1]:8080/keys",           true),
            ("http://localhost/keys",            true),
            ("http://127.0.0.1.example.com/",    false),
            ("http://127.0.0.1@example.com/",    false),
            ("http://localhost.example.com",     false),
            ("http://example.com/127.0.0.1",     false),
            ("https://me@example.com/",          false),
            ("https:///keys",                    false),
            ("file:///keys",                     false),
        ];
        for (url, want) in table {
            assert_eq!(is_safe(url), want, "{url}");
        }
    }
}
