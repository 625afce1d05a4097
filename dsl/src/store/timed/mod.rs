//! The typed store of rows that have a key and a place in time: sessions, sliding windows, the buffers of joins.
//!
//! In memory a key's rows are together, read from the committed store on first use of the key, with an index by time over
//! all of them. In the committed store each row has two entries: itself under its key, and its place in an index by time,
//! so that what time closes is one scan however many keys there are.

mod by_time;
mod kept;
mod memory;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    hash::Hash,
    ops::{ControlFlow, RangeInclusive},
    rc::Rc,
};

use headwater_core::{Headers, Payload, Result, StoreReader, Timestamp};

use self::{
    kept::Kept,
    memory::{Memory, Place, Row, RowId},
};
use super::{
    StoreSerdes, damaged,
    emission::keep_headers,
    layout::{
        TIME_ENTRY, TIMED_END, TimedKey, decode_time_entry, decode_timed_key, encode_row_head, encode_time_entry,
        encode_timed_key, time_entry_bound, timed_key_prefix,
    },
    serdes::cut_short,
};
use crate::{
    bounds::Data,
    task::{CommitStep, StoreChangeVisitor},
    wire::{Change, Meta},
};

/// Keys and rows kept in memory across commits, per store and task. Twice as many while all of them are in use.
const KEPT: usize = 200_000;
/// Keys read into memory beyond those that time has reached, so that not every record asks the committed store.
const READ_AHEAD: usize = 256;

/// A row as it is now, with what waits for the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimedRow<V> {
    pub(crate) time: Timestamp,
    /// What tells rows of equal key and time apart.
    pub(crate) sub: i64,
    pub(crate) value: V,
    /// The time of the record or result that the row holds.
    pub(crate) timestamp: Timestamp,
}

/// A row taken out of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TakenRow<K, V> {
    pub(crate) key: K,
    pub(crate) row: TimedRow<V>,
}

/// A row changed since the last commit.
pub(crate) struct ChangedRow<K, V> {
    pub(crate) key: K,
    pub(crate) time: Timestamp,
    pub(crate) sub: i64,
    pub(crate) change: Change<V>,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Option<Box<Headers>>,
}

/// What a step below is told of a store's changes at a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// The new values.
    New,
    /// New and old values.
    WithOld,
}

/// A store's rows: those in memory over those committed. Never borrowed across a push: every method is done with the
/// store when it returns.
pub(crate) struct TimedStore<K, V> {
    name: String,
    serdes: StoreSerdes<K, V>,
    base: Rc<dyn StoreReader>,
    memory: RefCell<Memory<K, V>>,
    news: News,
    /// Rows that have expired and stay to be looked up, if there are such.
    kept_rows: Option<Kept>,
    /// Every committed row up to this time belongs to a key in memory.
    read_through: Cell<Timestamp>,
    kept: usize,
}

impl<K: Data + Hash + Eq, V: Data> TimedStore<K, V> {
    /// A store over the committed rows of `base`. `news` says whether [`TimedStore::changed`] will be asked.
    pub(crate) fn new(name: &str, serdes: StoreSerdes<K, V>, base: Rc<dyn StoreReader>, news: News) -> Self {
        let (memory, read_through) = (RefCell::new(Memory::new()), Cell::new(Timestamp::MIN));
        Self { name: name.to_owned(), serdes, base, memory, news, kept_rows: None, read_through, kept: KEPT }
    }

    /// Keeps rows that expire, to be looked up by [`TimedStore::get_kept`] until [`TimedStore::forget_until`].
    pub(crate) fn keeping(self) -> Self {
        Self { kept_rows: Some(Kept::default()), ..self }
    }

    /// The row of `key` at this place, if it has expired and was kept.
    pub(crate) fn get_kept(&self, key: &K, time: Timestamp, sub: i64) -> Result<Option<(V, Timestamp)>> {
        let Some(kept) = &self.kept_rows else { return Ok(None) };
        let Some(key) = self.serdes.key_bytes(&self.name, key)? else { return Ok(None) };
        let Some(row) = kept.get(&*self.base, TimedKey { key: &key, time, sub })? else { return Ok(None) };
        let (timestamp, value) = self.serdes.decode_row(&self.name, &row)?;
        Ok(Some((value, timestamp)))
    }

