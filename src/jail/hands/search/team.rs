//! Work that several threads share, once there is more than a little of it.
//!
//! Starting a thread costs more than searching a hundred small files. So one begins
//! alone, and others join when it has gone on for a while. Where none may be started
//! it goes on alone: what comes of it does not depend on how many there are.

use std::num::NonZero;
use std::sync::OnceLock;
use std::thread::{Builder, available_parallelism, scope};
use std::time::{Duration, Instant};

/// How long one works alone.
const ALONE: Duration = Duration::from_micros(300);
const THREADS_MAX: usize = 8;
/// What a thread needs here is on the heap.
const STACK_BYTES: usize = 512 * 1024;

/// Has `work` done until it returns on each thread. It is given something of its
/// thread's own, and until when to go on; before the others join, that is sooner.
/// It says whether there is work left.
pub(super) fn share<W: Send>(
    workers: &mut Vec<W>,
    make: impl Fn() -> W,
    deadline: Instant,
    work: impl Fn(&mut W, Instant) -> bool + Sync,
) {
    let alone = (Instant::now() + ALONE).min(deadline);
    if workers.is_empty() {
        workers.push(make());
    }
    let Some(first) = workers.first_mut() else { return };
    if !work(first, alone) || deadline <= Instant::now() {
        return;
    }
    while workers.len() < threads() {
        workers.push(make());
    }
    let Some((first, others)) = workers.split_first_mut() else { return };
    scope(|scope| {
        for other in others {
            let started = Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || work(other, deadline));
            if started.is_err() {
                break;
            }
        }
        work(first, deadline);
    });
}

fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX))
}
