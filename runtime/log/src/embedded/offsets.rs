//! Committed offsets as they are stored: `1 | offset i64 LE | metadata`.

use headwater_core::{Offset, Result};

use super::{catalog::damaged, keys, keys::PartitionId, storage::Storage};
use crate::CommittedOffset;

const FORMAT: u8 = 1;

pub(super) fn encode(offset: Offset, metadata: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(9 + metadata.len());
    value.push(FORMAT);
    value.extend_from_slice(&offset.to_le_bytes());
    value.extend_from_slice(metadata.as_bytes());
    value
}

fn decode(value: &[u8]) -> Option<CommittedOffset> {
    let (&FORMAT, rest) = value.split_first()? else { return None };
    let (offset, metadata) = rest.split_first_chunk()?;
    Some(CommittedOffset {
        offset: Offset::from_le_bytes(*offset),
        metadata: std::str::from_utf8(metadata).ok()?.to_owned(),
    })
}

/// What `group` has committed for a partition.
pub(super) fn committed(storage: &Storage, group: &str, id: PartitionId) -> Result<Option<CommittedOffset>> {
    let Some(value) = storage.get(&keys::group_offset(group, id))? else { return Ok(None) };
    decode(&value).map(Some).ok_or_else(|| damaged(storage, &format!("a committed offset of group {group:?}")))
}
