//! Session stores as processors hold them.

use std::rc::Rc;

use headwater_core::{Result, Timestamp};

use super::retained::{Retained, RetainedRef};
use crate::{
    bounds::{Data, Key},
    plan::NodeId,
    store::timed::TimedRow,
    task::TaskContext,
    vocab::Materialized,
    wire::TaskBuilder,
};

/// A session store for processors, made by [`StreamsBuilder::session_store`](crate::StreamsBuilder::session_store).
pub struct SessionStoreRef<K, V>(RetainedRef<K, V>);

impl<K, V> SessionStoreRef<K, V> {
    pub(crate) fn new(store: &Materialized<K, V>, retention_ms: i64) -> Self {
        let (name, keys, values) = (store.name.clone(), store.keys.clone(), store.values.clone());
        Self(RetainedRef { name, keys, values, retention_ms })
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl<K: Key, V: Data> SessionStoreRef<K, V> {
    pub(crate) fn open_in(&self, builder: &mut TaskBuilder<'_>, id: NodeId) -> Result<SessionStore<K, V>> {
        Ok(SessionStore { rows: self.0.open_in(builder, id)?, task: builder.context.clone() })
    }
}

impl<K, V> Clone for SessionStoreRef<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> std::fmt::Debug for SessionStoreRef<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SessionStoreRef").field(&self.0.name).finish()
    }
}

/// A session of a key: both ends belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession<V> {
    /// The time of its first record.
    pub start: Timestamp,
    /// The time of its last record.
    pub end: Timestamp,
    /// Its value.
    pub value: V,
}

impl<V> From<TimedRow<V>> for StoredSession<V> {
    fn from(row: TimedRow<V>) -> Self {
        Self { start: row.sub, end: row.time, value: row.value }
    }
}

/// A task's rows of a session store: one per key, start and end, kept for the store's retention in terms of the latest
/// end ever put. Older rows are not found, and a put of one is dropped and counted (`late:<store>`).
pub struct SessionStore<K, V> {
    rows: Rc<Retained<K, V>>,
    task: Rc<TaskContext>,
}

impl<K: Key, V: Data> SessionStore<K, V> {
    /// The value of the session of `key` from `start` to `end`.
    ///
    /// # Errors
    /// `HW0205` for a row that cannot be read.
    pub fn get(&self, key: &K, start: Timestamp, end: Timestamp) -> Result<Option<V>> {
        self.rows.get(key, (end, start))
    }

    /// Sets the session of `key` from `start` to `end`. Others that it overlaps stay: removing them is the caller's.
    ///
    /// # Errors
    /// `HW0244` for a null key, otherwise as [`SessionStore::get`].
    pub fn put(&self, key: &K, start: Timestamp, end: Timestamp, value: V) -> Result<()> {
        self.rows.put(key, (end, start), self.task.time_now.get(), value)
    }

    /// Deletes the session of `key` from `start` to `end`; returns its value.
    ///
    /// # Errors
    /// As [`SessionStore::get`].
    pub fn delete(&self, key: &K, start: Timestamp, end: Timestamp) -> Result<Option<V>> {
        self.rows.remove(key, (end, start))
    }

    /// The sessions of `key` that end at `earliest_end` or later and start at `latest_start` or earlier, in order of their
    /// ends, then starts, as of this moment. Those that a record at `t` belongs to, with a gap of `g`, are
    /// `find(key, t - g, t + g)`.
    ///
    /// # Errors
    /// As [`SessionStore::get`].
    pub fn find(
        &self,
        key: &K,
        earliest_end: Timestamp,
        latest_start: Timestamp,
    ) -> Result<impl DoubleEndedIterator<Item = StoredSession<V>> + use<K, V>> {
        let rows = self.rows.fetch(key, &(earliest_end..=Timestamp::MAX))?;
        Ok(rows.into_iter().filter(move |row| row.sub <= latest_start).map(StoredSession::from))
    }

    /// All sessions of `key`; otherwise as [`SessionStore::find`].
    ///
    /// # Errors
    /// As there.
    pub fn fetch(&self, key: &K) -> Result<impl DoubleEndedIterator<Item = StoredSession<V>> + use<K, V>> {
        self.find(key, Timestamp::MIN, Timestamp::MAX)
    }
}

impl<K, V> std::fmt::Debug for SessionStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SessionStore").field(&self.rows.name).finish()
    }
}
