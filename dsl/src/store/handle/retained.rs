//! Timed rows that a processor's store keeps for a while.

use std::{hash::Hash, ops::RangeInclusive, rc::Rc, sync::Arc};

use headwater_core::{Error, Headers, Result, Serde, Timestamp};

use super::null_key;
use crate::{
    bounds::Data,
    plan::NodeId,
    store::timed::{News, TakenRow, TimedRow, TimedStore},
    store::{StoreSerdes, scan},
    task::{CommitStep, Slot},
    wire::{Flow, Meta, TaskBuilder},
};

/// The name, formats and retention of a store of timed rows.
pub(super) struct RetainedRef<K, V> {
    pub(super) name: String,
    pub(super) keys: Arc<dyn Serde<K>>,
    pub(super) values: Arc<dyn Serde<V>>,
    pub(super) retention_ms: i64,
}

impl<K, V> Clone for RetainedRef<K, V> {
    fn clone(&self) -> Self {
        let (keys, values) = (self.keys.clone(), self.values.clone());
        Self { name: self.name.clone(), keys, values, retention_ms: self.retention_ms }
    }
}

impl<K: Data + Hash + Eq, V: Data> RetainedRef<K, V> {
    /// The rows in a task, the same for all its steps; `id` is the one that asks.
    pub(super) fn open_in(&self, builder: &mut TaskBuilder<'_>, id: NodeId) -> Result<Rc<Retained<K, V>>> {
        builder.shared(&self.name, |builder| {
            let serdes = StoreSerdes { keys: self.keys.clone(), values: self.values.clone() };
            let memo = &builder.context.memo;
            let retained = Rc::new(Retained {
                name: self.name.clone(),
                keys: self.keys.clone(),
                rows: Rc::new(TimedStore::new(&self.name, serdes, builder.env.store(&self.name)?, News::None)),
                observed: memo.slot(&format!("newest/{}", self.name), Timestamp::MIN)?,
                late: memo.slot(&format!("late:{}", self.name), 0)?,
                retention_ms: self.retention_ms,
            });
            builder.context.at_commit(id, retained.clone());
            builder.context.at_commit(id, retained.rows.clone());
            Ok(retained)
        })
    }
}

/// A task's rows. Those older than the retention, counted from the newest row ever put, are hidden, and leave the store
/// with the next commit.
pub(super) struct Retained<K, V> {
    pub(super) name: String,
    keys: Arc<dyn Serde<K>>,
    rows: Rc<TimedStore<K, V>>,
    observed: Slot,
    late: Slot,
    retention_ms: i64,
}

impl<K: Data + Hash + Eq, V: Data> Retained<K, V> {
    /// The time of the oldest row that is not hidden.
    fn horizon(&self) -> Timestamp {
        match self.observed.get() {
            Timestamp::MIN => Timestamp::MIN,
            newest => newest.saturating_sub(self.retention_ms).saturating_add(1),
        }
    }

    fn visible(&self, times: &RangeInclusive<Timestamp>) -> RangeInclusive<Timestamp> {
        (*times.start()).max(self.horizon())..=*times.end()
    }

    /// Puts a row, or counts it as late if it would be hidden.
    pub(super) fn put(&self, key: &K, (time, sub): (Timestamp, i64), timestamp: Timestamp, value: V) -> Result<()> {
        self.observed.set(self.observed.get().max(time));
        if time < self.horizon() {
            self.late.increment();
            return Ok(());
        }
        let known = self.rows.put(key, time, sub, Meta { timestamp, headers: &Headers::new() }, value)?;
        if known { Ok(()) } else { Err(null_key(&self.name)) }
    }

    /// Removes a row; returns its value.
    pub(super) fn remove(&self, key: &K, (time, sub): (Timestamp, i64)) -> Result<Option<V>> {
        if time < self.horizon() {
            return Ok(None);
        }
        Ok(self.rows.remove(key, time, sub)?.map(|(value, _)| value))
    }

    pub(super) fn get(&self, key: &K, (time, sub): (Timestamp, i64)) -> Result<Option<V>> {
        if time < self.horizon() {
            return Ok(None);
        }
        Ok(self.rows.get(key, time, sub)?.map(|(value, _)| value))
    }

    /// The rows of `key`, in order of time and number.
    pub(super) fn fetch(&self, key: &K, times: &RangeInclusive<Timestamp>) -> Result<Vec<TimedRow<V>>> {
        let times = self.visible(times);
        if times.is_empty() { Ok(Vec::new()) } else { self.rows.fetch(key, times) }
    }

    /// The rows of all keys, in order of the keys' bytes, then of time and number.
    pub(super) fn fetch_all(&self, times: &RangeInclusive<Timestamp>) -> Result<Vec<TakenRow<K, V>>> {
        let times = self.visible(times);
        if times.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.rows.fetch_all(times)?;
        scan::check_count(&self.name, rows.len())?;
        let with_bytes = |row: TakenRow<K, V>| {
            let mut bytes = Vec::new();
            self.keys.encode(&row.key, &mut bytes).map_err(|error| error.while_encoding("a key of a range"))?;
            Ok((bytes, row))
        };
        let mut rows = rows.into_iter().map(with_bytes).collect::<Result<Vec<_>, Error>>()?;
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }
}

impl<K: Data + Hash + Eq, V: Data> CommitStep for Retained<K, V> {
    fn before_commit(&self) -> Flow {
        match self.horizon() {
            Timestamp::MIN => Ok(()),
            horizon => self.rows.expire_until(horizon - 1),
        }
    }
}
