//! The rows of a windowed store that are in memory: keys in a slab with a hash index, each with its windows in order of
//! time, so that a record's windows lie beside each other; and the windows, each with its keys.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{BuildHasher, Hash},
};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use headwater_core::{Headers, Timestamp};

use crate::window::Starts;

/// The row of a key and window in memory.
pub(super) struct Row<V> {
    pub(super) start: Timestamp,
    /// `None`: there is no such row, or it was deleted.
    pub(super) value: Option<V>,
    /// The value at the last commit, kept only if it has changed since and a step below needs it.
    pub(super) old: Option<V>,
    pub(super) timestamp: Timestamp,
    /// Headers of the last record that changed it; allocated only when there are any.
    pub(super) headers: Option<Box<Headers>>,
    /// Whether the committed store has the row.
    pub(super) committed: bool,
    /// When it was last changed, counted in changes since the last commit; 0 if it was not.
    pub(super) changed: u64,
    /// Its window has closed: it leaves the store with this commit.
    pub(super) expired: bool,
    /// Nothing but its expiry has changed, which is no news to anybody downstream.
    pub(super) quiet: bool,
}

/// A key with its rows.
pub(super) struct KeyRows<K, V> {
    hash: u64,
    pub(super) key: K,
    /// The key's own bytes.
    pub(super) bytes: Box<[u8]>,
    rows: VecDeque<Row<V>>,
    /// Where the first row that was changed last is: the next record's are probably the same.
    likely: usize,
    /// Whether it was used since keys were last chosen to leave memory.
    touched: bool,
}

/// Where a key's row is, or where it would be.
type Found = Result<usize, usize>;

impl<K, V> KeyRows<K, V> {
    fn find(&self, start: Timestamp, likely: usize) -> Found {
        // Time moves on by a window now and then.
        for place in [likely, likely.saturating_add(1)] {
            if self.rows.get(place).is_some_and(|row| row.start == start) {
                return Ok(place);
            }
        }
        // A new window is the youngest as a rule.
        match self.rows.back() {
            Some(last) if last.start >= start => self.rows.binary_search_by_key(&start, |row| row.start),
            _ => Err(self.rows.len()),
        }
    }

    pub(super) fn row(&self, start: Timestamp) -> Option<&Row<V>> {
        self.rows.get(self.find(start, self.likely).ok()?)
    }

    /// The first of these windows that has no row, if there is one.
    pub(super) fn first_missing(&self, starts: Starts) -> Option<Timestamp> {
        let from = self.rows.partition_point(|row| starts.ends().is_some_and(|(first, _)| row.start < first));
        let mut rows = self.rows.range(from..).map(|row| row.start).peekable();
        starts.into_iter().find(|start| {
            while rows.next_if(|row| row < start).is_some() {}
            rows.next_if_eq(start).is_none()
        })
    }
}

/// The keys and windows in memory.
pub(super) struct Memory<K, V> {
    keys: Vec<KeyRows<K, V>>,
    index: HashTable<u32>,
    /// The keys that have a row in each window that is not closed. Some may have lost it again, or be named twice.
    windows: BTreeMap<Timestamp, Vec<u32>>,
    /// Rows changed since the last commit; some may be gone again.
    dirty: Vec<(u32, Timestamp)>,
    rows: usize,
    changes: u64,
    hasher: FixedState,
}

impl<K: Hash + Eq, V> Memory<K, V> {
    pub(super) fn new() -> Self {
        Self {
            keys: Vec::new(),
            index: HashTable::new(),
            windows: BTreeMap::new(),
            dirty: Vec::new(),
            rows: 0,
            changes: 0,
            hasher: FixedState::with_seed(0),
        }
    }

