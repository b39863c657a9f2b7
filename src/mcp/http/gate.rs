//! What each request has to pass before anything is done for it, in this order.
//!
//! ```text
//! Host, Origin ─► the path ─► the bearer ─► how much it asks ─► the method ─► whose session
//!              ─► the body ─► whether it may change anything ─► rmcp ─► the handler
//! ```

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::http::status::StatusCode;
use hyper::{Method, Request, Response};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::body::{self, Held, Reply};
use super::limits::{Meter, What};
use super::message::{self, Message, Params};
use super::metadata::{self, Lack};
use super::pages;
use super::refusal::Refusal;
use super::sessions::Sessions;
use super::{Admission, PATH, Served, Settings};
use crate::access::{Principal, Refused};

/// The header in which the older versions of the protocol name a session.
const SESSION_ID: &str = "mcp-session-id";
/// The header in which a client says which version it speaks; the first without sessions.
const VERSION: &str = "mcp-protocol-version";
const SESSIONLESS: &str = "2026-07-28";
/// The header by which a client that was cut off says how much it got.
const LAST_EVENT_ID: &str = "last-event-id";
const METHODS: &str = "GET, POST, DELETE";
/// When to try again what cannot be checked now.
const WAIT_FOR_HOST: Duration = Duration::from_secs(5);
/// How often whoever runs the server is told of trouble that does not end.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What all connections have in common.
pub(super) struct Gate<H> {
    settings: Settings,
    admission: Admission,
    meter: Arc<Meter>,
    pub(super) sessions: Arc<Sessions>,
    handler: H,
    service: StreamableHttpService<H, LocalSessionManager>,
    ending: watch::Receiver<bool>,
    /// When whoever runs the server was last told of trouble.
    told: Mutex<Option<Instant>>,
}

impl<H: Served> Gate<H> {
    pub(super) fn new(
        handler: H,
        admission: Admission,
        settings: Settings,
        config: StreamableHttpServerConfig,
        ending: watch::Receiver<bool>,
    ) -> Self {
        let sessions = Sessions::new();
        // Names are checked here, for all paths and not for one.
        let config = config
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_json_response(true)
            .with_max_request_body_bytes(body::REQUEST_BYTES_MAX);
        let one = handler.clone();
        let service =
            StreamableHttpService::new(move || Ok(one.clone()), sessions.manager.clone(), config);
        Self {
            meter: Arc::new(Meter::new(settings.limits)),
            settings,
            admission,
            sessions,
            handler,
            service,
            ending,
            told: Mutex::default(),
        }
    }

    /// How long a request may take to come.
    pub(super) fn patience(&self) -> Duration {
        self.settings.patience
    }

