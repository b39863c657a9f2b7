//! What a browser has to be told, so that a page which may use this server can.
//!
//! Before a page sends a token somewhere, its browser asks whether it may, and it cannot
//! send the token along with that. So the question is answered to all whose `Origin` was
//! found good, and tells nothing but which headers may be used.

use hyper::body::Bytes;
use hyper::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::http::status::StatusCode;
use hyper::{Method, Response};

use super::body::Reply;
use super::names::Names;

/// What a page may send.
const SENT: &str = "authorization, content-type, accept, last-event-id, mcp-session-id, \
                    mcp-protocol-version, mcp-method, mcp-name";
/// What of an answer a page may read, besides what is always read.
const READ: &str = "mcp-session-id, www-authenticate, retry-after";
/// For so long the browser need not ask again.
const KEPT_S: u32 = 600;

/// Whether a browser asks what its page may.
pub(super) fn is_question(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that.
pub(super) fn answer(methods: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::of(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENT));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(KEPT_S));
    response
}

impl Names {
    /// Lets a page read an answer, if it is one that may use this server.
    pub(super) fn tell_page(&self, asked: &HeaderMap, answer: &mut HeaderMap) {
        let Some(origin) = asked.get(ORIGIN) else { return };
        if !origin.to_str().is_ok_and(|given| self.is_origin(given)) {
            return;
        }
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
        answer.insert(VARY, HeaderValue::from_static("origin"));
    }
}
