//! What the operators of one task share: the current record's place and time, the steps that take part in commits and
//! in the passing of time, and the memo.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
};

use headwater_core::{Clock, Headers, Offset, RecordRef, Result, TaskId, Timestamp};

use super::{
    Border, Memo, Passing, Slot,
    clock::Queue,
    env::StoreChangeVisitor,
    timers::{Punctuation, Timers},
};
use crate::{dead_letter::Raw, plan::NodeId, wire::Flow};

/// A step that takes part in commits.
pub(crate) trait CommitStep {
    /// Sends downstream what was held back until the commit.
    fn before_commit(&self) -> Flow {
        Ok(())
    }

    /// Hands over every row changed since the last commit.
    fn changes(&self, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        let _ = visit;
        Ok(())
    }

    /// The transaction has committed and the changes are in the store.
    fn committed(&self) {}

    /// How many changed rows it holds.
    fn dirty_rows(&self) -> usize {
        0
    }
}

/// A step that acts when time passes without a record reaching it.
pub(crate) trait TimeStep {
    /// The upstream tasks' time may have moved.
    fn time_moved(&self) -> Flow;

    /// No record will come any more in this run.
    fn end_of_input(&self) -> Flow;
}

/// What holds steps of a task that in turn hold it.
pub(crate) trait Tie {
    /// Lets go of them.
    fn untie(&self);
}

/// A step that runs a user's processor.
pub(crate) trait ProcessorStep {
    /// The task starts: before its first record.
    fn init(&self) -> Flow;

    /// The task ends.
    fn close(&self);
}

/// A copy of the current record's bytes.
#[derive(Default, Clone)]
pub(super) struct KeptRaw {
    topic: Option<Arc<str>>,
    timestamp: Timestamp,
    has_key: bool,
    key: Vec<u8>,
    has_value: bool,
    value: Vec<u8>,
}

impl KeptRaw {
    fn keep(&mut self, topic: &Arc<str>, record: &RecordRef<'_>) {
        if self.topic.as_ref().is_none_or(|kept| !Arc::ptr_eq(kept, topic)) {
            self.topic = Some(topic.clone());
        }
        self.timestamp = record.timestamp;
        self.has_key = record.key.is_some();
        self.has_value = record.value.is_some();
        self.key.clear();
        self.key.extend_from_slice(record.key.unwrap_or_default());
        self.value.clear();
        self.value.extend_from_slice(record.value.unwrap_or_default());
    }
}

/// Steps with their nodes.
type Steps<S> = RefCell<Vec<(NodeId, Rc<S>)>>;

/// Shared by all operators of one task.
pub struct TaskContext {
    pub(crate) id: TaskId,
    pub(crate) memo: Memo,
    /// The greatest timestamp taken so far.
    pub(crate) stream_time: Slot,
    /// The sender's stream time of the current record, if there is one.
    pub(crate) sender_time: Cell<Option<Timestamp>>,
    /// Whether a record is being processed: if a step panics it stays so.
    pub(crate) at_work: Cell<bool>,
    /// Whether the change that a table with history sends right now is one of the past: a newer version of the row is
    /// known. Asked only where [`Plan::is_versioned`](crate::Plan::is_versioned) says so of the table above.
    pub(crate) of_the_past: Cell<bool>,
    /// Partition and offset of the current record.
    pub(crate) partition: Cell<i32>,
    pub(crate) offset: Cell<Offset>,
    /// Whether the task has reached the end of its input in this (bounded) run.
    pub(crate) ended: Cell<bool>,
    /// Whether the steps have still to be told of that; see [`TaskContext::end_steps`].
    ending: Cell<bool>,
    /// Whether a source has been left out of the closing of windows since the last commit.
    pub(crate) fell_idle: Cell<bool>,
    /// The time of the records taken, where they are taken in the order of their senders' time.
    pub(crate) passing: Passing,
    pub(crate) run_id: u64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timers: Timers,
    /// Whether a processor has asked for a commit since the last one.
    pub(crate) commit_requested: Cell<bool>,
    /// The time of what a processor is called for: its record's, or a timer's now. What it stores gets this time.
    pub(crate) time_now: Cell<Timestamp>,
    /// The place of the current record's topic among `topics`.
    pub(crate) source: Cell<usize>,
    /// The topics that the task reads, in the order of its sources.
    pub(crate) topics: OnceCell<Vec<String>>,
    processors: Steps<dyn ProcessorStep>,
    /// The current record's bytes, kept only if a step may dead-letter it later.
    pub(super) raw: RefCell<Option<KeptRaw>>,
    /// The steps that send records on later than they came, and how many records wait in them.
    borders: Steps<dyn Border>,
    pub(crate) waiting: Cell<usize>,
    pub(crate) queues: RefCell<Vec<Rc<Queue>>>,
    /// By node, so from upstream to downstream.
    commit_steps: Steps<dyn CommitStep>,
    time_steps: Steps<dyn TimeStep>,
    ties: RefCell<Vec<Rc<dyn Tie>>>,
    /// The sources that have ended in this (bounded) run.
    ended_sources: RefCell<BTreeSet<NodeId>>,
    /// The steps that have been told of it.
    told_ends: RefCell<BTreeSet<NodeId>>,
    /// The sources whose records reach each step that takes part in commits or in the passing of time.
    sources_above: OnceCell<BTreeMap<NodeId, Vec<NodeId>>>,
}

