//! Places that all principals share, so that there is always one for whoever comes next.
//!
//! Nobody is given a place who holds as many as are free: alone one gets half of them, the
//! next a half of the rest, and so on. A place that comes free goes to who holds the fewest
//! of those that wait.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// So many places, and who has how many.
#[derive(Debug)]
pub(super) struct Places {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Those who hold one, or wait for one.
    all: HashMap<Arc<str>, One>,
    /// How many have waited so far.
    waited: u64,
}

/// What one principal has.
#[derive(Debug, Default)]
struct One {
    held: usize,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Who came first has the lower one.
    number: u64,
    place: oneshot::Sender<Place>,
}

/// A place that is held, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    key: Arc<str>,
}

impl Places {
    pub(super) fn new(all: usize) -> Arc<Self> {
        let state = State { free: all, all: HashMap::new(), waited: 0 };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Waits for a place.
    pub(super) async fn place(self: &Arc<Self>, key: &str) -> Place {
        loop {
            let waiting = {
                let mut state = self.state();
                let key =
                    state.all.get_key_value(key).map_or_else(|| key.into(), |(it, _)| it.clone());
                let (free, number) = (state.free, state.waited);
                let one = state.all.entry(key.clone()).or_default();
                // Who comes and goes leaves nothing behind, however long nothing comes free.
                one.forget_who_left();
                // Whoever waits was first.
                if one.waiting.is_empty() && one.held < free {
                    one.held += 1;
                    state.free -= 1;
                    return Place { places: self.clone(), key };
                }
                let (place, waiting) = oneshot::channel();
                one.waiting.push_back(Waiting { number, place });
                state.waited += 1;
                waiting
            };
            // It is never let go of without a place.
            if let Ok(place) = waiting.await {
                return place;
            }
        }
    }

    /// Gives away what is free, as long as there is somebody to have it.
    fn give_away(self: &Arc<Self>) {
        loop {
            // The lock is let go of here: who went away meanwhile gives the place back, and
            // takes it.
            let next = self.state().next();
            let Some((key, waiting)) = next else { return };
            drop(waiting.place.send(Place { places: self.clone(), key }));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a place for whoever is to have the next one.
    fn next(&mut self) -> Option<(Arc<str>, Waiting)> {
        let free = self.free;
        self.all.retain(|_, one| {
            one.forget_who_left();
            0 < one.held || !one.waiting.is_empty()
        });
        let may = self.all.iter().filter(|(_, one)| one.held < free);
        let first = may.filter_map(|(key, one)| Some((one.held, one.waiting.front()?.number, key)));
        let (_, _, key) = first.min()?;
        let key = key.clone();
        let one = self.all.get_mut(&key)?;
        let waiting = one.waiting.pop_front()?;
        one.held += 1;
        self.free -= 1;
        Some((key, waiting))
    }
}

impl One {
    fn forget_who_left(&mut self) {
        self.waiting.retain(|waiting| !waiting.place.is_closed());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        {
            let mut state = self.places.state();
            state.free += 1;
            if let Some(one) = state.all.get_mut(&self.key) {
                one.held = one.held.saturating_sub(1);
            }
        }
        self.places.give_away();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use super::{Place, Places};

    /// A place, if there is one at once.
    fn now(places: &Arc<Places>, key: &str) -> Option<Place> {
        match pin!(places.place(key)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    fn as_many(places: &Arc<Places>, key: &str) -> Vec<Place> {
        std::iter::from_fn(|| now(places, key)).collect()
    }

    #[test]
    fn each_gets_half_of_what_the_others_left() {
        let places = Places::new(64);
        let held: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"]
            .into_iter()
            .map(|key| as_many(&places, key))
            .collect();
        let counts: Vec<usize> = held.iter().map(Vec::len).collect();
        assert_eq!(counts, [32, 16, 8, 4, 2, 1, 1, 0]);
        drop(held);
        assert_eq!(places.state().free, 64);
        assert!(places.state().all.is_empty(), "nobody is remembered");
    }

    #[test]
    fn what_comes_free_goes_to_who_holds_the_fewest_and_came_first() {
        let places = Places::new(4);
        let mut a = as_many(&places, "a");
        let b = as_many(&places, "b");
        let c = as_many(&places, "c");
        assert_eq!((a.len(), b.len(), c.len()), (2, 1, 1));
        let context = &mut Context::from_waker(Waker::noop());
        let mut again = pin!(places.place("a"));
        let mut left = Box::pin(places.place("d"));
        let mut first = pin!(places.place("e"));
        let mut second = pin!(places.place("f"));
        assert!(again.as_mut().poll(context).is_pending());
        assert!(left.as_mut().poll(context).is_pending());
        assert!(first.as_mut().poll(context).is_pending());
        assert!(second.as_mut().poll(context).is_pending());
        // Who does not wait any more is passed over.
        drop(left);
        drop(a.pop());
        assert!(again.as_mut().poll(context).is_pending());
        assert!(second.as_mut().poll(context).is_pending());
        let Poll::Ready(e) = first.as_mut().poll(context) else { panic!("it waits") };
        drop(e);
        let Poll::Ready(f) = second.as_mut().poll(context) else { panic!("it waits") };
        drop((b, c, f));
        assert!(again.as_mut().poll(context).is_ready());
        drop(a);
        assert_eq!(places.state().free, 4);
    }

    #[test]
    fn a_place_that_nobody_took_up_is_not_lost() {
        let places = Places::new(2);
        let held = now(&places, "a").unwrap();
        let other = now(&places, "b").unwrap();
        let mut given = Box::pin(places.place("c"));
        assert!(given.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        // It is on its way, and then nobody is there.
        drop(held);
        drop(given);
        assert!(now(&places, "d").is_some());
        drop(other);
        assert_eq!(places.state().free, 2);
    }

    #[test]
    fn who_comes_and_goes_leaves_nothing_behind() {
        let places = Places::new(2);
        let _held = now(&places, "a").unwrap();
        for _ in 0..10_000 {
            assert!(now(&places, "a").is_none());
        }
        let waiting = places.state().all["a"].waiting.len();
        assert_eq!(waiting, 1, "the last one, at most");
    }

    /// Sees whether the places could be looked at when it is woken.
    struct Looks {
        places: Arc<Places>,
        could: AtomicBool,
    }

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            self.could.store(self.places.state.try_lock().is_ok(), Ordering::SeqCst);
        }
    }

    #[test]
    fn whoever_is_given_a_place_can_give_it_back_at_once() {
        let places = Places::new(1);
        let held = now(&places, "a").unwrap();
        let looks = Arc::new(Looks { places: places.clone(), could: AtomicBool::new(false) });
        let waker = Waker::from(looks.clone());
        let mut waiting = pin!(places.place("b"));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(held);
        assert!(looks.could.load(Ordering::SeqCst), "nobody can have them meanwhile");
        assert!(waiting.poll(&mut Context::from_waker(&waker)).is_ready());
    }

    /// Lets others go first, so many times.
    async fn turns(count: u64) {
        for _ in 0..count {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn all_places_come_back_however_many_ask_and_leave() {
        let places = Places::new(8);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let got = runtime.block_on(async {
            let tasks = (0..2_000_u64).map(|nth| {
                let places = places.clone();
                tokio::spawn(async move {
                    let key = (nth % 7).to_string();
                    let place = tokio::select! {
                        place = places.place(&key) => Some(place),
                        () = turns(nth * 37 % 90) => None,
                    };
                    turns(nth * 53 % 40).await;
                    place.is_some()
                })
            });
            let mut got = 0;
            for task in tasks.collect::<Vec<_>>() {
                got += usize::from(task.await.unwrap());
            }
            got
        });
        // Both happened, or nothing was tried.
        assert!(8 < got && got < 2_000, "{got}");
        let state = places.state();
        assert_eq!((state.free, state.all.len()), (8, 0));
    }
}
