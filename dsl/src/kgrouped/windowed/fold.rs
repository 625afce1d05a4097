//! The windowed fold: accepting by lateness, folding, closing.

use std::{cell::Cell, ops::ControlFlow, rc::Rc, sync::Arc};

use headwater_core::{Headers, Result, StoreReader, Timestamp};

use super::WindowedStream;
use crate::{
    bounds::{Data, Key},
    ktable::KTable,
    plan::{EmitStrategy, NodeId, NodeKind, StoreKind},
    store::{Emission, KvStore, StoreSerdes, WindowKeys, decode_window_key, start_bound},
    task::{Blame, OperatorTime, Slot, TaskContext, TimeStep, closed_end},
    vocab::{Grouped, Materialized},
    window::{Tumbling, Windowed},
    wire::{Change, Flow, Meta, Push, Target, TaskBuilder},
};

impl<K: Key, V: Data> WindowedStream<K, V> {
    /// Appends a windowed aggregation; `fold` takes a record into its window's row.
    #[track_caller]
    pub(super) fn fold<A: Data>(
        self,
        op: &str,
        store: Materialized<K, A>,
        fold: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let windows = self.windows;
        let kind = NodeKind::WindowedAggregate {
            op: op.to_owned(),
            store: store.name.clone(),
            size_ms: windows.size_ms,
            grace_ms: windows.grace_ms,
            emit: windows.emit,
        };
        let spec = store.spec(StoreKind::Window);
        let (fold, grouped) = (Arc::new(fold), Arc::new(self.stream.grouped));
        let name = store.name.clone();
        let graph = self.stream.graph;
        let id = graph.add(Some(&name), op, kind, vec![self.stream.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let folding = Rc::new(open(builder, id, windows, &store, grouped.clone(), fold.clone())?);
                builder.context.at_commit(id, folding.rows.clone());
                builder.context.on_time(id, folding.clone());
                Ok(Rc::new(Shared(folding)))
            });
        });
        graph.declare_store(id, &name, spec);
        KTable::new(graph, id)
    }
}

fn open<K: Key, V: Data, A: Data, F>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    windows: Tumbling,
    store: &Materialized<K, A>,
    grouped: Arc<Grouped<K, V>>,
    fold: Arc<F>,
) -> Result<WindowedFold<F, K, V, A>> {
    let next = builder.next::<Windowed<K>, Change<A>>(id)?;
    let on_update = windows.emit == EmitStrategy::OnWindowUpdate;
    let emission = if on_update { Emission::of(builder, id, store.cached)? } else { None };
    let keys = Arc::new(WindowKeys::new(store.keys.clone(), windows.size_ms));
    let serdes = StoreSerdes { keys, values: store.values.clone() };
    let base = builder.env.store(&store.name)?;
    let context = builder.context.clone();
    let counter = |what: &str| context.memo.slot(&format!("{what}:{}", store.name), 0);
    let closed_end = closed_end(&context.memo, &store.name)?;
    Ok(WindowedFold {
        id,
        windows,
        grace_ms: windows.grace_ms.unwrap_or_default(),
        time: OperatorTime::of(builder, id)?,
        first_open: Cell::new(first_open(&*base, closed_end.get(), windows.size_ms)?),
        rows: Rc::new(KvStore::new(&store.name, serdes, base, emission)),
        next,
        grouped,
        fold,
        closed_end,
        last_end: context.memo.slot(&format!("last-end/{}", store.name), Timestamp::MIN)?,
        late: counter("late")?,
        null_keys: counter("null-key")?,
        context,
    })
}

/// The start of the oldest window in the committed store.
fn first_open(base: &dyn StoreReader, closed_end: Timestamp, size_ms: i64) -> Result<Option<Timestamp>> {
    let mut first = None;
    base.range(&start_bound(closed_end.saturating_sub(size_ms)), None, &mut |key, _| {
        first = decode_window_key(key).map(|(start, _)| start);
        ControlFlow::Break(())
    })?;
    Ok(first)
}

