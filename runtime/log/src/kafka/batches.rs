//! Messages of one poll become runs by partition.

use headwater_core::{BatchBuilder, Headers, Offset, RecordBatch, TopicPartition};
use rdkafka::{Message, message::BorrowedMessage, topic_partition_list::TopicPartitionList};

use super::ffi;

/// A run is cut when it has grown to this many bytes.
const MAX_BATCH_BYTES: usize = 1 << 20;

/// Collects messages, which arrive in runs of one partition.
#[derive(Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    last: usize,
    bytes: usize,
    done: Vec<(TopicPartition, RecordBatch)>,
}

struct Run {
    /// librdkafka's own handle of the topic, valid while its messages are; saves comparing names.
    topic: usize,
    name: TopicPartition,
    base: Offset,
    next: Offset,
    builder: BatchBuilder,
}

impl Runs {
    /// The bytes collected so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub fn push(&mut self, message: &BorrowedMessage<'_>) {
        let (topic, partition, offset) = (message.topic_ptr() as usize, message.partition(), message.offset());
        let same = |run: &Run| run.topic == topic && run.name.partition == partition;
        if !self.runs.get(self.last).is_some_and(same) {
            self.last = self.runs.iter().position(same).unwrap_or_else(|| {
                let name = TopicPartition::new(message.topic(), partition);
                self.runs.push(Run { topic, name, base: offset, next: offset, builder: BatchBuilder::new() });
                self.runs.len() - 1
            });
        }
        let Some(run) = self.runs.get_mut(self.last) else { return };
        let delta = u32::try_from(offset - run.base).ok().filter(|_| offset >= run.next);
        if delta.is_none() || run.builder.byte_len() >= MAX_BATCH_BYTES {
            self.done.extend(run.take());
        }
        let delta = if run.builder.is_empty() {
            run.base = offset;
            0
        } else {
            delta.unwrap_or_default()
        };
        let before = run.builder.byte_len();
        let timestamp = message.timestamp().to_millis().unwrap_or(-1);
        let headers = if message.headers().is_some() { ffi::headers(message) } else { Headers::new() };
        run.builder.push_at(delta, timestamp, message.key(), message.payload(), &headers);
        run.next = offset + 1;
        self.bytes += run.builder.byte_len() - before;
    }

    /// All runs, in offset order within each partition.
    pub fn finish(mut self) -> Vec<(TopicPartition, RecordBatch)> {
        for run in &mut self.runs {
            self.done.extend(run.take());
        }
        self.done
    }
}

impl Run {
    fn take(&mut self) -> Option<(TopicPartition, RecordBatch)> {
        self.builder.take().map(|batch| (self.name.clone(), batch.at(self.base)))
    }
}

/// A list of partitions without offsets.
pub(super) fn list<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    list
}
