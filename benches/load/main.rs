//! Whether the server over HTTP stands its ground: many clients with calls of every kind,
//! none lost and none mixed up, memory and descriptors flat; and then the same beside
//! clients that vanish in a call, send garbage, or never come to an end.
//!
//! `cargo bench --bench load`. It fails if anything is not so. `CASEFILE_BENCH_LOAD_S` is
//! for how long it goes on, 60 by default; beside strangers it is half of that.

#![allow(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench starts programs, prints, and fails as a test does"
)]

mod client;
mod mix;
mod server;
mod strangers;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use client::{Client, Era, timed};
use mix::{Ground, Kind, Knows, MIX};
use serde_json::{Value, json};
use server::{Sample, Server, running, token};
use strangers::{EACH, Stranger, WAYS};

const CLIENTS: usize = 200;
const TOKENS: usize = 4;
const CASES_OF_EACH: usize = 2;
const SECONDS: u64 = 60;
const GIVEN: &str = "CASEFILE_BENCH_LOAD_S";
const EACH_SECOND: Duration = Duration::from_secs(1);
/// After such a part of the time the server has what it needs.
const WARM: usize = 6;
/// What it may hold more when it has been warm for long.
const GROWTH_KIB_MAX: u64 = 8 * 1024;
/// And after the strangers, some of whom leave sessions behind, which stay for an hour: 256
/// of one token at most.
const LEFT_KIB_MAX: u64 = 32 * 1024;
const DESCRIPTORS_MORE_MAX: usize = 16;
/// By so many the descriptors of the calls that are on may differ.
const CALLS_DESCRIPTORS: u64 = 64;
/// What is gone is let go of within this.
const BACK_MAX: Duration = Duration::from_secs(40);
/// So many faults are told word for word.
const TOLD_MAX: usize = 10;
/// Nonces of a second time begin here, so that none comes again.
const FROM: u64 = 10_000_000;
const STACK_BYTES: usize = 256 * 1024;

fn main() {
    let given = std::env::var(GIVEN).ok().map_or(SECONDS, |given| given.parse().unwrap());
    let time = Duration::from_secs(given);
    let dir = tempfile::Builder::new().prefix("casefile-bench-").tempdir().unwrap();
    let scene = Scene::set(dir.path());
    let mut faults = Vec::new();
    println!(
        "{CLIENTS} clients, half of them in sessions, {TOKENS} tokens, {} cases",
        scene.grounds.len()
    );
    let mix = MIX.map(|(kind, share)| format!("{share} {}", kind.name()));
    println!("of a hundred: {}", mix.join(", "));
    println!("\nby themselves, {} s", time.as_secs());
    faults.extend(scene.load(time, None));
    let before = scene.settled("afterwards", |_| true);
    println!("\nbeside {} strangers, {} s", WAYS.len() * EACH, time.as_secs() / 2);
    let mark = format!("load-vanished-{}", scene.server.pid());
    faults.extend(scene.load(time / 2, Some(&mark)));
    faults.extend(scene.after(&before, &mark));
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults[..faults.len().min(TOLD_MAX)].join("\n")
    );
    println!("\nnone lost, none mixed up, and what was taken was given back");
}

/// A server with cases in it, and who may see them.
struct Scene {
    server: Server,
    tokens: Vec<Arc<str>>,
    /// Those of the first token come first, and so on.
    grounds: Vec<Ground>,
    /// What each era is told of tools.
    tools: [Value; 2],
    stranger: Arc<str>,
    /// Where strangers have commands run.
    strange: Ground,
}

/// What one client had from one time.
#[derive(Default)]
struct Had {
    times: Vec<(Kind, f32)>,
    waits: usize,
    fault: Option<String>,
}

impl Scene {
    fn set(dir: &Path) -> Self {
        let home = dir.join("home");
        std::fs::create_dir(&home).unwrap();
        let tokens: Vec<Arc<str>> =
            (0..TOKENS).map(|nth| token(&home, &format!("load-{nth}")).into()).collect();
        let stranger: Arc<str> = token(&home, "stranger").into();
        let server = Server::start(&home);
        let start = |bearer, era| Client::start(server.address, bearer, era, 900_000).unwrap();
        let mut grounds = Vec::new();
        for bearer in &tokens {
            let mut client = start(bearer, Era::Stateless);
            for _ in 0..CASES_OF_EACH {
                let nth = grounds.len() as u64;
                grounds.push(Ground::lay(&mut client, nth).unwrap());
            }
        }
        let tools = [Era::Sessions, Era::Stateless].map(|era| {
            let mut client = start(&tokens[0], era);
            let tools = client.result("tools/list", json!({})).unwrap()["tools"].take();
            client.end().unwrap();
            tools
        });
        assert!(tools[0].as_array().is_some_and(|tools| 5 < tools.len()), "{}", tools[0]);
        let strange = Ground::lay(&mut start(&stranger, Era::Stateless), 99).unwrap();
        Self { tools, strange, server, tokens, grounds, stranger }
    }

