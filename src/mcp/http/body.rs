//! Bodies: a request's, read whole within bounds, and an answer's, which lets go of
//! things when it is sent or when nobody wants it any more.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::http::HeaderMap;
use hyper::http::header::{CONTENT_LENGTH, EXPECT};
use hyper::http::status::StatusCode;
use tokio::time::{Instant, timeout, timeout_at};

use super::limits::Turn;
use super::refusal::Refusal;
use super::sessions::InSession;

/// A request is no larger.
pub(super) const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What is larger is large: only a few of those are held for one principal.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// When to try again, where too many of them come.
const WAIT_FOR_LARGE: Duration = Duration::from_secs(5);
/// So much of what is not wanted is still taken in, and for so long, because who is cut
/// off while sending does not read why.
const UNWANTED_BYTES_MAX: u64 = 16 * 1024 * 1024;
const UNWANTED_MAX: Duration = Duration::from_secs(2);

/// The body of a request, whole and in time. What is large waits for its turn to be.
pub(super) async fn whole(
    headers: &HeaderMap,
    body: &mut Incoming,
    patience: Duration,
    turn: &mut Turn,
) -> Result<Bytes, Refusal> {
    let large = || {
        let what = format!("the body has more than {} MiB", REQUEST_BYTES_MAX / 1024 / 1024);
        let hint = "Send less at a time; `write_file` can append.";
        Refusal::senseless(StatusCode::PAYLOAD_TOO_LARGE, what, hint)
    };
    let told = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| (REQUEST_BYTES_MAX as u64) < told) {
        return Err(large());
    }
    let late = |_| {
        let what = format!("the body did not come within {} s", patience.as_secs());
        let hint = "Send it again, all at once.";
        Refusal::senseless(StatusCode::REQUEST_TIMEOUT, what, hint)
    };
    let mut deadline = Instant::now() + patience;
    let mut whole = Vec::new();
    while let Some(frame) = timeout_at(deadline, body.frame()).await.map_err(late)? {
        let frame = frame.map_err(|error| {
            let what = format!("the body broke off: {error}");
            Refusal::senseless(StatusCode::BAD_REQUEST, what, "Send it whole.")
        })?;
        let Ok(bytes) = frame.into_data() else { continue };
        let size = whole.len() + bytes.len();
        if REQUEST_BYTES_MAX < size {
            return Err(large());
        }
        if SMALL_BYTES_MAX < size {
            let began = Instant::now();
            timeout(patience, turn.may_be_large()).await.map_err(|_| {
                Refusal::limited("too many large requests come at a time", WAIT_FOR_LARGE)
            })?;
            // Who has to wait here is not the one who is slow.
            deadline += began.elapsed();
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(Bytes::from(whole))
}

/// Takes in what is left of a body that nobody wants.
pub(super) async fn discard(headers: &HeaderMap, mut body: Incoming) {
    // Who asks first sends nothing yet, and is not told to.
    if body.is_end_stream() || headers.contains_key(EXPECT) {
        return;
    }
    let discard = async {
        let mut left = UNWANTED_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
            match left.checked_sub(bytes) {
                Some(less) => left = less,
                None => break,
            }
        }
    };
    let _ = timeout(UNWANTED_MAX, discard).await;
}

/// What is held for as long as an answer is on its way.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) turn: Option<Turn>,
    pub(super) session: Option<InSession>,
}

impl Held {
    /// All of it was sent.
    fn is_sent(&mut self) {
        if let Some(session) = &mut self.session {
            session.is_answered();
        }
        drop((self.turn.take(), self.session.take()));
    }
}

/// An answer on its way.
pub(super) struct Reply {
    inner: BoxBody<Bytes, Infallible>,
    held: Held,
    /// When this is over, so is the answer.
    until: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl Reply {
    pub(super) fn of(bytes: Bytes) -> Self {
        Self::new(Full::new(bytes).boxed(), Held::default())
    }

    pub(super) fn new(inner: BoxBody<Bytes, Infallible>, held: Held) -> Self {
        Self { inner, held, until: None }
    }

    /// The same, but no longer than this takes.
    pub(super) fn until(self, over: impl Future<Output = ()> + Send + Sync + 'static) -> Self {
        Self { until: Some(Box::pin(over)), ..self }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("held", &self.held).finish_non_exhaustive()
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let over = match &mut self.until {
            Some(until) if polled.is_pending() => until.as_mut().poll(context).is_ready(),
            _ => false,
        };
        if over || matches!(polled, Poll::Ready(None)) || self.inner.is_end_stream() {
            self.held.is_sent();
        }
        if over { Poll::Ready(None) } else { polled }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
