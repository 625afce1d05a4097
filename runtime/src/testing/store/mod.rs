//! Looking into a driver's stores: what readers of a running application get, as lists.

mod session;
mod versioned;
mod window;

use headwater_core::{Result, Timestamp};
use headwater_dsl::Data;

pub use session::TestSessionStore;
pub use versioned::TestVersionedStore;
pub use window::TestWindowStore;

use crate::stores::ReadOnlyKeyValueStore;

/// The rows of a store without windows; see [`TopologyTestDriver::store`](super::TopologyTestDriver::store).
#[derive(Debug)]
pub struct TestStore<K, V>(ReadOnlyKeyValueStore<K, V>);

impl<K: Data, V: Data> TestStore<K, V> {
    pub(super) fn new(store: ReadOnlyKeyValueStore<K, V>) -> Self {
        Self(store)
    }

    /// The value of `key`, if it has a row.
    ///
    /// # Errors
    /// If the row cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        self.0.get(key)
    }

    /// The value of `key` and the time of the row.
    ///
    /// # Errors
    /// As [`TestStore::get`].
    pub fn get_with_timestamp(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        self.0.get_with_timestamp(key)
    }

    /// All rows, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`TestStore::get`].
    pub fn all(&self) -> Result<Vec<(K, V)>> {
        self.0.all()?.collect()
    }

    /// The rows from `from` to `to`, both included, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`TestStore::get`].
    pub fn range(&self, from: &K, to: &K) -> Result<Vec<(K, V)>> {
        self.0.range(from, to)?.collect()
    }

    /// The rows whose keys' bytes begin with `prefix`, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`TestStore::get`].
    pub fn prefix(&self, prefix: &[u8]) -> Result<Vec<(K, V)>> {
        self.0.prefix(prefix)?.collect()
    }
}
