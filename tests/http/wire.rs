//! HTTP as it is on a socket: a server of the real program, connections to it, and what
//! comes back on them.

use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::common::World;

/// Longer than anything takes, on a machine with much else to do.
pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// A server that serves until this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) said: String,
}

impl Server {
    /// On a free port of loopback.
    pub(crate) fn start(world: &World, args: &[&str]) -> Self {
        Self::on(world, "127.0.0.1:0", args)
    }

    pub(crate) fn on(world: &World, address: &str, args: &[&str]) -> Self {
        let mut command = world.command(&[&["serve", "--listen", address], args].concat());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("listening on ") {
            let read = errors.read_line(&mut said).unwrap();
            assert!(0 < read, "it does not serve: {said}");
        }
        // What else it says is not to hold it up.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let url = said.rsplit_once("listening on ").unwrap().1.trim();
        let (_, rest) = url.split_once("://").unwrap();
        let address = rest.strip_suffix("/mcp").unwrap().parse().unwrap();
        Self { child, address, said }
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection::of(stream)
    }

    /// One request on a connection of its own.
    pub(crate) fn once(&self, request: &str) -> Reply {
        let mut connection = self.connect();
        connection.send(request);
        connection.reply()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits for its end, and says how long that took.
    pub(crate) fn ended(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, began.elapsed());
            }
            assert!(began.elapsed() < WAIT, "the server does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Two directions of bytes.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    /// What came and was not read yet.
    rest: Vec<u8>,
}

impl Connection {
    pub(crate) fn of(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), rest: Vec::new() }
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.try_send(text).unwrap();
    }

    /// Sends to one who may have had enough.
    pub(crate) fn try_send(&mut self, text: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(text.as_ref())?;
        self.stream.flush()
    }

    /// Takes in more; whether there was any.
    fn fill(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(read) => {
                self.rest.extend_from_slice(&bytes[..read]);
                0 < read
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            // With a time to wait set, the kernel does not begin again by itself.
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => panic!("{error}: after {:?}", String::from_utf8_lossy(&self.rest)),
        }
    }

    /// Bytes up to and with this.
    fn through(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end) {
                return self.rest.drain(..at + end.len()).collect();
            }
            assert!(self.fill(), "it ended after {:?}", String::from_utf8_lossy(&self.rest));
        }
    }

    fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.rest.len() < count {
            assert!(self.fill(), "it ended after {:?}", String::from_utf8_lossy(&self.rest));
        }
        self.rest.drain(..count).collect()
    }

    /// The beginning of an answer, without its body.
    pub(crate) fn head(&mut self) -> Reply {
        let head = String::from_utf8(self.through(b"\r\n\r\n")).unwrap();
        let mut lines = head.trim_end().lines();
        let first = lines.next().unwrap();
        let status = first.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("{head}"));
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        let headers = lines.map(header).collect();
        Reply { status: status[..3].parse().unwrap(), headers, body: String::new() }
    }

    /// A whole answer.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut reply = self.head();
        let body = if reply.header("transfer-encoding") == "chunked" {
            let mut body = Vec::new();
            loop {
                let chunk = self.chunk();
                if chunk.is_empty() {
                    break body;
                }
                body.extend(chunk);
            }
        } else {
            let length = reply.header("content-length").parse().unwrap_or(0);
            self.exactly(length)
        };
        reply.body = String::from_utf8(body).unwrap();
        reply
    }

    /// The next part of a body that comes in parts; the last is empty.
    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        let size = String::from_utf8(self.through(b"\r\n")).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let chunk = self.exactly(size);
        let _ = self.exactly(2);
        chunk
    }

    /// Whether the other end has closed it, with nothing more to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.rest.is_empty() && !self.fill()
    }
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(its, _)| its == name);
        found.map_or("", |(_, value)| value)
    }

    /// The message in it: all of the body, or the last event of a stream.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = match self.header("content-type") {
            "text/event-stream" => {
                let mut data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
                data.next_back().unwrap_or_else(|| panic!("{self}"))
            }
            _ => &self.body,
        };
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))?;
        f.write_str(&self.body)
    }
}
