//! What the host sees of an attempt that went through, whatever the probe says.

#![expect(clippy::disallowed_methods, reason = "looks at what an attempt may have changed")]

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::unistd::Pid;

use super::fixture::Listeners;

/// The state of everything that attempts are made on. Two that are equal say
/// that nothing happened in between.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Witness {
    /// A line for each file outside and each that is shown to be read.
    files: Vec<String>,
    /// Set-id files and devices where the jail may write.
    planted: Vec<String>,
    /// Who was connected to, and how often, since the last look.
    contacts: usize,
    child_alive: bool,
    lingering: usize,
}

impl Witness {
    pub(super) fn take(
        dir: &Path,
        listeners: &Listeners,
        child_alive: bool,
        token: Option<&str>,
    ) -> Self {
        Self {
            files: ["outside", "shown"].iter().flat_map(|name| lines(&dir.join(name))).collect(),
            planted: planted(&dir.join("work")),
            contacts: contacts(listeners),
            child_alive,
            lingering: token.map_or(0, |token| lingering(token).len()),
        }
    }
}

/// Everything about a directory and what is in it but when it was last read.
fn lines(dir: &Path) -> Vec<String> {
    let mut lines = vec![line(dir)];
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        lines.push(line(&entry.path()));
    }
    lines.sort();
    lines
}

fn line(path: &Path) -> String {
    let Ok(about) = path.symlink_metadata() else { return format!("{} is gone", path.display()) };
    format!(
        "{} {} {:o} {}:{} {} {} {}.{} {}.{}",
        path.display(),
        about.ino(),
        about.mode(),
        about.uid(),
        about.gid(),
        about.nlink(),
        about.size(),
        about.mtime(),
        about.mtime_nsec(),
        // Nobody can set this one, so it tells of modes and attributes too.
        about.ctime(),
        about.ctime_nsec(),
    )
}

fn planted(dir: &Path) -> Vec<String> {
    let mut planted = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(about) = entry.metadata() else { continue };
        let kind = about.file_type();
        if about.mode() & 0o6000 != 0 || kind.is_char_device() || kind.is_block_device() {
            planted.push(line(&entry.path()));
        }
    }
    planted.sort();
    planted
}

fn contacts(listeners: &Listeners) -> usize {
    let Listeners { tcp, udp, unix, datagrams, .. } = listeners;
    let tcp: usize = tcp.iter().map(|one| std::iter::from_fn(|| one.accept().ok()).count()).sum();
    let unix: usize = unix.iter().map(|one| std::iter::from_fn(|| one.accept().ok()).count()).sum();
    let mut byte = [0];
    let mut more = 0;
    for socket in udp {
        more += std::iter::from_fn(|| socket.recv(&mut byte).ok()).count();
    }
    more += std::iter::from_fn(|| datagrams.recv(&mut byte).ok()).count();
    tcp + unix + more
}

/// The processes that carry this token on their command line.
pub(super) fn lingering(token: &str) -> Vec<Pid> {
    let carries = |pid: &str| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.windows(token.len()).any(|part| part == token.as_bytes()))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| carries(name))
        .filter_map(|name| name.parse().ok())
        .map(Pid::from_raw)
        .collect()
}
