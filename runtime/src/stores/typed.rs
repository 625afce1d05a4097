//! A store's rows as the types they were declared with.

use std::sync::Arc;

use headwater_core::{Payload, Result, Serde, Timestamp};
use headwater_dsl::{Data, Materialized, decode_row};

use super::Rows;

/// A store's rows, and the formats that they are read with. Cheap to clone.
pub(super) struct TypedRows<K, V> {
    pub(super) bytes: Rows,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
}

impl<K, V> Clone for TypedRows<K, V> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), keys: self.keys.clone(), values: self.values.clone() }
    }
}

impl<K: Data, V: Data> TypedRows<K, V> {
    pub(super) fn new(bytes: Rows, store: &Materialized<K, V>) -> Self {
        let (keys, values) = store.serdes();
        Self { bytes, keys, values }
    }

    pub(super) fn of_local_tasks(self) -> Self {
        Self { bytes: self.bytes.of_local_tasks(), ..self }
    }

    /// The key's bytes; `None` for a null key, which has no row.
    pub(super) fn key_bytes(&self, key: &K) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let payload = self.keys.encode(key, &mut bytes);
        let payload =
            payload.map_err(|error| error.while_encoding(&format!("a key of store {}", self.bytes.name())))?;
        Ok((payload == Payload::Bytes).then_some(bytes))
    }

    pub(super) fn decode_key(&self, key: &[u8]) -> Result<K> {
        let key = self.keys.decode(Some(key));
        key.map_err(|error| error.while_decoding(&format!("a key of store {}", self.bytes.name())))
    }

    /// The time and the value of a stored row.
    pub(super) fn decode(&self, row: &[u8]) -> Result<(Timestamp, V)> {
        let (timestamp, value) = decode_row(row).ok_or_else(|| self.bytes.damaged())?;
        Ok((timestamp, self.decode_value(value)?))
    }

    pub(super) fn decode_value(&self, value: &[u8]) -> Result<V> {
        let value = self.values.decode(Some(value));
        value.map_err(|error| error.while_decoding(&format!("a value of store {}", self.bytes.name())))
    }
}
