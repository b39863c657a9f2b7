//! A request that is not served: what is sent back instead.
//!
//! Whoever sent it may be a program or a model, so it gets the number that HTTP has for
//! it and, in the body, the same words and the same codes as for any other failure.

use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use hyper::http::header::{
    ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::http::status::StatusCode;
use serde_json::json;

use super::super::errors::{Code, Told};
use super::body::Reply;

/// JSON-RPC's own numbers for what is no request, and the one that servers may use.
const NO_JSON: i32 = -32700;
const NO_REQUEST: i32 = -32600;
const REFUSED: i32 = -32000;

/// Why a request is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    number: i32,
    told: Box<Told>,
    wait: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, number: i32, told: Told) -> Self {
        Self { status, number, told: Box::new(told), wait: None, headers: Vec::new() }
    }

    /// It is none of ours to answer, or not for this sender.
    pub(super) fn forbidden(what: impl Into<String>, hint: impl Into<String>) -> Self {
        let told = Told::new(Code::Forbidden, what).hint(hint);
        Self::new(StatusCode::FORBIDDEN, REFUSED, told)
    }

    /// Nobody is known to have sent it.
    pub(super) fn unauthorized(what: impl Into<String>, challenge: HeaderValue) -> Self {
        let told = Told::new(Code::Unauthorized, what);
        Self::new(StatusCode::UNAUTHORIZED, REFUSED, told).with(WWW_AUTHENTICATE, challenge)
    }

    /// Nothing is here.
    pub(super) fn missing(what: impl Into<String>, hint: impl Into<String>) -> Self {
        let told = Told::new(Code::NotFound, what).hint(hint);
        Self::new(StatusCode::NOT_FOUND, REFUSED, told)
    }

    /// It was here in another age.
    pub(super) fn gone(what: impl Into<String>, hint: impl Into<String>) -> Self {
        let told = Told::new(Code::NotFound, what).hint(hint);
        Self::new(StatusCode::GONE, REFUSED, told)
    }

    pub(super) fn method(what: impl Into<String>, allowed: &'static str) -> Self {
        let told =
            Told::new(Code::ValidationError, what).hint(format!("Send it with one of {allowed}."));
        Self::new(StatusCode::METHOD_NOT_ALLOWED, REFUSED, told)
            .with(ALLOW, HeaderValue::from_static(allowed))
    }

    /// Too much at a time.
    pub(super) fn limited(what: impl Into<String>, wait: Duration) -> Self {
        let told = Told::new(Code::RateLimited, what)
            .hint(format!("Wait {} s, then send it again.", seconds(wait)));
        let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, REFUSED, told);
        refusal.wait = Some(wait);
        refusal.with(RETRY_AFTER, HeaderValue::from(seconds(wait)))
    }

    /// The host could not do its part.
    pub(super) fn unavailable(what: impl Into<String>, wait: Duration) -> Self {
        let told = Told::new(Code::UnknownError, what)
            .hint("Try again in a moment; a person may have to look at the server.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, REFUSED, told)
            .with(RETRY_AFTER, HeaderValue::from(seconds(wait)))
    }

    /// What was sent makes no sense.
    pub(super) fn senseless(
        status: StatusCode,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(status, NO_REQUEST, Told::new(Code::ValidationError, what).hint(hint))
    }

    pub(super) fn no_json(error: &serde_json::Error) -> Self {
        let told = Told::new(Code::ValidationError, format!("the body is no JSON: {error}"))
            .hint("Send one JSON-RPC message in UTF-8.");
        Self::new(StatusCode::BAD_REQUEST, NO_JSON, told)
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn response(self) -> Response<Reply> {
        let mut data = json!({"code": self.told.code.to_string()});
        if let Some(wait) = self.wait {
            data["retry_after_s"] = seconds(wait).into();
        }
        let text = format!("{}\ncode: {}", self.told, self.told.code);
        // The request may not have been read, so it has no id here.
        let body = json!({
            "jsonrpc": "2.0",
            "error": {"code": self.number, "message": text, "data": data},
        });
        let mut response = Response::new(Reply::of(Bytes::from(body.to_string())));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

/// Whole seconds, and never none.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(0 < wait.subsec_nanos())).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::seconds;

    #[test]
    fn who_waits_so_long_has_waited_long_enough() {
        for (given, want) in [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (61_500, 62)] {
            assert_eq!(seconds(Duration::from_millis(given)), want, "{given} ms");
        }
    }
}
