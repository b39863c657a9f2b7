//! One client that means well: it speaks one of the eras, keeps its connection, and
//! looks at each answer as closely as at a proof.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::wire::{Reply, Wire};

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-06-18";
/// Whoever is told so often to wait is not served.
const WAITS_MAX: usize = 60;

/// The two ways to speak the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Sessions,
    Stateless,
}

/// Whoever has a token, and one connection.
pub(crate) struct Client {
    pub(crate) wire: Wire,
    address: SocketAddr,
    era: Era,
    bearer: Arc<str>,
    pub(crate) session: Option<String>,
    last_id: u64,
    /// How often it was told to wait, and did.
    pub(crate) waits: usize,
}

impl Client {
    /// `number` is nobody else's, and in all its ids.
    pub(crate) fn start(
        address: SocketAddr,
        bearer: &Arc<str>,
        era: Era,
        number: u64,
    ) -> Result<Self, String> {
        let wire = Wire::connect(address)?;
        let (bearer, last_id) = (bearer.clone(), number * 10_000_000);
        let mut client = Self { wire, address, era, bearer, session: None, last_id, waits: 0 };
        if era == Era::Sessions {
            let hello = json!({
                "protocolVersion": LEGACY,
                "capabilities": {},
                "clientInfo": {"name": "load", "version": "1"},
            });
            client.result("initialize", hello)?;
            if client.session.is_none() {
                return Err("no session was begun".into());
            }
            let begun = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            let request = client.request("POST", &begun.to_string(), &[]);
            match client.asked(&request)?.status {
                202 => {}
                status => return Err(format!("{status} to notifications/initialized")),
            }
        }
        Ok(client)
    }

    /// Says that it does not come back, as a good client does.
    pub(crate) fn end(mut self) -> Result<usize, String> {
        if self.session.is_some() {
            let request = self.request("DELETE", "", &[]);
            let status = self.asked(&request)?.status;
            if status != 200 {
                return Err(format!("{status} to the end of a session"));
            }
        }
        Ok(self.waits)
    }

    /// A request as it stands on the wire.
    pub(crate) fn request(&self, method: &str, body: &str, more: &[(&str, &str)]) -> Vec<u8> {
        let mut text = format!(
            "{method} /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n",
            self.bearer
        );
        if self.era == Era::Stateless {
            text += &format!("MCP-Protocol-Version: {MODERN}\r\n");
        } else if let Some(session) = &self.session {
            text += &format!("MCP-Protocol-Version: {LEGACY}\r\nMcp-Session-Id: {session}\r\n");
        }
        for (name, value) in more {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        text.into_bytes()
    }

    /// A new request of JSON-RPC, and its id.
    pub(crate) fn written(&mut self, method: &str, mut params: Value) -> (Vec<u8>, u64) {
        self.last_id += 1;
        let id = self.last_id;
        let mut more = Vec::new();
        let named = params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned);
        if self.era == Era::Stateless {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "load", "version": "1"},
            });
            more.push(("Mcp-Method", method));
            more.extend(named.as_deref().map(|named| ("Mcp-Name", named)));
        }
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        (self.request("POST", &message.to_string(), &more), id)
    }

    /// One answer to one request. Who is told to wait does, and asks again.
    fn asked(&mut self, request: &[u8]) -> Result<Reply, String> {
        for _ in 0..WAITS_MAX {
            self.wire.send(request)?;
            let reply = self.wire.reply()?;
            if reply.is_last {
                self.wire = Wire::connect(self.address)?;
            }
            if reply.status != 429 {
                return Ok(reply);
            }
            let told = reply.message()?;
            if told["error"]["data"]["code"] != "RATE_LIMITED" {
                return Err(format!("429 without RATE_LIMITED: {told}"));
            }
            let wait = told["error"]["data"]["retry_after_s"].as_u64();
            let wait = wait.ok_or_else(|| format!("no time to wait for: {told}"))?;
            std::thread::sleep(Duration::from_secs(wait));
            self.waits += 1;
        }
        Err(format!("told to wait {WAITS_MAX} times"))
    }

    /// The result of a request, which is of this very request.
    pub(crate) fn result(&mut self, method: &str, params: Value) -> Result<Value, String> {
        let (request, id) = self.written(method, params);
        let reply = self.asked(&request)?;
        if reply.status != 200 {
            return Err(format!("{} to {method}: {}", reply.status, reply.body));
        }
        let mut answer = reply.message()?;
        if answer["id"] != id {
            return Err(format!("mixed up: the answer of another to {id}: {answer}"));
        }
        if method == "initialize" {
            self.session = reply.session;
        }
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(format!("{method}: {answer}")),
        }
    }

    /// What a tool said, and whether it says that it failed.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Result<(String, bool), String> {
        let result = self.result("tools/call", json!({"name": tool, "arguments": arguments}))?;
        let text = result["content"][0]["text"].as_str();
        let text = text.ok_or_else(|| format!("{tool}: no text in {result}"))?;
        Ok((text.to_owned(), result["isError"] == true))
    }

    /// What a tool said that did what it was asked.
    pub(crate) fn good(&mut self, tool: &str, arguments: Value) -> Result<String, String> {
        match self.call(tool, arguments)? {
            (text, false) => Ok(text),
            (text, true) => Err(format!("{tool}: {text}")),
        }
    }

    /// A new case, in which nothing is yet.
    pub(crate) fn open(&mut self, title: &str) -> Result<String, String> {
        let text = self.good("open_case", json!({"title": title}))?;
        let id = text.lines().next().and_then(|line| line.strip_prefix("case"));
        id.map(|id| id.trim().to_owned()).ok_or(text)
    }
}

/// How long something took, in milliseconds.
pub(crate) fn timed<T>(act: impl FnOnce() -> T) -> (T, f32) {
    let began = Instant::now();
    let done = act();
    (done, began.elapsed().as_secs_f32() * 1e3)
}
