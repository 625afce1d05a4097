//! A task as the driver runs it.

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use headwater_core::{
    Clock, Descriptor, Error, LineageRange, Offset, RecordRef, Result, TaskId, Timestamp, TopicPartition,
};
use headwater_dsl::{AnyWriter, Memo, Order, ProcessorTask, SourceHandle, ThreadWriters};
use headwater_state::StoreChanges;

use super::{
    env::{Env, SharedStore, Surroundings},
    memory_topic::MemoryTopics,
    outbox::Outbox,
};

/// One input partition of a task.
struct Input {
    /// The place of its topic among the task's sources.
    source: usize,
    /// The number of its topic.
    topic: usize,
    partition: TopicPartition,
    next: Offset,
    committed: Offset,
    /// When it last had a record, on the driver's clock, and whether nobody has waited for it since.
    last_record_ms: Timestamp,
    idle: bool,
}

impl Input {
    /// The record at `offset`, if it was written.
    fn record<'a>(&self, offset: Offset, topics: &'a MemoryTopics) -> Option<RecordRef<'a>> {
        topics.record(self.topic, self.partition.partition, offset)
    }

    /// Whether a record waits.
    fn waits(&self, topics: &MemoryTopics) -> bool {
        self.next < topics.end(self.topic, self.partition.partition)
    }
}

/// What of a task survives a crash.
#[derive(Default)]
struct Committed {
    stores: BTreeMap<String, SharedStore>,
    memo: Vec<(u32, i64)>,
}

/// The writer of a sink, by the sink's name.
type Writer = (String, Rc<dyn AnyWriter>);

/// A task with its inputs and what it has committed.
pub(super) struct DrivenTask {
    thread: usize,
    processor: ProcessorTask,
    inputs: Vec<Input>,
    committed: Committed,
    outbox: Outbox,
    writers: Vec<Writer>,
    /// The rows that the commit under way changes. Kept for its memory.
    changes: StoreChanges,
    /// Whether it takes records in the order of their senders' time, and waits for senders, as bounded runs do.
    in_order: bool,
    waits: bool,
    /// Records at which a step failed since the last commit, by the place of their input, with the failure: they are set
    /// aside when they come again.
    failed: BTreeMap<(usize, Offset), Error>,
}

impl DrivenTask {
    /// Task `id`, which has never run.
    pub(super) fn start(around: &Surroundings, id: TaskId, thread: usize) -> Result<Self> {
        let plan = around.topology.plan();
        let part = plan.subtopologies.get(id.subtopology as usize).cloned().unwrap_or_default();
        let stores = part.stores.iter().map(|store| (store.clone(), SharedStore::default())).collect();
        let committed = Committed { stores, memo: Vec::new() };
        let inputs = plan
            .inputs_of(id.subtopology as usize)
            .map(|(_, topic)| topic)
            .enumerate()
            .filter(|(_, topic)| around.counts.get(*topic).is_some_and(|count| id.partition < *count))
            .filter_map(|(source, name)| {
                let (topic, partition) = (around.topic(name)?, TopicPartition::new(name, id.partition));
                let last_record_ms = around.clock.now_ms();
                Some(Input { source, topic, partition, next: 0, committed: 0, last_record_ms, idle: false })
            })
            .collect::<Vec<_>>();
        let outbox = Outbox::default();
        let (mut processor, writers) = build(around, id, thread, &committed, &outbox)?;
        leave_out_others(&mut processor, &inputs)?;
        let in_order = (0..processor.sources().len()).any(|source| processor.order_of(source).is_some());
        Ok(Self {
            in_order,
            waits: around.bounded,
            thread,
            processor,
            inputs,
            committed,
            outbox,
            writers,
            changes: StoreChanges::new(),
            failed: BTreeMap::new(),
        })
    }

    pub(super) fn id(&self) -> TaskId {
        self.processor.id()
    }

    /// As after a crash: what was not committed is gone, and its input will be read again.
    pub(super) fn restart(&mut self, around: &Surroundings) -> Result<()> {
        for (_, writer) in self.writers.drain(..) {
            writer.abort();
        }
        self.outbox = Outbox::default();
        for input in &mut self.inputs {
            input.next = input.committed;
            input.idle = false;
        }
        // What is neither on disk nor in a topic is gone.
        let specs = &around.topology.plan().stores;
        let volatile = |name: &str| specs.get(name).is_some_and(|s| s.options.in_memory && s.options.unlogged);
        for (_, store) in self.committed.stores.iter().filter(|(name, _)| volatile(name)) {
            store.clear();
        }
        (self.processor, self.writers) = build(around, self.id(), self.thread, &self.committed, &self.outbox)?;
        leave_out_others(&mut self.processor, &self.inputs)
    }

