//! A task's operators as the runtime drives them.

use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use headwater_core::{Error, ErrorKind, Offset, RecordRef, Result, TaskId, Timestamp, TopicPartition};

use super::{
    Blame, CommitStep, Failures, Memo, Order, Punctuation, Slot, TaskContext, TaskEnv, TimeSkew, clock,
    env::StoreChangeVisitor,
};
use crate::{
    dead_letter::Raw,
    plan::{NodeId, NodeKind, Plan},
    topology::Topology,
    wire::TaskBuilder,
};

/// Reads the records of one topic into a task's operators.
pub trait TaskSource {
    /// The event time of a record before it is processed, to choose the next record by.
    fn timestamp(&self, record: &RecordRef<'_>) -> Timestamp;

    /// For an internal topic: the upstream task that sent the record, and its time then.
    fn sender(&self, record: &RecordRef<'_>) -> Option<(usize, Timestamp)> {
        let _ = record;
        None
    }

    /// Decodes a record and pushes it through the operators.
    ///
    /// # Errors
    /// If it cannot be decoded and no dead-letter topic takes it, or if a step fails on it.
    fn process(&self, record: &RecordRef<'_>) -> Result<()>;

    /// Takes a record at which a step has failed, without processing it: gives it as it came in to `keep`.
    ///
    /// # Errors
    /// What `keep` returns.
    fn set_aside(&self, record: &RecordRef<'_>, keep: &mut dyn FnMut(&RecordRef<'_>) -> Result<()>) -> Result<()> {
        keep(record)
    }
}

/// A topic that a task reads, with what reads it.
#[derive(Clone)]
pub struct SourceHandle {
    /// The topic.
    pub topic: String,
    /// Whether it is an internal repartition topic.
    pub internal: bool,
    pub(crate) node: String,
    id: NodeId,
    pub(crate) source: Rc<dyn TaskSource>,
    /// For an internal topic: how many upstream tasks write to it.
    upstream_tasks: usize,
    /// How many of its records were set aside; counted only if the topology does so.
    failed: Option<Slot>,
    /// For an internal topic whose records are taken in the order of their senders' time.
    order: Option<Order>,
}

impl SourceHandle {
    /// Whether it reads a repartition topic.
    pub fn is_internal(&self) -> bool {
        self.internal
    }

    /// The record has been taken, and its sender's older ones with it.
    fn note_taken(&self, record: &RecordRef<'_>) {
        if let Some(order) = &self.order
            && let Some((upstream, _)) = self.source.sender(record)
        {
            order.note_taken(upstream, record.offset);
        }
    }
}

impl std::fmt::Debug for SourceHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceHandle").field("topic", &self.topic).field("internal", &self.internal).finish()
    }
}

/// The operators of one task. Lives on one thread.
#[derive(Debug)]
pub struct ProcessorTask {
    context: Rc<TaskContext>,
    sources: Vec<SourceHandle>,
    commit_steps: CommitSteps,
    names: Rc<[String]>,
    failures: Failures,
    /// The places of the sources that have ended in this run.
    ended: BTreeSet<usize>,
}

struct CommitSteps(Vec<Rc<dyn CommitStep>>);

impl std::fmt::Debug for CommitSteps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} steps", self.0.len())
    }
}

