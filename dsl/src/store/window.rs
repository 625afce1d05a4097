//! Keys of window stores: the window's start first, so that closing a window is a scan of one range.

use std::sync::Arc;

use headwater_core::{Payload, Serde, SerdeError};

use super::layout::{decode_window_key, start_bound};
use crate::window::Windowed;

/// The window's start, then the key: bytewise order is order of (start, key bytes).
pub(crate) struct WindowKeys<K> {
    keys: Arc<dyn Serde<K>>,
    size_ms: i64,
}

impl<K> WindowKeys<K> {
    pub(crate) fn new(keys: Arc<dyn Serde<K>>, size_ms: i64) -> Self {
        Self { keys, size_ms }
    }
}

impl<K: 'static> Serde<Windowed<K>> for WindowKeys<K> {
    fn encode(&self, key: &Windowed<K>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        out.extend_from_slice(&start_bound(key.start));
        self.keys.encode(&key.key, out)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Windowed<K>, SerdeError> {
        let (start, key) =
            bytes.and_then(decode_window_key).ok_or_else(|| SerdeError::new("a window key has a start"))?;
        Ok(Windowed { key: self.keys.decode(Some(key))?, start, end: start.saturating_add(self.size_ms) })
    }

    fn format(&self) -> &'static str {
        self.keys.format()
    }
}