    /// The input whose head is the oldest record, and that head's offset. `None` if there is none, or if it must wait for
    /// what a sender may still send.
    fn next_input(&self, topics: &MemoryTopics) -> Result<Option<(usize, Offset)>> {
        let mut oldest: Option<(Timestamp, usize, Offset)> = None;
        let mut awaited: Vec<Timestamp> = Vec::new();
        for (place, input) in self.inputs.iter().enumerate() {
            let mut offer = |time: Timestamp, offset: Offset| {
                if oldest.is_none_or(|(least, ..)| time < least) {
                    oldest = Some((time, place, offset));
                }
            };
            if let Some(order) = self.processor.order_of(input.source) {
                for (sender, head) in self.heads(input, order, topics).into_iter().enumerate() {
                    match head {
                        Some((time, offset)) => offer(time, offset),
                        None => awaited.extend(order.held_at(sender)),
                    }
                }
            } else if let Some(record) = input.record(input.next, topics) {
                let time = match self.in_order {
                    true => self.processor.time_with(input.source, &record)?,
                    false => self.processor.timestamp(input.source, &record),
                };
                offer(time, input.next);
            }
        }
        let waits = |time: Timestamp| self.waits && awaited.iter().any(|held| *held <= time);
        Ok(oldest.filter(|(time, ..)| !waits(*time)).map(|(_, place, offset)| (place, offset)))
    }

    /// Each sender's first record that has not been taken, with its sender's time.
    fn heads(&self, input: &Input, order: &Order, topics: &MemoryTopics) -> Vec<Option<(Timestamp, Offset)>> {
        let mut heads = vec![None; order.senders()];
        let mut offset = input.next;
        while let Some(record) = input.record(offset, topics).filter(|_| heads.contains(&None)) {
            let sender = self.processor.sender(input.source, &record);
            // A record of nobody known comes first, so that it is reported.
            let (sender, time) = sender.filter(|(sender, _)| *sender < heads.len()).unwrap_or((0, Timestamp::MIN));
            if let Some(head) = heads.get_mut(sender).filter(|head| head.is_none() && offset >= order.next_of(sender)) {
                *head = Some((time, offset));
            }
            offset += 1;
        }
        heads
    }

    /// The record at `offset` of the input at `place` was taken.
    fn advance(&mut self, place: usize, offset: Offset, topics: &MemoryTopics) {
        let Some(input) = self.inputs.get_mut(place) else { return };
        let order = self.processor.order_of(input.source).filter(|order| order.senders() > 1);
        let Some(order) = order else {
            input.next = offset + 1;
            return;
        };
        while let Some(record) = input.record(input.next, topics) {
            let sender = self.processor.sender(input.source, &record);
            if sender.is_none_or(|(sender, _)| input.next >= order.next_of(sender)) {
                break;
            }
            input.next += 1;
        }
    }

    /// Whether a record waits.
    fn has_input(&self, topics: &MemoryTopics) -> bool {
        self.inputs.iter().any(|input| input.waits(topics))
    }

    /// Takes the oldest record that waits; false if none does.
    pub(super) fn step(&mut self, around: &Surroundings, topics: &MemoryTopics, now_ms: Timestamp) -> Result<bool> {
        if !self.has_input(topics) {
            return Ok(false);
        }
        let guard = self.processor.panic_guard();
        let at = Cell::new(None);
        let taken = guard.run(|| {
            let Some((place, offset)) = self.next_input(topics)? else { return Ok(None) };
            let Some(input) = self.inputs.get(place) else { return Ok(None) };
            let Some(record) = input.record(offset, topics) else { return Ok(None) };
            at.set(Some((place, offset)));
            let (source, partition) = (input.source, input.partition.partition);
            match self.failed.get(&(place, offset)) {
                None => self.processor.process(source, partition, &record)?,
                Some(failure) => self.processor.set_aside(source, partition, &record, failure)?,
            }
            self.processor.end_of_batch()?;
            Ok(Some((place, offset)))
        });
        let taken = match (taken, at.get()) {
            (Ok(taken), _) => taken,
            (Err(error), None) => return Err(error),
            (Err(error), Some(at)) => return self.do_again_without(around, at, error),
        };
        let Some((place, offset)) = taken else { return Ok(false) };
        self.advance(place, offset, topics);
        if let Some(input) = self.inputs.get_mut(place) {
            (input.last_record_ms, input.idle) = (now_ms, false);
        }
        Ok(true)
    }

    /// Fires the wall-clock timers that are due; true if any did.
    pub(super) fn punctuate_wall_clock(&mut self) -> Result<bool> {
        let guard = self.processor.panic_guard();
        guard.run(|| self.processor.punctuate_wall_clock())
    }

    pub(super) fn commit_requested(&self) -> bool {
        self.processor.commit_requested()
    }

    /// A step failed at a record: what was done since the last commit is done again, and the record is set aside then.
    fn do_again_without(&mut self, around: &Surroundings, at: (usize, Offset), error: Error) -> Result<bool> {
        let error = match self.inputs.get(at.0) {
            Some(input) => error.at_record(&input.partition, at.1),
            None => error,
        };
        if !self.processor.sets_aside(&error) {
            return Err(error);
        }
        self.failed.insert(at, error);
        self.restart(around)?;
        Ok(true)
    }

