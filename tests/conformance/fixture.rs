//! A server that has what the scenarios of the conformance suite ask for by name. It is
//! not casefile; it stands where casefile does, so that the suite can try all of the stack
//! that casefile is served by.

#![expect(deprecated, reason = "the older versions of the protocol are tried too")]

use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::task_manager::TaskManager;
use rmcp::{ErrorData, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

use crate::tools;

/// A picture of one grey point, and a hundredth of a second of silence.
pub(crate) const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGOoBwAAgQCA05RTSgAAAABJRU5ErkJggg==";
pub(crate) const SOUND: &str = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACAgICA";

/// What of a server's lists changed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Tools,
    Prompts,
}

#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) tasks: TaskManager,
    key: [u8; 32],
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        let mut random = std::fs::File::open("/dev/urandom").unwrap();
        std::io::Read::read_exact(&mut random, &mut key).unwrap();
        Self { changes: broadcast::Sender::new(16), tasks: TaskManager::new(), key }
    }

    /// What a client hands back, in a form in which it cannot be another.
    pub(crate) fn sealed(&self, what: &str) -> String {
        let inner = Sha256::digest([&self.key, what.as_bytes()].concat());
        let outer = Sha256::digest([&self.key[..], &inner[..]].concat());
        let mark: String = outer.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{what}.{mark}")
    }

    /// What was sealed, if this is that.
    pub(crate) fn opened(&self, state: Option<&str>) -> Result<Option<String>, ErrorData> {
        let Some(state) = state else { return Ok(None) };
        let what = state.split('.').next().unwrap_or_default();
        match self.sealed(what) == state {
            true => Ok(Some(what.to_owned())),
            false => Err(ErrorData::invalid_params("the request state is not ours", None)),
        }
    }
}

/// A type of the protocol, as it is on the wire.
pub(crate) fn of<T: DeserializeOwned>(value: Value) -> T {
    let shown = value.to_string();
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {shown}"))
}

/// A form with these fields, as a request to a client.
pub(crate) fn form(message: &str, properties: Value, required: &[&str]) -> Value {
    json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema":
        {"type": "object", "properties": properties, "required": required}}})
}

/// Requests to a client, as the result of a call.
pub(crate) fn input(requests: Value, state: Option<String>) -> InputRequiredResult {
    let mut result = json!({"resultType": "input_required", "inputRequests": requests});
    if let Some(state) = state {
        result["requestState"] = state.into();
    }
    of(result)
}

