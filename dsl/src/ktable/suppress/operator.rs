//! The step that holds changes back.

use std::rc::Rc;

use headwater_core::{Error, ErrorKind, Result, Timestamp};

use crate::{
    bounds::Data,
    plan::NodeId,
    store::{HeldStore, StoreSerdes},
    task::{CommitStep, OperatorTime, Slot, TaskContext, closed_end},
    vocab::BufferBound,
    wire::{Change, Flow, Meta, Push, TableView, Target, TaskBuilder},
};

/// Until when a change waits, before the delay: its window's end, or its own time.
type TimeOf<K> = fn(&K, Timestamp) -> Timestamp;

/// What a step that holds changes back is told.
pub(super) struct Rule<K> {
    pub(super) time_of: TimeOf<K>,
    pub(super) delay_ms: i64,
    pub(super) bound: BufferBound,
    /// Whether what is sent is final: deletions are not sent, and nothing comes after it.
    pub(super) is_final: bool,
}

impl<K> Clone for Rule<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Rule<K> {}

pub(super) struct Suppress<K, V> {
    node: String,
    rule: Rule<K>,
    held: Rc<HeldStore<K, V>>,
    time: OperatorTime,
    /// Everything up to here has been sent; only if that is final.
    closed_end: Slot,
    late: Slot,
    null_keys: Slot,
    context: Rc<TaskContext>,
    next: Target<K, Change<V>>,
}

/// Opens the buffer of node `id`, which is called as its node.
pub(super) fn open<K: Data, V: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    serdes: StoreSerdes<K, V>,
    bound: BufferBound,
) -> Result<Rc<HeldStore<K, V>>> {
    let name = builder.node(id)?.name.clone();
    builder.shared(&name, |builder| {
        let base = builder.env.store(&name)?;
        Ok(Rc::new(HeldStore::open(&name, serdes, &base, bound.max_bytes.is_some())?))
    })
}

impl<K: Data, V: Data> Suppress<K, V> {
    pub(super) fn start(
        builder: &mut TaskBuilder<'_>,
        id: NodeId,
        rule: Rule<K>,
        held: Rc<HeldStore<K, V>>,
    ) -> Result<Rc<Self>> {
        let (node, context) = (builder.node(id)?.name.clone(), builder.context.clone());
        // A limit makes nothing late, so it goes by the greatest time there was: what is sent does not depend on commits.
        let time = if rule.is_final { OperatorTime::of(builder, id)? } else { OperatorTime::observed(builder, id)? };
        let step = Rc::new(Self {
            rule,
            held,
            time,
            closed_end: closed_end(&context.memo, &node)?,
            late: context.memo.slot(&format!("late:{node}"), 0)?,
            null_keys: context.memo.slot(&format!("null-key:{node}"), 0)?,
            next: builder.next::<K, Change<V>>(id)?,
            node,
            context: context.clone(),
        });
        context.at_commit(id, step.clone());
        context.at_commit(id, step.held.clone());
        Ok(step)
    }

    /// Sends what is due at `until` or before.
    fn release_through(&self, until: Timestamp) -> Flow {
        if self.rule.is_final {
            self.closed_end.set(self.closed_end.get().max(until));
        }
        while self.held.first_time().is_some_and(|due| due <= until) {
            self.release_first()?;
        }
        Ok(())
    }

    fn release_first(&self) -> Flow {
        let Some(held) = self.held.take_first() else { return Ok(()) };
        // A deletion among final results is that of a window which another one has taken in, and was never sent.
        if self.rule.is_final && held.change.new.is_none() {
            return Ok(());
        }
        let meta = Meta { timestamp: held.timestamp, headers: &held.headers };
        self.context.without_record(|| self.next.push(meta, held.key, held.change))
    }

    fn is_over(&self) -> bool {
        let over = |max: Option<u64>, has: usize| max.is_some_and(|max| has as u64 > max);
        over(self.rule.bound.max_records, self.held.len()) || over(self.rule.bound.max_bytes, self.held.bytes())
    }

    fn keep_bound(&self) -> Flow {
        while self.is_over() {
            if !self.rule.bound.emits_early {
                let (records, bytes) = (self.held.len(), self.held.bytes());
                let has =
                    if self.rule.bound.max_bytes.is_some() { format!(" of {bytes} bytes") } else { String::new() };
                let message = format!("the buffer is full: {records} changes{has} wait");
                return Err(Error::new(ErrorKind::Config, "HW0240", message).at_node(&self.node).help(
                    "give it more with max_records or max_bytes, or, if results need not be final, let it emit_early; \
                     nothing was lost, what was not committed is read again",
                ));
            }
            self.release_first()?;
        }
        Ok(())
    }
}

/// The push target; a newtype because the step is shared with the task's commits.
pub(super) struct Shared<T>(pub(super) Rc<T>);

impl<K: Data, V: Data> Push<K, Change<V>> for Shared<Suppress<K, V>> {
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        let this = &*self.0;
        let time = (this.rule.time_of)(&key, meta.timestamp);
        if this.rule.is_final && time <= this.closed_end.get() {
            if change.new.is_some() {
                this.late.increment();
            }
            return Ok(());
        }
        if !this.held.hold(key, time, meta, change)? {
            this.null_keys.increment();
            return Ok(());
        }
        // With several upstream tasks, time moves when they say so, and is acted on at the commit: by then the table
        // above has sent everything that came before.
        if let OperatorTime::Observed(_) = this.time {
            let now = this.time.observe(&this.context, meta.timestamp);
            this.release_through(now.saturating_sub(this.rule.delay_ms))?;
        }
        this.keep_bound()
    }
}

impl<K: Data, V: Data> CommitStep for Suppress<K, V> {
    fn before_commit(&self) -> Flow {
        if self.context.ended.get() {
            // No record will come any more in this run.
            return self.held.last_time().map_or(Ok(()), |last| self.release_through(last));
        }
        match (&self.time, self.time.closes_at(&self.context)) {
            (OperatorTime::Upstream { .. }, Some(time)) => {
                self.release_through(time.saturating_sub(self.rule.delay_ms))
            }
            _ => Ok(()),
        }
    }
}

/// The table as downstream knows it: without what is held back.
pub(super) struct View<K, V> {
    pub(super) held: Rc<HeldStore<K, V>>,
    pub(super) above: Rc<dyn TableView<K, V>>,
}

impl<K: Data, V: Data> TableView<K, V> for View<K, V> {
    fn get(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        match self.held.value_before(key)? {
            // The time of that value is not known any more.
            Some(before) => Ok(before.map(|value| (value, -1))),
            None => self.above.get(key),
        }
    }
}
