//! The gate and what stands behind it, with cases that break down or wait, and connections
//! that end when a test says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::super::broken::Broken;
use super::super::catalogue::{CORE, Does, ReadsOnly};
use super::super::errors::Code;
use super::super::server::{CALLS_MAX, Server};
use super::{Admission, PATH, Reception, Settings};
use crate::access::{Access, token_for_tests};
use crate::tools::Stop;

const MODERN: &str = "2026-07-28";
/// Longer than anything takes.
const WAIT: Duration = Duration::from_secs(60);

/// A server, and two who may ask it: one only to look.
struct Ground {
    home: tempfile::TempDir,
    cases: Arc<Broken>,
    server: Server,
    reception: Reception<Server>,
    writer: String,
    reader: String,
}

fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Ground {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let token = |name: &str, may_write, byte| {
            token_for_tests(home.path(), name, may_write, byte).reveal().to_owned()
        };
        let (writer, reader) = (token("writer", true, 1), token("reader", false, 2));
        let cases = Arc::new(Broken::new());
        let server = Server::new(cases.clone(), None).unwrap();
        let admission = Admission { access: Access::new(home.path()), clock: now };
        let reception = Reception::new(server.clone(), admission, Settings::default());
        Self { home, cases, server, reception, writer, reader }
    }

    fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(64 * 1024);
        let local = "127.0.0.1:8811".parse().unwrap();
        let reception = self.reception.clone();
        tokio::spawn(async move { reception.speak(far, local).await });
        near
    }

    /// Sends a request, after which nothing more is asked.
    async fn sent(&self, bearer: &str, headers: &str, message: &Value) -> DuplexStream {
        let mut near = self.connect();
        let body = message.to_string();
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n\
             Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        near.write_all(request.as_bytes()).await.unwrap();
        near
    }

    /// The same in the newest version.
    async fn asked(&self, bearer: &str, method: &str, name: &str, params: Value) -> DuplexStream {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "a-test", "version": "1"},
        });
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let headers = format!(
            "Connection: close\r\nMCP-Protocol-Version: {MODERN}\r\nMcp-Method: {method}\r\nMcp-Name: {name}\r\n"
        );
        self.sent(bearer, &headers, &message).await
    }

    async fn called(&self, bearer: &str, tool: &str, arguments: Value) -> String {
        let params = json!({"name": tool, "arguments": arguments});
        answer(self.asked(bearer, "tools/call", tool, params).await).await
    }
}

/// All that comes back.
async fn answer(mut near: DuplexStream) -> String {
    let mut text = String::new();
    timeout(WAIT, near.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

#[test]
fn a_call_that_breaks_down_is_an_answer_to_it_and_others_go_on() {
    runtime().block_on(async {
        let ground = Ground::new();
        let look = json!({"case": "No Id", "path": "a"});
        for _ in 0..3 {
            let broken = ground.called(&ground.writer, "read_file", look.clone()).await;
            assert!(broken.starts_with("HTTP/1.1 200 "), "{broken}");
            assert!(broken.contains("casefile broke down while it did `read_file`"), "{broken}");
            assert!(broken.contains("\"isError\":true"), "{broken}");
        }
        let good = ground.called(&ground.writer, "open_case", json!({})).await;
        assert!(good.contains("opened"), "{good}");
    });
}

#[test]
fn one_who_goes_away_while_a_session_begins_has_it_counted_all_the_same() {
    runtime().block_on(async {
        let ground = Ground::new();
        let hello = json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "a-test", "version": "1"},
            },
        });
        for _ in 0..40 {
            let before = ground.reception.gate.sessions.counts().await.0;
            let near = ground.sent(&ground.writer, "", &hello).await;
            // It goes at the moment at which there is a session, and before it is told so.
            let begun = async {
                while ground.reception.gate.sessions.counts().await.0 == before {
                    tokio::task::yield_now().await;
                }
            };
            timeout(WAIT, begun).await.unwrap();
            drop(near);
        }
        let close = "Connection: close\r\n";
        let stays = answer(ground.sent(&ground.writer, close, &hello).await).await;
        assert!(stays.contains("mcp-session-id"), "{stays}");
        // Whoever is still at the door comes in, or does not; nobody is in who is nobody's.
        let settled = async {
            while ground.reception.gate.sessions.counts().await != (41, 41) {
                tokio::task::yield_now().await;
            }
        };
        let settled = timeout(WAIT, settled).await;
        assert!(settled.is_ok(), "{:?}", ground.reception.gate.sessions.counts().await);
    });
}

#[test]
fn what_one_reads_does_not_take_every_place_there_is() {
    let (runtime, ground) = (runtime(), Ground::new());
    let uri = "casefile://case/checkout-5xx-k7f2qa/journal";
    let held = ground.cases.held.lock().unwrap();
    let (waiting, other) = runtime.block_on(async {
        let mut waiting = Vec::new();
        for _ in 0..CALLS_MAX + 8 {
            let read = ground.asked(&ground.reader, "resources/read", uri, json!({"uri": uri}));
            waiting.push(read.await);
        }
        // Until all have begun that can.
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let readers = ground.cases.readers.load(Ordering::SeqCst);
            if 0 < readers && readers == before {
                break;
            }
            before = readers;
        }
        let other = ground.called(&ground.writer, "open_case", json!({}));
        (waiting, timeout(Duration::from_secs(10), other).await)
    });
    drop(held);
    assert!(other.is_ok_and(|text| text.contains("opened")), "others had no place");
    runtime.block_on(async {
        for near in waiting {
            let read = answer(near).await;
            assert!(read.contains("nothing"), "{read}");
        }
    });
}

#[test]
fn the_handler_asks_by_itself_what_one_may_who_only_looks() {
    let ground = Ground::new();
    let access = Access::new(ground.home.path());
    let admit = |token: &str| access.admit(token, now()).unwrap();
    let reader = ground.server.work.as_seen_by(Some(admit(&ground.reader)));
    let writer = ground.server.work.as_seen_by(Some(admit(&ground.writer)));
    let stop = Stop::default();
    let case = json!({"case": "checkout-5xx-k7f2qa"}).as_object().unwrap().clone();
    let mut refused = Vec::new();
    for tool in CORE.iter().filter(|tool| matches!(tool.reads_only, ReadsOnly::No)) {
        let given = match tool.does {
            Does::Door { .. } => {
                json!({"name": "fork_case", "arguments": case}).as_object().unwrap().clone()
            }
            _ => case.clone(),
        };
        let answer = reader.answer(tool.name, given.clone(), &stop);
        let text = answer.shown.text();
        assert_eq!(answer.code, Some(Code::Forbidden), "{}: {text}", tool.name);
        assert!(text.contains("needs the scope `cases:write`"), "{text}");
        refused.push(tool.name);
        let answer = writer.answer(tool.name, given, &stop);
        assert_ne!(answer.code, Some(Code::Forbidden), "{}", answer.shown.text());
    }
    assert_eq!(refused, ["open_case", "shell", "write_file", "close_case", "call_tool"]);
    for (wanted, may) in [("read", true), ("wait", true), ("kill", false), ("KILL", false)] {
        let given = json!({"name": "background", "arguments": {
            "case": "checkout-5xx-k7f2qa", "handle": "bg-a", "wanted": wanted,
        }});
        let answer = reader.answer("call_tool", given.as_object().unwrap().clone(), &stop);
        assert_eq!(answer.code != Some(Code::Forbidden), may, "{wanted}: {}", answer.shown.text());
    }
}
