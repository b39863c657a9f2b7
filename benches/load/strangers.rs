//! Clients that mean no good, or do not know better. Where an answer is owed to them, it
//! has to be the right one; otherwise the server has to let go of them.

use std::io::Write;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Client, Era};
use super::server::PATIENCE_S;
use super::wire::Wire;

/// So many of each are there at the same time.
pub(crate) const EACH: usize = 4;
const SENT_BYTES: usize = 10 << 20;
const BODY_BYTES: usize = 100 << 20;
const TRICKLE: Duration = Duration::from_millis(100);
/// Where the server may take so long to lose its patience, it is lost by then, on a
/// machine with much else to do.
const LET_GO_MAX: Duration = Duration::from_secs(PATIENCE_S + 20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    VanishStateless,
    VanishInSession,
    Garbage,
    HalfHead,
    HalfBody,
    LargeHead,
    WrongType,
    LargeBody,
    EndlessBody,
    Trickle,
    Silence,
}

#[rustfmt::skip]
pub(crate) const WAYS: [(Way, &str); 11] = [
    (Way::VanishStateless, "vanish in a call"),
    (Way::VanishInSession, "vanish in a call of a session"),
    (Way::Garbage,         "send garbage"),
    (Way::HalfHead,        "send half a head"),
    (Way::HalfBody,        "send half a body"),
    (Way::LargeHead,       "send a head of 10 MB"),
    (Way::WrongType,       "send what is no JSON"),
    (Way::LargeBody,       "announce a body of 100 MB"),
    (Way::EndlessBody,     "send 100 MB in chunks"),
    (Way::Trickle,         "send a byte now and then"),
    (Way::Silence,         "say nothing"),
];

/// Who they are, and what they have.
pub(crate) struct Stranger<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) bearer: Arc<str>,
    pub(crate) case: &'a str,
    /// By which their commands are known from outside.
    pub(crate) mark: &'a str,
    pub(crate) number: u64,
    pub(crate) over: &'a AtomicBool,
}