impl ProcessorTask {
    /// Builds the operators of task `id`, starting from the committed numbers of `memo`.
    ///
    /// # Errors
    /// If a store, topic or sink cannot be opened.
    pub fn new(topology: &Topology, id: TaskId, memo: Memo, env: &dyn TaskEnv) -> Result<Self> {
        let plan = topology.plan();
        let part = id.subtopology as usize;
        let context = Rc::new(TaskContext::new(id, memo, env.run_id(), env.clock())?);
        let failures = Failures::new(&plan.on_failure, env)?;
        let in_order = plan.is_in_order(part);
        let internal = |id: NodeId| plan.node(id).is_some_and(|node| matches!(node.kind, NodeKind::Repartition { .. }));
        if env.is_bounded() && in_order && plan.inputs_of(part).all(|(id, _)| !internal(id) || !plan.is_in_a_loop(id)) {
            context.passing.begin();
        }
        let mut builder = TaskBuilder::new(plan, topology.wiring(), part, env, context.clone());
        let mut sources = Vec::new();
        for (node, topic) in plan.inputs_of(part) {
            let source = builder.source_of(node, topic)?;
            let topic = topic.to_owned();
            let node = builder.node(node)?;
            let id = node.id;
            let internal = matches!(node.kind, NodeKind::Repartition { .. });
            let upstream_tasks = if internal { env.upstream_tasks(&topic) } else { 0 };
            let order = if in_order && internal && !plan.is_in_a_loop(id) {
                Some(Order::new(&context, &topic, upstream_tasks)?)
            } else {
                None
            };
            let failed = if failures.policy.is_some() { Some(failed_slot(&context, &topic)?) } else { None };
            sources.push(SourceHandle {
                topic,
                internal,
                node: node.name.clone(),
                id,
                source,
                upstream_tasks,
                failed,
                order,
            });
        }
        builder.finish()?;
        context.note_sources(|id| plan.ends_with(id));
        let commit_steps = CommitSteps(context.commit_steps());
        let _ = context.topics.set(sources.iter().map(|source| source.topic.clone()).collect());
        let task = Self { context, sources, commit_steps, names: node_names(plan), failures, ended: BTreeSet::new() };
        task.panic_guard().run(|| task.context.init_processors())?;
        Ok(task)
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.context.id
    }

    /// What it reads, in plan order.
    pub fn sources(&self) -> &[SourceHandle] {
        &self.sources
    }

    /// What turns panics of this task's user code into errors.
    pub fn panic_guard(&self) -> PanicGuard {
        PanicGuard { task: self.id(), names: self.names.clone() }
    }

    /// The event time of a record of source `source`, before it is processed.
    pub fn timestamp(&self, source: usize, record: &RecordRef<'_>) -> Timestamp {
        self.sources.get(source).map_or(record.timestamp, |handle| handle.source.timestamp(record))
    }

    /// For an internal source whose records are to be taken in the order of their senders' time: how that stands. The
    /// records of one upstream task stay in their order.
    pub fn order_of(&self, source: usize) -> Option<&Order> {
        self.sources.get(source)?.order.as_ref()
    }

    /// The upstream task that sent a record of the internal source `source`, and its time then.
    pub fn sender(&self, source: usize, record: &RecordRef<'_>) -> Option<(usize, Timestamp)> {
        self.sources.get(source)?.source.sender(record)
    }

    /// The time of a source partition once it has given `record`: what an upstream task's time is to its records.
    ///
    /// # Errors
    /// If two names in the task's memo have equal hashes.
    pub fn time_with(&self, source: usize, record: &RecordRef<'_>) -> Result<Timestamp> {
        let Some(handle) = self.sources.get(source) else { return Ok(record.timestamp) };
        Ok(self.context.queue(&handle.topic)?.time().max(handle.source.timestamp(record)))
    }

    /// Says of the record that is taken next whether too many have waited for it to be waited with any longer: older ones
    /// may follow it.
    pub fn hurry(&mut self, hurried: bool) {
        self.context.passing.hurry(hurried);
    }

    /// Takes one record of source `source`.
    ///
    /// # Errors
    /// If it cannot be decoded and no dead-letter topic takes it, or if a step fails on it.
    pub fn process(&mut self, source: usize, partition: i32, record: &RecordRef<'_>) -> Result<()> {
        let Some(handle) = self.sources.get(source) else { return Ok(()) };
        self.context.partition.set(partition);
        self.context.offset.set(record.offset);
        self.context.source.set(source);
        self.context.at_work.set(true);
        handle.source.process(record).map_err(|error| error.at_node(&handle.node))?;
        handle.note_taken(record);
        // After each record, so that where the timers fire does not depend on how records come in batches.
        self.context.fire_timers(Punctuation::StreamTime, self.context.stream_time.get())?;
        self.context.at_work.set(false);
        Ok(())
    }

