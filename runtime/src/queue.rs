//! The records of one partition that wait for their task.

use std::{collections::VecDeque, time::Instant};

use crate::lanes::Lanes;
use headwater_core::{Offset, RecordBatch, RecordRef, Result, Timestamp, TopicPartition};

/// One input partition of a task.
pub(crate) struct RecordQueue {
    pub(crate) partition: TopicPartition,
    /// The place of its topic among the task's sources.
    pub(crate) source: usize,
    pub(crate) internal: bool,
    batches: VecDeque<RecordBatch>,
    /// Byte position of the head in the first batch.
    at: usize,
    head_time: Option<Timestamp>,
    /// Whether every record of the first batch from `at` on is to be taken, so that none need be looked at twice.
    settled: bool,
    bytes: usize,
    /// One past the last record taken.
    pub(crate) next: Offset,
    /// What was committed last.
    pub(crate) committed: Offset,
    /// Up to where the log has been asked to let records go.
    pub(crate) purged: Offset,
    /// Where a bounded run ends, for input topics.
    pub(crate) bound: Option<Offset>,
    pub(crate) paused: bool,
    /// Whether the log had nothing more when last asked.
    pub(crate) caught_up: bool,
    /// When it last had a record, or was last found to have none; on the machine's monotonic clock.
    pub(crate) last_news: Instant,
    /// Its records by sender, if they are taken in the order of their senders' time, and whose comes next.
    pub(crate) lanes: Option<Lanes>,
    pub(crate) chosen: usize,
}

impl RecordQueue {
    pub(crate) fn new(partition: TopicPartition, source: usize, internal: bool, start: Offset) -> Self {
        Self {
            partition,
            source,
            internal,
            batches: VecDeque::new(),
            at: 0,
            head_time: None,
            settled: false,
            bytes: 0,
            next: start,
            committed: start,
            purged: 0,
            bound: None,
            paused: false,
            caught_up: false,
            last_news: Instant::now(),
            lanes: None,
            chosen: 0,
        }
    }

    /// Appends a batch; what lies before the queue's position or at its bound and after is left out.
    pub(crate) fn append(&mut self, batch: RecordBatch) {
        let beyond = self.bound.is_some_and(|bound| batch.base_offset() >= bound);
        if batch.next_offset() <= self.next || beyond {
            return;
        }
        if self.batches.is_empty() {
            self.at = batch.start();
        }
        self.bytes += batch.as_bytes().len();
        self.caught_up = false;
        self.batches.push_back(batch);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.as_ref().map_or(self.batches.is_empty(), Lanes::is_empty)
    }

    /// Bytes of the batches that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.lanes.as_ref().map_or(self.bytes, Lanes::bytes)
    }

    /// The head's event time, asked of `time_of` once per record.
    pub(crate) fn head_time(&mut self, time_of: impl FnOnce(&RecordRef<'_>) -> Timestamp) -> Result<Option<Timestamp>> {
        if self.head_time.is_none() {
            let Some((record, _)) = self.head()? else { return Ok(None) };
            let time = time_of(&record);
            self.head_time = Some(time);
        }
        Ok(self.head_time)
    }

    /// The head and the position after it. Skips what was taken before, and ends at the bound.
    pub(crate) fn head(&mut self) -> Result<Option<(RecordRef<'_>, usize)>> {
        if self.lanes.is_none() && !self.settled {
            self.settle()?;
        }
        match &self.lanes {
            Some(lanes) => lanes.head(self.chosen),
            None => self.batches.front().map_or(Ok(None), |batch| batch.read_at(self.at)),
        }
    }

    /// Moves to the first record that is to be taken.
    fn settle(&mut self) -> Result<()> {
        while let Some(batch) = self.batches.front() {
            let Some((record, after)) = batch.read_at(self.at)? else {
                self.drop_front();
                continue;
            };
            if self.bound.is_some_and(|bound| record.offset >= bound) {
                self.batches.clear();
                self.bytes = 0;
                return Ok(());
            }
            if record.offset >= self.next {
                self.settled = self.bound.is_none_or(|bound| batch.next_offset() <= bound);
                return Ok(());
            }
            self.at = after;
        }
        Ok(())
    }

    /// The head was taken.
    pub(crate) fn advance(&mut self, offset: Offset, after: usize) {
        if let Some(lanes) = &mut self.lanes {
            lanes.advance(self.chosen);
            self.next = lanes.next();
            return;
        }
        self.next = offset + 1;
        self.at = after;
        self.head_time = None;
        let finished = self.batches.front().is_some_and(|batch| after >= batch.as_bytes().len());
        if finished {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        self.settled = false;
        if let Some(batch) = self.batches.pop_front() {
            self.bytes = self.bytes.saturating_sub(batch.as_bytes().len());
        }
        self.at = self.batches.front().map_or(0, RecordBatch::start);
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::{BatchBuilder, Headers};

    use super::*;

    fn queue(start: Offset, bound: Option<Offset>) -> RecordQueue {
        let mut queue = RecordQueue::new(TopicPartition::new("t", 0), 0, false, start);
        queue.bound = bound;
        queue
    }

    /// A batch of records at these offsets.
    fn batch(offsets: &[Offset]) -> RecordBatch {
        let mut builder = BatchBuilder::new();
        for offset in offsets {
            builder.push_at((offset - offsets[0]) as u32, *offset, None, None, &Headers::new());
        }
        builder.take().unwrap().at(offsets[0])
    }

    fn take_all(queue: &mut RecordQueue) -> Vec<Offset> {
        let mut taken = Vec::new();
        while let Some((record, after)) = queue.head().unwrap() {
            let offset = record.offset;
            drop(record);
            queue.advance(offset, after);
            taken.push(offset);
        }
        taken
    }

    #[test]
    fn what_was_taken_before_is_skipped_across_batches() {
        let mut queue = queue(2, None);
        queue.append(batch(&[0, 1]));
        queue.append(batch(&[0, 1, 2, 3]));
        queue.append(batch(&[4, 5]));
        queue.append(batch(&[4, 5, 6]));
        assert_eq!(take_all(&mut queue), [2, 3, 4, 5, 6]);
        assert!(queue.is_empty());
        assert_eq!((queue.bytes(), queue.next), (0, 7));
    }

    #[test]
    fn a_bound_ends_the_queue_within_a_batch_also_in_a_gap() {
        for bound in [2, 3, 4] {
            let mut queue = queue(0, Some(bound));
            queue.append(batch(&[0, 1, 4, 5]));
            queue.append(batch(&[6]));
            assert_eq!(take_all(&mut queue), [0, 1], "bound {bound}");
            assert_eq!((queue.is_empty(), queue.bytes()), (true, 0));
        }
    }

    #[test]
    fn a_record_stays_the_head_until_it_is_taken() {
        let mut queue = queue(0, None);
        queue.append(batch(&[0, 1]));
        let first = queue.head().unwrap().unwrap().0.offset;
        assert_eq!((first, queue.head().unwrap().unwrap().0.offset), (0, 0));
        assert_eq!(queue.head_time(|record| record.timestamp).unwrap(), Some(0));
    }
}
