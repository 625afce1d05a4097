//! Topics in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_core::{Headers, Offset, RecordRef, Timestamp, TopicPartition};

/// A record of a topic in memory.
#[derive(Debug, Clone)]
pub(super) struct StoredRecord {
    pub(super) timestamp: Timestamp,
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Headers,
}

impl StoredRecord {
    /// The record as a task reads it.
    pub(super) fn at(&self, offset: Offset) -> RecordRef<'_> {
        RecordRef {
            offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self.headers.clone(),
        }
    }
}

#[derive(Debug, Default)]
struct MemoryTopic {
    partitions: BTreeMap<i32, Vec<StoredRecord>>,
    /// Partition and place of every record, in the order of writing.
    order: Vec<(i32, usize)>,
    /// How many of them the test has read.
    read: usize,
}

/// All topics of a driver.
#[derive(Debug, Default)]
pub(super) struct MemoryTopics(BTreeMap<String, MemoryTopic>);

impl MemoryTopics {
    pub(super) fn append(&mut self, topic: &str, partition: i32, record: StoredRecord) {
        let topic = self.0.entry(topic.to_owned()).or_default();
        let records = topic.partitions.entry(partition).or_default();
        topic.order.push((partition, records.len()));
        records.push(record);
    }

    /// The record at `offset`, if it was written.
    pub(super) fn record(&self, at: &TopicPartition, offset: Offset) -> Option<&StoredRecord> {
        let place = usize::try_from(offset).ok()?;
        self.0.get(&*at.topic)?.partitions.get(&at.partition)?.get(place)
    }

    /// What was written to `topic` since this was last called, with partitions, in the order of writing.
    pub(super) fn unread(&mut self, topic: &str) -> Vec<(i32, Offset, StoredRecord)> {
        let Some(topic) = self.0.get_mut(topic) else { return Vec::new() };
        let fresh = topic.order.get(topic.read..).unwrap_or_default();
        let record = |(partition, place): &(i32, usize)| {
            let record = topic.partitions.get(partition)?.get(*place)?;
            Some((*partition, Offset::try_from(*place).ok()?, record.clone()))
        };
        let records = fresh.iter().filter_map(record).collect();
        topic.read = topic.order.len();
        records
    }
}
