//! Stores of sessions.

use std::sync::Arc;

use headwater_core::{Result, Serde, Timestamp};
use headwater_dsl::{Data, Materialized, Windowed, decode_timed_key, timed_key_prefix};

use super::{Rows, StoredRow, encoded};
use crate::testing::TopologyTestDriver;

/// The rows of a store of sessions; see [`TopologyTestDriver::session_store`].
pub struct TestSessionStore<'a, K, V> {
    rows: Rows<'a>,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
}

impl<K, V> std::fmt::Debug for TestSessionStore<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestSessionStore").field("name", &self.rows.name).finish_non_exhaustive()
    }
}

impl<'a, K: Data, V: Data> TestSessionStore<'a, K, V> {
    pub(in crate::testing) fn new(driver: &'a TopologyTestDriver, store: &Materialized<K, V>) -> Result<Self> {
        let rows = Rows::new(driver, store.name())?;
        if !rows.is_timed() {
            return Err(rows.damaged());
        }
        let (keys, values) = store.serdes();
        Ok(Self { rows, keys, values })
    }

    /// The sessions of `key`, in the order of their ends.
    ///
    /// # Errors
    /// If a row is not of this type.
    pub fn fetch(&self, key: &K) -> Result<Vec<(Windowed<K>, V)>> {
        self.find(key, Timestamp::MIN, Timestamp::MAX)
    }

    /// The sessions of `key` that end at `earliest_end` or after and start at `latest_start` or before, in the order of
    /// their ends.
    ///
    /// # Errors
    /// As [`TestSessionStore::fetch`].
    pub fn find(&self, key: &K, earliest_end: Timestamp, latest_start: Timestamp) -> Result<Vec<(Windowed<K>, V)>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(Vec::new()) };
        let from = timed_key_prefix(&key);
        let mut to = from.clone();
        // All keys' prefixes end in 00 01.
        if let Some(last) = to.last_mut() {
            *last += 1;
        }
        let mut found = self.typed(&self.rows.range(&from, Some(&to))?)?;
        found.retain(|(session, _)| session.end >= earliest_end && session.start <= latest_start);
        Ok(found)
    }

    /// All rows: task by task, in the order of (key's bytes, end).
    ///
    /// # Errors
    /// As [`TestSessionStore::fetch`].
    pub fn all(&self) -> Result<Vec<(Windowed<K>, V)>> {
        self.typed(&self.rows.all()?)
    }

    fn typed(&self, rows: &[StoredRow]) -> Result<Vec<(Windowed<K>, V)>> {
        let typed = rows.iter().map(|(key, row)| {
            let session = decode_timed_key(key).ok_or_else(|| self.rows.damaged())?;
            let key = self.rows.decode_key(&*self.keys, &session.key)?;
            let window = Windowed { key, start: session.sub, end: session.time };
            Ok((window, self.rows.decode(&*self.values, row)?.1))
        });
        typed.collect()
    }
}
