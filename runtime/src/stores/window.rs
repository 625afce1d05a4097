//! Stores of windows.

use headwater_core::{Result, StoreCursor, StoredRow, Timestamp};
use headwater_dsl::{
    Data, KEPT_ROWS, Materialized, StoreKind, TIMED_END, TIMED_ROWS, TimedKey, Windowed, before_kept,
    decode_time_entry, decode_timed_key, decode_window_key, encode_timed_key, encode_window_key, kept,
    time_entry_bound,
};

use super::{Rows, StoreRows, errors, iter::Walk, rows::just_above, typed::TypedRows};

/// The committed rows of a store of windows; see [`Stores::window_store`](crate::Stores::window_store).
pub struct ReadOnlyWindowStore<K, V> {
    rows: TypedRows<K, V>,
    /// `None` of a processor's store, whose rows have a time and no length.
    length_ms: Option<i64>,
}

impl<K: Data, V: Data> ReadOnlyWindowStore<K, V> {
    pub(super) fn new(rows: Rows, store: &Materialized<K, V>, length_ms: Option<i64>) -> Self {
        Self { rows: TypedRows::new(rows, store), length_ms }
    }

    /// The same store, as far as its tasks are in this process: rows of other tasks are not there. Default: a task that
    /// is elsewhere is an error.
    #[must_use]
    pub fn of_local_tasks(self) -> Self {
        Self { rows: self.rows.of_local_tasks(), ..self }
    }

    /// The same store, if its windows are this long, in milliseconds: of sliding windows the difference.
    ///
    /// # Errors
    /// `HW0652` if they have another length, or none.
    pub fn of_length(self, length_ms: i64) -> Result<Self> {
        if self.length_ms == Some(length_ms) {
            return Ok(self);
        }
        let declared =
            self.length_ms.map_or("no length of windows".to_owned(), |length| format!("windows of {length} ms"));
        Err(errors::other_types(self.rows.bytes.name(), &declared, &format!("windows of {length_ms} ms")))
    }

    /// The value of `key` in the window that starts at `start`, if it has a row.
    ///
    /// # Errors
    /// `HW0650` or `HW0651`, of kind `Unavailable`, if the key's task cannot be read now.
    pub fn get(&self, key: &K, start: Timestamp) -> Result<Option<V>> {
        let Some(key) = self.rows.key_bytes(key)? else { return Ok(None) };
        let row = match self.rows.bytes.kind() {
            StoreKind::Window => self.rows.bytes.get(&key, &encode_window_key(start, &key))?,
            _ => self.rows.bytes.get_timed(TimedKey { key: &key, time: start, sub: 0 })?,
        };
        row.map(|row| Ok(self.rows.decode(&row)?.1)).transpose()
    }

    /// The values of `key` in the windows that start from `from` to `to`, both included, in the order of their starts.
    ///
    /// # Errors
    /// As [`ReadOnlyWindowStore::get`].
    pub fn fetch(&self, key: &K, from: Timestamp, to: Timestamp) -> Result<StoreRows<(Timestamp, V)>> {
        let walks = match self.rows.key_bytes(key)? {
            Some(key) if from <= to => self.walks_of(&key, from, to)?,
            _ => Vec::new(),
        };
        let (kind, rows) = (self.rows.bytes.kind(), self.rows.clone());
        StoreRows::new(&self.rows.bytes, walks, move |(key, row): &StoredRow| {
            let start = match kind {
                StoreKind::Window => decode_window_key(key).map(|(start, _)| start),
                _ => decode_timed_key(key).map(|row| row.time),
            };
            let start = start.ok_or_else(|| rows.bytes.damaged())?;
            Ok(Some((start, rows.decode(row)?.1)))
        })
    }

    fn walks_of(&self, key: &[u8], from: Timestamp, to: Timestamp) -> Result<Vec<Walk>> {
        if self.rows.bytes.kind() == StoreKind::Window {
            let (first, last) = (encode_window_key(from, key), encode_window_key(to, key));
            let cursors = self.rows.bytes.cursors(Some(key), &first, Some(&just_above(&last)))?;
            return Ok(cursors.into_iter().map(|cursor| windows_of(key.to_vec(), cursor)).collect());
        }
        let at = |time, sub| encode_timed_key(TimedKey { key, time, sub });
        self.rows.bytes.timed_walks(Some(key), &at(from, i64::MIN), &just_above(&at(to, i64::MAX)))
    }

