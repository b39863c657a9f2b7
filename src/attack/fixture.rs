//! What the attempts are made on: files, sockets, shared memory and a process of
//! the host, made for them and gone with them.
//!
//! All of it belongs to whom the jail runs as. So no attempt is refused just
//! because the user of the jail is a stranger, which is true of root's jails only.

#![expect(clippy::disallowed_methods, reason = "what the attempts are made on, outside of a jail")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode as FileMode;

use super::attempts::Attempt;
use super::probe;
use super::witness::{self, Witness};
use crate::jail::policy::{Mode, Mount};
use crate::jail::raw::{self, Arg};
use crate::jail::{give_to_jail, jail_user};

/// Everything on the host that an attempt can name.
#[derive(Debug)]
pub struct Fixture {
    dir: tempfile::TempDir,
    pub(super) listeners: Listeners,
    child: Child,
    token: String,
    shared_memory: SharedMemory,
    /// In the two places that every host shares among its users.
    memory_file: Option<PathBuf>,
    temporary_file: PathBuf,
    /// A directory that whoever is started inherits.
    left_open: OwnedFd,
    /// The file that attempts by number open: where it is, and that number.
    handle: Option<(i32, String)>,
    /// A variable that the caller has and the policy does not pass on.
    variable: Option<String>,
    /// Whether the jail may change the working directory.
    may_write: bool,
}

/// Whoever is connected to is heard of.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) tcp: Vec<TcpListener>,
    pub(super) udp: Vec<UdpSocket>,
    pub(super) unix: Vec<UnixListener>,
    pub(super) datagrams: UnixDatagram,
    abstract_name: String,
}

impl Fixture {
    /// Lays everything out below `temporary`. `program` is casefile itself.
    pub fn lay(
        temporary: &Path,
        program: &Path,
        variable: Option<String>,
        may_write: bool,
    ) -> io::Result<Self> {
        let open_to_all = PermissionsExt::from_mode(0o755);
        let dir = tempfile::Builder::new()
            .prefix("casefile-attack-")
            .permissions(open_to_all)
            .tempdir_in(temporary)?;
        let name = dir.path().file_name().unwrap_or_default().to_string_lossy();
        let token = format!("token-{}", name.rsplit('-').next().unwrap_or_default());
        for part in ["outside", "shown", "work"] {
            let path = dir.path().join(part);
            fs::DirBuilder::new().mode(0o755).create(&path)?;
            give_to_jail(&path)?;
        }
        let probe = dir.path().join("shown").join(probe::NAME);
        fs::copy(program, &probe)?;
        fs::set_permissions(&probe, PermissionsExt::from_mode(0o755))?;
        let outside = dir.path().join("outside");
        let listeners = Listeners::open(dir.path(), &token)?;
        let child = start_child(&probe, &outside, &token)?;
        let memory = Path::new("/dev/shm");
        let memory_file = memory.is_dir().then(|| memory.join(format!("casefile-{token}")));
        let temporary_file = Path::new("/tmp").join(format!("casefile-{token}"));
        for file in memory_file.iter().chain([&temporary_file]) {
            put(file, &token)?;
        }
        // Without O_CLOEXEC, as a careless host would.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let left_open = nix::fcntl::open(&outside, flags, FileMode::empty())?;
        let mut fixture = Self {
            listeners,
            child,
            shared_memory: SharedMemory::make()?,
            memory_file,
            temporary_file,
            left_open,
            handle: None,
            variable,
            may_write,
            token,
            dir,
        };
        fixture.refresh()?;
        Ok(fixture)
    }

    /// What the jail is to show.
    pub fn shown(&self) -> Vec<Mount> {
        let mount = |name: &str, mode| {
            let path = self.dir.path().join(name);
            Mount { from: path.clone(), to: path, mode }
        };
        let write = self.may_write.then(|| mount("work", Mode::Write));
        [mount("shown", Mode::Read)].into_iter().chain(write).collect()
    }

    /// Where commands start.
    pub fn directory(&self) -> PathBuf {
        self.dir.path().join(if self.may_write { "work" } else { "shown" })
    }

    pub(super) fn probe(&self) -> PathBuf {
        self.dir.path().join("shown").join(probe::NAME)
    }

