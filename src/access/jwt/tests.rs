//! Tokens signed with real keys, and what is made of them and of what is wrong with them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA512, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use super::super::{Access, Principal};
use crate::case::CaseId;
use crate::config::{Issuer, Jwks};

const ISSUER: &str = "https://login.example.com/";
const AUDIENCE: &str = "https://cases.example.com/mcp";

fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn coded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key of an issuer: how it is published, and how it signs.
struct Signer {
    published: Value,
    sign: Sign,
}

fn ed25519(kid: &str) -> Signer {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let x = coded(pair.public_key());
    let published = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x, "use": "sig"});
    Signer { published, sign: Box::new(move |bytes| pair.sign(bytes).as_ref().to_vec()) }
}

fn ecdsa(kid: &str, is_384: bool) -> Signer {
    let (algorithm, curve) = match is_384 {
        true => (&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
        false => (&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
    };
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(if is_384 { 48 } else { 32 });
    let published = json!({"kty": "EC", "crv": curve, "kid": kid, "x": coded(x), "y": coded(y)});
    let sign = move |bytes: &[u8]| pair.sign(&random, bytes).unwrap().as_ref().to_vec();
    Signer { published, sign: Box::new(sign) }
}

/// No key of anybody's: made for these tests, since ring makes none of RSA.
const RSA: &str = include_str!("test-key.base64");

fn rsa(kid: &str, is_pss: bool) -> Signer {
    let pkcs8 = STANDARD.decode(RSA.replace('\n', "")).unwrap();
    let pair = RsaKeyPair::from_pkcs8(&pkcs8).unwrap();
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
    let (n, e) = (coded(public.n), coded(public.e));
    let published = json!({"kty": "RSA", "kid": kid, "n": n, "e": e});
    let sign = move |bytes: &[u8]| {
        let mut signature = vec![0; pair.public().modulus_len()];
        let padding: &dyn ring::signature::RsaEncoding =
            if is_pss { &RSA_PSS_SHA512 } else { &RSA_PKCS1_SHA256 };
        pair.sign(padding, &SystemRandom::new(), bytes, &mut signature).unwrap();
        signature
    };
    Signer { published, sign: Box::new(sign) }
}

fn claims() -> Value {
    let second = now().as_second();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": second + 600, "nbf": second,
        "scope": "openid cases:read cases:write",
    })
}

