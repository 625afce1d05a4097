//! Sliding windows. What is known of a key's records is in its windows alone: a window's row has the time of its newest
//! record, and from that follows which windows a new record makes.

use std::{cell::Cell, ops::ControlFlow, rc::Rc};

use headwater_core::{Headers, Result, Timestamp};

use super::output::Output;
use crate::{
    bounds::{Data, Key},
    kgrouped::folding::{Fold, Folding},
    plan::{EmitStrategy, NodeId},
    store::{StoreSerdes, TimedStore},
    task::{CommitStep, OperatorTime, Slot, TaskContext, TimeStep, closed_end},
    vocab::Materialized,
    window::{Sliding, Windowed},
    wire::{Change, Flow, Meta, TableView, TaskBuilder},
};

/// Opens the windows of step `id`.
pub(super) fn open<K: Key, A: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    windows: Sliding,
    store: &Materialized<K, A>,
) -> Result<Rc<SlidingFolding<K, A>>> {
    let output = Output::of(builder, id, windows.emit, store.cached)?;
    let serdes = StoreSerdes { keys: store.keys.clone(), values: store.values.clone() };
    let rows = TimedStore::new(&store.name, serdes, builder.env.store(&store.name)?, output.news());
    let retention = store.options.retention_ms.filter(|_| windows.emit == EmitStrategy::OnWindowUpdate);
    let rows = Rc::new(if retention.is_some() { rows.keeping() } else { rows });
    let context = builder.context.clone();
    let folding = Rc::new(SlidingFolding {
        difference: windows.difference_ms,
        grace: windows.grace_ms.unwrap_or_default(),
        final_only: windows.emit == EmitStrategy::OnWindowClose,
        retention,
        time: OperatorTime::of(builder, id)?,
        rows: rows.clone(),
        output,
        closed: closed_end(&context.memo, &store.name)?,
        last_end: context.memo.slot(&format!("last-end/{}", store.name), Timestamp::MIN)?,
        first_open: Cell::new(Timestamp::MIN),
        late: context.memo.slot(&format!("late:{}", store.name), 0)?,
        context,
    });
    builder.context.at_commit(id, folding.clone());
    builder.context.at_commit(id, rows);
    builder.context.on_time(id, folding.clone());
    Ok(folding)
}

pub(super) struct SlidingFolding<K, A> {
    difference: i64,
    grace: i64,
    /// Whether results go downstream when windows close.
    final_only: bool,
    /// How long after its start a closed window's row is kept to be looked up.
    retention: Option<i64>,
    time: OperatorTime,
    /// By key and start. Closed windows stay for a while: newer ones are made from them.
    rows: Rc<TimedStore<K, A>>,
    output: Output<K, A>,
    /// Every window that ends before this is closed for good.
    closed: Slot,
    /// The greatest end of any window that was ever made.
    last_end: Slot,
    /// No open window starts before this.
    first_open: Cell<Timestamp>,
    late: Slot,
    context: Rc<TaskContext>,
}

/// A record on its way into its windows.
struct Taken<'a, 'f, K, A> {
    meta: Meta<'a>,
    key: &'a K,
    fold: &'a mut Fold<'f, K, A>,
    /// Windows that end before this are closed for it.
    closed: Timestamp,
}

/// A window that is there already: its start and the time of its newest record.
type Known = (Timestamp, Timestamp);

impl<K: Key, A: Data> SlidingFolding<K, A> {
    /// The windows of `key` that start within these times.
    fn known(&self, key: &K, from: Timestamp, to: Timestamp) -> Result<Vec<Known>> {
        let mut known = Vec::new();
        self.rows.visit(key, from..=to, |start, _, _, newest| {
            known.push((start, newest));
            ControlFlow::Continue(())
        })?;
        Ok(known)
    }

    fn window(&self, key: K, start: Timestamp) -> Windowed<K> {
        Windowed { key, start, end: self.end_of(start) }
    }

    /// The last time within the window that starts at `start`.
    fn end_of(&self, start: Timestamp) -> Timestamp {
        start.saturating_add(self.difference)
    }

    fn value(&self, key: &K, start: Timestamp) -> Result<Option<A>> {
        Ok(self.rows.get(key, start, 0)?.map(|(value, _)| value))
    }

