//! A public key of an issuer, and what it can check.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// The algorithms of RSA keys. All have 2,048 bits at least.
#[rustfmt::skip]
const RSA: [(&str, &RsaParameters); 6] = [
    ("RS256", &RSA_PKCS1_2048_8192_SHA256),
    ("RS384", &RSA_PKCS1_2048_8192_SHA384),
    ("RS512", &RSA_PKCS1_2048_8192_SHA512),
    ("PS256", &RSA_PSS_2048_8192_SHA256),
    ("PS384", &RSA_PSS_2048_8192_SHA384),
    ("PS512", &RSA_PSS_2048_8192_SHA512),
];

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The only algorithm that it is for, if it says so.
    algorithm: Option<String>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key as issuers publish it. They may say more, and have kinds that are not taken.
#[derive(Deserialize)]
pub(super) struct Published {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    /// The key, if it is one that checks signatures in a way that is taken.
    pub(super) fn of(published: Published) -> Option<Self> {
        let bytes = |text: &Option<String>| {
            let text = text.as_deref()?.trim_end_matches('=');
            URL_SAFE_NO_PAD.decode(text).ok()
        };
        if published.used_for.as_deref().is_some_and(|used_for| used_for != "sig")
            || published.key_ops.is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
        {
            return None;
        }
        let point = |size: usize| {
            let (x, y) = (bytes(&published.x)?, bytes(&published.y)?);
            (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
        };
        let public = match (published.kty.as_str(), published.crv.as_deref()) {
            ("RSA", _) => {
                let modulus = bytes(&published.n)?;
                let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
                Public::Rsa { modulus: modulus[zeros..].to_vec(), exponent: bytes(&published.e)? }
            }
            ("EC", Some("P-256")) => Public::P256(point(32)?),
            ("EC", Some("P-384")) => Public::P384(point(48)?),
            ("OKP", Some("Ed25519")) => {
                Public::Ed25519(bytes(&published.x).filter(|x| x.len() == 32)?)
            }
            _ => return None,
        };
        Some(Self { id: published.kid, algorithm: published.alg, public })
    }

    /// Whether a token that names this algorithm and this key may mean this one.
    pub(super) fn fits(&self, algorithm: &str, id: Option<&str>) -> bool {
        (id.is_none() || self.id.as_deref() == id)
            && self.algorithm.as_deref().is_none_or(|only| only == algorithm)
    }

    /// Whether the signature is by this key, in an algorithm that keys of its kind have.
    pub(super) fn verifies(&self, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
        let by = |known: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(known, key).verify(signed, signature).is_ok()
        };
        match (&self.public, algorithm) {
            (Public::Rsa { modulus, exponent }, algorithm) => {
                let known = RSA.iter().find(|(name, _)| *name == algorithm);
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                known.is_some_and(|(_, known)| key.verify(known, signed, signature).is_ok())
            }
            (Public::P256(key), "ES256") => by(&ECDSA_P256_SHA256_FIXED, key),
            (Public::P384(key), "ES384") => by(&ECDSA_P384_SHA384_FIXED, key),
            (Public::Ed25519(key), "EdDSA" | "Ed25519") => by(&ED25519, key),
            _ => false,
        }
    }
}
