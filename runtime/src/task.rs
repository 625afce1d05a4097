//! A task of the real runtime: its operators, its stores, its input queues.

use std::{collections::BTreeMap, rc::Rc, time::Instant};

use headwater_core::{Error, LineageRange, Offset, RecordBatch, Result, TaskId, Timestamp, TopicPartition};
use headwater_dsl::ProcessorTask;
use headwater_state::{StoreChanges, TaskStore};

use crate::{queue::RecordQueue, stores::Lease};

/// One running task. Lives on one thread.
pub(crate) struct StreamTask {
    pub(crate) id: TaskId,
    pub(crate) processor: ProcessorTask,
    /// Dropped before the stores, so that nobody holds them any more when they close.
    pub(crate) lease: Lease,
    pub(crate) store: Option<TaskStore>,
    pub(crate) queues: Vec<RecordQueue>,
    /// The queues' partitions, beside them so that a record can be borrowed while its place is named.
    pub(crate) partitions: Vec<TopicPartition>,
    /// Records at which a step failed before, with the failure: they are set aside when they come again.
    pub(crate) failed: BTreeMap<(TopicPartition, Offset), Rc<Error>>,
    /// The rows changed by the transaction that is being committed.
    pub(crate) changes: StoreChanges,
    /// Whether it takes records in the order of their senders' time, and waits for senders, as bounded runs do.
    pub(crate) in_order: bool,
    pub(crate) waits: bool,
    /// Whether the record chosen last should have waited, had there been room.
    pub(crate) hurried: bool,
    /// Input records taken since the last commit.
    pub(crate) taken: u64,
    /// Whether one of its inputs has ended since the last commit.
    pub(crate) news: bool,
    /// Whether a wall-clock timer has fired since the last commit: its work is to be committed though no record was
    /// taken.
    pub(crate) punctuated: bool,
    /// Whether `end_of_input` has run, and whether that was committed.
    pub(crate) ended: bool,
    pub(crate) complete: bool,
    /// Whether one of its inputs was said to be idle, and no record has been taken since.
    pub(crate) idle: bool,
}

impl StreamTask {
    /// The queue whose head is the oldest record, if the task may take one now: an empty queue that is not known to be
    /// at its end holds the others back, so that records of several inputs are taken in the order of their time.
    fn next_queue(&mut self) -> Result<Option<usize>> {
        if self.in_order {
            return self.next_in_order();
        }
        if let [queue] = self.queues.as_slice() {
            // Nothing to choose from: nobody asks for the record's time.
            return Ok((!queue.is_empty()).then_some(0));
        }
        let mut oldest: Option<(i64, usize)> = None;
        for (place, queue) in self.queues.iter_mut().enumerate() {
            let source = queue.source;
            match queue.head_time(|record| self.processor.timestamp(source, record))? {
                Some(time) if oldest.is_none_or(|(least, _)| time < least) => oldest = Some((time, place)),
                None if !queue.caught_up => return Ok(None),
                _ => {}
            }
        }
        Ok(oldest.map(|(_, place)| place))
    }

    /// As [`StreamTask::next_queue`], by the senders' time. Where too many records wait, nobody is waited for: better
    /// another order, which is counted, than a task that stands still for ever.
    fn next_in_order(&mut self) -> Result<Option<usize>> {
        let mut least: Option<(Timestamp, usize)> = None;
        for (place, queue) in self.queues.iter_mut().enumerate() {
            let source = queue.source;
            let head = match &queue.lanes {
                Some(lanes) => lanes.least().map(|(time, lane)| {
                    queue.chosen = lane;
                    time
                }),
                None => {
                    queue.head_time(|record| self.processor.time_with(source, record).unwrap_or(record.timestamp))?
                }
            };
            let may_come = queue.is_empty() && !queue.caught_up && !(self.waits && queue.internal);
            match head {
                Some(time) if least.is_none_or(|(least, _)| time < least) => least = Some((time, place)),
                None if may_come => return Ok(None),
                _ => {}
            }
        }
        let Some((time, place)) = least else { return Ok(None) };
        let lanes = || self.queues.iter().filter_map(|queue| queue.lanes.as_ref());
        let early = self.waits && lanes().any(|lanes| lanes.holds_back(time));
        let full = early && self.queues.iter().any(|queue| queue.lanes.is_some() && queue.paused);
        self.hurried = full;
        Ok((!early || full).then_some(place))
    }

    /// More records of the partition at `place`.
    ///
    /// # Errors
    /// If the batch is damaged.
    pub(crate) fn append(&mut self, place: usize, batch: RecordBatch) -> Result<()> {
        let Some(queue) = self.queues.get_mut(place) else { return Ok(()) };
        queue.last_news = Instant::now();
        let Some(lanes) = &mut queue.lanes else {
            queue.append(batch);
            return Ok(());
        };
        queue.caught_up = false;
        let (processor, source) = (&self.processor, queue.source);
        lanes.append(&batch, |record| processor.sender(source, record))
    }

