//! Removing records: on request, by age, by size, with their topic.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use headwater_core::{Offset, Result, TopicPartition};
use rocksdb::WriteBatch;

use super::{
    catalog::{Partition, Topic},
    engine::Engine,
    keys,
    locks::{self, lock},
    read,
    settings::TopicSettings,
};
use crate::errors;

/// A range of keys whose disk space can be given back.
pub(super) type Freed = Range<Vec<u8>>;

/// Removes all records before `offset`. Gives the freed range, if any.
pub(super) fn cut(engine: &Engine, partition: &Partition, offset: Offset) -> Result<Option<Freed>> {
    engine.alone(|| {
        if offset > partition.end() {
            return Err(errors::past_the_end(&partition.name, offset));
        }
        if offset <= partition.start() {
            return Ok(None);
        }
        let id = partition.id;
        let from = id.batch(0);
        // A batch of which some records stay is kept whole; readers skip what lies before the start.
        let to = read::batch_key_at(&engine.storage, partition, offset)?;
        let to = to.unwrap_or_else(|| id.batch(partition.end()).to_vec());
        let mut write = WriteBatch::default();
        write.put(id.start(), offset.to_le_bytes());
        write.delete_range_cf(engine.storage.log()?, from.as_slice(), to.as_slice());
        forget_times(engine, partition, offset, &mut write)?;
        engine.storage.write(write, engine.config.durable)?;
        partition.cut(offset);
        *lock(&partition.bytes) = None;
        Ok(Some(from.to_vec()..to))
    })
}

/// Drops the index entries of removed batches but for the greatest: it tells that all later ones are exact.
fn forget_times(engine: &Engine, partition: &Partition, offset: Offset, write: &mut WriteBatch) -> Result<()> {
    let id = partition.id;
    let mut last = None;
    engine.storage.scan(&id.time(i64::MIN), &id.past_times(), |key, base| {
        if <[u8; 8]>::try_from(base).is_ok_and(|base| Offset::from_le_bytes(base) < offset)
            && let Some(previous) = last.replace(key.to_vec())
        {
            write.delete(previous);
        }
        Ok(())
    })
}

/// Removes what the topics' retention settings say, by the clock's time. Gives the freed ranges.
pub(super) fn enforce(engine: &Engine) -> Result<Vec<Freed>> {
    let mut freed = Vec::new();
    for topic in engine.catalog.all() {
        let settings = locks::read(&topic.shared.settings).clone();
        if !settings.delete {
            continue;
        }
        for partition in &topic.partitions {
            if partition.deleted() {
                break;
            }
            let keep_from = first_kept(engine, partition, &settings)?;
            if keep_from > partition.start() {
                freed.extend(cut(engine, partition, keep_from)?);
            }
        }
    }
    Ok(freed)
}

/// The offset of the first batch that stays.
fn first_kept(engine: &Engine, partition: &Partition, settings: &TopicSettings) -> Result<Offset> {
    let start = partition.start();
    if settings.retention_ms.is_none() && settings.retention_bytes.is_none() {
        return Ok(start);
    }
    let oldest = settings.retention_ms.map_or(i64::MIN, |ms| engine.clock.now_ms().saturating_sub(ms));
    let mut excess = match settings.retention_bytes {
        None => 0,
        Some(limit) => size(engine, partition)?.saturating_sub(limit),
    };
    let mut kept = start;
    let end = partition.end();
    read::walk(&engine.storage, partition, start, end, |batch| {
        let bytes = batch.as_bytes().len() as u64;
        // As Kafka does, stop at the first that stays, and never go below the limit.
        if batch.max_timestamp() >= oldest && bytes > excess {
            return false;
        }
        excess = excess.saturating_sub(bytes);
        kept = batch.next_offset();
        true
    })?;
    Ok(kept.min(end))
}

/// The bytes of a partition's batches. Counted by reading them once, then kept up to date by the writer.
fn size(engine: &Engine, partition: &Partition) -> Result<u64> {
    engine.alone(|| {
        let mut known = lock(&partition.bytes);
        if let Some(bytes) = *known {
            return Ok(bytes);
        }
        let mut bytes = 0;
        read::walk(&engine.storage, partition, partition.start(), partition.end(), |batch| {
            bytes += batch.as_bytes().len() as u64;
            true
        })?;
        *known = Some(bytes);
        Ok(bytes)
    })
}

/// Deletes a topic with its records, index and committed offsets.
pub(super) fn delete_topic(engine: &Engine, topic: &Arc<Topic>) -> Result<Freed> {
    let freed = engine.alone(|| {
        let first = keys::PartitionId { topic: topic.id, partition: 0 };
        let past = keys::PartitionId { topic: topic.id + 1, partition: 0 };
        let (from, to) = (first.batch(0).to_vec(), past.batch(0).to_vec());
        let mut write = WriteBatch::default();
        write.delete(keys::topic(&topic.shared.name));
        write.delete_range_cf(engine.storage.log()?, from.as_slice(), to.as_slice());
        for (first, past) in [(first.end(), past.end()), (first.start(), past.start())] {
            write.delete_range(first, past);
        }
        write.delete_range(first.time(i64::MIN), past.time(i64::MIN));
        let past_groups = keys::ALL_GROUP_OFFSETS.iter().map(|byte| byte + 1).collect::<Vec<_>>();
        engine.storage.scan(keys::ALL_GROUP_OFFSETS, &past_groups, |key, _| {
            if keys::group_offset_partition(key).is_some_and(|id| id.topic == topic.id) {
                write.delete(key);
            }
            Ok(())
        })?;
        engine.storage.write(write, engine.config.durable)?;
        engine.catalog.remove(&topic.shared.name);
        Ok(from..to)
    })?;
    engine.groups.rebalance_all(&engine.catalog);
    engine.signal.raise();
    Ok(freed)
}

/// Checks all, then removes the records before each offset.
pub(super) fn delete_records(engine: &Engine, before: &[(TopicPartition, Offset)]) -> Result<Vec<Freed>> {
    let partitions: BTreeMap<_, _> =
        before.iter().map(|(name, offset)| Ok((name, (engine.partition(name)?, *offset)))).collect::<Result<_>>()?;
    if let Some((partition, offset)) = partitions.values().find(|(partition, offset)| *offset > partition.end()) {
        return Err(errors::past_the_end(&partition.name, *offset));
    }
    let mut freed = Vec::new();
    for (partition, offset) in partitions.values() {
        freed.extend(cut(engine, partition, *offset)?);
    }
    Ok(freed)
}
