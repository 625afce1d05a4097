//! The layout of stored bytes.

use headwater_core::Timestamp;

/// First byte of every stored value.
const FORMAT: u8 = 1;

/// Begins a stored value: format byte, timestamp (8 bytes, big endian). The value in the store's format follows.
pub(crate) fn encode_row_head(timestamp: Timestamp, out: &mut Vec<u8>) {
    out.push(FORMAT);
    out.extend_from_slice(&timestamp.to_be_bytes());
}

/// The timestamp of a stored row and its value in the store's format; `None` if the bytes are no row of a known format.
pub fn decode_row(stored: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (timestamp, value) = stored.strip_prefix(&[FORMAT])?.split_first_chunk()?;
    Some((Timestamp::from_be_bytes(*timestamp), value))
}

/// The first key of a window that starts at `start`: 8 bytes, big endian, the sign flipped so that their order is that
/// of time.
pub(crate) fn start_bound(start: Timestamp) -> [u8; 8] {
    (start ^ Timestamp::MIN).to_be_bytes()
}

/// The key of a windowed store's row: the window's start, then the key's own bytes. So closing a window is a scan of one
/// range.
pub fn encode_window_key(start: Timestamp, key: &[u8]) -> Vec<u8> {
    [&start_bound(start), key].concat()
}

/// The window's start and the key's own bytes; `None` if the bytes are no key of a windowed store.
pub fn decode_window_key(stored: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (start, key) = stored.split_first_chunk()?;
    Some((Timestamp::from_be_bytes(*start) ^ Timestamp::MIN, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_keys_are_ordered_by_start_then_key() {
        let keys: Vec<_> = [(i64::MIN, "z"), (-1, "b"), (0, ""), (0, "a"), (5, "a"), (i64::MAX, "")]
            .map(|(start, key)| encode_window_key(start, key.as_bytes()))
            .into();
        assert!(keys.is_sorted());
        assert_eq!(decode_window_key(&keys[1]), Some((-1, b"b".as_slice())));
    }

    #[test]
    fn a_row_of_another_format_or_cut_short_is_none() {
        let mut row = Vec::new();
        encode_row_head(-7, &mut row);
        row.push(9);
        assert_eq!(decode_row(&row), Some((-7, [9].as_slice())));
        assert_eq!(decode_row(&row[..8]), None);
        row[0] = 2;
        assert_eq!(decode_row(&row), None);
    }
}
