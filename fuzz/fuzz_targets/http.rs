//! Any bytes on a connection of the server over HTTP: what it writes is HTTP, nobody without
//! the token hears anything, and whoever comes next is served.
//!
//! The first byte says what the others are: all that comes on the connection, or bodies
//! that stand in requests as they should be. `TOKEN` stands for the token.
//!
//! ```text
//! cargo +nightly fuzz run http -- -max_len=16384 -timeout=20 -rss_limit_mb=800
//! ```

#![no_main]

mod nothing;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use casefile::access::{Access, Store, TokenName, Wanted};
use casefile::disk::Holder;
use casefile::mcp::Server;
use casefile::mcp::http::{Admission, Limits, PATH, Reception, Settings};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

const PIPE_BYTES: usize = 64 * 1024;
/// Whoever leaves a request half said is waited for so long.
const PATIENCE: Duration = Duration::from_millis(20);
/// A stream stays open, and is left then.
const STAY: Duration = Duration::from_millis(100);
const LAST: &str = r#"{"jsonrpc":"2.0","id":"the last one","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

struct Ground {
    runtime: Runtime,
    reception: Reception<Server>,
    token: String,
}

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let home: PathBuf = std::env::temp_dir().join(format!("casefile-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("there is room");
    let wanted = Wanted {
        name: TokenName::parse("fuzz").expect("it is a name"),
        may_write: true,
        cases: Vec::new(),
        expires: None,
    };
    let holder = Holder { pid: 1, command: "fuzz".into(), since: now() };
    let token = Store::new(&home).create(wanted, [7; 32], &holder).expect("it can be made");
    let admission = Admission { access: Access::new(&home), clock: now };
    let settings =
        Settings { limits: Limits::of_rate(1_000_000), patience: PATIENCE, ..Settings::default() };
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    Ground {
        runtime: runtime.expect("there is room"),
        reception: Reception::new(nothing::server(), admission, settings),
        token: token.reveal().to_owned(),
    }
});

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let ground = &*GROUND;
    let (says, is_known) = match how & 1 {
        0 => (filled(bytes, ground.token.as_bytes()), contains(bytes, b"TOKEN")),
        _ => (framed(*how, bytes, &ground.token), true),
    };
    let (written, last) = ground.runtime.block_on(async {
        let written = heard(&ground.reception, says).await;
        (written, heard(&ground.reception, request(2, LAST.as_bytes(), &ground.token, true)).await)
    });
    only_answers(&written);
    if !is_known {
        assert!(!contains(&written, b"\"result\""), "{}", String::from_utf8_lossy(&written));
    }
    assert!(last.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&last));
    assert!(contains(&last, b"the last one"), "{}", String::from_utf8_lossy(&last));
});

/// All that is written to whoever says this.
async fn heard(reception: &Reception<Server>, says: Vec<u8>) -> Vec<u8> {
    let (near, far) = duplex(PIPE_BYTES);
    let reception = reception.clone();
    let local = "127.0.0.1:8811".parse().expect("an address");
    let speaks = tokio::spawn(async move { reception.speak(far, local).await });
    let (mut from, mut to) = tokio::io::split(near);
    let mut written = Vec::new();
    let says = async {
        // It may have heard enough before the end.
        let _ = to.write_all(&says).await;
        std::future::pending::<()>().await;
    };
    let hears = timeout(STAY, from.read_to_end(&mut written));
    tokio::select! {
        _ = hears => {}
        () = says => {}
    }
    drop((from, to));
    speaks.await.expect("it does not break down");
    written
}

/// Each line is the body of one request.
fn framed(how: u8, bytes: &[u8], token: &str) -> Vec<u8> {
    let bodies: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let last = bodies.len() - 1;
    let requests = bodies.iter().enumerate();
    requests.flat_map(|(nth, body)| request(how, body, token, nth == last)).collect()
}

fn request(how: u8, body: &[u8], token: &str, is_last: bool) -> Vec<u8> {
    let method = if how & 4 == 0 { "server/discover" } else { "tools/call" };
    let version = match how & 2 {
        0 => "MCP-Protocol-Version: 2025-11-25\r\n".to_owned(),
        _ => format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n"),
    };
    let named = if how & 8 == 0 { "" } else { "Mcp-Name: read_file\r\n" };
    let close = if is_last { "Connection: close\r\n" } else { "" };
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n\
         {version}{named}{close}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What was written is answers, of which the last may have been left off.
fn only_answers(mut written: &[u8]) {
    while !written.is_empty() {
        let shown = String::from_utf8_lossy(written);
        assert!(written.starts_with(b"HTTP/1."), "{shown}");
        let Some(end) = written.windows(4).position(|four| four == b"\r\n\r\n") else { return };
        let head = String::from_utf8_lossy(&written[..end]).to_lowercase();
        written = &written[end + 4..];
        if head.contains("transfer-encoding: chunked") {
            // A stream: no more comes after it than belongs to it.
            return;
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse::<usize>().expect("a length"));
        written = written.get(length..).unwrap_or_default();
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|there| there == part)
}

/// With the token where it belongs.
fn filled(text: &[u8], token: &[u8]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"TOKEN") {
            filled.extend_from_slice(token);
            at += b"TOKEN".len();
        } else {
            filled.push(text[at]);
            at += 1;
        }
    }
    filled
}
