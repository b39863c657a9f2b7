//! The second wall around files: Landlock rules, made once per jail and taken on
//! by each command.
//!
//! The rules repeat what the mounts say, by other means. They hang on the jail's
//! own root directory and on the writable places in it, so that a process that
//! ended up outside that root would be allowed nothing at all.
//!
//! The warden itself stays outside: Landlock forbids mounting, and each command
//! gets a `/proc` of its own.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::sys::stat::{SFlag, fstat};

use super::policy::Network;
use super::stage::{At, Fault, Stage};
use super::sys;

/// The first interface that holds signals and abstract sockets, which a jail
/// needs that has no namespaces for them.
pub(super) const ABI_WITH_SCOPES: u32 = 6;

/// What one open place may be used for.
#[derive(Debug)]
pub(super) enum Use {
    /// Read it, list it, run what is in it.
    Read,
    /// All of that, and change it, on the host. Devices cannot be made in it.
    Write,
    /// The same, by a mount that keeps what changes in this directory of the host.
    Changes { of: OwnedFd },
    /// The same, in memory that goes with the jail.
    Scratch,
    /// Read, write and ask it things: a device or a terminal.
    Device,
    /// The same without writing.
    Source,
}

/// A place that the rules name.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) fd: OwnedFd,
    pub(super) usage: Use,
}

/// Makes the rules. `least` is the oldest interface that will do.
pub(super) fn rules(spots: &[Spot], network: Network, least: u32) -> Result<RulesetCreated, Fault> {
    let number = sys::landlock_abi().at(Stage::Landlock, "asking for its interface")?;
    if number < least {
        let old = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
        let detail = format!("interface {least} is needed and this kernel has {number}");
        return Err(Fault::new(Stage::Landlock, &old, detail));
    }
    make(spots, network, known(number)).at(Stage::Landlock, "making the rules")
}

fn make(spots: &[Spot], network: Network, abi: ABI) -> io::Result<RulesetCreated> {
    let mut ruleset = Ruleset::default()
        // Whatever this kernel has is taken in full, or the start ends here.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))
        .map_err(io::Error::other)?;
    if network == Network::None && !AccessNet::from_all(abi).is_empty() {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi)).map_err(io::Error::other)?;
    }
    if !Scope::from_all(abi).is_empty() {
        ruleset = ruleset.scope(Scope::from_all(abi)).map_err(io::Error::other)?;
    }
    let mut created = ruleset.create().map_err(io::Error::other)?;
    for spot in spots {
        let rights = rights(&spot.usage, abi, spot.fd.as_fd())?;
        created = created.add_rule(PathBeneath::new(&spot.fd, rights)).map_err(io::Error::other)?;
    }
    Ok(created)
}

/// Takes the rules on for good: this process, and all that it starts.
pub(super) fn enter(rules: &RulesetCreated) -> io::Result<()> {
    let status = rules.try_clone()?.restrict_self().map_err(io::Error::other)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
    }
}

/// Puts this process, and all that it will start, where it can send no signal to
/// those who had the rules before it.
pub(super) fn step_below() -> io::Result<()> {
    let created = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::Signal)
        .and_then(|ruleset| ruleset.create())
        .map_err(io::Error::other)?;
    match created.restrict_self().map_err(io::Error::other)?.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
    }
}

fn rights(usage: &Use, abi: ABI, fd: BorrowedFd<'_>) -> io::Result<BitFlags<AccessFs>> {
    let rights = match usage {
        Use::Read => AccessFs::from_read(abi),
        Use::Write | Use::Changes { .. } | Use::Scratch => {
            AccessFs::from_all(abi) & !(AccessFs::MakeChar | AccessFs::MakeBlock)
        }
        Use::Device => {
            (AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::IoctlDev)
                & AccessFs::from_all(abi)
        }
        Use::Source => (AccessFs::ReadFile | AccessFs::IoctlDev) & AccessFs::from_all(abi),
    };
    let kind = SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT;
    // The kernel refuses rules that give a file what only a directory can have.
    Ok(if kind == SFlag::S_IFDIR { rights } else { rights & AccessFs::from_file(abi) })
}

/// The newest interface that both the kernel and the crate know.
fn known(number: u32) -> ABI {
    match number {
        0 => ABI::Unsupported,
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        7 => ABI::V7,
        8 => ABI::V8,
        _ => ABI::V9,
    }
}