    /// Makes everything as it was at first.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let path = |name: &str| self.dir.path().join(name);
        for name in ["outside", "shown", "work"] {
            empty(&path(name))?;
        }
        for name in ["outside/secret", "outside/other", "shown/file", "work/file"] {
            put(&path(name), &self.token)?;
        }
        fs::set_permissions(self.probe(), PermissionsExt::from_mode(0o755))?;
        give_to_jail(&self.probe())?;
        fs::create_dir(path("outside/empty"))?;
        give_to_jail(&path("outside/empty"))?;
        symlink(path("outside/secret"), path("outside/link"))?;
        symlink(path("outside/secret"), path("shown/link"))?;
        let secret = path("outside/secret");
        if self.child.try_wait()?.is_some() {
            self.child = start_child(&self.probe(), &self.dir.path().join("outside"), &self.token)?;
        }
        // What was made anew has another number.
        self.handle = handle_of(&secret).ok();
        for _ in 0..ENDS_MAX {
            let lingering = witness::lingering(&self.linger_token());
            if lingering.is_empty() {
                return Ok(());
            }
            for pid in lingering {
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// What can be seen on the host of anything that went through.
    pub(super) fn witness(&mut self, attempt: &Attempt) -> Witness {
        let alive = matches!(self.child.try_wait(), Ok(None));
        let token = attempt.line.contains("{linger}").then(|| self.linger_token());
        Witness::take(self.dir.path(), &self.listeners, alive, token.as_deref())
    }

    fn linger_token(&self) -> String {
        format!("linger-{}", self.token)
    }

    /// The words of an attempt, or what this host lacks for it.
    pub(super) fn words(&self, attempt: &Attempt) -> Result<Vec<String>, &'static str> {
        let known = self.known();
        let fill = |word: &str| {
            let mut word = word.to_owned();
            for (name, value) in &known {
                let braced = format!("{{{name}}}");
                if word.contains(&braced) {
                    word = word.replace(&braced, value.as_ref().map_err(|lack| *lack)?);
                }
            }
            Ok(word)
        };
        attempt.line.split(' ').map(fill).collect()
    }

    fn known(&self) -> BTreeMap<&'static str, Result<String, &'static str>> {
        let path = |name: &str| Ok(self.dir.path().join(name).to_string_lossy().into_owned());
        let tcp = |at: usize| {
            let listener = self.listeners.tcp.get(at).ok_or("there is no IPv6 here")?;
            Ok(listener.local_addr().map_err(|_| "it has no address")?.to_string())
        };
        let udp = |at: usize| {
            let socket = self.listeners.udp.get(at).ok_or("there is no IPv6 here")?;
            Ok(socket.local_addr().map_err(|_| "it has no address")?.to_string())
        };
        let named = |path: &Path| path.to_string_lossy().into_owned();
        let memory_file = self.memory_file.as_deref().map(named).ok_or("there is no /dev/shm");
        let handle = self.handle.as_ref().ok_or("its filesystem gives files no number");
        let variable = self.variable.clone().ok_or("the policy passes on all that there is");
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let address = address_in(self.child.id()).ok_or("its map cannot be read");
        BTreeMap::from([
            ("outside", path("outside")),
            ("shown", path("shown")),
            ("work", if self.may_write { path("work") } else { Err("nothing can be written to") }),
            ("token", Ok(self.token.clone())),
            ("linger", Ok(self.linger_token())),
            ("pid", Ok(self.child.id().to_string())),
            ("address", address),
            ("tcp4", tcp(0)),
            ("tcp6", tcp(1)),
            ("udp4", udp(0)),
            ("udp6", udp(1)),
            ("abstract", Ok(self.listeners.abstract_name.clone())),
            ("key", Ok(self.shared_memory.key.to_string())),
            ("descriptor", Ok(self.left_open.as_raw_fd().to_string())),
            ("handle-kind", handle.map(|(kind, _)| kind.to_string())),
            ("handle", handle.map(|(_, hex)| hex.clone())),
            ("memory-file", memory_file),
            ("temporary-file", Ok(named(&self.temporary_file))),
            ("variable", variable),
            ("host", host.ok_or("it has no name")),
        ])
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.refresh();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for file in self.memory_file.iter().chain([&self.temporary_file]) {
            let _ = fs::remove_file(file);
        }
    }
}

impl Listeners {
    fn open(dir: &Path, token: &str) -> io::Result<Self> {
        // A host without IPv6 has no second one.
        let both = ["127.0.0.1:0", "[::1]:0"];
        let tcp: Vec<_> = both.into_iter().flat_map(TcpListener::bind).collect();
        let udp: Vec<_> = both.into_iter().flat_map(UdpSocket::bind).collect();
        let abstract_name = format!("casefile-{token}");
        let mut unix =
            vec![UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name)?)?];
        for place in ["outside/socket", "shown/socket"] {
            unix.push(UnixListener::bind(dir.join(place))?);
            open_to_all(&dir.join(place))?;
        }
        let datagrams = UnixDatagram::bind(dir.join("outside/datagrams"))?;
        open_to_all(&dir.join("outside/datagrams"))?;
        tcp.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        udp.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        unix.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        datagrams.set_nonblocking(true)?;
        Ok(Self { tcp, udp, unix, datagrams, abstract_name })
    }
}

