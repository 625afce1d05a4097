//! The rows of a timed store that are in memory: in a slab, found by their keys, in order of time within each key, and by
//! time over all of them.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hash},
    ops::RangeInclusive,
};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use headwater_core::{Headers, Timestamp};
use slab::Slab;

use super::by_time::{self, ByTime};

/// A row's place among those of its key: its time and number.
pub(super) type Place = (Timestamp, i64);

/// A row's place in memory. Once the row is gone another one may have it.
pub(super) type RowId = u32;

/// A row in memory.
pub(super) struct Row<V> {
    /// The place of its key in memory.
    at: u32,
    pub(super) place: Place,
    /// `None`: it was deleted.
    pub(super) value: Option<V>,
    /// The value at the last commit, kept only if it has changed since and a step below needs it.
    pub(super) old: Option<V>,
    pub(super) timestamp: Timestamp,
    pub(super) headers: Option<Box<Headers>>,
    /// Whether the committed store has the row.
    pub(super) committed: bool,
    /// When it was last changed, counted in changes since the last commit; 0 if it was not.
    changed: u64,
    /// When it was first changed, so counted.
    noted: u64,
    /// It leaves the store with this commit, and nobody sees it any more.
    pub(super) expired: bool,
    /// Nothing but its expiry has changed, which is no news to anybody downstream.
    pub(super) quiet: bool,
}

