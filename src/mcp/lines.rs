//! Messages as lines on two streams. Whatever is on a line, the next one is heard.
//!
//! ```text
//! bytes ──► a bounded line ──► heard ──► admitted ──► the handler ──► a line
//!                 └───────────────┴──────────┴──► refused: a line
//! ```
//!
//! rmcp has a transport for this, which is not taken: it says nothing to what it cannot
//! parse, ends the server where a notification comes before the first request, and loses an
//! answer where an id is used twice.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use memchr::memchr;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorCode, GetMeta, JsonRpcMessage,
    ProtocolVersion, RequestId, ServerJsonRpcMessage,
};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::heard::{Heard, Refusal, heard};

/// More than any text that a tool takes, in the widest way of writing it.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What is kept for the next line of what a long one took.
const KEPT_BYTES_MAX: usize = 256 * 1024;
/// So many requests may be open, with those whose answer nobody reads.
const OPEN_MAX: usize = 1024;
/// So many refusals may wait for somebody to read them; then nothing more is read.
const REFUSALS_MAX: u32 = 16;
/// How long the last lines may take to be read.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// The ids that may not be used.
#[derive(Default)]
struct Ids {
    /// Of requests that are open, each with its place among them.
    open: HashMap<RequestId, OwnedSemaphorePermit>,
    /// Of those that were cancelled last. What still comes of one is dropped, or would be
    /// taken for the answer to another of the same id.
    cancelled: VecDeque<RequestId>,
}

impl Ids {
    fn has(&self, id: &RequestId) -> bool {
        self.open.contains_key(id) || self.cancelled.contains(id)
    }

    fn cancel(&mut self, id: &RequestId) {
        if self.open.remove(id).is_some() {
            self.cancelled.push_back(id.clone());
            let over = self.cancelled.len().saturating_sub(OPEN_MAX);
            self.cancelled.drain(..over);
        }
    }
}

/// A client at the other end of two streams.
pub(super) struct Lines<R, W> {
    read: BufReader<R>,
    line: Vec<u8>,
    /// What is read now belongs to a line that was too long.
    skips: bool,
    write: Arc<Mutex<Option<W>>>,
    /// There was a request with which a client begins. rmcp ends over anything else that
    /// comes before it.
    begun: bool,
    ids: Arc<StdMutex<Ids>>,
    places: Arc<Semaphore>,
    /// What is to be said before anything more is read.
    refusal: Option<Refusal>,
    refusals: Arc<Semaphore>,
}

/// What came of reading a line.
enum Read {
    Line,
    TooLong,
    End,
}

impl<R: AsyncRead + Unpin, W> Lines<R, W> {
    pub(super) fn new(read: R, write: W) -> Self {
        Self {
            read: BufReader::new(read),
            line: Vec::new(),
            skips: false,
            write: Arc::new(Mutex::new(Some(write))),
            begun: false,
            ids: Arc::default(),
            places: Arc::new(Semaphore::new(OPEN_MAX)),
            refusal: None,
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX as usize)),
        }
    }

    /// Reads to the end of a line. It may be left off while it waits, and then goes on
    /// where it was.
    async fn read_line(&mut self) -> Read {
        loop {
            let Ok(bytes) = self.read.fill_buf().await else { return Read::End };
            if bytes.is_empty() {
                // Nobody ended the last line, and it may be whole all the same.
                let is_left = !self.line.is_empty() && !self.skips;
                return if is_left { Read::Line } else { Read::End };
            }
            let end = memchr(b'\n', bytes);
            let taken = end.unwrap_or(bytes.len());
            let is_over = LINE_BYTES_MAX < self.line.len() + taken;
            if !self.skips && !is_over {
                self.line.extend_from_slice(&bytes[..taken]);
            }
            let consumed = taken + usize::from(end.is_some());
            self.read.consume(consumed);
            if is_over && !self.skips {
                self.line = Vec::new();
                self.skips = end.is_none();
                return Read::TooLong;
            }
            if end.is_some() && !std::mem::take(&mut self.skips) {
                return Read::Line;
            }
        }
    }

    /// Hands a message on, if the handler can have it.
    fn admitted(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        let asked = match &message {
            JsonRpcMessage::Request(asked) => asked,
            // Nothing was asked yet that it could be about.
            _ if !self.begun => return None,
            JsonRpcMessage::Notification(news) => {
                if let ClientNotification::CancelledNotification(it) = &news.notification
                    && let Some(id) = &it.params.request_id
                {
                    held(&self.ids).cancel(id);
                }
                return Some(message);
            }
            _ => return Some(message),
        };
        let mut ids = held(&self.ids);
        if ids.has(&asked.id) {
            // With the id it would be taken for the answer to the other one.
            let what = format!("another request has the id `{}`", asked.id);
            self.refusal = Some(Refusal::new(ErrorCode::INVALID_REQUEST, None, what));
            return None;
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let what = format!("{OPEN_MAX} requests are open; wait for some to be answered");
            let id = Some(asked.id.clone());
            self.refusal = Some(Refusal::new(ErrorCode::INVALID_REQUEST, id, what));
            return None;
        };
        ids.open.insert(asked.id.clone(), place);
        drop(ids);
        self.begun = self.begun || begins(&asked.request);
        Some(message)
    }
}

