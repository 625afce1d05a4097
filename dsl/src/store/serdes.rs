//! The formats of a store's rows.

use std::sync::Arc;

use headwater_core::{Error, ErrorKind, Payload, Result, Serde, Timestamp};

use super::layout::decode_row;

/// The formats of a store.
pub(crate) struct StoreSerdes<K, V> {
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
}

impl<K: 'static, V: 'static> StoreSerdes<K, V> {
    /// Appends a key of store `store`.
    pub(super) fn encode_key(&self, store: &str, key: &K, out: &mut Vec<u8>) -> Result<Payload> {
        self.keys.encode(key, out).map_err(|error| error.while_encoding(&format!("the key of store {store}")))
    }

    /// The bytes of a key of store `store`; `None` if it is null.
    pub(crate) fn key_bytes(&self, store: &str, key: &K) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let payload = self.encode_key(store, key, &mut bytes)?;
        Ok((payload == Payload::Bytes).then_some(bytes))
    }

    /// The key that these bytes of store `store` are.
    pub(super) fn decode_key(&self, store: &str, bytes: &[u8]) -> Result<K> {
        self.keys.decode(Some(bytes)).map_err(|error| damaged(store, &error))
    }

    /// Appends a value of store `store`.
    pub(crate) fn encode_value(&self, store: &str, value: &V, out: &mut Vec<u8>) -> Result<Payload> {
        self.values.encode(value, out).map_err(|error| error.while_encoding(&format!("a value of store {store}")))
    }

    /// The value that these bytes of store `store` are.
    pub(super) fn decode_value(&self, store: &str, bytes: &[u8]) -> Result<V> {
        self.values.decode(Some(bytes)).map_err(|error| damaged(store, &error))
    }

    /// The timestamp and the value of a row of store `store`.
    pub(super) fn decode_row(&self, store: &str, row: &[u8]) -> Result<(Timestamp, V)> {
        let (timestamp, value) = decode_row(row).ok_or_else(|| cut_short(store))?;
        Ok((timestamp, self.decode_value(store, value)?))
    }
}

/// The error of bytes of store `store` that are no row.
pub(super) fn cut_short(store: &str) -> Error {
    damaged(store, &"it is cut short, or its format is unknown")
}

/// The error of a row of store `store` that cannot be read.
pub(crate) fn damaged(store: &str, what: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::State, "HW0205", format!("a row of store {store} cannot be read: {what}")).help(
        "if the key's or value's type or serde was changed, replay into a new version; otherwise wipe the state \
         directory, it is restored from the changelog",
    )
}
