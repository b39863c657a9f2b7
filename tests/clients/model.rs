//! A model that says what a story dictates, as two vendors' models are spoken to. What it is
//! asked is all that a model would see, so that is what the story is held against.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::story::Story;

/// How the model is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Messages,
    Responses,
}

/// A model that listens on a port of its own.
pub(crate) struct Model {
    pub(crate) url: String,
    told: Arc<Mutex<Told>>,
}

/// What it was told, and what it makes of that.
pub(crate) struct Told {
    pub(crate) story: Story,
    /// Every request that had the server's tools in it.
    pub(crate) requests: Vec<Value>,
    /// What in the story was not as it has to be.
    pub(crate) fault: Option<String>,
}

impl Model {
    pub(crate) fn listen(dialect: Dialect, story: Story) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let told = Arc::new(Mutex::new(Told { story, requests: Vec::new(), fault: None }));
        let shared = told.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = shared.clone();
                std::thread::spawn(move || answer(&stream, dialect, &told));
            }
        });
        Self { url, told }
    }

    pub(crate) fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }
}

/// Answers one request, and closes.
fn answer(stream: &TcpStream, dialect: Dialect, told: &Mutex<Told>) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    let (mut length, mut line) = (0, String::new());
    if reader.read_line(&mut first).unwrap_or_default() == 0 {
        return;
    }
    while reader.read_line(&mut line).unwrap_or_default() > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (kind, said) = match (dialect, path) {
        (Dialect::Messages, "/v1/messages") => message(&asked, told),
        (Dialect::Messages, "/v1/messages/count_tokens") => {
            ("application/json", json!({"input_tokens": 100}).to_string())
        }
        (Dialect::Responses, "/v1/responses") => ("text/event-stream", response(&asked, told)),
        _ => ("application/json", "{}".into()),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        said.len()
    );
    let mut stream = stream;
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(said.as_bytes());
}

/// The next thing to say: a tool and its arguments, or that all is done.
fn turn(asked: &Value, seen: &str, told: &Mutex<Told>) -> Option<(String, Value)> {
    let mut told = told.lock().unwrap();
    told.requests.push(asked.clone());
    let story = &mut told.story;
    let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story.next(seen)));
    match next {
        Ok(call) => call.map(|call| (call.tool.to_owned(), call.arguments)),
        Err(fault) => {
            let words = fault.downcast_ref::<String>().cloned();
            told.fault = Some(words.unwrap_or_else(|| "it broke off".into()));
            None
        }
    }
}

/// The text of what may be a text or blocks of it.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().map(|it| text(&it["text"])).collect(),
        _ => String::new(),
    }
}

fn events(events: &[Value]) -> String {
    let lines = events.iter().map(|event| {
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    });
    lines.collect()
}

/// What Anthropic's Messages are answered with.
fn message(asked: &Value, told: &Mutex<Told>) -> (&'static str, String) {
    let has_tools = asked["tools"].as_array().is_some_and(|tools| {
        tools.iter().any(|tool| tool["name"].as_str().is_some_and(|it| it.starts_with("mcp__")))
    });
    // Something else may come behind the result of a call.
    let blocks = asked["messages"].as_array().into_iter().flatten();
    let mut blocks = blocks.flat_map(|message| message["content"].as_array().into_iter().flatten());
    let result = blocks.rfind(|block| block["type"] == "tool_result");
    let seen = result.map(|it| text(&it["content"])).unwrap_or_default();
    // It is asked for other things too, such as a title, and then has no tools.
    let call = if has_tools { turn(asked, &seen, told) } else { None };
    let (reason, block) = match call {
        Some((tool, input)) => {
            let id = format!("toolu_{}", told.lock().unwrap().requests.len());
            let name = format!("mcp__casefile__{tool}");
            ("tool_use", json!({"type": "tool_use", "id": id, "name": name, "input": input}))
        }
        None => ("end_turn", json!({"type": "text", "text": "done"})),
    };
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let mut message = json!({"id": "msg_1", "type": "message", "role": "assistant",
        "model": asked["model"], "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": usage});
    if asked["stream"] != true {
        message["content"] = json!([block]);
        message["stop_reason"] = reason.into();
        return ("application/json", message.to_string());
    }
    let (mut start, delta) = (
        block.clone(),
        match reason {
            "tool_use" => {
                json!({"type": "input_json_delta", "partial_json": block["input"].to_string()})
            }
            _ => json!({"type": "text_delta", "text": block["text"]}),
        },
    );
    if reason == "tool_use" {
        start["input"] = json!({});
    } else {
        start["text"] = "".into();
    }
    let all = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": start}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
            "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    ("text/event-stream", events(&all))
}

/// What OpenAI's Responses are answered with.
fn response(asked: &Value, told: &Mutex<Told>) -> String {
    let mut items = asked["input"].as_array().into_iter().flatten();
    let result = items.rfind(|item| item["type"] == "function_call_output");
    let seen = result.map(|it| text(&it["output"])).unwrap_or_default();
    let item = match turn(asked, &seen, told) {
        Some((tool, arguments)) => {
            let id = format!("call_{}", told.lock().unwrap().requests.len());
            json!({"type": "function_call", "id": id, "call_id": id, "name": tool,
                "namespace": "mcp__casefile", "arguments": arguments.to_string()})
        }
        None => json!({"type": "message", "role": "assistant", "id": "msg_1",
            "content": [{"type": "output_text", "text": "done"}]}),
    };
    let usage = json!({"input_tokens": 1, "input_tokens_details": null, "output_tokens": 1,
        "output_tokens_details": null, "total_tokens": 2});
    events(&[
        json!({"type": "response.created", "response": {"id": "resp_1"}}),
        json!({"type": "response.output_item.done", "item": item}),
        json!({"type": "response.completed", "response": {"id": "resp_1", "usage": usage}}),
    ])
}
