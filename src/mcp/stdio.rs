//! The server on standard input and output: it lives as long as somebody is at the other
//! end, and puts everything down when nobody is.

use std::future::pending;
use std::io;
use std::time::Duration;

use nix::unistd::{Pid, getppid};
use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::lines::Lines;
use super::server::{CALLS_MAX, Server};
use super::streams::standard;
use crate::hint::Hint;

/// How often it is looked whether the process is still there that started this one. What
/// the kernel would tell of that, it forgets when rights change.
const PARENT_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked which cases nobody uses, at least and at most.
const IDLE_EVERY: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(15)];
/// How long a call may take to end that was told to.
pub(super) const END_MAX: Duration = Duration::from_secs(8);
/// Threads for what is no call: streams that can only be waited for, and tidying up.
pub(super) const THREADS_BESIDE: usize = 8;

/// The server could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    #[error("the server could not begin")]
    Begin(#[source] io::Error),
    /// Somebody asks and nobody can be answered.
    #[error("there is no client that could be answered")]
    NoClient(#[source] Box<ServerInitializeError>),
}

impl Hint for ServeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Begin(_) => None,
            Self::NoClient(_) => Some(
                "Start it from an MCP client; it reads requests on stdin and answers on stdout."
                    .into(),
            ),
        }
    }
}

/// Serves until the client is gone or somebody ends it. A case is let go of that nobody
/// asked anything of for `idle_max`.
pub fn serve(server: &Server, idle_max: Duration) -> Result<(), ServeError> {
    let parent = getppid();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(1)
        .enable_all()
        .max_blocking_threads(CALLS_MAX as usize + THREADS_BESIDE);
    let runtime = runtime.build().map_err(ServeError::Begin)?;
    let served = runtime.block_on(async {
        let served = until_the_end(server, parent, idle_max).await;
        server.end();
        let _ = tokio::time::timeout(END_MAX, server.all_done()).await;
        served
    });
    server.work.desk.put_down_all();
    // A thread may wait for input that never comes, and is not waited for.
    runtime.shutdown_background();
    served
}

async fn until_the_end(server: &Server, parent: Pid, idle_max: Duration) -> Result<(), ServeError> {
    let mut ends = Ends::listen().map_err(ServeError::Begin)?;
    let (read, write, _kept) = standard().map_err(ServeError::Begin)?;
    let hello = server.clone();
    // A client greets before it asks for the tools, and they can be known by then.
    tokio::spawn(async move { hello.tools().len() });
    let idle = tokio::spawn(put_down_idle(server.clone(), idle_max));
    let served = talk(server, read, write, ends.come(parent)).await;
    idle.abort();
    served
}

/// Answers what comes on a stream, on another, until either ends or `ended` does.
pub async fn talk<R, W>(
    server: &Server,
    read: R,
    write: W,
    ended: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let mut ended = std::pin::pin!(ended);
    let begun = tokio::select! {
        begun = server.clone().serve(Lines::new(read, write)) => begun,
        () = &mut ended => return Ok(()),
    };
    let running = match begun {
        Ok(running) => running,
        // It went before it said anything.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(ServeError::NoClient(Box::new(error))),
    };
    let cancel = running.cancellation_token();
    let mut waiting = std::pin::pin!(running.waiting());
    tokio::select! {
        _ = &mut waiting => {}
        () = ended => {
            server.end();
            cancel.cancel();
            let _ = tokio::time::timeout(END_MAX, waiting).await;
        }
    }
    Ok(())
}

/// What ends the server besides the end of its input.
struct Ends {
    signals: Vec<Signal>,
}

impl Ends {
    fn listen() -> io::Result<Self> {
        let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
        Ok(Self { signals: kinds.into_iter().map(signal).collect::<Result<_, _>>()? })
    }

    /// Waits until one of them comes.
    async fn come(&mut self, parent: Pid) {
        let orphaned = async {
            while getppid() == parent {
                tokio::time::sleep(PARENT_EVERY).await;
            }
        };
        let [terminate, hangup, interrupt] = self.signals.as_mut_slice() else {
            return pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
            () = orphaned => {}
        }
    }
}

/// Lets go of cases that nobody uses, as long as the server is there.
pub(super) async fn put_down_idle(server: Server, idle_max: Duration) {
    let [least, most] = IDLE_EVERY;
    loop {
        tokio::time::sleep((idle_max / 4).clamp(least, most)).await;
        let work = server.work.clone();
        let _ = tokio::task::spawn_blocking(move || work.desk.put_down_idle(idle_max)).await;
    }
}
