//! Stores with history.

use headwater_core::{Result, StoredRow, Timestamp};
use headwater_dsl::{Data, Materialized, decode_version, encode_version_key, version_prefix};

use super::{Rows, StoreRows, rows::end_of_prefix, typed::TypedRows};

/// The committed rows of a store with history; see [`Stores::versioned_store`](crate::Stores::versioned_store).
pub struct ReadOnlyVersionedStore<K, V> {
    rows: TypedRows<K, V>,
}

impl<K: Data, V: Data> ReadOnlyVersionedStore<K, V> {
    pub(super) fn new(rows: Rows, store: &Materialized<K, V>) -> Self {
        Self { rows: TypedRows::new(rows, store) }
    }

    /// The same store, as far as its tasks are in this process: rows of other tasks are not there. Default: a task that
    /// is elsewhere is an error.
    #[must_use]
    pub fn of_local_tasks(self) -> Self {
        Self { rows: self.rows.of_local_tasks() }
    }

    /// The latest value of `key`, if it has one.
    ///
    /// # Errors
    /// `HW0650` or `HW0651`, of kind `Unavailable`, if the key's task cannot be read now.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        self.get_as_of(key, Timestamp::MAX)
    }

    /// The value of `key` that held at `at`, as far as it is still in the store.
    ///
    /// # Errors
    /// As [`ReadOnlyVersionedStore::get`].
    pub fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<V>> {
        let held = self.versions_until(key, at)?.next().transpose()?;
        Ok(held.and_then(|(_, value)| value))
    }

    /// All versions of `key`, the newest first: the time from which each holds, and its value, `None` for a deletion.
    ///
    /// # Errors
    /// As [`ReadOnlyVersionedStore::get`].
    pub fn versions(&self, key: &K) -> Result<StoreRows<(Timestamp, Option<V>)>> {
        self.versions_until(key, Timestamp::MAX)
    }

    fn versions_until(&self, key: &K, at: Timestamp) -> Result<StoreRows<(Timestamp, Option<V>)>> {
        let walks = match self.rows.key_bytes(key)? {
            Some(key) => {
                let prefix = version_prefix(&key);
                let from = encode_version_key(&prefix, at);
                self.rows.bytes.walks(Some(&key), &from, end_of_prefix(&prefix).as_deref())?
            }
            None => Vec::new(),
        };
        let rows = self.rows.clone();
        StoreRows::new(&self.rows.bytes, walks, move |(_, row): &StoredRow| {
            let (from, value) = decode_version(row).ok_or_else(|| rows.bytes.damaged())?;
            let value = value.map(|value| rows.decode_value(value)).transpose()?;
            Ok(Some((from, value)))
        })
    }
}

impl<K, V> std::fmt::Debug for ReadOnlyVersionedStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadOnlyVersionedStore").field(&self.rows.bytes).finish()
    }
}
