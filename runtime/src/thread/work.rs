//! What a thread does between two polls: takes records, notices ends and idleness.

use std::time::Instant;

use headwater_core::{Result, TaskId, Timestamp, TopicPartition};
use headwater_log::Isolation;

use super::StreamThread;
use crate::{queue::RecordQueue, shared::Shared, task::StreamTask};

/// Records that one task takes before the next one's turn.
const SLICE: usize = 1_000;

impl StreamThread {
    /// Whether some task has records to take now.
    pub(super) fn has_work(&self) -> bool {
        let allowed = self.shared.progress.allowance(self.shared.settings.max_records_per_second) > 0;
        // Where every task waits for others there is nothing to do but to hear from them.
        allowed && !self.stalled && self.tasks.values().any(|task| task.queues.iter().any(|queue| !queue.is_empty()))
    }

    /// As many turns as there are tasks: one for each of them in a live run. In a bounded run each turn is the oldest
    /// record's, so that the tasks go through time together: fewer windows are open at once, and a transaction touches
    /// fewer days of a table.
    pub(super) fn work(&mut self) -> Result<()> {
        self.note_ends()?;
        let cap = self.shared.settings.max_records_per_second;
        let in_order: Vec<TaskId> = self.tasks.keys().copied().collect();
        let mut taken = false;
        for next in in_order {
            let next = if self.shared.bounds.is_some() { self.oldest_task() } else { Some(next) };
            let Some(task) = next.and_then(|next| self.tasks.get_mut(&next)) else { break };
            let limit = SLICE.min(self.shared.progress.allowance(cap));
            let (inputs, all) = match task.process_guarded(limit) {
                Ok(counts) => counts,
                Err(error) => {
                    let id = task.id;
                    return self.do_again_without(id, error);
                }
            };
            self.shared.progress.add(inputs);
            if all > 0 {
                taken = true;
                task.idle = false;
            }
        }
        let waits = |task: &StreamTask| task.in_order && task.queues.iter().any(|queue| !queue.is_empty());
        self.stalled = !taken && self.tasks.values().any(waits);
        for task in self.tasks.values_mut() {
            task.punctuate_wall_clock()?;
            end_if_done(&self.shared, task, &|partition| self.consumer.position(partition))?;
        }
        self.resume_drained_queues()?;
        self.notice_idleness()
    }

    /// The task whose next record is the oldest, if any may take one now.
    fn oldest_task(&mut self) -> Option<TaskId> {
        let time_of = |task: &mut StreamTask| {
            // A record that cannot be read comes first: taking it reports it, with its place.
            task.head_time().unwrap_or(Some(Timestamp::MIN))
        };
        let heads = self.tasks.iter_mut().filter_map(|(id, task)| Some((time_of(task)?, *id)));
        heads.min().map(|(_, id)| id)
    }

    /// Asks the log about queues that are empty and must not hold others back for ever.
    fn note_ends(&mut self) -> Result<()> {
        let several = self.tasks.values_mut().filter(|task| task.queues.len() > 1);
        let mut asked: Vec<&mut RecordQueue> =
            several.flat_map(|task| &mut task.queues).filter(|queue| queue.is_empty() && !queue.caught_up).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let partitions: Vec<TopicPartition> = asked.iter().map(|queue| queue.partition.clone()).collect();
        let ends = self.shared.log.end_offsets(&partitions, Isolation::ReadCommitted)?;
        for queue in &mut asked {
            let end = queue.bound.or_else(|| ends.get(&queue.partition).copied());
            queue.caught_up = self.consumer.position(&queue.partition) >= end;
        }
        Ok(())
    }

    /// How many bytes may wait in a queue.
    fn room(&self) -> impl Fn(&RecordQueue) -> usize + use<> {
        let (bounded, settings) = (self.shared.bounds.is_some(), &self.shared.settings);
        let (buffered, waiting) = (settings.max_buffered_bytes, settings.max_waiting_bytes);
        move |queue| if bounded && queue.lanes.is_some() { waiting } else { buffered }
    }

