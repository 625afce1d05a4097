//! Stores with history.

use std::sync::Arc;

use headwater_core::{Result, Serde, Timestamp};
use headwater_dsl::{Data, Materialized, decode_version, version_prefix};

use super::{Rows, encoded};
use crate::testing::TopologyTestDriver;

/// The rows of a store with history; see [`TopologyTestDriver::versioned_store`].
pub struct TestVersionedStore<'a, K, V> {
    rows: Rows<'a>,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
}

impl<K, V> std::fmt::Debug for TestVersionedStore<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestVersionedStore").field("name", &self.rows.name).finish_non_exhaustive()
    }
}

impl<'a, K: Data, V: Data> TestVersionedStore<'a, K, V> {
    pub(in crate::testing) fn new(driver: &'a TopologyTestDriver, store: &Materialized<K, V>) -> Result<Self> {
        let (keys, values) = store.serdes();
        Ok(Self { rows: Rows::new(driver, store.name())?, keys, values })
    }

    /// The latest value of `key`, if it has one.
    ///
    /// # Errors
    /// If a row is not of this type.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        self.get_as_of(key, Timestamp::MAX)
    }

    /// The value of `key` that held at `at`, as far as it is still in the store.
    ///
    /// # Errors
    /// As [`TestVersionedStore::get`].
    pub fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<V>> {
        let held = self.versions(key)?.into_iter().find(|(from, _)| *from <= at);
        Ok(held.and_then(|(_, value)| value))
    }

    /// All versions of `key`, the newest first: the time from which each holds, and its value, `None` for a deletion.
    ///
    /// # Errors
    /// As [`TestVersionedStore::get`].
    pub fn versions(&self, key: &K) -> Result<Vec<(Timestamp, Option<V>)>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(Vec::new()) };
        let prefix = version_prefix(&key);
        let mut rows = self.rows.range(&prefix, None)?;
        rows.retain(|(stored, _)| stored.starts_with(&prefix));
        let typed = rows.iter().map(|(_, row)| {
            let (from, value) = decode_version(row).ok_or_else(|| self.rows.damaged())?;
            let value = value.map(|value| self.rows.decode_value(&*self.values, value)).transpose()?;
            Ok((from, value))
        });
        typed.collect()
    }
}
