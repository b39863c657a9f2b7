//! The tools that the scenarios of the conformance suite call by name.

use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions};
use serde_json::{Map, Value, json};

use crate::fixture::{Change, Fixture, PICTURE, SOUND, accepted, form, input, of};

/// Between two notifications of a call.
const STEP: Duration = Duration::from_millis(50);

/// Tools that take nothing.
const PLAIN: &[&str] = &[
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_tool_with_logging",
    "test_tool_with_progress",
    "test_error_handling",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_reconnection",
    "test_missing_capability",
    "test_streaming_elicitation",
    "test_logging_tool",
    "test_trigger_tool_change",
    "test_trigger_prompt_change",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
    "test_tool_with_task",
    "failing_job",
    "protocol_error_job",
    "multi_input",
];

/// All tools, in the order in which they are listed.
pub(crate) fn all() -> Vec<Tool> {
    let tool = |name: &'static str, schema: Value| {
        Tool::new(name, "For a scenario", of::<Map<String, Value>>(schema))
    };
    let texts = |name: &'static str, names: &[&str]| {
        let properties: Map<_, _> =
            names.iter().map(|it| ((*it).to_owned(), json!({"type": "string"}))).collect();
        tool(name, json!({"type": "object", "properties": properties}))
    };
    let mut all: Vec<_> = PLAIN.iter().map(|name| texts(name, &[])).collect();
    all.extend([
        texts("test_sampling", &["prompt"]),
        texts("test_elicitation", &["message"]),
        texts("greet", &["name"]),
        texts("confirm_delete", &["filename"]),
        tool(
            "slow_compute",
            json!({"type": "object", "properties":
                {"seconds": {"type": "integer"}, "label": {"type": "string"}}}),
        ),
        tool(
            "test_headers",
            json!({"type": "object", "properties":
                {"region": {"type": "string", "x-mcp-header": "Region"}}}),
        ),
        tool(
            "json_schema_2020_12_tool",
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties":
                    {"street": {"type": "string"}, "city": {"type": "string"}}}},
                "properties": {
                    "name": {"type": "string"},
                    "address": {"$ref": "#/$defs/address"},
                    "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                    "phone": {"type": "string"},
                    "email": {"type": "string"},
                },
                "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
                "if": {"properties": {"contactMethod": {"const": "phone"}},
                    "required": ["contactMethod"]},
                "then": {"required": ["phone"]},
                "else": {"required": ["email"]},
                "additionalProperties": false,
            }),
        ),
    ]);
    all
}

fn text(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

fn content(content: Value) -> CallToolResponse {
    of::<CallToolResult>(json!({"resultType": "complete", "content": content})).into()
}

pub(crate) async fn call(
    fixture: &Fixture,
    asked: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let given = Value::Object(asked.arguments.clone().unwrap_or_default());
    let name = asked.name.as_ref();
    let embedded = |uri: &str, kind: &str, text: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}});
    let image = json!({"type": "image", "data": PICTURE, "mimeType": "image/png"});
    Ok(match name {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => content(json!([image])),
        "test_audio_content" => {
            content(json!([{"type": "audio", "data": SOUND, "mimeType": "audio/wav"}]))
        }
        "test_embedded_resource" => content(json!([embedded(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content."
        )])),
        "test_multiple_content_types" => content(json!([
            {"type": "text", "text": "Multiple content types test:"},
            image,
            embedded("test://mixed-content-resource", "application/json", "{\"test\":\"data\"}"),
        ])),
        "test_error_handling" => {
            let said = "This tool intentionally returns an error for testing";
            CallToolResult::error(vec![ContentBlock::text(said)]).into()
        }
        "test_tool_with_progress" => with_progress(&context).await,
        "test_tool_with_logging" => {
            log(&context, &["Tool execution started", "Tool processing data"]).await;
            log(&context, &["Tool execution completed"]).await;
            text("logged")
        }
        "test_logging_tool" => {
            if context.meta.log_level().is_some() {
                log(&context, &["as asked for"]).await;
            }
            text("logged, if that was asked for")
        }
        "test_sampling" => {
            let message = json!({"role": "user", "content":
                {"type": "text", "text": given["prompt"]}});
            let params = json!({"messages": [message], "maxTokens": 100});
            let asks = json!({"method": "sampling/createMessage", "params": params});
            text(format!("LLM response: {}", ask(&context, asks).await?))
        }
        "test_elicitation" => {
            let fields = json!({"username": {"type": "string"}, "email": {"type": "string"}});
            let message = given["message"].as_str().unwrap_or_default();
            let asks = form(message, fields, &["username", "email"]);
            text(format!("User response: {}", ask(&context, asks).await?))
        }
        "test_elicitation_sep1034_defaults" => {
            let asks = form("Defaults", defaults(), &[]);
            text(format!("Elicitation completed: {}", ask(&context, asks).await?))
        }
        "test_elicitation_sep1330_enums" => {
            let asks = form("Choices", choices(), &[]);
            text(format!("Elicitation completed: {}", ask(&context, asks).await?))
        }
        "test_missing_capability" => {
            match context.client_capabilities().and_then(|it| it.sampling) {
                Some(_) => text("it could be asked for"),
                None => return Err(lacks(json!({"sampling": {}}))),
            }
        }
        "test_streaming_elicitation" => match context.client_capabilities() {
            Some(ClientCapabilities { elicitation: Some(_), .. }) => {
                let asks = form("Go on?", json!({"ok": {"type": "boolean"}}), &["ok"]);
                input(json!({"ok": asks}), None).into()
            }
            _ => return Err(lacks(json!({"elicitation": {}}))),
        },
        "test_trigger_tool_change" | "test_trigger_prompt_change" => {
            // Whoever was just told that they listen has to have begun to.
            tokio::time::sleep(STEP).await;
            let is_tool = name == "test_trigger_tool_change";
            let change = if is_tool { Change::Tools } else { Change::Prompts };
            let _ = fixture.changes.send(change);
            text("changed")
        }
        "test_reconnection" => text("there was no need to connect again"),
        "greet" => text(format!("Hello, {}!", given["name"].as_str().unwrap_or("stranger"))),
        "test_headers" | "json_schema_2020_12_tool" => text("called"),
        "test_tool_with_task"
        | "slow_compute"
        | "failing_job"
        | "protocol_error_job"
        | "confirm_delete"
        | "multi_input" => task(fixture, name, &asked, &context).await?,
        _ => match input_required(fixture, &asked, &context)? {
            Some(response) => response,
            None => {
                return Err(ErrorData::invalid_params(format!("there is no tool {name}"), None));
            }
        },
    })
}

