//! Windowed stores.

use headwater_core::{Result, Timestamp};
use headwater_dsl::{Data, Windowed};

use crate::stores::ReadOnlyWindowStore;

/// The rows of a windowed store; see [`TopologyTestDriver::window_store`](crate::TopologyTestDriver::window_store).
#[derive(Debug)]
pub struct TestWindowStore<K, V>(ReadOnlyWindowStore<K, V>);

impl<K: Data, V: Data> TestWindowStore<K, V> {
    pub(in crate::testing) fn new(store: ReadOnlyWindowStore<K, V>) -> Self {
        Self(store)
    }

    /// The value of `key` in the window that starts at `start`, if it has a row.
    ///
    /// # Errors
    /// If the row cannot be read.
    pub fn get(&self, key: &K, start: Timestamp) -> Result<Option<V>> {
        self.0.get(key, start)
    }

    /// All rows, in the order of (window start, key's bytes).
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn all(&self) -> Result<Vec<(Windowed<K>, V)>> {
        self.0.all()?.collect()
    }

    /// The values of `key` in the windows that start from `from` to `to`, both included, in the order of their starts.
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn fetch(&self, key: &K, from: Timestamp, to: Timestamp) -> Result<Vec<(Timestamp, V)>> {
        self.0.fetch(key, from, to)?.collect()
    }

    /// The rows of all keys in the windows that start from `from` to `to`, both included, in the order of (window start,
    /// key's bytes).
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn fetch_all(&self, from: Timestamp, to: Timestamp) -> Result<Vec<(Windowed<K>, V)>> {
        self.0.fetch_all(from, to)?.collect()
    }
}
