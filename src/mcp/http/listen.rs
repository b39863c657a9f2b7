//! Where the server can be reached, and why it cannot be.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::{TcpListener, TcpSocket};

use super::Settings;
use crate::hint::Hint;

/// So many who want to be served wait for it in the kernel.
const WAITING_MAX: u32 = 1_024;
/// The port if nobody names one.
const PORT: u16 = 8811;

/// An address and a port of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(SocketAddr);

impl Default for Address {
    /// Nobody on another machine reaches it.
    fn default() -> Self {
        Self(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT))
    }
}

/// This is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address to listen on: give one such as 127.0.0.1:8811, [::1]:8811 or localhost:0"
)]
pub struct BadAddress(String);

impl Hint for BadAddress {}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(given: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(given.to_owned());
        if let Ok(address) = given.parse() {
            return Ok(Self(address));
        }
        if let Ok(ip) = given.parse::<IpAddr>() {
            return Ok(Self(SocketAddr::new(ip, PORT)));
        }
        let (host, port) = given.split_once(':').unwrap_or((given, "8811"));
        // Other names are of machines, and may lead to another one tomorrow.
        if host != "localhost" {
            return Err(bad());
        }
        let port = port.parse().map_err(|_| bad())?;
        Ok(Self(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The server could not serve over HTTP.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    #[error("the server could not begin")]
    Begin(#[source] io::Error),
    #[error("cannot listen on {address}")]
    Listen {
        address: Address,
        #[source]
        source: io::Error,
    },
    /// Tokens and evidence would cross the network for all to read.
    #[error("{address} can be reached from other machines, and there is no TLS")]
    Open { address: Address },
}

impl Hint for HttpError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Begin(_) => return None,
            Self::Listen { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "End what listens there, or choose another port with `--listen`; port 0 takes a free one."
                }
                io::ErrorKind::AddrNotAvailable => {
                    "Choose an address of this machine with `--listen`."
                }
                io::ErrorKind::PermissionDenied => "Choose a port above 1023 with `--listen`.",
                _ => return None,
            },
            Self::Open { .. } => {
                "Give `--tls-cert` and `--tls-key`, listen on 127.0.0.1, or say `--insecure` if something before it does TLS."
            }
        };
        Some(text.into())
    }
}

/// Listens where it is asked to, if that is safe.
pub(super) fn listen(settings: &Settings) -> Result<TcpListener, HttpError> {
    let address = settings.address;
    let is_near = address.0.ip().to_canonical().is_loopback();
    if !is_near && settings.tls.is_none() && !settings.is_insecure {
        return Err(HttpError::Open { address });
    }
    let listen = || {
        let socket = match address.0 {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A server that ended a moment ago is no reason not to begin.
        socket.set_reuseaddr(true)?;
        socket.bind(address.0)?;
        socket.listen(WAITING_MAX)
    };
    listen().map_err(|source| HttpError::Listen { address, source })
}

#[cfg(test)]
mod tests {
    use super::{Address, BadAddress};

    #[test]
    fn an_address_is_of_this_machine() {
        #[rustfmt::skip]
        let table = [
            // given              listened on
            ("127.0.0.1:8811",    Some("127.0.0.1:8811")),
            ("127.0.0.1",         Some("127.0.0.1:8811")),
            ("0.0.0.0:443",       Some("0.0.0.0:443")),
            ("[::1]:0",           Some("[::1]:0")),
            ("::1",               Some("[::1]:8811")),
            ("localhost",         Some("127.0.0.1:8811")),
            ("localhost:9000",    Some("127.0.0.1:9000")),
            ("localhost:90000",   None),
            ("example.com:8811",  None),
            ("8811",              None),
            ("",                  None),
        ];
        for (given, want) in table {
            let got = given.parse::<Address>().map(|address| address.to_string());
            let want = want.map(str::to_owned).ok_or_else(|| BadAddress(given.to_owned()));
            assert_eq!(got, want, "{given:?}");
        }
    }
}
