//! The thread that enforces retention now and then and gives disk space back, so that no writer has to.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, Result};

use super::{
    engine::Engine,
    locks::lock,
    retention::{self, Freed},
};

/// Below this many bytes on disk a freed range waits for RocksDB's own compactions.
const WORTH_RECLAIMING: u64 = 16 << 20;
/// Range deletions slow readers down until they are flushed, so after this many a flush comes anyway.
const MAX_PENDING: usize = 256;

/// Owns the thread; dropping it ends the thread.
pub(super) struct Keeper {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Orders {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stop: bool,
    freed: Vec<Freed>,
}

impl Keeper {
    pub fn start(engine: &Arc<Engine>, interval: Duration) -> Result<Self> {
        let orders = Arc::new(Orders::default());
        let (mine, engine) = (Arc::clone(&orders), Arc::downgrade(engine));
        let thread = std::thread::Builder::new()
            .name("headwater-log-keeper".to_owned())
            .spawn(move || keep(&mine, &engine, interval))
            .map_err(|error| Error::new(ErrorKind::Storage, "HW0314", "no thread can be started").caused_by(error))?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Hands over ranges whose space can be given back.
    pub fn reclaim(&self, freed: Vec<Freed>) {
        if !freed.is_empty() {
            lock(&self.orders.state).freed.extend(freed);
            self.orders.changed.notify_all();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        lock(&self.orders.state).stop = true;
        self.orders.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It holds the log only while it works, and then no longer than one compaction takes.
            let _ = thread.join();
        }
    }
}

fn keep(orders: &Orders, engine: &Weak<Engine>, interval: Duration) {
    let mut next = Instant::now() + interval;
    let mut pending = Vec::new();
    loop {
        let mut state = lock(&orders.state);
        while !state.stop && state.freed.is_empty() && Instant::now() < next {
            let left = next.saturating_duration_since(Instant::now());
            (state, _) = orders.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        pending.append(&mut state.freed);
        let stop = state.stop;
        drop(state);
        let Some(engine) = engine.upgrade().filter(|_| !stop) else { return };
        if Instant::now() >= next {
            next = Instant::now() + interval;
            match retention::enforce(&engine) {
                Ok(freed) => pending.extend(freed),
                Err(error) => tracing::warn!(%error, "retention could not be enforced"),
            }
        }
        let all = pending.len() > MAX_PENDING;
        let worth = |range: &Freed| {
            all || engine.storage.bytes_on_disk(&range.start, &range.end).is_ok_and(|bytes| bytes > WORTH_RECLAIMING)
        };
        let now: Vec<Freed> = pending.extract_if(.., |range| worth(range)).collect();
        if let Err(error) = reclaim(&engine, &now) {
            tracing::warn!(%error, "disk space of deleted records could not be given back");
        }
    }
}

/// Gives the space of all these ranges back now.
pub(super) fn reclaim(engine: &Engine, freed: &[Freed]) -> Result<()> {
    freed.iter().try_for_each(|range| engine.storage.reclaim(&range.start, &range.end))
}