    /// Windows of a record at or after `difference`: those that are there, from the newest to the oldest, then the one
    /// after the previous record, the one up to this record, and the one after it.
    fn take_usual(&self, taken: &mut Taken<'_, '_, K, A>) -> Flow {
        let (time, next) = (taken.meta.timestamp, taken.meta.timestamp.saturating_add(1));
        let oldest = time.saturating_sub(self.difference).saturating_sub(self.difference);
        let known = self.known(taken.key, oldest.max(0), next)?;
        let after_is_there = known.last().is_some_and(|(start, _)| *start == next);
        let (mut after, mut left, mut previous) = (None, None, None);
        let (mut left_is_there, mut first) = (false, true);
        for (start, newest) in known.iter().rev().copied().filter(|(start, _)| *start <= time) {
            let end = self.end_of(start);
            if end < time {
                (left, previous) = (Some(start), Some(newest));
                break;
            }
            if end > time {
                // The newest window that reaches beyond this record has all records that are after it, and no others.
                if std::mem::take(&mut first) && newest > time && !after_is_there {
                    after = self.value(taken.key, start)?.map(|value| (value, newest));
                }
                self.update(taken, start, newest)?;
                continue;
            }
            left_is_there = true;
            self.update(taken, start, newest)?;
            if newest >= time {
                // There was a record at this very time: it has made all windows.
                return Ok(());
            }
            previous = Some(newest);
        }
        if let Some(after_it) = previous.map(|previous| previous.saturating_add(1))
            && self.end_of(after_it) >= time
            && !known.iter().any(|(start, _)| *start == after_it)
        {
            self.create(taken, after_it, None)?;
        }
        if !left_is_there {
            let start = time.saturating_sub(self.difference);
            let within = previous.is_some_and(|previous| previous >= start);
            let value = match left.filter(|_| within) {
                Some(left) => self.value(taken.key, left)?,
                None => None,
            };
            self.create(taken, start, value)?;
        }
        self.create_after(taken, after)
    }

    /// Windows of a record before `difference`: such records share the window that starts at 0, which comes last.
    fn take_early(&self, taken: &mut Taken<'_, '_, K, A>) -> Flow {
        let (time, next) = (taken.meta.timestamp, taken.meta.timestamp.saturating_add(1));
        let known = self.known(taken.key, 0, next)?;
        let shared = known.first().copied().filter(|(start, _)| *start == 0);
        let after_is_there = known.last().is_some_and(|(start, _)| *start == next);
        let others: Vec<Known> = known.iter().copied().filter(|(start, _)| (1..=time).contains(start)).collect();
        let source = others.last().copied().or(shared).filter(|(_, newest)| *newest > time && !after_is_there);
        let after = match source {
            Some((start, newest)) => self.value(taken.key, start)?.map(|value| (value, newest)),
            None => None,
        };
        for (start, newest) in others {
            self.update(taken, start, newest)?;
        }
        self.create_after(taken, after)?;
        let after_it = shared.filter(|(_, newest)| *newest < time).map(|(_, newest)| newest.saturating_add(1));
        if let Some(after_it) = after_it.filter(|after_it| !known.iter().any(|(start, _)| start == after_it)) {
            self.create(taken, after_it, None)?;
        }
        match shared {
            Some((start, newest)) => self.update(taken, start, newest),
            None => self.create(taken, 0, None),
        }
    }

    /// Takes the record into a window that is there.
    fn update(&self, taken: &mut Taken<'_, '_, K, A>, start: Timestamp, newest: Timestamp) -> Flow {
        self.change(taken, start, newest.max(taken.meta.timestamp), |fold, key, row| fold(key, row, false))
    }

    /// Makes a window from the records in `value` and this one.
    fn create(&self, taken: &mut Taken<'_, '_, K, A>, start: Timestamp, value: Option<A>) -> Flow {
        self.change(taken, start, taken.meta.timestamp, |fold, key, row| {
            *row = value;
            fold(key, row, false);
        })
    }

    /// Makes the window after the record, if there are later records for it.
    fn create_after(&self, taken: &mut Taken<'_, '_, K, A>, after: Option<(A, Timestamp)>) -> Flow {
        let Some((value, newest)) = after else { return Ok(()) };
        self.change(taken, taken.meta.timestamp.saturating_add(1), newest, |_, _, row| *row = Some(value))
    }

