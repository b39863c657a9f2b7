//! What a client without a token is told: where it stands who gives them out (RFC 9728),
//! and which of them it needs.

use hyper::Response;
use hyper::body::Bytes;
use hyper::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::json;

use super::body::Reply;
use crate::access::{SCOPE_READ, SCOPE_WRITE};

/// Where clients look for it: below this, the path of the resource, or nothing.
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The document. `base` is scheme and host, as the client knows them.
pub(super) fn document(base: &str, issuers: &[String]) -> Response<Reply> {
    let mut document = json!({
        "resource": format!("{base}{}", super::PATH),
        "scopes_supported": [SCOPE_READ, SCOPE_WRITE],
        "bearer_methods_supported": ["header"],
        "resource_name": "casefile",
    });
    // An empty list would say that nobody gives out tokens.
    if !issuers.is_empty() {
        document["authorization_servers"] = issuers.into();
    }
    let mut response = Response::new(Reply::of(Bytes::from(document.to_string())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a client is asked to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// It has no token.
    Token,
    /// It has one that is not good, or no longer.
    GoodToken,
    /// It has a good one that does not do for this.
    Write,
    /// It has a good one that does for nothing.
    Scope,
}

/// The challenge that goes with it.
pub(super) fn challenge(base: &str, lack: Lack) -> HeaderValue {
    let (error, scope) = match lack {
        Lack::Token => ("", format!("{SCOPE_READ} {SCOPE_WRITE}")),
        Lack::GoodToken => ("error=\"invalid_token\", ", format!("{SCOPE_READ} {SCOPE_WRITE}")),
        Lack::Write => ("error=\"insufficient_scope\", ", SCOPE_WRITE.to_owned()),
        Lack::Scope => ("error=\"insufficient_scope\", ", format!("{SCOPE_READ} {SCOPE_WRITE}")),
    };
    let path = super::PATH;
    let text =
        format!("Bearer {error}resource_metadata=\"{base}{WELL_KNOWN}{path}\", scope=\"{scope}\"");
    // A name with anything strange in it was refused before.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}
