//! Time as an operator sees it (ARCHITECTURE, "Time across a repartition").
//!
//! Directly behind sources an operator's time is the greatest timestamp that reached it, as in Kafka Streams. Behind a
//! repartition topic with several senders (upstream tasks, or one and a source beside it) that would make records of a
//! slower sender late in a backlog, so there a record is *late* by its sender's stream time when it was sent, and a window
//! *closes* by the minimum over all senders. Both depend on each sender's input order alone, so every replay gives the
//! same answer.

use std::{cell::Cell, rc::Rc};

use headwater_core::{Result, Timestamp};

use super::{Memo, Slot, TaskContext};
use crate::{
    plan::{EmitStrategy, NodeId, NodeKind},
    wire::TaskBuilder,
};

const ACTIVE: i64 = 0;
const IDLE: i64 = 1;
/// What no topic's name has: it stands in the names of upstream tasks' queues.
const OF_TOPIC: char = '/';

/// What is known of one upstream task's time, or of one source partition's.
pub(crate) struct Queue {
    pub(crate) name: String,
    /// The last known stream time; `i64::MIN` before the first word.
    time: Slot,
    /// `ACTIVE`, `IDLE`, or the id of the bounded run in which it ended.
    state: Slot,
    /// Whether it is an upstream task, which tells its time.
    tells: bool,
    /// How often in a row it was said to be idle; 0 if it was not, or has spoken since.
    said_idle: Cell<u64>,
}

impl Queue {
    /// A queue as it was at the last commit, but that whoever was idle then is waited for: it may have slept through the
    /// same stop as this task, and have a backlog now. If it is idle still, it will say so again.
    pub(crate) fn new(name: &str, memo: &Memo) -> Result<Self> {
        let state = memo.slot(&format!("state/{name}"), ACTIVE)?;
        if state.get() == IDLE {
            state.set(ACTIVE);
        }
        let time = memo.slot(&format!("time/{name}"), Timestamp::MIN)?;
        Ok(Self { name: name.to_owned(), time, state, tells: name.contains(OF_TOPIC), said_idle: Cell::new(0) })
    }

    /// The last known stream time.
    pub(crate) fn time(&self) -> Timestamp {
        self.time.get()
    }

    /// The stream time that it has reached as far as this run knows.
    pub(crate) fn reached(&self, run_id: u64) -> Timestamp {
        if self.is_of_another_run() && !self.has_ended(run_id) { Timestamp::MIN } else { self.time.get() }
    }

    /// Sets its time for a while, and returns the one it had.
    pub(crate) fn turn_to(&self, time: Timestamp) -> Timestamp {
        let now = self.time.get();
        self.time.set(time);
        now
    }

    /// It spoke: its time is at least `time`.
    pub(crate) fn speak(&self, time: Timestamp) {
        let known = if self.is_of_another_run() { Timestamp::MIN } else { self.time.get() };
        self.time.set(known.max(time));
        self.state.set(ACTIVE);
        self.said_idle.set(0);
    }

    /// Whether what is known of it is what it said at the end of a run: if that was another one, the end's time may be
    /// ahead of what it sends now.
    fn is_of_another_run(&self) -> bool {
        self.tells && !matches!(self.state.get(), ACTIVE | IDLE)
    }

    /// It has caught up and heard nothing for long.
    pub(crate) fn fall_idle(&self) {
        self.state.set(IDLE);
        self.said_idle.set(self.said_idle.get().saturating_add(1));
    }

    /// It is no sender at all: nobody ever waits for it.
    pub(crate) fn leave_out(&self) {
        self.state.set(IDLE);
        self.said_idle.set(u64::MAX);
    }

    /// How often in a row that was said.
    pub(crate) fn said_idle(&self) -> u64 {
        self.said_idle.get()
    }

    /// It ended in bounded run `run_id`.
    pub(crate) fn end(&self, run_id: u64) {
        self.state.set(run_mark(run_id));
    }

    /// Whether it ended in this run.
    pub(crate) fn has_ended(&self, run_id: u64) -> bool {
        self.state.get() == run_mark(run_id)
    }

    /// The time that closing must wait for; `None` if it need not wait for this queue.
    pub(crate) fn holds_at(&self, run_id: u64) -> Option<Timestamp> {
        if self.state.get() == IDLE || self.has_ended(run_id) {
            return None;
        }
        Some(self.reached(run_id))
    }
}

/// A run's id as a state: never one of the two words above.
fn run_mark(run_id: u64) -> i64 {
    (run_id | 1 << 62) as i64
}

