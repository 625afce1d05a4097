//! Stores with history.

use headwater_core::{Result, Timestamp};
use headwater_dsl::Data;

use crate::stores::ReadOnlyVersionedStore;

/// The rows of a store with history; see
/// [`TopologyTestDriver::versioned_store`](crate::TopologyTestDriver::versioned_store).
#[derive(Debug)]
pub struct TestVersionedStore<K, V>(ReadOnlyVersionedStore<K, V>);

impl<K: Data, V: Data> TestVersionedStore<K, V> {
    pub(in crate::testing) fn new(store: ReadOnlyVersionedStore<K, V>) -> Self {
        Self(store)
    }

    /// The latest value of `key`, if it has one.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        self.0.get(key)
    }

    /// The value of `key` that held at `at`, as far as it is still in the store.
    ///
    /// # Errors
    /// As [`TestVersionedStore::get`].
    pub fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<V>> {
        self.0.get_as_of(key, at)
    }

    /// All versions of `key`, the newest first: the time from which each holds, and its value, `None` for a deletion.
    ///
    /// # Errors
    /// As [`TestVersionedStore::get`].
    pub fn versions(&self, key: &K) -> Result<Vec<(Timestamp, Option<V>)>> {
        self.0.versions(key)?.collect()
    }
}
