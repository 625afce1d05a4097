//! Window stores as processors hold them.

use std::{ops::RangeInclusive, rc::Rc};

use headwater_core::{Result, Timestamp};

use super::retained::{Retained, RetainedRef};
use crate::{
    bounds::{Data, Key},
    plan::NodeId,
    task::TaskContext,
    vocab::Materialized,
    wire::TaskBuilder,
};

/// A window store for processors, made by [`StreamsBuilder::window_store`](crate::StreamsBuilder::window_store).
pub struct WindowStoreRef<K, V>(RetainedRef<K, V>);

impl<K, V> WindowStoreRef<K, V> {
    pub(crate) fn new(store: &Materialized<K, V>, retention_ms: i64) -> Self {
        let (name, keys, values) = (store.name.clone(), store.keys.clone(), store.values.clone());
        Self(RetainedRef { name, keys, values, retention_ms })
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl<K: Key, V: Data> WindowStoreRef<K, V> {
    pub(crate) fn open_in(&self, builder: &mut TaskBuilder<'_>, id: NodeId) -> Result<WindowStore<K, V>> {
        Ok(WindowStore { rows: self.0.open_in(builder, id)?, task: builder.context.clone() })
    }
}

impl<K, V> Clone for WindowStoreRef<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> std::fmt::Debug for WindowStoreRef<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WindowStoreRef").field(&self.0.name).finish()
    }
}

/// A task's rows of a window store: one per key and window start, kept for the store's retention in terms of the newest
/// window start ever put. Older rows are not found, and a put of one is dropped and counted (`late:<store>`).
pub struct WindowStore<K, V> {
    rows: Rc<Retained<K, V>>,
    task: Rc<TaskContext>,
}

impl<K: Key, V: Data> WindowStore<K, V> {
    /// The value of `key` in the window that starts at `start`.
    ///
    /// # Errors
    /// `HW0205` for a row that cannot be read.
    pub fn get(&self, key: &K, start: Timestamp) -> Result<Option<V>> {
        self.rows.get(key, (start, 0))
    }

    /// Sets the row of `key` in the window that starts at `start`.
    ///
    /// # Errors
    /// `HW0244` for a null key, otherwise as [`WindowStore::get`].
    pub fn put(&self, key: &K, start: Timestamp, value: V) -> Result<()> {
        self.rows.put(key, (start, 0), self.task.time_now.get(), value)
    }

    /// Deletes the row of `key` in the window that starts at `start`; returns its value.
    ///
    /// # Errors
    /// As [`WindowStore::get`].
    pub fn delete(&self, key: &K, start: Timestamp) -> Result<Option<V>> {
        self.rows.remove(key, (start, 0))
    }

    /// The windows of `key` that start within `starts`, both ends included, in order of time, as of this moment.
    ///
    /// # Errors
    /// As [`WindowStore::get`].
    pub fn fetch(
        &self,
        key: &K,
        starts: RangeInclusive<Timestamp>,
    ) -> Result<impl DoubleEndedIterator<Item = (Timestamp, V)> + use<K, V>> {
        let rows = self.rows.fetch(key, &starts)?;
        Ok(rows.into_iter().map(|row| (row.time, row.value)))
    }

    /// The windows of all keys that start within `starts`, both ends included, in order of the keys' bytes, then of time,
    /// as of this moment.
    ///
    /// # Errors
    /// `HW0245` if there are more than a million, otherwise as [`WindowStore::get`].
    pub fn fetch_all(
        &self,
        starts: RangeInclusive<Timestamp>,
    ) -> Result<impl DoubleEndedIterator<Item = (K, Timestamp, V)> + use<K, V>> {
        let rows = self.rows.fetch_all(&starts)?;
        Ok(rows.into_iter().map(|taken| (taken.key, taken.row.time, taken.row.value)))
    }

    /// All rows that are kept; otherwise as [`WindowStore::fetch_all`].
    ///
    /// # Errors
    /// As there.
    pub fn all(&self) -> Result<impl DoubleEndedIterator<Item = (K, Timestamp, V)> + use<K, V>> {
        self.fetch_all(Timestamp::MIN..=Timestamp::MAX)
    }
}

impl<K, V> std::fmt::Debug for WindowStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WindowStore").field(&self.rows.name).finish()
    }
}
