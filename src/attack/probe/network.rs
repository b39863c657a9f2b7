//! Attempts to reach somebody: sockets of every kind, by every road.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixStream};
use std::time::Duration;

use super::{Obstacle, Tried, number};
use crate::jail::raw::{self, Arg};

/// Makes the attempt, if its verb is one on sockets.
pub(super) fn attempt(verb: &str, objects: &[&str]) -> Option<Tried> {
    Some(match (verb, objects) {
        ("socket", [family, kind, protocol]) => {
            socket(family, kind, protocol).map(|_| String::new())
        }
        ("any-socket", families) => any_socket(families),
        ("tcp", [address]) => address_and(address, |address| {
            TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
            Ok(String::new())
        }),
        ("mptcp", [address]) => address_and(address, |address| {
            let socket = socket("2", "1", "262")?;
            let mut name = bytes_of(address);
            let length = i64::try_from(name.len()).unwrap_or(0);
            let mut args = [Arg::Number(socket), Arg::Bytes(&mut name), Arg::Number(length)];
            raw::call(libc::SYS_connect, &mut args)?;
            Ok(String::new())
        }),
        ("tcp-at-once", [address]) => address_and(address, |address| {
            let socket = socket("2", "1", "0")?;
            let mut name = bytes_of(address);
            let length = i64::try_from(name.len()).unwrap_or(0);
            let mut args = [
                Arg::Number(socket),
                Arg::Bytes(&mut [b'x']),
                Arg::Number(1),
                Arg::Number(libc::MSG_FASTOPEN.into()),
                Arg::Bytes(&mut name),
                Arg::Number(length),
            ];
            raw::call(libc::SYS_sendto, &mut args)?;
            Ok(String::new())
        }),
        ("udp", [address]) => address_and(address, |address| {
            from_anywhere(address)?.send_to(b"x", address)?;
            Ok(String::new())
        }),
        // Asks for a way there, and sends nothing.
        ("route", [address]) => address_and(address, |address| {
            from_anywhere(address)?.connect(address)?;
            Ok(String::new())
        }),
        ("listen", [address]) => address_and(address, |address| {
            std::net::TcpListener::bind(address)?;
            Ok(String::new())
        }),
        ("unix", [path]) => UnixStream::connect(path).map(|_| String::new()).map_err(Into::into),
        ("unix-abstract", [name]) => abstract_name(name),
        ("unix-datagram", [path]) => UnixDatagram::unbound()
            .and_then(|socket| socket.send_to(b"x", path))
            .map(bytes)
            .map_err(Into::into),
        ("unix-pair-datagram", [path]) => UnixDatagram::pair()
            .and_then(|(socket, _)| socket.send_to(b"x", path))
            .map(bytes)
            .map_err(Into::into),
        ("unix-pair", []) => UnixStream::pair().map(|_| String::new()).map_err(Into::into),
        _ => return None,
    })
}

fn bytes(length: usize) -> String {
    format!("{length} bytes")
}

fn address_and(word: &str, then: impl FnOnce(SocketAddr) -> Tried) -> Tried {
    match word.parse() {
        Ok(address) => then(address),
        Err(_) => Err(Obstacle::Broken(format!("`{word}` is no address"))),
    }
}

fn from_anywhere(to: SocketAddr) -> std::io::Result<UdpSocket> {
    UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })
}

fn socket(family: &str, kind: &str, protocol: &str) -> Result<i64, Obstacle> {
    let mut args = [number(family)?, number(kind)?, number(protocol)?].map(Arg::Number);
    Ok(raw::call(libc::SYS_socket, &mut args)?)
}

/// A socket of any of these families, of any kind.
fn any_socket(families: &[&str]) -> Tried {
    let mut last = Obstacle::Broken("no family was named".into());
    for family in families {
        for kind in ["1", "2", "3", "5"] {
            match socket(family, kind, "0") {
                Ok(socket) => return Ok(format!("family {family}, descriptor {socket}")),
                Err(obstacle) => last = obstacle,
            }
        }
    }
    Err(last)
}

fn abstract_name(name: &str) -> Tried {
    let address = UnixAddr::from_abstract_name(name)?;
    UnixStream::connect_addr(&address)?;
    Ok(String::new())
}

/// A `sockaddr_in`.
fn bytes_of(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(address) = address else { return Vec::new() };
    let family = u16::try_from(libc::AF_INET).unwrap_or(0).to_ne_bytes();
    [&family[..], &address.port().to_be_bytes(), &address.ip().octets(), &[0; 8]].concat()
}
