//! The cases in use: each is opened when it is first needed, stays open as long as it is
//! used, and is put down when nobody needs it, so that others can have it.
//!
//! ```text
//! id ──in_use──► InUse, with its session ──drop──► idle ──put_down_idle──► not in use
//! ```

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::attend::wait;
use super::cases::Cases;
use super::errors::{Code, Told};
use crate::case::CaseId;
use crate::tools::Session;

/// More cases are not in use at a time: each has a jail.
const IN_USE_MAX: usize = 32;

/// All of them.
pub(super) struct Desk {
    cases: Arc<dyn Cases>,
    places: Mutex<HashMap<CaseId, Arc<Place>>>,
}

/// Where one case is, if it is in use.
#[derive(Default)]
struct Place {
    /// Held while the case is opened or put down, so that this is done once.
    session: Mutex<Option<Arc<Session>>>,
    last: Mutex<Option<Instant>>,
}

/// A session that stays for as long as this does.
pub(super) struct InUse {
    session: Arc<Session>,
    place: Arc<Place>,
}

impl Desk {
    pub(super) fn new(cases: Arc<dyn Cases>) -> Self {
        Self { cases, places: Mutex::default() }
    }

    /// The session of a case, opened now if need be.
    pub(super) fn in_use(&self, id: &CaseId) -> Result<InUse, Told> {
        let place = self.place(id);
        let there = place.session.try_lock().ok().and_then(|there| there.clone());
        let session = match there {
            Some(session) => session,
            None => {
                let mut entered = None;
                wait(&mut || entered = Some(self.entered(id, &place)));
                entered.unwrap_or_else(|| self.entered(id, &place))?
            }
        };
        Ok(InUse { session, place })
    }

    fn entered(&self, id: &CaseId, place: &Place) -> Result<Arc<Session>, Told> {
        let mut there = lock(&place.session);
        if let Some(session) = &*there {
            return Ok(session.clone());
        }
        self.make_room()?;
        let mut session = self.cases.enter(id)?;
        session.set_wait(wait);
        Ok(there.insert(Arc::new(session)).clone())
    }

    /// Puts down what is idle, if there are too many already.
    fn make_room(&self) -> Result<(), Told> {
        // The one that room is made for is among them.
        let is_full = || IN_USE_MAX < self.ids().len();
        if is_full() {
            self.put_down_idle(Duration::ZERO);
        }
        if is_full() {
            let what = format!("{IN_USE_MAX} cases are in use, the most at a time");
            let hint = "Wait for a call in one of them, or end what runs in the background.";
            return Err(Told::new(Code::CaseInUse, what).hint(hint));
        }
        Ok(())
    }

    /// Does something with a case that needs nobody to work in it. Nobody can begin to
    /// until it is done.
    pub(super) fn without<T>(
        &self,
        id: &CaseId,
        act: impl FnOnce() -> Result<T, Told>,
    ) -> Result<T, Told> {
        let place = self.place(id);
        let mut there = lock(&place.session);
        if let Some(session) = &*there {
            if 1 < Arc::strong_count(session) {
                let what = format!("another call in `{id}` is not done yet");
                return Err(Told::new(Code::CaseInUse, what).hint("Wait for it, or cancel it."));
            }
            let running = session.running();
            if 0 < running {
                let commands = if running == 1 { "command runs" } else { "commands run" };
                let what = format!("{running} {commands} in the background of `{id}`");
                let hint = "Wait for what you need and kill the rest, with the tool `background`.";
                return Err(Told::new(Code::CaseInUse, what).hint(hint));
            }
        }
        *there = None;
        act()
    }

    /// Puts down what nobody used for so long. A command in the background is a use.
    pub(super) fn put_down_idle(&self, idle_max: Duration) {
        let places: Vec<_> = lock(&self.places).values().cloned().collect();
        for place in &places {
            // Whoever has it is using it.
            let Ok(mut there) = place.session.try_lock() else { continue };
            let is_idle = there.as_ref().is_some_and(|session| {
                let since = lock(&place.last).map_or(Duration::MAX, |last| last.elapsed());
                Arc::strong_count(session) == 1 && session.running() == 0 && idle_max <= since
            });
            if is_idle {
                *there = None;
            }
        }
        drop(places);
        lock(&self.places).retain(|_, place| {
            let is_empty = place.session.try_lock().is_ok_and(|there| there.is_none());
            1 < Arc::strong_count(place) || !is_empty
        });
    }

    /// Puts all of them down, with whatever runs in them. A call that is still on keeps
    /// its own until it is done.
    pub(super) fn put_down_all(&self) {
        let places = std::mem::take(&mut *lock(&self.places));
        std::thread::scope(|scope| {
            for place in places.values() {
                // Where there is no thread to be had, it goes with its place.
                let put_down = move || drop(lock(&place.session).take());
                let _ = std::thread::Builder::new().spawn_scoped(scope, put_down);
            }
        });
    }

    /// The cases that are in use.
    pub(super) fn ids(&self) -> Vec<CaseId> {
        let places = lock(&self.places).clone();
        // One that is being opened is in use, and not waited for.
        let is_used = |place: &Place| place.session.try_lock().map_or(true, |it| it.is_some());
        let used = places.iter().filter(|(_, place)| is_used(place));
        let mut ids: Vec<CaseId> = used.map(|(id, _)| id.clone()).collect();
        ids.sort();
        ids
    }

    /// Whether a case is in use, and nobody is just taking it or putting it down.
    pub(super) fn has(&self, id: &CaseId) -> bool {
        let place = lock(&self.places).get(id).cloned();
        place.is_some_and(|place| place.session.try_lock().is_ok_and(|there| there.is_some()))
    }

    fn place(&self, id: &CaseId) -> Arc<Place> {
        lock(&self.places).entry(id.clone()).or_default().clone()
    }
}

impl Deref for InUse {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        *lock(&self.place.last) = Some(Instant::now());
    }
}

/// Who panicked while it had this left it whole: everything is put in at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