    /// Takes up to `limit` records. Returns how many came from input topics, and how many in all.
    ///
    /// # Errors
    /// Naming the record at which a step failed.
    pub(crate) fn process(&mut self, limit: usize) -> Result<(u64, u64)> {
        let (mut inputs, mut all) = (0, 0);
        while (all as usize) < limit {
            let Some(place) = self.next_queue()? else { break };
            let Some(queue) = self.queues.get_mut(place) else { break };
            let Some(partition) = self.partitions.get(place) else { break };
            let (source, internal) = (queue.source, queue.internal);
            let Some((record, after)) = queue.head()? else { continue };
            let offset = record.offset;
            self.processor.hurry(self.hurried);
            let failure = if self.failed.is_empty() { None } else { self.failed.get(&(partition.clone(), offset)) };
            let done = match failure {
                None => self.processor.process(source, partition.partition, &record),
                Some(failure) => self.processor.set_aside(source, partition.partition, &record, failure),
            };
            done.map_err(|error| error.at_record(partition, offset))?;
            drop(record);
            queue.advance(offset, after);
            if let (true, Some(order)) = (self.hurried, self.processor.order_of(source)) {
                order.hurry();
            }
            all += 1;
            inputs += u64::from(!internal);
        }
        self.processor.end_of_batch()?;
        self.taken += all;
        Ok((inputs, all))
    }

    /// As [`StreamTask::process`], with panics of user code turned into errors.
    ///
    /// # Errors
    /// Naming the record at which a step failed or panicked.
    pub(crate) fn process_guarded(&mut self, limit: usize) -> Result<(u64, u64)> {
        let guard = self.processor.panic_guard();
        let result = guard.run(|| self.process(limit));
        result.map_err(|error| match self.processor.at_work_on().or_else(|| self.position()) {
            Some((partition, offset)) => error.at_record(&partition, offset),
            None => error,
        })
    }

    /// Fires the wall-clock timers that are due.
    ///
    /// # Errors
    /// If a step fails or panics.
    pub(crate) fn punctuate_wall_clock(&mut self) -> Result<()> {
        let guard = self.processor.panic_guard();
        self.punctuated |= guard.run(|| self.processor.punctuate_wall_clock())?;
        Ok(())
    }

    /// The event time of the record that would be taken next; `None` if none may be.
    ///
    /// # Errors
    /// If it cannot be read, or the user's code that tells its time panics.
    pub(crate) fn head_time(&mut self) -> Result<Option<Timestamp>> {
        let guard = self.processor.panic_guard();
        guard.run(|| {
            let Some(place) = self.next_queue()? else { return Ok(None) };
            let Some(queue) = self.queues.get_mut(place) else { return Ok(None) };
            if let Some(lanes) = &queue.lanes {
                return Ok(lanes.least().map(|(time, _)| time));
            }
            let source = queue.source;
            queue.head_time(|record| self.processor.timestamp(source, record))
        })
    }

    /// The record at which a step has just failed with `error`, if the topology sets such records aside.
    pub(crate) fn sets_aside(&mut self, error: &Error) -> Option<(TopicPartition, Offset)> {
        if !self.processor.sets_aside(error) {
            return None;
        }
        // A step that holds records back fails at an earlier one than the last taken.
        let context = error.context();
        context.partition.clone().zip(context.offset).or_else(|| self.position())
    }

    /// The record that would be taken next, for the blame of a panic.
    fn position(&mut self) -> Option<(TopicPartition, i64)> {
        let place = self.next_queue().ok()??;
        let queue = self.queues.get_mut(place)?;
        let offset = queue.head().ok()??.0.offset;
        Some((queue.partition.clone(), offset))
    }

    /// What was read since the last commit.
    pub(crate) fn lineage(&self) -> impl Iterator<Item = LineageRange> {
        let stream_time = self.processor.stream_time();
        self.queues.iter().filter(|queue| queue.next > queue.committed).map(move |queue| LineageRange {
            task: self.id,
            partition: queue.partition.clone(),
            from: queue.committed,
            to: queue.next,
            stream_time,
        })
    }

    /// Its counters: the memo's numbers that count something.
    pub(crate) fn counters(&self) -> BTreeMap<String, i64> {
        let named = self.processor.memo().named();
        named.into_iter().filter(|(name, count)| *count > 0 && is_counter(name)).collect()
    }
}

/// Counters are named `what:where`; times are `what/where`. A closed window's end is a time as well.
fn is_counter(name: &str) -> bool {
    name.contains(':') && !name.starts_with("closed-end:") && !name.starts_with("last-end:")
}
