//! How the server begins, and what it says when it cannot.

use crate::client::request;
use crate::common::{World, users};
use crate::wire::Server;

#[test]
fn it_says_where_it_listens_and_tells_a_port_that_is_taken() {
    for user in users() {
        let world = World::of(user);
        let server = Server::start(&world, &[]);
        assert_ne!(server.address.port(), 0);
        assert_eq!(server.said, format!("listening on http://{}/mcp\n", server.address));
        let refused = world.run(&["serve", "--listen", &server.address.to_string()]).code(1);
        let text = refused.to_string().replace(&server.address.port().to_string(), "PORT");
        insta::allow_duplicates! {
        insta::assert_snapshot!(text, @r"
        --- stderr
        error: cannot listen on 127.0.0.1:PORT
        cause: Address already in use (os error 98)
        hint: End what listens there, or choose another port with `--listen`; port 0 takes a free one.
        --- exit status: 1
        ");
        }
        // The first one is not touched by that.
        assert_eq!(server.once(&request("GET", "/mcp", &[], "")).status, 401);
    }
}

#[test]
fn it_is_not_open_to_other_machines_by_accident() {
    let world = World::new();
    let refused = world.run(&["serve", "--listen", "0.0.0.0:0"]).code(1);
    insta::assert_snapshot!(refused, @r"
    --- stderr
    error: 0.0.0.0:0 can be reached from other machines, and there is no TLS
    hint: Give `--tls-cert` and `--tls-key`, listen on 127.0.0.1, or say `--insecure` if something before it does TLS.
    --- exit status: 1
    ");
    for address in ["[::]:0", "192.0.2.1:8811", "[::ffff:192.0.2.1]:8811"] {
        let refused = world.run(&["serve", "--listen", address]).code(1);
        assert!(refused.stderr.contains("and there is no TLS"), "{refused}");
    }
    let server = Server::on(&world, "0.0.0.0:0", &["--insecure"]);
    let mut near = server.connect();
    near.send(request("GET", "/mcp", &[], ""));
    assert_eq!(near.reply().status, 401);
}

#[test]
fn an_address_that_is_none_is_told_before_anything_begins() {
    let world = World::new();
    for address in ["cases.example.com:8811", "8811", "127.0.0.1:99999"] {
        let refused = world.run(&["serve", "--listen", address]).code(2);
        assert!(refused.stderr.contains("is no address to listen on"), "{refused}");
    }
}
