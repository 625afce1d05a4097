//! Stores of sessions.

use headwater_core::{Result, Timestamp};
use headwater_dsl::{Data, Windowed};

use crate::stores::ReadOnlySessionStore;

/// The rows of a store of sessions; see [`TopologyTestDriver::session_store`](crate::TopologyTestDriver::session_store).
#[derive(Debug)]
pub struct TestSessionStore<K, V>(ReadOnlySessionStore<K, V>);

impl<K: Data, V: Data> TestSessionStore<K, V> {
    pub(in crate::testing) fn new(store: ReadOnlySessionStore<K, V>) -> Self {
        Self(store)
    }

    /// The sessions of `key`, in the order of their ends.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn fetch(&self, key: &K) -> Result<Vec<(Windowed<K>, V)>> {
        self.0.fetch(key)?.collect()
    }

    /// The sessions of `key` that end at `earliest_end` or after and start at `latest_start` or before, in the order of
    /// their ends.
    ///
    /// # Errors
    /// As [`TestSessionStore::fetch`].
    pub fn find(&self, key: &K, earliest_end: Timestamp, latest_start: Timestamp) -> Result<Vec<(Windowed<K>, V)>> {
        self.0.find(key, earliest_end, latest_start)?.collect()
    }

    /// All rows, in the order of (key's bytes, end).
    ///
    /// # Errors
    /// As [`TestSessionStore::fetch`].
    pub fn all(&self) -> Result<Vec<(Windowed<K>, V)>> {
        self.0.all()?.collect()
    }
}