    /// Answers one request, that came to the address `local` of this machine.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        local: SocketAddr,
    ) -> Response<Reply> {
        let (mut parts, mut body) = request.into_parts();
        let mut response = match self.passed(&mut parts, &mut body, local).await {
            Ok(response) => response,
            Err(refusal) => {
                body::discard(&parts.headers, body).await;
                refusal.response()
            }
        };
        self.settings.names.tell_page(&parts.headers, response.headers_mut());
        response
    }

    async fn passed(
        &self,
        parts: &mut Parts,
        body: &mut Incoming,
        local: SocketAddr,
    ) -> Result<Response<Reply>, Refusal> {
        let host = self.host(parts, local)?;
        self.origin(&parts.headers)?;
        if pages::is_question(parts) {
            return Ok(pages::answer(METHODS));
        }
        let base = self.settings.names.base(&host, self.settings.tls.is_some());
        let path = parts.uri.path();
        if let Some(rest) = path.strip_prefix(metadata::WELL_KNOWN)
            && (rest.is_empty() || rest == PATH)
        {
            let is_read = matches!(parts.method, Method::GET | Method::HEAD);
            return is_read
                .then(|| metadata::document(&base, &self.admission.access.issuers()))
                .ok_or_else(|| Refusal::method("this is a document", "GET"));
        }
        let principal = self.principal(&parts.headers, &base)?;
        let what = if parts.method == Method::GET { What::Stream } else { What::Call };
        let mut turn = self.meter.enter(principal.key(), what, Instant::now()).map_err(|wait| {
            Refusal::limited(format!("`{}` asks too much at a time", principal.key()), wait)
        })?;
        is_place(path)?;
        if ![Method::GET, Method::POST, Method::DELETE].contains(&parts.method) {
            let what = format!("`{PATH}` does not know the method {}", parts.method);
            return Err(Refusal::method(what, METHODS));
        }
        let session = self.session(&mut parts.headers, &principal)?;
        let bytes = match parts.method {
            Method::POST => {
                message::is_json(&parts.headers)?;
                body::whole(&parts.headers, body, self.patience(), &mut turn).await?
            }
            _ => Bytes::new(),
        };
        let (mut request, mut begins) = (None, false);
        if parts.method == Method::POST {
            let message = message::read(&bytes)?;
            self.may(&principal, &message, &base)?;
            begins = message.method.as_deref() == Some("initialize") && session.is_none();
            if begins {
                self.sessions.make_room(principal.key()).await.map_err(|_| {
                    let what = format!("`{}` has too many sessions in use", principal.key());
                    Refusal::limited(what, WAIT_FOR_HOST)
                })?;
            }
            // Only what may take long has to wait; a word that ends a call has not.
            if message.takes_long() {
                let place = turn.is_on().await;
                parts.extensions.insert(place);
            }
            request = message.method.and(message.id);
        }
        let comes_back = parts.headers.contains_key(LAST_EVENT_ID);
        let session = session.and_then(|id| self.sessions.enter(&id, request, comes_back));
        let held = Held { turn: Some(turn), session };
        Ok(self.served(parts, bytes, principal, held, begins).await)
    }

    /// The name that the client calls this server by.
    fn host(&self, parts: &Parts, local: SocketAddr) -> Result<String, Refusal> {
        let mut given = parts.headers.get_all(HOST).iter();
        let (host, more) = (given.next(), given.next());
        let host = host.and_then(|host| host.to_str().ok()).filter(|_| more.is_none());
        let Some(host) = host else {
            let what = "the request does not say for whom it is";
            let hint = "Send one `Host` header.";
            return Err(Refusal::senseless(StatusCode::BAD_REQUEST, what, hint));
        };
        if !self.settings.names.is_host(host, local.ip()) {
            let what = format!("this server is not called `{}`", plain(host));
            let hint = "Use the address it listens on, or add the name to `serve.allowed_hosts`.";
            return Err(Refusal::forbidden(what, hint));
        }
        Ok(host.to_owned())
    }

    /// A browser says for whose page it asks.
    fn origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        for origin in headers.get_all(ORIGIN) {
            let given = origin.to_str().unwrap_or_default();
            if !self.settings.names.is_origin(given) {
                let what = format!("pages of `{}` may not use this server", plain(given));
                let hint = "Add the origin to `serve.allowed_origins` if they should.";
                return Err(Refusal::forbidden(what, hint));
            }
        }
        Ok(())
    }

    /// Who it is, by the only header that says so.
    fn principal(&self, headers: &HeaderMap, base: &str) -> Result<Principal, Refusal> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (header, more) = (given.next(), given.next());
        let bearer = header.filter(|_| more.is_none()).and_then(|header| {
            let (scheme, bearer) = header.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| bearer.trim())
        });
        let Some(bearer) = bearer.filter(|bearer| !bearer.is_empty()) else {
            let challenge = metadata::challenge(base, Lack::Token);
            return Err(Refusal::unauthorized("nobody comes in without a token", challenge));
        };
        // It may look at files, and must not hold up other connections meanwhile.
        let now = (self.admission.clock)();
        let admitted = tokio::task::block_in_place(|| self.admission.access.admit(bearer, now));
        admitted.map_err(|refused| match refused {
            Refused::Unavailable(_) => {
                self.trouble(&refused);
                Refusal::unavailable(refused.to_string(), WAIT_FOR_HOST)
            }
            Refused::Scope => {
                let hint = "Ask whoever issues tokens for one with these scopes.";
                Refusal::forbidden(refused.to_string(), hint)
                    .with(WWW_AUTHENTICATE, metadata::challenge(base, Lack::Scope))
            }
            _ => {
                let challenge = metadata::challenge(base, Lack::GoodToken);
                Refusal::unauthorized(refused.to_string(), challenge)
            }
        })
    }

    /// Tells whoever runs the server, but not each time.
    fn trouble(&self, error: &dyn std::error::Error) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| TOLD_EVERY <= told.elapsed()) {
            *told = Some(Instant::now());
            drop(told);
            (self.settings.trouble)(error);
        }
    }

    /// The session that is named, if it is this principal's.
    fn session(
        &self,
        headers: &mut HeaderMap,
        principal: &Principal,
    ) -> Result<Option<String>, Refusal> {
        let Some(given) = headers.get(SESSION_ID) else { return Ok(None) };
        let id = given.to_str().unwrap_or_default().to_owned();
        let is_only = headers.get_all(SESSION_ID).iter().nth(1).is_none();
        if is_only && self.sessions.is_of(&id, principal.key()) {
            return Ok(Some(id));
        }
        let version = headers.get(VERSION).and_then(|version| version.to_str().ok());
        if version.is_some_and(|version| SESSIONLESS <= version) {
            // There are none in it, so this means nothing.
            headers.remove(SESSION_ID);
            return Ok(None);
        }
        Err(Refusal::missing("there is no such session", "Begin again with `initialize`."))
    }

    /// Whether the principal may do this. The handler asks once more, where it knows what
    /// the arguments mean; here it can be told in the way that clients know.
    fn may(&self, who: &Principal, message: &Message<'_>, base: &str) -> Result<(), Refusal> {
        if who.may_write() || message.method.as_deref() != Some("tools/call") {
            return Ok(());
        }
        let Some(Params { name: Some(Value::String(name)), arguments }) = &message.params else {
            return Ok(());
        };
        let none = Map::new();
        let arguments = arguments.as_ref().and_then(Value::as_object).unwrap_or(&none);
        if !self.handler.may_change(name, arguments) {
            return Ok(());
        }
        let what = format!("`{name}` may change something, and this token only reads");
        let challenge = metadata::challenge(base, Lack::Write);
        Err(Refusal::forbidden(what, "Use a token that may write.")
            .with(WWW_AUTHENTICATE, challenge))
    }

    /// Hands it on to the protocol.
    async fn served(
        &self,
        parts: &Parts,
        bytes: Bytes,
        principal: Principal,
        held: Held,
        begins: bool,
    ) -> Response<Reply> {
        let key = principal.key().to_owned();
        let mut request = Request::from_parts(parts.clone(), Full::new(bytes));
        // The token is nobody's business from here on.
        request.headers_mut().remove(AUTHORIZATION);
        request.extensions_mut().insert(principal);
        let answered = match begins {
            true => match self.begun(request, key).await {
                Ok(answered) => answered,
                Err(refusal) => return refusal.response(),
            },
            false => self.service.handle(request).await,
        };
        let (mut head, body) = answered.into_parts();
        match (&parts.method, head.status) {
            // What is JSON and was sent as such, but is no message.
            (&Method::POST, StatusCode::UNSUPPORTED_MEDIA_TYPE) => {
                let what = "the body is JSON, but no message of the protocol";
                let hint = "Send one JSON-RPC request or notification that MCP knows.";
                return Refusal::senseless(StatusCode::BAD_REQUEST, what, hint).response();
            }
            // Clients take only this for an end that was understood.
            (&Method::DELETE, StatusCode::ACCEPTED) => {
                head.status = StatusCode::OK;
                let id = parts.headers.get(SESSION_ID).and_then(|id| id.to_str().ok());
                self.sessions.ended(id.unwrap_or_default());
            }
            _ => {}
        }
        let reply = Reply::new(body, held);
        let reply = match parts.method {
            Method::GET => {
                let mut ending = self.ending.clone();
                reply.until(async move {
                    let _ = ending.wait_for(|is_ending| *is_ending).await;
                })
            }
            _ => reply,
        };
        Response::from_parts(head, reply)
    }
}

