//! The newest batches, kept in memory as the producer made them: whoever reads along does not trouble RocksDB, whose
//! iterators cost as much at the tail as many records.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use headwater_core::{Offset, RecordBatch};

use super::{catalog::Partition, locks::lock};

/// The newest batches of one partition, without a gap.
#[derive(Default)]
pub(super) struct Tail(Mutex<VecDeque<RecordBatch>>);

impl Tail {
    /// The batches from the one that contains `from` to before `end`, at least one, then as many as fit into `budget`
    /// bytes. `None` if that one is not held. What lies past `end` has been written, but is not to be seen yet.
    pub fn read(&self, from: Offset, end: Offset, budget: usize) -> Option<Vec<RecordBatch>> {
        let held = lock(&self.0);
        if held.front()?.base_offset() > from {
            return None;
        }
        let first = held.partition_point(|batch| batch.next_offset() <= from);
        let mut bytes = 0;
        let mut batches: Vec<RecordBatch> = Vec::new();
        for batch in held.range(first..).take_while(|batch| batch.base_offset() < end) {
            bytes += batch.as_bytes().len();
            if bytes > budget && !batches.is_empty() {
                break;
            }
            batches.push(batch.clone());
        }
        Some(batches).filter(|batches| !batches.is_empty())
    }
}

/// Bounds the bytes of all tails together. Only the writer has it.
#[derive(Default)]
pub(super) struct TailBudget(Mutex<Held>);

#[derive(Default)]
struct Held {
    bytes: usize,
    oldest_first: VecDeque<(Arc<Partition>, usize)>,
}

impl TailBudget {
    /// Adds a batch to its partition's tail and drops the oldest of all beyond `limit` bytes. To be called before
    /// the batch becomes visible, in the writer's turn.
    pub fn add(&self, partition: &Arc<Partition>, batch: RecordBatch, limit: usize) {
        let mut held = lock(&self.0);
        let bytes = batch.as_bytes().len();
        held.bytes += bytes;
        held.oldest_first.push_back((Arc::clone(partition), bytes));
        lock(&partition.tail.0).push_back(batch);
        while held.bytes > limit
            && let Some((partition, bytes)) = held.oldest_first.pop_front()
        {
            held.bytes -= bytes;
            lock(&partition.tail.0).pop_front();
        }
    }
}