/// What a form was answered with under this name.
pub(crate) fn accepted(answers: Option<&InputResponses>, key: &str) -> Option<Value> {
    let answer = answers?.get(key)?;
    (answer["action"] == "accept" && answer["content"].is_object())
        .then(|| answer["content"].clone())
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_completions()
            .enable_logging()
            .enable_tasks()
            .build();
        let mut config = ServerConfig::new(capabilities);
        config.server_info = Implementation::new("conformance-fixture", "1");
        config
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    /// Its headers are held against what it takes.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        asked: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        tools::call(self, asked, context).await
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let argument = |name: &str| json!({"name": name, "description": name, "required": true});
        let prompt = |name: &str, arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|name| argument(name)).collect();
            json!({"name": name, "description": "For a scenario", "arguments": arguments})
        };
        Ok(ListPromptsResult::with_all_items(of(json!([
            prompt("test_simple_prompt", &[]),
            prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
            prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
            prompt("test_prompt_with_image", &[]),
            prompt("test_input_required_result_prompt", &[]),
        ]))))
    }

    async fn get_prompt(
        &self,
        asked: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = Value::Object(asked.arguments.unwrap_or_default());
        let text = |text: &str| json!({"type": "text", "text": text});
        let contents = match asked.name.as_str() {
            "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                let (one, two) = (given["arg1"].as_str(), given["arg2"].as_str());
                let (one, two) = (one.unwrap_or_default(), two.unwrap_or_default());
                vec![text(&format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
            }
            "test_prompt_with_embedded_resource" => {
                let resource = json!({"uri": given["resourceUri"], "mimeType": "text/plain",
                    "text": "Embedded resource content for testing."});
                let resource = json!({"type": "resource", "resource": resource});
                vec![resource, text("Please process the embedded resource above.")]
            }
            "test_prompt_with_image" => {
                let image = json!({"type": "image", "data": PICTURE, "mimeType": "image/png"});
                vec![image, text("Please analyze the image above.")]
            }
            "test_input_required_result_prompt" => {
                let Some(said) = accepted(asked.input_responses.as_ref(), "user_context") else {
                    let asks = form(
                        "What context should the prompt use?",
                        json!({"context": {"type": "string"}}),
                        &["context"],
                    );
                    return Ok(input(json!({"user_context": asks}), None).into());
                };
                vec![text(&format!("In the context of {}", said["context"]))]
            }
            other => {
                return Err(ErrorData::invalid_params(format!("there is no prompt {other}"), None));
            }
        };
        let messages: Vec<_> =
            contents.into_iter().map(|it| json!({"role": "user", "content": it})).collect();
        Ok(of::<GetPromptResult>(json!({"resultType": "complete", "messages": messages})).into())
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |name: &str, kind: &str| {
            json!({"uri": format!("test://{name}"), "name": name,
                "description": "For a scenario", "mimeType": kind})
        };
        Ok(ListResourcesResult::with_all_items(of(json!([
            resource("static-text", "text/plain"),
            resource("static-binary", "image/png"),
            resource("watched-resource", "text/plain"),
        ]))))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(of(json!([{
            "uriTemplate": "test://template/{id}/data", "name": "template",
            "description": "For a scenario", "mimeType": "application/json"}]))))
    }

    async fn read_resource(
        &self,
        asked: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = asked.uri.as_str();
        let id = uri.strip_prefix("test://template/").and_then(|it| it.strip_suffix("/data"));
        let contents = match (uri, id) {
            ("test://static-text", _) => json!({"uri": uri, "mimeType": "text/plain",
                "text": "This is the content of the static text resource."}),
            ("test://static-binary", _) => {
                json!({"uri": uri, "mimeType": "image/png", "blob": PICTURE})
            }
            ("test://watched-resource", _) => {
                json!({"uri": uri, "mimeType": "text/plain", "text": "It never changes."})
            }
            (_, Some(id)) => {
                let data = format!("Data for ID: {id}");
                let text = json!({"id": id, "templateTest": true, "data": data}).to_string();
                json!({"uri": uri, "mimeType": "application/json", "text": text})
            }
            _ => {
                let data = json!({"uri": uri});
                return Err(ErrorData::invalid_params("Resource not found", Some(data)));
            }
        };
        Ok(of::<ReadResourceResult>(json!({"resultType": "complete", "contents": [contents]}))
            .into())
    }

    async fn complete(
        &self,
        asked: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let all = ["testing", "tested", "other"].map(str::to_owned);
        let fit = all.into_iter().filter(|it| it.starts_with(&asked.argument.value)).collect();
        let fit = CompletionInfo::with_all_values(fit);
        fit.map(CompleteResult::new).map_err(|error| ErrorData::internal_error(error, None))
    }

    async fn set_level(
        &self,
        _asked: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(
        &self,
        _asked: SubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _asked: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        asked: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(asked.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes.subscribe();
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return Ok(()),
                change = changes.recv() => change,
            };
            // What was not asked for is held back by the stream itself.
            let _ = match change {
                Ok(Change::Tools) => context.sink().notify_tool_list_changed().await,
                Ok(Change::Prompts) => context.sink().notify_prompt_list_changed().await,
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
        }
    }

    async fn get_task(
        &self,
        asked: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.tasks.get_task(&asked.task_id).map(GetTaskResult::new)
    }

    async fn update_task(
        &self,
        asked: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&asked.task_id, asked.input_responses)
    }

    async fn cancel_task(
        &self,
        asked: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&asked.task_id)
    }
}
