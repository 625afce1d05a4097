//! The commit: outputs, changelogs, sink descriptors and offsets in one transaction, then the local stores.
//!
//! The order is ARCHITECTURE's, section 5: nothing uncommitted ever reaches a store, so a crash at any point costs at
//! most the work since the last commit, which is read again.

use std::{rc::Rc, time::Instant};

use headwater_core::{Error, ErrorKind, Headers, LineageRange, Result, TaskId, TopicPartition};
use headwater_log::{CommitReceipt, OffsetCommit};

use super::{StreamThread, gave_up, open_producer};
use crate::{memo::to_metadata, queue::RecordQueue, shared::commits_topic, task::StreamTask};

/// Changed rows of one task that force a commit before its time.
const MAX_DIRTY_ROWS: usize = 500_000;

impl StreamThread {
    pub(super) fn commit_is_due(&self) -> bool {
        let full = self.outbox.bytes() >= self.shared.settings.max_transaction_bytes;
        let dirty = || self.tasks.values().any(|task| task.processor.dirty_rows() >= MAX_DIRTY_ROWS);
        let ended = || self.tasks.values().any(|task| task.news || (task.ended && !task.complete));
        let asked = || self.tasks.values().any(|task| task.processor.commit_requested());
        // Others may wait for what this thread has to say.
        let awaited = || self.stalled && self.shared.bounds.is_some() && self.outbox.bytes() > 0;
        full || awaited()
            || self.last_commit.elapsed() >= self.shared.settings.commit_interval
            || ended()
            || dirty()
            || asked()
    }

    /// Commits; a failure that a new producer can heal is healed, as often in a row as the settings allow.
    pub(super) fn commit_or_recover(&mut self) -> Result<()> {
        self.commit_then(&[])
    }

    /// As [`StreamThread::commit_or_recover`], before `leaving` are given up: if the commit fails their tasks do not
    /// start again.
    pub(super) fn commit_then(&mut self, leaving: &[TopicPartition]) -> Result<()> {
        match self.commit() {
            Ok(()) => {
                self.recoveries = 0;
                self.lost(leaving);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Fenced) => {
                if self.recoveries >= self.shared.settings.max_recoveries {
                    return Err(gave_up(error, self.recoveries));
                }
                self.recoveries += 1;
                tracing::warn!(%error, attempt = self.recoveries, "the commit failed; starting again from the last one");
                self.abandon(&error)?;
                self.lost(leaving);
                self.start_again()
            }
            Err(error) => {
                self.abort_writers();
                Err(error)
            }
        }
    }

    fn commit(&mut self) -> Result<()> {
        self.last_commit = Instant::now();
        for task in self.tasks.values_mut() {
            let guard = task.processor.panic_guard();
            guard.run(|| task.processor.before_commit())?;
        }
        self.gather_changes()?;
        let lineage: Vec<LineageRange> = self.tasks.values().flat_map(StreamTask::lineage).collect();
        let news = |task: &StreamTask| {
            task.ended && !task.complete || task.news || task.punctuated || task.processor.commit_requested()
        };
        if lineage.is_empty() && self.outbox.bytes() == 0 && !self.tasks.values().any(news) {
            return Ok(());
        }
        self.prepare_sinks(&lineage)?;
        let offsets = self.offsets()?;
        let receipt = self.transact(&offsets)?;
        self.apply(&receipt)?;
        self.shared.progress.committed();
        Ok(())
    }

