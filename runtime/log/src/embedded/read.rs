//! Reading batches back.

use bytes::Bytes;
use headwater_core::{BatchBuilder, Offset, RecordBatch, Result, Timestamp};
use rocksdb::DBRawIterator;

use super::{catalog::Partition, catalog::damaged, keys, storage::Storage};

/// The batches of a partition from `from` on, at least one if there is one, then as many as fit into `budget`
/// bytes. Also gives the offset to read next, which lies past what was removed.
pub(super) fn read(
    storage: &Storage,
    partition: &Partition,
    from: Offset,
    budget: usize,
) -> Result<(Vec<RecordBatch>, Offset)> {
    let end = partition.end();
    if let Some(held) = partition.tail.read(from, end, budget) {
        let next = held.last().map_or(from, RecordBatch::next_offset);
        let batches = held.into_iter().filter_map(|batch| not_before(batch, from).transpose());
        return Ok((batches.collect::<Result<_>>()?, next));
    }
    let mut batches = Vec::new();
    let mut next = from;
    let mut bytes = 0;
    let mut iter = positioned(storage, partition, from, end)?;
    while let Some((key, value)) = iter.item() {
        if !batches.is_empty() && bytes + value.len() > budget {
            return Ok((batches, next));
        }
        let batch = parse(storage, partition, key, value)?;
        if let Some(batch) = not_before(batch, from)? {
            bytes += value.len();
            next = batch.next_offset();
            batches.push(batch);
        }
        iter.next();
    }
    storage.check(&iter)?;
    Ok((batches, end))
}

/// An iterator at the batch that contains `from`, or at one before or after it that ends or begins there.
fn positioned<'a>(storage: &'a Storage, partition: &Partition, from: Offset, end: Offset) -> Result<DBRawIterator<'a>> {
    let id = partition.id;
    let mut iter = storage.batches(&id.batch(0), &id.batch(end))?;
    let wanted = id.batch(from);
    // Whoever reads on from where a batch ended finds the next one exactly here.
    iter.seek(wanted);
    if iter.key() != Some(wanted.as_slice()) {
        iter.seek_for_prev(wanted);
        if !iter.valid() {
            storage.check(&iter)?;
            iter.seek(wanted);
        }
    }
    Ok(iter)
}

fn parse(storage: &Storage, partition: &Partition, key: &[u8], value: &[u8]) -> Result<RecordBatch> {
    let Some(base) = keys::batch_offset(key) else { return Err(damaged(storage, "the key of a batch")) };
    RecordBatch::parse(base, Bytes::copy_from_slice(value)).map_err(|error| error.at_record(&partition.name, base))
}

/// The batch without its records before `from`.
fn not_before(batch: RecordBatch, from: Offset) -> Result<Option<RecordBatch>> {
    if batch.base_offset() >= from {
        return Ok(Some(batch));
    }
    let mut kept = BatchBuilder::new();
    let mut base = None;
    for record in &batch {
        let record = record?;
        if record.offset >= from {
            let base = *base.get_or_insert(record.offset);
            // Both lie in one batch, whose offsets span less than 2^32.
            let delta = (record.offset - base) as u32;
            kept.push_at(delta, record.timestamp, record.key, record.value, &record.headers);
        }
    }
    Ok(kept.take().map(|kept| kept.at(base.unwrap_or(from))))
}

/// The key of the batch that contains `offset`, or else of the first after it; `None` if there is none.
pub(super) fn batch_key_at(storage: &Storage, partition: &Partition, offset: Offset) -> Result<Option<Vec<u8>>> {
    let mut iter = positioned(storage, partition, offset, partition.end())?;
    while let Some((key, value)) = iter.item() {
        if parse(storage, partition, key, value)?.next_offset() > offset {
            return Ok(Some(key.to_vec()));
        }
        iter.next();
    }
    storage.check(&iter)?;
    Ok(None)
}

/// The offset of the first record with a timestamp at or after `time`, or the end offset.
pub(super) fn offset_for_time(storage: &Storage, partition: &Partition, time: Timestamp) -> Result<Offset> {
    let id = partition.id;
    let start = partition.start();
    // The greatest timestamp first reached `time` in the batch of the first index entry at or after it.
    let Some((_, hint)) = storage.first(&id.time(time), &id.past_times())? else { return Ok(partition.end()) };
    let hint = <[u8; 8]>::try_from(hint).map_err(|_| damaged(storage, "an entry of the time index"))?;
    let hint = Offset::from_le_bytes(hint);
    // If that batch has been deleted, a later one is the first, and only looking tells which.
    let from = hint.max(start);
    let mut iter = positioned(storage, partition, from, partition.end())?;
    while let Some((key, value)) = iter.item() {
        let batch = parse(storage, partition, key, value)?;
        if batch.max_timestamp() >= time {
            for record in &batch {
                let record = record?;
                if record.offset >= from && record.timestamp >= time {
                    return Ok(record.offset);
                }
            }
        }
        iter.next();
    }
    storage.check(&iter)?;
    Ok(partition.end())
}

/// Calls `visit` for each batch from the one that contains `from` to before `end`, while it says to go on.
pub(super) fn walk(
    storage: &Storage,
    partition: &Partition,
    from: Offset,
    end: Offset,
    mut visit: impl FnMut(&RecordBatch) -> bool,
) -> Result<()> {
    let mut iter = positioned(storage, partition, from, end)?;
    while let Some((key, value)) = iter.item() {
        if !visit(&parse(storage, partition, key, value)?) {
            return Ok(());
        }
        iter.next();
    }
    storage.check(&iter)
}