    /// Forgets the kept rows up to `time`, that time included, with the next commit.
    pub(crate) fn forget_until(&self, time: Timestamp) -> Result<()> {
        self.kept_rows.as_ref().map_or(Ok(()), |kept| kept.forget_until(&*self.base, time))
    }

    /// The row of `key` at this place, if there is one.
    pub(crate) fn get(&self, key: &K, time: Timestamp, sub: i64) -> Result<Option<(V, Timestamp)>> {
        let mut memory = self.memory.borrow_mut();
        let Some(at) = self.bring_in(&mut memory, key)? else { return Ok(None) };
        let row = memory.id(at, (time, sub)).and_then(|id| memory.row(id));
        Ok(row.and_then(|(_, row)| Some((row.value.clone()?, row.timestamp))))
    }

    /// The rows of `key` within `times`, in order of time and number.
    pub(crate) fn fetch(&self, key: &K, times: RangeInclusive<Timestamp>) -> Result<Vec<TimedRow<V>>> {
        let mut found = Vec::new();
        self.visit(key, times, |time, sub, value, timestamp| {
            found.push(TimedRow { time, sub, value: value.clone(), timestamp });
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Calls `visit` with time, number, value and timestamp of the rows of `key` within `times`, in order of time and
    /// number, until it breaks. `visit` cannot reach the store.
    pub(crate) fn visit(
        &self,
        key: &K,
        times: RangeInclusive<Timestamp>,
        mut visit: impl FnMut(Timestamp, i64, &V, Timestamp) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut memory = self.memory.borrow_mut();
        let Some(at) = self.bring_in(&mut memory, key)? else { return Ok(()) };
        for row in memory.live_within(at, times) {
            if let Some(value) = &row.value
                && visit(row.place.0, row.place.1, value, row.timestamp).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Puts a row, in place of the one that is there. Returns false, and does nothing, if the key is null.
    pub(crate) fn put(&self, key: &K, time: Timestamp, sub: i64, meta: Meta<'_>, value: V) -> Result<bool> {
        self.update(key, time, sub, meta, |row| *row = Some(value)).map(|done| done.is_some())
    }

    /// Changes a row in place; setting it to `None` deletes it. Its timestamp and headers become those of `meta`.
    /// Returns `None`, and does nothing, if the key is null. `change` cannot reach the store.
    pub(crate) fn update<R>(
        &self,
        key: &K,
        time: Timestamp,
        sub: i64,
        meta: Meta<'_>,
        change: impl FnOnce(&mut Option<V>) -> R,
    ) -> Result<Option<R>> {
        self.change(key, (time, sub), |row| {
            let result = change(&mut row.value);
            row.timestamp = meta.timestamp;
            keep_headers(&mut row.headers, meta.headers);
            result
        })
    }

    /// Removes a row and returns its value and timestamp, if there was one.
    pub(crate) fn remove(&self, key: &K, time: Timestamp, sub: i64) -> Result<Option<(V, Timestamp)>> {
        let mut memory = self.memory.borrow_mut();
        let Some(at) = self.bring_in(&mut memory, key)? else { return Ok(None) };
        Ok(memory.id(at, (time, sub)).and_then(|id| self.take(&mut memory, id)))
    }

    fn take(&self, memory: &mut Memory<K, V>, id: RowId) -> Option<(V, Timestamp)> {
        memory.take(id, |row| self.keep_old(row))
    }

    fn change<R>(&self, key: &K, place: Place, change: impl FnOnce(&mut Row<V>) -> R) -> Result<Option<R>> {
        let mut memory = self.memory.borrow_mut();
        let Some(at) = self.bring_in(&mut memory, key)? else { return Ok(None) };
        Ok(memory.change(at, place, |row| self.keep_old(row), change))
    }

    fn keep_old(&self, row: &mut Row<V>) {
        if self.news == News::WithOld {
            row.old.clone_from(&row.value);
        }
    }

    /// Up to a time before this one there is no row; `None` if there are no rows at all. A record that moves time to no
    /// more than this closes nothing.
    pub(crate) fn first_time(&self) -> Option<Timestamp> {
        self.first_time_from(Timestamp::MIN)
    }

    /// As [`TimedStore::first_time`], of the rows whose time is not before `from`.
    pub(crate) fn first_time_from(&self, from: Timestamp) -> Option<Timestamp> {
        let in_memory = self.memory.borrow_mut().first_time(from);
        let unread = Some(self.read_through.get()).filter(|time| *time < Timestamp::MAX).map(|time| from.max(time + 1));
        in_memory.into_iter().chain(unread).min()
    }

    /// All rows within `times`, in order of time, number and key bytes.
    pub(crate) fn fetch_all(&self, times: RangeInclusive<Timestamp>) -> Result<Vec<TakenRow<K, V>>> {
        let mut memory = self.memory.borrow_mut();
        let due = self.due(&mut memory, times)?;
        let rows = due.into_iter().filter_map(|id| {
            let (key, row) = memory.row(id)?;
            let (time, sub) = row.place;
            let row = TimedRow { time, sub, value: row.value.clone()?, timestamp: row.timestamp };
            Some(TakenRow { key: key.key.clone(), row })
        });
        Ok(rows.collect())
    }

    /// The times of all committed rows, in order. For the start: it reads the whole index.
    pub(crate) fn committed_times(&self) -> Result<Vec<Timestamp>> {
        let mut times = Vec::new();
        self.base.range(&time_entry_bound(Timestamp::MIN), Some(TIMED_END), &mut |stored, _| {
            times.extend(decode_time_entry(stored).map(|entry| entry.time));
            ControlFlow::Continue(())
        })?;
        Ok(times)
    }

    /// Removes and returns all rows up to `time`, that time included, in order of time, number and key bytes.
    pub(crate) fn take_until(&self, time: Timestamp) -> Result<Vec<TakenRow<K, V>>> {
        let mut memory = self.memory.borrow_mut();
        let due = self.due(&mut memory, Timestamp::MIN..=time)?;
        let mut taken = Vec::with_capacity(due.len());
        for id in due {
            let Some((key, (time, sub))) = memory.row(id).map(|(key, row)| (key.key.clone(), row.place)) else {
                continue;
            };
            if let Some((value, timestamp)) = self.take(&mut memory, id) {
                taken.push(TakenRow { key, row: TimedRow { time, sub, value, timestamp } });
            }
        }
        Ok(taken)
    }

    /// Lets all rows up to `time`, that time included, go with the next commit, which is no change of theirs: what is
    /// downstream keeps their last value. From now on they are not found. Meant to be called once before a commit, as
    /// it looks into the committed store when time has moved beyond what was read ahead.
    pub(crate) fn expire_until(&self, time: Timestamp) -> Result<()> {
        let mut memory = self.memory.borrow_mut();
        for id in self.due(&mut memory, Timestamp::MIN..=time)? {
            self.keep(&memory, id)?;
            if self.news == News::None {
                self.take(&mut memory, id);
            } else {
                memory.expire(id);
            }
        }
        Ok(())
    }

    /// Keeps a row, if rows are kept when they expire.
    fn keep(&self, memory: &Memory<K, V>, id: RowId) -> Result<()> {
        let (Some(kept), Some((key, row))) = (&self.kept_rows, memory.row(id)) else { return Ok(()) };
        let Some(value) = &row.value else { return Ok(()) };
        let mut bytes = Vec::new();
        encode_row_head(row.timestamp, &mut bytes);
        if self.serdes.encode_value(&self.name, value, &mut bytes)? == Payload::Bytes {
            kept.keep(TimedKey { key: &key.bytes, time: row.place.0, sub: row.place.1 }, bytes);
        }
        Ok(())
    }

    fn due(&self, memory: &mut Memory<K, V>, times: RangeInclusive<Timestamp>) -> Result<Vec<RowId>> {
        let unread = self.read_through.get() < *times.end();
        if !unread && memory.first_time(*times.start()).is_none_or(|first| first > *times.end()) {
            return Ok(Vec::new());
        }
        self.read_until(memory, *times.end())?;
        Ok(memory.within(&times))
    }

    /// Every row changed since the last commit, in the order of their last change; none if nobody is to be told. Rows
    /// that expired unchanged are left out, and so are those that came and went.
    pub(crate) fn changed(&self) -> Vec<ChangedRow<K, V>> {
        if self.news == News::None {
            return Vec::new();
        }
        let memory = self.memory.borrow();
        let news = memory.in_order_of_change().into_iter().filter(|(_, row)| !row.quiet);
        news.map(|(key, row)| ChangedRow {
            key: key.key.clone(),
            time: row.place.0,
            sub: row.place.1,
            change: Change { new: row.value.clone(), old: row.old.clone() },
            timestamp: row.timestamp,
            headers: row.headers.clone(),
        })
        .collect()
    }

    /// The place of `key` in memory, after reading its rows if need be; `None` if the key is null.
    fn bring_in(&self, memory: &mut Memory<K, V>, key: &K) -> Result<Option<usize>> {
        if let Some(at) = memory.find(key) {
            return Ok(Some(at));
        }
        let Some(bytes) = self.serdes.key_bytes(&self.name, key)? else { return Ok(None) };
        let prefix = timed_key_prefix(&bytes);
        let mut end = prefix.clone();
        // The prefix ends in 00 01, and nothing else begins with 00 02.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        let (mut rows, mut failed) = (Vec::new(), None);
        self.base.range(&prefix, Some(&end), &mut |stored, value| match self.decode(stored, value) {
            Ok(row) => {
                rows.push(row);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)?;
        Ok(Some(memory.insert(key.clone(), bytes, rows)))
    }

    fn decode(&self, key: &[u8], value: &[u8]) -> Result<(Place, Timestamp, V)> {
        let TimedKey { time, sub, .. } = decode_timed_key(key).ok_or_else(|| cut_short(&self.name))?;
        let (timestamp, value) = self.serdes.decode_row(&self.name, value)?;
        Ok(((time, sub), timestamp, value))
    }

    /// Brings every key into memory that has a row up to `time`, and some more.
    fn read_until(&self, memory: &mut Memory<K, V>, time: Timestamp) -> Result<()> {
        if self.read_through.get() >= time {
            return Ok(());
        }
        let (mut keys, mut read_through, mut is_damaged) = (Vec::<Vec<u8>>::new(), Timestamp::MAX, false);
        let from = time_entry_bound(self.read_through.get().saturating_add(1));
        self.base.range(&from, Some(TIMED_END), &mut |stored, _| {
            let Some(entry) = decode_time_entry(stored) else {
                is_damaged = true;
                return ControlFlow::Break(());
            };
            if entry.time > time && keys.len() >= READ_AHEAD {
                read_through = entry.time - 1;
                return ControlFlow::Break(());
            }
            if keys.last().is_none_or(|last| last != entry.key) {
                keys.push(entry.key.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        if is_damaged {
            return Err(damaged(&self.name, &"an entry of its index by time is cut short"));
        }
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let key = self.serdes.decode_key(&self.name, &key)?;
            self.bring_in(memory, &key)?;
        }
        self.read_through.set(read_through);
        Ok(())
    }

    fn visit_row(
        &self,
        key: TimedKey<&[u8]>,
        row: &Row<V>,
        visit: &mut StoreChangeVisitor<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(value) = row.value.as_ref().filter(|_| !row.expired) else {
            if row.committed {
                visit(&self.name, &encode_timed_key(key), None)?;
                visit(&self.name, &encode_time_entry(key), None)?;
            }
            return Ok(());
        };
        scratch.clear();
        encode_row_head(row.timestamp, scratch);
        let present = self.serdes.encode_value(&self.name, value, scratch)? == Payload::Bytes;
        visit(&self.name, &encode_timed_key(key), present.then_some(scratch.as_slice()))?;
        if present && row.committed {
            return Ok(());
        }
        visit(&self.name, &encode_time_entry(key), present.then_some(TIME_ENTRY))
    }
}

impl<K: Data + Hash + Eq, V: Data> CommitStep for TimedStore<K, V> {
    fn changes(&self, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        let memory = self.memory.borrow();
        let mut scratch = Vec::new();
        for (key, row) in memory.changed() {
            let (time, sub) = row.place;
            self.visit_row(TimedKey { key: &key.bytes, time, sub }, row, visit, &mut scratch)?;
        }
        self.kept_rows.as_ref().map_or(Ok(()), |kept| kept.changes(&self.name, visit))
    }

    fn committed(&self) {
        self.kept_rows.iter().for_each(Kept::committed);
        let left = self.memory.borrow_mut().committed(self.kept);
        if let Some(first) = left {
            self.read_through.set(self.read_through.get().min(first.saturating_sub(1)));
        }
    }

    fn dirty_rows(&self) -> usize {
        self.memory.borrow().dirty_rows() + self.kept_rows.as_ref().map_or(0, Kept::dirty_rows)
    }
}
