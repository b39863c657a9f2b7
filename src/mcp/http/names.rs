//! By which names this server may be called, and for which pages a browser may call it.
//!
//! A page that somebody looks at can make a name of its own lead to this machine. A
//! browser then sends requests here, and tells in `Host` and `Origin` on whose behalf.

use std::net::IpAddr;
use std::str::FromStr;

use hyper::http::uri::{Authority, Uri};

/// The names that the configuration adds to those of loopback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// `example.com`, on any port, or `example.com:8811`.
    pub hosts: Vec<String>,
    /// `https://example.com`, with the port if it is not the usual one.
    pub origins: Vec<String>,
    /// Where clients reach it, if that is not where it listens.
    pub public: Option<Public>,
}

/// Where clients reach a server that something else stands before: scheme, host, and the
/// port if it is not the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public(String);

/// This is not where clients could reach a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a server: give one such as https://cases.example.com")]
pub struct BadPublic(String);

impl FromStr for Public {
    type Err = BadPublic;

    fn from_str(given: &str) -> Result<Self, BadPublic> {
        match origin(given) {
            Some((scheme, ..)) if is_web(&scheme) => {
                Ok(Self(given.trim_end_matches('/').to_ascii_lowercase()))
            }
            _ => Err(BadPublic(given.to_owned())),
        }
    }
}

impl Names {
    /// Whether a request to this name may be meant for this server. `local` is the
    /// address that it came to: no page has an address for a name that is not its own.
    pub(super) fn is_host(&self, given: &str, local: IpAddr) -> bool {
        let Some((host, port)) = authority(given) else { return false };
        if is_loopback(&host) || address(&host) == Some(local.to_canonical()) {
            return true;
        }
        let public = self.public.iter().filter_map(|public| public.0.split("://").nth(1));
        let allowed = self.hosts.iter().map(String::as_str).chain(public);
        allowed
            .filter_map(authority)
            .any(|allowed| allowed.0 == host && (allowed.1.is_none() || allowed.1 == port))
    }

    /// Where clients reach the server, who called it by this name.
    pub(super) fn base(&self, host: &str, is_tls: bool) -> String {
        match &self.public {
            Some(public) => public.0.clone(),
            None if is_tls => format!("https://{host}"),
            None => format!("http://{host}"),
        }
    }

    /// Whether a page of this origin may use this server.
    pub(super) fn is_origin(&self, given: &str) -> bool {
        let Some(origin) = origin(given) else { return false };
        (is_web(&origin.0) && is_loopback(&origin.1))
            || self.origins.iter().any(|allowed| self::origin(allowed).as_ref() == Some(&origin))
    }
}

/// A host in lower case, without brackets, and its port.
fn authority(given: &str) -> Option<(String, Option<u16>)> {
    let parsed: Authority = given.parse().ok()?;
    // Who is before an `@` is nobody in these headers.
    if parsed.as_str().contains('@') || parsed.host().is_empty() {
        return None;
    }
    // What stands after the host is a port, or nothing at all.
    let rest = parsed.as_str().strip_prefix(parsed.host())?;
    let port = match rest.strip_prefix(':') {
        None => None,
        Some(digits) => Some(digits.parse().ok()?),
    };
    let host = parsed.host().trim_start_matches('[').trim_end_matches(']');
    // A name may end in a dot, and is the same then.
    let host = host.strip_suffix('.').unwrap_or(host);
    Some((host.to_ascii_lowercase(), port))
}

/// Scheme, host and port of an origin.
fn origin(given: &str) -> Option<(String, String, u16)> {
    let (scheme, rest) = given.trim_end_matches('/').split_once("://")?;
    if rest.contains(['/', '?', '#']) {
        return None;
    }
    let uri: Uri = given.parse().ok()?;
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = authority(uri.authority()?.as_str())?;
    let port = match (port, scheme.as_str()) {
        (Some(port), _) => port,
        (None, "https") => 443,
        (None, "http") => 80,
        (None, _) => 0,
    };
    Some((scheme, host, port))
}

fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}

fn address(host: &str) -> Option<IpAddr> {
    host.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// Whether a name leads to this machine on every machine.
fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Names, Public};

    fn names() -> Names {
        Names {
            hosts: vec!["Cases.example.com".into(), "one.example.com:8811".into()],
            origins: vec!["https://app.example.com".into(), "http://app.example.com:3000/".into()],
            public: Some("https://Public.example.com/".parse().unwrap()),
        }
    }

    #[test]
    fn only_names_of_this_server_are_its_names() {
        let local = "192.0.2.7".parse().unwrap();
        #[rustfmt::skip]
        let table = [
            // host                      allowed
            ("localhost",                true),
            ("LOCALHOST:8811",           true),
            ("localhost.:8811",          true),
            ("app.localhost",            true),
            ("127.0.0.1:8811",           true),
            ("127.9.9.9",                true),
            ("[::1]:8811",               true),
            ("[::ffff:127.0.0.1]",       true),
            ("192.0.2.7:8811",           true),
            ("192.0.2.8:8811",           false),
            ("cases.example.com",        true),
            ("cases.example.com:1",      true),
            ("one.example.com:8811",     true),
            ("one.example.com",          false),
            ("one.example.com:8812",     false),
            ("public.example.com",       true),
            ("evil.example.com",         false),
            ("localhost.example.com",    false),
            ("127.0.0.1.example.com",    false),
            ("evil@localhost",           false),
            ("localhost:port",           false),
            ("localhost:99999",          false),
            ("localhost/evil",           false),
            ("localhost evil",           false),
            ("",                         false),
        ];
        for (host, want) in table {
            assert_eq!(names().is_host(host, local), want, "{host:?}");
        }
    }

    #[test]
    fn only_pages_of_this_machine_and_those_named_may_use_it() {
        #[rustfmt::skip]
        let table = [
            // origin                          allowed
            ("http://localhost:6274",          true),
            ("https://localhost",              true),
            ("http://127.0.0.1:3000",          true),
            ("http://[::1]:3000",              true),
            ("https://app.example.com",        true),
            ("https://app.example.com:443",    true),
            ("HTTPS://APP.example.com",        true),
            ("http://app.example.com:3000",    true),
            ("https://app.example.com:8443",   false),
            ("http://app.example.com",         false),
            ("https://example.com",            false),
            ("https://app.example.com.evil",   false),
            ("http://localhost.evil.com",      false),
            ("http://evil@localhost",          false),
            ("http://localhost/evil",          false),
            ("ftp://localhost",                false),
            ("null",                           false),
            ("localhost",                      false),
            ("",                               false),
        ];
        for (origin, want) in table {
            assert_eq!(names().is_origin(origin), want, "{origin:?}");
        }
    }

    #[test]
    fn where_clients_reach_it_is_one_server_and_no_path() {
        #[rustfmt::skip]
        let table = [
            // given                               kept
            ("https://cases.example.com",          Some("https://cases.example.com")),
            ("https://Cases.example.com:8443/",    Some("https://cases.example.com:8443")),
            ("http://10.0.0.1",                    Some("http://10.0.0.1")),
            ("https://cases.example.com/mcp",      None),
            ("cases.example.com",                  None),
            ("ftp://cases.example.com",            None),
            ("https://a\" b",                      None),
            ("",                                   None),
        ];
        for (given, want) in table {
            let got = given.parse::<Public>().ok().map(|public| public.0);
            assert_eq!(got.as_deref(), want, "{given:?}");
        }
        assert_eq!(names().base("localhost:1", false), "https://public.example.com");
        assert_eq!(Names::default().base("localhost:1", false), "http://localhost:1");
        assert_eq!(Names::default().base("localhost:1", true), "https://localhost:1");
    }
}
