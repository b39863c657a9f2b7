//! One connection: how long it may take to say what it wants, and how it ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Served;
use super::gate::Gate;

/// More headers, or larger ones, no client has.
const HEADERS_COUNT_MAX: usize = 64;
const HEADERS_BYTES_MAX: usize = 32 * 1024;
/// What is held of a connection that is read or written faster than the other end is.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// The greetings of TLS come within this.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// After so much silence it is looked whether the other machine is still there, and after
/// so much more, or of not taking what it is sent, it is not.
const SILENCE_S_MAX: u32 = 30;
const PROBE_S: u32 = 10;
const UNTAKEN_MS_MAX: u32 = 60_000;

/// Serves one connection until either end has had enough.
pub(super) async fn serve<H: Served>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    gate: Arc<Gate<H>>,
    ending: watch::Receiver<bool>,
) {
    let Ok(local) = stream.local_addr() else { return };
    prepare(&stream);
    match tls {
        None => speak(stream, local, gate, ending).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
                speak(stream, local, gate, ending).await;
            }
        }
    }
}

/// Small answers are sent at once, and who is gone is noticed. Without these it goes on,
/// only slower or longer.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let socket = stream.as_fd();
    let _ = setsockopt(&socket, sockopt::KeepAlive, &true);
    let _ = setsockopt(&socket, sockopt::TcpKeepIdle, &SILENCE_S_MAX);
    let _ = setsockopt(&socket, sockopt::TcpKeepInterval, &PROBE_S);
    let _ = setsockopt(&socket, sockopt::TcpUserTimeout, &UNTAKEN_MS_MAX);
}

/// The same, where the bytes are as they were meant.
pub(super) async fn speak<H: Served>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    local: SocketAddr,
    gate: Arc<Gate<H>>,
    mut ending: watch::Receiver<bool>,
) {
    let service = service_fn(|request| {
        let gate = gate.clone();
        async move { Ok::<_, Infallible>(gate.answer(request, local).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(gate.patience())
        .max_headers(HEADERS_COUNT_MAX)
        .max_header_size(HEADERS_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    // Nobody can be told how it went: the other end knows, or is gone.
    let is_over = tokio::select! {
        _ = connection.as_mut() => true,
        () = is_ending(&mut ending) => false,
    };
    if !is_over {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

async fn is_ending(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|is_ending| *is_ending).await;
}
