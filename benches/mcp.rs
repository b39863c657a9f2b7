//! What the MCP server costs over stdio, from its start to a file read in a jail, beside
//! other servers that read files.
//!
//! `cargo bench --bench mcp`. `CASEFILE_BENCH_PEERS` names a directory with the other
//! servers: `node_modules` of npm (`@modelcontextprotocol/server-filesystem`,
//! `@wonderwhy-er/desktop-commander`) and `bin/rust-mcp-filesystem`. What is not there is
//! left out, and named. All take turns within a round, and medians are told.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench starts programs, prints, and fails as a test does"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

const BOOTS: usize = 60;
const READS: usize = 3_000;
const LARGE_READS: usize = 100;
/// The others are asked more seldom, since they take so much longer.
const LESS: usize = 12;
/// Calls that are on their way at the same time, where many are counted.
const AT_ONCE: usize = 16;
const CASES: usize = 10;
const PEERS: &str = "CASEFILE_BENCH_PEERS";

fn main() {
    let dir = tempfile::Builder::new().prefix("casefile-bench-").tempdir().unwrap();
    let files = dir.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let small: String = (0..64).map(|nth| format!("{nth:<63}\n")).collect();
    std::fs::write(files.join("small"), &small).unwrap();
    std::fs::write(files.join("large"), small.repeat(256)).unwrap();
    let ours = Peer::casefile(dir.path());
    let mut peers = vec![ours];
    peers.extend(others(&files));
    boots(&peers);
    let mut running: Vec<Running> = peers.iter().map(|peer| Running::start(peer, &files)).collect();
    reads(&mut running, "small", 4 << 10, READS);
    reads(&mut running, "large", 1 << 20, LARGE_READS);
    many(&mut running);
    drop(running);
    memory(&peers[0]);
}

/// A server that can be started.
struct Peer {
    name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    home: Option<PathBuf>,
    /// What it calls its tool that reads a file.
    tool: &'static str,
}

impl Peer {
    fn casefile(dir: &Path) -> Self {
        Self {
            name: "casefile mcp",
            program: env!("CARGO_BIN_EXE_casefile").into(),
            args: vec!["mcp".into()],
            home: Some(dir.join("home")),
            tool: "read_file",
        }
    }

    fn start(&self) -> Talk {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        if let Some(home) = &self.home {
            std::fs::create_dir_all(home).unwrap();
            command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir(home);
        }
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Talk { child, stdin: Some(stdin), stdout: BufReader::new(stdout), last: 0 }
    }
}

/// The other servers that are installed here.
fn others(files: &Path) -> Vec<Peer> {
    let Some(at) = std::env::var_os(PEERS).map(PathBuf::from) else {
        println!("no other servers: {PEERS} names no directory");
        return Vec::new();
    };
    let files = files.display().to_string();
    let scripts = at.join("node_modules");
    let known = [
        (
            "rust-mcp-filesystem",
            at.join("bin/rust-mcp-filesystem"),
            vec![files.clone()],
            "read_text_file",
        ),
        (
            "server-filesystem",
            scripts.join("@modelcontextprotocol/server-filesystem/dist/index.js"),
            vec![files],
            "read_text_file",
        ),
        (
            "desktop-commander",
            scripts.join("@wonderwhy-er/desktop-commander/dist/index.js"),
            Vec::new(),
            "read_file",
        ),
    ];
    let mut peers = Vec::new();
    for (name, program, mut args, tool) in known {
        if !program.exists() {
            println!("left out, for it is not there: {name}");
            continue;
        }
        let is_script = program.extension().is_some_and(|ending| ending == "js");
        let program = if is_script {
            args.insert(0, program.display().to_string());
            "node".into()
        } else {
            program
        };
        peers.push(Peer { name, program, args, home: None, tool });
    }
    peers
}

/// A server that was started, and the streams to it.
struct Talk {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    last: u64,
}

impl Talk {
    fn send(&mut self, message: &Value) {
        let mut line = message.to_string();
        line.push('\n');
        self.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) {
        self.last += 1;
        let message =
            json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params});
        self.send(&message);
    }

    /// The next answer, whichever it is. What comes between is no answer.
    fn answer(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "the server is gone");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"].is_u64() && message["method"].is_null() {
                return message;
            }
        }
    }

    fn hello(&mut self) {
        let client = json!({"name": "bench", "version": "1"});
        let params =
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        self.ask("initialize", &params);
        self.answer();
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }

    /// What a tool said.
    fn call(&mut self, tool: &str, arguments: &Value) -> String {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        let answer = self.answer();
        assert_ne!(answer["result"]["isError"], json!(true), "{answer}");
        answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}")).into()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.stdin.take());
        if self.child.wait().is_err() {
            let _ = self.child.kill();
        }
    }
}

/// A server with its files, ready to be asked for them.
struct Running {
    name: &'static str,
    tool: &'static str,
    talk: Talk,
    case: Option<String>,
    files: PathBuf,
}

