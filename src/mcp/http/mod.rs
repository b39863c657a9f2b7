//! The server over HTTP: one path, [`PATH`], on which both eras of the protocol are
//! spoken, and behind which the same handler stands as on standard input.
//!
//! ```text
//! listen ─► connection (TLS, time, size) ─► gate (name, token, limits) ─► rmcp ─► handler
//! ```
//!
//! Nobody comes in without a token. What is not for this server is refused before it is
//! read, and what is read is bounded in bytes and in time.

mod body;
mod connection;
mod gate;
mod limits;
mod listen;
mod message;
mod metadata;
mod names;
mod pages;
mod places;
mod refusal;
mod sessions;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rmcp::ServerHandler;
use rmcp::transport::StreamableHttpServerConfig;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

pub use limits::Limits;
pub(super) use limits::WorkedOn;
pub use listen::{Address, BadAddress, HttpError};
pub use names::{BadPublic, Names, Public};
pub use tls::{Tls, TlsError};

use super::server::{CALLS_MAX, Server};
use super::stdio::{END_MAX, THREADS_BESIDE, put_down_idle};
use crate::access::Access;
use gate::Gate;

/// Where the protocol is spoken.
pub const PATH: &str = "/mcp";
/// More connections are not served at a time; more of them wait.
const CONNECTIONS_MAX: usize = 512;
/// The wait before the next try, where the host has no more descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What stands behind it.
pub trait Served: ServerHandler + Clone {
    /// Whether a call of this tool may change something, as far as it can be told.
    fn may_change(&self, _tool: &str, _arguments: &Map<String, Value>) -> bool {
        false
    }

    /// Ends the calls that are on, and is over when none is.
    fn end_calls(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Who lets somebody in, and by which clock.
#[derive(Debug)]
pub struct Admission {
    pub access: Access,
    pub clock: fn() -> Timestamp,
}

/// How it is served.
#[derive(Clone, Debug)]
pub struct Settings {
    pub address: Address,
    /// An address that others can reach is listened on without TLS.
    pub is_insecure: bool,
    pub tls: Option<Tls>,
    pub names: Names,
    pub limits: Limits,
    /// The head of a request comes within this, and so does its body. A connection on
    /// which nothing is asked for as long is closed.
    pub patience: Duration,
    /// How long calls may go on that were begun before the end. A second signal ends them.
    pub grace: Duration,
    /// Hears of what keeps good tokens out.
    pub trouble: fn(&dyn std::error::Error),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: Address::default(),
            is_insecure: false,
            tls: None,
            names: Names::default(),
            limits: Limits::default(),
            patience: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            trouble: |_| {},
        }
    }
}

impl Served for Server {
    fn may_change(&self, tool: &str, arguments: &Map<String, Value>) -> bool {
        super::work::may_change(tool, arguments)
    }

    async fn end_calls(&self) {
        self.end();
        let _ = timeout(END_MAX, self.all_done()).await;
    }
}

/// Where clients are received, whatever their bytes come through.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds a handler")]
pub struct Reception<H> {
    gate: Arc<Gate<H>>,
    end: watch::Sender<bool>,
    config: StreamableHttpServerConfig,
}

impl<H: Served> Reception<H> {
    pub fn new(handler: H, admission: Admission, settings: Settings) -> Self {
        let config = StreamableHttpServerConfig::default();
        let (end, ending) = watch::channel(false);
        let gate = Gate::new(handler, admission, settings, config.clone(), ending);
        Self { gate: Arc::new(gate), end, config }
    }

    /// Speaks with one client until either has had enough. It came to the address `local`.
    pub async fn speak<S>(&self, stream: S, local: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        connection::speak(stream, local, self.gate.clone(), self.end.subscribe()).await;
    }

    /// The same for one that came over the network.
    async fn receive(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        connection::serve(stream, tls, self.gate, self.end.subscribe()).await;
    }
}

/// Serves cases until somebody ends it. `ready` hears where. A case is let go of that
/// nobody asked anything of for `idle_max`.
pub fn serve_cases(
    server: &Server,
    idle_max: Duration,
    admission: Admission,
    settings: Settings,
    ready: impl FnOnce(&str),
) -> Result<(), HttpError> {
    // They are read from files, for which no client has to wait yet.
    server.tools();
    let beside = put_down_idle(server.clone(), idle_max);
    let served = serve_http(server.clone(), admission, settings, beside, ready);
    server.work.desk.put_down_all();
    served
}

/// Serves any handler until a signal ends it, and does what is `beside` meanwhile.
pub fn serve_http<H: Served>(
    handler: H,
    admission: Admission,
    settings: Settings,
    beside: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(&str),
) -> Result<(), HttpError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().max_blocking_threads(CALLS_MAX as usize + THREADS_BESIDE);
    let runtime = runtime.build().map_err(HttpError::Begin)?;
    let served = runtime.block_on(async {
        let beside = tokio::spawn(beside);
        let served = until_the_end(handler, admission, settings, ready).await;
        beside.abort();
        served
    });
    // A thread may wait for what never comes, and is not waited for.
    runtime.shutdown_background();
    served
}

async fn until_the_end<H: Served>(
    handler: H,
    admission: Admission,
    settings: Settings,
    ready: impl FnOnce(&str),
) -> Result<(), HttpError> {
    let mut ends = Ends::listen()?;
    let listener = listen::listen(&settings)?;
    let local = listener.local_addr().map_err(HttpError::Begin)?;
    let tls = settings.tls.as_ref().map(|tls| tls.acceptor.clone());
    let scheme = if tls.is_some() { "https" } else { "http" };
    let grace = settings.grace;
    let reception = Reception::new(handler.clone(), admission, settings);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    ready(&format!("{scheme}://{local}{PATH}"));
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            () = ends.come() => break,
            Some(_) = connections.join_next() => {}
            (accepted, place) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (tls, reception) = (tls.clone(), reception.clone());
                    connections.spawn(async move {
                        let _place = place;
                        reception.receive(stream, tls).await;
                    });
                }
                // It is gone already, or the host has no room for it now.
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
            },
        }
    }
    drop(listener);
    reception.end.send_replace(true);
    let mut all_gone = pin!(async { while connections.join_next().await.is_some() {} });
    let is_gone = tokio::select! {
        gone = timeout(grace, all_gone.as_mut()) => gone.is_ok(),
        () = ends.come() => false,
    };
    handler.end_calls().await;
    // What was ended has an answer, and the time to send it.
    if !is_gone {
        let _ = timeout(Duration::from_secs(1), all_gone).await;
    }
    reception.config.cancellation_token.cancel();
    Ok(())
}

/// What ends the server. That a terminal is gone does not, for one who asked for that.
struct Ends([Signal; 2]);

impl Ends {
    fn listen() -> Result<Self, HttpError> {
        let on = |kind| signal(kind).map_err(HttpError::Begin);
        Ok(Self([on(SignalKind::terminate())?, on(SignalKind::interrupt())?]))
    }

    async fn come(&mut self) {
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
