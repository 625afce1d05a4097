//! Stores as processors hold them.

mod retained;
mod session;
mod tables;
mod versioned;
mod window;

pub use session::{SessionStore, SessionStoreRef, StoredSession};
pub use tables::{GlobalTableReader, TableReader, TableRef};
pub use versioned::{VersionedKeyValueStore, VersionedStoreRef};
pub use window::{WindowStore, WindowStoreRef};

use std::{
    ops::{Bound, RangeBounds},
    rc::Rc,
    sync::Arc,
};

use headwater_core::{Error, ErrorKind, Payload, Result, Serde, Timestamp};

use super::{KvStore, StoreSerdes, scan::Scanned};
use crate::{
    bounds::{Data, Key},
    plan::NodeId,
    task::TaskContext,
    vocab::Materialized,
    wire::TaskBuilder,
};

/// A store that processors share, made by [`StreamsBuilder::store`](crate::StreamsBuilder::store). Give it to
/// [`KStream::process`](crate::KStream::process) among the processor's resources, to as many processors as need it: they
/// then run in one task and see the same rows.
pub struct StoreRef<K, V> {
    name: String,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
}

impl<K, V> StoreRef<K, V> {
    pub(crate) fn new(store: &Materialized<K, V>) -> Self {
        Self { name: store.name.clone(), keys: store.keys.clone(), values: store.values.clone() }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<K: Key, V: Data> StoreRef<K, V> {
    /// The store's rows in a task, the same for all its steps; `id` is the one that asks.
    pub(crate) fn open_in(&self, builder: &mut TaskBuilder<'_>, id: NodeId) -> Result<KeyValueStore<K, V>> {
        let rows = builder.shared(&self.name, |builder| {
            let serdes = StoreSerdes { keys: self.keys.clone(), values: self.values.clone() };
            let rows = Rc::new(KvStore::new(&self.name, serdes, builder.env.store(&self.name)?, None));
            builder.context.at_commit(id, rows.clone());
            Ok(rows)
        })?;
        Ok(KeyValueStore { rows, keys: self.keys.clone(), task: builder.context.clone() })
    }
}

impl<K, V> Clone for StoreRef<K, V> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), keys: self.keys.clone(), values: self.values.clone() }
    }
}

impl<K, V> std::fmt::Debug for StoreRef<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StoreRef").field(&self.name).finish()
    }
}

/// From where and up to where, if it has an end.
type ByteRange = (Vec<u8>, Option<Vec<u8>>);

/// A task's rows of a key-value store, as a processor reads and writes them. Writes are seen at once by every processor
/// of the task, and become durable, with the changelog, in the transaction that commits their input.
///
/// Each row has a time: that of the record or timer the processor was called for, or the one given to
/// [`KeyValueStore::put_at`].
pub struct KeyValueStore<K, V> {
    rows: Rc<KvStore<K, V>>,
    keys: Arc<dyn Serde<K>>,
    task: Rc<TaskContext>,
}