    /// The place of `key`, if it is in memory.
    #[inline]
    pub(super) fn find(&self, key: &K) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        let at = self.index.find(hash, |at| self.keys.get(*at as usize).is_some_and(|rows| rows.key == *key))?;
        Some(*at as usize)
    }

    /// Brings a key into memory, without rows.
    pub(super) fn insert(&mut self, key: K, bytes: Vec<u8>) -> usize {
        let hash = self.hasher.hash_one(&key);
        self.push(KeyRows { hash, key, bytes: bytes.into(), rows: VecDeque::new(), likely: 0, touched: true })
    }

    fn push(&mut self, rows: KeyRows<K, V>) -> usize {
        let (at, hash) = (self.keys.len(), rows.hash);
        self.keys.push(rows);
        let keys = &self.keys;
        self.index.insert_unique(hash, at as u32, |at| keys.get(*at as usize).map_or(0, |rows| rows.hash));
        at
    }

    pub(super) fn key(&self, at: usize) -> Option<&KeyRows<K, V>> {
        self.keys.get(at)
    }

    /// Whether a key's rows of all these windows are in memory, beside each other.
    #[inline]
    pub(super) fn has_all(&mut self, at: usize, mut starts: Starts) -> bool {
        let (Some(key), Some((first, _))) = (self.keys.get_mut(at), starts.ends()) else { return false };
        let Ok(place) = key.find(first, key.likely) else { return false };
        key.likely = place;
        let mut rows = key.rows.range(place..);
        starts.all(|start| rows.next().is_some_and(|row| row.start == start))
    }

    /// Changes a key's rows of these windows, which are in memory, in order; `change` is given the number of the change.
    #[inline]
    pub(super) fn change_all(&mut self, at: usize, mut starts: Starts, mut change: impl FnMut(&K, &mut Row<V>, u64)) {
        let (Some(key), Some(mut start)) = (self.keys.get_mut(at), starts.next()) else { return };
        let Ok(place) = key.find(start, key.likely) else { return };
        (key.likely, key.touched) = (place, true);
        for row in key.rows.range_mut(place..) {
            // A store may have rows between, of windows that lay elsewhere before the program was changed.
            if row.start != start {
                continue;
            }
            if row.changed == 0 {
                self.dirty.push((at as u32, start));
            }
            self.changes += 1;
            change(&key.key, row, self.changes);
            match starts.next() {
                Some(next) => start = next,
                None => break,
            }
        }
    }

    /// Brings a key's row into memory.
    pub(super) fn insert_row(&mut self, at: usize, start: Timestamp, stored: Option<(Timestamp, V)>) {
        let Some(key) = self.keys.get_mut(at) else { return };
        let (Ok(place) | Err(place)) = key.find(start, usize::MAX);
        let committed = stored.is_some();
        let (timestamp, value) = stored.map_or((Timestamp::MIN, None), |(timestamp, value)| (timestamp, Some(value)));
        let (old, headers, changed, expired, quiet) = (None, None, 0, false, false);
        key.rows.insert(place, Row { start, value, old, timestamp, headers, committed, changed, expired, quiet });
        self.windows.entry(start).or_default().push(at as u32);
        self.rows += 1;
    }

    /// The start of the first window that is not closed.
    pub(super) fn first_start(&self) -> Option<Timestamp> {
        self.windows.first_key_value().map(|(start, _)| *start)
    }

    /// Closes every window that starts before `bound` and calls `visit` with each of its rows, in order of start and key
    /// bytes. The row leaves memory at once if `visit` leaves neither a value nor something that is committed.
    pub(super) fn close_before(&mut self, bound: Timestamp, mut visit: impl FnMut(&K, &mut Row<V>, &mut u64) -> bool) {
        while let Some(window) = self.windows.first_entry().filter(|window| *window.key() < bound) {
            let (start, mut keys) = window.remove_entry();
            let bytes = |at: &u32| self.keys.get(*at as usize).map(|rows| &rows.bytes);
            keys.sort_unstable_by(|a, b| bytes(a).cmp(&bytes(b)));
            for at in keys {
                let Some(key) = self.keys.get_mut(at as usize) else { continue };
                let Ok(place) = key.find(start, 0) else { continue };
                let Some(row) = key.rows.get_mut(place) else { continue };
                let was_clean = row.changed == 0;
                let stays = visit(&key.key, row, &mut self.changes);
                if was_clean && row.changed > 0 {
                    self.dirty.push((at, start));
                }
                if !stays {
                    key.rows.remove(place);
                    self.rows -= 1;
                }
            }
        }
    }

    pub(super) fn dirty_count(&self) -> usize {
        self.dirty.len()
    }

    /// The changed rows with their keys, in the order of their first change.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&KeyRows<K, V>, &Row<V>)> {
        self.dirty.iter().filter_map(|(at, start)| {
            let key = self.keys.get(*at as usize)?;
            Some((key, key.row(*start).filter(|row| row.changed > 0)?))
        })
    }

    /// The changed rows with their keys, in the order of their last change.
    pub(super) fn in_order_of_change(&self) -> Vec<(&KeyRows<K, V>, &Row<V>)> {
        let mut rows: Vec<_> = self.changed().collect();
        rows.sort_unstable_by_key(|(_, row)| row.changed);
        rows
    }

    /// All changes are in the committed store. If there are more than `keep` keys and rows, those leave memory that were
    /// not used lately, or all if most were: they can be read again. Returns the starts of the first and the last window
    /// that lost a row this way.
    pub(super) fn committed(&mut self, keep: usize) -> Option<(Timestamp, Timestamp)> {
        for (at, start) in self.dirty.drain(..) {
            let Some(key) = self.keys.get_mut(at as usize) else { continue };
            let Ok(place) = key.find(start, 0) else { continue };
            let Some(row) = key.rows.get_mut(place) else { continue };
            if row.value.is_some() && !row.expired {
                (row.old, row.headers, row.changed, row.committed) = (None, None, 0, true);
            } else {
                key.rows.remove(place);
                self.rows -= 1;
            }
        }
        self.changes = 0;
        if self.rows + self.keys.len() <= keep { None } else { self.shrink(keep) }
    }

    fn shrink(&mut self, keep: usize) -> Option<(Timestamp, Timestamp)> {
        let used = self.keys.iter().filter(|key| key.touched).map(|key| key.rows.len() + 1).sum::<usize>();
        let keys = std::mem::take(&mut self.keys);
        (self.rows, self.index) = (0, HashTable::new());
        self.windows.clear();
        let mut left: Option<(Timestamp, Timestamp)> = None;
        for mut key in keys {
            if key.rows.is_empty() {
                continue;
            }
            if used > keep || !key.touched {
                let span = key.rows.front().zip(key.rows.back()).map(|(first, last)| (first.start, last.start));
                left = left.into_iter().chain(span).reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
                continue;
            }
            key.touched = false;
            self.rows += key.rows.len();
            let starts: Vec<_> = key.rows.iter().map(|row| row.start).collect();
            let at = self.push(key) as u32;
            for start in starts {
                self.windows.entry(start).or_default().push(at);
            }
        }
        left
    }
}
