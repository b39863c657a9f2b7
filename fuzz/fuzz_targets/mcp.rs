//! Any bytes on the input of the MCP server: what it writes is messages, no more than it was
//! asked, and what is asked after all that is answered, once.
//!
//! ```text
//! cargo +nightly fuzz run mcp -- -max_len=16384 -timeout=10 -rss_limit_mb=600
//! ```

#![no_main]

mod nothing;

use std::cell::RefCell;
use std::future::pending;
use std::sync::LazyLock;

use casefile::mcp::{Server, talk};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::{Builder, Runtime};

/// What is on its way, in either direction.
const PIPE_BYTES: usize = 64 * 1024;

/// What comes last, in both eras of the protocol.
const LAST: [&str; 2] = [
    r#"{"jsonrpc":"2.0","id":"the last but one","method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":"the last one","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
];

static SERVER: LazyLock<Server> = LazyLock::new(nothing::server);

thread_local! {
    static RUNTIME: RefCell<Runtime> =
        RefCell::new(Builder::new_current_thread().enable_all().build().expect("there is room"));
}

fuzz_target!(|bytes: &[u8]| {
    let written = RUNTIME.with_borrow(|runtime| runtime.block_on(served(bytes)));
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let asked = lines.count() + LAST.len();
    let mut last = [0; 2];
    let mut answers = 0;
    for line in written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let said: Value = serde_json::from_slice(line).expect("it writes messages");
        assert_eq!(said["jsonrpc"], "2.0");
        answers += usize::from(said.get("method").is_none());
        last[0] += usize::from(said["id"] == "the last but one");
        last[1] += usize::from(said["id"] == "the last one");
    }
    assert_eq!(last, [1, 1], "what comes after is not heard");
    assert!(answers <= asked, "{answers} answers to {asked} lines");
});

/// All that is written to whoever says this.
async fn served(bytes: &[u8]) -> Vec<u8> {
    let (mut to, stdin) = duplex(PIPE_BYTES);
    let (stdout, mut from) = duplex(PIPE_BYTES);
    let says = async {
        let parts = [bytes, b"\n", LAST[0].as_bytes(), b"\n", LAST[1].as_bytes(), b"\n"];
        to.write_all(&parts.concat()).await.expect("it reads to the end");
        drop(to);
    };
    let hears = async {
        let mut written = Vec::new();
        from.read_to_end(&mut written).await.expect("it can be read");
        written
    };
    let (talked, (), written) = tokio::join!(talk(&SERVER, stdin, stdout, pending()), says, hears);
    talked.expect("it ends well");
    written
}
