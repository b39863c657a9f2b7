//! The preview of two gigabytes: what it costs who reads it, and what it costs us.
//!
//! The outputs are made while they are read, so the test needs no disk, and its memory is
//! that of the preview. It is the only test of its process for that reason.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the test looks at its own process"
)]

use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use casefile::outputs::{About, Budget, Kind, kind, preview, tokens};

const SIZE: u64 = 2 << 30;
const MEMORY_BYTES_MAX: u64 = 64 << 20;
/// Two seconds of looking, and what a busy machine adds.
const TIME_MAX: Duration = Duration::from_secs(20);

/// A beginning, and then lines without end that are all different.
struct Endless {
    start: Vec<u8>,
    line: fn(u64) -> String,
    /// As long as each line is.
    bytes: u64,
    at: u64,
}

impl Endless {
    fn new(start: &str, line: fn(u64) -> String) -> Self {
        Self { start: start.into(), line, bytes: line(0).len() as u64, at: 0 }
    }

    fn head(&mut self) -> Vec<u8> {
        let mut head = vec![0; 32 * 1024];
        self.read_exact(&mut head).unwrap();
        head
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() && self.at < SIZE {
            let start = self.start.len() as u64;
            let (text, from) = match self.at < start {
                true => (self.start.clone(), self.at),
                false => {
                    let (number, from) =
                        ((self.at - start) / self.bytes, (self.at - start) % self.bytes);
                    ((self.line)(number).into_bytes(), from)
                }
            };
            let rest = &text[from as usize..];
            let length = rest.len().min(buffer.len() - done).min((SIZE - self.at) as usize);
            buffer[done..done + length].copy_from_slice(&rest[..length]);
            done += length;
            self.at += length as u64;
        }
        Ok(done)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.at = at;
        Ok(at)
    }
}

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn two_gigabytes_cost_little() {
    #[rustfmt::skip]
    let table = [
        (Kind::Text,      "", (|n| format!("the line {n:012} of many that say nothing much\n")) as fn(u64) -> String),
        (Kind::Log,       "", |n| format!("2026-03-01T12:00:00Z INFO pay: order {n:012} paid by user-{:06}\n", n % 999_983)),
        (Kind::JsonLines, "", |n| format!("{{\"time\":\"2026-03-01T12:00:00Z\",\"level\":\"info\",\"msg\":\"order {n:012}\",\"k{:06}\":1}}\n", n % 999_983)),
        (Kind::Json,      "{\"items\": [\n", |n| format!("{{\"id\": \"{n:012}\", \"deep\": [[{{\"k{:06}\": null}}]]}},\n", n % 999_983)),
        (Kind::Csv,       "id,name,when\n", |n| format!("{n:012},\"name, {n:012}\",\n")),
        (Kind::Traces,    "TypeError: a\n    at f (x.js:1:1)\n", |n| format!("TypeError: k{n:012}\n    at f{n:012} (/srv/x.js:1:1)\n")),
        (Kind::Diff,      "", |n| format!("diff --git a/{n:012} b/{n:012}\n--- a/{n:012}\n+++ b/{n:012}\n@@ -1 +1 @@\n-a\n+b\n")),
        (Kind::TestRun,   "running 5 tests\n", |n| format!("test case_{n:012} ... FAILED\n")),
        (Kind::Text,      &"x".repeat(70_000), |_| "y".repeat(65_536)),
    ];
    for (want, start, line) in table {
        let mut source = Endless::new(start, line);
        let head = source.head();
        assert_eq!(kind(&head), want, "{start}");
        let about =
            About { path: "/case/outputs/0007-shell.txt", lines: 1_000_000, ..About::default() };
        let began = Instant::now();
        let shown = preview(&mut source, SIZE, want, &about, Budget::MAX).unwrap();
        let took = began.elapsed();
        eprintln!("{want:?}: {} tokens, {took:?}, peak {} MiB", tokens(&shown), peak_bytes() >> 20);
        assert!(tokens(&shown) < 1_000, "{shown}");
        assert!(took < TIME_MAX, "{want:?} took {took:?}");
        assert!(peak_bytes() < MEMORY_BYTES_MAX, "{want:?}: {} bytes", peak_bytes());
        let part = shown.contains("figures are of the first ");
        assert!(part || want == Kind::Text, "a part passes for the whole: {shown}");
    }
}
