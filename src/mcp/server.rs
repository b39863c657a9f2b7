//! What the protocol asks of a server, answered for both of its eras by the same code: a
//! client that begins with `initialize`, and one that says all it is with each request.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    Implementation, JsonObject, ListToolsResult, MetaObject, PaginatedRequestParams,
    ProgressNotificationParam, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{Peer, ServerHandler};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::cases::Cases;
use super::catalogue::{self, CORE, Definition, Does, ReadsOnly, Unservable};
use super::desk::Desk;
use super::errors::{Code, Told};
use super::instructions;
use super::work::{Answer, Work};
use crate::case::CaseId;
use crate::tools::Stop;

/// So many calls are done at the same time; more of them wait.
pub(super) const CALLS_MAX: u32 = 64;
/// How often a client hears that a call is still on. Sooner than any client's patience
/// ends, and not so often that it costs anything.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
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
        let desk = Desk::new(cases.clone());
        Ok(Self {
            work: Arc::new(Work { cases, desk, bound }),
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

    /// Does one call where it may take its time. `gone` is when nobody wants it any more.
    async fn attend(
        &self,
        tool: String,
        given: JsonObject,
        gone: impl Future<Output = ()>,
        progress: Option<Progress>,
    ) -> Answer {
        let failed = |what: String| self.work.told(&Told::new(Code::InternalError, what));
        let stop = match Stop::new() {
            Ok(stop) => Arc::new(stop),
            Err(error) => return failed(format!("no call can begin: {error}")),
        };
        let (work, stopped, name) = (self.work.clone(), stop.clone(), tool.clone());
        let free = self.free.clone();
        let call = async move {
            // Never closed, so there is always one at last.
            let permit = free.acquire_owned().await;
            let act = move || {
                let _permit = permit;
                // Nobody waits for it any more, so it need not be begun.
                if stopped.is_wanted() {
                    return work.told(&Told::new(Code::InternalError, "it was cancelled"));
                }
                work.answer(&tool, given, &stopped)
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
            std::future::pending::<()>().await
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
    token: rmcp::model::ProgressToken,
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
    let mut meta = MetaObject::default();
    meta.0.insert("anthropic/alwaysLoad".into(), true.into());
    Tool::new(tool.name, tool.description, tool.schema(is_bound))
        .with_annotations(hints)
        .with_meta(meta)
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let mut config = ServerConfig::new(capabilities).with_instructions(instructions::TEXT);
        config.server_info = Implementation::new("casefile", env!("CARGO_PKG_VERSION"));
        config
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let list = ListToolsResult::with_all_items(self.tools.to_vec());
        let is_modern =
            context.protocol_version().is_some_and(|it| it >= ProtocolVersion::V_2026_07_28);
        Ok(if is_modern { list.with_ttl_ms(LIST_FRESH_MS) } else { list })
    }

    async fn call_tool(
        &self,
        asked: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let token = context.meta.get_progress_token();
        let progress = token.map(|token| Progress { peer: context.peer.clone(), token });
        let given = asked.arguments.unwrap_or_default();
        let gone = context.ct.cancelled();
        let answer = self.attend(asked.name.into_owned(), given, gone, progress).await;
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
}