    /// Fires the wall-clock timers that are due by the run's clock; true if any did. Call it often, with or without
    /// records.
    ///
    /// # Errors
    /// If a step fails.
    pub fn punctuate_wall_clock(&mut self) -> Result<bool> {
        if self.has_ended() {
            return Ok(false);
        }
        self.context.fire_timers(Punctuation::WallClock, self.context.clock.now_ms())
    }

    /// A batch of records has been taken: waits for those that a step holds back and sends them on.
    ///
    /// # Errors
    /// If a step fails.
    pub fn end_of_batch(&mut self) -> Result<()> {
        self.context.at_work.set(true);
        self.context.drain()?;
        self.context.at_work.set(false);
        Ok(())
    }

    /// Whether a processor has asked for a commit since the last one.
    pub fn commit_requested(&self) -> bool {
        self.context.commit_requested.get()
    }

    /// Whether the failure that [`ProcessorTask::process`] has just returned is one that the topology skips or
    /// dead-letters: one of the program's own code, at a record. Before [`ProcessorTask::set_aside`] takes that record,
    /// the work since the last commit must be done again, by a task built anew.
    pub fn sets_aside(&self, error: &Error) -> bool {
        // A step that works later than its record runs without a place.
        self.failures.policy.is_some() && error.kind() == ErrorKind::User && self.context.offset.get() >= 0
    }

    /// Takes a record at which a step failed with `error`, as the topology's [`OnFailure`] says.
    ///
    /// # Errors
    /// If the dead letter cannot be written.
    pub fn set_aside(&mut self, source: usize, partition: i32, record: &RecordRef<'_>, error: &Error) -> Result<()> {
        let Some(handle) = self.sources.get(source) else { return Ok(()) };
        self.context.partition.set(partition);
        self.context.offset.set(record.offset);
        self.context.source.set(source);
        if let Some(failed) = &handle.failed {
            failed.increment();
        }
        handle.source.set_aside(record, &mut |raw| {
            self.failures.keep(&Raw { topic: &handle.topic, partition, record: raw }, error)
        })?;
        handle.note_taken(record);
        Ok(())
    }

    /// The record in whose name a step is at work, or was when it panicked: the last one taken, or one that a step held
    /// back. `None` between batches, and in what belongs to no record.
    pub fn at_work_on(&self) -> Option<(TopicPartition, Offset)> {
        let topic = self.context.topic_now().filter(|_| self.context.at_work.get() && self.context.has_record())?;
        Some((TopicPartition::new(topic, self.context.partition.get()), self.context.offset.get()))
    }