    /// The rows of all keys in the windows that start from `from` to `to`, both included, in the order of (window start,
    /// key's bytes).
    ///
    /// # Errors
    /// `HW0650` or `HW0651`, of kind `Unavailable`, if a task of the store cannot be read now.
    pub fn fetch_all(&self, from: Timestamp, to: Timestamp) -> Result<StoreRows<(Windowed<K>, V)>> {
        let kind = self.rows.bytes.kind();
        let walks = match (kind, to.checked_add(1)) {
            _ if from > to => Vec::new(),
            (StoreKind::Window, end) => {
                let end = end.map(|end| encode_window_key(end, &[]));
                self.rows.bytes.walks(None, &encode_window_key(from, &[]), end.as_deref())?
            }
            (_, end) => self.walks_by_time(from, end)?,
        };
        let (rows, length_ms) = (self.rows.clone(), self.length_ms.unwrap_or_default());
        StoreRows::new(&self.rows.bytes, walks, move |(key, row): &StoredRow| {
            let place = match kind {
                StoreKind::Window => decode_window_key(key),
                _ => decode_time_entry(key).map(|entry| (entry.time, entry.key)),
            };
            let (start, key) = place.ok_or_else(|| rows.bytes.damaged())?;
            let key = rows.decode_key(key)?;
            let window = Windowed { key, start, end: start.saturating_add(length_ms) };
            Ok(Some((window, rows.decode(row)?.1)))
        })
    }

    /// Rows lie by key, and beside them there is an index by time, once for those that the step works with and once for
    /// those that are kept.
    fn walks_by_time(&self, from: Timestamp, end: Option<Timestamp>) -> Result<Vec<Walk>> {
        let end = end.map_or_else(|| TIMED_END.to_vec(), time_entry_bound);
        let mut walks: Vec<Walk> = Vec::new();
        for (first, end, is_kept) in [(TIMED_ROWS.0, end.clone(), false), (KEPT_ROWS.0, kept(end), true)] {
            for cursor in self.rows.bytes.cursors(None, first, Some(&end))? {
                walks.push(by_time(from, cursor, &self.rows.bytes, is_kept));
            }
        }
        Ok(walks)
    }

    /// All rows, in the order of (window start, key's bytes).
    ///
    /// # Errors
    /// As [`ReadOnlyWindowStore::fetch_all`].
    pub fn all(&self) -> Result<StoreRows<(Windowed<K>, V)>> {
        self.fetch_all(Timestamp::MIN, Timestamp::MAX)
    }
}

/// The windows of one key where all keys of a window lie together: from one window that is there to the next.
fn windows_of(key: Vec<u8>, mut cursor: Box<dyn StoreCursor>) -> Walk {
    Box::new(move || {
        while let Some((stored, row)) = cursor.next()? {
            let Some((start, found)) = decode_window_key(&stored) else { return Ok(Some((stored, row))) };
            if found < key.as_slice() {
                // The first row of a later window.
                cursor.seek(&encode_window_key(start, &key));
                continue;
            }
            let Some(next) = start.checked_add(1) else { return Ok((found == key).then_some((stored, row))) };
            cursor.seek(&encode_window_key(next, &[]));
            if found == key {
                return Ok(Some((stored, row)));
            }
        }
        Ok(None)
    })
}

/// The rows of a timed store by the entries of its index, which stand as their keys.
fn by_time(from: Timestamp, mut cursor: Box<dyn StoreCursor>, rows: &Rows, is_kept: bool) -> Walk {
    let (mut place, rows) = (time_entry_bound(from), rows.clone());
    let in_store = move |key: Vec<u8>| if is_kept { kept(key) } else { key };
    Box::new(move || {
        cursor.seek(&in_store(place.clone()));
        let Some((entry, _)) = cursor.next()? else { return Ok(None) };
        let entry = if is_kept { before_kept(entry) } else { entry };
        let stored = in_store(encode_timed_key(decode_time_entry(&entry).ok_or_else(|| rows.damaged())?));
        cursor.seek(&stored);
        let row = cursor.next()?.filter(|(found, _)| *found == stored).ok_or_else(|| rows.damaged())?;
        place = just_above(&entry);
        Ok(Some((entry, row.1)))
    })
}

impl<K, V> std::fmt::Debug for ReadOnlyWindowStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadOnlyWindowStore").field(&self.rows.bytes).finish()
    }
}