fn token(signer: &Signer, header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", coded(header.to_string()), coded(claims.to_string()));
    let signature = coded((signer.sign)(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn issuer(jwks: Jwks) -> Issuer {
    Issuer {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        jwks,
        scope_claim: None,
        cases_claim: Some("cases".into()),
    }
}

/// What lets in the bearers of tokens that these keys signed.
fn access(dir: &tempfile::TempDir, keys: &[&Signer]) -> Access {
    let file = dir.path().join("keys.json");
    let keys: Vec<_> = keys.iter().map(|signer| &signer.published).collect();
    std::fs::write(&file, json!({"keys": keys}).to_string()).unwrap();
    Access::new(dir.path()).with_issuers(vec![issuer(Jwks::File(file))])
}

fn admitted(access: &Access, token: &str) -> Result<Principal, String> {
    access.admit(token, now()).map_err(|refused| refused.to_string())
}

#[test]
fn each_algorithm_lets_in_whom_its_key_signed_for() {
    let dir = tempfile::tempdir().unwrap();
    let signers = [
        ("EdDSA", ed25519("a")),
        ("ES256", ecdsa("b", false)),
        ("ES384", ecdsa("c", true)),
        ("RS256", rsa("d", false)),
        ("PS512", rsa("e", true)),
    ];
    let keys: Vec<_> = signers.iter().map(|(_, signer)| signer).collect();
    let access = access(&dir, &keys);
    assert_eq!(access.issuers(), [ISSUER]);
    for (algorithm, signer) in &signers {
        let kid = &signer.published["kid"];
        for header in [json!({"alg": algorithm, "kid": kid}), json!({"alg": algorithm})] {
            let good = token(signer, &header, &claims());
            let who = admitted(&access, &good).unwrap_or_else(|why| panic!("{algorithm}: {why}"));
            assert_eq!(who.key(), "jwt:https://login.example.com/#ada");
            assert!(who.may_write());
            // Another bit of any part, and it is nobody's.
            for at in [0, good.len() / 2, good.len() - 8] {
                let mut bytes = good.clone().into_bytes();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                let bad = String::from_utf8(bytes).unwrap();
                assert!(admitted(&access, &bad).is_err(), "{algorithm} at {at}");
            }
        }
        // By the right key, but said to be another's, or another way.
        for other in ["none", "None", "HS256", "HS512", "RS512", "ES512", "EdDSA ", ""] {
            let header = json!({"alg": other, "kid": kid});
            assert!(admitted(&access, &token(signer, &header, &claims())).is_err(), "{other}");
        }
        let other = json!({"alg": algorithm, "kid": "zzz"});
        assert!(admitted(&access, &token(signer, &other, &claims())).is_err());
        let critical = json!({"alg": algorithm, "kid": kid, "crit": ["exp"]});
        assert!(admitted(&access, &token(signer, &critical, &claims())).is_err());
    }
}

#[test]
fn no_key_but_the_issuers_own_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (good, other) = (ed25519("a"), ed25519("a"));
    let access = access(&dir, &[&good]);
    let header = json!({"alg": "EdDSA", "kid": "a"});
    assert!(admitted(&access, &token(&good, &header, &claims())).is_ok());
    let unknown = Err("the token is not known here".to_owned());
    assert_eq!(admitted(&access, &token(&other, &header, &claims())), unknown);
    // Not even if the token brings it along.
    let mut brings = header.clone();
    brings["jwk"] = other.published.clone();
    brings["jku"] = "http://127.0.0.1:1/keys".into();
    assert_eq!(admitted(&access, &token(&other, &brings, &claims())), unknown);
    // Without a signature, or with the public key for a shared secret.
    let signed = format!("{}.{}", coded(r#"{"alg":"none"}"#), coded(claims().to_string()));
    assert_eq!(admitted(&access, &format!("{signed}.")), unknown);
    let signed = format!("{}.{}", coded(r#"{"alg":"HS256"}"#), coded(claims().to_string()));
    let x = URL_SAFE_NO_PAD.decode(good.published["x"].as_str().unwrap()).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &x);
    let mac = coded(ring::hmac::sign(&key, signed.as_bytes()));
    assert_eq!(admitted(&access, &format!("{signed}.{mac}")), unknown);
    // A key that is for something else, or for another algorithm.
    for (name, value) in
        [("use", json!("enc")), ("alg", json!("ES256")), ("key_ops", json!(["sign"]))]
    {
        let mut published = good.published.clone();
        published[name] = value;
        let file = dir.path().join("keys.json");
        std::fs::write(&file, json!({"keys": [published]}).to_string()).unwrap();
        assert_eq!(admitted(&access, &token(&good, &header, &claims())), unknown, "{name}");
    }
    for junk in ["a.b.c", "..", "a.b", &"a".repeat(100_000), "é.é.é"] {
        assert_eq!(admitted(&access, junk), unknown, "{junk}");
    }
}

#[test]
fn claims_are_held_to_what_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let signer = ed25519("a");
    let access = access(&dir, &[&signer]);
    let header = json!({"alg": "EdDSA", "kid": "a"});
    let second = now().as_second();
    let unknown = Some("the token is not known here");
    let expired = Some("the token has expired");
    let elsewhere = Some("the token is for somebody else");
    let scope = Some("the token has neither the scope `cases:read` nor `cases:write`");
    #[rustfmt::skip]
    let table = [
        // claim   value                                   why it is refused
        ("iss",    json!("https://login.example.com"),     unknown),
        ("iss",    json!("https://other.example.com/"),    unknown),
        ("iss",    json!([ISSUER]),                        unknown),
        ("aud",    json!("https://other.example.com"),     elsewhere),
        ("aud",    json!(["a", AUDIENCE]),                 None),
        ("aud",    json!([]),                              elsewhere),
        ("aud",    json!(null),                            elsewhere),
        ("exp",    json!(second - 59),                     None),
        ("exp",    json!(second - 60),                     expired),
        ("exp",    json!(second as f64 + 0.5),             None),
        ("exp",    json!(i64::MAX),                        None),
        ("exp",    json!("tomorrow"),                      unknown),
        ("exp",    json!(null),                            unknown),
        ("nbf",    json!(second + 60),                     None),
        ("nbf",    json!(second + 61),                     Some("the token is not good yet")),
        ("nbf",    json!("now"),                           unknown),
        ("sub",    json!(""),                              unknown),
        ("sub",    json!(7),                               unknown),
        ("sub",    json!("a\nb"),                          unknown),
        ("sub",    json!("x".repeat(256)),                 unknown),
        ("scope",  json!("openid"),                        scope),
        ("scope",  json!("cases:readonly"),                scope),
        ("scope",  json!("cases:read"),                    None),
        ("scope",  json!(["cases:read"]),                  None),
        ("scope",  json!(null),                            scope),
    ];
    for (claim, value, want) in table {
        let mut claims = claims();
        claims[claim] = value.clone();
        let got = admitted(&access, &token(&signer, &header, &claims)).err();
        assert_eq!(got.as_deref(), want, "{claim} {value}");
    }
    let who = |name: &str, value: Value| {
        let mut claims = claims();
        claims["scope"] = "cases:read".into();
        claims[name] = value;
        admitted(&access, &token(&signer, &header, &claims)).unwrap()
    };
    assert!(!who("a", json!(1)).may_write());
    assert!(who("scp", json!(["cases:write"])).may_write());
    let id = |id: &str| CaseId::parse(id).unwrap();
    for value in [json!(["pay-*", "../x", 7]), json!("pay-* web-*")] {
        let who = who("cases", value);
        assert!(who.sees(&id("pay-abcdef"), None) && !who.sees(&id("other-abcdef"), None));
        assert!(who.sees(&id("other-abcdef"), Some("jwt:https://login.example.com/#ada")));
    }
    assert!(!who("case", json!("*")).sees(&id("pay-abcdef"), None));
}

/// An issuer that publishes keys on loopback, and counts how often it is asked.
struct Publisher {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let (answer, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
        let (answers, count) = (answer.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let head = BufReader::new(stream.try_clone().unwrap()).lines();
                head.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(answers.lock().unwrap().as_bytes());
            }
        });
        Self { url, answer, asked }
    }

    fn says(&self, status: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
    }

    fn has(&self, keys: &[&Signer]) {
        let keys: Vec<_> = keys.iter().map(|signer| &signer.published).collect();
        self.says("200 OK", &json!({"keys": keys}).to_string());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[test]
fn keys_at_an_address_are_asked_for_when_there_is_a_reason_and_not_often() {
    let dir = tempfile::tempdir().unwrap();
    let publisher = Publisher::start();
    let trusted = vec![issuer(Jwks::Url(publisher.url.clone()))];
    let access = Access::new(dir.path()).with_issuers(trusted);
    let (old, new) = (ed25519("old"), ed25519("new"));
    let mut claims = claims();
    claims["exp"] = i64::MAX.into();
    let of = |signer: &Signer| {
        token(signer, &json!({"alg": "EdDSA", "kid": signer.published["kid"]}), &claims)
    };
    let after = |seconds| now() + SignedDuration::from_secs(seconds);
    let admit = |signer: &Signer, seconds| {
        access.admit(&of(signer), after(seconds)).map(drop).map_err(|refused| refused.to_string())
    };
    let (good, unknown) = (Ok(()), Err("the token is not known here".to_owned()));
    let unavailable = Err("tokens cannot be checked at the moment".to_owned());
    // While there are none, nobody gets in, and it is not asked all the time.
    for (status, body) in [("500 Oops", "{}"), ("200 OK", "no keys")] {
        publisher.says(status, body);
        let seconds = if status == "200 OK" { -20 } else { -40 };
        assert_eq!(admit(&old, seconds), unavailable, "{status}");
    }
    assert_eq!((admit(&old, -15), publisher.asked()), (unavailable.clone(), 2));
    publisher.says("302 Found\r\nLocation: /elsewhere", "");
    assert_eq!((admit(&old, -10), publisher.asked()), (unavailable.clone(), 3));
    publisher.has(&[&old]);
    for _ in 0..20 {
        assert_eq!(admit(&old, 0), good);
    }
    assert_eq!(publisher.asked(), 4);
    // One that is not known is a reason to ask, but for a pause.
    assert_eq!((admit(&new, 5), publisher.asked()), (unknown.clone(), 4));
    assert_eq!((admit(&new, 10), publisher.asked()), (unknown.clone(), 5));
    publisher.has(&[&new]);
    assert_eq!((admit(&new, 15), publisher.asked()), (unknown.clone(), 5));
    assert_eq!((admit(&new, 20), publisher.asked()), (good.clone(), 6));
    // What the issuer took back does not count any more.
    assert_eq!(admit(&old, 21), unknown);
    // When they get old they are asked for beside, and go on to count if that fails.
    publisher.says("500 Oops", "");
    let asked = publisher.asked();
    assert_eq!(admit(&new, 20 + 11 * 60), good);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while publisher.asked() == asked {
        assert!(std::time::Instant::now() < deadline, "nobody asked");
        std::thread::yield_now();
    }
    assert_eq!(admit(&new, 20 + 23 * 60 * 60), good);
    // But not for ever.
    assert_eq!(admit(&new, 21 + 24 * 60 * 60), unavailable);
}
