//! Any bytes on the input of the MCP server: what it writes is messages, no more than it was
//! asked, and what is asked after all that is answered, once.
//!
//! ```text
//! cargo +nightly fuzz run mcp -- -max_len=16384 -timeout=10 -rss_limit_mb=600
//! ```

#![no_main]

use std::cell::RefCell;
use std::future::pending;
use std::sync::{Arc, LazyLock};

use casefile::access::Principal;
use casefile::case::CaseId;
use casefile::mcp::{Cases, Code, OpenCase, Server, Told, talk};
use casefile::outputs::{Budget, Secrets, Shown};
use casefile::tools::Session;
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

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let secrets = Arc::new(Secrets::new([9; 16], Vec::new()).expect("there are none"));
    Server::new(Arc::new(Nothing(secrets)), None).expect("it can serve")
});

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

/// A machine without a case.
struct Nothing(Arc<Secrets>);

fn none<T>() -> Result<T, Told> {
    Err(Told::new(Code::NotFound, "there is no case"))
}

impl Cases for Nothing {
    fn find(&self, _: &str, _: Option<&Principal>) -> Result<CaseId, Told> {
        none()
    }

    fn open(&self, asked: &OpenCase, _: Option<&Principal>) -> Result<String, Told> {
        Ok(format!("{asked:?}"))
    }

    fn enter(&self, _: &CaseId) -> Result<Session, Told> {
        none()
    }

    fn close(&self, _: &CaseId) -> Result<String, Told> {
        none()
    }

    fn fork(&self, _: &CaseId, _: Option<&str>, _: Option<&Principal>) -> Result<String, Told> {
        none()
    }

    fn status(&self, _: &CaseId, _: Option<&Principal>) -> Result<String, Told> {
        none()
    }

    fn journal(&self, _: &CaseId, _: usize) -> Result<String, Told> {
        none()
    }

    fn output(&self, _: &CaseId, _: u64) -> Result<String, Told> {
        none()
    }

    fn recent(
        &self,
        _: usize,
        _: Option<&CaseId>,
        _: Option<&Principal>,
    ) -> Result<String, Told> {
        Ok("none".into())
    }

    fn ids(&self, _: Option<&Principal>) -> Result<Vec<CaseId>, Told> {
        Ok(Vec::new())
    }

    fn why(&self, _: &CaseId, _: &str) -> Result<String, Told> {
        none()
    }

    fn has_network(&self, _: Option<&CaseId>) -> Result<bool, Told> {
        none()
    }

    fn show(&self, text: &str) -> Shown {
        Shown::of(text, &self.0, Budget::MAX)
    }
}
