//! How much one principal may ask: so many requests a second, and so many at a time. Which of
//! those are worked on is a matter of [`Places`], that all share.
//!
//! A bucket holds as many requests as may come in one burst, and fills up again with
//! time. The time is handed in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::server::CALLS_MAX;
use super::places::{Place, Places};

/// What each principal may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many requests a second, for as long as it goes on.
    pub requests_per_s: u32,
    /// So many at once, after a rest.
    pub burst: u32,
    /// So many that are not answered yet, and as many streams that stay open.
    pub at_once: u32,
}

impl Default for Limits {
    /// More than agents ask, and less than keeps others from being served.
    fn default() -> Self {
        Self { requests_per_s: 500, burst: 1_000, at_once: 256 }
    }
}

impl Limits {
    /// The usual ones, with another rate: a burst is what two seconds bring.
    pub fn of_rate(requests_per_s: u32) -> Self {
        let burst = requests_per_s.saturating_mul(2);
        Self { requests_per_s, burst, ..Self::default() }
    }
}

/// When the next try makes sense, where too much was asked at a time: some answer will
/// have been given by then.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(1);
/// So many large requests are held at the same time, from their reading to their answer.
pub(super) const LARGE_MAX: usize = 16;
/// More principals than this are not remembered without a reason.
const REMEMBERED_MAX: usize = 4_096;

/// What is kept for one principal.
#[derive(Debug)]
struct Bucket {
    requests: f64,
    filled: Instant,
}

impl Bucket {
    fn full(limits: &Limits, now: Instant) -> Self {
        Self { requests: f64::from(limits.burst.max(1)), filled: now }
    }

    /// Takes one request out, or says how long it is until there is one.
    fn take(&mut self, limits: &Limits, now: Instant) -> Result<(), Duration> {
        let each_s = f64::from(limits.requests_per_s.max(1));
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.requests = (self.requests + passed * each_s).min(f64::from(limits.burst.max(1)));
        self.filled = self.filled.max(now);
        if 1.0 <= self.requests {
            self.requests -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.requests) / each_s))
    }

    fn is_full(&self, limits: &Limits, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        f64::from(limits.burst) <= self.requests + passed * f64::from(limits.requests_per_s.max(1))
    }
}

/// What counts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Call,
    /// A stream that stays open for what the server may have to say.
    Stream,
}

#[derive(Debug)]
struct Asking {
    bucket: Bucket,
    calls: u32,
    streams: u32,
}

impl Asking {
    fn on(&mut self, what: What) -> &mut u32 {
        match what {
            What::Call => &mut self.calls,
            What::Stream => &mut self.streams,
        }
    }
}

/// A place among the calls that are worked on. It goes along with the call: a client may be
/// gone before that is.
#[derive(Clone, Debug)]
pub(in super::super) struct WorkedOn(#[expect(dead_code, reason = "held")] Arc<Place>);

/// The counts of all principals.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    all: Mutex<HashMap<String, Asking>>,
    worked_on: Arc<Places>,
    large: Arc<Places>,
}

