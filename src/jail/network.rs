//! The network of a jail that has one of its own.

use super::policy::Network;
use super::stage::{At, Fault, Stage};
use super::sys;

/// Turns the loopback interface on, if the jail is to have it. A new network
/// namespace has no other, and that one is off.
pub(super) fn raise(network: Network) -> Result<(), Fault> {
    match network {
        Network::None | Network::Host => Ok(()),
        Network::Loopback => sys::raise_interface(c"lo").at(Stage::Loopback, "turning it on"),
    }
}
