//! The one way into the log: commits become a write batch, and then their offsets become visible.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use headwater_core::{Offset, RecordBatch, Result, Timestamp};
use rocksdb::WriteBatch;

use super::{
    catalog::Partition,
    engine::Engine,
    keys::{self, PartitionId},
    locks, offsets,
};
use crate::{CommitReceipt, OffsetCommit, errors};

/// What is written at once.
pub(super) struct Commit {
    pub batches: Vec<(Arc<Partition>, RecordBatch)>,
    pub offsets: Vec<GroupCommit>,
    /// The transactional producer it comes from.
    pub producer: Option<Identity>,
    /// Whether it must outlast a power cut before it is acknowledged.
    pub sync: bool,
}

/// Offsets of one group, with the membership that may commit them.
pub(super) struct GroupCommit {
    pub group: String,
    pub member: u64,
    pub offsets: Vec<(PartitionId, OffsetCommit)>,
}

/// A producer's place in the order of those that used its id.
#[derive(Clone)]
pub(super) struct Identity {
    pub id: Arc<str>,
    pub epoch: u64,
    pub latest: Arc<AtomicU64>,
}

impl Identity {
    pub fn check(&self) -> Result<()> {
        if self.latest.load(Ordering::Acquire) == self.epoch {
            return Ok(());
        }
        Err(errors::fenced(&self.id, "a newer producer was opened with this id"))
    }
}

/// Where a partition will end once the write is done.
struct Growth {
    partition: Arc<Partition>,
    end: Offset,
    newest: Timestamp,
    bytes: u64,
    batches: Vec<RecordBatch>,
}

/// Writes `commits`, each whole or not at all. To be called in the writer's turn.
pub(super) fn apply(engine: &Engine, commits: &[Commit]) -> Vec<Result<CommitReceipt>> {
    let bytes: usize = commits.iter().flat_map(|c| &c.batches).map(|(_, batch)| batch.as_bytes().len() + 64).sum();
    let mut write = WriteBatch::with_capacity_bytes(bytes + 256);
    let mut growth = HashMap::new();
    let mut sync = false;
    let mut results: Vec<_> = commits
        .iter()
        .map(|commit| {
            allowed(engine, commit)?;
            sync |= commit.sync;
            put(engine, &mut write, &mut growth, commit)
        })
        .collect();
    for grown in growth.values() {
        write.put(grown.partition.id.end(), grown.end.to_le_bytes());
    }
    if write.is_empty() {
        return results;
    }
    match engine.storage.write(write, sync) {
        Ok(()) => publish(engine, growth.into_values()),
        Err(error) => {
            let mut first = Some(error);
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = match first.take() {
                    Some(error) => Err(error),
                    None => engine.storage.check_usable().map(|()| CommitReceipt::default()),
                };
            }
        }
    }
    results
}

fn allowed(engine: &Engine, commit: &Commit) -> Result<()> {
    if let Some(producer) = &commit.producer {
        producer.check()?;
    }
    for (partition, _) in &commit.batches {
        if partition.deleted() {
            return Err(errors::no_such_topic(&engine.describe(), &partition.name.topic));
        }
    }
    commit.offsets.iter().try_for_each(|offsets| engine.groups.check_owned(offsets))
}

fn put(
    engine: &Engine,
    write: &mut WriteBatch,
    growth: &mut HashMap<PartitionId, Growth>,
    commit: &Commit,
) -> Result<CommitReceipt> {
    let log = engine.storage.log()?;
    let mut receipt = CommitReceipt::default();
    for (partition, batch) in &commit.batches {
        let id = partition.id;
        let grown = growth.entry(id).or_insert_with(|| Growth {
            partition: Arc::clone(partition),
            end: partition.end(),
            newest: partition.newest(),
            bytes: 0,
            batches: Vec::new(),
        });
        write.put_cf(log, id.batch(grown.end), batch.as_bytes());
        if batch.max_timestamp() > grown.newest {
            grown.newest = batch.max_timestamp();
            write.put(id.time(grown.newest), grown.end.to_le_bytes());
        }
        let stored = batch.clone().at(grown.end);
        grown.end = stored.next_offset();
        grown.batches.push(stored);
        grown.bytes += batch.as_bytes().len() as u64;
        receipt.next_offsets.insert(partition.name.clone(), grown.end);
    }
    for group in &commit.offsets {
        for (id, offset) in &group.offsets {
            write.put(keys::group_offset(&group.group, *id), offsets::encode(offset.offset, &offset.metadata));
        }
    }
    Ok(receipt)
}

fn publish(engine: &Engine, growth: impl Iterator<Item = Growth>) {
    let mut any = false;
    for grown in growth {
        for batch in grown.batches {
            engine.tails.add(&grown.partition, batch, engine.config.tail_bytes);
        }
        grown.partition.grow(grown.end, grown.newest);
        if let Some(bytes) = locks::lock(&grown.partition.bytes).as_mut() {
            *bytes += grown.bytes;
        }
        any = true;
    }
    if any {
        engine.signal.raise();
    }
}
