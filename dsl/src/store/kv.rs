//! The typed key-value store.

use std::{cell::RefCell, hash::Hash, rc::Rc};

use headwater_core::{Headers, Payload, Result, StoreReader, Timestamp};

use super::{
    buffer::{Buffer, Row},
    emission::{Emission, When, keep_headers},
    layout::encode_row_head,
    serdes::StoreSerdes,
};
use crate::{
    bounds::Data,
    task::{CommitStep, StoreChangeVisitor},
    wire::{Change, Flow, Meta, TableView},
};

/// Rows kept in memory across commits, per store and task.
const KEPT_ROWS: usize = 200_000;

/// A store's rows: those in memory over those committed.
pub(crate) struct KvStore<K, V> {
    pub(super) name: String,
    pub(super) serdes: StoreSerdes<K, V>,
    pub(super) base: Rc<dyn StoreReader>,
    pub(super) buffer: RefCell<Buffer<K, V>>,
    /// `None` if nobody listens or results go elsewhere.
    emission: Option<Emission<K, V>>,
    scratch: RefCell<Scratch>,
}

impl<K: Data + Hash + Eq, V: Data> KvStore<K, V> {
    pub(crate) fn new(
        name: &str,
        serdes: StoreSerdes<K, V>,
        base: Rc<dyn StoreReader>,
        emission: Option<Emission<K, V>>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            serdes,
            base,
            buffer: RefCell::new(Buffer::new()),
            emission,
            scratch: RefCell::default(),
        }
    }

    /// The row of `key` as it is now, with what waits for the commit; `None` if there is none or the key is null.
    pub(crate) fn get(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        let mut buffer = self.buffer.borrow_mut();
        let at = match buffer.find(key) {
            Some(at) => Some(at),
            None => self.load(&mut buffer, key.clone())?,
        };
        let row = at.and_then(|at| buffer.row(at));
        Ok(row.and_then(|row| Some((row.value.clone()?, row.timestamp))))
    }

    /// Changes the row of `key` in place; setting it to `None` deletes it. The row's time becomes the greater of its
    /// own and `timestamp`. Returns false, and does nothing, if the key is null.
    pub(crate) fn update(&self, key: K, meta: Meta<'_>, change: impl FnOnce(&K, &mut Option<V>)) -> Result<bool> {
        let at_commit = self.emission.as_ref().is_some_and(|emission| emission.when == When::AtCommit);
        self.change(key, meta, |row| {
            let fresh = row.value.is_none();
            change(&row.key, &mut row.value);
            // A deletion that waits for the commit has no row to take a time from, as in Kafka Streams' cache.
            let unknown = at_commit && row.value.is_none();
            row.timestamp = if fresh || unknown { meta.timestamp } else { row.timestamp.max(meta.timestamp) };
        })
    }

    pub(super) fn change(&self, key: K, meta: Meta<'_>, change: impl FnOnce(&mut Row<K, V>)) -> Result<bool> {
        let emission = self.emission.as_ref();
        let with_old = emission.is_some_and(|emission| emission.with_old);
        let at_once = emission.filter(|emission| emission.when == When::AtOnce);
        let mut buffer = self.buffer.borrow_mut();
        let at = match buffer.find(&key) {
            Some(at) => at,
            None => match self.load(&mut buffer, key)? {
                Some(at) => at,
                None => return Ok(false),
            },
        };
        let Some(row) = buffer.row_mut(at) else { return Ok(false) };
        if with_old && (row.changed == 0 || at_once.is_some()) {
            row.old.clone_from(&row.value);
        }
        change(row);
        keep_headers(&mut row.headers, meta.headers);
        let sent = at_once.map(|emission| (emission, row.key.clone(), row.news(), row.timestamp));
        buffer.touch(at);
        drop(buffer);
        if let Some((emission, key, change, timestamp)) = sent {
            emission.to.push(Meta { timestamp, headers: meta.headers }, key, change)?;
        }
        Ok(true)
    }

    /// Sets the row of `key`, with the time of this record whatever the row's was. Returns false if the key is null.
    pub(crate) fn replace(&self, key: K, meta: Meta<'_>, value: Option<V>) -> Result<bool> {
        self.change(key, meta, |row| {
            row.value = value;
            row.timestamp = meta.timestamp;
        })
    }

    /// Reads the row of `key` into memory; `None` if the key is null.
    fn load(&self, buffer: &mut Buffer<K, V>, key: K) -> Result<Option<usize>> {
        let Some(bytes) = self.serdes.key_bytes(&self.name, &key)? else { return Ok(None) };
        let stored = self.base.get(&bytes)?;
        let (value, timestamp) = match stored {
            Some(stored) => {
                let (timestamp, value) = self.serdes.decode_row(&self.name, &stored)?;
                (Some(value), timestamp)
            }
            None => (None, Timestamp::MIN),
        };
        Ok(Some(buffer.insert(key, value, timestamp)))
    }

    fn visit_row(&self, row: &Row<K, V>, visit: &mut StoreChangeVisitor<'_>, scratch: &mut Scratch) -> Result<()> {
        scratch.key.clear();
        self.serdes.encode_key(&self.name, &row.key, &mut scratch.key)?;
        let Some(value) = &row.value else {
            return if row.committed { visit(&self.name, &scratch.key, None) } else { Ok(()) };
        };
        scratch.value.clear();
        encode_row_head(row.timestamp, &mut scratch.value);
        match self.serdes.encode_value(&self.name, value, &mut scratch.value)? {
            Payload::Bytes => visit(&self.name, &scratch.key, Some(&scratch.value)),
            Payload::Null => visit(&self.name, &scratch.key, None),
        }
    }
}

