//! The rows of a timed store that are in memory: keys in a slab with a hash index, each with its rows in order of time.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, Hash},
    ops::RangeInclusive,
};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use headwater_core::{Headers, Timestamp};

/// A row's place among those of its key: its time and number.
pub(super) type Place = (Timestamp, i64);

/// A row in memory.
pub(super) struct Row<V> {
    /// `None`: it was deleted.
    pub(super) value: Option<V>,
    /// The value at the last commit, kept only if it has changed since and a step below needs it.
    pub(super) old: Option<V>,
    pub(super) timestamp: Timestamp,
    pub(super) headers: Option<Box<Headers>>,
    /// Whether the committed store has the row.
    pub(super) committed: bool,
    /// When it was last changed, counted in changes since the last commit; 0 if it was not.
    pub(super) changed: u64,
    /// It leaves the store with this commit, and nobody sees it any more.
    pub(super) expired: bool,
    /// Nothing but its expiry has changed, which is no news to anybody downstream.
    pub(super) quiet: bool,
}

impl<V> Row<V> {
    fn is_live(&self) -> bool {
        self.value.is_some() && !self.expired
    }
}

/// A key with all its rows.
pub(super) struct KeyRows<K, V> {
    hash: u64,
    pub(super) key: K,
    /// The key's own bytes.
    pub(super) bytes: Box<[u8]>,
    pub(super) rows: BTreeMap<Place, Row<V>>,
    /// Whether it was used since keys were last chosen to leave memory.
    touched: bool,
}

/// The keys in memory.
pub(super) struct Memory<K, V> {
    keys: Vec<KeyRows<K, V>>,
    index: HashTable<u32>,
    /// The living rows, by time and number.
    by_time: BTreeSet<(Timestamp, i64, u32)>,
    /// Places of rows changed since the last commit; some may be gone again, or named twice.
    dirty: Vec<(u32, Place)>,
    dirty_rows: usize,
    rows: usize,
    changes: u64,
    hasher: FixedState,
}

impl<K: Hash + Eq, V> Memory<K, V> {
    pub(super) fn new() -> Self {
        Self {
            keys: Vec::new(),
            index: HashTable::new(),
            by_time: BTreeSet::new(),
            dirty: Vec::new(),
            dirty_rows: 0,
            rows: 0,
            changes: 0,
            hasher: FixedState::with_seed(0),
        }
    }

