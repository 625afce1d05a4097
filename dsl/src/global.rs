//! Global tables: every process holds all rows.

use std::sync::Arc;

use headwater_core::Serde;

/// A table that every process holds in full; a stream is joined with it by any key, without repartition.
///
/// Made by [`StreamsBuilder::global_table`](crate::StreamsBuilder::global_table).
pub struct GlobalTable<K, V> {
    pub(crate) store: String,
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
}

impl<K, V> GlobalTable<K, V> {
    pub(crate) fn new(store: &str, keys: Arc<dyn Serde<K>>, values: Arc<dyn Serde<V>>) -> Self {
        Self { store: store.to_owned(), keys, values }
    }

    /// The name of its store.
    pub fn store_name(&self) -> &str {
        &self.store
    }
}

impl<K, V> Clone for GlobalTable<K, V> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), keys: self.keys.clone(), values: self.values.clone() }
    }
}

impl<K, V> std::fmt::Debug for GlobalTable<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GlobalTable({})", self.store)
    }
}