/// The client has not said that it can do this.
fn lacks(capabilities: Value) -> ErrorData {
    ErrorData::missing_required_client_capability(of(capabilities))
}

/// Asks a client of the older versions, and has its answer as it is on the wire.
async fn ask(context: &RequestContext<RoleServer>, asks: Value) -> Result<Value, ErrorData> {
    let answer = context.peer.send_request(of::<ServerRequest>(asks)).await;
    let answer = answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    serde_json::to_value(answer).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

async fn log(context: &RequestContext<RoleServer>, lines: &[&str]) {
    for line in lines {
        let params = of(json!({"level": "info", "data": line}));
        #[expect(deprecated, reason = "the older versions of the protocol are tried too")]
        let _ = context.peer.notify_logging_message(params).await;
        tokio::time::sleep(STEP).await;
    }
}

async fn with_progress(context: &RequestContext<RoleServer>) -> CallToolResponse {
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let mut news = ProgressNotificationParam::new(token, done);
            news.total = Some(100.0);
            let _ = context.peer.notify_progress(news).await;
        }
        tokio::time::sleep(STEP).await;
    }
    text("done")
}

fn defaults() -> Value {
    json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"],
            "default": "active"},
        "verified": {"type": "boolean", "default": true},
    })
}

fn choices() -> Value {
    let plain = json!(["option1", "option2", "option3"]);
    let titled = json!([{"const": "value1", "title": "First"},
        {"const": "value2", "title": "Second"}, {"const": "value3", "title": "Third"}]);
    json!({
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    })
}

fn ask_name(message: &str) -> Value {
    form(message, json!({"name": {"type": "string"}}), &["name"])
}

fn ask_model(prompt: &str) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": prompt}});
    json!({"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": 100}})
}

fn ask_roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