    /// The place of `key`, if its rows are in memory.
    pub(super) fn find(&mut self, key: &K) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        let at =
            *self.index.find(hash, |at| self.keys.get(*at as usize).is_some_and(|rows| rows.key == *key))? as usize;
        if let Some(rows) = self.keys.get_mut(at) {
            rows.touched = true;
        }
        Some(at)
    }

    /// Brings a key into memory, with all rows that are committed of it.
    pub(super) fn insert(&mut self, key: K, bytes: Vec<u8>, rows: Vec<(Place, Timestamp, V)>) -> usize {
        let at = self.keys.len();
        self.rows += rows.len();
        self.by_time.extend(rows.iter().map(|((time, sub), _, _)| (*time, *sub, at as u32)));
        let rows = rows.into_iter().map(|(place, timestamp, value)| {
            let row = Row { value: Some(value), timestamp, committed: true, ..Row::absent() };
            (place, row)
        });
        let (hash, bytes) = (self.hasher.hash_one(&key), bytes.into_boxed_slice());
        self.keys.push(KeyRows { hash, key, bytes, rows: rows.collect(), touched: true });
        let keys = &self.keys;
        self.index.insert_unique(hash, at as u32, |at| keys.get(*at as usize).map_or(0, |rows| rows.hash));
        at
    }

    pub(super) fn key(&self, at: usize) -> Option<&KeyRows<K, V>> {
        self.keys.get(at)
    }

    /// The living row at `place`.
    pub(super) fn live(&self, at: usize, place: Place) -> Option<&Row<V>> {
        self.keys.get(at)?.rows.get(&place).filter(|row| row.is_live())
    }

    /// The living rows of a key within `times`, in order of time and number.
    pub(super) fn live_within(
        &self,
        at: usize,
        times: RangeInclusive<Timestamp>,
    ) -> impl DoubleEndedIterator<Item = (Place, &Row<V>)> {
        let places = (!times.is_empty()).then(|| (*times.start(), i64::MIN)..=(*times.end(), i64::MAX));
        let rows = self.keys.get(at).zip(places);
        let rows = rows.map(|(rows, places)| rows.rows.range(places)).into_iter().flatten();
        rows.filter(|(_, row)| row.is_live()).map(|(place, row)| (*place, row))
    }

    /// Changes the row at `place`; setting its value to `None` deletes it. `before` sees it while it is unchanged since
    /// the last commit.
    pub(super) fn change<R>(
        &mut self,
        at: usize,
        place: Place,
        before: impl FnOnce(&mut Row<V>),
        change: impl FnOnce(&mut Row<V>) -> R,
    ) -> Option<R> {
        let rows = self.keys.get_mut(at)?;
        let mut is_new = false;
        let row = rows.rows.entry(place).or_insert_with(|| {
            is_new = true;
            Row::absent()
        });
        self.rows += usize::from(is_new);
        let was_live = row.is_live();
        if row.changed == 0 {
            before(row);
            self.dirty.push((at as u32, place));
            self.dirty_rows += 1;
        }
        if row.expired {
            (row.expired, row.quiet, row.value) = (false, false, None);
        }
        let result = change(row);
        self.changes += 1;
        row.changed = self.changes;
        let is_live = row.is_live();
        let gone = !is_live && !row.committed;
        match (was_live, is_live) {
            (false, true) => self.by_time.insert((place.0, place.1, at as u32)),
            (true, false) => self.by_time.remove(&(place.0, place.1, at as u32)),
            _ => false,
        };
        if gone {
            rows.rows.remove(&place);
            self.rows -= 1;
            self.dirty_rows -= 1;
            self.forget_stale_dirt();
        }
        Some(result)
    }

    /// Rows that came and went between two commits leave their places in the list of changed ones.
    fn forget_stale_dirt(&mut self) {
        if self.dirty.len() > 2 * self.dirty_rows + 1_024 {
            self.dirty.sort_unstable();
            self.dirty.dedup();
            let keys = &self.keys;
            self.dirty.retain(|(at, place)| keys.get(*at as usize).is_some_and(|key| key.rows.contains_key(place)));
        }
    }

    /// The row at `place` leaves the store with the next commit. A change that still waits for the commit goes out first.
    pub(super) fn expire(&mut self, at: usize, place: Place) {
        self.by_time.remove(&(place.0, place.1, at as u32));
        let Some(row) = self.keys.get_mut(at).and_then(|rows| rows.rows.get_mut(&place)) else { return };
        row.expired = true;
        if row.changed == 0 {
            row.quiet = true;
            self.changes += 1;
            row.changed = self.changes;
            self.dirty.push((at as u32, place));
            self.dirty_rows += 1;
        }
    }

    /// The least time of a living row in memory that is not before `from`.
    pub(super) fn first_time(&self, from: Timestamp) -> Option<Timestamp> {
        self.by_time.range((from, i64::MIN, 0)..).next().map(|(time, _, _)| *time)
    }

    /// Where the living rows within `times` are, by time and number and then in the order of the keys' bytes.
    pub(super) fn within(&self, times: RangeInclusive<Timestamp>) -> Vec<(usize, Place)> {
        if times.is_empty() {
            return Vec::new();
        }
        let due = self.by_time.range((*times.start(), i64::MIN, 0)..=(*times.end(), i64::MAX, u32::MAX));
        let mut due: Vec<_> = due.map(|(time, sub, at)| (*at as usize, (*time, *sub))).collect();
        let bytes = |at: usize| self.keys.get(at).map(|rows| &rows.bytes);
        due.sort_unstable_by(|(a, place_a), (b, place_b)| place_a.cmp(place_b).then_with(|| bytes(*a).cmp(&bytes(*b))));
        due
    }

    pub(super) fn dirty_rows(&self) -> usize {
        self.dirty_rows
    }

    /// The changed rows in the order of their last change.
    pub(super) fn in_order_of_change(&self) -> Vec<(&KeyRows<K, V>, Place, &Row<V>)> {
        let rows = self.dirty.iter().filter_map(|(at, place)| {
            let rows = self.keys.get(*at as usize)?;
            Some((rows, *place, rows.rows.get(place).filter(|row| row.changed > 0)?))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by_key(|(_, _, row)| row.changed);
        rows.dedup_by_key(|(_, _, row)| row.changed);
        rows
    }

    /// All changes are in the committed store. If there are more than `keep` keys and rows, those leave memory that were
    /// not used lately: they can be read again. Returns the least time among the rows that left.
    pub(super) fn committed(&mut self, keep: usize) -> Option<Timestamp> {
        for (at, place) in std::mem::take(&mut self.dirty) {
            let Some(rows) = self.keys.get_mut(at as usize) else { continue };
            let Some(row) = rows.rows.get_mut(&place) else { continue };
            if row.is_live() {
                (row.old, row.headers, row.changed, row.committed, row.quiet) = (None, None, 0, true, false);
            } else {
                rows.rows.remove(&place);
                self.rows -= 1;
            }
        }
        (self.changes, self.dirty_rows) = (0, 0);
        if self.rows + self.keys.len() <= keep { None } else { self.shrink(keep) }
    }

    fn shrink(&mut self, keep: usize) -> Option<Timestamp> {
        let all = self.rows + self.keys.len() > 2 * keep;
        let mut first: Option<Timestamp> = None;
        let keys = std::mem::take(&mut self.keys);
        (self.rows, self.index, self.by_time) = (0, HashTable::new(), BTreeSet::new());
        for mut rows in keys {
            if all || !rows.touched {
                let least = rows.rows.first_key_value().map(|(place, _)| place.0);
                first = first.into_iter().chain(least).min();
                continue;
            }
            rows.touched = false;
            let at = self.keys.len() as u32;
            self.rows += rows.rows.len();
            self.by_time.extend(rows.rows.keys().map(|(time, sub)| (*time, *sub, at)));
            self.keys.push(rows);
            let keys = &self.keys;
            let hash = |at: &u32| keys.get(*at as usize).map_or(0, |rows| rows.hash);
            self.index.insert_unique(hash(&at), at, hash);
        }
        first
    }
}

impl<V> Row<V> {
    fn absent() -> Self {
        Self {
            value: None,
            old: None,
            timestamp: Timestamp::MIN,
            headers: None,
            committed: false,
            changed: 0,
            expired: false,
            quiet: false,
        }
    }
}