    /// All clients for a time, with strangers beside them where these have a mark. What
    /// was not as it should be.
    fn load(&self, time: Duration, mark: Option<&str>) -> Vec<String> {
        let over = AtomicBool::new(false);
        let from = if mark.is_some() { FROM } else { 0 };
        let began = Instant::now();
        let small = || Builder::new().stack_size(STACK_BYTES);
        thread::scope(|scope| {
            let good: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let work = move || self.one(number, from, began + time);
                    small().spawn_scoped(scope, work).unwrap()
                })
                .collect();
            let mut strange = Vec::new();
            for (way, _) in mark.map_or(&[][..], |_| &WAYS[..]) {
                for _ in 0..EACH {
                    let stranger = Stranger {
                        address: self.server.address,
                        bearer: self.stranger.clone(),
                        case: &self.strange.id,
                        mark: mark.unwrap_or_default(),
                        number: 1_000 + strange.len() as u64,
                        over: &over,
                    };
                    let act = move || strangely(&stranger, *way);
                    strange.push((way, small().spawn_scoped(scope, act).unwrap()));
                }
            }
            let mut faults = self.watch(time, mark.is_none());
            let all: Vec<Had> = good.into_iter().map(|one| one.join().unwrap()).collect();
            let took = began.elapsed();
            over.store(true, Ordering::Relaxed);
            faults.extend(told(&all, took));
            let mut acts = BTreeMap::new();
            for (way, one) in strange {
                let (times, fault) = one.join().unwrap();
                let name = WAYS.iter().find(|(its, _)| its == way).unwrap().1;
                *acts.entry(name).or_insert(0) += times;
                faults.extend(fault.map(|fault| format!("strangers who {name}: {fault}")));
            }
            for (name, times) in acts {
                println!("  strangers: {name:<31} {times:>8} times");
                if times == 0 {
                    faults.push(format!("no stranger came to {name}"));
                }
            }
            faults
        })
    }

    /// What one client does, from this nonce on, until the time is over, or something is wrong.
    fn one(&self, number: usize, from: u64, until: Instant) -> Had {
        let mut had = Had::default();
        let era = if number.is_multiple_of(2) { Era::Sessions } else { Era::Stateless };
        let whose = number / 2 % TOKENS;
        let own = number / 2 / TOKENS % CASES_OF_EACH;
        let own = whose * CASES_OF_EACH + own;
        let knows = Knows {
            number: number as u64,
            own: &self.grounds[own],
            foreign: &self.grounds[(own + CASES_OF_EACH) % self.grounds.len()],
            tools: &self.tools[usize::from(era == Era::Stateless)],
        };
        let mut work = || {
            let address = self.server.address;
            let mut client = Client::start(address, &self.tokens[whose], era, knows.number)?;
            let mut nonce = from;
            while Instant::now() < until {
                // Each goes its own way through the mix, and through all of it.
                let kind = Kind::at((nonce * 37 + knows.number * 11) % 100);
                let (done, took) = timed(|| knows.ask(&mut client, kind, nonce));
                done?;
                had.times.push((kind, took));
                nonce += 1;
            }
            had.waits = client.end()?;
            Ok(())
        };
        had.fault = work().err().map(|fault: String| format!("client {number}, {era:?}: {fault}"));
        had
    }

    /// Looks at the server each second. Where nobody strange is there, it may not grow once
    /// it is warm: what it holds swings with the calls that are on, so medians count.
    fn watch(&self, time: Duration, is_flat: bool) -> Vec<String> {
        let pid = self.server.pid();
        let began = Instant::now();
        let mut seen = vec![Sample::of(pid)];
        seen[0].row("at the start");
        while began.elapsed() + EACH_SECOND < time {
            thread::sleep(EACH_SECOND);
            seen.push(Sample::of(pid));
        }
        let warm = seen.len() / WARM;
        seen[warm].row(&format!("after {warm} s"));
        seen[seen.len() - 1].row("at the end");
        let most = seen.iter().map(|sample| sample.rss_kib).max().unwrap_or_default();
        println!("  the most that was seen: {:.1} MiB", most as f64 / 1024.0);
        let (first, second) = seen[warm..].split_at((seen.len() - warm) / 2);
        let grew = |what: &str, of: fn(&Sample) -> u64, most: u64| {
            let [first, second] = [first, second].map(|half| median(half.iter().map(of)));
            println!("  median of the {what}, first half and second: {first}, {second}");
            (is_flat && first + most < second).then(|| format!("{what}: {first}, then {second}"))
        };
        let memory = grew("KiB", |sample| sample.rss_kib, GROWTH_KIB_MAX);
        let descriptors = grew("descriptors", |it| it.descriptors as u64, CALLS_DESCRIPTORS);
        memory.into_iter().chain(descriptors).collect()
    }

    /// What it holds when all are gone, and it is as it should be, or the wait is over.
    fn settled(&self, what: &str, is_so: impl Fn(&Sample) -> bool) -> Sample {
        let began = Instant::now();
        let mut before = Sample::of(self.server.pid());
        loop {
            thread::sleep(Duration::from_secs(1));
            let sample = Sample::of(self.server.pid());
            let is_still = sample.descriptors == before.descriptors;
            if is_still && is_so(&sample) || BACK_MAX < began.elapsed() {
                sample.row(&format!("{what}, {} s", began.elapsed().as_secs()));
                return sample;
            }
            before = sample;
        }
    }

    /// What strangers left behind.
    fn after(&self, before: &Sample, mark: &str) -> Vec<String> {
        let is_back = |now: &Sample| {
            now.descriptors <= before.descriptors + DESCRIPTORS_MORE_MAX && running(mark) == 0
        };
        let now = self.settled("afterwards", is_back);
        let mut faults = Vec::new();
        if !is_back(&now) {
            let left = running(mark);
            faults.push(format!("{now:?} after {before:?}; {left} commands nobody waits for"));
        }
        if before.rss_kib + LEFT_KIB_MAX < now.rss_kib {
            faults.push(format!("memory: {} KiB, and before {}", now.rss_kib, before.rss_kib));
        }
        // All is there for whoever comes next, the strangers' own case too.
        let had = self.one(0, 2 * FROM, Instant::now() + Duration::from_secs(1));
        faults.extend(had.fault);
        if had.times.is_empty() {
            faults.push("nobody is served any more".into());
        }
        let strange = Client::start(self.server.address, &self.stranger, Era::Stateless, 900_001)
            .and_then(|mut client| {
                client.good("shell", json!({"case": self.strange.id, "command": "true"}))
            });
        faults.extend(strange.err());
        faults
    }
}

