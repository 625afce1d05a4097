//! Windowed stores.

use std::sync::Arc;

use headwater_core::{Result, Serde, Timestamp};
use headwater_dsl::{Data, Materialized, NodeKind, Windowed, decode_window_key, encode_window_key};

use super::{Rows, StoredRow, encoded};
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
        let nodes = &driver.around.topology.plan().nodes;
        let size = |kind: &NodeKind| match kind {
            NodeKind::WindowedAggregate { store: name, size_ms, .. } if name == store.name() => Some(*size_ms),
            _ => None,
        };
        let rows = Rows::new(driver, store.name())?;
        let size_ms = nodes.iter().find_map(|node| size(&node.kind)).ok_or_else(|| rows.damaged())?;
        let (keys, values) = store.serdes();
        Ok(Self { rows, keys, values, size_ms })
    }

    /// The value of `key` in the window that starts at `start`, if it has a row.
    ///
    /// # Errors
    /// If the row is not of this type.
    pub fn get(&self, key: &K, start: Timestamp) -> Result<Option<V>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(None) };
        let Some(row) = self.rows.get(&encode_window_key(start, &key))? else { return Ok(None) };
        Ok(Some(self.rows.decode(&*self.values, &row)?.1))
    }

    /// All rows: task by task, in the order of (window start, key's bytes).
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn all(&self) -> Result<Vec<(Windowed<K>, V)>> {
        self.typed(&self.rows.all()?)
    }

    /// The values of `key` in the windows that start from `from` to `to`, both included, in the order of their starts.
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn fetch(&self, key: &K, from: Timestamp, to: Timestamp) -> Result<Vec<(Timestamp, V)>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(Vec::new()) };
        let mut rows = self.starting(from, to)?;
        rows.retain(|(stored, _)| decode_window_key(stored).is_some_and(|(_, of)| of == key));
        Ok(self.typed(&rows)?.into_iter().map(|(windowed, value)| (windowed.start, value)).collect())
    }

    /// The rows of all keys in the windows that start from `from` to `to`, both included: task by task, in the order of
    /// (window start, key's bytes).
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn fetch_all(&self, from: Timestamp, to: Timestamp) -> Result<Vec<(Windowed<K>, V)>> {
        self.typed(&self.starting(from, to)?)
    }

    fn starting(&self, from: Timestamp, to: Timestamp) -> Result<Vec<StoredRow>> {
        let end = to.checked_add(1).map(|end| encode_window_key(end, &[]));
        self.rows.range(&encode_window_key(from, &[]), end.as_deref())
    }

    fn typed(&self, rows: &[StoredRow]) -> Result<Vec<(Windowed<K>, V)>> {
        let typed = rows.iter().map(|(key, row)| {
            let (start, key) = decode_window_key(key).ok_or_else(|| self.rows.damaged())?;
            let key = self.rows.decode_key(&*self.keys, key)?;
            let window = Windowed { key, start, end: start.saturating_add(self.size_ms) };
            Ok((window, self.rows.decode(&*self.values, row)?.1))
        });
        typed.collect()
    }
}
