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

/// First byte of a timed store's rows by key, and of its index by time.
const BY_KEY: u8 = 0;
const BY_TIME: u8 = 1;
/// What is added to these once a row is only kept to be looked up.
const KEPT: u8 = 2;

/// What identifies a row of a timed store: the key's own bytes, a time, and a number that tells rows of equal key and
/// time apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedKey<B> {
    /// The key's own bytes.
    pub key: B,
    /// Its place in time.
    pub time: Timestamp,
    /// What tells rows of equal key and time apart.
    pub sub: i64,
}

/// Where a timed store's rows begin and where its index by time begins: between them are the rows.
pub const TIMED_ROWS: (&[u8], &[u8]) = (&[BY_KEY], &[BY_TIME]);

/// As [`TIMED_ROWS`], of the rows that have left what a step works with and stay for a while to be looked up. They and
/// their index by time have the keys of [`kept`].
pub const KEPT_ROWS: (&[u8], &[u8]) = (&[BY_KEY + KEPT], &[BY_TIME + KEPT]);

/// Where a timed store's index by time ends.
pub const TIMED_END: &[u8] = &[BY_TIME + 1];

/// The key that the row or entry of the index under `key` has from when it is only kept to be looked up.
pub fn kept(mut key: Vec<u8>) -> Vec<u8> {
    if let Some(first) = key.first_mut() {
        *first = first.wrapping_add(KEPT);
    }
    key
}

/// The key that a kept row or entry of the index had before: what [`kept`] made this key of.
pub fn before_kept(mut key: Vec<u8>) -> Vec<u8> {
    if let Some(first) = key.first_mut() {
        *first = first.wrapping_sub(KEPT);
    }
    key
}

/// What all rows of `key` in a timed store begin with: 0, the key's bytes with `00` written as `00 ff`, and `00 01`. So
/// no key's rows lie among another's, and the order is that of the keys' bytes.
pub fn timed_key_prefix(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 20);
    out.push(BY_KEY);
    for byte in key {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 1]);
    out
}

/// The key of a timed store's row: [`timed_key_prefix`], the time and the number (8 bytes each, big endian, signs
/// flipped): per key in order of time.
pub fn encode_timed_key(key: TimedKey<&[u8]>) -> Vec<u8> {
    let mut out = timed_key_prefix(key.key);
    push_place(key.time, key.sub, &mut out);
    out
}

/// The row that these bytes identify; `None` if they are no key of a timed store's row.
pub fn decode_timed_key(stored: &[u8]) -> Option<TimedKey<Vec<u8>>> {
    let mut rest = stored.strip_prefix(&[BY_KEY])?;
    let mut key = Vec::with_capacity(rest.len());
    loop {
        match rest {
            [0, 0xff, ..] => key.push(0),
            [0, 1, place @ ..] => {
                let (time, sub) = decode_place(place)?;
                return Some(TimedKey { key, time, sub });
            }
            [0, ..] | [] => return None,
            [byte, ..] => key.push(*byte),
        }
        rest = rest.get(if rest.first() == Some(&0) { 2 } else { 1 }..)?;
    }
}

/// The key of a row's entry in a timed store's index: 1, the time, the number, the key's bytes. Its value is one format
/// byte.
pub(crate) fn encode_time_entry(key: TimedKey<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.key.len() + 17);
    out.push(BY_TIME);
    push_place(key.time, key.sub, &mut out);
    out.extend_from_slice(key.key);
    out
}

/// The value of an entry in a timed store's index.
pub(crate) const TIME_ENTRY: &[u8] = &[FORMAT];

/// The first entry of `time` in a timed store's index.
pub fn time_entry_bound(time: Timestamp) -> Vec<u8> {
    [&[BY_TIME][..], &start_bound(time)].concat()
}

/// The row that an entry of the index is of; `None` if the bytes are no such entry.
pub fn decode_time_entry(stored: &[u8]) -> Option<TimedKey<&[u8]>> {
    let (place, key) = stored.strip_prefix(&[BY_TIME])?.split_at_checked(16)?;
    let (time, sub) = decode_place(place)?;
    Some(TimedKey { key, time, sub })
}

/// A time and a number, ordered.
fn push_place(time: Timestamp, sub: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&start_bound(time));
    out.extend_from_slice(&start_bound(sub));
}

fn decode_place(bytes: &[u8]) -> Option<(Timestamp, i64)> {
    let (time, rest) = bytes.split_first_chunk()?;
    let sub: [u8; 8] = rest.try_into().ok()?;
    let number = |bytes: [u8; 8]| i64::from_be_bytes(bytes) ^ i64::MIN;
    Some((number(*time), number(sub)))
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

    #[test]
    fn timed_keys_are_ordered_by_key_bytes_then_time_then_number() {
        let rows: [(&[u8], i64, i64); 8] = [
            (b"", 5, 0),
            (b"\0", i64::MIN, 0),
            (b"\0", i64::MAX, 0),
            (b"\0\x01", -1, 0),
            (b"\x01", 0, -1),
            (b"\x01", 0, 0),
            (b"\x01\xff", 0, 0),
            (b"\x02", 0, 0),
        ];
        let keys: Vec<_> = rows.map(|(key, time, sub)| encode_timed_key(TimedKey { key, time, sub })).into();
        assert!(keys.is_sorted());
        for ((key, time, sub), bytes) in rows.iter().zip(&keys) {
            let decoded = decode_timed_key(bytes);
            assert_eq!(decoded, Some(TimedKey { key: key.to_vec(), time: *time, sub: *sub }));
            assert!(bytes.starts_with(&timed_key_prefix(key)));
            assert_eq!(decode_timed_key(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn index_entries_are_ordered_by_time_then_number_then_key_bytes() {
        let rows: [(&[u8], i64, i64); 4] = [(b"z", -1, 7), (b"z", 0, -1), (b"", 0, 0), (b"a", 0, 0)];
        let keys: Vec<_> = rows.map(|(key, time, sub)| encode_time_entry(TimedKey { key, time, sub })).into();
        assert!(keys.is_sorted());
        assert_eq!(decode_time_entry(&keys[1]), Some(TimedKey { key: b"z".as_slice(), time: 0, sub: -1 }));
        assert!(time_entry_bound(0) <= keys[1] && time_entry_bound(0) > keys[0]);
    }
}
