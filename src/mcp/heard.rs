//! What one line from a client says. A line that says nothing that a server could act on is
//! answered with the reason, and with the id of whoever waits for it where that can be found:
//! a request that nobody answers is waited for until somebody loses patience.

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::error::Category;

/// A line, understood.
#[derive(Debug)]
pub(super) enum Heard {
    Message(Box<ClientJsonRpcMessage>),
    /// It is blank, or a notification that is none of ours.
    Nothing,
    Refused(Refusal),
}

/// Why a line is not acted on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) id: Option<RequestId>,
    pub(super) error: ErrorData,
}

impl Refusal {
    pub(super) fn new(
        code: ErrorCode,
        id: Option<RequestId>,
        what: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Self {
        Self { id, error: ErrorData::new(code, what, None) }
    }
}

/// Some editors on other systems begin a file with it, and a parser may leave it out.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The methods whose parameters are known. What has one of these names and is nothing else
/// than a name has parameters that do not fit.
#[rustfmt::skip]
const METHODS: &[&str] = &[
    "completion/complete", "initialize", "logging/setLevel", "ping", "prompts/get",
    "prompts/list", "resources/list", "resources/read", "resources/subscribe",
    "resources/templates/list", "resources/unsubscribe", "server/discover",
    "subscriptions/listen", "tools/call", "tools/list",
];

/// Understands a line, which is without its end.
pub(super) fn heard(line: &[u8]) -> Heard {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Heard::Nothing;
    }
    match serde_json::from_slice(line) {
        Ok(JsonRpcMessage::Request(asked)) => match &asked.request {
            ClientRequest::CustomRequest(custom) if METHODS.contains(&custom.method.as_str()) => {
                let what = format!("the params are not what `{}` takes", custom.method);
                Heard::Refused(Refusal::new(ErrorCode::INVALID_PARAMS, Some(asked.id), what))
            }
            _ => Heard::Message(Box::new(JsonRpcMessage::Request(asked))),
        },
        Ok(message) => Heard::Message(Box::new(message)),
        Err(error) => misheard(line, &error),
    }
}

/// The parts of a message that say whether somebody waits for an answer. All else may be
/// as it likes, and as deep.
#[derive(Deserialize)]
struct Parts {
    jsonrpc: Option<Value>,
    /// There may be one that is null, which is another thing than none.
    #[serde(default, deserialize_with = "there")]
    id: Option<Value>,
    method: Option<Value>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// What is wrong with a line that is no message.
fn misheard(line: &[u8], error: &serde_json::Error) -> Heard {
    let garbled = |what: String| Heard::Refused(Refusal::new(ErrorCode::PARSE_ERROR, None, what));
    if std::str::from_utf8(line).is_err() {
        return garbled("the line is not UTF-8".into());
    }
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(line) {
        return garbled(format!("the line is not JSON: {error}"));
    }
    let invalid =
        |id, what: &'static str| Heard::Refused(Refusal::new(ErrorCode::INVALID_REQUEST, id, what));
    match line.first() {
        Some(b'{') => {}
        Some(b'[') => return invalid(None, "one line is one message, and no batch of them"),
        _ => return invalid(None, "a message is a JSON object"),
    }
    let Ok(parts) = serde_json::from_slice::<Parts>(line) else {
        return invalid(None, "a message says each thing once");
    };
    let Some(method) = &parts.method else {
        // The id of an answer is ours, and nobody waits for an answer to that.
        return invalid(
            None,
            "a request has a `method`, an answer its `id` and `result` or `error`",
        );
    };
    let id = match &parts.id {
        // Nobody is told of a notification.
        None => return Heard::Nothing,
        Some(Value::String(text)) => RequestId::String(text.as_str().into()),
        Some(Value::Number(number)) if number.is_i64() => {
            RequestId::Number(number.as_i64().unwrap_or_default())
        }
        Some(_) => return invalid(None, "an `id` is a text or a whole number"),
    };
    let what = if parts.jsonrpc != Some("2.0".into()) {
        "`jsonrpc` is \"2.0\""
    } else if !method.is_string() {
        "a `method` is a text"
    } else if parts.result.is_some() || parts.error.is_some() {
        "a request has no `result` and no `error`"
    } else if error.classify() == Category::Syntax {
        "it is nested too deeply, or a text in it is not Unicode"
    } else {
        "`params` is an object"
    };
    invalid(Some(id), what)
}

#[cfg(test)]
mod tests {
    use rmcp::model::RequestId;

    use super::{Heard, heard};

    /// The code and the id that a line is refused with, if it is.
    type Want = Option<(i32, Option<RequestId>)>;

    #[test]
    fn each_line_is_understood_or_refused_with_a_reason() {
        let deep = |inner: &str| {
            let (open, close) = ("{\"a\":".repeat(200), "}".repeat(200));
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"x\",\"params\":{open}{inner}{close}}}"
            )
        };
        #[rustfmt::skip]
        let table: &[(&[u8], Want)] = &[
            // line                                                      refused with code and id
            (b"",                                                            None),
            (b" \r",                                                         None),
            (b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}",   None),
            (b"{\"jsonrpc\":\"2.0\",\"id\":-5,\"method\":\"ping\"}\r",       None),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"nobody/knows\"}",  None),
            (b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/nobody\"}",   None),
            (b"{\"jsonrpc\":\"2.0\",\"method\":\"$/odd\",\"params\":[1]}",   None),
            (b"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"\"}}", None),
            (b"hello",                                                       Some((-32700, None))),
            (b"\xff\xfe{}",                                                  Some((-32700, None))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"\xff\"}",          Some((-32700, None))),
            (b"\0",                                                          Some((-32700, None))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"meth",                        Some((-32700, None))),
            (b"{}{}",                                                        Some((-32700, None))),
            (b"42",                                                          Some((-32600, None))),
            (b"null",                                                        Some((-32600, None))),
            (b"[]",                                                          Some((-32600, None))),
            (b"{}",                                                          Some((-32600, None))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5}",                              Some((-32600, None))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",       Some((-32600, None))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5.5,\"method\":\"ping\"}",        Some((-32600, None))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"id\":6,\"method\":\"ping\"}", Some((-32600, None))),
            (b"{\"id\":5,\"method\":\"ping\"}",                              Some((-32600, Some(RequestId::Number(5))))),
            (b"{\"jsonrpc\":\"1.0\",\"id\":\"a\",\"method\":\"ping\"}",      Some((-32600, Some(RequestId::String("a".into()))))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":7}",                 Some((-32600, Some(RequestId::Number(5))))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"x\",\"result\":{}}",   Some((-32600, Some(RequestId::Number(5))))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"x\",\"params\":[1]}",  Some((-32600, Some(RequestId::Number(5))))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"initialize\"}",    Some((-32602, Some(RequestId::Number(5))))),
            (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":7}}", Some((-32602, Some(RequestId::Number(5))))),
        ];
        let deep = [(deep("1"), (-32600, Some(RequestId::Number(5))))];
        let deep = deep.iter().map(|(line, want)| (line.as_bytes(), Some(want.clone())));
        for (line, want) in table.iter().cloned().chain(deep) {
            let got = match heard(line) {
                Heard::Refused(refusal) => Some((refusal.error.code.0, refusal.id)),
                Heard::Message(_) | Heard::Nothing => None,
            };
            assert_eq!(got, want, "{}", String::from_utf8_lossy(line));
        }
    }
}