/// The minimum over the queues that closing waits for; `None` if it waits for none. Once all have ended in this run it is
/// the greatest of their times: whichever ended first, that is as far as time has come.
pub(crate) fn minimum(queues: &[Rc<Queue>], run_id: u64) -> Option<Timestamp> {
    if queues.iter().all(|queue| queue.has_ended(run_id)) {
        return queues.iter().map(|queue| queue.time()).max();
    }
    queues.iter().filter_map(|queue| queue.holds_at(run_id)).min()
}

/// One operator's time.
pub(crate) enum OperatorTime {
    /// The greatest timestamp that reached it.
    Observed(Slot),
    /// Lateness by the sender's time, closing by the minimum over these queues, less the time for which steps above hold
    /// results back. Steps that wait, and those below, go by the passing of records instead, where these come in order.
    Upstream { queues: Vec<Rc<Queue>>, held_ms: i64, passing: bool },
}

impl OperatorTime {
    /// The time of node `id`, by what its records come from.
    pub(crate) fn of(builder: &TaskBuilder<'_>, id: NodeId) -> Result<Self> {
        match lineage(builder, id) {
            Lineage::Sources | Lineage::Emitted => Self::observed(builder, id),
            Lineage::Upstreams => {
                let passing = is_below_a_wait(builder, id) && builder.context.passing.guides_a_step();
                Ok(Self::Upstream { queues: queues_of(builder, id)?, held_ms: held_above(builder, id), passing })
            }
        }
    }

    /// The greatest time of a record that reached node `id`.
    pub(crate) fn observed(builder: &TaskBuilder<'_>, id: NodeId) -> Result<Self> {
        let name = &builder.node(id)?.name;
        Ok(Self::Observed(builder.context.memo.slot(&format!("observed/{name}"), Timestamp::MIN)?))
    }

    /// A record of time `timestamp` arrives: returns the time by which it is late or not.
    pub(crate) fn observe(&self, context: &TaskContext, timestamp: Timestamp) -> Timestamp {
        match self {
            Self::Observed(time) => {
                time.set(time.get().max(timestamp));
                time.get()
            }
            // What a timer or a step that waits sends was sent by nobody upstream: it is late where windows have closed, not
            // where they are about to.
            Self::Upstream { .. } => context.sender_time.get().unwrap_or(timestamp),
        }
    }

    /// The time up to which no record can come any more that is not late; `None` while that cannot be said.
    pub(crate) fn closes_at(&self, context: &TaskContext) -> Option<Timestamp> {
        let time = match self {
            Self::Observed(time) => Some(time.get()),
            Self::Upstream { held_ms, passing: true, .. } => Some(context.passing.time().saturating_sub(*held_ms)),
            Self::Upstream { queues, held_ms, .. } => {
                minimum(queues, context.run_id).map(|time| time.saturating_sub(*held_ms))
            }
        };
        time.filter(|time| *time != Timestamp::MIN)
    }
}

/// What the records reaching a node have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lineage {
    /// They come straight from sources, or from a single upstream task.
    Sources,
    /// They were sent by several: upstream tasks, or one of these and a source beside it.
    Upstreams,
    /// They are final results of windows, in window order whatever the interleaving was.
    Emitted,
}

/// The lineage of what reaches node `id`.
pub(crate) fn lineage(builder: &TaskBuilder<'_>, id: NodeId) -> Lineage {
    if !emitting_above(builder, id).is_empty() {
        Lineage::Emitted
    } else if are_several(builder, &builder.plan.sources_of(id)) {
        Lineage::Upstreams
    } else {
        Lineage::Sources
    }
}

/// Whether several send what is read from `sources`, at least one of them an upstream task. Sources alone are read in the
/// order of their records' times; but what an upstream task sends comes when that commits, while a source beside it goes
/// on. Who hands on what several have sent counts as several.
fn are_several(builder: &TaskBuilder<'_>, sources: &[NodeId]) -> bool {
    let (mut senders, mut upstreams) = (0, false);
    for source in sources {
        match builder.plan.node(*source).map(|node| &node.kind) {
            Some(NodeKind::Repartition { topic: Some(_), .. }) if lineage(builder, *source) == Lineage::Upstreams => {
                return true;
            }
            Some(NodeKind::Repartition { topic: Some(topic), .. }) => {
                upstreams = true;
                senders += builder.env.upstream_tasks(topic);
            }
            Some(NodeKind::Source { topics, .. }) => senders += topics.len(),
            _ => {}
        }
    }
    upstreams && senders > 1
}

/// Whether some step of the task hears of several senders, so that its time may move with every record of any of them.
pub(crate) fn hears_several(builder: &TaskBuilder<'_>) -> bool {
    builder.steps().iter().any(|id| are_several(builder, &builder.plan.sources_of(*id)))
}

