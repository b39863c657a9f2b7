//! Attempts to reach somebody, on this host or beyond.

use super::Attempt;
use super::Control::{Anybody, OwnNamespaces, SomeKernels};

#[rustfmt::skip]
pub(super) const LIST: &[Attempt] = &[
    Attempt::works("unix-pair", "unix-pair", "two connected sockets, for one's own processes"),
    Attempt::traced("tcp-4", "tcp {tcp4}", Anybody, "TCP to a service on 127.0.0.1"),
    Attempt::traced("tcp-6", "tcp {tcp6}", Anybody, "TCP to a service on ::1"),
    Attempt::traced("tcp-at-once", "tcp-at-once {tcp4}", SomeKernels, "TCP with data in its first packet"),
    Attempt::traced("mptcp", "mptcp {tcp4}", SomeKernels, "multipath TCP, which Landlock does not see"),
    Attempt::traced("udp-4", "udp {udp4}", Anybody, "a datagram to 127.0.0.1"),
    Attempt::traced("udp-6", "udp {udp6}", Anybody, "a datagram to ::1"),
    Attempt::refused("route-metadata", "route 169.254.169.254:80", SomeKernels, "a way to the cloud's metadata"),
    Attempt::refused("route-outside", "route 192.0.2.1:53", SomeKernels, "a way to an address far away"),
    Attempt::refused("listen", "listen 127.0.0.1:0", Anybody, "listen on the host's loopback"),
    Attempt::traced("unix-abstract", "unix-abstract {abstract}", Anybody, "a socket of the host without a file"),
    Attempt::traced("unix-outside", "unix {outside}/socket", Anybody, "a socket of the host in a directory outside"),
    Attempt::traced("unix-datagram", "unix-datagram {outside}/datagrams", Anybody, "a datagram to such a one"),
    Attempt::traced("unix-pair-datagram", "unix-pair-datagram {outside}/datagrams", Anybody, "the same from a pair that is connected"),
    Attempt::traced("shown-socket", "unix {shown}/socket", Anybody, "a socket in a directory that is shown"),
    Attempt::refused("socket-raw", "socket 2 3 1", OwnNamespaces, "a raw IP socket"),
    Attempt::refused("socket-packet", "socket 17 3 0", OwnNamespaces, "a packet socket"),
    Attempt::refused("socket-inet", "socket 2 1 0", Anybody, "any IPv4 socket"),
    Attempt::refused("socket-inet-6", "socket 10 1 0", SomeKernels, "any IPv6 socket"),
    Attempt::refused("socket-route", "socket 16 3 0", Anybody, "ask the kernel about routes"),
    Attempt::refused("socket-audit", "socket 16 3 9", SomeKernels, "the kernel's audit socket"),
    Attempt::refused("socket-events", "socket 16 3 15", SomeKernels, "the kernel's device events"),
    Attempt::refused("socket-crypto", "socket 38 5 0", SomeKernels, "the kernel's cryptography (AF_ALG)"),
    Attempt::refused("socket-machine", "socket 40 1 0", SomeKernels, "the machine that this one runs on (AF_VSOCK)"),
    Attempt::refused("socket-express", "socket 44 3 0", SomeKernels, "packets past the network stack (AF_XDP)"),
    Attempt::refused("socket-others", "any-socket 3 4 5 6 7 8 9 11 12 15 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 39 41 42 43 45", SomeKernels, "a socket of any other family"),
];

/// What a policy grants that leaves a jail in the host's network.
#[rustfmt::skip]
pub(super) const HOST_GRANTS: &[(&str, &str)] = &[
    ("tcp-4", GRANTED), ("tcp-6", GRANTED), ("tcp-at-once", GRANTED), ("udp-4", GRANTED),
    ("udp-6", GRANTED), ("route-metadata", GRANTED), ("route-outside", GRANTED),
];

/// What a policy with any network cannot do without.
#[rustfmt::skip]
pub(super) const SOCKETS: &[(&str, &str)] = &[
    ("socket-inet", GRANTED), ("socket-inet-6", GRANTED), ("socket-route", GRANTED),
    ("listen", GRANTED),
];

/// What a policy grants that lets a jail have sockets with a name.
pub(super) const LOCAL_SOCKETS: &[(&str, &str)] = &[(
    "shown-socket",
    "the policy gives local sockets, and before Landlock 9 no rule tells whose",
)];

const GRANTED: &str = "the policy gives the network";