/// The tools that answer with a question; nothing if it is none of them.
fn input_required(
    fixture: &Fixture,
    asked: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Option<CallToolResponse>, ErrorData> {
    let answers = asked.input_responses.as_ref();
    let has = |key: &str| answers.is_some_and(|it| it.get(key).is_some_and(Value::is_object));
    let state = fixture.opened(asked.request_state.as_deref())?;
    let Some(kind) = asked.name.strip_prefix("test_input_required_result_") else {
        return Ok(None);
    };
    let confirm = || form("Please confirm", json!({"ok": {"type": "boolean"}}), &["ok"]);
    Ok(Some(match kind {
        "elicitation" => match accepted(answers, "user_name") {
            Some(said) => text(format!("Hello, {}!", said["name"].as_str().unwrap_or_default())),
            None => input(json!({"user_name": ask_name("What is your name?")}), None).into(),
        },
        "sampling" if has("capital_question") => text("Paris, it is said"),
        "sampling" => {
            let asks = ask_model("What is the capital of France?");
            input(json!({"capital_question": asks}), None).into()
        }
        "list_roots" if has("client_roots") => text("the roots are known"),
        "list_roots" => input(json!({"client_roots": ask_roots()}), None).into(),
        "request_state" | "tampered_state" => match state.as_deref() {
            Some("confirm") if has("confirm") => text("state-ok"),
            _ => input(json!({"confirm": confirm()}), Some(fixture.sealed("confirm"))).into(),
        },
        "multiple_inputs" => {
            let is_all = has("user_name") && has("greeting") && has("client_roots");
            match state.as_deref() {
                Some("three") if is_all => text("all three are answered"),
                _ => {
                    let asks = json!({"user_name": ask_name("What is your name?"),
                        "greeting": ask_model("Generate a greeting"), "client_roots": ask_roots()});
                    input(asks, Some(fixture.sealed("three"))).into()
                }
            }
        }
        "multi_round" => match state.as_deref() {
            Some("two") if has("step2") => text("both are answered"),
            Some("one") if has("step1") => {
                let fields = json!({"color": {"type": "string"}});
                let asks = form("Step 2: What is your favorite color?", fields, &["color"]);
                input(json!({"step2": asks}), Some(fixture.sealed("two"))).into()
            }
            _ => {
                let asks = ask_name("Step 1: What is your name?");
                input(json!({"step1": asks}), Some(fixture.sealed("one"))).into()
            }
        },
        "capabilities" => {
            let can = context.client_capabilities().unwrap_or_default();
            let mut asks = Map::new();
            if can.sampling.is_some() {
                asks.insert("model".into(), ask_model("Say something"));
            }
            if can.elicitation.is_some() {
                asks.insert("name".into(), ask_name("What is your name?"));
            }
            match asks.is_empty() {
                true => text("there is nobody to ask"),
                false => input(asks.into(), None).into(),
            }
        }
        _ => return Ok(None),
    }))
}

/// The tools that are tasks where the client knows of those.
async fn task(
    fixture: &Fixture,
    name: &str,
    asked: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let given = Value::Object(asked.arguments.clone().unwrap_or_default());
    let seconds = given["seconds"].as_u64().unwrap_or_default();
    if !context.client_capabilities().is_some_and(|it| it.supports_tasks()) {
        if name == "slow_compute" {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            return Ok(text(format!("computed for {seconds} s")));
        }
        return Err(lacks(json!({"extensions": {"io.modelcontextprotocol/tasks": {}}})));
    }
    let mut who = String::new();
    if name == "test_tool_with_task" {
        let Some(said) = accepted(asked.input_responses.as_ref(), "user_name") else {
            return Ok(input(json!({"user_name": ask_name("Who asks?")}), None).into());
        };
        said["name"].as_str().unwrap_or_default().clone_into(&mut who);
    }
    let name = name.to_owned();
    let options = TaskOptions::new().with_poll_interval_ms(100);
    let begin = |task: TaskContext| -> TaskFuture { Box::pin(work(name, seconds, who, task)) };
    Ok(CallToolResponse::Task(CreateTaskResult::new(fixture.tasks.spawn(options, begin))))
}

/// What such a task does.
async fn work(
    name: String,
    seconds: u64,
    who: String,
    task: TaskContext,
) -> Result<CallToolResult, TaskExit> {
    let done = |said: String| Ok(CallToolResult::success(vec![ContentBlock::text(said)]));
    let confirm = || of(form("Sure?", json!({"confirm": {"type": "boolean"}}), &["confirm"]));
    match name.as_str() {
        "slow_compute" => tokio::select! {
            () = task.cancelled() => Err(TaskExit::Cancelled),
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {
                done(format!("computed for {seconds} s"))
            }
        },
        "failing_job" => {
            tokio::time::sleep(4 * STEP).await;
            Ok(CallToolResult::error(vec![ContentBlock::text("it failed, as it always does")]))
        }
        "protocol_error_job" => Err(ErrorData::internal_error("it broke down", None).into()),
        "confirm_delete" => {
            let said = task.request_input("confirm", confirm()).await?;
            done(format!("deleted, after {said}"))
        }
        "multi_input" => {
            let one = task.request_input("one", confirm());
            let (one, other) = tokio::join!(one, task.request_input("other", confirm()));
            done(format!("{} and {}", one?, other?))
        }
        _ => done(format!("done for {who}")),
    }
}
