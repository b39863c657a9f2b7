//! What the protocol asks of a server, answered for both of its eras by the same code: a
//! client that begins with `initialize`, and one that says all it is with each request.

use std::sync::{Arc, OnceLock};

use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    CompletionInfo, ContentBlock, CustomRequest, CustomResult, ErrorCode, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    PromptMessage, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, ResourceContents, Role, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use tokio::sync::{Semaphore, watch};

use super::attend::Progress;
use super::cases::Cases;
use super::catalogue::{CORE, Does};
use super::desk::Desk;
use super::errors::Code;
use super::http::WorkedOn;
use super::served::{self, Unservable};
use super::work::Work;
use super::{instructions, listed, prompts};
use crate::access::Principal;
use crate::case::CaseId;
use crate::tools::Stop;

/// So many calls are done at the same time; more of them wait.
pub(super) const CALLS_MAX: u32 = 64;
/// How long a client may take the list of tools for what it is.
const LIST_FRESH_MS: u64 = 60 * 60 * 1000;

/// The cases of a machine, or one of them, as an MCP server.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds what opens jails")]
pub struct Server {
    pub(super) work: Arc<Work>,
    /// Known when somebody first asks: what it takes is read from files.
    tools: Arc<OnceLock<Vec<Tool>>>,
    pub(super) free: Arc<Semaphore>,
    /// Whether the server is about to end.
    pub(super) ending: watch::Sender<bool>,
}

impl Server {
    /// A server of all cases, or of the one it is bound to.
    pub fn new(cases: Arc<dyn Cases>, bound: Option<CaseId>) -> Result<Self, Unservable> {
        served::check()?;
        let desk = Arc::new(Desk::new(cases.clone()));
        Ok(Self {
            work: Arc::new(Work { cases, desk, bound, who: None }),
            tools: Arc::default(),
            free: Arc::new(Semaphore::new(CALLS_MAX as usize)),
            ending: watch::Sender::new(false),
        })
    }

    /// The tools that are listed. The first time it looks at files.
    pub(super) fn tools(&self) -> &[Tool] {
        self.tools.get_or_init(|| {
            let Work { cases, bound, .. } = &*self.work;
            // Without an answer the worse is said.
            let has_network = cases.has_network(bound.as_ref()).unwrap_or(true);
            let is_bound = bound.is_some();
            let tools = CORE.iter().filter(|tool| !is_bound || tool.does != Does::Open);
            tools.map(|tool| listed::tool(tool, is_bound, has_network)).collect()
        })
    }

    /// Ends all calls, and lets none begin.
    pub(super) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Waits until no call is on.
    pub(super) async fn all_done(&self) {
        let _ = self.free.acquire_many(CALLS_MAX).await;
    }

    /// What there is for whoever asks.
    fn work_for(&self, context: &RequestContext<RoleServer>) -> Result<Arc<Work>, ErrorData> {
        let Some(parts) = context.extensions.get::<hyper::http::request::Parts>() else {
            // Not over HTTP: whoever started the server asks.
            return Ok(self.work.clone());
        };
        match parts.extensions.get::<Principal>() {
            Some(who) => Ok(Arc::new(self.work.as_seen_by(Some(who.clone())))),
            // Nobody gets this far without one, or something is wrong here.
            None => Err(ErrorData::internal_error("nobody knows who asks", None)),
        }
    }
}

/// Whether there is this case for whoever asks.
async fn is_there(work: &Arc<Work>, id: &CaseId) -> bool {
    let (work, id) = (work.clone(), id.clone());
    tokio::task::spawn_blocking(move || work.meant(id.as_str()).is_ok()).await.unwrap_or(false)
}

