//! Sessions. A session's row lies at its end, so those near a record are found from the record's time on.

use std::{ops::ControlFlow, rc::Rc, sync::Arc};

use headwater_core::{Headers, Result, Timestamp};

use super::output::Output;
use crate::{
    bounds::{Data, Key},
    kgrouped::folding::{Fold, Folding},
    plan::{EmitStrategy, NodeId},
    store::{StoreSerdes, TimedStore},
    task::{Blame, CommitStep, OperatorTime, Slot, TaskContext, TimeStep, closed_end},
    vocab::Materialized,
    window::{Session, Windowed},
    wire::{Change, Flow, Meta, TableView, TaskBuilder},
};

/// Makes one aggregate of what has been merged so far, if anything has, and the next session's.
pub(crate) type Merge<K, A> = Arc<dyn Fn(&K, Option<A>, A) -> A + Send + Sync>;

/// Opens the sessions of step `id`.
pub(super) fn open<K: Key, A: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    sessions: Session,
    store: &Materialized<K, A>,
    merge: Merge<K, A>,
) -> Result<Rc<SessionFolding<K, A>>> {
    let output = Output::of(builder, id, sessions.emit, store.cached)?;
    let serdes = StoreSerdes { keys: store.keys.clone(), values: store.values.clone() };
    let rows = TimedStore::new(&store.name, serdes, builder.env.store(&store.name)?, output.news());
    let retention = store.options.retention_ms.filter(|_| sessions.emit == EmitStrategy::OnWindowUpdate);
    let rows = Rc::new(if retention.is_some() { rows.keeping() } else { rows });
    let context = builder.context.clone();
    let folding = Rc::new(SessionFolding {
        id,
        gap: sessions.gap_ms,
        life: sessions.gap_ms.saturating_add(sessions.grace_ms.unwrap_or_default()),
        final_only: sessions.emit == EmitStrategy::OnWindowClose,
        retention,
        merge,
        time: OperatorTime::of(builder, id)?,
        rows: rows.clone(),
        output,
        closed: closed_end(&context.memo, &store.name)?,
        last_end: context.memo.slot(&format!("last-end/{}", store.name), Timestamp::MIN)?,
        late: context.memo.slot(&format!("late:{}", store.name), 0)?,
        context,
    });
    builder.context.at_commit(id, folding.clone());
    builder.context.at_commit(id, rows);
    builder.context.on_time(id, folding.clone());
    Ok(folding)
}

pub(super) struct SessionFolding<K, A> {
    id: NodeId,
    gap: i64,
    /// Gap and grace: for how long after its end a session takes records by itself.
    life: i64,
    /// Whether results go downstream when sessions close.
    final_only: bool,
    /// How long after its end a closed session's row is kept to be looked up.
    retention: Option<i64>,
    merge: Merge<K, A>,
    time: OperatorTime,
    /// By key and end; the number is the start.
    rows: Rc<TimedStore<K, A>>,
    output: Output<K, A>,
    /// Every session that ends before this is closed for good.
    closed: Slot,
    /// The greatest end of any session that ever was.
    last_end: Slot,
    late: Slot,
    context: Rc<TaskContext>,
}

/// First and last time of a session.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    start: Timestamp,
    end: Timestamp,
}

impl Span {
    fn window<K>(self, key: K) -> Windowed<K> {
        Windowed { key, start: self.start, end: self.end }
    }
}

impl<K: Key, A: Data> SessionFolding<K, A> {
    /// The sessions of `key` that are no further than the gap from `time` and end at `first_end` or later, in order.
    fn near(&self, key: &K, time: Timestamp, first_end: Timestamp) -> Result<Vec<Span>> {
        let (mut near, last_start) = (Vec::new(), time.saturating_add(self.gap));
        let first_end = time.saturating_sub(self.gap).max(first_end);
        self.rows.visit(key, first_end..=Timestamp::MAX, |end, start, _, _| {
            if start > last_start {
                return ControlFlow::Break(());
            }
            near.push(Span { start, end });
            ControlFlow::Continue(())
        })?;
        Ok(near)
    }

    /// Makes one session of a record and the sessions near it.
    fn merge_into(&self, span: Span, near: &[Span], key: &K, fold: &mut Fold<'_, K, A>) -> Flow {
        let none = Headers::new();
        let with_old = self.output.at_once() == Some(true);
        // A record at the very time of a session of one moment changes it in place.
        let in_place = span.start == span.end;
        let (mut merged, mut old) = (None, None);
        for session in near {
            let Some((value, _)) = self.rows.remove(key, session.end, session.start)? else { continue };
            let before = with_old.then(|| value.clone());
            let blame = Blame::new(self.id);
            merged = Some((self.merge)(key, merged.take(), value));
            blame.clear();
            if in_place {
                old = before;
            } else {
                let meta = Meta { timestamp: session.end, headers: &none };
                self.output.changed(meta, session.window(key.clone()), Change { new: None, old: before })?;
            }
        }
        fold(key, &mut merged, true);
        let new = self.output.at_once().and_then(|_| merged.clone());
        // What a session has merged has no one record's headers.
        let meta = Meta { timestamp: span.end, headers: &none };
        self.rows.update(key, span.end, span.start, meta, |row| *row = merged)?;
        self.last_end.set(self.last_end.get().max(span.end));
        self.output.changed(meta, span.window(key.clone()), Change { new, old })
    }