struct WindowedFold<F, K, V, A> {
    id: NodeId,
    windows: Tumbling,
    grace_ms: i64,
    time: OperatorTime,
    rows: Rc<KvStore<Windowed<K>, A>>,
    next: Target<Windowed<K>, Change<A>>,
    grouped: Arc<Grouped<K, V>>,
    fold: Arc<F>,
    /// Every window that ends here or before is closed for good.
    closed_end: Slot,
    /// The greatest end of any window that ever took a record.
    last_end: Slot,
    /// The start of the oldest window that may be open; `None` if none is.
    first_open: Cell<Option<Timestamp>>,
    late: Slot,
    null_keys: Slot,
    context: Rc<TaskContext>,
}

impl<F, K: Key, V: Data, A: Data> WindowedFold<F, K, V, A> {
    fn close_what_is_due(&self, headers: &Headers) -> Flow {
        match self.time.closes_at(&self.context) {
            Some(time) if time != Timestamp::MIN => self.close_through(time.saturating_sub(self.grace_ms), headers),
            _ => Ok(()),
        }
    }

    /// Closes every window that ends at `closed_end` or before: emits it if that is when results go downstream, and
    /// forgets it. Results have the headers of the record that closed them, if it was one.
    fn close_through(&self, closed_end: Timestamp, headers: &Headers) -> Flow {
        if closed_end <= self.closed_end.get() {
            return Ok(());
        }
        let from = start_bound(self.closed_end.get().saturating_sub(self.windows.size_ms));
        self.closed_end.set(closed_end);
        // A window closes if start + size <= closed_end, that is, if it starts before this bound.
        let bound = closed_end.saturating_sub(self.windows.size_ms).saturating_add(1);
        if self.first_open.get().is_none_or(|first| first >= bound) {
            return Ok(());
        }
        // Windows start at multiples of their size: nothing more closes until that one does.
        let next_start = self.windows.start_of(bound.saturating_sub(1)).saturating_add(self.windows.size_ms);
        self.first_open.set(Some(next_start));
        let closes = |windowed: &Windowed<K>| windowed.start < bound;
        if self.windows.emit == EmitStrategy::OnWindowUpdate {
            return self.rows.expire_range(&from, &start_bound(bound), closes);
        }
        let closed = self.rows.take_range(&from, &start_bound(bound), closes)?;
        let (partition, offset) = (self.context.partition.replace(-1), self.context.offset.replace(-1));
        for row in closed {
            let change = Change { new: Some(row.value), old: None };
            self.next.push(Meta { timestamp: row.timestamp, headers }, row.key, change)?;
        }
        self.context.partition.set(partition);
        self.context.offset.set(offset);
        Ok(())
    }
}

impl<F, K: Key, V: Data, A: Data> TimeStep for WindowedFold<F, K, V, A> {
    fn time_moved(&self) -> Flow {
        self.close_what_is_due(&Headers::new())
    }

    fn end_of_input(&self) -> Flow {
        // With results on update nothing is owed at the end: the windows stay open for what a later run brings.
        if self.windows.emit == EmitStrategy::OnWindowUpdate {
            return Ok(());
        }
        self.close_through(self.last_end.get(), &Headers::new())
    }
}

/// The push target; a newtype because the fold is shared with the task's clock.
struct Shared<T>(Rc<T>);

impl<F: Fn(&K, V, &mut Option<A>), K: Key, V: Data, A: Data> Push<K, V> for Shared<WindowedFold<F, K, V, A>> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let this = &*self.0;
        if (this.grouped.null_key)(&key) {
            this.null_keys.increment();
            return Ok(());
        }
        let late_at = this.time.observe(&this.context, meta.timestamp);
        let start = this.windows.start_of(meta.timestamp);
        let end = start.saturating_add(this.windows.size_ms);
        if end <= late_at.saturating_sub(this.grace_ms) || end <= this.closed_end.get() {
            this.late.increment();
        } else {
            this.rows.update(Windowed { key, start, end }, meta, |windowed, row| {
                let blame = Blame::new(this.id);
                (this.fold)(&windowed.key, value, row);
                blame.clear();
            })?;
            this.last_end.set(this.last_end.get().max(end));
            if this.first_open.get().is_none_or(|first| start < first) {
                this.first_open.set(Some(start));
            }
        }
        if let OperatorTime::Observed(_) = this.time { this.close_what_is_due(meta.headers) } else { Ok(()) }
    }
}
