//! Tasks come and go with the partitions that the group gives and takes.

use std::collections::BTreeMap;

use headwater_core::{Error, ErrorKind, Offset, Result, TaskId, TopicPartition};
use headwater_dsl::{Memo, NodeKind, OffsetReset, ProcessorTask};
use headwater_log::{CommittedOffset, Isolation};
use headwater_state::StoreChanges;

use super::StreamThread;
use crate::{
    env::Env, lanes::Lanes, memo::from_metadata, queue::RecordQueue, restore::open_task_store, task::StreamTask,
};

impl StreamThread {
    /// More partitions are this thread's. A task starts when all its partitions are here.
    pub(super) fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for partition in partitions {
            if !self.owned.contains(partition) {
                self.owned.push(partition.clone());
            }
        }
        self.start_tasks()
    }

    /// Partitions are to be given up: their tasks' work is committed first.
    pub(super) fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.commit_then(partitions)?;
        self.consumer.release(partitions)
    }

    /// Partitions are gone: their tasks close, uncommitted work with them.
    pub(super) fn lost(&mut self, partitions: &[TopicPartition]) {
        self.owned.retain(|owned| !partitions.contains(owned));
        self.tasks.retain(|_, task| !task.partitions.iter().any(|partition| partitions.contains(partition)));
    }

    /// Starts every task whose partitions are all here and that is not running.
    pub(super) fn start_tasks(&mut self) -> Result<()> {
        for id in self.shared.tasks() {
            let inputs = self.shared.inputs(id);
            let complete = !inputs.is_empty() && inputs.iter().all(|(_, partition)| self.owned.contains(partition));
            if complete && !self.tasks.contains_key(&id) {
                let task = self.start_task(id, &inputs)?;
                self.tasks.insert(id, task);
            }
        }
        Ok(())
    }

    fn start_task(&mut self, id: TaskId, inputs: &[(usize, TopicPartition)]) -> Result<StreamTask> {
        let partitions: Vec<_> = inputs.iter().map(|(_, partition)| partition.clone()).collect();
        let committed = self.shared.log.committed(self.shared.app(), &partitions)?;
        let mut starts = self.shared.log.start_offsets(&partitions)?;
        for (partition, start) in self.resets(id, inputs, &committed)? {
            self.consumer.seek(&partition, start)?;
            starts.insert(partition, start);
        }
        let lease = self.shared.serving.begin(id);
        let store = open_task_store(&self.shared, id)?;
        let memo = Memo::new(memo_among(&partitions, &committed));
        let env = Env {
            shared: &self.shared,
            outbox: &self.outbox,
            writers: &self.writers,
            store: store.as_ref(),
            thread: self.number,
        };
        let mut processor = ProcessorTask::new(&self.shared.topology, id, memo, &env)?;
        for source in 0..processor.sources().len() {
            if inputs.iter().all(|(place, _)| *place != source) {
                processor.leave_out(source)?;
            }
        }
        let queues = self.queues(&processor, inputs, &committed, &starts);
        let in_order = queues.iter().any(|queue| queue.lanes.is_some());
        let task = StreamTask {
            id,
            processor,
            lease,
            store,
            queues,
            partitions,
            failed: self.failed.clone(),
            changes: StoreChanges::new(),
            in_order,
            waits: self.shared.bounds.is_some(),
            hurried: false,
            taken: 0,
            news: false,
            punctuated: false,
            ended: false,
            complete: false,
            idle: false,
        };
        self.shared.note_counters(id, task.counters());
        task.store.iter().for_each(|store| task.lease.ready(store));
        Ok(task)
    }

    /// Where the task begins in partitions without a committed offset, as far as that is not at their start.
    fn resets(
        &self,
        id: TaskId,
        inputs: &[(usize, TopicPartition)],
        committed: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<BTreeMap<TopicPartition, Offset>> {
        let log = &self.shared.log;
        let mut resets = BTreeMap::new();
        if self.shared.topology.version() > 1 {
            // A replay begins at the beginning.
            return Ok(resets);
        }
        let nodes: Vec<_> = self.shared.plan().inputs_of(id.subtopology as usize).map(|(node, _)| node).collect();
        for (source, partition) in inputs.iter().filter(|(_, partition)| !committed.contains_key(partition)) {
            let node = nodes.get(*source).and_then(|node| self.shared.plan().node(*node));
            let Some(NodeKind::Source { reset: Some(reset), .. }) = node.map(|node| &node.kind) else { continue };
            let found = match reset {
                OffsetReset::Earliest => continue,
                OffsetReset::Latest => log.end_offsets(std::slice::from_ref(partition), Isolation::ReadCommitted)?,
                OffsetReset::ByDuration(ms) => {
                    let from = self.shared.settings.clock.now_ms().saturating_sub(*ms);
                    log.offsets_for_times(&[(partition.clone(), from)])?
                }
                OffsetReset::None => return Err(no_offset(self.shared.app(), partition)),
            };
            resets.extend(found);
        }
        Ok(resets)
    }

    fn queues(
        &self,
        processor: &ProcessorTask,
        inputs: &[(usize, TopicPartition)],
        committed: &BTreeMap<TopicPartition, CommittedOffset>,
        starts: &BTreeMap<TopicPartition, Offset>,
    ) -> Vec<RecordQueue> {
        let make = |(source, partition): &(usize, TopicPartition)| {
            let internal = processor.sources().get(*source).is_some_and(|handle| handle.internal);
            let start = starts.get(partition).copied().unwrap_or_default();
            let start = committed.get(partition).map_or(start, |committed| committed.offset.max(start));
            let mut queue = RecordQueue::new(partition.clone(), *source, internal, start);
            // With one sender of one topic there is nothing to choose.
            let order = processor.order_of(*source).filter(|order| inputs.len() > 1 || order.senders() > 1);
            queue.lanes = order.map(|order| Lanes::new(order, start));
            queue.bound = self.shared.bounds.as_ref().filter(|_| !internal).and_then(|b| b.get(partition).copied());
            queue
        };
        inputs.iter().map(make).collect()
    }
}

/// The memo travels with the offset of the task's first partition. A new topic may have come before the one that was the
/// first: then it is still with the one that was.
fn memo_among(
    partitions: &[TopicPartition],
    committed: &BTreeMap<TopicPartition, CommittedOffset>,
) -> BTreeMap<u32, i64> {
    let mut memos = partitions.iter().filter_map(|partition| committed.get(partition));
    memos.find(|offset| !offset.metadata.is_empty()).map(|offset| from_metadata(&offset.metadata)).unwrap_or_default()
}

fn no_offset(app: &str, partition: &TopicPartition) -> Error {
    let what = format!("{app} has committed no offset of {partition}, and its source has none to begin at");
    Error::new(ErrorKind::Config, "HW0640", what)
        .help("give the source another reset, such as OffsetReset::Earliest, or set the group's offsets")
}
