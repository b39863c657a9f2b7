//! The official conformance suite against the server, and the inspector's lint of what it
//! lists. Node and the packages come from outside; see CONTRIBUTING.md.
//!
//! The suite asks for tools and prompts by name that no real server has. So it is run
//! twice: against casefile itself, where the scenarios that need none have to pass, and
//! against a fixture that has them all, behind the same HTTP stack.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a failure here is a failed test"
)]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "shared with the tests of clients, which use more of it")]
#[path = "../clients/packages.rs"]
mod packages;

mod fixture;
mod forward;
mod suite;
mod tools;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::channel;

use casefile::access::Access;
use casefile::mcp::http::{Admission, Served, Settings, serve_http};
use jiff::Timestamp;

use common::{User, World};
use fixture::Fixture;
use packages::{Serving, node, node_program, package, token};
use suite::{Fault, run};

impl Served for Fixture {}

/// Both versions of the protocol for which the suite says what has to pass.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// Checks of the fixture that succeed in each revision, and what else is said of some. The
/// suite cannot try the one that it skips.
const SUCCEEDED: [usize; 2] = [83, 196];
const SKIPPED: &[&str] = &["tasks-status-notifications"];

/// Scenarios without a fault, with casefile itself.
const PASSED: [&[&str]; 2] = [
    &[
        "completion-complete",
        "dns-rebinding-protection",
        "ping",
        "prompts-list",
        "resources-list",
        "server-initialize",
        "server-session-lifecycle",
        "server-sse-multiple-streams",
        "tools-list",
    ],
    &[
        "caching",
        "completion-complete",
        "dns-rebinding-protection",
        "http-header-validation",
        "input-required-result-unsupported-methods",
        "prompts-list",
        "resources-list",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
        "tools-list",
    ],
];

/// Scenarios without a fault that show nothing: a tool that is not there is answered with
/// a text, and that is all that they look for.
const SAID_NOTHING: &[&str] =
    &["input-required-result-ignore-extra-params", "tools-call-error", "tools-call-simple-text"];

/// Beginnings of scenarios that casefile cannot pass, and why.
#[rustfmt::skip]
const CANNOT: &[(&str, &str)] = &[
    ("elicitation-",             "it asks the client for nothing"),
    ("http-custom-header-",      "no tool of it takes a header"),
    ("input-required-result-",   "it asks the client for nothing"),
    ("json-schema-2020-12",      "a tool of the suite's own, with what clients choke on"),
    ("logging-set-level",        "it sends no log to clients"),
    ("prompts-get-",             "prompts of the suite's own"),
    ("resources-read-",          "resources of the suite's own"),
    ("resources-subscribe",      "nothing of it is watched"),
    ("resources-templates-read", "resources of the suite's own"),
    ("resources-unsubscribe",    "nothing of it is watched"),
    ("server-sse-polling",       "a tool of the suite's own"),
    ("server-stateless",         "a tool of the suite's own; see below"),
    ("tasks-",                   "it has no tasks"),
    ("tools-call-",              "tools of the suite's own"),
];

/// What of one long scenario is not passed: a tool of the suite's own, and subscriptions,
/// which are skipped where a server has none.
const NOT_STATELESS: &[&str] = &[
    "sep-2575-missing-capability-http-400",
    "sep-2575-server-honors-notification-filter",
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-server-sends-prompts-list-changed-on-subscription",
    "sep-2575-server-sends-subscription-ack",
    "sep-2575-server-sends-tools-list-changed-on-subscription",
    "sep-2575-server-tags-subscription-id",
];

#[test]
fn the_fixture_passes_everything_behind_our_stack() {
    let world = World::of(User::Same);
    let token = token(&world);
    let (ready, address) = channel();
    let access = Access::new(&world.state());
    // It serves until the tests are over.
    std::thread::spawn(move || {
        let settings = Settings { address: "127.0.0.1:0".parse().unwrap(), ..Settings::default() };
        let admission = Admission { access, clock: Timestamp::now };
        let told = |at: &str| ready.send(at.to_owned()).unwrap();
        serve_http(Fixture::new(), admission, settings, std::future::pending(), told).unwrap();
    });
    let url = forward::with_token(&address.recv().unwrap(), &token);
    for (revision, succeeded) in REVISIONS.iter().zip(SUCCEEDED) {
        let ran = run(&url, revision, &world.path("work"));
        let faults = ran.faults.iter().filter(|fault| !SKIPPED.contains(&fault.check.as_str()));
        assert_eq!(faults.collect::<Vec<_>>(), Vec::<&Fault>::new(), "{revision}");
        assert_eq!(ran.succeeded, succeeded, "{revision}");
    }
}

#[test]
fn casefile_passes_all_that_needs_no_fixture() {
    let world = World::of(User::Same);
    let token = token(&world);
    let serving = Serving::start(&world);
    let url = forward::with_token(&serving.url, &token);
    for (revision, passed) in REVISIONS.iter().zip(PASSED) {
        let ran = run(&url, revision, &world.path("work"));
        let without: BTreeSet<&str> =
            ran.without_fault().filter(|name| !SAID_NOTHING.contains(name)).collect();
        assert_eq!(without, BTreeSet::from_iter(passed.iter().copied()), "{revision}");
        for fault in &ran.faults {
            let mut reasons = CANNOT.iter().filter(|it| fault.scenario.starts_with(it.0));
            assert!(reasons.next().is_some(), "{revision}: {fault:#?}");
            let is_long = fault.scenario == "server-stateless";
            assert!(!is_long || NOT_STATELESS.contains(&fault.check.as_str()), "{fault:#?}");
        }
    }
}

#[test]
fn the_inspector_finds_no_fault_with_the_tools() {
    let world = World::of(User::Same);
    let mut command = node(&world);
    command.arg(inspector()).arg("--cli").arg(common::binary()).arg("mcp");
    command.args(["--method", "tools/list", "--strict"]);
    let outcome = world.finish(command).success();
    // It was the list that it looked at.
    assert!(outcome.stdout.contains("\"open_case\""), "{outcome}");
    assert!(!outcome.stderr.contains("Warning"), "{outcome}");
    // It can tell a fault from none.
    world.put("work/odd.mjs", ODD);
    let mut command = node(&world);
    command.arg(inspector()).arg("--cli").arg(node_program());
    command.arg(world.path("work/odd.mjs")).args(["--method", "tools/list", "--strict"]);
    let outcome = world.finish(command).success();
    assert!(outcome.stderr.contains("Warning: tool \"odd\""), "{outcome}");
}

fn inspector() -> PathBuf {
    package("@modelcontextprotocol/inspector/clients/launcher/build/index.js")
}

/// A server whose one tool has a schema that clients choke on.
const ODD: &str = r#"
import { createInterface } from "node:readline";
const tool = { name: "odd", inputSchema: { type: "object", properties:
    { a: { type: ["string", "null"] } } } };
const hello = { protocolVersion: "2025-11-25", capabilities: { tools: {} },
    serverInfo: { name: "odd", version: "1" } };
for await (const line of createInterface({ input: process.stdin })) {
    const { id, method } = JSON.parse(line);
    if (id === undefined) continue;
    const result = method === "initialize" ? hello : { tools: [tool] };
    console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
}
"#;
