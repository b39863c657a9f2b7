//! HTTP/1.1 as a client needs it, on one blocking socket: requests are bytes, answers
//! come whole, whether they have a length, come in chunks, or are events.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Nothing takes so long that is not lost.
const WAIT: Duration = Duration::from_secs(60);
/// An answer is no larger, and no head has more lines.
const BODY_BYTES_MAX: usize = 8 << 20;
const HEAD_LINES_MAX: usize = 100;

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
}

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) session: Option<String>,
    /// The other end closes the connection after this.
    pub(crate) is_last: bool,
    is_events: bool,
    pub(crate) body: String,
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, String> {
        let told = |error| format!("cannot connect: {error}");
        let stream = TcpStream::connect(address).map_err(told)?;
        stream.set_nodelay(true).map_err(told)?;
        stream.set_read_timeout(Some(WAIT)).map_err(told)?;
        stream.set_write_timeout(Some(WAIT)).map_err(told)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Gives up sooner than others do.
    pub(crate) fn patience(&self, most: Duration) -> Result<(), String> {
        self.socket().set_read_timeout(Some(most)).map_err(|error| error.to_string())
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.get_mut().write_all(bytes).map_err(|error| format!("cannot send: {error}"))
    }

    /// Whether the other end closes it without a word, sooner or later.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    pub(crate) fn reply(&mut self) -> Result<Reply, String> {
        let first = self.line()?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let Some(status) = status else { return Err(format!("no answer of HTTP: {first:?}")) };
        let mut reply = Reply { status, ..Reply::default() };
        let (mut length, mut is_chunked) = (0, false);
        for _ in 0..HEAD_LINES_MAX {
            let line = self.line()?;
            if line.is_empty() {
                let body = if is_chunked { self.chunks()? } else { self.exactly(length)? };
                reply.body = String::from_utf8(body).map_err(|error| error.to_string())?;
                return Ok(reply);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| format!("head: {line:?}"))?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(|_| line.clone())?,
                "transfer-encoding" => is_chunked = value == "chunked",
                "content-type" => reply.is_events = value.starts_with("text/event-stream"),
                "connection" => reply.is_last = value == "close",
                "mcp-session-id" => reply.session = Some(value.to_owned()),
                _ => {}
            }
        }
        Err("the head has no end".into())
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).map_err(|error| format!("lost: {error}"))?;
        if read == 0 {
            return Err("lost: the connection was closed".into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, String> {
        if BODY_BYTES_MAX < length {
            return Err(format!("an answer of {length} bytes"));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(|error| format!("lost: {error}"))?;
        Ok(body)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| format!("chunk {size:?}"))?;
            let chunk = self.exactly(size)?;
            let _ = self.line()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
            if BODY_BYTES_MAX < body.len() {
                return Err("an answer without an end".into());
            }
        }
    }
}

impl Reply {
    /// The message in it: all of the body, or the one event that has one.
    pub(crate) fn message(&self) -> Result<Value, String> {
        let text = if self.is_events {
            let data = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
            let mut full = data.map(str::trim).filter(|data| !data.is_empty());
            match (full.next(), full.next()) {
                (Some(one), None) => one,
                _ => return Err(format!("not one message: {}", self.body)),
            }
        } else {
            &self.body
        };
        serde_json::from_str(text).map_err(|error| format!("{error} in {} {text}", self.status))
    }
}