    /// Every changed row goes to its store's changelog, and aside for the local store.
    fn gather_changes(&mut self) -> Result<()> {
        let none = Headers::new();
        for task in self.tasks.values_mut() {
            let StreamTask { id, processor, changes, .. } = task;
            changes.clear();
            let time = processor.stream_time().unwrap_or_default().max(0);
            processor.changes(&mut |store, key, value| {
                let Some(spec) = self.shared.plan().stores.get(store) else { return Ok(()) };
                if let Some(changelog) = spec.changelog_topic() {
                    let partitions = self.shared.counts.get(changelog).copied().unwrap_or(1);
                    self.outbox.topic(changelog, partitions).send(id.partition, time, Some(key), value, &none)?;
                }
                changes.row(store, key, value);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// What the sinks' writers hold becomes durable and is described in the transaction.
    fn prepare_sinks(&self, lineage: &[LineageRange]) -> Result<()> {
        for (sink, writer) in self.writers.open() {
            let Some(descriptor) = writer.prepare(lineage)? else { continue };
            let time = self.shared.settings.clock.now_ms();
            let topic = self.outbox.topic(&commits_topic(self.shared.app(), &sink), 1);
            topic.send(0, time, None, Some(&descriptor.0), &Headers::new())?;
        }
        Ok(())
    }

    /// The positions to commit; each task's memo goes with its first partition.
    fn offsets(&self) -> Result<Vec<OffsetCommit>> {
        let mut offsets = Vec::new();
        for task in self.tasks.values() {
            let moved = task.queues.iter().any(|queue| queue.next > queue.committed);
            let news =
                moved || task.taken > 0 || task.idle || task.news || task.punctuated || (task.ended && !task.complete);
            if !news {
                continue;
            }
            for (place, queue) in task.queues.iter().enumerate() {
                let metadata = if place == 0 { to_metadata(task.processor.memo())? } else { String::new() };
                if place == 0 || queue.next > queue.committed {
                    offsets.push(OffsetCommit { partition: queue.partition.clone(), offset: queue.next, metadata });
                }
            }
        }
        Ok(offsets)
    }

    fn transact(&mut self, offsets: &[OffsetCommit]) -> Result<CommitReceipt> {
        self.producer.begin()?;
        let sent = (|| {
            for (partition, batch) in self.outbox.take() {
                self.producer.send(&partition, batch)?;
            }
            if offsets.is_empty() {
                return Ok(());
            }
            let group = self.consumer.group_metadata()?;
            self.producer.send_offsets(offsets, &group)
        })();
        match sent {
            Ok(()) => self.producer.commit(),
            Err(error) => {
                if let Err(abort) = self.producer.abort() {
                    tracing::warn!(error = %abort, "the transaction could not be aborted; a new producer will do it");
                }
                Err(error)
            }
        }
    }

    /// The transaction has committed: the local stores follow, each in one batch with its changelog's position.
    fn apply(&mut self, receipt: &CommitReceipt) -> Result<()> {
        for (_, writer) in self.writers.open() {
            writer.committed();
        }
        let now_ms = self.shared.settings.clock.now_ms();
        for task in self.tasks.values_mut() {
            if let Some(store) = &task.store {
                for name in store.stores() {
                    let Some(spec) = self.shared.plan().stores.get(name) else { continue };
                    let is_source =
                        |queue: &&RecordQueue| Some(&*queue.partition.topic) == spec.options.source.as_deref();
                    if let Some(queue) = task.queues.iter().find(is_source).filter(|queue| queue.next > queue.committed)
                    {
                        task.changes.position(queue.partition.clone(), queue.next);
                    }
                    let Some(changelog) = spec.changelog_topic() else { continue };
                    let changelog = TopicPartition::new(changelog, task.id.partition);
                    if let Some(next) = receipt.next_offsets.get(&changelog) {
                        task.changes.position(changelog, *next);
                    }
                }
                store.apply(&task.changes).map_err(|error| error.in_task(task.id))?;
                store.flush_if_due(now_ms)?;
            }
            task.processor.committed();
            task.taken = 0;
            task.news = false;
            task.punctuated = false;
            for queue in &mut task.queues {
                queue.committed = queue.next;
            }
            let queues = &task.queues;
            let waits = |partition: &TopicPartition, offset: i64| {
                queues.iter().all(|queue| queue.partition != *partition || queue.next <= offset)
            };
            task.failed.retain(|(partition, offset), _| waits(partition, *offset));
            self.failed.retain(|(partition, offset), _| waits(partition, *offset));
            self.shared.note_counters(task.id, task.counters());
            task.processor.time_skew().into_iter().for_each(|skew| self.shared.note_time_skew(task.id, skew));
            if task.ended && !task.complete {
                task.complete = true;
                self.shared.complete(task.id);
            }
        }
        Ok(())
    }

    fn abort_writers(&self) {
        for (_, writer) in self.writers.open() {
            writer.abort();
        }
    }

    /// A step failed at a record: what was done since the last commit is done again, and the record is set aside then.
    ///
    /// # Errors
    /// The failure itself, if the topology wants it to stop the program.
    pub(super) fn do_again_without(&mut self, task: TaskId, error: Error) -> Result<()> {
        let Some(record) = self.tasks.get_mut(&task).and_then(|task| task.sets_aside(&error)) else {
            return Err(error);
        };
        tracing::warn!(%error, "a step failed; the record will be set aside");
        self.abandon(&error)?;
        self.failed.insert(record, Rc::new(error));
        self.start_again()
    }

    /// Forgets all work since the last commit; a new producer fences what may be left of the old one.
    fn abandon(&mut self, error: &Error) -> Result<()> {
        // With an unknown outcome the files may be described in a committed transaction: they are not ours to delete.
        if error.code() == "HW0311" {
            self.writers = headwater_dsl::ThreadWriters::default();
        } else {
            self.abort_writers();
        }
        self.outbox.take();
        self.tasks.clear();
        self.producer = open_producer(&self.shared, self.number)?;
        Ok(())
    }

    /// Builds the tasks anew from what is committed.
    fn start_again(&mut self) -> Result<()> {
        self.start_tasks()?;
        let positions: Vec<_> = self
            .tasks
            .values()
            .flat_map(|task| &task.queues)
            .map(|queue| (queue.partition.clone(), queue.next))
            .collect();
        for (partition, next) in positions {
            self.consumer.seek(&partition, next)?;
            self.consumer.resume(&[partition])?;
        }
        Ok(())
    }
}
