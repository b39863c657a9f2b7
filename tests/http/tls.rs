//! TLS, with a certificate that only these tests know. It was made for `localhost`, with
//! an authority whose key is gone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use serde_json::json;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{Client, LEGACY, MODERN, token};
use crate::common::{World, users};
use crate::wire::{Connection, Server, WAIT};

const AUTHORITY: &[u8] = include_bytes!("tls/ca.pem");
const CERTIFICATE: &str = include_str!("tls/server.pem");
const KEY: &str = include_str!("tls/server.key");
const OTHER_KEY: &str = include_str!("tls/other.key");

const FILES: [&str; 4] = ["--tls-cert", "server.pem", "--tls-key", "server.key"];

fn world_of(user: crate::common::User) -> World {
    let world = World::of(user);
    world.put("work/server.pem", CERTIFICATE);
    world.put("work/server.key", KEY);
    world.put("work/other.key", OTHER_KEY);
    world
}

/// A connection of one who knows the authority.
fn connect(server: &Server) -> Connection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    Connection::of(StreamOwned::new(connection, stream))
}

#[test]
fn a_client_that_knows_the_authority_is_served_in_both_eras() {
    for user in users() {
        let world = world_of(user);
        let token = token(&world, &["ci"]);
        let server = Server::start(&world, &FILES);
        assert!(server.said.starts_with("listening on https://127.0.0.1:"), "{}", server.said);
        for version in [LEGACY[2], MODERN] {
            let mut client = Client::of(connect(&server), &token, version);
            for _ in 0..3 {
                assert!(client.result("tools/list", json!({}))["tools"].is_array());
            }
        }
        let mut stranger = connect(&server);
        stranger.send(crate::client::request("GET", "/mcp", &[], ""));
        let reply = stranger.reply();
        assert_eq!(reply.status, 401);
        assert!(reply.header("www-authenticate").contains("\"https://localhost/"), "{reply}");
    }
}

#[test]
fn nothing_is_said_in_the_clear_and_others_are_served_meanwhile() {
    let world = world_of(crate::common::User::Same);
    let token = token(&world, &["ci"]);
    let server = Server::on(&world, "0.0.0.0:0", &FILES);
    // One who says nothing, and one who speaks HTTP.
    let _silent = TcpStream::connect(("127.0.0.1", server.address.port())).unwrap();
    let mut plain = TcpStream::connect(("127.0.0.1", server.address.port())).unwrap();
    plain.set_read_timeout(Some(WAIT)).unwrap();
    plain.write_all(b"GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    let mut client = Client::of(connect(&server), &token, MODERN);
    assert!(client.result("tools/list", json!({}))["tools"].is_array());
}

#[test]
fn files_that_make_no_server_are_told_before_it_listens() {
    let world = world_of(crate::common::User::Same);
    world.put("work/empty", "");
    world.put("work/broken", "-----BEGIN CERTIFICATE-----\nnot base64\n");
    #[rustfmt::skip]
    let table = [
        // certificate    key            a part of what is told
        ("server.pem",    "other.key",   "error: the certificate and the key make no TLS server"),
        ("server.pem",    "empty",       "error: the private key cannot be read"),
        ("server.pem",    "server.pem",  "error: the private key cannot be read"),
        ("empty",         "server.key",  "error: there is no certificate in the file"),
        ("broken",        "server.key",  "error: the certificates cannot be read"),
        ("nowhere",       "server.key",  "error: cannot open `nowhere`"),
    ];
    for (certificate, key, part) in table {
        let args =
            ["serve", "--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        let refused = world.run(&args).code(1);
        assert!(refused.stderr.starts_with(part), "{certificate} {key}: {refused}");
        assert!(refused.stderr.contains("\nhint: "), "{certificate} {key}: {refused}");
    }
    let one = world.run(&["serve", "--tls-cert", "server.pem"]).code(2);
    assert!(one.stderr.contains("--tls-key"), "{one}");
}
