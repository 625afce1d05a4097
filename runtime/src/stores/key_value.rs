//! Stores of keys and values.

use headwater_core::{Result, StoredRow, Timestamp};
use headwater_dsl::{Data, Materialized};

use super::{
    Rows, StoreRows,
    rows::{end_of_prefix, just_above},
    typed::TypedRows,
};

/// The committed rows of a store without windows; see [`Stores::store`](crate::Stores::store).
pub struct ReadOnlyKeyValueStore<K, V> {
    rows: TypedRows<K, V>,
}

impl<K: Data, V: Data> ReadOnlyKeyValueStore<K, V> {
    pub(super) fn new(rows: Rows, store: &Materialized<K, V>) -> Self {
        Self { rows: TypedRows::new(rows, store) }
    }

    /// The same store, as far as its tasks are in this process: rows of other tasks are not there. Default: a task that
    /// is elsewhere is an error.
    #[must_use]
    pub fn of_local_tasks(self) -> Self {
        Self { rows: self.rows.of_local_tasks() }
    }

    /// The value of `key`, if it has a row.
    ///
    /// # Errors
    /// `HW0650` or `HW0651`, of kind `Unavailable`, if the key's task cannot be read now.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        Ok(self.get_with_timestamp(key)?.map(|(value, _)| value))
    }

    /// The value of `key` and the time of the row.
    ///
    /// # Errors
    /// As [`ReadOnlyKeyValueStore::get`].
    pub fn get_with_timestamp(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        let Some(key) = self.rows.key_bytes(key)? else { return Ok(None) };
        let Some(row) = self.rows.bytes.get(&key, &key)? else { return Ok(None) };
        let (timestamp, value) = self.rows.decode(&row)?;
        Ok(Some((value, timestamp)))
    }

    /// All rows, in the order of the keys' bytes.
    ///
    /// # Errors
    /// `HW0650` or `HW0651`, of kind `Unavailable`, if a task of the store cannot be read now.
    pub fn all(&self) -> Result<StoreRows<(K, V)>> {
        self.between(&[], None)
    }

    /// The rows from `from` to `to`, both included, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`ReadOnlyKeyValueStore::all`].
    pub fn range(&self, from: &K, to: &K) -> Result<StoreRows<(K, V)>> {
        let bytes = |key| self.rows.key_bytes(key);
        let (Some(from), Some(to)) = (bytes(from)?, bytes(to)?) else {
            return StoreRows::new(&self.rows.bytes, Vec::new(), |_| Ok(None));
        };
        self.between(&from, Some(&just_above(&to)))
    }

    /// The rows whose keys' bytes begin with `prefix`, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`ReadOnlyKeyValueStore::all`].
    pub fn prefix(&self, prefix: &[u8]) -> Result<StoreRows<(K, V)>> {
        self.between(prefix, end_of_prefix(prefix).as_deref())
    }

    fn between(&self, from: &[u8], to: Option<&[u8]>) -> Result<StoreRows<(K, V)>> {
        let rows = self.rows.clone();
        StoreRows::new(&self.rows.bytes, self.rows.bytes.walks(None, from, to)?, move |(key, row): &StoredRow| {
            Ok(Some((rows.decode_key(key)?, rows.decode(row)?.1)))
        })
    }
}

impl<K, V> std::fmt::Debug for ReadOnlyKeyValueStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadOnlyKeyValueStore").field(&self.rows.bytes).finish()
    }
}