/// What a call holds as long as it goes on, whoever still waits for it.
fn place(context: &RequestContext<RoleServer>) -> Option<WorkedOn> {
    let parts = context.extensions.get::<hyper::http::request::Parts>()?;
    parts.extensions.get().cloned()
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .build();
        let mut config = ServerConfig::new(capabilities).with_instructions(instructions::TEXT);
        config.server_info = Implementation::new("casefile", env!("CARGO_PKG_VERSION"));
        config
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let may_write = self.work_for(&context)?.may_write();
        let is_listed = |tool: &&Tool| may_write || listed::only_looks(tool);
        let tools = self.tools().iter().filter(is_listed).cloned().collect();
        let list = ListToolsResult::with_all_items(tools);
        let is_modern =
            context.protocol_version().is_some_and(|it| it >= ProtocolVersion::V_2026_07_28);
        Ok(if is_modern { list.with_ttl_ms(LIST_FRESH_MS) } else { list })
    }

    async fn call_tool(
        &self,
        asked: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let work = self.work_for(&context)?;
        let token = context.meta.get_progress_token();
        let progress = token.map(|token| Progress { peer: context.peer.clone(), token });
        let (name, given) = (asked.name.into_owned(), asked.arguments.unwrap_or_default());
        let tool = name.clone();
        let place = place(&context);
        let is_at_hand = work.is_at_hand(&name, &given);
        let act = move |work: &Work, stop: &Stop| {
            let _place = place;
            work.answer(&tool, given, stop)
        };
        let gone = context.ct.cancelled();
        let answer = self.attend(work, name, is_at_hand, act, gone, progress).await;
        let text = answer.shown.text();
        Ok(match answer.code {
            None => CallToolResult::success(vec![ContentBlock::text(text)]),
            Some(code) => {
                let text = format!("{text}code: {code}\n");
                CallToolResult::error(vec![ContentBlock::text(text)])
            }
        }
        .into())
    }

    async fn on_custom_request(
        &self,
        asked: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let what = format!("there is no method `{}`", asked.method);
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, what, None))
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let work = self.work_for(&context)?;
        let bound = match &work.bound {
            Some(bound) if is_there(&work, bound).await => Some(bound),
            _ => None,
        };
        Ok(ListResourcesResult::with_all_items(listed::resources(bound)))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(listed::templates()))
    }

    async fn read_resource(
        &self,
        asked: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let work = self.work_for(&context)?;
        let uri = asked.uri.clone();
        let place = place(&context);
        let act = move |work: &Work, stop: &Stop| {
            let _place = place;
            work.resource(&uri, stop)
        };
        let name = "resources/read".to_owned();
        let answer = self.attend(work, name, false, act, context.ct.cancelled(), None).await;
        let text = answer.shown.text();
        match answer.code {
            None => {
                let text = ResourceContents::text(text, asked.uri).with_mime_type(listed::PLAIN);
                Ok(ReadResourceResult::new(vec![text]).into())
            }
            // There is no other way to say so of a resource.
            Some(Code::NotFound) => {
                let which = serde_json::json!({ "uri": asked.uri });
                Err(ErrorData::resource_not_found(text.to_owned(), Some(which)))
            }
            Some(Code::InternalError) => Err(ErrorData::internal_error(text.to_owned(), None)),
            Some(_) => Err(ErrorData::invalid_params(text.to_owned(), None)),
        }
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(listed::prompts()))
    }

    async fn get_prompt(
        &self,
        asked: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        match prompts::written(&asked.name, asked.arguments.unwrap_or_default()) {
            Ok(text) => {
                let text = self.work.good(&text);
                let message = PromptMessage::new_text(Role::User, text.shown.text());
                Ok(GetPromptResult::new(vec![message]).into())
            }
            Err(told) => {
                let told = self.work.told(&told);
                Err(ErrorData::invalid_params(told.shown.text().to_owned(), None))
            }
        }
    }

    async fn complete(
        &self,
        asked: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let work = self.work_for(&context)?;
        if !["case", "id"].contains(&asked.argument.name.as_str()) {
            return Ok(CompleteResult::default());
        }
        let beginning = asked.argument.value;
        let ids = tokio::task::spawn_blocking(move || work.ids(&beginning)).await;
        // A list that cannot be had is no list: this is no place for a failure.
        let mut ids = ids.ok().and_then(Result::ok).unwrap_or_default();
        let total = u32::try_from(ids.len()).ok();
        let has_more = CompletionInfo::MAX_VALUES < ids.len();
        ids.truncate(CompletionInfo::MAX_VALUES);
        let info = CompletionInfo::with_pagination(ids, total, has_more);
        Ok(info.map(CompleteResult::new).unwrap_or_default())
    }
}