/// Whether rmcp takes a request as the one that a client begins with.
fn begins(request: &ClientRequest) -> bool {
    let meta = match request {
        ClientRequest::InitializeRequest(_) => return true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => return false,
        request => request.get_meta(),
    };
    let is_known = |version| ProtocolVersion::KNOWN_VERSIONS.contains(&version);
    meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
        && meta.protocol_version().is_some_and(is_known)
}

fn held(ids: &StdMutex<Ids>) -> std::sync::MutexGuard<'_, Ids> {
    ids.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A message as the bytes of its line.
fn line_of(message: &ServerJsonRpcMessage) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

async fn write_line<W: AsyncWrite + Unpin>(to: &Mutex<Option<W>>, line: &[u8]) -> io::Result<()> {
    let mut to = to.lock().await;
    let to = to.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    to.write_all(line).await?;
    to.flush().await
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let answered = match &message {
            JsonRpcMessage::Response(answer) => Some(&answer.id),
            JsonRpcMessage::Error(answer) => answer.id.as_ref(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        // Whoever reads the answer may use the id again, but the place is taken until then.
        let place = answered.and_then(|id| held(&self.ids).open.remove(id));
        let line = line_of(&message);
        let write = self.write.clone();
        async move {
            let written = write_line(&write, &line?).await;
            drop(place);
            written
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if self.refusal.is_some() {
                let turn = self.refusals.clone().acquire_owned().await.ok()?;
                let Refusal { id, error } = self.refusal.take()?;
                let Ok(line) = line_of(&ServerJsonRpcMessage::error(error, id)) else { continue };
                let write = self.write.clone();
                // This may be left off at any moment, and a line must not.
                tokio::spawn(async move {
                    let _ = write_line(&write, &line).await;
                    drop(turn);
                });
            }
            let heard = match self.read_line().await {
                Read::Line => heard(&self.line),
                Read::TooLong => {
                    let what = format!("a line is at most {LINE_BYTES_MAX} bytes long");
                    Heard::Refused(Refusal::new(ErrorCode::INVALID_REQUEST, None, what))
                }
                Read::End => return None,
            };
            self.line.clear();
            self.line.shrink_to(KEPT_BYTES_MAX);
            match heard {
                Heard::Nothing => {}
                Heard::Refused(refusal) => self.refusal = Some(refusal),
                Heard::Message(message) => {
                    if let Some(message) = self.admitted(*message) {
                        return Some(message);
                    }
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        let last = async {
            let _ = self.refusals.acquire_many(REFUSALS_MAX).await;
            drop(self.write.lock().await.take());
        };
        // Nobody has to read what they asked for.
        let _ = tokio::time::timeout(CLOSE_MAX, last).await;
        Ok(())
    }
}
