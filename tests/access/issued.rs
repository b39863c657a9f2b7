//! Tokens of an outside issuer, through the real server: the configuration says whose to
//! take, and only one that is trusted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::client::{Client, LEGACY, request};
use crate::wire::Server;
use crate::{ground, world};

const SETTINGS: &str = "\
serve:
  issuers:
    - issuer: https://login.example.com/
      audience: https://cases.example.com/mcp
      jwks: keys.json
      cases_claim: cases
  allowed_hosts: [cases.example.com]
";

fn coded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(pair: &Ed25519KeyPair, more: &Value) -> String {
    let mut claims = json!({
        "iss": "https://login.example.com/", "aud": ["https://cases.example.com/mcp"],
        "sub": "ada", "exp": 4_000_000_000_u32, "scope": "cases:read cases:write",
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let header = coded(json!({"alg": "EdDSA", "kid": "k"}).to_string());
    let signed = format!("{header}.{}", coded(claims.to_string()));
    let signature = coded(pair.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn a_bearer_of_an_issuers_token_has_cases_of_its_own() {
    let world = world();
    let random = ring::rand::SystemRandom::new();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": coded(pair.public_key())});
    world.put("work/keys.json", json!({"keys": [key]}).to_string());
    world.put("work/casefile.yaml", SETTINGS);
    // One that was merely found does not say whose tokens to take.
    let refused = world.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(refused.stderr.contains("is not trusted"), "{refused:?}");
    let _ = world.run(&["config", "trust"]).success();
    let server = Server::start(&world, &[]);
    let start = |more: Value| Client::start(&server, &token(&pair, &more), LEGACY[3]);
    let id = start(json!({})).open();
    let shown = world.run(&["show", &id]).success().stdout;
    assert!(shown.contains("belongs to  jwt:https://login.example.com/#ada"), "{shown}");
    let look = json!({"case": id, "path": "repos"});
    let _ = start(json!({"scope": "cases:read"})).good("read_file", look.clone());
    let _ = start(json!({"sub": "eve", "cases": [id]})).good("read_file", look.clone());
    let (_, is_error) = start(json!({"sub": "eve"})).call("read_file", look);
    assert!(is_error);
    let persons = ground::open(&world, &["--repo", "app"]);
    let (_, is_error) = start(json!({})).call("read_file", json!({"case": persons, "path": "."}));
    assert!(is_error);
    #[rustfmt::skip]
    let table = [
        // claim                                 status   what is said
        (json!({"aud": "https://example.com"}),  401, "the token is for somebody else"),
        (json!({"exp": 1_000_000_000}),          401, "the token has expired"),
        (json!({"iss": "https://example.com"}),  401, "the token is not known here"),
        (json!({"scope": "openid"}),             403, "the token has neither the scope"),
    ];
    for (more, status, want) in table {
        let bearer = format!("Bearer {}", token(&pair, &more));
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let reply = server.once(&request("POST", "/mcp", &headers, "{}"));
        assert_eq!(reply.status, status, "{more}: {reply}");
        assert!(reply.body.contains(want), "{more}: {reply}");
        let challenge = reply.header("www-authenticate");
        let error = if status == 403 { "insufficient_scope" } else { "invalid_token" };
        assert!(challenge.contains(error), "{reply}");
    }
    // Clients find out who gives out tokens, by the name that is allowed.
    let document = "/.well-known/oauth-protected-resource/mcp";
    let reply = server.once(&request("GET", document, &[("Host", "cases.example.com")], ""));
    assert_eq!(reply.json()["authorization_servers"], json!(["https://login.example.com/"]));
    assert_eq!(reply.json()["resource"], "http://cases.example.com/mcp");
}
