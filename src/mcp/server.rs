//! What the protocol asks of a server, answered for both of its eras by the same code: a
//! client that begins with `initialize`, and one that says all it is with each request.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    CompletionInfo, ContentBlock, CustomRequest, CustomResult, ErrorCode, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, MetaObject,
    PaginatedRequestParams, ProgressNotificationParam, ProgressToken, Prompt, PromptArgument,
    PromptMessage, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Resource, ResourceContents, ResourceTemplate, Role, ServerCapabilities,
    ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{Peer, ServerHandler};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::cases::Cases;
use super::catalogue::{self, CORE, Definition, Does, ReadsOnly, Unservable};
use super::desk::Desk;
use super::errors::{Code, Told};
use super::http::WorkedOn;
use super::prompts::{Blank, TASKS, Task};
use super::resources::{FIXED, Fixed, OF_CASES};
use super::work::{Answer, Work};
use super::{instructions, prompts};
use crate::access::Principal;
use crate::case::CaseId;
use crate::tools::Stop;

/// So many calls are done at the same time; more of them wait.
pub(super) const CALLS_MAX: u32 = 64;
/// How often a client hears that a call is still on. Sooner than any client's patience
/// ends, and not so often that it costs anything.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// What all that can be read is.
const PLAIN: &str = "text/plain";
/// How long a client may take the list of tools for what it is.
const LIST_FRESH_MS: u64 = 60 * 60 * 1000;

/// The cases of a machine, or one of them, as an MCP server.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds what opens jails")]
pub struct Server {
    pub(super) work: Arc<Work>,
    tools: Arc<[Tool]>,
    free: Arc<Semaphore>,
    /// Whether the server is about to end.
    ending: watch::Sender<bool>,
}

