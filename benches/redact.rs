//! What redacting costs: plain logs, JSON logs and source code, and what a hostile
//! jail might write to make it slow.
//!
//! `cargo bench --bench redact`. The median of `plain log` is to stay above 500 MB/s.
//! It is processor time that counts.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads its own times, prints, and fails as a test does"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use casefile::outputs::redact::{Known, Redactor, Secrets};

const BYTES: usize = 32 << 20;
/// As a pipe is read.
const PUSH_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 9;
const KNOWN: usize = 40;

fn main() {
    let known = (0..KNOWN).map(|place| Known {
        name: format!("connector-{place}"),
        value: format!("{:x}Zq{:x}", 0x9f86_d081_884c_7d65_u64 ^ place as u64, 77 * place).into(),
    });
    let secrets = Arc::new(Secrets::new([1; 16], known.collect()).unwrap());
    for (name, raw) in [
        ("plain log", plain_log()),
        ("access log", access_log()),
        ("JSON log", json_log()),
        ("source code", include_str!("../src/outputs/redact/stream.rs").repeat(4_000)),
        ("base64", base64()),
        ("hostile: token=", "token=".repeat(BYTES / 6)),
        ("hostile: password=a1b2c3 ", "password=a1b2c3 ".repeat(BYTES / 16)),
        ("hostile: ://a:", "://a:".repeat(BYTES / 5)),
    ] {
        let raw = raw.get(..BYTES.min(raw.len())).unwrap_or(&raw).as_bytes();
        let mut rates: Vec<f64> = (0..ROUNDS).map(|_| rate(&secrets, raw)).collect();
        rates.sort_by(f64::total_cmp);
        println!("{name:28} {:6.0} MB/s", rates[ROUNDS / 2]);
    }
}

fn rate(secrets: &Arc<Secrets>, raw: &[u8]) -> f64 {
    let began = processor_ns();
    let mut redactor = Redactor::new(Arc::clone(secrets));
    let mut bytes = 0;
    for piece in raw.chunks(PUSH_BYTES) {
        redactor.push(piece, |clean| bytes += black_box(&clean[..]).len());
    }
    black_box(redactor.finish(|clean| bytes += clean.len()));
    black_box(bytes);
    raw.len() as f64 * 1e3 / (processor_ns() - began) as f64
}

/// What this thread has had of a processor; so its neighbours do not count.
fn processor_ns() -> u64 {
    let had = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    had.split(' ').next().unwrap().parse().unwrap()
}

/// A number that looks random and is the same in each run.
fn number(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn lines(mut line: impl FnMut(&mut String, &mut u64)) -> String {
    let (mut text, mut seed) = (String::with_capacity(BYTES + 1_000), 1);
    while text.len() < BYTES {
        line(&mut text, &mut seed);
    }
    text
}

fn plain_log() -> String {
    const LEVELS: [&str; 4] = ["INFO ", "DEBUG", "WARN ", "ERROR"];
    const TEXTS: [&str; 6] = [
        "request to the payment service took longer than expected, retrying",
        "connection pool exhausted; 12 waiting, oldest for 832 ms",
        "order accepted and handed on to the warehouse queue",
        "cache miss for the product catalogue, loading from the database",
        "user session extended by 30 minutes after second factor",
        "circuit breaker opened after 5 failures in 10 seconds",
    ];
    lines(|text, seed| {
        let (level, what) = (number(seed) as usize % 4, number(seed) as usize % 6);
        let (second, milli) = (number(seed) % 60, number(seed) % 1_000);
        let (thread, id, took) = (number(seed) % 64, number(seed), number(seed) % 5_000);
        let _ = writeln!(
            text,
            "2026-03-01T12:31:{second:02}.{milli:03}Z {} [worker-{thread}] c.e.checkout.OrderService: {} (order={id}, took={took}ms)",
            LEVELS[level], TEXTS[what],
        );
    })
}

fn access_log() -> String {
    lines(|text, seed| {
        let (host, id, size) = (number(seed) % 255, number(seed) % 100_000, number(seed) % 90_000);
        let _ = writeln!(
            text,
            "10.0.3.{host} - - [01/Mar/2026:12:31:07 +0000] \"GET /api/v1/orders/{id}?page=2 HTTP/1.1\" 200 {size} \"https://shop.example.com/cart\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\"",
        );
    })
}

fn json_log() -> String {
    lines(|text, seed| {
        let (id, span, took) = (number(seed), number(seed), number(seed) % 5_000);
        let _ = writeln!(
            text,
            "{{\"time\":\"2026-03-01T12:31:07Z\",\"level\":\"info\",\"service\":\"checkout\",\"trace_id\":\"{id:016x}{span:016x}\",\"key\":\"order:{id}\",\"msg\":\"request done\",\"url\":\"https://api.example.com/v1/orders/{id}\",\"duration_ms\":{took}}}",
        );
    })
}

fn base64() -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    lines(|text, seed| {
        text.extend((0..76).map(|_| char::from(LETTERS[number(seed) as usize % 64])));
        text.push('\n');
    })
}
