//! Stores of sessions.

use headwater_core::{Result, StoredRow, Timestamp};
use headwater_dsl::{
    Data, Materialized, TIMED_ROWS, TimedKey, Windowed, decode_timed_key, encode_timed_key, timed_key_prefix,
};

use super::{Rows, StoreRows, iter::Walk, rows::end_of_prefix, typed::TypedRows};

/// The committed rows of a store of sessions; see [`Stores::session_store`](crate::Stores::session_store).
pub struct ReadOnlySessionStore<K, V> {
    rows: TypedRows<K, V>,
}

impl<K: Data, V: Data> ReadOnlySessionStore<K, V> {
    pub(super) fn new(rows: Rows, store: &Materialized<K, V>) -> Self {
        Self { rows: TypedRows::new(rows, store) }
    }

    /// The same store, as far as its tasks are in this process: rows of other tasks are not there. Default: a task that
    /// is elsewhere is an error.
    #[must_use]
    pub fn of_local_tasks(self) -> Self {
        Self { rows: self.rows.of_local_tasks() }
    }

    /// The value of `key`'s session from `start` to `end`, both included, if there is just this one.
    ///
    /// # Errors
    /// `HW0650` or `HW0651`, of kind `Unavailable`, if the key's task cannot be read now.
    pub fn get(&self, key: &K, start: Timestamp, end: Timestamp) -> Result<Option<V>> {
        let Some(key) = self.rows.key_bytes(key)? else { return Ok(None) };
        let row = self.rows.bytes.get_timed(TimedKey { key: &key, time: end, sub: start })?;
        row.map(|row| Ok(self.rows.decode(&row)?.1)).transpose()
    }

    /// The sessions of `key`, in the order of their ends.
    ///
    /// # Errors
    /// As [`ReadOnlySessionStore::get`].
    pub fn fetch(&self, key: &K) -> Result<StoreRows<(Windowed<K>, V)>> {
        self.find(key, Timestamp::MIN, Timestamp::MAX)
    }

    /// The sessions of `key` that end at `earliest_end` or after and start at `latest_start` or before, in the order of
    /// their ends.
    ///
    /// # Errors
    /// As [`ReadOnlySessionStore::get`].
    pub fn find(
        &self,
        key: &K,
        earliest_end: Timestamp,
        latest_start: Timestamp,
    ) -> Result<StoreRows<(Windowed<K>, V)>> {
        let Some(key) = self.rows.key_bytes(key)? else { return self.decoded(Vec::new(), latest_start) };
        let from = encode_timed_key(TimedKey { key: &key, time: earliest_end, sub: i64::MIN });
        let to = end_of_prefix(&timed_key_prefix(&key)).unwrap_or_else(|| TIMED_ROWS.1.to_vec());
        self.decoded(self.rows.bytes.timed_walks(Some(&key), &from, &to)?, latest_start)
    }

    /// All rows, in the order of (key's bytes, end).
    ///
    /// # Errors
    /// `HW0650` or `HW0651`, of kind `Unavailable`, if a task of the store cannot be read now.
    pub fn all(&self) -> Result<StoreRows<(Windowed<K>, V)>> {
        let (from, to) = TIMED_ROWS;
        self.decoded(self.rows.bytes.timed_walks(None, from, to)?, Timestamp::MAX)
    }

    fn decoded(&self, walks: Vec<Walk>, latest_start: Timestamp) -> Result<StoreRows<(Windowed<K>, V)>> {
        let rows = self.rows.clone();
        StoreRows::new(&self.rows.bytes, walks, move |(key, row): &StoredRow| {
            let session = decode_timed_key(key).ok_or_else(|| rows.bytes.damaged())?;
            if session.sub > latest_start {
                return Ok(None);
            }
            let key = rows.decode_key(&session.key)?;
            let window = Windowed { key, start: session.sub, end: session.time };
            Ok(Some((window, rows.decode(row)?.1)))
        })
    }
}

impl<K, V> std::fmt::Debug for ReadOnlySessionStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadOnlySessionStore").field(&self.rows.bytes).finish()
    }
}