    /// Reads on only where there is room; notes how much has waited.
    pub(super) fn pause_full_queues(&mut self) -> Result<()> {
        let fullest = self.tasks.values().flat_map(|task| &task.queues).map(RecordQueue::bytes).max();
        self.shared.progress.note_waiting(fullest.unwrap_or_default());
        let bound = self.room();
        let full = |queue: &&mut RecordQueue| !queue.paused && queue.bytes() > bound(queue);
        let mut pause = Vec::new();
        for queue in self.tasks.values_mut().flat_map(|task| &mut task.queues).filter(full) {
            queue.paused = true;
            pause.push(queue.partition.clone());
        }
        if pause.is_empty() { Ok(()) } else { self.consumer.pause(&pause) }
    }

    fn resume_drained_queues(&mut self) -> Result<()> {
        let bound = self.room();
        let drained = |queue: &&mut RecordQueue| queue.paused && queue.bytes() <= bound(queue) / 2;
        let mut resume = Vec::new();
        for queue in self.tasks.values_mut().flat_map(|task| &mut task.queues).filter(drained) {
            queue.paused = false;
            resume.push(queue.partition.clone());
        }
        if resume.is_empty() { Ok(()) } else { self.consumer.resume(&resume) }
    }

    /// In a live run, nobody waits for an input that the task has caught up with and hears nothing of for long: neither its
    /// own windows nor, if that is all they hear of it, the tasks downstream. It is said again after each such while. An
    /// empty queue alone says little: the thread may have restored another task's state for all that time, or fetching may
    /// be slow. Whoever is left out of the closing of windows loses what it still has for them, so the log is asked.
    fn notice_idleness(&mut self) -> Result<()> {
        if self.shared.bounds.is_some() {
            return Ok(());
        }
        let (now, patience) = (Instant::now(), self.shared.settings.max_source_idle);
        let mut quiet = Vec::new();
        for queue in self.tasks.values_mut().flat_map(|task| &mut task.queues) {
            if !queue.is_empty() {
                queue.last_news = now;
            } else if !queue.internal && now.duration_since(queue.last_news) >= patience {
                queue.last_news = now;
                quiet.push(queue.partition.clone());
            }
        }
        if quiet.is_empty() {
            return Ok(());
        }
        // A log that does not answer says nothing about idleness.
        let Ok(ends) = self.shared.log.end_offsets(&quiet, Isolation::ReadCommitted) else { return Ok(()) };
        let read = |partition: &TopicPartition| {
            ends.get(partition).is_some_and(|end| self.consumer.position(partition) >= Some(*end))
        };
        for task in self.tasks.values_mut() {
            for queue in task.queues.iter().filter(|queue| read(&queue.partition)) {
                task.processor.fall_idle(queue.source)?;
                task.idle = true;
            }
        }
        Ok(())
    }
}

/// In a bounded run: closes a task whose every input has ended.
fn end_if_done(
    shared: &Shared,
    task: &mut StreamTask,
    position: &dyn Fn(&TopicPartition) -> Option<i64>,
) -> Result<()> {
    if shared.bounds.is_none() || task.ended {
        return Ok(());
    }
    let mut all_done = true;
    for queue in &task.queues {
        let done = if queue.internal {
            queue.is_empty() && task.processor.upstreams_ended(queue.source)?
        } else {
            let end = queue.bound.unwrap_or_default();
            queue.next >= end || (queue.is_empty() && position(&queue.partition).is_some_and(|at| at >= end))
        };
        all_done &= done;
        // What depends on this input alone need not wait for the others, which may depend on it by way of another task.
        if done && task.processor.end_source(queue.source)? {
            task.news = true;
        }
    }
    if all_done {
        task.processor.end_of_input();
        task.ended = true;
    }
    Ok(())
}