fn open_to_all(socket: &Path) -> io::Result<()> {
    fs::set_permissions(socket, PermissionsExt::from_mode(0o777))?;
    give_to_jail(socket)
}

/// What stays when a directory is made as it was at first.
const STAYS: &[&str] = &["socket", "datagrams", probe::NAME];

/// So many times is looked whether what lingered is gone, a millisecond apart.
const ENDS_MAX: u32 = 2_000;

fn empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if STAYS.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

fn put(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text)?;
    fs::set_permissions(file, PermissionsExt::from_mode(0o644))?;
    give_to_jail(file)
}

/// A process of the host, of the same user as those in the jail.
fn start_child(probe: &Path, directory: &Path, token: &str) -> io::Result<Child> {
    let mut command = Command::new(probe);
    command.args(["wait", token]).env_clear().env("CASEFILE_ATTACK", token);
    command.current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = jail_user() {
        command.uid(uid).gid(gid);
    }
    let child = command.spawn()?;
    // Until it lets itself be looked at.
    std::thread::sleep(Duration::from_millis(10));
    Ok(child)
}

/// Where the memory of a process begins.
fn address_in(pid: u32) -> Option<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    Some(maps.split('-').next()?.to_owned())
}

/// The number of a file in its filesystem.
fn handle_of(file: &Path) -> io::Result<(i32, String)> {
    const BYTES_MAX: u32 = 128;
    let name = std::ffi::CString::new(file.as_os_str().as_encoded_bytes())?;
    let mut bytes = [0_u8; 8 + BYTES_MAX as usize];
    bytes[..4].copy_from_slice(&BYTES_MAX.to_ne_bytes());
    let mut mount = [0_u8; 4];
    let mut args = [
        Arg::Number(libc::AT_FDCWD.into()),
        Arg::Text(&name),
        Arg::Bytes(&mut bytes),
        Arg::Bytes(&mut mount),
        Arg::Number(0),
    ];
    raw::call(libc::SYS_name_to_handle_at, &mut args)?;
    let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    let length = usize::try_from(u32::from_ne_bytes(word(0))).unwrap_or(0);
    let hex: String = bytes[8..].iter().take(length).map(|byte| format!("{byte:02x}")).collect();
    Ok((i32::from_ne_bytes(word(4)), hex))
}

/// Memory that any process of this ipc namespace finds by its key.
#[derive(Debug)]
struct SharedMemory {
    key: i64,
    id: i64,
}

impl SharedMemory {
    fn make() -> io::Result<Self> {
        let key = 0x0ca5_0000 + i64::from(std::process::id() & 0xffff);
        let flags = i64::from(libc::IPC_CREAT | 0o666);
        let mut args = [Arg::Number(key), Arg::Number(4096), Arg::Number(flags)];
        Ok(Self { key, id: raw::call(libc::SYS_shmget, &mut args)? })
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        let mut args = [Arg::Number(self.id), Arg::Number(libc::IPC_RMID.into()), Arg::Number(0)];
        let _ = raw::call(libc::SYS_shmctl, &mut args);
    }
}
