//! What has to be known of a message before it is handed on.

use std::borrow::Cow;

use hyper::http::header::{CONTENT_TYPE, HeaderMap};
use hyper::http::status::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::refusal::Refusal;

/// What is asked for by these is done where it may take its time, in one of the places
/// that all principals share.
const LONG: [&str; 3] = ["tools/call", "resources/read", "completion/complete"];

/// The little of a message that has to be known here.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) method: Option<Cow<'a, str>>,
    pub(super) id: Option<Value>,
    pub(super) params: Option<Params>,
}

#[derive(Deserialize)]
pub(super) struct Params {
    pub(super) name: Option<Value>,
    pub(super) arguments: Option<Value>,
}

impl Message<'_> {
    /// Whether it may have to wait. A word that ends a call has not.
    pub(super) fn takes_long(&self) -> bool {
        self.method.as_deref().is_some_and(|method| LONG.contains(&method))
    }
}

/// Whether a body is said to be one.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok());
    let essence = given.map(|given| given.split(';').next().unwrap_or_default().trim());
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    let what = "the body is not said to be JSON";
    let hint = "Send `Content-Type: application/json`.";
    Err(Refusal::senseless(StatusCode::UNSUPPORTED_MEDIA_TYPE, what, hint))
}

/// What a body says.
pub(super) fn read(bytes: &[u8]) -> Result<Message<'_>, Refusal> {
    let no_message = |why: &str| {
        let what = format!("the body is no JSON-RPC message: {why}");
        let hint = "Send one message at a time, as an object.";
        Refusal::senseless(StatusCode::BAD_REQUEST, what, hint)
    };
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(no_message("it is a list"));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.is_data() {
        true => no_message(&error.to_string()),
        false => Refusal::no_json(&error),
    })
}
