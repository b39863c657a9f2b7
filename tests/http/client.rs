//! A client with a token, of any version of the protocol, and nothing that would hide
//! what is on the wire.

use serde_json::{Value, json};

use crate::common::World;
use crate::wire::{Connection, Reply, Server};

/// The versions that begin with `initialize`, and the one that does not.
pub(crate) const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
pub(crate) const MODERN: &str = "2026-07-28";

/// Makes a token.
#[track_caller]
pub(crate) fn token(world: &World, args: &[&str]) -> String {
    let made = world.run(&[&["token", "create"], args].concat()).success();
    made.stdout.lines().next().unwrap().trim().to_owned()
}

/// A request as text, with the headers that all of them have.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text + "\r\n" + body
}

/// One who has a token and a connection.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    bearer: String,
    version: &'static str,
    pub(crate) session: Option<String>,
    last_id: u64,
}

impl Client {
    /// Says the first words, if there are any.
    #[track_caller]
    pub(crate) fn start(server: &Server, token: &str, version: &'static str) -> Self {
        Self::of(server.connect(), token, version)
    }

    #[track_caller]
    pub(crate) fn of(connection: Connection, token: &str, version: &'static str) -> Self {
        let bearer = format!("Bearer {token}");
        let mut client = Self { connection, bearer, version, session: None, last_id: 0 };
        if version == MODERN {
            return client;
        }
        let hello = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "a-test", "version": "1"},
        });
        client.ask("initialize", hello);
        let reply = client.connection.reply();
        assert_eq!(reply.json()["result"]["protocolVersion"], version, "{reply}");
        client.session = Some(reply.header("mcp-session-id").to_owned());
        assert_eq!(client.notify("notifications/initialized", json!({})).status, 202);
        client
    }

    /// One more connection of the same client.
    pub(crate) fn beside(&self, server: &Server) -> Self {
        Self {
            connection: server.connect(),
            bearer: self.bearer.clone(),
            version: self.version,
            session: self.session.clone(),
            last_id: self.last_id + 1_000,
        }
    }

    /// The headers of a request, and what else it has.
    pub(crate) fn headers<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut headers = vec![
            ("Authorization", self.bearer.as_str()),
            ("Accept", "application/json, text/event-stream"),
        ];
        // The first words come without it.
        if self.version == MODERN || self.session.is_some() {
            headers.push(("MCP-Protocol-Version", self.version));
        }
        headers.extend(self.session.as_deref().map(|id| ("Mcp-Session-Id", id)));
        headers.extend(more);
        headers
    }

    fn post(&self, message: &Value, more: &[(&str, &str)]) -> String {
        let more = [&[("Content-Type", "application/json")], more].concat();
        request("POST", "/mcp", &self.headers(&more), &message.to_string())
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) -> Reply {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        let request = self.post(&message, &[]);
        self.connection.send(request);
        self.connection.reply()
    }

    /// A request as it stands on the wire, and its id.
    pub(crate) fn written(&mut self, method: &str, mut params: Value) -> (String, u64) {
        self.last_id += 1;
        let name = params["name"].as_str().map(str::to_owned);
        let mut more = Vec::new();
        if self.version == MODERN {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
            params["_meta"]["io.modelcontextprotocol/clientInfo"] =
                json!({"name": "a-test", "version": "1"});
            more.push(("Mcp-Method", method));
            more.extend(name.as_deref().map(|name| ("Mcp-Name", name)));
        }
        let id = self.last_id;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        (self.post(&message, &more), id)
    }

    /// Asks without waiting; the id of the request.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> u64 {
        let (request, id) = self.written(method, params);
        self.connection.send(request);
        id
    }

    /// The answer, whatever it is.
    pub(crate) fn reply(&mut self, method: &str, params: Value) -> Reply {
        self.ask(method, params);
        self.connection.reply()
    }

    /// The result of a request that is expected to have one.
    #[track_caller]
    pub(crate) fn result(&mut self, method: &str, params: Value) -> Value {
        let reply = self.reply(method, params);
        assert_eq!(reply.status, 200, "{reply}");
        let answer = reply.json();
        assert_eq!(answer["id"], self.last_id, "{reply}");
        assert!(answer.get("error").is_none(), "{reply}");
        answer["result"].clone()
    }

    /// What a tool says, and whether that is an error.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> (String, bool) {
        said(&self.result("tools/call", json!({"name": tool, "arguments": arguments})))
    }

    #[track_caller]
    pub(crate) fn good(&mut self, tool: &str, arguments: Value) -> String {
        let (text, is_error) = self.call(tool, arguments);
        assert!(!is_error, "{tool}: {text}");
        text
    }

    /// Opens a case, and has its id.
    #[track_caller]
    pub(crate) fn open(&mut self) -> String {
        let text = self.good("open_case", json!({"title": "Checkout 5xx", "repos": ["app"]}));
        let line = text.lines().next().unwrap_or_default();
        line.strip_prefix("case ").unwrap_or_else(|| panic!("{text}")).trim().to_owned()
    }
}

/// The text of a result, and whether it is an error.
#[track_caller]
pub(crate) fn said(result: &Value) -> (String, bool) {
    assert!(result.get("structuredContent").is_none(), "{result}");
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result}"));
    (text.to_owned(), result["isError"] == true)
}