impl Running {
    fn start(peer: &Peer, files: &Path) -> Self {
        let mut talk = peer.start();
        talk.hello();
        // Only ours has to be given what it is to read.
        let case = peer.home.is_some().then(|| {
            let case = opened(&mut talk);
            for name in ["small", "large"] {
                let text = std::fs::read_to_string(files.join(name)).unwrap();
                let at = format!("notes/{name}");
                talk.call("write_file", &json!({"case": case, "path": at, "text": text}));
            }
            case
        });
        Self { name: peer.name, tool: peer.tool, talk, case, files: files.to_owned() }
    }

    fn asked(&self, file: &str) -> Value {
        match &self.case {
            // Otherwise it says that it was read before, which is no reading.
            Some(case) => json!({"case": case, "path": format!("notes/{file}"), "again": true}),
            None => json!({"path": self.files.join(file)}),
        }
    }
}

fn opened(talk: &mut Talk) -> String {
    let said = talk.call("open_case", &json!({"title": "bench"}));
    let line = said.lines().find_map(|line| line.strip_prefix("case")).unwrap();
    line.trim().into()
}

/// From the start of the process to what tools it has.
fn boots(peers: &[Peer]) {
    println!("from the start to the answer of tools/list, {BOOTS} rounds at most, ms");
    let mut times = vec![Vec::new(); peers.len()];
    for round in 0..BOOTS {
        for (peer, times) in peers.iter().zip(&mut times) {
            if peer.home.is_none() && round % LESS != 0 {
                continue;
            }
            let began = Instant::now();
            let mut talk = peer.start();
            talk.hello();
            talk.ask("tools/list", &json!({}));
            let tools = talk.answer();
            times.push(began.elapsed().as_secs_f64() * 1000.0);
            assert!(tools.to_string().contains(peer.tool), "{tools}");
        }
    }
    for (peer, times) in peers.iter().zip(&times) {
        row(peer.name, times);
    }
}

fn reads(running: &mut [Running], file: &str, bytes: usize, rounds: usize) {
    println!("\nreading a file of {bytes} bytes, {rounds} rounds at most, ms");
    let mut times = vec![Vec::new(); running.len()];
    let mut said = vec![0; running.len()];
    for (nth, server) in running.iter_mut().enumerate() {
        let asked = server.asked(file);
        let rounds = if server.case.is_some() { rounds } else { rounds / LESS };
        for _ in 0..rounds {
            let began = Instant::now();
            let text = server.talk.call(server.tool, &asked);
            times[nth].push(began.elapsed().as_secs_f64() * 1000.0);
            said[nth] = text.len();
        }
    }
    for ((server, times), said) in running.iter().zip(&times).zip(said) {
        row(&format!("{} ({said} bytes told)", server.name), times);
    }
}

/// How many small reads a second, when several are on their way at once.
fn many(running: &mut [Running]) {
    println!("\nreading 4 KiB, {AT_ONCE} on their way at once, calls a second");
    for server in running {
        let params = json!({"name": server.tool, "arguments": server.asked("small")});
        let reads = if server.case.is_some() { READS } else { READS / LESS };
        let began = Instant::now();
        for _ in 0..AT_ONCE {
            server.talk.ask("tools/call", &params);
        }
        for nth in 0..reads {
            server.talk.answer();
            if nth + AT_ONCE < reads {
                server.talk.ask("tools/call", &params);
            }
        }
        let each = began.elapsed().as_secs_f64() / reads as f64;
        println!("  {:<44} {:>8.0}", server.name, 1.0 / each);
    }
}

/// What the server holds, and its jails, with so many cases in use.
fn memory(peer: &Peer) {
    let mut talk = peer.start();
    talk.hello();
    let alone = memory_of(talk.child.id());
    for _ in 0..CASES {
        let case = opened(&mut talk);
        talk.call("write_file", &json!({"case": case, "path": "notes/a", "text": "one line\n"}));
        talk.call("shell", &json!({"case": case, "command": "true"}));
    }
    let server = memory_of(talk.child.id());
    let all: Vec<u32> = below(talk.child.id());
    let pss: u64 = all.iter().map(|pid| kib(*pid, "smaps_rollup", "Pss:")).sum();
    println!("\nmemory with {CASES} cases in use, KiB");
    println!("  {:<44} {alone:>8}", "the server before (resident)");
    println!("  {:<44} {server:>8}", "the server (resident)");
    let name = format!("its share and its jails', {} processes", all.len());
    println!("  {name:<44} {pss:>8}");
}

fn memory_of(pid: u32) -> u64 {
    kib(pid, "status", "VmRSS:")
}

fn kib(pid: u32, file: &str, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}

/// A process and all that came of it.
fn below(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut nth = 0;
    while nth < all.len() {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", all[nth])).into_iter().flatten();
        for task in tasks.flatten() {
            let children = std::fs::read_to_string(task.path().join("children"));
            let children = children.unwrap_or_default();
            all.extend(children.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
        }
        nth += 1;
    }
    all
}

fn row(what: &str, times: &[f64]) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    println!("  {what:<44} {:>8.3} median, {:.3} p99", at(0.5), at(0.99));
}
