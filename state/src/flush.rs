//! When a store's memory goes to disk: by age and by size, so that a quiet store does not fall behind for ever.

use std::sync::{Mutex, PoisonError};

use headwater_core::{Timestamp, seconds};

/// When [`TaskStore::flush_if_due`](crate::TaskStore::flush_if_due) flushes: at whichever bound is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushPolicy {
    /// The greatest age of applied but unflushed changes, in milliseconds. Default: 60,000.
    pub max_age_ms: i64,
    /// The most bytes of keys and values applied since the last flush. Default: 64 MiB.
    pub max_bytes: u64,
}

impl Default for FlushPolicy {
    fn default() -> Self {
        Self { max_age_ms: seconds(60), max_bytes: 64 * 1024 * 1024 }
    }
}

/// What has been applied since the last flush.
#[derive(Debug, Default)]
pub(crate) struct Unflushed(Mutex<State>);

#[derive(Debug, Default, Clone, Copy)]
struct State {
    policy: FlushPolicy,
    bytes: u64,
    /// When the oldest unflushed change was first seen by `due`.
    since_ms: Option<Timestamp>,
}

impl Unflushed {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere cannot leave these three numbers half-changed.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_policy(&self, policy: FlushPolicy) {
        self.with(|state| state.policy = policy);
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.with(|state| state.bytes = state.bytes.saturating_add(bytes.max(1)));
    }

    /// Whether a flush is due; the age counts from the first call that sees the change.
    pub(crate) fn due(&self, now_ms: Timestamp) -> bool {
        self.with(|state| {
            if state.bytes == 0 {
                return false;
            }
            let since = *state.since_ms.get_or_insert(now_ms);
            state.bytes >= state.policy.max_bytes || now_ms.saturating_sub(since) >= state.policy.max_age_ms
        })
    }

    pub(crate) fn reset(&self) {
        self.with(|state| (state.bytes, state.since_ms) = (0, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_and_bytes_each_make_a_flush_due() {
        let unflushed = Unflushed::default();
        unflushed.set_policy(FlushPolicy { max_age_ms: 1_000, max_bytes: 100 });
        assert!(!unflushed.due(0), "nothing applied");
        unflushed.add(10);
        assert!(!unflushed.due(5_000), "the age starts here");
        assert!(!unflushed.due(5_999));
        assert!(unflushed.due(6_000));
        unflushed.reset();
        assert!(!unflushed.due(60_000));
        unflushed.add(100);
        assert!(unflushed.due(60_000));
    }
}
