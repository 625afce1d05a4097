//! Topics in memory.

use headwater_core::{Headers, Offset, RecordRef, Timestamp};

/// Records one after another. Their keys and values lie in one piece of memory, so that a record more costs a copy and
/// no allocation.
#[derive(Debug, Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    records: Vec<Place>,
}

/// Where a record's key and value lie: the key from `start` on, the value behind it. What is null has no end.
#[derive(Debug)]
struct Place {
    timestamp: Timestamp,
    start: usize,
    key_end: Option<usize>,
    value_end: Option<usize>,
    headers: Headers,
}

impl Records {
    /// Appends a copy of `record`, whatever offset it had elsewhere.
    pub(super) fn push(&mut self, record: RecordRef<'_>) {
        let start = self.bytes.len();
        let key_end = record.key.map(|key| self.copy(key));
        let value_end = record.value.map(|value| self.copy(value));
        self.records.push(Place { timestamp: record.timestamp, start, key_end, value_end, headers: record.headers });
    }

    /// Copies `part` to the end; returns where it ends.
    fn copy(&mut self, part: &[u8]) -> usize {
        self.bytes.extend_from_slice(part);
        self.bytes.len()
    }

    /// The record at `offset`, if it was written.
    pub(super) fn get(&self, offset: Offset) -> Option<RecordRef<'_>> {
        let place = self.records.get(usize::try_from(offset).ok()?)?;
        let key = place.key_end.map(|end| self.bytes.get(place.start..end).unwrap_or_default());
        let value_start = place.key_end.unwrap_or(place.start);
        let value = place.value_end.map(|end| self.bytes.get(value_start..end).unwrap_or_default());
        Some(RecordRef { offset, timestamp: place.timestamp, key, value, headers: place.headers.clone() })
    }

    /// The offset of the next record.
    pub(super) fn end(&self) -> Offset {
        self.records.len() as Offset
    }

    /// Forgets all records and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }
}

#[derive(Debug)]
struct MemoryTopic {
    partitions: Vec<Records>,
    /// Partition and offset of every record, in the order of writing.
    order: Vec<(i32, Offset)>,
    /// How many of them the test has read.
    read: usize,
}

impl MemoryTopic {
    fn partition(&self, partition: i32) -> Option<&Records> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }
}

/// All topics of a driver, by the numbers that [`Surroundings::topic`](super::env::Surroundings::topic) gives them.
#[derive(Debug)]
pub(super) struct MemoryTopics(Vec<MemoryTopic>);

impl MemoryTopics {
    /// Empty topics with these numbers of partitions.
    pub(super) fn new(partitions: impl Iterator<Item = i32>) -> Self {
        let topic = |count| {
            let partitions = (0..count).map(|_| Records::default()).collect();
            MemoryTopic { partitions, order: Vec::new(), read: 0 }
        };
        Self(partitions.map(topic).collect())
    }

    /// Writes a record to a partition that the topic has.
    pub(super) fn append(&mut self, topic: usize, partition: i32, record: RecordRef<'_>) {
        let Some(topic) = self.0.get_mut(topic) else { return };
        let place = usize::try_from(partition).ok();
        let Some(records) = place.and_then(|place| topic.partitions.get_mut(place)) else { return };
        topic.order.push((partition, records.end()));
        records.push(record);
    }

    /// The record at `offset`, if it was written.
    pub(super) fn record(&self, topic: usize, partition: i32, offset: Offset) -> Option<RecordRef<'_>> {
        self.0.get(topic)?.partition(partition)?.get(offset)
    }

    /// The offset of the next record of a partition.
    pub(super) fn end(&self, topic: usize, partition: i32) -> Offset {
        self.0.get(topic).and_then(|topic| topic.partition(partition)).map_or(0, Records::end)
    }

    /// What was written to `topic` since this was last called, with partitions, in the order of writing.
    pub(super) fn unread(&mut self, topic: usize) -> impl Iterator<Item = (i32, RecordRef<'_>)> {
        self.0.get_mut(topic).into_iter().flat_map(|topic| {
            let read = std::mem::replace(&mut topic.read, topic.order.len());
            let topic = &*topic;
            let fresh = topic.order.get(read..).unwrap_or_default();
            fresh
                .iter()
                .filter_map(|(partition, offset)| Some((*partition, topic.partition(*partition)?.get(*offset)?)))
        })
    }
}
