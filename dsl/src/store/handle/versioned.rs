//! Stores with history as processors hold them.

use std::rc::Rc;

use headwater_core::{Headers, Result, Timestamp};

use super::null_key;
use crate::{
    bounds::{Data, Key},
    plan::NodeId,
    store::{StoreSerdes, versioned::VersionedStore as Rows},
    vocab::Materialized,
    wire::{Meta, TableView, TaskBuilder},
};

/// A store with history for processors, made by
/// [`StreamsBuilder::versioned_store`](crate::StreamsBuilder::versioned_store).
pub struct VersionedStoreRef<K, V> {
    store: Materialized<K, V>,
    history_ms: i64,
}

impl<K, V> VersionedStoreRef<K, V> {
    pub(crate) fn new(store: Materialized<K, V>, history_ms: i64) -> Self {
        Self { store, history_ms }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.store.name
    }
}

impl<K: Key, V: Data> VersionedStoreRef<K, V> {
    pub(crate) fn open_in(&self, builder: &mut TaskBuilder<'_>, id: NodeId) -> Result<VersionedKeyValueStore<K, V>> {
        let store = &self.store;
        let rows = builder.shared(&store.name, |builder| {
            let serdes = StoreSerdes { keys: store.keys.clone(), values: store.values.clone() };
            let (base, context) = (builder.env.store(&store.name)?, builder.context.clone());
            let rows = Rc::new(Rows::new(&store.name, serdes, base, self.history_ms, context, None)?);
            builder.context.at_commit(id, rows.clone());
            Ok(rows)
        })?;
        Ok(VersionedKeyValueStore { rows, name: store.name.clone() })
    }
}

impl<K, V> Clone for VersionedStoreRef<K, V> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), history_ms: self.history_ms }
    }
}

impl<K, V> std::fmt::Debug for VersionedStoreRef<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("VersionedStoreRef").field(&self.store.name).finish()
    }
}

/// A task's rows of a store with history: every version of a row with the time from which it holds, for as long as the
/// store's history. A version that is older than the history is dropped and counted (`late:<store>`).
pub struct VersionedKeyValueStore<K, V> {
    rows: Rc<Rows<K, V>>,
    name: String,
}

impl<K: Key, V: Data> VersionedKeyValueStore<K, V> {
    /// The latest value of `key`, and from when it holds.
    ///
    /// # Errors
    /// `HW0205` for a row that cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        self.rows.get(key)
    }

    /// The value of `key` as it was at `at`, and from when it held; `None` too if `at` is before the history, unless the
    /// latest version held already.
    ///
    /// # Errors
    /// As [`VersionedKeyValueStore::get`].
    pub fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<(V, Timestamp)>> {
        self.rows.get_as_of(key, at)
    }

    /// Adds a version that holds from `from` on, in place of one from just then.
    ///
    /// # Errors
    /// `HW0244` for a null key, otherwise as [`VersionedKeyValueStore::get`].
    pub fn put(&self, key: K, value: V, from: Timestamp) -> Result<()> {
        self.set(key, Some(value), from)
    }

    /// Deletes the row of `key` from `from` on: its earlier versions stay.
    ///
    /// # Errors
    /// As [`VersionedKeyValueStore::put`].
    pub fn delete(&self, key: K, from: Timestamp) -> Result<()> {
        self.set(key, None, from)
    }

    fn set(&self, key: K, value: Option<V>, from: Timestamp) -> Result<()> {
        let known = self.rows.put(key, Meta { timestamp: from, headers: &Headers::new() }, value)?;
        if known { Ok(()) } else { Err(null_key(&self.name)) }
    }
}

impl<K, V> std::fmt::Debug for VersionedKeyValueStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("VersionedKeyValueStore").field(&self.name).finish()
    }
}
