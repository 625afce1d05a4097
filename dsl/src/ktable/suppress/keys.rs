use std::sync::Arc;

use headwater_core::{Payload, Serde, SerdeError};

use crate::{
    store::{decode_window_key, start_bound},
    window::Windowed,
};

/// The key's own bytes, then the window's start and end: windows that close together are in the order of their keys.
pub(super) struct KeyThenWindow<K>(pub(super) Arc<dyn Serde<K>>);

impl<K: 'static> Serde<Windowed<K>> for KeyThenWindow<K> {
    fn encode(&self, key: &Windowed<K>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        let payload = self.0.encode(&key.key, out)?;
        if payload == Payload::Bytes {
            out.extend_from_slice(&start_bound(key.start));
            out.extend_from_slice(&start_bound(key.end));
        }
        Ok(payload)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Windowed<K>, SerdeError> {
        let cut = || SerdeError::new("a window's key has a start and an end");
        let (key, window) =
            bytes.and_then(|bytes| bytes.split_at_checked(bytes.len().checked_sub(16)?)).ok_or_else(cut)?;
        let (start, rest) = decode_window_key(window).ok_or_else(cut)?;
        let (end, _) = decode_window_key(rest).ok_or_else(cut)?;
        Ok(Windowed { key: self.0.decode(Some(key))?, start, end })
    }

    fn format(&self) -> &'static str {
        self.0.format()
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::serde::Text;

    use super::*;

    #[test]
    fn windowed_keys_come_back_and_are_in_the_order_of_their_keys() {
        let serde = KeyThenWindow::<String>(Arc::new(Text));
        let encoded = |key: &str, start| {
            let mut bytes = Vec::new();
            let windowed = Windowed { key: key.to_owned(), start, end: start + 10 };
            serde.encode(&windowed, &mut bytes).unwrap();
            assert_eq!(serde.decode(Some(&bytes)).unwrap(), windowed);
            bytes
        };
        assert!([encoded("a", -10), encoded("a", 0), encoded("b", -10)].is_sorted());
        assert!(serde.decode(Some(&[0; 15])).is_err());
    }
}
