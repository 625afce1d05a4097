//! Windowed stores.

use std::sync::Arc;

use headwater_core::{Result, Serde, Timestamp};
use headwater_dsl::{
    Data, Materialized, TimedKey, Windowed, decode_timed_key, decode_window_key, encode_timed_key, encode_window_key,
};

use super::{Rows, encoded};
use crate::testing::TopologyTestDriver;

/// The rows of a windowed store; see [`TopologyTestDriver::window_store`].
pub struct TestWindowStore<'a, K, V> {
    rows: Rows<'a>,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    size_ms: i64,
}

impl<K, V> std::fmt::Debug for TestWindowStore<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestWindowStore").field("name", &self.rows.name).finish_non_exhaustive()
    }
}

impl<'a, K: Data, V: Data> TestWindowStore<'a, K, V> {
    pub(in crate::testing) fn new(driver: &'a TopologyTestDriver, store: &Materialized<K, V>) -> Result<Self> {
        let rows = Rows::new(driver, store.name())?;
        let length = driver.around.topology.plan().window_length_ms(store.name());
        let size_ms = length.ok_or_else(|| rows.damaged())?;
        let (keys, values) = store.serdes();
        Ok(Self { rows, keys, values, size_ms })
    }

    /// The value of `key` in the window that starts at `start`, if it has a row.
    ///
    /// # Errors
    /// If the row is not of this type.
    pub fn get(&self, key: &K, start: Timestamp) -> Result<Option<V>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(None) };
        let row = match self.rows.is_timed() {
            true => encode_timed_key(TimedKey { key: &key, time: start, sub: 0 }),
            false => encode_window_key(start, &key),
        };
        let Some(row) = self.rows.get(&row)? else { return Ok(None) };
        Ok(Some(self.rows.decode(&*self.values, &row)?.1))
    }

    /// All rows: task by task, in the order of (window start, key's bytes).
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn all(&self) -> Result<Vec<(Windowed<K>, V)>> {
        self.fetch_all(Timestamp::MIN, Timestamp::MAX)
    }

    /// The values of `key` in the windows that start from `from` to `to`, both included, in the order of their starts.
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn fetch(&self, key: &K, from: Timestamp, to: Timestamp) -> Result<Vec<(Timestamp, V)>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(Vec::new()) };
        let mut rows = self.starting(from, to)?;
        rows.retain(|row| row.key == key);
        Ok(self.typed(rows)?.into_iter().map(|(windowed, value)| (windowed.start, value)).collect())
    }

    /// The rows of all keys in the windows that start from `from` to `to`, both included: task by task, in the order of
    /// (window start, key's bytes).
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn fetch_all(&self, from: Timestamp, to: Timestamp) -> Result<Vec<(Windowed<K>, V)>> {
        self.typed(self.starting(from, to)?)
    }

    fn starting(&self, from: Timestamp, to: Timestamp) -> Result<Vec<WindowRow>> {
        let mut rows = Vec::new();
        for (key, value) in self.rows.all()? {
            let (start, key) = match self.rows.is_timed() {
                true => decode_timed_key(&key).map(|row| (row.time, row.key)),
                false => decode_window_key(&key).map(|(start, key)| (start, key.to_vec())),
            }
            .ok_or_else(|| self.rows.damaged())?;
            rows.push(WindowRow { start, key, value });
        }
        rows.retain(|row| (from..=to).contains(&row.start));
        if self.rows.is_timed() {
            rows.sort_by(|a, b| (a.start, &a.key).cmp(&(b.start, &b.key)));
        }
        Ok(rows)
    }

    fn typed(&self, rows: Vec<WindowRow>) -> Result<Vec<(Windowed<K>, V)>> {
        let typed = rows.into_iter().map(|row| {
            let (start, end) = (row.start, row.start.saturating_add(self.size_ms));
            let key = self.rows.decode_key(&*self.keys, &row.key)?;
            Ok((Windowed { key, start, end }, self.rows.decode(&*self.values, &row.value)?.1))
        });
        typed.collect()
    }
}

/// A row of a windowed store, in bytes.
struct WindowRow {
    start: Timestamp,
    key: Vec<u8>,
    value: Vec<u8>,
}
