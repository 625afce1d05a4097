//! Tables as processors read them.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Payload, Result, Serde, Timestamp};

use crate::{bounds::Data, plan::NodeId, task::GlobalReader, wire::TableView};

/// A table that a processor reads, made by [`KTable::reader`](crate::KTable::reader): name it among the processor's
/// resources. Stream and table are then in one task, and must be co-partitioned.
pub struct TableRef<K, V> {
    pub(crate) id: NodeId,
    /// Which builder's table it is.
    pub(crate) builder: usize,
    pub(crate) types: std::marker::PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for TableRef<K, V> {
    fn clone(&self) -> Self {
        Self { id: self.id, builder: self.builder, types: self.types }
    }
}

impl<K, V> std::fmt::Debug for TableRef<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TableRef").field(&self.id).finish()
    }
}

/// A task's rows of a table, as a processor reads them: with what waits for the commit.
pub struct TableReader<K, V>(Rc<dyn TableView<K, V>>);

impl<K: Data, V: Data> TableReader<K, V> {
    pub(crate) fn new(view: Rc<dyn TableView<K, V>>) -> Self {
        Self(view)
    }

    /// The value of `key`; `None` also for a null key.
    ///
    /// # Errors
    /// `HW0205` for a row that cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        Ok(self.0.get(key)?.map(|(value, _)| value))
    }

    /// The value of `key` and the row's time.
    ///
    /// # Errors
    /// As [`TableReader::get`].
    pub fn get_with_timestamp(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        self.0.get(key)
    }

    /// The value of `key` as it was at `at`, in a table with history; another table has it as it is.
    ///
    /// # Errors
    /// As [`TableReader::get`].
    pub fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<(V, Timestamp)>> {
        self.0.get_as_of(key, at)
    }
}

impl<K, V> std::fmt::Debug for TableReader<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TableReader")
    }
}

/// A global table's rows, as a processor reads them.
pub struct GlobalTableReader<K, V> {
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    rows: Arc<dyn GlobalReader>,
}

impl<K: Data, V: Data> GlobalTableReader<K, V> {
    pub(crate) fn new(keys: Arc<dyn Serde<K>>, values: Arc<dyn Serde<V>>, rows: Arc<dyn GlobalReader>) -> Self {
        Self { keys, values, rows }
    }

    /// The value of `key`; `None` also for a null key.
    ///
    /// # Errors
    /// `HW0203` for a row that cannot be decoded.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        let mut bytes = Vec::new();
        if self.keys.encode(key, &mut bytes).map_err(|error| error.while_encoding("the key"))? == Payload::Null {
            return Ok(None);
        }
        let Some(row) = self.rows.get(&bytes)? else { return Ok(None) };
        let value = self.values.decode(Some(&row));
        value.map(Some).map_err(|error| error.while_decoding("the global table's row"))
    }
}

impl<K, V> std::fmt::Debug for GlobalTableReader<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GlobalTableReader")
    }
}
