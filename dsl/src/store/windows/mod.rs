//! The typed store of aligned windows: the write buffer over rows whose keys begin with the window's start.
//!
//! In memory a key's windows are together, as a record changes all those that overlap at its time. A window that begins
//! after all that the committed store has is not looked up there.

mod memory;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    hash::Hash,
    ops::{ControlFlow, Range},
    rc::Rc,
};

use headwater_core::{Headers, Payload, Result, StoreReader, Timestamp};

use self::memory::{KeyRows, Memory, Row};
use super::{
    StoreSerdes,
    emission::{Emission, When, keep_headers},
    layout::{decode_window_key, encode_row_head, encode_window_key, start_bound},
    serdes::cut_short,
};
use crate::{
    bounds::Data,
    task::{CommitStep, StoreChangeVisitor},
    window::{Starts, Windowed},
    wire::{Change, Flow, Meta},
};

/// Keys and rows kept in memory across commits, per store and task.
const KEPT: usize = 200_000;

/// A store's rows: those in memory over those committed.
pub(crate) struct WindowRows<K, V> {
    name: String,
    serdes: StoreSerdes<K, V>,
    size_ms: i64,
    base: Rc<dyn StoreReader>,
    memory: RefCell<Memory<K, V>>,
    /// `None` if nobody listens or results go elsewhere.
    emission: Option<Emission<Windowed<K>, V>>,
    /// All committed rows are in memory but those of windows that start within this.
    unread: RefCell<Range<Timestamp>>,
    /// No window that is not closed starts before this.
    first_start: Cell<Timestamp>,
    kept: usize,
}

/// A window's row taken out of a store.
pub(crate) struct ClosedWindow<K, V> {
    pub(crate) window: Windowed<K>,
    pub(crate) value: V,
    pub(crate) timestamp: Timestamp,
}

impl<K: Data + Hash + Eq, V: Data> WindowRows<K, V> {
    /// A store of windows of `size_ms` over the committed rows of `base`: those of windows that start before `closed`
    /// are not asked for, and probably there is none that starts after `last_start`.
    pub(crate) fn open(
        name: &str,
        serdes: StoreSerdes<K, V>,
        base: Rc<dyn StoreReader>,
        emission: Option<Emission<Windowed<K>, V>>,
        size_ms: i64,
        (closed, last_start): (Timestamp, Timestamp),
    ) -> Result<Self> {
        let unread = match first_start(&*base, closed)? {
            None => Timestamp::MAX..Timestamp::MAX,
            Some(first) => match last_start.checked_add(1) {
                Some(after) if first_start(&*base, after)?.is_none() => first..after,
                _ => first..Timestamp::MAX,
            },
        };
        Ok(Self {
            name: name.to_owned(),
            serdes,
            size_ms,
            base,
            memory: RefCell::new(Memory::new()),
            emission,
            first_start: Cell::new(unread.start),
            unread: RefCell::new(unread),
            kept: KEPT,
        })
    }

    fn window(&self, key: &K, start: Timestamp) -> Windowed<K> {
        Windowed { key: key.clone(), start, end: start.saturating_add(self.size_ms) }
    }

    /// The row of `key` as it is now, with what waits for the commit; `None` if there is none or the key is null.
    pub(crate) fn get(&self, key: &K, start: Timestamp) -> Result<Option<(V, Timestamp)>> {
        let mut memory = self.memory.borrow_mut();
        let Some(at) = self.bring_in_key(&mut memory, key)? else { return Ok(None) };
        if memory.key(at).is_some_and(|key| key.row(start).is_none())
            && let Some(stored) = self.stored(&memory, at, start)?
        {
            memory.insert_row(at, start, Some(stored));
        }
        let row = memory.key(at).and_then(|key| key.row(start));
        Ok(row.and_then(|row| Some((row.value.clone()?, row.timestamp))))
    }