impl Stranger<'_> {
    /// Does one thing, once.
    pub(crate) fn act(&self, way: Way, nonce: u64) -> Result<(), String> {
        match way {
            Way::VanishStateless => self.vanish(Era::Stateless, nonce),
            Way::VanishInSession => self.vanish(Era::Sessions, nonce),
            Way::Garbage => self.garbage(nonce),
            Way::HalfHead => self.half(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthor"),
            Way::HalfBody => self.half(&self.head("application/json", "Content-Length: 4000")),
            Way::LargeHead => self.large_head(),
            Way::WrongType => self.wrong_type(nonce),
            Way::LargeBody => self.large_body(false),
            Way::EndlessBody => self.large_body(true),
            Way::Trickle => self.trickle(),
            Way::Silence => self.let_go(Wire::connect(self.address)?),
        }
    }

    /// Asks for what takes long, and is gone while it is done.
    fn vanish(&self, era: Era, nonce: u64) -> Result<(), String> {
        let number = self.number * 1_000 + nonce;
        let mut client = Client::start(self.address, &self.bearer, era, number)?;
        let command = format!("exec -a {} sleep 600", self.mark);
        let asked = json!({"case": self.case, "command": command});
        let (request, _) =
            client.written("tools/call", json!({"name": "shell", "arguments": asked}));
        client.wire.send(&request)?;
        // Before it began, while it does, and after.
        self.rest(Duration::from_millis(nonce * 37 % 400));
        Ok(())
    }

    fn garbage(&self, nonce: u64) -> Result<(), String> {
        let mut wire = Wire::connect(self.address)?;
        let mut seed = nonce.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut bytes = [0; 4096];
        for byte in &mut bytes {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            *byte = seed as u8;
        }
        // It may be cut off before it has said all of it.
        let _ = wire.send(&bytes);
        let _ = wire.socket().shutdown(Shutdown::Write);
        match wire.reply() {
            Ok(reply) if reply.status != 400 => Err(format!("{} to garbage", reply.status)),
            _ => Ok(()),
        }
    }

    fn half(&self, bytes: &[u8]) -> Result<(), String> {
        let mut wire = Wire::connect(self.address)?;
        wire.send(bytes)?;
        self.rest(Duration::from_millis(200));
        Ok(())
    }

    fn large_head(&self) -> Result<(), String> {
        let mut wire = Wire::connect(self.address)?;
        wire.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Large: ")?;
        let part = vec![b'a'; 64 * 1024];
        let mut sent = 0;
        while sent < SENT_BYTES && wire.send(&part).is_ok() {
            sent += part.len();
        }
        // Who still sends while the other end closes may lose what that said.
        match wire.reply() {
            Ok(reply) if reply.status != 431 => Err(format!("{} to 10 MB", reply.status)),
            Ok(_) => Ok(()),
            Err(_) if sent < SENT_BYTES => Ok(()),
            Err(error) => Err(format!("all of a head of 10 MB was taken in, then: {error}")),
        }
    }

    fn wrong_type(&self, nonce: u64) -> Result<(), String> {
        let types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];
        let mut wire = Wire::connect(self.address)?;
        let mut request = self.head(types[nonce as usize % types.len()], "Content-Length: 2");
        request.extend(b"{}");
        wire.send(&request)?;
        match wire.reply()?.status {
            // They ask more at a time than they may, and are told so.
            415 | 429 => {
                self.rest(Duration::from_millis(20));
                Ok(())
            }
            status => Err(format!("{status} to a wrong type")),
        }
    }

    fn large_body(&self, in_chunks: bool) -> Result<(), String> {
        let mut wire = Wire::connect(self.address)?;
        let length = format!("Content-Length: {BODY_BYTES}");
        let length = if in_chunks { "Transfer-Encoding: chunked" } else { &length };
        wire.send(&self.head("application/json", length))?;
        let mut part = Vec::new();
        if in_chunks {
            part.extend(b"10000\r\n");
        }
        part.resize(part.len() + 64 * 1024, b'a');
        if in_chunks {
            part.extend(b"\r\n");
        }
        let mut sent = 0;
        while sent < BODY_BYTES && wire.send(&part).is_ok() {
            sent += part.len();
        }
        if BODY_BYTES <= sent {
            return Err("all of a body of 100 MB was taken in".into());
        }
        match wire.reply() {
            Ok(reply) if ![413, 429].contains(&reply.status) => {
                Err(format!("{} to 100 MB", reply.status))
            }
            _ => Ok(()),
        }
    }

    fn trickle(&self) -> Result<(), String> {
        let wire = Wire::connect(self.address)?;
        let mut socket = wire.socket();
        let began = Instant::now();
        for byte in
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".iter().chain([b'a'].iter().cycle())
        {
            if socket.write_all(&[*byte]).is_err() || self.is_over() {
                return Ok(());
            }
            if LET_GO_MAX < began.elapsed() {
                return Err("who sends a byte now and then is never let go of".into());
            }
            std::thread::sleep(TRICKLE);
        }
        Ok(())
    }

    /// Says nothing more, and waits for the other end to close it.
    fn let_go(&self, mut wire: Wire) -> Result<(), String> {
        wire.patience(LET_GO_MAX)?;
        // Some of them go by themselves.
        if self.number.is_multiple_of(2) {
            self.rest(Duration::from_secs(PATIENCE_S / 2));
            return Ok(());
        }
        match wire.is_closed() {
            true => Ok(()),
            false => Err("who says nothing is never let go of".into()),
        }
    }

    fn head(&self, content: &str, length: &str) -> Vec<u8> {
        let text = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Accept: application/json, text/event-stream\r\nContent-Type: {content}\r\n{length}\r\n\r\n",
            self.bearer
        );
        text.into_bytes()
    }

    fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}
