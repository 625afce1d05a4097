//! The rows of a timed store that are in memory: keys in a slab with a hash index, each with its rows in order of time.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    hash::{BuildHasher, Hash},
    ops::RangeInclusive,
};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use headwater_core::{Headers, Timestamp};

use super::by_time::{self, ByTime};

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
    /// When it was first changed, so counted.
    noted: u64,
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

/// A key's place in memory and a row's among its rows, and the number of the row's first change since the last commit.
type Dirt = (u32, Place, u64);

/// The keys in memory.
pub(super) struct Memory<K, V> {
    keys: Vec<KeyRows<K, V>>,
    index: HashTable<u32>,
    by_time: ByTime,
    live: usize,
    /// Places of rows changed since the last commit, with the number of the first change; some may be gone again.
    dirty: Vec<Dirt>,
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
            by_time: ByTime::default(),
            live: 0,
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
        self.live += rows.len();
        rows.iter().for_each(|((time, sub), _, _)| self.by_time.add((*time, *sub, at as u32)));
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
        self.changes += 1;
        if row.changed == 0 {
            before(row);
            row.noted = self.changes;
            self.dirty.push((at as u32, place, row.noted));
            self.dirty_rows += 1;
        }
        if row.expired {
            (row.expired, row.quiet, row.value) = (false, false, None);
        }
        let result = change(row);
        row.changed = self.changes;
        let is_live = row.is_live();
        let gone = !is_live && !row.committed;
        match (was_live, is_live) {
            (false, true) => {
                self.live += 1;
                self.by_time.add((place.0, place.1, at as u32));
            }
            (true, false) => self.live -= 1,
            _ => {}
        }
        if gone {
            rows.rows.remove(&place);
            self.forget_changed_row();
        }
        let keys = &self.keys;
        self.by_time.tidy(self.live, |entry| is_live_in(keys, entry));
        Some(result)
    }

    /// Takes the value of a living row, and its timestamp. `before` as for [`Memory::change`].
    pub(super) fn take(&mut self, at: usize, place: Place, before: impl FnOnce(&mut Row<V>)) -> Option<(V, Timestamp)> {
        let Entry::Occupied(mut entry) = self.keys.get_mut(at)?.rows.entry(place) else { return None };
        let row = Some(entry.get_mut()).filter(|row| row.is_live())?;
        self.changes += 1;
        if row.changed == 0 {
            before(row);
            row.noted = self.changes;
            self.dirty.push((at as u32, place, row.noted));
            self.dirty_rows += 1;
        }
        row.changed = self.changes;
        let taken = row.value.take().map(|value| (value, row.timestamp));
        self.live -= 1;
        if !row.committed {
            entry.remove();
            self.forget_changed_row();
        }
        taken
    }

    /// A row that was changed is gone. Rows that came and went between two commits leave their places in the list of
    /// changed ones.
    fn forget_changed_row(&mut self) {
        self.rows -= 1;
        self.dirty_rows -= 1;
        if self.dirty.len() > 2 * self.dirty_rows + 1_024 {
            let keys = &self.keys;
            self.dirty.retain(|dirt| dirty_in(keys, dirt).is_some());
        }
    }

    /// The row at `place` leaves the store with the next commit. A change that still waits for the commit goes out first.
    pub(super) fn expire(&mut self, at: usize, place: Place) {
        let Some(row) = self.keys.get_mut(at).and_then(|rows| rows.rows.get_mut(&place)) else { return };
        self.live -= usize::from(row.is_live());
        row.expired = true;
        if row.changed == 0 {
            row.quiet = true;
            self.changes += 1;
            (row.changed, row.noted) = (self.changes, self.changes);
            self.dirty.push((at as u32, place, row.noted));
            self.dirty_rows += 1;
        }
    }

    /// Up to a time before this one no row in memory of time `from` or later is alive; `None` if none is.
    pub(super) fn first_time(&mut self, from: Timestamp) -> Option<Timestamp> {
        let keys = &self.keys;
        self.by_time.first(from, |entry| is_live_in(keys, entry))
    }

    /// Where the living rows within `times` are, by time and number and then in the order of the keys' bytes.
    pub(super) fn within(&mut self, times: &RangeInclusive<Timestamp>) -> Vec<(usize, Place)> {
        if times.is_empty() {
            return Vec::new();
        }
        let keys = &self.keys;
        let due = self.by_time.within(times, |entry| is_live_in(keys, entry));
        let mut due: Vec<_> = due.into_iter().map(|(time, sub, at)| (at as usize, (time, sub))).collect();
        let bytes = |at: usize| keys.get(at).map(|rows| &rows.bytes);
        due.sort_by(|(a, place_a), (b, place_b)| place_a.cmp(place_b).then_with(|| bytes(*a).cmp(&bytes(*b))));
        due.dedup();
        due
    }

    pub(super) fn dirty_rows(&self) -> usize {
        self.dirty_rows
    }

    /// The changed rows in the order of their last change.
    pub(super) fn in_order_of_change(&self) -> Vec<(&KeyRows<K, V>, Place, &Row<V>)> {
        let rows = self.dirty.iter().filter_map(|dirt| dirty_in(&self.keys, dirt));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by_key(|(_, _, row)| row.changed);
        rows
    }

    /// All changes are in the committed store. If there are more than `keep` keys and rows, those leave memory that were
    /// not used lately: they can be read again. Returns the least time among the rows that left.
    pub(super) fn committed(&mut self, keep: usize) -> Option<Timestamp> {
        for (at, place, _) in self.dirty.drain(..) {
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
        (self.rows, self.index, self.by_time) = (0, HashTable::new(), ByTime::default());
        for mut rows in keys {
            if all || !rows.touched {
                let least = rows.rows.first_key_value().map(|(place, _)| place.0);
                first = first.into_iter().chain(least).min();
                continue;
            }
            rows.touched = false;
            let at = self.keys.len() as u32;
            self.rows += rows.rows.len();
            rows.rows.keys().for_each(|(time, sub)| self.by_time.add((*time, *sub, at)));
            self.keys.push(rows);
            let keys = &self.keys;
            let hash = |at: &u32| keys.get(*at as usize).map_or(0, |rows| rows.hash);
            self.index.insert_unique(hash(&at), at, hash);
        }
        // What is deleted or expired has left with the commit.
        self.live = self.rows;
        first
    }
}

fn is_live_in<K, V>(keys: &[KeyRows<K, V>], (time, sub, at): &by_time::Entry) -> bool {
    let rows = keys.get(*at as usize).map(|rows| &rows.rows);
    rows.and_then(|rows| rows.get(&(*time, *sub))).is_some_and(Row::is_live)
}

/// The changed row that is meant, if it is there still.
fn dirty_in<'a, K, V>(
    keys: &'a [KeyRows<K, V>],
    (at, place, noted): &Dirt,
) -> Option<(&'a KeyRows<K, V>, Place, &'a Row<V>)> {
    let rows = keys.get(*at as usize)?;
    let row = rows.rows.get(place).filter(|row| row.changed > 0 && row.noted == *noted)?;
    Some((rows, *place, row))
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
            noted: 0,
            expired: false,
            quiet: false,
        }
    }
}