impl<K: Key, V: Data> KeyValueStore<K, V> {
    /// The value of `key`, if it has a row.
    ///
    /// # Errors
    /// `HW0244` for a null key, `HW0205` for a row that cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        Ok(self.get_with_timestamp(key)?.map(|(value, _)| value))
    }

    /// The value of `key` and the row's time.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn get_with_timestamp(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        match self.rows.get(key)? {
            Some(row) => Ok(Some(row)),
            None => self.bytes(key).map(|_| None),
        }
    }

    /// Sets the row of `key`.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn put(&self, key: K, value: V) -> Result<()> {
        self.put_at(key, value, self.task.time_now.get())
    }

    /// Sets the row of `key` with a time of its own.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn put_at(&self, key: K, value: V, timestamp: Timestamp) -> Result<()> {
        self.rows.put(key, Some(value), timestamp)
    }

    /// Sets the row of `key` unless there is one; returns the value of the one there is.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn put_if_absent(&self, key: K, value: V) -> Result<Option<V>> {
        let found = self.get(&key)?;
        if found.is_none() {
            self.put(key, value)?;
        }
        Ok(found)
    }

    /// Deletes the row of `key`; returns its value.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn delete(&self, key: &K) -> Result<Option<V>> {
        let found = self.get(key)?;
        if found.is_some() {
            self.rows.put(key.clone(), None, self.task.time_now.get())?;
        }
        Ok(found)
    }

    /// The rows with keys in `range`, in the order of the keys' bytes, which for strings, integers and tuples of them
    /// with `Auto` is the order of the keys. Both ends of `from..=to` are included, as in Kafka's `range`.
    ///
    /// What is returned is the state of this moment: it may be held while rows are written, and read from both ends.
    ///
    /// # Errors
    /// `HW0245` if there are more than a million rows: read them in parts with [`KeyValueStore::first`]. Otherwise as
    /// [`KeyValueStore::get`].
    pub fn range(&self, range: impl RangeBounds<K>) -> Result<Rows<K, V>> {
        let Some((from, to)) = self.bounds(&range)? else { return Ok(Rows::none()) };
        Ok(Rows::new(self.rows.scan(&from, to.as_deref(), None)?))
    }

    /// The first `limit` rows with keys in `range`: a page. The next one begins after the last key,
    /// `(Bound::Excluded(last), Bound::Unbounded)`.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn first(&self, range: impl RangeBounds<K>, limit: usize) -> Result<Rows<K, V>> {
        let Some((from, to)) = self.bounds(&range)? else { return Ok(Rows::none()) };
        Ok(Rows::new(self.rows.scan(&from, to.as_deref(), Some(limit))?))
    }

    /// All rows, as [`KeyValueStore::range`].
    ///
    /// # Errors
    /// As there.
    pub fn all(&self) -> Result<Rows<K, V>> {
        Ok(Rows::new(self.rows.scan(&[], None, None)?))
    }

    /// The rows whose keys begin with the bytes of `prefix` in the format `serde`, such as `(&"A1".to_owned(), Text)`;
    /// otherwise as [`KeyValueStore::range`].
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::needless_pass_by_value, reason = "formats are words without content")]
    pub fn prefix<P: 'static>(&self, prefix: &P, serde: impl Serde<P>) -> Result<Rows<K, V>> {
        let mut from = Vec::new();
        if serde.encode(prefix, &mut from).map_err(|e| e.while_encoding("a prefix of keys"))? == Payload::Null {
            return Err(self.null_key());
        }
        let to = after_prefix(&from);
        Ok(Rows::new(self.rows.scan(&from, to.as_deref(), None)?))
    }

    /// The bytes from which and up to (not including) which keys lie; `None` if the range is empty.
    fn bounds(&self, range: &impl RangeBounds<K>) -> Result<Option<ByteRange>> {
        let from = match range.start_bound() {
            Bound::Unbounded => Vec::new(),
            Bound::Included(key) => self.bytes(key)?,
            Bound::Excluded(key) => after(self.bytes(key)?),
        };
        let to = match range.end_bound() {
            Bound::Unbounded => None,
            Bound::Included(key) => Some(after(self.bytes(key)?)),
            Bound::Excluded(key) => Some(self.bytes(key)?),
        };
        let is_empty = to.as_ref().is_some_and(|to| *to <= from);
        Ok((!is_empty).then_some((from, to)))
    }

    fn bytes(&self, key: &K) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.keys.encode(key, &mut bytes).map_err(|error| error.while_encoding("a key of a range"))? {
            Payload::Bytes => Ok(bytes),
            Payload::Null => Err(self.null_key()),
        }
    }

    fn null_key(&self) -> Error {
        null_key(&self.rows.name)
    }
}

impl<K, V> std::fmt::Debug for KeyValueStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyValueStore").field(&self.task.id).finish()
    }
}

pub(in crate::store) fn null_key(store: &str) -> Error {
    Error::new(ErrorKind::User, "HW0244", format!("the store {store} was asked for a null key"))
        .help("a store has no row under null; test the key first")
}

/// The least bytes greater than `key`.
fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The least bytes greater than everything that begins with `prefix`; `None` if nothing is.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix.get(..=kept)?.to_vec();
    let last = next.last_mut()?;
    *last += 1;
    Some(next)
}

/// Rows of a store as they were when they were asked for, in key order; from the other end with `rev()`.
#[derive(Debug)]
pub struct Rows<K, V>(std::vec::IntoIter<Scanned<K, V>>);

impl<K, V> Rows<K, V> {
    fn new(rows: Vec<Scanned<K, V>>) -> Self {
        Self(rows.into_iter())
    }

    fn none() -> Self {
        Self::new(Vec::new())
    }
}

impl<K, V> Iterator for Rows<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        self.0.next().map(|row| (row.key, row.value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Rows<K, V> {
    fn next_back(&mut self) -> Option<(K, V)> {
        self.0.next_back().map(|row| (row.key, row.value))
    }
}

impl<K, V> ExactSizeIterator for Rows<K, V> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_nothing_begins_with_it_any_more() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255]), None);
        assert_eq!(after_prefix(&[]), None);
    }
}