impl<V> Row<V> {
    fn absent(at: u32, place: Place) -> Self {
        Self {
            at,
            place,
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

    fn is_live(&self) -> bool {
        self.value.is_some() && !self.expired
    }
}

/// A key in memory, with all its rows.
pub(super) struct KeyRows<K> {
    hash: u64,
    pub(super) key: K,
    /// The key's own bytes.
    pub(super) bytes: Box<[u8]>,
    /// In order. A new row is the last one as a rule, and one that leaves the first.
    rows: VecDeque<(Place, RowId)>,
    /// Whether it was used since keys were last chosen to leave memory.
    touched: bool,
}

impl<K> KeyRows<K> {
    /// Where the row at `place` is, or where it would be.
    fn find(&self, place: Place) -> Result<usize, usize> {
        match self.rows.back() {
            Some((last, _)) if *last >= place => self.rows.binary_search_by_key(&place, |(place, _)| *place),
            _ => Err(self.rows.len()),
        }
    }

    fn forget(&mut self, place: Place) {
        if self.rows.front().is_some_and(|(first, _)| *first == place) {
            self.rows.pop_front();
        } else if let Ok(found) = self.find(place) {
            self.rows.remove(found);
        }
    }
}

/// What has changed since the last commit.
#[derive(Default)]
struct Changes {
    /// How many changes there were.
    count: u64,
    /// The changed rows with the numbers of their first changes; some may be gone again.
    dirty: Vec<(RowId, u64)>,
    /// How many are not.
    rows: usize,
}

impl Changes {
    /// A row is about to change. `before` sees it while it is unchanged since the last commit.
    fn note<V>(&mut self, id: RowId, row: &mut Row<V>, before: impl FnOnce(&mut Row<V>)) {
        self.count += 1;
        if row.changed == 0 {
            before(row);
            row.noted = self.count;
            self.dirty.push((id, row.noted));
            self.rows += 1;
        }
        row.changed = self.count;
    }

    /// A row that was changed is gone. Rows that came and went between two commits leave their places in the list.
    fn forget<V>(&mut self, rows: &Slab<Row<V>>) {
        self.rows -= 1;
        if self.dirty.len() > 2 * self.rows + 1_024 {
            self.dirty.retain(|(id, noted)| changed_row(rows, *id, *noted).is_some());
        }
    }
}

/// The keys and rows in memory.
pub(super) struct Memory<K, V> {
    keys: Vec<KeyRows<K>>,
    index: HashTable<u32>,
    rows: Slab<Row<V>>,
    by_time: ByTime,
    live: usize,
    changes: Changes,
    hasher: FixedState,
}

impl<K: Hash + Eq, V> Memory<K, V> {
    pub(super) fn new() -> Self {
        Self {
            keys: Vec::new(),
            index: HashTable::new(),
            rows: Slab::new(),
            by_time: ByTime::default(),
            live: 0,
            changes: Changes::default(),
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

    /// Brings a key into memory, with all rows that are committed of it, in order.
    pub(super) fn insert(&mut self, key: K, bytes: Vec<u8>, rows: Vec<(Place, Timestamp, V)>) -> usize {
        let at = self.keys.len() as u32;
        self.live += rows.len();
        let rows = rows.into_iter().map(|(place, timestamp, value)| {
            let row = Row { value: Some(value), timestamp, committed: true, ..Row::absent(at, place) };
            let id = self.rows.insert(row) as RowId;
            self.by_time.add((place.0, place.1, id));
            (place, id)
        });
        let rows = rows.collect();
        let (hash, bytes) = (self.hasher.hash_one(&key), bytes.into_boxed_slice());
        self.push(KeyRows { hash, key, bytes, rows, touched: true })
    }

    fn push(&mut self, rows: KeyRows<K>) -> usize {
        let (at, hash) = (self.keys.len(), rows.hash);
        self.keys.push(rows);
        let keys = &self.keys;
        self.index.insert_unique(hash, at as u32, |at| keys.get(*at as usize).map_or(0, |rows| rows.hash));
        at
    }

    /// A living row and its key.
    pub(super) fn row(&self, id: RowId) -> Option<(&KeyRows<K>, &Row<V>)> {
        let row = self.rows.get(id as usize).filter(|row| row.is_live())?;
        Some((self.keys.get(row.at as usize)?, row))
    }

    /// The row of a key at `place`.
    pub(super) fn id(&self, at: usize, place: Place) -> Option<RowId> {
        let key = self.keys.get(at)?;
        key.rows.get(key.find(place).ok()?).map(|(_, id)| *id)
    }

    /// The living rows of a key within `times`, in order of time and number.
    pub(super) fn live_within(&self, at: usize, times: RangeInclusive<Timestamp>) -> impl Iterator<Item = &Row<V>> {
        let key = self.keys.get(at).filter(|_| !times.is_empty());
        let rows = key.map(|key| {
            let from = key.rows.partition_point(|((time, _), _)| time < times.start());
            key.rows.range(from..).take_while(move |((time, _), _)| time <= times.end())
        });
        rows.into_iter().flatten().filter_map(|(_, id)| self.rows.get(*id as usize).filter(|row| row.is_live()))
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
        let key = self.keys.get_mut(at)?;
        let id = match key.find(place) {
            Ok(found) => key.rows.get(found)?.1,
            Err(between) => {
                let id = self.rows.insert(Row::absent(at as u32, place)) as RowId;
                key.rows.insert(between, (place, id));
                id
            }
        };
        let row = self.rows.get_mut(id as usize)?;
        let was_live = row.is_live();
        self.changes.note(id, row, before);
        if row.expired {
            (row.expired, row.quiet, row.value) = (false, false, None);
        }
        let result = change(row);
        let is_live = row.is_live();
        let gone = !is_live && !row.committed;
        match (was_live, is_live) {
            (false, true) => {
                self.live += 1;
                self.by_time.add((place.0, place.1, id));
            }
            (true, false) => self.live -= 1,
            _ => {}
        }
        if gone {
            key.forget(place);
            self.rows.try_remove(id as usize);
            self.changes.forget(&self.rows);
        }
        let rows = &self.rows;
        self.by_time.tidy(self.live, |entry| is_live_in(rows, entry));
        Some(result)
    }

    /// Takes the value of a living row, and its timestamp. `before` as for [`Memory::change`].
    pub(super) fn take(&mut self, id: RowId, before: impl FnOnce(&mut Row<V>)) -> Option<(V, Timestamp)> {
        let row = self.rows.get_mut(id as usize).filter(|row| row.is_live())?;
        self.changes.note(id, row, before);
        let taken = row.value.take().map(|value| (value, row.timestamp));
        let (at, place, gone) = (row.at, row.place, !row.committed);
        self.live -= 1;
        if gone {
            self.keys.get_mut(at as usize)?.forget(place);
            self.rows.try_remove(id as usize);
            self.changes.forget(&self.rows);
        }
        taken
    }

    /// A row leaves the store with the next commit. A change that still waits for the commit goes out first.
    pub(super) fn expire(&mut self, id: RowId) {
        let Some(row) = self.rows.get_mut(id as usize) else { return };
        self.live -= usize::from(row.is_live());
        row.expired = true;
        if row.changed == 0 {
            row.quiet = true;
            self.changes.note(id, row, |_| {});
        }
    }

    /// Up to a time before this one no row in memory of time `from` or later is alive; `None` if none is.
    pub(super) fn first_time(&mut self, from: Timestamp) -> Option<Timestamp> {
        let rows = &self.rows;
        self.by_time.first(from, |entry| is_live_in(rows, entry))
    }

    /// The living rows within `times`, by time and number and then in the order of the keys' bytes.
    pub(super) fn within(&mut self, times: &RangeInclusive<Timestamp>) -> Vec<RowId> {
        if times.is_empty() {
            return Vec::new();
        }
        let rows = &self.rows;
        let mut due = self.by_time.within(times, |entry| is_live_in(rows, entry));
        let bytes = |id: RowId| self.row(id).map(|(key, _)| &key.bytes);
        due.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| bytes(a.2).cmp(&bytes(b.2))));
        due.dedup();
        due.into_iter().map(|(_, _, id)| id).collect()
    }

    pub(super) fn dirty_rows(&self) -> usize {
        self.changes.rows
    }

    /// The changed rows with their keys, in the order of their first change.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&KeyRows<K>, &Row<V>)> {
        self.changes.dirty.iter().filter_map(|(id, noted)| {
            let row = changed_row(&self.rows, *id, *noted)?;
            Some((self.keys.get(row.at as usize)?, row))
        })
    }

    /// The changed rows with their keys, in the order of their last change.
    pub(super) fn in_order_of_change(&self) -> Vec<(&KeyRows<K>, &Row<V>)> {
        let mut rows: Vec<_> = self.changed().collect();
        rows.sort_by_key(|(_, row)| row.changed);
        rows
    }

    /// All changes are in the committed store. If there are more than `keep` keys and rows, those leave memory that were
    /// not used lately: they can be read again. Returns the least time among the rows that left.
    pub(super) fn committed(&mut self, keep: usize) -> Option<Timestamp> {
        for (id, noted) in self.changes.dirty.drain(..) {
            let Some(row) = self.rows.get_mut(id as usize).filter(|row| row.noted == noted) else { continue };
            if row.is_live() {
                (row.old, row.headers, row.changed, row.noted) = (None, None, 0, 0);
                (row.committed, row.quiet) = (true, false);
            } else if let Some(row) = self.rows.try_remove(id as usize)
                && let Some(key) = self.keys.get_mut(row.at as usize)
            {
                key.forget(row.place);
            }
        }
        (self.changes.count, self.changes.rows) = (0, 0);
        if self.rows.len() + self.keys.len() <= keep { None } else { self.shrink(keep) }
    }

    fn shrink(&mut self, keep: usize) -> Option<Timestamp> {
        let all = self.rows.len() + self.keys.len() > 2 * keep;
        let mut first: Option<Timestamp> = None;
        let (keys, mut rows) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.rows));
        (self.index, self.by_time) = (HashTable::new(), ByTime::default());
        for mut key in keys {
            if all || !key.touched {
                let least = key.rows.front().map(|((time, _), _)| *time);
                first = first.into_iter().chain(least).min();
                continue;
            }
            key.touched = false;
            let at = self.keys.len() as u32;
            for (place, id) in &mut key.rows {
                if let Some(row) = rows.try_remove(*id as usize) {
                    *id = self.rows.insert(Row { at, ..row }) as RowId;
                    self.by_time.add((place.0, place.1, *id));
                }
            }
            self.push(key);
        }
        // What is deleted or expired has left with the commit.
        self.live = self.rows.len();
        first
    }
}

fn is_live_in<V>(rows: &Slab<Row<V>>, (time, sub, id): &by_time::Entry) -> bool {
    rows.get(*id as usize).is_some_and(|row| row.place == (*time, *sub) && row.is_live())
}

/// The changed row that is meant, if it is there still.
fn changed_row<V>(rows: &Slab<Row<V>>, id: RowId, noted: u64) -> Option<&Row<V>> {
    rows.get(id as usize).filter(|row| row.changed > 0 && row.noted == noted)
}
