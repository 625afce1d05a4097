//! How things are named inside RocksDB. Numbers in keys are big endian, so that byte order is number order.
//!
//! Family `log`: `topic u32 | partition u32 | base offset u64` -> the batch's own bytes.
//! Family `default` (everything else), first byte of the key says what it is:
//! `c` topic name -> topic; `h` topic, partition -> end offset; `s` topic, partition -> start offset;
//! `t` topic, partition, greatest timestamp so far -> base offset of the batch that brought it;
//! `g` group, topic, partition -> committed offset; `p` transactional id -> producer epoch;
//! `v` -> format version; `n` -> next topic id.

use headwater_core::{Offset, Timestamp};

pub(super) const FORMAT: &[u8] = b"v";
pub(super) const NEXT_TOPIC: &[u8] = b"n";
pub(super) const TOPICS: u8 = b'c';
pub(super) const ENDS: u8 = b'h';
pub(super) const STARTS: u8 = b's';
const TIMES: u8 = b't';
const GROUPS: u8 = b'g';
const PRODUCERS: u8 = b'p';

/// The numbers of a partition: its topic's id and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PartitionId {
    pub topic: u32,
    pub partition: u32,
}

impl PartitionId {
    fn bytes(self) -> [u8; 8] {
        ((u64::from(self.topic) << 32) | u64::from(self.partition)).to_be_bytes()
    }

    fn tagged(self, tag: u8) -> Vec<u8> {
        let mut key = Vec::with_capacity(17);
        key.push(tag);
        key.extend_from_slice(&self.bytes());
        key
    }

    pub fn end(self) -> Vec<u8> {
        self.tagged(ENDS)
    }

    pub fn start(self) -> Vec<u8> {
        self.tagged(STARTS)
    }

    /// The key of the batch that starts at `offset`.
    pub fn batch(self, offset: Offset) -> [u8; 16] {
        ((u128::from(u64::from_be_bytes(self.bytes())) << 64) | u128::from(offset.cast_unsigned())).to_be_bytes()
    }

    pub fn time(self, timestamp: Timestamp) -> Vec<u8> {
        let mut key = self.tagged(TIMES);
        // Flipping the sign bit makes negative timestamps sort before positive ones.
        key.extend_from_slice(&(timestamp ^ i64::MIN).to_be_bytes());
        key
    }

    /// Past every time of the partition.
    pub fn past_times(self) -> Vec<u8> {
        let mut key = self.time(Timestamp::MAX);
        key.push(0);
        key
    }

    /// Reads back `end` and `start` keys, without their first byte.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (topic, rest) = bytes.split_first_chunk()?;
        let (partition, rest) = rest.split_first_chunk()?;
        rest.is_empty().then(|| Self { topic: u32::from_be_bytes(*topic), partition: u32::from_be_bytes(*partition) })
    }
}

/// The base offset in a batch's key.
pub(super) fn batch_offset(key: &[u8]) -> Option<Offset> {
    key.last_chunk().map(|bytes| i64::from_be_bytes(*bytes))
}

/// The timestamp in a time key.
pub(super) fn time_of(key: &[u8]) -> Option<Timestamp> {
    key.last_chunk().map(|bytes| i64::from_be_bytes(*bytes) ^ i64::MIN)
}

pub(super) fn topic(name: &str) -> Vec<u8> {
    named(TOPICS, name)
}

pub(super) fn producer(id: &str) -> Vec<u8> {
    named(PRODUCERS, id)
}

pub(super) fn group_offset(group: &str, id: PartitionId) -> Vec<u8> {
    let mut key = Vec::with_capacity(group.len() + 13);
    key.push(GROUPS);
    key.extend_from_slice(&(group.len() as u32).to_be_bytes());
    key.extend_from_slice(group.as_bytes());
    key.extend_from_slice(&id.bytes());
    key
}

/// The first byte of every committed offset's key.
pub(super) const ALL_GROUP_OFFSETS: &[u8] = &[GROUPS];

/// The partition in a committed offset's key.
pub(super) fn group_offset_partition(key: &[u8]) -> Option<PartitionId> {
    key.last_chunk::<8>().and_then(|bytes| PartitionId::parse(bytes))
}

fn named(tag: u8, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 1);
    key.push(tag);
    key.extend_from_slice(name.as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_numbers_do() {
        let id = PartitionId { topic: 1, partition: 2 };
        assert!(id.batch(255) < id.batch(256));
        assert!(id.batch(i64::MAX) < PartitionId { topic: 1, partition: 3 }.batch(0));
        assert!(id.time(-5) < id.time(-4) && id.time(-1) < id.time(0) && id.time(0) < id.time(1));
        assert!(id.time(i64::MAX) < id.past_times());
        assert_eq!(time_of(&id.time(-77)), Some(-77));
        assert_eq!(batch_offset(&id.batch(1 << 40)), Some(1 << 40));
        assert_eq!(group_offset_partition(&group_offset("g", id)), Some(id));
    }
}
