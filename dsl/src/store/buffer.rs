//! The rows of a store that are in memory: a slab with a hash index, and who is dirty.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use headwater_core::{Headers, Timestamp};

/// A store's row in memory.
pub(crate) struct Row<K, V> {
    hash: u64,
    pub(crate) key: K,
    /// `None`: there is no such row, or it was deleted.
    pub(crate) value: Option<V>,
    /// The value at the last commit, kept only if it has changed since and a step below needs it.
    pub(crate) old: Option<V>,
    pub(crate) timestamp: Timestamp,
    /// Headers of the last record that changed it; allocated only when there are any.
    pub(crate) headers: Option<Box<Headers>>,
    /// Whether the committed store has the row.
    pub(crate) committed: bool,
    /// When it was last changed, counted in changes since the last commit; 0 if it was not.
    pub(crate) changed: u64,
}

/// The rows in memory.
pub(crate) struct Buffer<K, V> {
    rows: Vec<Row<K, V>>,
    index: HashTable<u32>,
    dirty: Vec<u32>,
    changes: u64,
    hasher: FixedState,
}

impl<K: Hash + Eq, V> Buffer<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            index: HashTable::new(),
            dirty: Vec::new(),
            changes: 0,
            hasher: FixedState::with_seed(0),
        }
    }

    /// The place of `key`'s row, if it is in memory.
    #[inline]
    pub(crate) fn find(&self, key: &K) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        let at = self.index.find(hash, |at| self.rows.get(*at as usize).is_some_and(|row| row.key == *key))?;
        Some(*at as usize)
    }

    /// Brings a row into memory.
    pub(crate) fn insert(&mut self, key: K, value: Option<V>, timestamp: Timestamp) -> usize {
        let hash = self.hasher.hash_one(&key);
        let at = self.rows.len();
        let committed = value.is_some();
        self.rows.push(Row { hash, key, value, old: None, timestamp, headers: None, committed, changed: 0 });
        let rows = &self.rows;
        self.index.insert_unique(hash, at as u32, |at| rows.get(*at as usize).map_or(0, |row| row.hash));
        at
    }

    #[inline]
    pub(crate) fn row_mut(&mut self, at: usize) -> Option<&mut Row<K, V>> {
        self.rows.get_mut(at)
    }

    pub(crate) fn row(&self, at: usize) -> Option<&Row<K, V>> {
        self.rows.get(at)
    }

    /// Notes that the row at `at` was changed just now.
    #[inline]
    pub(crate) fn touch(&mut self, at: usize) {
        self.changes += 1;
        let changes = self.changes;
        let Some(row) = self.rows.get_mut(at) else { return };
        if row.changed == 0 {
            self.dirty.push(at as u32);
        }
        row.changed = changes;
    }

    pub(crate) fn dirty_count(&self) -> usize {
        self.dirty.len()
    }

    /// The changed rows with their places, in no order that means anything.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (usize, &Row<K, V>)> {
        self.dirty.iter().filter_map(|at| Some((*at as usize, self.rows.get(*at as usize)?)))
    }

    /// The changed rows with their places, in the order of their last change.
    pub(crate) fn in_order_of_change(&mut self) -> impl Iterator<Item = (usize, &Row<K, V>)> {
        let rows = &self.rows;
        self.dirty.sort_unstable_by_key(|at| rows.get(*at as usize).map_or(0, |row| row.changed));
        self.changed()
    }

    /// All changes are in the committed store. Forgets all rows if there are more than `keep`: they can be read again.
    pub(crate) fn committed(&mut self, keep: usize) {
        for at in self.dirty.drain(..) {
            if let Some(row) = self.rows.get_mut(at as usize) {
                row.old = None;
                row.changed = 0;
                row.committed = row.value.is_some();
                row.headers = None;
            }
        }
        self.changes = 0;
        if self.rows.len() > keep {
            self.rows.clear();
            self.index.clear();
        }
    }
}