    /// Up to where sessions close when time has come to `time`: those that end before. Behind several upstream tasks a
    /// record judged by its sender's time may still join what ended a gap before that.
    fn closed_at(&self, time: Timestamp) -> Timestamp {
        let closed = time.saturating_sub(self.life);
        match self.time {
            OperatorTime::Observed(_) => closed,
            OperatorTime::Upstream { .. } => closed.saturating_sub(self.gap),
        }
    }

    /// Closes every session that time has passed.
    fn close(&self, headers: &Headers) -> Flow {
        let time = self.time.closes_at(&self.context);
        time.map_or(Ok(()), |time| self.close_before(self.closed_at(time), headers))
    }

    /// Closes every session that ends before `closed`.
    fn close_before(&self, closed: Timestamp, headers: &Headers) -> Flow {
        if closed <= self.closed.get() {
            return Ok(());
        }
        self.closed.set(closed);
        if !self.final_only || self.rows.first_time().is_none_or(|first| first >= closed) {
            return Ok(());
        }
        let rows = self.rows.take_until(closed - 1)?;
        let sessions = rows.into_iter().map(|taken| {
            let span = Span { start: taken.row.sub, end: taken.row.time };
            (span.window(taken.key), taken.row.value, span.end)
        });
        self.output.closed(&self.context, headers, sessions)
    }

    /// Forgets sessions whose retention has passed.
    fn forget(&self) -> Result<()> {
        let closed = self.closed.get();
        let Some(retention) = self.retention.filter(|_| closed != Timestamp::MIN) else { return Ok(()) };
        // Time as it was when it closed this much.
        let time = closed.saturating_add(closed.saturating_sub(self.closed_at(closed)));
        self.rows.forget_until(time.saturating_sub(retention))
    }

    /// The least end of a session that a record may join where those that end before `late_before` are late. A record that
    /// is not late by itself reaches a gap further back, and a late one that is saved by a living session no further than
    /// that. It is a matter of time alone, not of when rows are let go, so that a result does not depend on commits.
    fn joinable_from(&self, late_before: Timestamp) -> Timestamp {
        match self.time {
            OperatorTime::Observed(_) => late_before.saturating_sub(self.gap),
            // No late record is saved, and what closes is out of reach of all others (see `closed_at`).
            OperatorTime::Upstream { .. } => self.closed.get(),
        }
    }
}

impl<K: Key, A: Data> Folding<K, Windowed<K>, A> for SessionFolding<K, A> {
    fn take(&self, meta: Meta<'_>, key: K, fold: &mut Fold<'_, K, A>) -> Flow {
        let time = meta.timestamp;
        let late_at = self.time.observe(&self.context, time);
        let late_before = late_at.saturating_sub(self.life).max(self.closed.get());
        let near = self.near(&key, time, self.joinable_from(late_before))?;
        let span = near.iter().fold(Span { start: time, end: time }, |span, session| Span {
            start: span.start.min(session.start),
            end: span.end.max(session.end),
        });
        // Which sessions there are depends, behind several upstream tasks, on which of them was faster.
        let judged = match self.time {
            OperatorTime::Observed(_) => span.end,
            OperatorTime::Upstream { .. } => time,
        };
        if judged < late_before {
            self.late.increment();
        } else {
            self.merge_into(span, &near, &key, fold)?;
        }
        if let OperatorTime::Observed(_) = self.time { self.close(meta.headers) } else { Ok(()) }
    }
}

impl<K: Key, A: Data> TableView<Windowed<K>, A> for SessionFolding<K, A> {
    fn get(&self, window: &Windowed<K>) -> Result<Option<(A, Timestamp)>> {
        match self.rows.get(&window.key, window.end, window.start)? {
            Some(row) => Ok(Some(row)),
            None => self.rows.get_kept(&window.key, window.end, window.start),
        }
    }
}

impl<K: Key, A: Data> TimeStep for SessionFolding<K, A> {
    fn time_moved(&self) -> Flow {
        self.close(&Headers::new())
    }

    fn end_of_input(&self) -> Flow {
        // With results on update nothing is owed at the end: sessions stay open for what a later run brings.
        if !self.final_only || self.last_end.get() == Timestamp::MIN {
            return Ok(());
        }
        self.close_before(self.last_end.get().saturating_add(1), &Headers::new())
    }
}

impl<K: Key, A: Data> CommitStep for SessionFolding<K, A> {
    fn before_commit(&self) -> Flow {
        if !self.final_only {
            // Lets go of sessions that no record can join any more.
            self.rows.expire_until(self.joinable_from(self.closed.get()).saturating_sub(1))?;
            self.forget()?;
        }
        let span = |row: &crate::store::ChangedRow<K, A>| Span { start: row.sub, end: row.time };
        self.output.send_changed(self.rows.changed(), |row| span(row).window(row.key.clone()))
    }
}
