//! A client: lines of JSON to the real program and back, and nothing that would hide
//! what is on them.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::World;

/// Longer than anything takes, on a machine with much else to do.
const WAIT: Duration = Duration::from_secs(60);

/// The versions that begin with `initialize`, and the one that does not.
pub(crate) const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
pub(crate) const MODERN: &str = "2026-07-28";

/// A server and the streams to it.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What came and was not waited for.
    unread: VecDeque<Value>,
    version: &'static str,
    last_id: u64,
}

/// What a tool said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

impl Client {
    /// A server in the working directory of a world, and the first words to it.
    pub(crate) fn start(world: &World, args: &[&str], version: &'static str) -> Self {
        let mut command = world.command(&[&["mcp"], args].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        Self::of(command.spawn().unwrap(), version)
    }

    pub(crate) fn of(mut child: Child, version: &'static str) -> Self {
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                if sender.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut client = Self { child, stdin, lines, unread: VecDeque::new(), version, last_id: 0 };
        if version != MODERN {
            let result = client.result("initialize", client.hello());
            assert_eq!(result["protocolVersion"], version);
            client.notify("notifications/initialized", json!({}));
        }
        client
    }

    pub(crate) fn hello(&self) -> Value {
        json!({
            "protocolVersion": self.version,
            "capabilities": {},
            "clientInfo": {"name": "a-test", "version": "1"},
        })
    }

    /// Sends a line as it stands.
    pub(crate) fn line(&mut self, line: &str) {
        self.bytes(format!("{line}\n").as_bytes());
    }

    /// Sends what need not even be a line.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.line(&message.to_string());
    }

    /// Asks without waiting; the id of the request.
    pub(crate) fn ask(&mut self, method: &str, mut params: Value) -> u64 {
        self.last_id += 1;
        if self.version == MODERN {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
            params["_meta"]["io.modelcontextprotocol/clientInfo"] =
                json!({"name": "a-test", "version": "1"});
        }
        let id = self.last_id;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.line(&message.to_string());
        id
    }

    /// The next message, whatever it is; nothing, if none came in time or none will.
    pub(crate) fn next(&mut self, within: Duration) -> Option<Value> {
        match self.lines.recv_timeout(within) {
            Ok(line) => {
                let message: Value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("{error}: on stdout was {line:?}"));
                assert_eq!(message["jsonrpc"], "2.0", "{line}");
                Some(message)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The answer to a request, whole.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.unread.iter().position(|message| message["id"] == id) {
            return self.unread.remove(at).unwrap();
        }
        let deadline = Instant::now() + WAIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.next(left).unwrap_or_else(|| panic!("no answer to {id}"));
            if message["id"] == id {
                return message;
            }
            self.unread.push_back(message);
        }
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id)
    }

    /// The result of a request that is expected to have one.
    #[track_caller]
    pub(crate) fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// What a tool says.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Said {
        let id = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        self.said(id)
    }

    #[track_caller]
    pub(crate) fn said(&mut self, id: u64) -> Said {
        let answer = self.answer(id);
        let result = &answer["result"];
        assert!(result.get("structuredContent").is_none(), "{answer}");
        let content = result["content"].as_array().unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(content.len(), 1, "{answer}");
        assert_eq!(content[0]["type"], "text", "{answer}");
        let text = content[0]["text"].as_str().unwrap().to_owned();
        Said { text, is_error: result["isError"] == true }
    }

    /// What a tool says that is expected to go well.
    #[track_caller]
    pub(crate) fn good(&mut self, tool: &str, arguments: Value) -> String {
        let said = self.call(tool, arguments);
        assert!(!said.is_error, "{tool}: {}", said.text);
        said.text
    }

    /// What a tool says that is expected to fail.
    #[track_caller]
    pub(crate) fn bad(&mut self, tool: &str, arguments: Value) -> String {
        let said = self.call(tool, arguments);
        assert!(said.is_error, "{tool}: {}", said.text);
        said.text
    }

    /// Opens a case, and has its id.
    #[track_caller]
    pub(crate) fn open(&mut self) -> String {
        let text = self.good("open_case", json!({"title": "Checkout 5xx", "repos": ["app"]}));
        let line = text.lines().next().unwrap_or_default();
        line.strip_prefix("case ").unwrap_or_else(|| panic!("{text}")).trim().to_owned()
    }

    pub(crate) fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.id().cast_signed())
    }

    /// What came and was not an answer that was waited for.
    pub(crate) fn unread(&self) -> impl Iterator<Item = &Value> {
        self.unread.iter()
    }

    /// Closes its input, as a client does that goes.
    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
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

impl Drop for Client {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