    /// Whether every upstream task of the internal source `source` has ended in this bounded run.
    pub fn upstreams_ended(&self, source: usize) -> Result<bool> {
        let Some(handle) = self.sources.get(source).filter(|handle| handle.internal) else { return Ok(true) };
        for upstream in 0..handle.upstream_tasks {
            let queue = self.context.queue(&clock::upstream_queue(&handle.topic, upstream as u64))?;
            if !queue.has_ended(self.context.run_id) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The records of source `source` have all been taken in this bounded run: what depends on it alone ends with the
    /// commit that must follow, and says so downstream. Returns false if that was known.
    ///
    /// # Errors
    /// If two names in the task's memo have equal hashes.
    pub fn end_source(&mut self, source: usize) -> Result<bool> {
        let Some(handle) = self.sources.get(source) else { return Ok(false) };
        if !handle.internal {
            self.context.queue(&handle.topic)?.end(self.context.run_id);
        }
        if !self.ended.insert(source) {
            return Ok(false);
        }
        // A stream of several topics ends with the last of them.
        let mut others = self.sources.iter().enumerate().filter(|(_, other)| other.id == handle.id);
        Ok(others.all(|(other, _)| self.ended.contains(&other)) && self.context.end_source(handle.id))
    }

    /// The input has ended for this run: every window closes with the commit that must follow. Call once.
    pub fn end_of_input(&mut self) {
        self.context.end_of_input();
    }

    /// Whether `end_of_input` was called.
    pub fn has_ended(&self) -> bool {
        self.context.ended.get()
    }

    /// The task has caught up with source `source` and heard nothing of it for `max_source_idle_ms`: neither its own windows
    /// nor those downstream need wait for it until it speaks again. To be said anew each time that so long a silence has
    /// passed, as a downstream task that was started in the meantime has not heard it. Upstream tasks say for themselves
    /// whether they are idle.
    ///
    /// # Errors
    /// If two names in the task's memo have equal hashes.
    pub fn fall_idle(&mut self, source: usize) -> Result<()> {
        let Some(handle) = self.sources.get(source).filter(|handle| !handle.internal) else { return Ok(()) };
        self.context.queue(&handle.topic)?.fall_idle();
        self.context.fell_idle.set(true);
        Ok(())
    }

    /// The topic of source `source` has no partition for this task: nobody waits for it.
    ///
    /// # Errors
    /// If two names in the task's memo have equal hashes.
    pub fn leave_out(&mut self, source: usize) -> Result<()> {
        let Some(handle) = self.sources.get(source).filter(|handle| !handle.internal) else { return Ok(()) };
        self.context.queue(&handle.topic)?.leave_out();
        Ok(())
    }

    /// First part of a commit: sends downstream what was held back, and the task's time to its repartition topics.
    ///
    /// # Errors
    /// If a step fails.
    pub fn before_commit(&mut self) -> Result<()> {
        self.context.drain()?;
        self.context.leave_record();
        if self.context.is_ending() {
            return self.context.end_steps();
        }
        if self.context.fell_idle.take() {
            self.context.time_moved()?;
        }
        self.commit_steps.0.iter().try_for_each(|step| step.before_commit())
    }

    /// Second part of a commit: every row changed since the last one.
    ///
    /// # Errors
    /// If a row cannot be encoded, or what `visit` returns.
    pub fn changes(&self, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        self.commit_steps.0.iter().try_for_each(|step| step.changes(visit))
    }

    /// Last part of a commit: the changes are in the store.
    pub fn committed(&mut self) {
        self.context.commit_requested.set(false);
        self.commit_steps.0.iter().for_each(|step| step.committed());
    }

    /// How many changed rows wait for the commit.
    pub fn dirty_rows(&self) -> usize {
        self.commit_steps.0.iter().map(|step| step.dirty_rows()).sum()
    }

    /// The greatest timestamp taken so far, if any.
    pub fn stream_time(&self) -> Option<Timestamp> {
        Some(self.context.stream_time.get()).filter(|time| *time != Timestamp::MIN)
    }

    /// How far apart its inputs are in event time; `None` if fewer than two have sent anything.
    pub fn time_skew(&self) -> Option<TimeSkew> {
        TimeSkew::among(self.context.queues.borrow().iter().map(|queue| (queue.time(), queue.name.as_str())))
    }

    /// The numbers to commit with the input offsets.
    pub fn memo(&self) -> &Memo {
        &self.context.memo
    }
}

impl Drop for ProcessorTask {
    fn drop(&mut self) {
        self.context.release();
    }
}

/// Turns a panic in user code into an error that names task and node; made by [`ProcessorTask::panic_guard`].
///
/// After an error the task's buffers hold half-done work: abort the transaction and build the task anew.
#[derive(Debug, Clone)]
pub struct PanicGuard {
    task: TaskId,
    names: Rc<[String]>,
}

impl PanicGuard {
    /// Runs `work`, usually for a batch of records; where the record stood is the caller's to add.
    ///
    /// # Errors
    /// What `work` returns, or `HW0220` for a panic.
    pub fn run<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let error = panicked(&*panic);
            Err(match Blame::take().and_then(|node| self.names.get(node.0 as usize)) {
                Some(node) => error.at_node(node),
                None => error,
            })
        });
        result.map_err(|error| error.in_task(self.task))
    }
}

/// A panic of user code as an error.
pub(crate) fn panicked(panic: &dyn Any) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned());
    Error::new(ErrorKind::User, "HW0220", format!("the program panicked: {text}"))
        .help("mend the closure; the record is not lost, it will be read again")
}

fn failed_slot(context: &TaskContext, topic: &str) -> Result<Slot> {
    context.memo.slot(&format!("failed:{topic}"), 0)
}

fn node_names(plan: &Plan) -> Rc<[String]> {
    plan.nodes.iter().map(|node| node.name.clone()).collect()
}