    /// Changes the rows of `key` in the windows that start at `starts` in place; setting one to `None` deletes it. A row's
    /// time becomes the greater of its own and the record's. Does nothing if the key is null.
    pub(crate) fn update(
        &self,
        key: &K,
        starts: Starts,
        meta: Meta<'_>,
        mut change: impl FnMut(&K, Timestamp, &mut Option<V>),
    ) -> Flow {
        let with_old = self.emission.as_ref().is_some_and(|emission| emission.with_old);
        let when = self.emission.as_ref().map(|emission| emission.when);
        let mut change = |key: &K, row: &mut Row<V>, number: u64| {
            if with_old && (row.changed == 0 || when == Some(When::AtOnce)) {
                row.old.clone_from(&row.value);
            }
            let fresh = row.value.is_none();
            change(key, row.start, &mut row.value);
            // A deletion that waits for the commit has no row to take a time from, as in Kafka Streams' cache.
            let unknown = when == Some(When::AtCommit) && row.value.is_none();
            row.timestamp = if fresh || unknown { meta.timestamp } else { row.timestamp.max(meta.timestamp) };
            row.changed = number;
            keep_headers(&mut row.headers, meta.headers);
        };
        let mut memory = self.memory.borrow_mut();
        let Some(at) = self.bring_in_key(&mut memory, key)? else { return Ok(()) };
        if let Some(emission) = self.emission.as_ref().filter(|emission| emission.when == When::AtOnce) {
            drop(memory);
            return starts
                .into_iter()
                .try_for_each(|start| self.change_at_once(emission, at, start, meta, &mut change));
        }
        if !memory.has_all(at, starts) {
            while let Some(start) = memory.key(at).and_then(|key| key.first_missing(starts)) {
                self.bring_in(&mut memory, at, start)?;
            }
        }
        memory.change_all(at, starts, change);
        Ok(())
    }

    /// Changes one row and tells downstream, which may look into this store.
    fn change_at_once(
        &self,
        emission: &Emission<Windowed<K>, V>,
        at: usize,
        start: Timestamp,
        meta: Meta<'_>,
        change: impl FnMut(&K, &mut Row<V>, u64),
    ) -> Flow {
        let mut memory = self.memory.borrow_mut();
        self.bring_in(&mut memory, at, start)?;
        memory.change_all(at, Starts::one(start), change);
        let key = memory.key(at);
        let sent = key.and_then(|key| {
            let row = key.row(start)?;
            Some((self.window(&key.key, start), row.news(), row.timestamp))
        });
        drop(memory);
        let Some((window, news, timestamp)) = sent else { return Ok(()) };
        emission.to.push(Meta { timestamp, headers: meta.headers }, window, news)
    }

    /// Whether a window that starts before `bound` may be open.
    pub(crate) fn may_close_before(&self, bound: Timestamp) -> bool {
        self.first_start.get() < bound
    }

    /// Removes and returns the rows of all windows that start before `bound`, in order of start and key bytes.
    pub(crate) fn take_before(&self, bound: Timestamp) -> Result<Vec<ClosedWindow<K, V>>> {
        let mut taken = Vec::new();
        self.close_before(bound, |key, row, changes| {
            let Some(value) = row.value.take() else { return row.committed };
            taken.push(ClosedWindow { window: self.window(key, row.start), value, timestamp: row.timestamp });
            *changes += 1;
            row.changed = *changes;
            row.committed
        })?;
        Ok(taken)
    }

    /// Lets the rows of all windows that start before `bound` go with the next commit, which is no change of theirs: what
    /// is downstream keeps their last value. A change that still waits for the commit goes out first.
    pub(crate) fn expire_before(&self, bound: Timestamp) -> Result<()> {
        self.close_before(bound, |_, row, changes| {
            row.expired = true;
            if row.changed == 0 {
                row.quiet = true;
                *changes += 1;
                row.changed = *changes;
            }
            true
        })
    }

    fn close_before(&self, bound: Timestamp, visit: impl FnMut(&K, &mut Row<V>, &mut u64) -> bool) -> Result<()> {
        let mut memory = self.memory.borrow_mut();
        self.read_before(&mut memory, bound)?;
        memory.close_before(bound, visit);
        let unread = self.unread.borrow();
        self.first_start.set(memory.first_start().unwrap_or(Timestamp::MAX).min(unread.start));
        Ok(())
    }