/// For how long after their time steps above node `id` may still send results: joins that wait for partners.
pub(crate) fn held_above(builder: &TaskBuilder<'_>, id: NodeId) -> i64 {
    let Some(node) = builder.plan.node(id) else { return 0 };
    let held = node.parents.iter().map(|parent| match builder.plan.node(*parent).map(|node| &node.kind) {
        Some(NodeKind::Stateful { settings, .. }) => {
            let own = settings.get("holds_back_ms").copied().unwrap_or_default();
            own.saturating_add(held_above(builder, *parent))
        }
        Some(NodeKind::Repartition { topic: Some(_), .. }) | None => 0,
        Some(_) => held_above(builder, *parent),
    });
    held.max().unwrap_or_default()
}

/// Whether step `id` waits for partners or rows, or one above it does.
pub(crate) fn is_below_a_wait(builder: &TaskBuilder<'_>, id: NodeId) -> bool {
    let mut open = vec![id];
    while let Some(node) = open.pop().and_then(|at| builder.plan.node(at)) {
        match &node.kind {
            NodeKind::Stateful { settings, .. } if settings.contains_key("holds_back_ms") => return true,
            // What is above belongs to another task, unless the question is of the half that writes.
            NodeKind::Repartition { topic: Some(_), .. } if node.id != id => {}
            _ => open.extend(&node.parents),
        }
    }
    false
}

/// Up to where the windows of store `store`, or the results of the step so called, are closed for good.
pub(crate) fn closed_end(memo: &Memo, store: &str) -> Result<Slot> {
    memo.slot(&format!("closed-end/{store}"), Timestamp::MIN)
}

/// A step that emits windows when they close: how far it has closed them.
pub(crate) struct Emitter {
    closed_end: Slot,
    within_ms: i64,
    aligned: bool,
}

impl Emitter {
    /// The start of the oldest window that is not closed: every result still to come is at least as young.
    pub(crate) fn oldest_open(&self) -> Timestamp {
        let closed_end = self.closed_end.get();
        if closed_end == Timestamp::MIN {
            closed_end
        } else if self.aligned {
            closed_end - closed_end.rem_euclid(self.within_ms.max(1))
        } else {
            closed_end.saturating_sub(self.within_ms)
        }
    }
}

/// What is known of a step that emits windows when they close: what its closed end is called by, how far before that a
/// result that is still to come may lie, and whether windows start at multiples of that.
type Emits<'a> = (&'a str, i64, bool);

/// The nearest steps above node `id` that emit windows when they close.
fn emitting_above<'a>(builder: &TaskBuilder<'a>, id: NodeId) -> Vec<Emits<'a>> {
    let mut open = builder.plan.node(id).map(|node| node.parents.clone()).unwrap_or_default();
    let mut found: Vec<Emits<'a>> = Vec::new();
    while let Some(node) = open.pop().and_then(|at| builder.plan.node(at)) {
        match &node.kind {
            NodeKind::WindowedAggregate { emit: EmitStrategy::OnWindowClose, store, size_ms, .. } => {
                found.push((store, *size_ms, true));
            }
            NodeKind::Stateful { final_within_ms: Some(within_ms), .. } => found.push((&node.name, *within_ms, false)),
            NodeKind::Repartition { topic: Some(_), .. } => {}
            _ => open.extend(&node.parents),
        }
    }
    found
}

/// How far the nearest steps above node `id` that emit windows when they close have closed them.
pub(crate) fn emitters_of(builder: &TaskBuilder<'_>, id: NodeId) -> Result<Vec<Emitter>> {
    let emitter = |(name, within_ms, aligned): Emits<'_>| {
        Ok(Emitter { closed_end: closed_end(&builder.context.memo, name)?, within_ms, aligned })
    };
    emitting_above(builder, id).into_iter().map(emitter).collect()
}

/// The queues of everything that feeds node `id`: one per upstream task of a repartition topic, one per source.
pub(crate) fn queues_of(builder: &TaskBuilder<'_>, id: NodeId) -> Result<Vec<Rc<Queue>>> {
    let mut queues = Vec::new();
    for source in builder.plan.sources_of(id) {
        let Some(node) = builder.plan.node(source) else { continue };
        match &node.kind {
            NodeKind::Repartition { topic: Some(topic), .. } => {
                for upstream in 0..builder.env.upstream_tasks(topic) {
                    queues.push(builder.context.queue(&upstream_queue(topic, upstream as u64))?);
                }
            }
            NodeKind::Source { topics, .. } => {
                for topic in topics {
                    queues.push(builder.context.queue(topic)?);
                }
            }
            _ => {}
        }
    }
    Ok(queues)
}

/// The name of the queue of upstream task `upstream` in repartition `topic`.
pub(crate) fn upstream_queue(topic: &str, upstream: u64) -> String {
    format!("{topic}{OF_TOPIC}{upstream}")
}
