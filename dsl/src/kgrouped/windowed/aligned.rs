//! Windows of one length at fixed places: tumbling, hopping and unlimited ones. Their rows lie in order of time, so
//! closing is one scan.

use std::rc::Rc;

use headwater_core::{Headers, Result, Timestamp};

use crate::{
    bounds::{Data, Key},
    kgrouped::folding::{Fold, Folding},
    plan::{EmitStrategy, NodeId},
    store::{Emission, StoreSerdes, WindowRows},
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
    let serdes = StoreSerdes { keys: store.keys.clone(), values: store.values.clone() };
    let base = builder.env.store(&store.name)?;
    let context = builder.context.clone();
    let closed_end = closed_end(&context.memo, &store.name)?;
    let grace_ms = windows.grace_ms.unwrap_or_default();
    let life_ms = windows.size_ms.saturating_add(grace_ms);
    let kept_ms =
        store.options.retention_ms.filter(|_| on_update).map_or(0, |kept| kept.saturating_sub(life_ms).max(0));
    let last_end = context.memo.slot(&format!("last-end/{}", store.name), Timestamp::MIN)?;
    let kept_from = closed_end.get().saturating_sub(windows.size_ms).saturating_sub(kept_ms);
    let starts = (kept_from, last_end.get().saturating_sub(windows.size_ms));
    let folding = Rc::new(AlignedFolding {
        windows,
        grace_ms,
        kept_ms,
        time: OperatorTime::of(builder, id)?,
        rows: Rc::new(WindowRows::open(&store.name, serdes, base, emission, windows.size_ms, starts)?),
        next,
        closed_end,
        last_end,
        late: context.memo.slot(&format!("late:{}", store.name), 0)?,
        context,
    });
    builder.context.at_commit(id, folding.rows.clone());
    builder.context.on_time(id, folding.clone());
    Ok(folding)
}

pub(super) struct AlignedFolding<K, A> {
    windows: Aligned,
    grace_ms: i64,
    /// How long a closed window's row stays to be looked up.
    kept_ms: i64,
    time: OperatorTime,
    rows: Rc<WindowRows<K, A>>,
    next: Target<Windowed<K>, Change<A>>,
    /// Every window that ends here or before is closed for good.
    closed_end: Slot,
    /// The greatest end of any window that ever took a record.
    last_end: Slot,
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
        self.closed_end.set(closed_end);
        // A window closes if start + size <= closed_end, that is, if it starts before this bound (without what it is
        // kept for after that).
        let bound = closed_end.saturating_sub(self.windows.size_ms).saturating_sub(self.kept_ms).saturating_add(1);
        if !self.rows.may_close_before(bound) {
            return Ok(());
        }
        if self.windows.emit == EmitStrategy::OnWindowUpdate {
            return self.rows.expire_before(bound);
        }
        let closed = self.rows.take_before(bound)?;
        self.context.without_record(|| {
            for row in closed {
                let change = Change { new: Some(row.value), old: None };
                self.next.push(Meta { timestamp: row.timestamp, headers }, row.window, change)?;
            }
            Ok(())
        })
    }
}

impl<K: Key, A: Data> Folding<K, Windowed<K>, A> for AlignedFolding<K, A> {
    fn take(&self, meta: Meta<'_>, key: K, fold: &mut Fold<'_, K, A>) -> Flow {
        let late_at = self.time.observe(&self.context, meta.timestamp);
        let closed = late_at.saturating_sub(self.grace_ms).max(self.closed_end.get());
        let end = |start: Timestamp| start.saturating_add(self.windows.size_ms);
        let mut starts = self.windows.starts(meta.timestamp);
        // Later windows end later.
        let late = starts.skip_first(|start| end(start) <= closed);
        (0..late).for_each(|_| self.late.increment());
        if let Some((_, last)) = starts.ends() {
            self.rows.update(&key, starts, meta, |key, start, row| fold(key, row, start == last))?;
            self.last_end.set(self.last_end.get().max(end(last)));
        }
        if let OperatorTime::Observed(_) = self.time { self.close(meta.headers) } else { Ok(()) }
    }
}

impl<K: Key, A: Data> TableView<Windowed<K>, A> for AlignedFolding<K, A> {
    fn get(&self, window: &Windowed<K>) -> Result<Option<(A, Timestamp)>> {
        self.rows.get(&window.key, window.start)
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