fn median(all: impl Iterator<Item = u64>) -> u64 {
    let mut all: Vec<u64> = all.collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// Goes on in one strange way until it is over; how often, and what was wrong.
fn strangely(stranger: &Stranger<'_>, way: strangers::Way) -> (u64, Option<String>) {
    let mut nonce = 0;
    while !stranger.over.load(Ordering::Relaxed) {
        if let Err(fault) = stranger.act(way, nonce) {
            return (nonce, Some(fault));
        }
        nonce += 1;
    }
    (nonce, None)
}

/// Prints what the clients had; what was wrong with it.
fn told(all: &[Had], took: Duration) -> Vec<String> {
    let mut by_kind: BTreeMap<Kind, Vec<f32>> = BTreeMap::new();
    for (kind, time) in all.iter().flat_map(|had| &had.times) {
        by_kind.entry(*kind).or_default().push(*time);
    }
    let count: usize = by_kind.values().map(Vec::len).sum();
    let waits: usize = all.iter().map(|had| had.waits).sum();
    let faults: Vec<String> = all.iter().filter_map(|had| had.fault.clone()).collect();
    println!("  {:<34} {:>8} {:>10} {:>10}", "", "count", "p50 ms", "p99 ms");
    for (kind, times) in &mut by_kind {
        times.sort_by(f32::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!("  {:<34} {:>8} {:>10.1} {:>10.1}", kind.name(), times.len(), at(0.5), at(0.99));
    }
    println!(
        "  {count} in {:.1} s, {:.0} a second; {waits} told to wait; {} clients with a fault",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64(),
        faults.len()
    );
    let served = all.iter().filter(|had| !had.times.is_empty()).count();
    let unserved = (served < CLIENTS).then(|| format!("only {served} of {CLIENTS} were served"));
    faults.into_iter().chain(unserved).collect()
}