/// One request that was let in, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    meter: Arc<Meter>,
    key: String,
    what: What,
    is_large: Option<Place>,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        let (worked_on, large) = (Places::new(CALLS_MAX as usize), Places::new(LARGE_MAX));
        Self { limits, all: Mutex::default(), worked_on, large }
    }

    /// Lets one request in, or says how long to wait before the next.
    pub(super) fn enter(
        self: &Arc<Self>,
        key: &str,
        what: What,
        now: Instant,
    ) -> Result<Turn, Duration> {
        let mut all = self.lock();
        if REMEMBERED_MAX <= all.len() && !all.contains_key(key) {
            all.retain(|_, asking| {
                0 < asking.calls || 0 < asking.streams || !asking.bucket.is_full(&self.limits, now)
            });
        }
        let new = || Asking { bucket: Bucket::full(&self.limits, now), calls: 0, streams: 0 };
        let asking = all.entry(key.to_owned()).or_insert_with(new);
        asking.bucket.take(&self.limits, now)?;
        let on = asking.on(what);
        if self.limits.at_once.max(1) <= *on {
            return Err(WAIT_FOR_OTHERS);
        }
        *on += 1;
        drop(all);
        Ok(Turn { meter: self.clone(), key: key.to_owned(), what, is_large: None })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Asking>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until this is one of those that are worked on.
    pub(super) async fn is_on(&self) -> WorkedOn {
        WorkedOn(Arc::new(self.meter.worked_on.place(&self.key).await))
    }

    /// Waits until this is one of the large ones that are held.
    pub(super) async fn may_be_large(&mut self) {
        if self.is_large.is_none() {
            self.is_large = Some(self.meter.large.place(&self.key).await);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(asking) = self.meter.lock().get_mut(&self.key) {
            let on = asking.on(self.what);
            *on = on.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::{CALLS_MAX, Limits, Meter, REMEMBERED_MAX, WAIT_FOR_OTHERS, What};

    const LIMITS: Limits = Limits { requests_per_s: 10, burst: 3, at_once: 2 };

    fn meter(limits: Limits) -> Arc<Meter> {
        Arc::new(Meter::new(limits))
    }

    #[test]
    fn a_burst_is_let_in_and_then_as_many_as_time_brings() {
        let meter = meter(LIMITS);
        let began = Instant::now();
        let ms = Duration::from_millis;
        #[rustfmt::skip]
        let table = [
            // who, when,       how long to wait
            ("a",   ms(0),      None),
            ("a",   ms(0),      None),
            ("a",   ms(0),      None),
            ("a",   ms(0),      Some(ms(100))),
            ("b",   ms(0),      None),
            ("a",   ms(50),     Some(ms(50))),
            ("a",   ms(100),    None),
            ("a",   ms(100),    Some(ms(100))),
            // A clock that stands, or goes back, fills nothing.
            ("a",   ms(90),     Some(ms(100))),
            ("a",   ms(300),    None),
            ("a",   ms(300),    None),
            ("a",   ms(300),    Some(ms(100))),
            // What was not asked for in a long time is not saved up.
            ("a",   ms(60_000), None),
            ("a",   ms(60_000), None),
            ("a",   ms(60_000), None),
            ("a",   ms(60_000), Some(ms(100))),
        ];
        for (row, (who, when, want)) in table.into_iter().enumerate() {
            let got = meter.enter(who, What::Call, began + when).err();
            let close = match (got, want) {
                (Some(got), Some(want)) => got.abs_diff(want) < ms(1),
                (got, want) => got == want,
            };
            assert!(close, "row {row}: {got:?} is not {want:?}");
        }
    }

    #[test]
    fn so_many_at_a_time_and_streams_for_themselves() {
        let meter = meter(Limits { burst: 100, ..LIMITS });
        let now = Instant::now();
        let enter = |who, what| meter.enter(who, what, now);
        let first = enter("a", What::Call).unwrap();
        let second = enter("a", What::Call).unwrap();
        assert_eq!(enter("a", What::Call).unwrap_err(), WAIT_FOR_OTHERS);
        let stream = enter("a", What::Stream).unwrap();
        let _other = enter("b", What::Call).unwrap();
        drop(first);
        let third = enter("a", What::Call).unwrap();
        assert!(enter("a", What::Call).is_err());
        drop((second, third, stream));
        let asking = &meter.lock()["a"];
        assert_eq!((asking.calls, asking.streams), (0, 0));
    }

    #[test]
    fn one_principal_does_not_take_every_place_there_is() {
        let limits = Limits { burst: 1_000, at_once: 1_000, ..LIMITS };
        let meter = meter(limits);
        let now = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let wait = Duration::from_millis(10);
        runtime.block_on(async {
            let mut on = Vec::new();
            loop {
                let turn = meter.enter("a", What::Call, now).unwrap();
                let Ok(place) = tokio::time::timeout(wait, turn.is_on()).await else { break };
                // Who asked may be gone; what is done for it is not.
                drop(turn);
                on.push(place);
            }
            assert_eq!(on.len(), CALLS_MAX as usize / 2);
            let _other = meter.enter("b", What::Call, now).unwrap().is_on().await;
            on.pop();
            meter.enter("a", What::Call, now).unwrap().is_on().await;
        });
    }

    #[test]
    fn whoever_asks_nothing_is_forgotten() {
        let meter = meter(LIMITS);
        let began = Instant::now();
        let held = meter.enter("held", What::Stream, began).unwrap();
        for number in 0..REMEMBERED_MAX {
            drop(meter.enter(&number.to_string(), What::Call, began));
        }
        let _new = meter.enter("new", What::Call, began + Duration::from_secs(1));
        let all = meter.lock();
        let mut names: Vec<&str> = all.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["held", "new"]);
        drop(all);
        drop(held);
    }
}