    /// Commits: outputs become visible, stores and positions follow. Returns what is for the sinks' committers.
    pub(super) fn commit(&mut self, topics: &mut MemoryTopics) -> Result<Vec<(String, Descriptor)>> {
        let guard = self.processor.panic_guard();
        guard.run(|| self.processor.before_commit())?;
        let changes = &mut self.changes;
        changes.clear();
        self.processor.changes(&mut |store, key, value| {
            changes.row(store, key, value);
            Ok(())
        })?;
        let descriptors = self.prepare_sinks()?;
        // From here on nothing can fail: this is the instant of the commit.
        self.outbox.deliver(topics);
        for row in self.changes.rows() {
            if let Some(store) = self.committed.stores.get(row.store) {
                store.write(row.key, row.value);
            }
        }
        let inputs = &self.inputs;
        self.failed.retain(|(place, offset), _| inputs.get(*place).is_none_or(|input| input.next <= *offset));
        self.processor.memo().copy_to(&mut self.committed.memo);
        for input in &mut self.inputs {
            input.committed = input.next;
        }
        for (_, writer) in &self.writers {
            writer.committed();
        }
        self.processor.committed();
        Ok(descriptors)
    }

    /// What the sinks' writers hold becomes durable; returns what describes it.
    fn prepare_sinks(&self) -> Result<Vec<(String, Descriptor)>> {
        let mut descriptors = Vec::new();
        let lineage = if self.writers.is_empty() { Vec::new() } else { self.lineage() };
        for (sink, writer) in &self.writers {
            if let Some(descriptor) = writer.prepare(&lineage)? {
                descriptors.push((sink.clone(), descriptor));
            }
        }
        Ok(descriptors)
    }

    fn lineage(&self) -> Vec<LineageRange> {
        let stream_time = self.processor.stream_time();
        let moved = self.inputs.iter().filter(|input| input.next > input.committed);
        moved
            .map(|input| LineageRange {
                task: self.id(),
                partition: input.partition.clone(),
                from: input.committed,
                to: input.next,
                stream_time,
            })
            .collect()
    }

    /// Tells the operators which of their inputs have ended, and if all have, that no record will come any more in this
    /// run. False if there is nothing to tell.
    pub(super) fn end_what_has_ended(&mut self, topics: &MemoryTopics) -> Result<bool> {
        if self.processor.has_ended() {
            return Ok(false);
        }
        let (mut moved, mut all) = (false, true);
        for source in 0..self.processor.sources().len() {
            let waits = |input: &Input| input.source == source && input.waits(topics);
            if self.inputs.iter().any(waits) || !self.processor.upstreams_ended(source)? {
                all = false;
            } else {
                moved |= self.processor.end_source(source)?;
            }
        }
        if all {
            self.processor.end_of_input();
        }
        Ok(moved || all)
    }

    /// Whether its whole input has ended in this run.
    pub(super) fn has_ended(&self) -> bool {
        self.processor.has_ended()
    }

    /// Nobody waits any longer for an input topic that has had no record for `idle_ms`; true if there is one more of these.
    pub(super) fn fall_idle_after(&mut self, idle_ms: i64, now_ms: Timestamp, topics: &MemoryTopics) -> Result<bool> {
        let mut fell_idle = false;
        for input in &mut self.inputs {
            let quiet = !input.waits(topics) && now_ms - input.last_record_ms >= idle_ms;
            let internal = self.processor.sources().get(input.source).is_none_or(SourceHandle::is_internal);
            if quiet && !internal && !input.idle {
                input.idle = true;
                fell_idle = true;
                self.processor.fall_idle(input.source)?;
            }
        }
        Ok(fell_idle)
    }

    /// The committed rows of its stores.
    pub(super) fn stores(&self) -> &BTreeMap<String, SharedStore> {
        &self.committed.stores
    }

    /// Its counters: the memo's numbers that count something.
    pub(super) fn counters(&self) -> impl Iterator<Item = (String, i64)> {
        self.processor.memo().named().into_iter().filter(|(name, _)| name.contains(':'))
    }
}

/// Nobody waits for topics that have no partition for the task.
fn leave_out_others(processor: &mut ProcessorTask, inputs: &[Input]) -> Result<()> {
    for source in 0..processor.sources().len() {
        if inputs.iter().all(|input| input.source != source) {
            processor.leave_out(source)?;
        }
    }
    Ok(())
}

/// Task `id` as it was at its last commit, with the writers of its sinks.
fn build(
    around: &Surroundings,
    id: TaskId,
    thread: usize,
    committed: &Committed,
    outbox: &Outbox,
) -> Result<(ProcessorTask, Vec<Writer>)> {
    let writers = ThreadWriters::default();
    let env = Env { around, stores: &committed.stores, outbox, writers: &writers, thread };
    let memo = Memo::new(committed.memo.iter().copied().collect());
    Ok((ProcessorTask::new(&around.topology, id, memo, &env)?, writers.open()))
}
