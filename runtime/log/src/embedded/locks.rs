//! Locking without panics, and the signal that wakes whoever waits for records or assignments.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

/// Locks; a panic elsewhere while the lock was held does not matter, as nothing here is left half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Says that something happened. Whoever waits remembers the count it has seen, so no wake-up is lost.
#[derive(Debug, Default)]
pub(super) struct Signal {
    count: Mutex<u64>,
    raised: Condvar,
}

impl Signal {
    pub fn raise(&self) {
        *lock(&self.count) += 1;
        self.raised.notify_all();
    }

    /// To be taken before looking whether there is something to do.
    pub fn seen(&self) -> u64 {
        *lock(&self.count)
    }

    /// Waits until something happened since `seen`, or the deadline. False if the deadline passed.
    pub fn wait(&self, seen: u64, deadline: Instant) -> bool {
        let mut count = lock(&self.count);
        while *count == seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            (count, _) = self.raised.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}
