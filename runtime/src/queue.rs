//! The records of one partition that wait for their task.

use std::collections::VecDeque;

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
    bytes: usize,
    /// One past the last record taken.
    pub(crate) next: Offset,
    /// What was committed last.
    pub(crate) committed: Offset,
    /// Where a bounded run ends, for input topics.
    pub(crate) bound: Option<Offset>,
    pub(crate) paused: bool,
    /// Whether the log had nothing more when last asked.
    pub(crate) caught_up: bool,
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
            bytes: 0,
            next: start,
            committed: start,
            bound: None,
            paused: false,
            caught_up: false,
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
        self.batches.is_empty()
    }

    /// Bytes of the batches that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
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
        loop {
            let Some(batch) = self.batches.front() else { return Ok(None) };
            let Some((record, after)) = batch.read_at(self.at)? else {
                self.drop_front();
                continue;
            };
            let (offset, next) = (record.offset, after);
            if self.bound.is_some_and(|bound| offset >= bound) {
                self.batches.clear();
                self.bytes = 0;
                return Ok(None);
            }
            if offset < self.next {
                self.at = next;
                continue;
            }
            break;
        }
        // Read again: the borrow checker does not see that the loop returns the last reading.
        match self.batches.front() {
            Some(batch) => batch.read_at(self.at),
            None => Ok(None),
        }
    }

    /// The head was taken.
    pub(crate) fn advance(&mut self, offset: Offset, after: usize) {
        self.next = offset + 1;
        self.at = after;
        self.head_time = None;
        let finished = self.batches.front().is_some_and(|batch| after >= batch.as_bytes().len());
        if finished {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.bytes = self.bytes.saturating_sub(batch.as_bytes().len());
        }
        self.at = self.batches.front().map_or(0, RecordBatch::start);
    }
}
