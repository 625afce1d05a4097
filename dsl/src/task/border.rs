//! Records that wait inside a task: a step at the border to something slow takes them in and sends them on later, as if
//! no time had passed.

use headwater_core::{Error, Offset, TopicPartition};

use super::{TaskContext, context::KeptRaw};
use crate::wire::Flow;

/// A step that sends records on later than they came.
pub(crate) trait Border {
    /// Waits for every record it holds and sends it on.
    fn drain(&self) -> Flow;
}

/// The task's surroundings of a record as they were when it came: its place, and every time by which a step below may
/// judge it. A record that goes on later must be judged as if it went on at once, or a replay would give another answer.
pub(crate) struct Standing {
    partition: i32,
    offset: Offset,
    source: usize,
    sender_time: Option<i64>,
    stream_time: i64,
    queue_times: Vec<i64>,
    passing: (i64, i64),
    raw: Option<KeptRaw>,
}

impl Standing {
    /// Adds the record's place to an error.
    pub(crate) fn blame(&self, context: &TaskContext, error: Error) -> Error {
        match context.topic_of(self.source) {
            Some(topic) => error.at_record(&TopicPartition::new(topic, self.partition), self.offset),
            None => error,
        }
    }
}

impl TaskContext {
    /// The current record's surroundings. Counts one more record that waits.
    pub(crate) fn stand_aside(&self) -> Standing {
        self.waiting.set(self.waiting.get() + 1);
        Standing {
            partition: self.partition.get(),
            offset: self.offset.get(),
            source: self.source.get(),
            sender_time: self.sender_time.get(),
            stream_time: self.stream_time.get(),
            queue_times: self.queues.borrow().iter().map(|queue| queue.time()).collect(),
            passing: self.passing.now(),
            raw: self.raw.borrow().clone(),
        }
    }

    /// Runs `push` in the surroundings of a record that waited, and comes back to those of now.
    pub(crate) fn as_of(&self, standing: Standing, push: impl FnOnce() -> Flow) -> Flow {
        self.waiting.set(self.waiting.get().saturating_sub(1));
        let now = self.swap(standing);
        let pushed = push();
        self.swap(now);
        pushed
    }

    fn swap(&self, to: Standing) -> Standing {
        let queues = self.queues.borrow();
        let queue_times = queues.iter().zip(&to.queue_times).map(|(queue, time)| queue.turn_to(*time)).collect();
        let stream_time = self.stream_time.get();
        self.stream_time.set(to.stream_time);
        Standing {
            partition: self.partition.replace(to.partition),
            offset: self.offset.replace(to.offset),
            source: self.source.replace(to.source),
            sender_time: self.sender_time.replace(to.sender_time),
            stream_time,
            queue_times,
            passing: self.passing.turn_to(to.passing),
            raw: self.raw.replace(to.raw),
        }
    }
}