impl Server {
    /// A server of all cases, or of the one it is bound to.
    pub fn new(cases: Arc<dyn Cases>, bound: Option<CaseId>) -> Result<Self, Unservable> {
        catalogue::check()?;
        // Without an answer the worse is said.
        let has_network = cases.has_network(bound.as_ref()).unwrap_or(true);
        let is_bound = bound.is_some();
        let tools = CORE.iter().filter(|tool| !is_bound || tool.does != Does::Open);
        let tools = tools.map(|tool| listed(tool, is_bound, has_network)).collect();
        let desk = Arc::new(Desk::new(cases.clone()));
        Ok(Self {
            work: Arc::new(Work { cases, desk, bound, who: None }),
            tools,
            free: Arc::new(Semaphore::new(CALLS_MAX as usize)),
            ending: watch::Sender::new(false),
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

    /// Does one call where it may take its time. `gone` is when nobody wants it any more.
    async fn attend(
        &self,
        work: Arc<Work>,
        name: String,
        act: impl FnOnce(&Work, &Stop) -> Answer + Send + 'static,
        gone: impl Future<Output = ()>,
        progress: Option<Progress>,
    ) -> Answer {
        let failed = |what: String| self.work.told(&Told::new(Code::InternalError, what));
        let stop = match Stop::new() {
            Ok(stop) => Arc::new(stop),
            Err(error) => return failed(format!("no call can begin: {error}")),
        };
        let stopped = stop.clone();
        let free = self.free.clone();
        let call = async move {
            // Never closed, so there is always one at last.
            let permit = free.acquire_owned().await;
            let act = move || {
                let _permit = permit;
                // Nobody waits for it any more, so it need not be begun.
                if stopped.is_wanted() {
                    return work.told(&Told::new(Code::Cancelled, "it was cancelled"));
                }
                act(&work, &stopped)
            };
            tokio::task::spawn_blocking(act).await
        };
        let mut ending = self.ending.subscribe();
        let over = async {
            tokio::select! {
                () = gone => {}
                _ = ending.wait_for(|is_ending| *is_ending) => {}
            }
            stop.stop();
            std::future::pending::<()>().await;
        };
        let told = async {
            match progress {
                Some(progress) => progress.tell(&name).await,
                None => std::future::pending().await,
            }
        };
        // The answer comes first, so that nothing is told once it is there.
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = over => return failed("nobody waits for this call".into()),
            () = told => return failed("nobody hears of this call".into()),
        };
        answer.unwrap_or_else(|error| {
            let how = if error.is_panic() { "broke down" } else { "was left off" };
            failed(format!("casefile {how} while it did `{name}`"))
        })
    }
}

/// Somebody who wants to know that a call is still on.
struct Progress {
    peer: Peer<RoleServer>,
    token: ProgressToken,
}

impl Progress {
    /// Tells now and then, and never ends.
    async fn tell(self, tool: &str) {
        let began = Instant::now();
        let mut ticks = interval_at(began + PROGRESS_EVERY, PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let seconds = began.elapsed().as_secs();
            #[expect(clippy::cast_precision_loss, reason = "no call takes so many seconds")]
            let mut news = ProgressNotificationParam::new(self.token.clone(), seconds as f64);
            news.message = Some(format!("{tool} has been running for {seconds} s"));
            // A client that does not read it is told by its own pipe.
            let _ = self.peer.notify_progress(news).await;
        }
    }
}

/// Whether a tool can be called by one who may only look.
fn only_looks(tool: &Tool) -> bool {
    tool.annotations.as_ref().is_some_and(|hints| hints.read_only_hint == Some(true))
}

/// Whether there is this case for whoever asks.
async fn is_there(work: &Arc<Work>, id: &CaseId) -> bool {
    let (work, id) = (work.clone(), id.clone());
    tokio::task::spawn_blocking(move || work.meant(id.as_str()).is_ok()).await.unwrap_or(false)
}

/// A tool as clients list it.
fn listed(tool: &Definition, is_bound: bool, has_network: bool) -> Tool {
    let reads_only = matches!(tool.reads_only, ReadsOnly::Yes);
    // Only commands reach what is outside, and all that is changed is in a jail, or is
    // one more case.
    let is_open = has_network && tool.does == Does::Work && tool.name == "shell";
    let mut hints = ToolAnnotations::new().read_only(reads_only).open_world(is_open);
    if !reads_only {
        hints = hints.destructive(false);
    }
    let listed =
        Tool::new(tool.name, tool.description, tool.schema(is_bound)).with_annotations(hints);
    // The others are looked for when they are needed, and there is a tool for that.
    if matches!(tool.does, Does::Close | Does::Door { .. }) {
        return listed;
    }
    let mut meta = MetaObject::default();
    meta.0.insert("anthropic/alwaysLoad".into(), true.into());
    listed.with_meta(meta)
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
        let is_listed = |tool: &&Tool| may_write || only_looks(tool);
        let tools = self.tools.iter().filter(is_listed).cloned().collect();
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
        let parts = context.extensions.get::<hyper::http::request::Parts>();
        let place = parts.and_then(|parts| parts.extensions.get::<WorkedOn>().cloned());
        let act = move |work: &Work, stop: &Stop| {
            let _place = place;
            work.answer(&tool, given, stop)
        };
        let answer = self.attend(work, name, act, context.ct.cancelled(), progress).await;
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
        let resource = |it: &Fixed, uri: String| {
            Resource::new(uri, it.name).with_description(it.about).with_mime_type(PLAIN)
        };
        let mut all: Vec<_> = FIXED.iter().map(|it| resource(it, it.uri.into())).collect();
        if let Some(bound) = &work.bound
            && is_there(&work, bound).await
        {
            // What else a template stands for is found by its number.
            let journal = &OF_CASES[0];
            all.push(resource(journal, journal.uri.replace("{id}", bound.as_str())));
        }
        Ok(ListResourcesResult::with_all_items(all))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = |it: &Fixed| {
            ResourceTemplate::new(it.uri, it.name).with_description(it.about).with_mime_type(PLAIN)
        };
        Ok(ListResourceTemplatesResult::with_all_items(OF_CASES.iter().map(template).collect()))
    }

    async fn read_resource(
        &self,
        asked: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let work = self.work_for(&context)?;
        let uri = asked.uri.clone();
        let act = move |work: &Work, stop: &Stop| work.resource(&uri, stop);
        let name = "resources/read".to_owned();
        let answer = self.attend(work, name, act, context.ct.cancelled(), None).await;
        let text = answer.shown.text();
        match answer.code {
            None => {
                let text = ResourceContents::text(text, asked.uri).with_mime_type(PLAIN);
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
        let argument = |blank: &Blank| {
            PromptArgument::new(blank.name)
                .with_description(blank.about)
                .with_required(blank.is_needed)
        };
        let prompt = |task: &Task| {
            let takes = task.takes.iter().map(argument).collect();
            Prompt::new(task.name, Some(task.about), Some(takes))
        };
        Ok(ListPromptsResult::with_all_items(TASKS.iter().map(prompt).collect()))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::cases::{Cases, OpenCase};
    use super::super::errors::{Code, Told};
    use super::Server;
    use crate::access::Principal;
    use crate::case::CaseId;
    use crate::outputs::{Budget, Secrets, Shown};
    use crate::tools::Session;

    /// Cases that break down when somebody looks for one.
    struct Broken(Secrets);

    impl Cases for Broken {
        fn find(&self, given: &str, _: Option<&Principal>) -> Result<CaseId, Told> {
            panic!("looked for {given}")
        }

        fn open(&self, _: &OpenCase, _: Option<&Principal>) -> Result<String, Told> {
            Ok("opened".into())
        }

        fn enter(&self, _: &CaseId) -> Result<Session, Told> {
            Err(no())
        }

        fn close(&self, _: &CaseId) -> Result<String, Told> {
            Err(no())
        }

        fn fork(&self, _: &CaseId, _: Option<&str>, _: Option<&Principal>) -> Result<String, Told> {
            Err(no())
        }

        fn status(&self, _: &CaseId, _: Option<&Principal>) -> Result<String, Told> {
            Err(no())
        }

        fn journal(&self, _: &CaseId, _: usize) -> Result<String, Told> {
            Err(no())
        }

        fn output(&self, _: &CaseId, _: u64) -> Result<String, Told> {
            Err(no())
        }

        fn recent(
            &self,
            _: usize,
            _: Option<&CaseId>,
            _: Option<&Principal>,
        ) -> Result<String, Told> {
            Err(no())
        }

        fn ids(&self, _: Option<&Principal>) -> Result<Vec<CaseId>, Told> {
            Err(no())
        }

        fn why(&self, _: &CaseId, _: &str) -> Result<String, Told> {
            Err(no())
        }

        fn has_network(&self, _: Option<&CaseId>) -> Result<bool, Told> {
            Err(no())
        }

        fn show(&self, text: &str) -> Shown {
            Shown::of(text, &self.0, Budget::MAX)
        }
    }

    fn no() -> Told {
        Told::new(Code::NotFound, "there is none")
    }

    #[test]
    fn a_panic_in_one_call_is_the_answer_to_it_and_the_next_goes_on() {
        let secrets = Secrets::new([0; 16], Vec::new()).unwrap();
        let server = Server::new(Arc::new(Broken(secrets)), None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let call = |tool: &'static str, given: serde_json::Value| {
            let given = given.as_object().unwrap().clone();
            let act = move |work: &super::Work, stop: &super::Stop| work.answer(tool, given, stop);
            runtime.block_on(server.attend(
                server.work.clone(),
                tool.into(),
                act,
                std::future::pending(),
                None,
            ))
        };
        let broken = call("read_file", json!({"case": "a", "path": "b"}));
        assert_eq!(broken.code, Some(Code::InternalError));
        assert_eq!(
            broken.shown.text(),
            "error: casefile broke down while it did `read_file`\n\
             hint: Try it once more, then tell a person.\n"
        );
        let good = call("open_case", json!({}));
        assert_eq!((good.code, good.shown.text()), (None, "opened\n"));
        // Where it is not known whether there is a network, the worse is said.
        let shell = server.tools.iter().find(|tool| tool.name == "shell").unwrap();
        assert_eq!(shell.annotations.as_ref().unwrap().open_world_hint, Some(true));
        // A call that nobody waits for any more is not begun.
        server.end();
        let act = |_: &super::Work, _: &super::Stop| panic!("begun");
        runtime.block_on(async {
            let held = server.free.acquire_many(super::CALLS_MAX).await.unwrap();
            let late = server.attend(
                server.work.clone(),
                "late".into(),
                act,
                std::future::pending(),
                None,
            );
            let late = tokio::join!(late, async {
                tokio::task::yield_now().await;
                drop(held);
            });
            assert_eq!(late.0.code, Some(Code::Cancelled));
            assert!(late.0.shown.text().starts_with("error: it was cancelled\n"));
        });
    }
}