    /// Brings the rows of all windows that start before `bound` into memory.
    fn read_before(&self, memory: &mut Memory<K, V>, bound: Timestamp) -> Result<()> {
        let unread = self.unread.borrow().clone();
        let until = bound.min(unread.end);
        if unread.start >= until {
            return Ok(());
        }
        let mut stored: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        self.base.range(&start_bound(unread.start), Some(&start_bound(until)), &mut |key, value| {
            stored.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        for (key, value) in stored {
            let (start, key) = decode_window_key(&key).ok_or_else(|| cut_short(&self.name))?;
            let typed = self.serdes.decode_key(&self.name, key)?;
            let at = memory.find(&typed).unwrap_or_else(|| memory.insert(typed, key.to_vec()));
            if memory.key(at).is_some_and(|key| key.row(start).is_none()) {
                memory.insert_row(at, start, Some(self.serdes.decode_row(&self.name, &value)?));
            }
        }
        let rest = if until < unread.end { until..unread.end } else { Timestamp::MAX..Timestamp::MAX };
        self.unread.replace(rest);
        Ok(())
    }

    /// The place of `key` in memory; `None` if it is null.
    fn bring_in_key(&self, memory: &mut Memory<K, V>, key: &K) -> Result<Option<usize>> {
        if let Some(at) = memory.find(key) {
            return Ok(Some(at));
        }
        let bytes = self.serdes.key_bytes(&self.name, key)?;
        Ok(bytes.map(|bytes| memory.insert(key.clone(), bytes)))
    }

    /// Brings a key's row into memory, if it is not there.
    fn bring_in(&self, memory: &mut Memory<K, V>, at: usize, start: Timestamp) -> Result<()> {
        if memory.key(at).is_some_and(|key| key.row(start).is_none()) {
            let stored = self.stored(memory, at, start)?;
            self.first_start.set(self.first_start.get().min(start));
            memory.insert_row(at, start, stored);
        }
        Ok(())
    }

    /// The committed row of a key that is not in memory.
    fn stored(&self, memory: &Memory<K, V>, at: usize, start: Timestamp) -> Result<Option<(Timestamp, V)>> {
        if !self.unread.borrow().contains(&start) {
            return Ok(None);
        }
        let Some(key) = memory.key(at) else { return Ok(None) };
        let stored = self.base.get(&encode_window_key(start, &key.bytes))?;
        stored.map(|row| self.serdes.decode_row(&self.name, &row)).transpose()
    }

    fn visit_row(
        &self,
        key: &KeyRows<K, V>,
        row: &Row<V>,
        visit: &mut StoreChangeVisitor<'_>,
        (place, scratch): (&mut Vec<u8>, &mut Vec<u8>),
    ) -> Result<()> {
        place.clear();
        place.extend_from_slice(&start_bound(row.start));
        place.extend_from_slice(&key.bytes);
        let Some(value) = row.value.as_ref().filter(|_| !row.expired) else {
            return if row.committed { visit(&self.name, place, None) } else { Ok(()) };
        };
        scratch.clear();
        encode_row_head(row.timestamp, scratch);
        match self.serdes.encode_value(&self.name, value, scratch)? {
            Payload::Bytes => visit(&self.name, place, Some(scratch)),
            Payload::Null => visit(&self.name, place, None),
        }
    }
}

/// The start of the first window in the committed store that does not start before `from`.
fn first_start(base: &dyn StoreReader, from: Timestamp) -> Result<Option<Timestamp>> {
    let mut first = None;
    base.range(&start_bound(from), None, &mut |key, _| {
        first = decode_window_key(key).map(|(start, _)| start);
        ControlFlow::Break(())
    })?;
    Ok(first)
}

impl<V: Clone> Row<V> {
    /// What a listener is told of it.
    fn news(&self) -> Change<V> {
        Change { new: self.value.clone(), old: self.old.clone() }
    }
}

/// A change to send downstream once the memory is no longer borrowed.
type HeldBack<K, V> = (Windowed<K>, Change<V>, Timestamp, Option<Box<Headers>>);

impl<K: Data + Hash + Eq, V: Data> CommitStep for WindowRows<K, V> {
    fn before_commit(&self) -> Flow {
        let Some(emission) = self.emission.as_ref().filter(|emission| emission.when == When::AtCommit) else {
            return Ok(());
        };
        let held_back: Vec<HeldBack<K, V>> = {
            let memory = self.memory.borrow();
            let rows = memory.in_order_of_change().into_iter();
            // A deletion of a row that was never there changes nothing.
            rows.filter(|(_, row)| !row.quiet && (row.value.is_some() || row.committed))
                .map(|(key, row)| (self.window(&key.key, row.start), row.news(), row.timestamp, row.headers.clone()))
                .collect()
        };
        let none = Headers::new();
        for (window, change, timestamp, headers) in held_back {
            emission.to.push(Meta { timestamp, headers: headers.as_deref().unwrap_or(&none) }, window, change)?;
        }
        Ok(())
    }

    fn changes(&self, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        let memory = self.memory.borrow();
        let (mut place, mut scratch) = (Vec::new(), Vec::new());
        for (key, row) in memory.changed() {
            self.visit_row(key, row, visit, (&mut place, &mut scratch))?;
        }
        Ok(())
    }

    fn committed(&self) {
        if let Some((first, last)) = self.memory.borrow_mut().committed(self.kept) {
            let mut unread = self.unread.borrow_mut();
            let after = last.saturating_add(1);
            *unread = if unread.is_empty() { first..after } else { unread.start.min(first)..unread.end.max(after) };
            self.first_start.set(self.first_start.get().min(unread.start));
        }
    }

    fn dirty_rows(&self) -> usize {
        self.memory.borrow().dirty_count()
    }
}
