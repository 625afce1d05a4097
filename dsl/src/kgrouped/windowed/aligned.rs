//! Windows of one length at fixed places: tumbling, hopping and unlimited ones. Their rows lie in order of time, so
//! closing is one scan.

use std::{cell::Cell, ops::ControlFlow, rc::Rc, sync::Arc};

use headwater_core::{Headers, Result, StoreReader, Timestamp};

use crate::{
    bounds::{Data, Key},
    kgrouped::folding::{Fold, Folding},
    plan::{EmitStrategy, NodeId},
    store::{Emission, KvStore, StoreSerdes, WindowKeys, decode_window_key, start_bound},
    task::{OperatorTime, Slot, TaskContext, TimeStep, closed_end},
    vocab::Materialized,
    window::{Aligned, Windowed},
    wire::{Change, Flow, Meta, TableView, Target, TaskBuilder},
};

/// Opens the windows of step `id`.
pub(super) fn open<K: Key, A: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    windows: Aligned,
    store: &Materialized<K, A>,
) -> Result<Rc<AlignedFolding<K, A>>> {
    let next = builder.next::<Windowed<K>, Change<A>>(id)?;
    let on_update = windows.emit == EmitStrategy::OnWindowUpdate;
    let emission = if on_update { Emission::of(builder, id, store.cached)? } else { None };
    let keys = Arc::new(WindowKeys::new(store.keys.clone(), windows.size_ms));
    let serdes = StoreSerdes { keys, values: store.values.clone() };
    let base = builder.env.store(&store.name)?;
    let context = builder.context.clone();
    let closed_end = closed_end(&context.memo, &store.name)?;
    let grace_ms = windows.grace_ms.unwrap_or_default();
    let life_ms = windows.size_ms.saturating_add(grace_ms);
    let kept_ms =
        store.options.retention_ms.filter(|_| on_update).map_or(0, |kept| kept.saturating_sub(life_ms).max(0));
    let folding = Rc::new(AlignedFolding {
        windows,
        grace_ms,
        kept_ms,
        time: OperatorTime::of(builder, id)?,
        first_open: Cell::new(first_open(&*base, closed_end.get(), windows.size_ms.saturating_add(kept_ms))?),
        rows: Rc::new(KvStore::new(&store.name, serdes, base, emission)),
        next,
        closed_end,
        last_end: context.memo.slot(&format!("last-end/{}", store.name), Timestamp::MIN)?,
        late: context.memo.slot(&format!("late:{}", store.name), 0)?,
        context,
    });
    builder.context.at_commit(id, folding.rows.clone());
    builder.context.on_time(id, folding.clone());
    Ok(folding)
}

/// The start of the oldest window in the committed store; it starts at most `within_ms` before what has closed.
fn first_open(base: &dyn StoreReader, closed_end: Timestamp, within_ms: i64) -> Result<Option<Timestamp>> {
    let mut first = None;
    base.range(&start_bound(closed_end.saturating_sub(within_ms)), None, &mut |key, _| {
        first = decode_window_key(key).map(|(start, _)| start);
        ControlFlow::Break(())
    })?;
    Ok(first)
}

pub(super) struct AlignedFolding<K, A> {
    windows: Aligned,
    grace_ms: i64,
    /// How long a closed window's row stays to be looked up.
    kept_ms: i64,
    time: OperatorTime,
    rows: Rc<KvStore<Windowed<K>, A>>,
    next: Target<Windowed<K>, Change<A>>,
    /// Every window that ends here or before is closed for good.
    closed_end: Slot,
    /// The greatest end of any window that ever took a record.
    last_end: Slot,
    /// The start of the oldest window that may be open or kept; `None` if none is.
    first_open: Cell<Option<Timestamp>>,
    late: Slot,
    context: Rc<TaskContext>,
}

impl<K: Key, A: Data> AlignedFolding<K, A> {
    /// Closes every window that time has passed.
    fn close(&self, headers: &Headers) -> Flow {
        let time = self.time.closes_at(&self.context);
        time.map_or(Ok(()), |time| self.close_through(time.saturating_sub(self.grace_ms), headers))
    }

    /// Closes every window that ends at `closed_end` or before: emits it if that is when results go downstream, and
    /// forgets it.
    fn close_through(&self, closed_end: Timestamp, headers: &Headers) -> Flow {
        if closed_end <= self.closed_end.get() {
            return Ok(());
        }
        let size_and_kept = self.windows.size_ms.saturating_add(self.kept_ms);
        let from = start_bound(self.closed_end.get().saturating_sub(size_and_kept));
        self.closed_end.set(closed_end);
        // A window closes if start + size <= closed_end, that is, if it starts before this bound (without what it is
        // kept for after that).
        let bound = closed_end.saturating_sub(size_and_kept).saturating_add(1);
        if self.first_open.get().is_none_or(|first| first >= bound) {
            return Ok(());
        }
        // Nothing more closes until the next window after those does.
        self.first_open.set(Some(self.windows.start_from(bound)));
        let closes = |windowed: &Windowed<K>| windowed.start < bound;
        if self.windows.emit == EmitStrategy::OnWindowUpdate {
            return self.rows.expire_range(&from, &start_bound(bound), closes);
        }
        let closed = self.rows.take_range(&from, &start_bound(bound), closes)?;
        self.context.without_record(|| {
            for row in closed {
                let change = Change { new: Some(row.value), old: None };
                self.next.push(Meta { timestamp: row.timestamp, headers }, row.key, change)?;
            }
            Ok(())
        })
    }
}

impl<K: Key, A: Data> Folding<K, Windowed<K>, A> for AlignedFolding<K, A> {
    fn take(&self, meta: Meta<'_>, key: K, fold: &mut Fold<'_, K, A>) -> Flow {
        let late_at = self.time.observe(&self.context, meta.timestamp);
        let closed = late_at.saturating_sub(self.grace_ms).max(self.closed_end.get());
        let mut key = Some(key);
        for start in self.windows.starts(meta.timestamp) {
            let end = start.saturating_add(self.windows.size_ms);
            if end <= closed {
                self.late.increment();
                continue;
            }
            // Later windows end later, so if one is open, the last one is.
            let next = self.windows.advance_ms.and_then(|advance| start.checked_add(advance));
            let is_last = next.is_none_or(|next| next > meta.timestamp);
            let Some(key) = (if is_last { key.take() } else { key.clone() }) else { break };
            let window = Windowed { key, start, end };
            self.rows.update(window, meta, |window, row| fold(&window.key, row, is_last))?;
            self.last_end.set(self.last_end.get().max(end));
            if self.first_open.get().is_none_or(|first| start < first) {
                self.first_open.set(Some(start));
            }
        }
        if let OperatorTime::Observed(_) = self.time { self.close(meta.headers) } else { Ok(()) }
    }
}

impl<K: Key, A: Data> TableView<Windowed<K>, A> for AlignedFolding<K, A> {
    fn get(&self, window: &Windowed<K>) -> Result<Option<(A, Timestamp)>> {
        self.rows.get(window)
    }
}

impl<K: Key, A: Data> TimeStep for AlignedFolding<K, A> {
    fn time_moved(&self) -> Flow {
        self.close(&Headers::new())
    }

    fn end_of_input(&self) -> Flow {
        // With results on update nothing is owed at the end: the windows stay open for what a later run brings.
        if self.windows.emit == EmitStrategy::OnWindowUpdate {
            return Ok(());
        }
        self.close_through(self.last_end.get(), &Headers::new())
    }
}