impl<H: Served> Gate<H> {
    /// Begins a session. One who goes away meanwhile has begun it all the same: it has to
    /// be known whose it is, or it would count for nobody and stay.
    async fn begun(
        &self,
        request: Request<Full<Bytes>>,
        key: String,
    ) -> Result<Response<BoxBody<Bytes, Infallible>>, Refusal> {
        let (service, sessions) = (self.service.clone(), self.sessions.clone());
        let begun = tokio::spawn(async move {
            let answered = service.handle(request).await;
            if let Some(id) = answered.headers().get(SESSION_ID).and_then(|id| id.to_str().ok()) {
                sessions.begun(id, &key);
            }
            answered
        });
        let failed = |_| Refusal::unavailable("no session could be begun", WAIT_FOR_HOST);
        begun.await.map_err(failed)
    }
}

/// Whether there is anything at a path.
fn is_place(path: &str) -> Result<(), Refusal> {
    let hint = format!("Use `{PATH}`, with streamable HTTP.");
    match path.trim_end_matches('/') {
        PATH if path == PATH => Ok(()),
        "/sse" | "/messages" | "/message" => {
            let what = format!("HTTP with SSE, as in 2024-11-05, is not served; `{PATH}` is");
            Err(Refusal::gone(what, hint))
        }
        _ => Err(Refusal::missing("nothing is here", hint)),
    }
}

/// No more of what was sent than shows what it was.
fn plain(given: &str) -> String {
    const CHARS_MAX: usize = 100;
    given.chars().take(CHARS_MAX).filter(|char| !char.is_control() && *char != '`').collect()
}