    fn change(
        &self,
        taken: &mut Taken<'_, '_, K, A>,
        start: Timestamp,
        timestamp: Timestamp,
        change: impl FnOnce(&mut Fold<'_, K, A>, &K, &mut Option<A>),
    ) -> Flow {
        let end = self.end_of(start);
        if end < taken.closed {
            self.late.increment();
            return Ok(());
        }
        self.last_end.set(self.last_end.get().max(end));
        self.first_open.set(self.first_open.get().min(start));
        let meta = Meta { timestamp, headers: taken.meta.headers };
        let (key, at_once) = (taken.key, self.output.at_once());
        let fold = &mut *taken.fold;
        let changed = self.rows.update(key, start, 0, meta, |row| {
            let old = if at_once == Some(true) { row.clone() } else { None };
            change(fold, key, row);
            at_once.map(|_| Change { new: row.clone(), old })
        })?;
        let Some(change) = changed.flatten() else { return Ok(()) };
        self.output.changed(meta, self.window(key.clone(), start), change)
    }

    /// Closes every window that time has passed.
    fn close(&self, headers: &Headers) -> Flow {
        let time = self.time.closes_at(&self.context);
        time.map_or(Ok(()), |time| self.close_before(time.saturating_sub(self.grace), headers))
    }

    /// Closes every window that ends before `closed`.
    fn close_before(&self, closed: Timestamp, headers: &Headers) -> Flow {
        let before = self.closed.get();
        if closed <= before {
            return Ok(());
        }
        self.closed.set(closed);
        let starts = before.saturating_sub(self.difference)..=(closed - 1).saturating_sub(self.difference);
        if !self.final_only || self.first_open.get() > *starts.end() {
            return Ok(());
        }
        let rows = self.rows.fetch_all(starts.clone())?;
        self.first_open.set(self.rows.first_time_from(starts.end() + 1).unwrap_or(Timestamp::MAX));
        let windows = rows
            .into_iter()
            .map(|taken| (self.window(taken.key, taken.row.time), taken.row.value, taken.row.timestamp));
        self.output.closed(&self.context, headers, windows)
    }
}

impl<K: Key, A: Data> Folding<K, Windowed<K>, A> for SlidingFolding<K, A> {
    fn take(&self, meta: Meta<'_>, key: K, fold: &mut Fold<'_, K, A>) -> Flow {
        let late_at = self.time.observe(&self.context, meta.timestamp);
        let closed = late_at.saturating_sub(self.grace).max(self.closed.get());
        // Behind several upstream tasks windows close by another time than that which judges this record, so it must
        // be in all of its windows or in none.
        let is_late = match self.time {
            OperatorTime::Observed(_) => meta.timestamp.saturating_add(self.difference) < closed,
            OperatorTime::Upstream { .. } => meta.timestamp < closed,
        };
        let mut taken = Taken { meta, key: &key, fold, closed };
        if is_late {
            self.late.increment();
        } else if meta.timestamp < self.difference {
            self.take_early(&mut taken)?;
        } else {
            self.take_usual(&mut taken)?;
        }
        if let OperatorTime::Observed(_) = self.time { self.close(meta.headers) } else { Ok(()) }
    }
}

impl<K: Key, A: Data> TableView<Windowed<K>, A> for SlidingFolding<K, A> {
    fn get(&self, window: &Windowed<K>) -> Result<Option<(A, Timestamp)>> {
        match self.rows.get(&window.key, window.start, 0)? {
            Some(row) => Ok(Some(row)),
            None => self.rows.get_kept(&window.key, window.start, 0),
        }
    }
}

impl<K: Key, A: Data> TimeStep for SlidingFolding<K, A> {
    fn time_moved(&self) -> Flow {
        self.close(&Headers::new())
    }

    fn end_of_input(&self) -> Flow {
        // With results on update nothing is owed at the end: the windows stay open for what a later run brings.
        if !self.final_only || self.last_end.get() == Timestamp::MIN {
            return Ok(());
        }
        self.close_before(self.last_end.get().saturating_add(1), &Headers::new())
    }
}

impl<K: Key, A: Data> CommitStep for SlidingFolding<K, A> {
    fn before_commit(&self) -> Flow {
        let closed = self.closed.get();
        // A record that is taken starts at most `difference` before `closed`, and looks for windows at most twice the
        // difference before itself.
        self.rows.expire_until(closed.saturating_sub(self.difference.saturating_mul(3)).saturating_sub(2))?;
        if let Some(retention) = self.retention.filter(|_| closed != Timestamp::MIN) {
            self.rows.forget_until(closed.saturating_add(self.grace).saturating_sub(retention))?;
        }
        self.output.send_changed(self.rows.changed(), |row| self.window(row.key.clone(), row.time))
    }
}
