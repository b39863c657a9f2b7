//! Sessions of the older versions of the protocol: whose each is, and how many there are.
//!
//! The newest version has none. In the older ones a client gets an id when it begins, and
//! names it with each request. To know an id is not to be who got it, so each is bound to
//! its principal; for everybody else there is no such session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_server::SessionManager;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use serde_json::{Value, json};

/// Sessions of one principal, and of all.
const OF_ONE_MAX: usize = 256;
const ALL_MAX: usize = 1_024;
/// A session in which nothing happens ends after this. No call takes so long.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);
/// In those versions a client that is cut off may come back for its answer. It is told to
/// after three seconds; who has not by then does not want it.
const COME_BACK_MAX: Duration = Duration::from_secs(10);

/// All of them.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) manager: Arc<LocalSessionManager>,
    owned: Mutex<HashMap<Arc<str>, Owned>>,
}

#[derive(Debug)]
struct Owned {
    key: String,
    last: Instant,
    /// Answers that are on their way, and streams.
    open: usize,
    /// How often somebody came back for an answer.
    came_back: u64,
}

/// There is no room for one more.
#[derive(Debug)]
pub(super) struct NoRoom;

impl Sessions {
    pub(super) fn new() -> Arc<Self> {
        let mut manager = LocalSessionManager::default();
        let mut config = SessionConfig::default();
        config.keep_alive = Some(IDLE_MAX);
        // Answers are kept for those who may come back for them, and for nobody else.
        config.completed_cache_ttl = COME_BACK_MAX;
        manager.session_config = config;
        Arc::new(Self { manager: Arc::new(manager), owned: Mutex::default() })
    }

    /// Whether there is this session for this principal.
    pub(super) fn is_of(&self, id: &str, key: &str) -> bool {
        self.lock().get(id).is_some_and(|owned| owned.key == key)
    }

    /// One was begun.
    pub(super) fn begun(&self, id: &str, key: &str) {
        let owned = Owned { key: key.to_owned(), last: Instant::now(), open: 0, came_back: 0 };
        self.lock().insert(id.into(), owned);
    }

    /// One was ended by its principal.
    pub(super) fn ended(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Sees to it that one more can begin. What was not used for longest goes first.
    pub(super) async fn make_room(&self, key: &str) -> Result<(), NoRoom> {
        let there = self.manager.sessions.read().await;
        let goes = {
            let mut owned = self.lock();
            owned.retain(|id, _| there.contains_key(id));
            let only_own = OF_ONE_MAX <= owned.values().filter(|it| it.key == key).count();
            if !only_own && owned.len() < ALL_MAX {
                return Ok(());
            }
            let idle = owned.iter().filter(|(_, it)| it.open == 0 && (!only_own || it.key == key));
            let oldest = idle.min_by_key(|(_, it)| it.last).map(|(id, _)| id.clone());
            let Some(id) = oldest else { return Err(NoRoom) };
            owned.remove(&id);
            id
        };
        drop(there);
        let _ = self.manager.close_session(&goes).await;
        Ok(())
    }

    /// One answer in a session is on its way. `request` is what it answers, `comes_back`
    /// whether it is for one who was cut off.
    pub(super) fn enter(
        self: &Arc<Self>,
        id: &str,
        request: Option<Value>,
        comes_back: bool,
    ) -> Option<InSession> {
        let mut all = self.lock();
        let (id, _) = all.get_key_value(id)?;
        let id = id.clone();
        let owned = all.get_mut(&id)?;
        owned.open += 1;
        owned.last = Instant::now();
        owned.came_back += u64::from(comes_back);
        drop(all);
        Some(InSession { sessions: self.clone(), id, request })
    }

    /// Cancels a request whose answer was cut off, unless somebody comes for it.
    async fn cancel_later(self: Arc<Self>, id: Arc<str>, request: Value) {
        let came_back = |all: &HashMap<Arc<str>, Owned>| all.get(&id).map(|it| it.came_back);
        let before = came_back(&self.lock());
        tokio::time::sleep(COME_BACK_MAX).await;
        if before.is_none() || before != came_back(&self.lock()) {
            return;
        }
        let message = json!({
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": request, "reason": "the client is gone"},
        });
        if let Ok(message) = serde_json::from_value::<ClientJsonRpcMessage>(message) {
            let _ = self.manager.accept_message(&id, message).await;
        }
    }

    /// How many there are, and of how many it is known whose they are.
    #[cfg(test)]
    pub(super) async fn counts(&self) -> (usize, usize) {
        let all = self.manager.sessions.read().await.len();
        (all, self.lock().len())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Owned>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer in a session, until this is dropped.
#[derive(Debug)]
pub(super) struct InSession {
    sessions: Arc<Sessions>,
    id: Arc<str>,
    /// What nobody has the answer to yet.
    request: Option<Value>,
}

impl InSession {
    /// The answer was sent.
    pub(super) fn is_answered(&mut self) {
        self.request = None;
    }
}

impl Drop for InSession {
    fn drop(&mut self) {
        if let Some(owned) = self.sessions.lock().get_mut(&self.id) {
            owned.open = owned.open.saturating_sub(1);
            owned.last = Instant::now();
        }
        let Some(request) = self.request.take() else { return };
        // At the very end there is nobody left to do it, and nothing left to do.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.sessions.clone().cancel_later(self.id.clone(), request));
        }
    }
}
