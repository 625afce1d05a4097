//! How positions are stored: key = topic, a zero byte, partition (big-endian); value = a format byte and the offset.

use headwater_core::{Offset, TopicPartition};

/// The family of positions. Stores' families have a prefix, so none can have this name.
pub(super) const POSITIONS: &str = "positions";

const VALUE_FORMAT: u8 = 1;

pub(super) fn key(partition: &TopicPartition) -> Vec<u8> {
    let mut key = partition.topic.as_bytes().to_vec();
    key.push(0);
    key.extend_from_slice(&partition.partition.to_be_bytes());
    key
}

pub(super) fn value(offset: Offset) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = offset.to_be_bytes();
    [VALUE_FORMAT, a, b, c, d, e, f, g, h]
}

pub(super) fn read(key: &[u8], value: &[u8]) -> Option<(TopicPartition, Offset)> {
    let (rest, partition) = key.split_last_chunk::<4>()?;
    let topic = std::str::from_utf8(rest.strip_suffix(&[0])?).ok()?;
    let offset = value.strip_prefix(&[VALUE_FORMAT])?;
    Some((TopicPartition::new(topic, i32::from_be_bytes(*partition)), Offset::from_be_bytes(offset.try_into().ok()?)))
}