impl std::fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskContext").field("id", &self.id).field("memo", &self.memo).finish_non_exhaustive()
    }
}

impl TaskContext {
    pub(crate) fn new(id: TaskId, memo: Memo, run_id: u64, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self {
            id,
            stream_time: memo.slot("stream-time", Timestamp::MIN)?,
            passing: Passing::new(&memo, run_id)?,
            memo,
            sender_time: Cell::new(None),
            at_work: Cell::new(false),
            of_the_past: Cell::new(false),
            partition: Cell::new(-1),
            offset: Cell::new(-1),
            ended: Cell::new(false),
            ending: Cell::new(false),
            fell_idle: Cell::new(false),
            run_id,
            clock,
            timers: Timers::default(),
            commit_requested: Cell::new(false),
            time_now: Cell::new(0),
            source: Cell::new(0),
            topics: OnceCell::new(),
            processors: RefCell::default(),
            raw: RefCell::new(None),
            borders: RefCell::default(),
            waiting: Cell::new(0),
            queues: RefCell::default(),
            commit_steps: RefCell::default(),
            time_steps: RefCell::default(),
            ties: RefCell::default(),
            ended_sources: RefCell::default(),
            told_ends: RefCell::default(),
            sources_above: OnceCell::new(),
        })
    }

    /// From now on the current record's bytes are kept for a step that may need them.
    pub(crate) fn want_raw(&self) {
        self.raw.replace(Some(KeptRaw::default()));
    }

    /// Notes the current record's bytes, if a step wants them.
    #[inline]
    pub(crate) fn keep_raw(&self, topic: &Arc<str>, record: &RecordRef<'_>) {
        if let Some(raw) = self.raw.borrow_mut().as_mut() {
            raw.keep(topic, record);
        }
    }

    /// The topic of the current record.
    pub(crate) fn topic_now(&self) -> Option<&str> {
        self.topic_of(self.source.get())
    }

    /// The topic at place `source`.
    pub(super) fn topic_of(&self, source: usize) -> Option<&str> {
        self.topics.get()?.get(source).map(String::as_str)
    }

    /// Whether there is a record that came in: not while a timer fires or a commit sends on what was held back.
    pub(crate) fn has_record(&self) -> bool {
        self.offset.get() >= 0
    }

    /// From now on there is no current record.
    pub(crate) fn leave_record(&self) {
        self.partition.set(-1);
        self.offset.set(-1);
    }

    /// Sends on what belongs to no record in particular. If that fails there is none afterwards either, so that no record
    /// is blamed for it.
    pub(crate) fn without_record(&self, send: impl FnOnce() -> Flow) -> Flow {
        let (partition, offset) = (self.partition.replace(-1), self.offset.replace(-1));
        send()?;
        self.partition.set(partition);
        self.offset.set(offset);
        Ok(())
    }

    /// Fires the timers that are due at `now`; false if none is.
    pub(crate) fn fire_timers(&self, by: Punctuation, now: Timestamp) -> Result<bool> {
        if !self.timers.is_due(by, now) {
            return Ok(false);
        }
        self.drain()?;
        self.leave_record();
        self.timers.fire(by, now)?;
        Ok(true)
    }

    /// Adds the processor of node `id`.
    pub(crate) fn runs(&self, id: NodeId, step: Rc<dyn ProcessorStep>) {
        insert(&self.processors, id, step);
    }

    /// Adds the border of node `id`.
    pub(crate) fn at_border(&self, id: NodeId, border: Rc<dyn Border>) {
        insert(&self.borders, id, border);
    }

    /// Sends on everything that waits in a border, from upstream to downstream.
    pub(crate) fn drain(&self) -> Flow {
        if self.waiting.get() == 0 {
            return Ok(());
        }
        let borders: Vec<_> = self.borders.borrow().iter().map(|(_, border)| border.clone()).collect();
        borders.iter().try_for_each(|border| border.drain())
    }

    /// Starts all processors, from upstream to downstream.
    pub(crate) fn init_processors(&self) -> Flow {
        self.leave_record();
        let steps: Vec<_> = self.processors.borrow().iter().map(|(_, step)| step.clone()).collect();
        steps.iter().try_for_each(|step| step.init())
    }

    /// Calls `with` with the current record as it came in.
    pub(crate) fn with_raw<R>(&self, with: impl FnOnce(&Raw<'_>) -> R) -> R {
        let raw = self.raw.borrow();
        let none = KeptRaw::default();
        let raw = raw.as_ref().unwrap_or(&none);
        let record = RecordRef {
            offset: self.offset.get(),
            timestamp: raw.timestamp,
            key: raw.has_key.then_some(raw.key.as_slice()),
            value: raw.has_value.then_some(raw.value.as_slice()),
            headers: Headers::new(),
        };
        with(&Raw { topic: raw.topic.as_deref().unwrap_or_default(), partition: self.partition.get(), record: &record })
    }

    /// Adds a step of node `id` to commits, which go from upstream to downstream.
    pub(crate) fn at_commit(&self, id: NodeId, step: Rc<dyn CommitStep>) {
        insert(&self.commit_steps, id, step);
    }

    /// Adds a step of node `id` to the passing of time, which goes from upstream to downstream.
    pub(crate) fn on_time(&self, id: NodeId, step: Rc<dyn TimeStep>) {
        insert(&self.time_steps, id, step);
    }

    /// Remembers what is to let go when the task ends.
    pub(crate) fn tie(&self, tie: Rc<dyn Tie>) {
        self.ties.borrow_mut().push(tie);
    }

    /// Lets go of all steps, which hold this context in turn: without it a task would keep its stores open for ever.
    pub(crate) fn release(&self) {
        let processors: Vec<_> = self.processors.borrow_mut().drain(..).collect();
        for (_, processor) in processors {
            // A task may end because of a panic, and a second one must not end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| processor.close()));
        }
        self.borders.borrow_mut().clear();
        self.commit_steps.borrow_mut().clear();
        self.time_steps.borrow_mut().clear();
        self.ties.borrow_mut().drain(..).for_each(|tie| tie.untie());
    }

    /// The commit steps from upstream to downstream.
    pub(crate) fn commit_steps(&self) -> Vec<Rc<dyn CommitStep>> {
        self.commit_steps.borrow().iter().map(|(_, step)| step.clone()).collect()
    }

    /// Tells every step, from upstream to downstream, that time moved.
    pub(crate) fn time_moved(&self) -> Flow {
        // No window may close before the records that came before.
        self.drain()?;
        for index in 0..self.time_steps.borrow().len() {
            let step = self.time_steps.borrow().get(index).map(|(_, step)| step.clone());
            if let Some(step) = step {
                step.time_moved()?;
                // What it closed reaches the steps below before they close.
                self.drain()?;
            }
        }
        Ok(())
    }

    /// A record whose sender's time is `time` is about to be taken. Where records are taken in that order nothing older can
    /// come any more, so the steps that wait act on it before that record: it is a matter of the records alone, and not of
    /// when times are told.
    pub(crate) fn time_passes(&self, time: Timestamp) -> Flow {
        if !self.passing.moves_to(time) {
            return Ok(());
        }
        self.time_moved()?;
        self.passing.has_moved();
        Ok(())
    }

    /// Notes which sources are above each step; once, when all steps are there.
    pub(crate) fn note_sources(&self, sources_of: impl Fn(NodeId) -> Vec<NodeId>) {
        let ids = |steps: &[NodeId]| steps.iter().map(|id| (*id, sources_of(*id))).collect::<BTreeMap<_, _>>();
        let mut above = ids(&self.commit_steps.borrow().iter().map(|(id, _)| *id).collect::<Vec<_>>());
        above.extend(ids(&self.time_steps.borrow().iter().map(|(id, _)| *id).collect::<Vec<_>>()));
        let _ = self.sources_above.set(above);
    }

    /// Whether no record can reach step `id` any more in this run.
    pub(crate) fn has_ended(&self, id: NodeId) -> bool {
        let ended = self.ended_sources.borrow();
        let above = self.sources_above.get().and_then(|above| above.get(&id));
        self.ended.get() || above.is_some_and(|above| !above.is_empty() && above.iter().all(|id| ended.contains(id)))
    }

    /// Source `source` has ended for this run. The steps that no record can reach any more are told so at the commit that
    /// follows; the others go on: a task may read what another one makes of its own records, and must end for that one
    /// before it can end itself. Returns false if it was known.
    pub(crate) fn end_source(&self, source: NodeId) -> bool {
        let is_new = self.ended_sources.borrow_mut().insert(source);
        self.ending.set(self.ending.get() || is_new);
        is_new
    }

    /// The input has ended. The steps that have not been told yet are told so at the commit that follows.
    pub(crate) fn end_of_input(&self) {
        self.leave_record();
        self.ended.set(true);
        self.ending.set(true);
    }

    /// Whether this commit is one that tells steps of the end of their input.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.take()
    }

    /// Tells the steps that no record can reach any more, from upstream to downstream, that their input has ended, and
    /// lets each step send what it held back until the commit: a step's last results reach the steps below before these
    /// close.
    pub(crate) fn end_steps(&self) -> Flow {
        let time: Vec<_> = self.time_steps.borrow().clone();
        let commit: Vec<_> = self.commit_steps.borrow().clone();
        let is_told = |id: &NodeId| self.told_ends.borrow().contains(id);
        let ending: Vec<NodeId> =
            time.iter().map(|(id, _)| *id).filter(|id| self.has_ended(*id) && !is_told(id)).collect();
        let (mut time, mut commit) = (time.into_iter().peekable(), commit.into_iter().peekable());
        loop {
            match (time.peek(), commit.peek()) {
                (Some((at, _)), Some((other, _))) if at > other => {}
                (Some(_), _) => {
                    if let Some((_, step)) = time.next().filter(|(id, _)| ending.contains(id)) {
                        step.end_of_input()?;
                    }
                    continue;
                }
                (None, None) => break,
                (None, Some(_)) => {}
            }
            commit.next().map_or(Ok(()), |(_, step)| step.before_commit())?;
        }
        self.told_ends.borrow_mut().extend(ending);
        Ok(())
    }

    /// The queue called `name`, created on first use.
    pub(crate) fn queue(&self, name: &str) -> Result<Rc<Queue>> {
        if let Some(queue) = self.queues.borrow().iter().find(|queue| queue.name == name) {
            return Ok(queue.clone());
        }
        let queue = Rc::new(Queue::new(name, &self.memo)?);
        self.queues.borrow_mut().push(queue.clone());
        Ok(queue)
    }
}

/// Inserts `step` behind all steps of earlier nodes: a node's parents come before it in the plan.
fn insert<S: ?Sized>(steps: &Steps<S>, id: NodeId, step: Rc<S>) {
    let mut steps = steps.borrow_mut();
    let at = steps.partition_point(|(other, _)| *other <= id);
    steps.insert(at, (id, step));
}