/// The bytes of one row, of memory that every commit uses again.
#[derive(Default)]
struct Scratch {
    key: Vec<u8>,
    value: Vec<u8>,
}

/// A change to send downstream once the buffer is no longer borrowed.
type HeldBack<K, V> = (K, Change<V>, Timestamp, Option<Box<Headers>>);

impl<K, V: Clone> Row<K, V> {
    /// What a listener is told of it.
    fn news(&self) -> Change<V> {
        Change { new: self.value.clone(), old: self.old.clone() }
    }
}

impl<K: Data + Hash + Eq, V: Data> CommitStep for KvStore<K, V> {
    fn before_commit(&self) -> Flow {
        let Some(emission) = self.emission.as_ref().filter(|emission| emission.when == When::AtCommit) else {
            return Ok(());
        };
        let held_back: Vec<HeldBack<K, V>> = {
            let mut buffer = self.buffer.borrow_mut();
            let rows = buffer.in_order_of_change().map(|(_, row)| row);
            // A deletion of a row that was never there changes nothing.
            rows.filter(|row| row.value.is_some() || row.committed)
                .map(|row| (row.key.clone(), row.news(), row.timestamp, row.headers.clone()))
                .collect()
        };
        let none = Headers::new();
        for (key, change, timestamp, headers) in held_back {
            emission.to.push(Meta { timestamp, headers: headers.as_deref().unwrap_or(&none) }, key, change)?;
        }
        Ok(())
    }

    fn changes(&self, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        let mut scratch = self.scratch.borrow_mut();
        let mut buffer = self.buffer.borrow_mut();
        buffer.in_order_of_change().try_for_each(|(_, row)| self.visit_row(row, visit, &mut scratch))
    }

    fn committed(&self) {
        self.buffer.borrow_mut().committed(KEPT_ROWS);
    }

    fn dirty_rows(&self) -> usize {
        self.buffer.borrow().dirty_count()
    }
}

impl<K: Data + Hash + Eq, V: Data> TableView<K, V> for KvStore<K, V> {
    fn get(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        Self::get(self, key)
    }
}
